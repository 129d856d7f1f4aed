"""`lineage/statements` and `lineage/edges`: what the day's queries read and wrote."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from hex_assets import lineage
from hex_assets.assets.metadata import (
    definition_metadata,
    markdown_table,
    row_count,
    sample,
    shares,
)
from hex_assets.assets.names import Names
from hex_assets.assets.operation import EDGE_SOURCES, STATEMENT_SOURCES, column_lineage
from hex_assets.settings import Settings
from hex_assets.storage.lineage_cache import LineageCache
from hex_assets.storage.store import DayTables
from hex_assets.tables import EDGES, QUERY_LOG, STATEMENTS
from hex_assets.warehouses.base import WarehouseSettings

TOP_REASONS = 10
LOG_INPUT = "query_log_"
"""What the inputs of the warehouses' logs are called, before the warehouse's name."""


def statements_asset(
    names: Names, days: dg.DailyPartitionsDefinition, settings: Settings
) -> dg.AssetsDefinition:
    """The ledger of distinct statements."""
    services = {
        n: w.openmetadataService or settings.database_services()
        for n, w in settings.warehouses.items()
    }
    defaults = {n: _defaults(w) for n, w in settings.warehouses.items()}
    columns = column_lineage(STATEMENT_SOURCES, names, settings)

    @dg.asset(
        key=names.statements,
        group_name="lineage",
        kinds={"sqlglot", "parquet"},
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        ins=_query_logs(names, settings) | {"catalog_tables": dg.AssetIn(key=names.catalog_tables)},
        metadata=definition_metadata(STATEMENTS),
        description=(
            "The ledger: every distinct statement of the day with the tables and columns that it "
            "reads and writes and how that is known, or the reason why it is not."
        ),
    )
    def statements(
        context: dg.AssetExecutionContext, catalog_tables: DayTables, **query_logs: DayTables
    ) -> dict[str, pa.Table]:
        cache = LineageCache.load(settings.storage.path)
        stored = {day: _stored(day, query_logs) for day in context.partition_keys}
        derived = {
            day: lineage.derive_statements(
                _log_of(day, stored[day]),
                catalog_tables[day],
                services=services,
                defaults=defaults,
                cache=cache,
            )
            for day in context.partition_keys
        }
        cache.save()
        for day, table in derived.items():
            missing = sorted(
                name.removeprefix(LOG_INPUT) for name in query_logs.keys() - stored[day].keys()
            )
            if missing:
                context.log.warning(
                    f"{day}: without the queries of {', '.join(missing)}: not read yet"
                )
            summary = _statement_summary(table) | {"missing_query_logs": missing}
            context.add_asset_metadata(summary | columns, partition_key=day)
        return derived

    return statements


def edges_asset(
    names: Names, days: dg.DailyPartitionsDefinition, settings: Settings
) -> dg.AssetsDefinition:
    """The lineage edges."""
    columns = column_lineage(EDGE_SOURCES, names, settings)

    @dg.asset(
        key=names.edges,
        group_name="lineage",
        kinds={"sqlglot", "parquet"},
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="tables",
        ins=_query_logs(names, settings) | {"statements": dg.AssetIn(key=names.statements)},
        metadata=definition_metadata(EDGES),
        description=(
            "Which project, by which cell, reads or writes which table and column: how often, "
            "from when to when, by whom and why, with a sample query and the evidence."
        ),
    )
    def edges(
        context: dg.AssetExecutionContext, statements: DayTables, **query_logs: DayTables
    ) -> dict[str, pa.Table]:
        derived = {
            day: lineage.edges_of(_log_of(day, _stored(day, query_logs)), statements[day])
            for day in context.partition_keys
        }
        for day, table in derived.items():
            context.add_asset_metadata(_edge_summary(table) | columns, partition_key=day)
        return derived

    return edges


def _query_logs(names: Names, settings: Settings) -> dict[str, dg.AssetIn]:
    return {
        f"{LOG_INPUT}{warehouse}": dg.AssetIn(key=names.query_log(warehouse))
        for warehouse in settings.warehouses
    }


def _defaults(warehouse: WarehouseSettings) -> tuple[str | None, str | None]:
    return warehouse.defaultCatalog, warehouse.defaultSchema


def _stored(day: str, query_logs: Mapping[str, DayTables]) -> dict[str, DayTables]:
    """The logs of every warehouse that was read: one that is down holds up no other.

    All of them where none is stored, so that the first one's error says what to materialize.
    """
    return {name: log for name, log in query_logs.items() if log.stored(day)} or dict(query_logs)


def _log_of(day: str, query_logs: Mapping[str, DayTables]) -> pa.Table:
    """The day's rows of these logs; raises MissingTable."""
    return pa.concat_tables([QUERY_LOG.empty(), *(log[day] for log in query_logs.values())])


