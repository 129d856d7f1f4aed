"""`openmetadata/publication`: the newest truth goes to the catalog, a receipt for each entity."""

from collections import Counter
from typing import Any

import dagster as dg
import pyarrow as pa

from hex_assets.assets.failures import told_plainly
from hex_assets.assets.metadata import definition_metadata, markdown_table, row_count
from hex_assets.assets.names import Names
from hex_assets.assets.retries import NETWORK_RETRIES
from hex_assets.lineage import merge_edges
from hex_assets.partitions import day_bounds
from hex_assets.resources import OpenMetadataResource, TableStoreResource
from hex_assets.storage.store import TableStore
from hex_assets.tables import EDGES, RECEIPTS


def publication_asset(names: Names, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The publication to OpenMetadata."""

    @dg.asset(
        key=names.publication,
        group_name="publish",
        kinds={"openmetadata"},
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=NETWORK_RETRIES,
        io_manager_key="tables",
        deps=[names.projects, names.edges],
        metadata=definition_metadata(RECEIPTS),
        description=(
            "What was done to the catalog. Published is always the newest truth: the latest "
            "projects and all stored edges of the look-back window; a day's receipt says that its "
            "edges were part of it. So publishing an old day never takes the catalog back in time."
        ),
    )
    def publication(
        context: dg.AssetExecutionContext,
        openmetadata: OpenMetadataResource,
        table_store: TableStoreResource,
    ) -> dict[str, pa.Table]:
        from hex_assets.openmetadata.publish import publish

        store = table_store.store
        settings = openmetadata.parsed()
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
        edge_days = _edge_days(store, names, settings.lookBackDays)
        edges = merge_edges(store.read(names.edges.path, day) for day in edge_days)
        context.log.info(
            f"publishing the projects of {snapshot_day} and {edges.num_rows} edges of "
            f"{len(edge_days)} days to {settings.hostPort}"
        )
        with told_plainly():
            receipts = publish(
                openmetadata.client(),
                settings,
                projects=projects,
                edges=edges if edge_days else EDGES.empty(),
                previous=_previous(store, names),
                listing_complete=True,
                day=snapshot_day,
            )
        for day in context.partition_keys:
            context.add_asset_metadata(_summary(receipts, snapshot_day), partition_key=day)
        _fail_on(receipts)
        return dict.fromkeys(context.partition_keys, receipts)

    return publication


def _edge_days(store: TableStore, names: Names, look_back_days: int) -> list[str]:
    stored = store.days(names.edges.path)
    if not stored:
        return []
    last = day_bounds(stored[-1])[0]
    return [day for day in stored if (last - day_bounds(day)[0]).days < look_back_days]


def _previous(store: TableStore, names: Names) -> pa.Table | None:
    newest = store.newest(names.publication.path)
    return newest[1] if newest else None


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


def _fail_on(receipts: pa.Table) -> None:
    failed = [row for row in receipts.to_pylist() if row["operation"] == "failed"]
    if failed:
        named = "\n".join(f"  {r['entity_type']} {r['entity']}: {r['reason']}" for r in failed)
        raise dg.Failure(description=f"{len(failed)} entities were not published:\n{named}")
