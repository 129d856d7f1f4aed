"""ClickHouse: `system.query_log` through clickhouse-connect."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hex_assets.secret import Secret
from hex_assets.warehouses.base import WarehouseSettings


class ClickHouseSettings(WarehouseSettings):
    """A ClickHouse server, cluster or Cloud service."""

    dialect: ClassVar[str] = "clickhouse"

    type: Literal["clickhouse"]
    host: str = Field(description="host name, without scheme")
    port: int = Field(default=8443, ge=1, le=65535)
    secure: bool = Field(default=True, description="TLS")
    user: str = Field(default="default")
    password: Secret | None = Field(default=None)
