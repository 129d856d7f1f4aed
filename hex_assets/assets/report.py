"""`report/impact`: the impact page, written anew after each day of lineage."""

from pathlib import Path

import dagster as dg

from hex_assets.assets.names import Names
from hex_assets.resources import TableStoreResource
from hex_assets.settings import Settings


def report_key(names: Names) -> dg.AssetKey:
    """`report/impact`."""
    return names.key("report", "impact")


def report_asset(
    names: Names, days: dg.DailyPartitionsDefinition, settings: Settings
) -> dg.AssetsDefinition:
    """The impact page as one HTML file beside the tables."""

    @dg.asset(
        key=report_key(names),
        group_name="report",
        kinds={"html"},
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[names.projects, names.cells, names.catalog_tables, names.statements, names.edges],
        description=(
            "Who reads which table and column, by which project and cell: one HTML file that "
            "needs no network. Like the publication it always holds the newest truth: the latest "
            "snapshots and all stored edges of the look-back window."
        ),
    )
    def impact(
        context: dg.AssetExecutionContext, table_store: TableStoreResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from hex_assets.report.read import Keys, NothingStored
        from hex_assets.report.write import write_report

        store = table_store.store
        path = f"{store.base.rstrip('/')}/{'/'.join(report_key(names).path)}.html"
        try:
            done = write_report(store, Keys.below(names.prefix), settings, path)
        except NothingStored as error:
            raise dg.Failure(description=str(error), allow_retries=False) from None
        context.log.info(
            f"{path}: {done.project_count} projects, {done.table_count} tables, "
            f"{done.edge_count} edges of {done.first_day} to {done.last_day}"
        )
        return dg.MaterializeResult(
            metadata={
                "page": dg.MetadataValue.path(path if "://" in path else str(Path(path).resolve())),
                "project_count": done.project_count,
                "table_count": done.table_count,
                "edge_count": done.edge_count,
                "dead_project_count": done.dead_project_count,
                "not_in_catalog_count": done.not_in_catalog_count,
                "statement_count": done.statement_count,
                "not_whole_count": done.not_whole_count,
                "first_day": done.first_day.isoformat(),
                "last_day": done.last_day.isoformat(),
                "stored_day_count": done.stored_days,
                "byte_count": done.byte_count,
            }
        )

    return impact
