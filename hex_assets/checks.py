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

DayCheck = Callable[[TableStore, str], tuple[bool, str]]
"""Whether a day is as it should be, and what was seen."""


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


def _daily_check(
    asset: dg.AssetKey,
    days: dg.DailyPartitionsDefinition,
    name: str,
    see: DayCheck,
    *,
    description: str,
    what_to_do: str,
) -> dg.AssetChecksDefinition:
    """A check of each day of the run: range runs record one evaluation for all of them."""

    @dg.asset_check(asset=asset, name=name, partitions_def=days, description=description)
    def check(
        context: dg.AssetCheckExecutionContext, table_store: TableStoreResource
    ) -> dg.AssetCheckResult:
        seen = {day: see(table_store.store, day) for day in context.partition_keys}
        told = {day: text for day, (_, text) in seen.items()}
        bad = {day: text for day, (passed, text) in seen.items() if not passed}
        metadata: dict[str, Any] = {"days": markdown_table(("day", "seen"), sorted(told.items()))}
        if bad:
            metadata |= {"failed_day_count": len(bad), "what_to_do": what_to_do}
        told_first = "; ".join(f"{day}: {text}" for day, text in (bad or told).items())
        return dg.AssetCheckResult(
            passed=not bad,
            severity=dg.AssetCheckSeverity.WARN,
            description=told_first[:2000],
            metadata=metadata,
        )

    return check


def _every_log(
    names: Names, days: dg.DailyPartitionsDefinition, settings: Settings
) -> dg.AssetChecksDefinition:
    def see(store: TableStore, day: str) -> tuple[bool, str]:
        missing = [
            warehouse
            for warehouse in settings.warehouses
            if not store.has(names.query_log(warehouse).path, day)
        ]
        return not missing, f"without {', '.join(missing)}" if missing else "every warehouse"

    return _daily_check(
        names.statements,
        days,
        "every_query_log",
        see,
        description="The day's queries of every warehouse are part of it.",
        what_to_do="Mend what made query_log/<warehouse> fail and materialize it for the day; the "
        "sensor lineage_sensor then derives the day again.",
    )


def _comment_found(
    names: Names, days: dg.DailyPartitionsDefinition, warehouse: str
) -> dg.AssetChecksDefinition:
    key = names.query_log(warehouse)

    def see(store: TableStore, day: str) -> tuple[bool, str]:
        found = _count(store, key, day, "comment", "found")
        return found > 0, f"{found} queries with Hex's comment"

    return _daily_check(
        key,
        days,
        "hex_comment_found",
        see,
        description="The day has queries with Hex's comment.",
        what_to_do="Run `hex-assets doctor`: is the log enabled and readable, does Hex use this "
        "warehouse, and is its query metadata comment on?",
    )


def _cut_texts(
    names: Names, days: dg.DailyPartitionsDefinition, warehouse: str
) -> dg.AssetChecksDefinition:
    key = names.query_log(warehouse)

    def see(store: TableStore, day: str) -> tuple[bool, str]:
        cut = pc.sum(store.read(key.path, day)["truncated"]).as_py() or 0
        return cut == 0, f"{cut} cut texts"

    return _daily_check(
        key,
        days,
        "no_cut_texts",
        see,
        description="No text reached the log's length limit, which cuts off Hex's comment.",
        what_to_do="Raise the log's limit where the engine has one (docs/warehouses); the rows are "
        "in the query log with truncated = true, their projects are not known.",
    )


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

    def see(store: TableStore, day: str) -> tuple[bool, str]:
        table = store.read(names.statements.path, day)
        judged = [s for s in table["status"].to_pylist() if s != "empty"]
        passed = sum(status in good for status in judged)
        share = passed / len(judged) if judged else 1.0
        return share >= threshold, f"{passed} of {len(judged)} statements ({share:.1%})"

    return _daily_check(
        names.statements, days, name, see, description=description, what_to_do=what_to_do
    )


def _published_equals_derived(
    names: Names, days: dg.DailyPartitionsDefinition
) -> dg.AssetChecksDefinition:
    def see(store: TableStore, day: str) -> tuple[bool, str]:
        edges = store.read(names.edges.path, day)
        missing = unpublished(edges, store.read(names.publication.path, day))
        named = "".join(f"; {project} {table}" for project, table in missing[:5])
        return not missing, f"{len(missing)} table edges have no receipt{named}"

    return _daily_check(
        names.publication,
        days,
        "published_equals_derived",
        see,
        description="Every edge of a published project to a table of the catalog has a receipt.",
        what_to_do="Publish the day again; see `not_published` of the publication.",
    )


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
