"""Where the lineage engine and a database disagree on a query."""

from __future__ import annotations

from hex_assets.lineage.model import StatementLineage
from hex_assets.lineage.schema import provider
from hex_assets.lineage.sql import extract
from hex_assets_tests.lineage.agreement.named import extract_with_every_output
from hex_assets_tests.lineage.agreement.queries import TABLES
from hex_assets_tests.lineage.agreement.verdicts import Verdict

_SCHEMA = provider(TABLES)
_LEAVES_OUT = ("duckdb", "clickhouse")
"""These two leave out the CTEs that nobody reads; the engine and PostgreSQL do not."""


def differences(verdict: Verdict, dialect: str) -> list[str]:
    """What the engine says otherwise than the database, with the tables' columns known."""
    text = verdict.query.text
    answer = extract(text, dialect, catalog=TABLES)
    found: list[str] = []
    if answer.partial or answer.unresolved_columns:
        found.append(f"not all is known: {answer.error} {answer.unresolved_columns}")
    may_leave_out = (dialect in _LEAVES_OUT and text.startswith("with ")) or "(with " in text
    sources = {_plain(source) for source in answer.sources}
    missed, more = verdict.tables - sources, sources - verdict.tables
    if missed or (more and not may_leave_out):
        found.append(f"sources: misses {missed}, has {more} more")
    if verdict.columns:
        found += _used_otherwise(verdict, dialect, answer, may_leave_out)
    if verdict.names:
        found += _flowing_otherwise(verdict, answer)
    return found


def guesses(verdict: Verdict, dialect: str) -> list[str]:
    """What the engine says wrongly where it knows no table's columns."""
    answer = extract(verdict.query.text, dialect)
    sources = {_plain(source) for source in answer.sources}
    found = [] if sources == verdict.tables else [f"sources: {sources}, not {verdict.tables}"]
    wrong = {name for name in uses_of(answer) if not name.endswith(".*")} - verdict.columns
    if wrong and not verdict.query.rows:
        found.append(f"guessed {wrong}")
    return found


def uses_of(answer: StatementLineage) -> set[str]:
    """The columns that a statement needs, `table.column`."""
    return {f"{_plain(use.table)}.{use.column}".lower() for use in answer.uses}


def _used_otherwise(
    verdict: Verdict, dialect: str, answer: StatementLineage, may_leave_out: bool
) -> list[str]:
    named = uses_of(extract_with_every_output(verdict.query.text, dialect, _SCHEMA))
    missed, more = verdict.columns - named, named - verdict.columns
    if verdict.query.rows or (may_leave_out and dialect == "clickhouse"):
        more = set()
    found = []
    if missed or more:
        found.append(f"columns named: misses {missed}, has {more} more")
    if uses_of(answer) - named:
        found.append(f"uses what is not named: {uses_of(answer) - named}")
    return found


def _flowing_otherwise(verdict: Verdict, answer: StatementLineage) -> list[str]:
    """Names of outputs, and values that arrive from a column of which the engine does not know."""
    names = [name.rpartition(".")[2] for name in verdict.names]  # ClickHouse: `t.id` of a join
    found = []
    if len(set(names)) == len(names) and [name for name, _ in answer.columns] != names:
        found.append(f"outputs {[name for name, _ in answer.columns]}, not {names}")
    origins = {
        name.lower(): {_plain(column) for column in columns} for name, columns in answer.columns
    }
    for position, arrived in verdict.arrived.items():
        missed = arrived - origins.get(names[position].lower(), set())
        if missed:
            found.append(f"{names[position]} also comes from {missed}")
    return found


def _plain(name: str) -> str:
    return name.removeprefix("public.").removeprefix("default.")
