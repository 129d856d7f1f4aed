"""Asset checks: each says what it saw, on which days, and what to do."""

from collections.abc import Callable, Iterable
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from hex_assets.assets.metadata import markdown_table
from hex_assets.assets.names import Names
from hex_assets.resources import TableStoreResource
from hex_assets.settings import Settings
from hex_assets.storage.store import TableStore

PARSED_SHARE = 0.95
"""Statements that yield lineage, of those that should; below it something systematic is wrong."""
RESOLVED_SHARE = 0.8
"""Statements whose tables are all in the catalog."""

DayCheck = Callable[[str], tuple[bool, str]]


def asset_checks(
    names: Names, days: dg.DailyPartitionsDefinition, settings: Settings
) -> list[dg.AssetChecksDefinition]:
    """All checks of the graph."""
    checks = [_parsed_share(names, days), _every_log(names, days, settings)]
    for warehouse in settings.warehouses:
        checks += [_comment_found(names, days, warehouse), _cut_texts(names, days, warehouse)]
    if settings.openmetadata:
        checks += [_resolved_share(names, days), _published_equals_derived(names, days)]
    return checks


def _by_day(
    context: dg.AssetCheckExecutionContext, what_to_do: str, check: DayCheck
) -> dg.AssetCheckResult:
    """Run a check for each day of the run: range runs record one evaluation for all of them."""
    seen = {day: check(day) for day in context.partition_keys}
    told = {day: text for day, (_, text) in seen.items()}
    bad = {day: text for day, (passed, text) in seen.items() if not passed}
    metadata: dict[str, Any] = {"days": markdown_table(("day", "seen"), sorted(told.items()))}
    if bad:
        metadata |= {"failed_day_count": len(bad), "what_to_do": what_to_do}
    description = "; ".join(f"{day}: {text}" for day, text in (bad or told).items())
    return dg.AssetCheckResult(
        passed=not bad,
        severity=dg.AssetCheckSeverity.WARN,
        description=description[:2000],
        metadata=metadata,
    )


def _every_log(
    names: Names, days: dg.DailyPartitionsDefinition, settings: Settings
) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=names.statements,
        name="every_query_log",
        partitions_def=days,
        description="The day's queries of every warehouse are part of it.",
    )
    def check(
        context: dg.AssetCheckExecutionContext, table_store: TableStoreResource
    ) -> dg.AssetCheckResult:
        def day_check(day: str) -> tuple[bool, str]:
            missing = [
                warehouse
                for warehouse in settings.warehouses
                if not table_store.store.has(names.query_log(warehouse).path, day)
            ]
            told = f"without {', '.join(missing)}" if missing else "every warehouse"
            return not missing, told

        return _by_day(
            context,
            "Mend what made query_log/<warehouse> fail and materialize it for the day; the sensor "
            "lineage_sensor then derives the day again.",
            day_check,
        )

    return check


def _comment_found(
    names: Names, days: dg.DailyPartitionsDefinition, warehouse: str
) -> dg.AssetChecksDefinition:
    key = names.query_log(warehouse)

    @dg.asset_check(
        asset=key,
        name="hex_comment_found",
        partitions_def=days,
        description="The day has queries with Hex's comment.",
    )
    def check(
        context: dg.AssetCheckExecutionContext, table_store: TableStoreResource
    ) -> dg.AssetCheckResult:
        def day_check(day: str) -> tuple[bool, str]:
            found = _count(table_store.store, key, day, "comment", "found")
            return found > 0, f"{found} queries with Hex's comment"

        return _by_day(
            context,
            "Run `hex-assets doctor`: is the log enabled and readable, does Hex use this "
            "warehouse, and is its query metadata comment on?",
            day_check,
        )

    return check


def _cut_texts(
    names: Names, days: dg.DailyPartitionsDefinition, warehouse: str
) -> dg.AssetChecksDefinition:
    key = names.query_log(warehouse)

    @dg.asset_check(
        asset=key,
        name="no_cut_texts",
        partitions_def=days,
        description="No text reached the log's length limit, which cuts off Hex's comment.",
    )
    def check(
        context: dg.AssetCheckExecutionContext, table_store: TableStoreResource
    ) -> dg.AssetCheckResult:
        def day_check(day: str) -> tuple[bool, str]:
            table = table_store.store.read(key.path, day)
            cut = pc.sum(table["truncated"]).as_py() or 0
            return cut == 0, f"{cut} cut texts"

        return _by_day(
            context,
            "Raise the log's limit where the engine has one (docs/warehouses); the rows are in "
            "the query log with truncated = true, their projects are not known.",
            day_check,
        )

    return check


