"""Asset keys and groups: one place for how the graph's parts are called."""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg


@dataclass(frozen=True)
class Names:
    """Keys below a prefix of the user's choosing; without one the names of the design."""

    prefix: tuple[str, ...] = ()

    def key(self, *path: str) -> dg.AssetKey:
        """A key of ours."""
        return dg.AssetKey([*self.prefix, *path])

    def plain(self, name: str) -> str:
        """The name of a job, schedule, sensor or op, which have no key: `<prefix>_<name>`."""
        return "_".join([*self.prefix, name])

    @property
    def projects(self) -> dg.AssetKey:
        """`hex/projects`."""
        return self.key("hex", "projects")

    @property
    def cells(self) -> dg.AssetKey:
        """`hex/cells`."""
        return self.key("hex", "cells")

    @property
    def queried_tables(self) -> dg.AssetKey:
        """`hex/queried_tables`."""
        return self.key("hex", "queried_tables")

    def query_log(self, warehouse: str) -> dg.AssetKey:
        """`query_log/<warehouse>`."""
        return self.key("query_log", warehouse)

    @property
    def catalog_tables(self) -> dg.AssetKey:
        """`catalog/tables`."""
        return self.key("catalog", "tables")

    @property
    def statements(self) -> dg.AssetKey:
        """`lineage/statements`."""
        return self.key("lineage", "statements")

    @property
    def edges(self) -> dg.AssetKey:
        """`lineage/edges`."""
        return self.key("lineage", "edges")

    @property
    def publication(self) -> dg.AssetKey:
        """`openmetadata/publication`."""
        return self.key("openmetadata", "publication")
