"""The stored tables that a report is made of: newest snapshots, and a window of edges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

import pyarrow as pa

from hex_assets.lineage import merge_edges
from hex_assets.lineage.cells import with_static_cells
from hex_assets.report.data import Links, Report, Window, build_report
from hex_assets.settings import Settings
from hex_assets.storage.store import KeyPath, TableStore
from hex_assets.tables import CATALOG_TABLES, CELLS, EDGES, PROJECTS, TableSpec


class NothingStored(LookupError):
    """No day of lineage is stored: an empty answer would read like `nothing uses it`."""


@dataclass(frozen=True)
class Keys:
    """Where the tables live in the store; the defaults are keys without a prefix."""

    projects: KeyPath = ("hex", "projects")
    cells: KeyPath = ("hex", "cells")
    catalog: KeyPath = ("catalog", "tables")
    statements: KeyPath = ("lineage", "statements")
    edges: KeyPath = ("lineage", "edges")

    @classmethod
    def below(cls, prefix: Sequence[str]) -> Keys:
        """The keys below a prefix, as `build_definitions(settings, key_prefix)` makes them."""
        plain = cls()
        return cls(
            projects=(*prefix, *plain.projects),
            cells=(*prefix, *plain.cells),
            catalog=(*prefix, *plain.catalog),
            statements=(*prefix, *plain.statements),
            edges=(*prefix, *plain.edges),
        )


def read_report(
    store: TableStore,
    keys: Keys,
    settings: Settings,
    *,
    days: int | None = None,
    now: datetime | None = None,
) -> Report:
    """Load the newest snapshots and the last days of edges.

    Args:
        store: where the tables are.
        keys: their keys.
        settings: for the look-back window and the catalog's address.
        days: length of the window, counted from the newest stored day; the settings' by default.
        now: time of generation; the clock's by default.

    Raises:
        NothingStored: there is no day of edges.
    """
    stored = store.days(keys.edges)
    if not stored:
        raise NothingStored(
            f"no lineage is stored in {store.base}: materialize {'/'.join(keys.edges)} first, "
            "or set storage.path to where it is"
        )
    length = days if days is not None else settings.look_back.days
    last = date.fromisoformat(stored[-1])
    first = last - timedelta(days=length - 1)
    kept = [day for day in stored if day >= first.isoformat()]
    cells = pa.concat_tables([CELLS.empty(), *_since(store, keys.cells, CELLS, kept[0])])
    return build_report(
        projects=_newest(store, keys.projects, PROJECTS),
        # A query names the version of a cell that it ran.
        edges=merge_edges(
            with_static_cells(EDGES.conform(store.read(keys.edges, day)), cells) for day in kept
        ),
        catalog=_newest(store, keys.catalog, CATALOG_TABLES),
        statements=_statements(store, keys.statements, first, last),
        window=Window(first, last, len(kept)),
        generated_at=now or datetime.now(timezone.utc),
        links=_links(settings),
        cells=_newest(store, keys.cells, CELLS),
    )


def _newest(store: TableStore, key: KeyPath, spec: TableSpec) -> pa.Table:
    newest = store.newest(key)
    return spec.conform(newest[1]) if newest else spec.empty()


def _since(store: TableStore, key: KeyPath, spec: TableSpec, first: str) -> Iterator[pa.Table]:
    for day in store.days(key):
        if day >= first:
            yield spec.conform(store.read(key, day))


def _statements(store: TableStore, key: KeyPath, first: date, last: date) -> Iterator[pa.Table]:
    for day in store.days(key):
        if first.isoformat() <= day <= last.isoformat():
            yield store.read(key, day)


def _links(settings: Settings) -> Links:
    catalog = settings.openmetadata
    if catalog is None:
        return Links()
    return Links(
        openmetadata=catalog.hostPort.removesuffix("/api"), dashboard_service=catalog.serviceName
    )