def _parsed_share(names: Names, days: dg.DailyPartitionsDefinition) -> dg.AssetChecksDefinition:
    return _share_check(
        names,
        days,
        "parsed_share",
        PARSED_SHARE,
        ok=("resolved", "partial", "unresolved"),
        description="The tables of nearly all statements are known.",
        what_to_do="See `reason` and `detail` in lineage/statements and report the texts.",
    )


def _resolved_share(names: Names, days: dg.DailyPartitionsDefinition) -> dg.AssetChecksDefinition:
    return _share_check(
        names,
        days,
        "resolved_share",
        RESOLVED_SHARE,
        ok=("resolved",),
        description="The tables of most statements are in the catalog.",
        what_to_do="Ingest the tables named in `not_in_catalog`, or set openmetadataService and "
        "the default database and schema of the warehouse.",
    )


def _share_check(
    names: Names,
    days: dg.DailyPartitionsDefinition,
    name: str,
    threshold: float,
    *,
    ok: Iterable[str],
    description: str,
    what_to_do: str,
) -> dg.AssetChecksDefinition:
    good = set(ok)

    @dg.asset_check(asset=names.statements, name=name, partitions_def=days, description=description)
    def check(
        context: dg.AssetCheckExecutionContext, table_store: TableStoreResource
    ) -> dg.AssetCheckResult:
        def day_check(day: str) -> tuple[bool, str]:
            table = table_store.store.read(names.statements.path, day)
            judged = [s for s in table["status"].to_pylist() if s != "empty"]
            passed = sum(status in good for status in judged)
            share = passed / len(judged) if judged else 1.0
            return share >= threshold, f"{passed} of {len(judged)} statements ({share:.1%})"

        return _by_day(context, what_to_do, day_check)

    return check


def _published_equals_derived(
    names: Names, days: dg.DailyPartitionsDefinition
) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=names.publication,
        name="published_equals_derived",
        partitions_def=days,
        description="Every edge of a published project to a table of the catalog has a receipt.",
    )
    def check(
        context: dg.AssetCheckExecutionContext, table_store: TableStoreResource
    ) -> dg.AssetCheckResult:
        def day_check(day: str) -> tuple[bool, str]:
            edges = table_store.store.read(names.edges.path, day)
            receipts = table_store.store.read(names.publication.path, day)
            missing = unpublished(edges, receipts)
            named = "".join(f"; {project} {table}" for project, table in missing[:5])
            return not missing, f"{len(missing)} table edges have no receipt{named}"

        return _by_day(
            context, "Publish the day again; see `not_published` of the publication.", day_check
        )

    return check


def unpublished(edges: pa.Table, receipts: pa.Table) -> list[tuple[str, str]]:
    """Project and table of edges to tables of the catalog that no receipt names.

    Projects that the settings keep out of the catalog are excused with all their edges.
    """
    left_out = {
        row["project_id"]
        for row in receipts.to_pylist()
        if row["entity_type"] == "dashboard" and row["operation"] == "skipped"
    }
    derived = {
        (row["project_id"], row["table_fqn"])
        for row in edges.select(["project_id", "table_fqn", "column"]).to_pylist()
        if row["table_fqn"] and not row["column"] and row["project_id"] not in left_out
    }
    return sorted(derived - _receipted_pairs(receipts))


def _receipted_pairs(receipts: pa.Table) -> set[tuple[str, str]]:
    pairs = set()
    for row in receipts.to_pylist():
        if row["entity_type"] == "lineage" and row["operation"] != "failed":
            for end in row["entity"].split(" -> "):
                pairs.add((row["project_id"], end))
    return pairs


def _count(store: TableStore, key: dg.AssetKey, day: str, column: str, value: str) -> int:
    table = store.read(key.path, day)
    found: int = pc.sum(pc.equal(table[column], value)).as_py() or 0
    return found
