"""`openmetadata/publication`: the newest truth goes to the catalog, a receipt for each entity."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from hex_assets import lineage
from hex_assets.assets.cells import complete_projects
from hex_assets.assets.failures import told_plainly
from hex_assets.assets.metadata import definition_metadata, markdown_table, row_count
from hex_assets.assets.names import Names
from hex_assets.assets.retries import NETWORK_RETRIES
from hex_assets.lineage.cells import with_static_cells
from hex_assets.partitions import day_bounds
from hex_assets.resources import OpenMetadataResource, TableStoreResource
from hex_assets.settings import Settings
from hex_assets.storage.store import TableStore
from hex_assets.tables import CELLS, EDGES, PROJECTS, RECEIPTS, STATEMENTS

OBSERVED_WITHIN = timedelta(days=1)
"""After the end of its day, a snapshot's totals still are those of the day."""


def publication_asset(
    names: Names, days: dg.DailyPartitionsDefinition, settings: Settings
) -> dg.AssetsDefinition:
    """The publication to OpenMetadata."""
    checked = [names.queried_tables] if settings.hex.queriedTables else []

    @dg.asset(
        key=names.publication,
        group_name="publish",
        kinds={"openmetadata"},
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=NETWORK_RETRIES,
        io_manager_key="tables",
        deps=[names.projects, names.cells, *checked, names.statements, names.edges],
        metadata=definition_metadata(RECEIPTS),
        description=(
            "What was done to the catalog. Published is always the newest truth: the latest "
            "projects and cells and all stored edges of the look-back window; a day's receipt says "
            "that its edges were part of it. So publishing an old day never takes the catalog back "
            "in time."
        ),
    )
    def publication(
        context: dg.AssetExecutionContext,
        openmetadata: OpenMetadataResource,
        table_store: TableStoreResource,
    ) -> dict[str, pa.Table]:
        from hex_assets.openmetadata.publish import publish

        store = table_store.store
        catalog_settings = openmetadata.parsed()
        newest = store.newest(names.projects.path)
        if newest is None:
            raise dg.Failure(
                description=(
                    f"no snapshot of {names.projects.to_user_string()} is stored: "
                    "materialize it before publishing"
                ),
                allow_retries=False,
            )
        snapshot_day, projects = newest
        cells = _newest_rows(store, names.cells)
        edge_days = _edge_days(store, names, catalog_settings.lookBackDays)
        cell_ids = _cell_ids(store, names, edge_days)
        edges = lineage.merge_edges(
            with_static_cells(EDGES.conform(store.read(names.edges.path, day)), cell_ids)
            for day in edge_days
        )
        context.log.info(
            f"publishing the projects of {snapshot_day} and {edges.num_rows} edges of "
            f"{len(edge_days)} days to {catalog_settings.hostPort}"
        )
        with told_plainly():
            done = publish(
                openmetadata.client(),
                catalog_settings,
                projects=PROJECTS.conform(projects),
                edges=edges,
                cells=None if cells is None else CELLS.conform(cells),
                complete_cells=None if cells is None else complete_projects(cells),
                statements=_statements(store, names, edge_days),
                catalog=_newest_rows(store, names.catalog_tables),
                queried_tables=_newest_rows(store, names.queried_tables) if checked else None,
                snapshots=_snapshots(store, names, context.partition_keys[0], snapshot_day),
                listing_complete=True,
                day=date.fromisoformat(snapshot_day),
            )
        for note in done.notes:
            context.log.warning(note)
        for day in context.partition_keys:
            context.add_asset_metadata(_summary(done.receipts, snapshot_day), partition_key=day)
            if done.failures:  # the run fails at its end and returns nothing: what was done is kept
                batches = done.receipts.to_batches()
                store.write(names.publication.path, day, batches, RECEIPTS.schema)
        with told_plainly():
            done.raise_failures()
        return dict.fromkeys(context.partition_keys, done.receipts)

    return publication


def _edge_days(store: TableStore, names: Names, look_back_days: int) -> list[str]:
    stored = store.days(names.edges.path)
    if not stored:
        return []
    last = day_bounds(stored[-1])[0]
    return [day for day in stored if (last - day_bounds(day)[0]).days < look_back_days]


def _cell_ids(store: TableStore, names: Names, edge_days: list[str]) -> pa.Table:
    """The cells of every snapshot since the first edges: a query names the version it ran."""
    snapshots = [
        CELLS.conform(store.read(names.cells.path, day))
        for day in store.days(names.cells.path)
        if edge_days and day >= edge_days[0]
    ]
    return pa.concat_tables([CELLS.empty(), *snapshots])


def _statements(store: TableStore, names: Names, edge_days: list[str]) -> pa.Table:
    """The ledger of the same days, for SQL texts and output columns."""
    tables = [STATEMENTS.conform(store.read(names.statements.path, day)) for day in edge_days]
    return pa.concat_tables([STATEMENTS.empty(), *tables])


def _newest_rows(store: TableStore, key: dg.AssetKey) -> pa.Table | None:
    newest = store.newest(key.path)
    return newest[1] if newest else None


def _snapshots(
    store: TableStore, names: Names, first_day: str, last_day: str
) -> dict[date, pa.Table]:
    """The projects as observed from the first day on, and once before: views are differences.

    A day that was filled in later has the totals of that later time: it tells nothing of its own.
    """
    found: dict[date, pa.Table] = {}
    for day in reversed([day for day in store.days(names.projects.path) if day <= last_day]):
        projects = store.read(names.projects.path, day)
        observed_at = pc.max(projects["observed_at"]).as_py()
        if observed_at is not None and observed_at < day_bounds(day)[1] + OBSERVED_WITHIN:
            found[date.fromisoformat(day)] = projects
            if day < first_day:
                break
    return found


def _summary(receipts: pa.Table, snapshot_day: str) -> dict[str, Any]:
    rows = receipts.to_pylist()
    operations = Counter(row["operation"] for row in rows)
    kinds = Counter((row["entity_type"], row["operation"]) for row in rows)
    gaps = [row for row in rows if row["operation"] in ("skipped", "failed")]
    counted = ("created", "updated", "unchanged", "removed", "skipped", "failed")
    return row_count(receipts) | {
        **{f"{name}_count": operations.get(name, 0) for name in counted},
        "projects_observed_on": snapshot_day,
        "by_kind": markdown_table(
            ("entity type", "operation", "count"),
            ((kind, operation, count) for (kind, operation), count in sorted(kinds.items())),
        ),
        "not_published": markdown_table(
            ("entity type", "entity", "operation", "reason"),
            ((g["entity_type"], g["entity"], g["operation"], g["reason"]) for g in gaps[:50]),
        ),
    }
