"""One statement's lineage in terms of the catalog: tables, columns, evidence and every gap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from hex_assets.lineage.logged import EngineTables, logged_as, parts_of
from hex_assets.lineage.model import StatementLineage
from hex_assets.lineage.reasons import describe
from hex_assets.lineage.resolve import AMBIGUOUS, NOT_IN_CATALOG, Catalog, Namespace, Resolved

Spelling = Callable[[str, str], str]
"""A table as in `TableItem.table` and a column as written -> how the column is called here."""

# Their logs list a view's base tables beside the view (BigQuery: depending on authorised views).
_LISTS_BASES = frozenset({"clickhouse", "bigquery", "databricks", "trino", "presto"})


class TableItem(NamedTuple):
    """A table that a statement touches."""

    name: str
    table: str
    fqn: str | None
    direction: str
    evidence: tuple[str, ...]


class UseItem(NamedTuple):
    """A column that a statement needs; `table` as in `TableItem.table`."""

    table: str
    column: str
    usage: tuple[str, ...]
    output_columns: tuple[str, ...]


class WriteItem(NamedTuple):
    """A written column; `table` and the tables of its sources as in `TableItem.table`."""

    table: str
    column: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What `lineage/statements` says about one statement."""

    status: str
    reason: str | None = None
    detail: str | None = None
    lineage: StatementLineage = field(default_factory=StatementLineage)
    tables: tuple[TableItem, ...] = ()
    uses: tuple[UseItem, ...] = ()
    not_in_catalog: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()
    seconds: float = 0.0
    written: tuple[WriteItem, ...] = ()

    def fqns(self, direction: str) -> list[str]:
        """FQNs of the tables read or written."""
        return [t.fqn for t in self.tables if t.direction == direction and t.fqn]

    @property
    def evidence(self) -> str | None:
        """The better of the kinds of evidence."""
        kinds = {kind for table in self.tables for kind in table.evidence}
        return "engine_log" if "engine_log" in kinds else ("parsed" if kinds else None)


def outcome(
    lineage: StatementLineage,
    catalog: Catalog,
    where: Namespace,
    inputs: EngineTables | None,
    outputs: EngineTables | None,
    seconds: float,
) -> Outcome:
    """Join what the text says with what the engine logged, and name the tables by the catalog."""
    logged = {name: columns for name, columns in (*(inputs or ()), *(outputs or ()))}
    items: dict[tuple[str, str], TableItem] = {}
    problems: dict[str, dict[str, None]] = {NOT_IN_CATALOG: {}, AMBIGUOUS: {}}
    by_name: dict[str, str] = {}
    read_as: dict[str, str] = {}
    rows: dict[str, int | None] = {}
    used: set[str] = set()
    missed: list[str] = []
    has_view = catalog.empty
    unknown = maybe_view = False
    by_target: dict[str, str] = {}

    def add(name: str, resolved: Resolved, direction: str, evidence: tuple[str, ...]) -> None:
        rows[resolved.table] = resolved.row
        if resolved.problem:
            problems[resolved.problem][name] = None
        items.setdefault(
            (resolved.table, direction),
            TableItem(name, resolved.table, resolved.fqn, direction, evidence),
        )

    parsed = [
        (name, parts, direction)
        for names, all_parts, direction, temporary in (
            (lineage.sources, lineage.source_parts, "read", lineage.temporary_sources),
            (lineage.targets, lineage.target_parts, "write", lineage.temporary_targets),
        )
        for name, parts in zip(
            names, all_parts or [tuple(n.split(".")) for n in names], strict=True
        )
        if name not in temporary  # it is gone with the session
    ]
    for name, parts, direction in parsed:
        directional = outputs if direction == "write" and outputs else inputs
        match = logged_as(parts, directional, where.dialect) if directional else None
        if match:
            used.update(match.names)
            resolved = catalog.resolve(match.parts, where)
            add(name, resolved, direction, ("engine_log", "parsed"))
            if direction == "read":
                read_as.update(dict.fromkeys(match.names, resolved.table))
                maybe_view = maybe_view or resolved.row is None
        else:
            resolved = catalog.resolve(parts, where)
            add(name, resolved, direction, ("parsed",))
            if directional:
                missed.append(name)
                unknown = unknown or (direction == "read" and resolved.problem == NOT_IN_CATALOG)
        has_view = has_view or (resolved.row is not None and catalog.is_view(resolved.row))
        if direction == "read":
            by_name[name] = resolved.table
        else:
            by_target[name] = resolved.table

    extra = [name for name, _ in (inputs or ()) if name not in used]
    complete = bool(parsed) and not lineage.partial
    bases = where.dialect in _LISTS_BASES
    writes = lineage.targets or outputs
    # A name that neither the log nor the catalog has stands for tables that the log does have.
    instead = unknown and not (has_view or maybe_view)
    for name in [] if complete and bases and not instead else extra:
        # A log that mixes sources with targets shows columns of the sources only.
        mixed = where.dialect == "clickhouse" and not logged[name]
        if mixed and (bool(writes) if complete else not lineage.sources and not writes):
            continue
        resolved = catalog.resolve(parts_of(name), where)
        add(name, resolved, "read", ("engine_log",))
        by_name.setdefault(name, resolved.table)
        read_as[name] = resolved.table
    if not lineage.targets:
        for name, _ in outputs or ():
            add(name, catalog.resolve(parts_of(name), where), "write", ("engine_log",))

    def spelled(table: str, column: str) -> str:
        return catalog.column(column, rows[table], where.dialect)

    columns_read = {table: logged[name] for name, table in read_as.items()}
    uses = _uses(lineage, by_name, columns_read, spelled)
    differs = (missed if not (bases and has_view) else []) + (
        extra if complete and not (bases and has_view) else []
    )
    written = _written(lineage, by_name, by_target, spelled)
    result = _judge(lineage, tuple(items.values()), uses, problems, differs, extra, seconds)
    return replace(result, written=written) if written else result


