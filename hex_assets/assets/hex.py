"""`hex/projects`: the workspace's projects and components, a snapshot a day."""

from datetime import datetime, timezone

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from hex_assets.assets.failures import told_plainly
from hex_assets.assets.metadata import definition_metadata, row_count, sample
from hex_assets.assets.names import Names
from hex_assets.assets.retries import NETWORK_RETRIES
from hex_assets.partitions import day_bounds
from hex_assets.resources import HexResource, TableStoreResource
from hex_assets.storage.store import TableStore
from hex_assets.tables import PROJECTS


class ProjectsConfig(dg.Config):
    """Options of a run."""

    refresh: bool = False
    """Overwrite days that were observed before; the newest day is refreshed anyhow."""


def projects_asset(names: Names, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset of projects and components."""

    @dg.asset(
        key=names.projects,
        group_name="hex",
        kinds={"hex", "parquet"},
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=NETWORK_RETRIES,
        io_manager_key="tables",
        metadata=definition_metadata(PROJECTS),
        description=(
            "Projects and components of the Hex workspace as observed. Hex only tells the current "
            "state: the newest day is refreshed by every run, a day that was observed is kept, and "
            "an earlier day without an observation holds the projects that existed by its end."
        ),
    )
    def projects(
        context: dg.AssetExecutionContext,
        config: ProjectsConfig,
        hex_api: HexResource,
        table_store: TableStoreResource,
    ) -> dict[str, pa.Table]:
        from hex_assets.hex.frames import read_projects
        from hex_assets.hex.runs import with_latest_runs

        with told_plainly():
            with hex_api.client() as client:
                observed = read_projects(client, datetime.now(timezone.utc))
                notes = [*observed.notes]
                table = observed.table
                if hex_api.parsed().latestRuns:
                    told = with_latest_runs(client, table)
                    table, notes = told.table, [*notes, *told.notes]
        for note in notes:
            context.log.warning(note)
        newest = days.get_last_partition_key()
        snapshots = {
            day: _snapshot(
                table_store.store,
                names,
                day,
                table,
                keep=day != newest and not config.refresh,
            )
            for day in context.partition_keys
        }
        for day, snapshot in snapshots.items():
            told_by = {"notes": notes} if notes else {}
            context.add_asset_metadata(_summary(snapshot) | told_by, partition_key=day)
        return snapshots

    return projects


def _snapshot(
    store: TableStore, names: Names, day: str, observed: pa.Table, *, keep: bool
) -> pa.Table:
    if keep and store.has(names.projects.path, day):
        return store.read(names.projects.path, day)
    end = day_bounds(day)[1]
    return observed.filter(pc.less(observed["created_at"], pa.scalar(end)))


def _summary(table: pa.Table) -> dict[str, object]:
    kinds = pc.value_counts(table["project_type"]).to_pylist()
    return row_count(table) | {
        "project_count": sum(k["counts"] for k in kinds if k["values"] == "PROJECT"),
        "component_count": sum(k["counts"] for k in kinds if k["values"] == "COMPONENT"),
        "archived_count": table.num_rows - table["archived_at"].null_count,
        "trashed_count": table.num_rows - table["trashed_at"].null_count,
        "never_published_count": table["last_published_at"].null_count,
        "without_owner_count": table["owner_email"].null_count,
        "sample": sample(table, ["title", "project_type", "owner_email", "status", "url"]),
    }
