"""Databases judge the lineage engine: random queries, and what each database knows of them.

PostgreSQL stores the columns that a view depends on; DuckDB tells a text's tables, ClickHouse its
resolved tree; and values that tell their column show by running which ones arrive in an output.
None of this truth was written by us. `benchmarks/agree.py` asks about as many as one likes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from hex_assets_tests.lineage.agreement import clickhouse, duckdb, postgres, statements
from hex_assets_tests.lineage.agreement.changes import unused_but_needed
from hex_assets_tests.lineage.agreement.compare import differences, guesses
from hex_assets_tests.lineage.agreement.queries import (
    CLICKHOUSE,
    DUCKDB,
    POSTGRES,
    QUALIFIED,
    Grammar,
    Queries,
    Query,
)
from hex_assets_tests.lineage.agreement.verdicts import Verdict
from hex_assets_tests.servers.postgres import BINARIES

pytestmark = pytest.mark.slow
needs_postgres = pytest.mark.skipif(
    not BINARIES.exists() or os.geteuid() != 0, reason="needs PostgreSQL 15 and root"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with postgres.judge() as connection:
        yield connection


def queries(grammar: Grammar, count: int, start: int = 0) -> list[Query]:
    return [Queries(start + number, grammar).one() for number in range(count)]


def valid(verdicts: list[Verdict]) -> list[Verdict]:
    """Those that the database takes: most of them, or the generator is broken."""
    taken = [verdict for verdict in verdicts if not verdict.error]
    assert len(taken) > len(verdicts) / 2, {verdict.error for verdict in verdicts}
    return taken


def check(verdicts: list[Verdict], dialect: str) -> None:
    for verdict in valid(verdicts):
        assert differences(verdict, dialect) == [], verdict.query.text


@needs_postgres
def test_a_view_depends_on_the_columns_that_the_engine_names(server: Any) -> None:
    check(postgres.ask(server, queries(POSTGRES, 700), run=False), "postgres")


@needs_postgres
def test_values_arrive_from_the_columns_that_the_engine_knows(server: Any) -> None:
    verdicts = postgres.ask(server, queries(POSTGRES, 150, start=5000))
    assert sum(bool(verdict.arrived) for verdict in verdicts) > 40
    check(verdicts, "postgres")


@needs_postgres
def test_changes_read_and_write_the_same_columns(server: Any) -> None:
    made = [statements.Statements(seed, POSTGRES).statement() for seed in range(200)]
    taken = statements.ask(server, made)
    assert len(taken) > 100
    assert sum(any(statement.arrived.values()) for statement in taken) > 10
    for statement in taken:
        assert statements.differences(statement) == [], statement.text


@needs_postgres
def test_without_a_catalog_nothing_is_guessed(server: Any) -> None:
    verdicts = postgres.ask(server, queries(QUALIFIED, 400, start=90000), run=False)
    for verdict in valid(verdicts):
        assert guesses(verdict, "postgres") == [], verdict.query.text


@needs_postgres
def test_a_column_that_changes_the_rows_is_used(server: Any) -> None:
    changed, found = unused_but_needed(server, queries(POSTGRES, 120, start=70000))
    assert found == []
    assert changed > 20


def test_duckdb_reads_the_same_tables_and_gives_the_same_outputs() -> None:
    verdicts = duckdb.ask(duckdb.judge(), queries(DUCKDB, 300))
    assert sum(bool(verdict.arrived) for verdict in verdicts) > 60
    check(verdicts, "duckdb")


def test_clickhouse_resolves_the_same_tables_and_columns() -> None:
    pytest.importorskip("chdb")
    verdicts = clickhouse.ask(clickhouse.judge(), queries(CLICKHOUSE, 300))
    assert sum(bool(verdict.arrived) for verdict in verdicts) > 60
    check(verdicts, "clickhouse")