def _uses(
    lineage: StatementLineage,
    by_name: dict[str, str],
    logged: dict[str, tuple[str, ...]],
    spelled: Spelling,
) -> tuple[UseItem, ...]:
    outputs: dict[tuple[str, str], dict[str, None]] = {}
    for output, sources in lineage.columns:
        for source in sources:
            if flow := _column_of(source, by_name, spelled):
                outputs.setdefault(flow, {})[output] = None
    found: dict[tuple[str, str], UseItem] = {}
    for use in lineage.uses:
        table = by_name.get(use.table)
        if table is None:
            continue
        column = spelled(table, use.column)
        flows = tuple(outputs.get((use.table, column), ()))
        usage = tuple(sorted(use.usage))
        known = found.get((table, column))
        if known is not None:  # two names of one table
            usage = tuple(sorted({*known.usage, *usage}))
            flows = tuple(dict.fromkeys((*known.output_columns, *flows)))
        found[table, column] = UseItem(table, column, usage, flows)
    told = {(table, column.casefold()) for table, column in found}
    named = {table for table, _ in found}
    for table, columns in logged.items():
        star = found.get((table, "*"))
        if star is None and table in named:
            continue
        # The text does not tell which columns (a star without a schema); the engine does.
        usage, flows = (star.usage, star.output_columns) if star is not None else ((), ())
        for name in columns:
            column = spelled(table, name)
            if (table, name.casefold()) not in told:
                found[table, column] = UseItem(table, column, usage, flows)
        if star is not None and columns:
            del found[table, "*"]
    return tuple(found.values())


def _written(
    lineage: StatementLineage,
    by_name: dict[str, str],
    by_target: dict[str, str],
    spelled: Spelling,
) -> tuple[WriteItem, ...]:
    found: dict[tuple[str, str], dict[str, None]] = {}
    for target, column, sources in lineage.target_columns:
        table = by_target.get(target)
        if table is None:
            continue
        flows = found.setdefault((table, spelled(table, column)), {})
        for source in sources:
            if flow := _column_of(source, by_name, spelled):
                flows[f"{by_name[flow[0]]}.{flow[1]}"] = None
    return tuple(WriteItem(table, column, tuple(flows)) for (table, column), flows in found.items())


def _column_of(source: str, by_name: dict[str, str], spelled: Spelling) -> tuple[str, str] | None:
    """The table's name, as in the text, and the column of a source column."""
    # A part may itself have a dot: the longest table's name that fits is the table.
    name, _, column = source.rpartition(".")
    while name and name not in by_name:
        name, _, more = name.rpartition(".")
        column = f"{more}.{column}"
    return (name, spelled(by_name[name], column)) if name else None


def _judge(
    lineage: StatementLineage,
    tables: tuple[TableItem, ...],
    uses: tuple[UseItem, ...],
    problems: dict[str, dict[str, None]],
    differs: list[str],
    extra: list[str],
    seconds: float,
) -> Outcome:
    missing, ambiguous = tuple(problems[NOT_IN_CATALOG]), tuple(problems[AMBIGUOUS])
    unresolved = bool(missing or ambiguous)
    some = any(table.fqn for table in tables)
    reason: str | None = None
    if not tables:
        nothing = not lineage.partial and (lineage.reason in (None, "no_lineage"))
        status = "empty" if nothing else "failed"
        reason = "no_lineage" if nothing else (lineage.reason or "syntax")
        detail = lineage.error or describe(reason)
    elif lineage.partial:
        status, reason = "partial", lineage.reason or "partial"
        detail = lineage.error or describe(reason)
    elif unresolved:
        status = "partial" if some else "unresolved"
        reason = AMBIGUOUS if ambiguous else NOT_IN_CATALOG
        detail = f"{describe(reason)}: {', '.join(ambiguous or missing)}"
    elif differs:
        status, reason = "resolved", "engine_differs"
        detail = f"{describe(reason)}: {', '.join(differs)}"
    else:
        status = "resolved"
        detail = f"the engine also lists {', '.join(extra)}" if extra else ""
    return Outcome(
        status, reason, detail or None, lineage, tables, uses, missing, ambiguous, seconds
    )
