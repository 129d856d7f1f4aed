"""Which warehouses there are. A new one is a line here and a module beside."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from hex_assets.warehouses.base import WarehouseSettings

MODULES: dict[str, str] = {
    "athena": "hex_assets.warehouses.athena:AthenaSettings",
    "bigquery": "hex_assets.warehouses.bigquery:BigQuerySettings",
    "clickhouse": "hex_assets.warehouses.clickhouse:ClickHouseSettings",
    "databricks": "hex_assets.warehouses.databricks:DatabricksSettings",
    "redshift": "hex_assets.warehouses.redshift:RedshiftSettings",
    "mysql": "hex_assets.warehouses.mysql:MySQLSettings",
    "postgres": "hex_assets.warehouses.postgres:PostgresSettings",
    "postgresFiles": "hex_assets.warehouses.postgres_files:PostgresFilesSettings",
    "presto": "hex_assets.warehouses.trino:PrestoSettings",
    "snowflake": "hex_assets.warehouses.snowflake:SnowflakeSettings",
    "trino": "hex_assets.warehouses.trino:TrinoSettings",
    "trino_runtime": "hex_assets.warehouses.trino_runtime:TrinoRuntimeSettings",
}
"""`type` in the settings -> the settings class, imported when a warehouse of the type is used."""


def settings_class(kind: str) -> type[WarehouseSettings]:
    """The settings class of a warehouse type.

    Raises:
        KeyError: there is no such type.
    """
    module, _, name = MODULES[kind].partition(":")
    found: type[WarehouseSettings] = getattr(import_module(module), name)
    return found


def warehouse_settings(entry: Any) -> WarehouseSettings:
    """Validate one warehouse of the settings by its `type`.

    Raises:
        ValueError: no or an unknown `type`; pydantic's own for the keys of the type.
    """
    if isinstance(entry, WarehouseSettings):
        return entry
    if not isinstance(entry, Mapping):
        raise ValueError("needs keys such as `type: clickhouse`")
    kind = entry.get("type")
    if kind not in MODULES:
        known = ", ".join(sorted(MODULES))
        raise ValueError(f"type: {kind!r} is not a known warehouse; use one of {known}")
    return settings_class(kind).model_validate(dict(entry))