def _statement_summary(table: pa.Table) -> dict[str, Any]:
    statuses = {
        row["values"]: row["counts"] for row in pc.value_counts(table["status"]).to_pylist()
    }
    counts = dict.fromkeys(("resolved", "partial", "unresolved", "empty", "failed"), 0) | statuses
    return (
        row_count(table)
        | {
            "query_count": pc.sum(table["query_count"]).as_py() or 0,
            "given_up_count": pc.sum(pc.equal(table["reason"], "gave_up")).as_py() or 0,
            "top_reasons": top_reasons(table),
            "not_in_catalog": _distinct(table, "not_in_catalog"),
            "ambiguous": _distinct(table, "ambiguous"),
        }
        | shares(counts, table.num_rows)
        | {"analysis_seconds": round(pc.sum(table["seconds"]).as_py() or 0.0, 3)}
    )


def top_reasons(table: pa.Table) -> dg.MetadataValue:
    """The commonest reasons for gaps, by queries, with one example each."""
    gaps: dict[str, dict[str, Any]] = {}
    for row in table.select(["reason", "detail", "query_count", "sample_query_id"]).to_pylist():
        if row["reason"] is None:
            continue
        gap = gaps.setdefault(row["reason"], row | {"statements": 0, "queries": 0})
        gap["statements"] += 1
        gap["queries"] += row["query_count"]
    ranked = sorted(gaps.values(), key=lambda gap: (-gap["queries"], gap["reason"]))[:TOP_REASONS]
    return markdown_table(
        ("reason", "", "statements", "queries", "example", "query id"),
        (
            (
                gap["reason"],
                _bar(gap["queries"], ranked[0]["queries"]),
                gap["statements"],
                gap["queries"],
                gap["detail"],
                gap["sample_query_id"],
            )
            for gap in ranked
        ),
    )


def _bar(count: int, longest: int) -> str:
    """A bar of at most 10 blocks; the longest has 10."""
    return "█" * max(1, round(10 * count / longest))


def _distinct(table: pa.Table, column: str) -> list[str]:
    return sorted({name for names in table[column].to_pylist() for name in names})[:100]


def _edge_summary(table: pa.Table) -> dict[str, Any]:
    on_tables = table.filter(pc.is_null(table["column"]))
    return row_count(table) | {
        "project_count": pc.count_distinct(table["project_id"]).as_py(),
        "table_count": pc.count_distinct(table["table"]).as_py(),
        "read_edge_count": pc.sum(pc.equal(on_tables["direction"], "read")).as_py() or 0,
        "write_edge_count": pc.sum(pc.equal(on_tables["direction"], "write")).as_py() or 0,
        "column_edge_count": table.num_rows - on_tables.num_rows,
        "not_in_catalog_count": on_tables["table_fqn"].null_count,
        "partial_count": pc.sum(table["partial"]).as_py() or 0,
        "top_tables": _top_tables(on_tables),
        "sample": sample(on_tables, ["project_id", "table", "direction", "query_count"]),
    }


def _top_tables(on_tables: pa.Table) -> dg.MetadataValue:
    readers: dict[str, set[str]] = {}
    queries: dict[str, int] = {}
    for row in on_tables.select(["table", "project_id", "query_count"]).to_pylist():
        readers.setdefault(row["table"], set()).add(row["project_id"])
        queries[row["table"]] = queries.get(row["table"], 0) + row["query_count"]
    ranked = sorted(readers, key=lambda name: (-len(readers[name]), -queries[name], name))
    return markdown_table(
        ("table", "", "projects", "queries"),
        (
            (
                name,
                _bar(len(readers[name]), len(readers[ranked[0]])),
                len(readers[name]),
                queries[name],
            )
            for name in ranked[:TOP_REASONS]
        ),
    )
