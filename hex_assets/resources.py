"""Dagster resources around the clients: each builds its client where it is used, from settings.

A resource holds the names of environment variables, never a secret, so that its configuration
can be shown in the UI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from hex_assets.settings import HexSettings, OpenMetadataSettings
from hex_assets.storage.store import TableStore
from hex_assets.warehouses.registry import warehouse_settings

if TYPE_CHECKING:
    from hex_assets.hex.client import HexClient
    from hex_assets.openmetadata.client import OpenMetadataClient
    from hex_assets.warehouses.base import LogSource, WarehouseSettings


class HexResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The Hex API."""

    settings: dict[str, Any]

    def parsed(self) -> HexSettings:
        """The workspace's settings."""
        return HexSettings.model_validate(self.settings)

    def client(self) -> HexClient:
        """A client for one run.

        Raises:
            UnsetVariable: the token's environment variable is not set.
        """
        from hex_assets.hex.client import HexClient

        hex_settings = self.parsed()
        return HexClient(
            host=hex_settings.hostPort,
            token=hex_settings.token.value(),
            token_type=hex_settings.tokenType,
            requests_per_minute=hex_settings.requestsPerMinute,
            api_group_requests_per_minute=hex_settings.apiGroupRequestsPerMinute,
        )


class WarehouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """One warehouse's query log."""

    name: str
    settings: dict[str, Any]

    def parsed(self) -> WarehouseSettings:
        """The warehouse's settings."""
        return warehouse_settings(self.settings)

    def source(self) -> LogSource:
        """Its log source; connects when it is read."""
        return self.parsed().source(self.name)


class OpenMetadataResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The catalog; `settings` is empty where none is configured."""

    settings: dict[str, Any]

    def parsed(self) -> OpenMetadataSettings:
        """The catalog's settings."""
        return OpenMetadataSettings.model_validate(self.settings)

    def client(self) -> OpenMetadataClient:
        """A client for one run.

        Raises:
            UnsetVariable: the token's environment variable is not set.
        """
        from hex_assets.openmetadata.client import OpenMetadataClient

        settings = self.parsed()
        return OpenMetadataClient(settings.hostPort, settings.token.value())


class TableStoreResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The stored tables, for assets that look beyond their own days."""

    path: str

    @property
    def store(self) -> TableStore:
        """The store."""
        return TableStore(self.path)
