"""The code location as a Dagster component: `hex_assets.component.HexLineageComponent`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg
from pydantic import BaseModel, ConfigDict, Field

from hex_assets.settings import Settings, parse_settings


class HexLineageAttributes(BaseModel):
    """The keys of `hex_assets.yaml`, and `keyPrefix`. Checked once templates are filled in."""

    model_config = ConfigDict(extra="allow")

    keyPrefix: list[str] = Field(default=[], description="before asset keys and job names")

    @classmethod
    def model_json_schema(cls, *arguments: Any, **options: Any) -> dict[str, Any]:
        """The schema of the settings, so that editors complete them."""
        from hex_assets.commands.schema import settings_schema

        own = super().model_json_schema(*arguments, **options)
        schema = {key: value for key, value in settings_schema().items() if key != "$schema"}
        schema["title"] = "HexLineageComponent"
        schema["properties"] = own["properties"] | schema["properties"]
        return schema


class HexLineageComponent(dg.Component):
    """Lineage of Hex from the warehouses' query logs, kept true in OpenMetadata.

    The attributes are the keys of `hex_assets.yaml`, and `keyPrefix`. A secret is only ever
    `{env: NAME}`; elsewhere `"{{ env.NAME }}"` works as in every component.
    """

    def __init__(self, settings: Settings, key_prefix: Sequence[str] = ()) -> None:
        self.settings = settings
        self.key_prefix = tuple(key_prefix)

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """The attributes of the YAML."""
        return HexLineageAttributes

    @classmethod
    def load(
        cls, attributes: BaseModel | None, context: dg.ComponentLoadContext
    ) -> HexLineageComponent:
        """Make the component of the YAML's attributes.

        Raises:
            SettingsError: names every wrong key and the mend.
        """
        given = attributes.model_dump() if attributes else {}
        filled = dict(context.resolution_context.at_path("attributes").resolve_value(given))
        prefix = filled.pop("keyPrefix", [])
        return cls(parse_settings(filled, f"{context.path} (attributes)"), prefix)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The same definitions as `hex_assets.definitions.build_definitions` gives."""
        from hex_assets.definitions import build_definitions

        # A project has one executor: its own.
        return build_definitions(self.settings, self.key_prefix, executor=None)
