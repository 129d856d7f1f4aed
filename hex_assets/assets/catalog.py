"""`catalog/tables`: the tables of the catalog with their columns."""

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from hex_assets.assets.failures import told_plainly
from hex_assets.assets.metadata import definition_metadata, row_count, sample
from hex_assets.assets.names import Names
from hex_assets.assets.retries import NETWORK_RETRIES
from hex_assets.resources import OpenMetadataResource
from hex_assets.tables import CATALOG_TABLES


def catalog_tables_asset(
    names: Names, days: dg.DailyPartitionsDefinition, services: tuple[str, ...]
) -> dg.AssetsDefinition:
    """The asset of the catalog's tables, those of the given database services."""

    @dg.asset(
        key=names.catalog_tables,
        group_name="catalog",
        kinds={"openmetadata", "parquet"},
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=NETWORK_RETRIES,
        io_manager_key="tables",
        metadata=definition_metadata(CATALOG_TABLES),
        description=(
            "Tables and columns of the catalog, with the catalog's case: the base for resolving "
            "names and for expanding stars. Empty when no catalog is configured. A past day gets "
            "the current catalog: OpenMetadata does not tell an earlier state."
        ),
    )
    def tables(
        context: dg.AssetExecutionContext, openmetadata: OpenMetadataResource
    ) -> dict[str, pa.Table]:
        found = CATALOG_TABLES.empty()
        if openmetadata.settings and services:
            from hex_assets.openmetadata.catalog import read_catalog

            with told_plainly():
                found = read_catalog(openmetadata.client(), services)
        for day in context.partition_keys:
            context.add_asset_metadata(_summary(found, services), partition_key=day)
        return dict.fromkeys(context.partition_keys, found)

    return tables


def _summary(table: pa.Table, services: tuple[str, ...]) -> dict[str, object]:
    per_service = pc.value_counts(table["service"]).to_pylist()
    tables_by_service = dict.fromkeys(services, 0) | {
        count["values"]: count["counts"] for count in per_service
    }
    return row_count(table) | {
        "tables_by_service": tables_by_service,
        "services_without_tables": [name for name, n in tables_by_service.items() if not n],
        "sample": sample(table, ["fqn", "table_type"]),
    }
