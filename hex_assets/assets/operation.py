"""What an operator sees of every asset: whose it is, when it is due, where it is, its links."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg

from hex_assets.assets.names import Names
from hex_assets.settings import Settings

# Column -> the upstream table's column, by table; `query_log` stands for each warehouse's.
STATEMENT_SOURCES: dict[str, tuple[tuple[str, str], ...]] = {
    "statement_id": (("query_log", "text"),),
    "text": (("query_log", "text"),),
    "dialect": (("query_log", "dialect"),),
    "default_catalog": (("query_log", "default_catalog"),),
    "default_schema": (("query_log", "default_schema"),),
    "query_count": (("query_log", "query_id"),),
    "sample_query_id": (("query_log", "query_id"),),
    "project_ids": (("query_log", "project_id"),),
    "sources": (("query_log", "text"), ("query_log", "engine_inputs")),
    "targets": (("query_log", "text"), ("query_log", "engine_outputs")),
    "columns": (("query_log", "text"), ("catalog", "columns")),
    "source_fqns": (("query_log", "text"), ("catalog", "fqn")),
    "target_fqns": (("query_log", "text"), ("catalog", "fqn")),
    "not_in_catalog": (("query_log", "text"), ("catalog", "fqn")),
    "ambiguous": (("query_log", "text"), ("catalog", "fqn")),
}
EDGE_SOURCES: dict[str, tuple[tuple[str, str], ...]] = {
    "project_id": (("query_log", "project_id"),),
    "cell_id": (("query_log", "cell_id"),),
    "warehouse": (("query_log", "warehouse"),),
    "table": (("statements", "tables"),),
    "table_fqn": (("statements", "tables"),),
    "column": (("statements", "uses"), ("statements", "written_columns")),
    "direction": (("statements", "tables"),),
    "usage": (("statements", "uses"),),
    "output_columns": (("statements", "uses"),),
    "source_columns": (("statements", "written_columns"),),
    "query_count": (("query_log", "query_id"),),
    "first_seen_at": (("query_log", "ended_at"),),
    "last_seen_at": (("query_log", "ended_at"),),
    "users": (("query_log", "user_email"),),
    "contexts": (("query_log", "context"),),
    "sample_query_id": (("query_log", "query_id"),),
    "statement_ids": (("statements", "statement_id"),),
    "evidence": (("statements", "tables"),),
    "partial": (("statements", "status"),),
}


def column_lineage(
    sources: dict[str, tuple[tuple[str, str], ...]], names: Names, settings: Settings
) -> dict[str, Any]:
    """The columns of one of our own tables, and those of ours that they come from."""
    keys = {
        "query_log": [names.query_log(warehouse) for warehouse in settings.warehouses],
        "catalog": [names.catalog_tables],
        "statements": [names.statements],
    }
    lineage = dg.TableColumnLineage(
        {
            name: [
                dg.TableColumnDep(asset_key=key, column_name=column)
                for table, column in found
                for key in keys[table]
            ]
            for name, found in sources.items()
        }
    )
    return {"dagster/column_lineage": lineage}


def operated(asset: dg.AssetsDefinition, names: Names, settings: Settings) -> dg.AssetsDefinition:
    """An asset with its owners, the time it is due, its place and the links of its systems."""
    return asset.map_asset_specs(
        lambda spec: spec.replace_attributes(
            owners=list(settings.owners), freshness_policy=_due(settings)
        ).merge_attributes(metadata=_links(spec.key, names, settings))
    )


def _due(settings: Settings) -> dg.FreshnessPolicy | None:
    """Each day's partition within some hours of the daily schedule; the daemon looks at that."""
    at = settings.schedule
    if not at.dueHours:
        return None
    return dg.FreshnessPolicy.cron(
        deadline_cron=f"{at.minute} {(at.hour + at.dueHours) % 24} * * *",
        lower_bound_delta=timedelta(hours=at.dueHours),
        timezone="UTC",
    )


def _links(key: dg.AssetKey, names: Names, settings: Settings) -> dict[str, Any]:
    base = settings.storage.path.rstrip("/")
    links: dict[str, Any] = {"dagster/uri": f"{base}/{'/'.join(key.path)}"}
    group = key.path[len(names.prefix)]
    if group == "hex":
        links["hex"] = dg.MetadataValue.url(settings.hex.hostPort)
    catalog = settings.openmetadata
    if catalog and group in ("catalog", "openmetadata"):
        host = catalog.hostPort.removesuffix("/v1").removesuffix("/api")
        page = f"{host}/service/dashboardServices/{catalog.serviceName}"
        links["openmetadata"] = dg.MetadataValue.url(host if group == "catalog" else page)
    return links
