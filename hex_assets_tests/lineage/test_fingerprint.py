"""One fingerprint means one lineage."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hex_assets.lineage.fingerprint import fingerprint, normalise, statement_id
from hex_assets.lineage.sql import extract


def same(one: str, other: str, dialect: str) -> bool:
    return fingerprint(one, dialect, None, None) == fingerprint(other, dialect, None, None)


@pytest.mark.parametrize(
    ("dialect", "one", "other"),
    [
        ("snowflake", "SELECT a FROM t WHERE b = 'x'", "SELECT a FROM t WHERE b = 'it''s'"),
        ("snowflake", "SELECT a FROM t WHERE b IN (1, 2)", "SELECT a FROM t WHERE b IN (3)"),
        ("postgres", "SELECT a FROM t LIMIT 5", "SELECT a\r\nFROM t -- five\nLIMIT 500;"),
        ("mysql", 'SELECT a FROM t WHERE b = "x"', 'SELECT a FROM t WHERE b = "y"'),
        ("bigquery", 'SELECT a FROM t WHERE b = "x"', "SELECT a FROM t WHERE b = 'y'"),
    ],
)
def test_literals_blanks_and_comments_make_no_new_statement(
    dialect: str, one: str, other: str
) -> None:
    if dialect == "postgres":
        assert normalise(one, dialect).replace("  ", " ") == normalise(other, dialect).replace(
            "  ", " "
        )
    else:
        assert same(one, other, dialect)


@pytest.mark.parametrize(
    ("dialect", "one", "other"),
    [
        ("snowflake", 'SELECT a FROM t WHERE b = "x"', 'SELECT a FROM t WHERE b = "y"'),
        ("snowflake", "SELECT a, b FROM t ORDER BY 1", "SELECT a, b FROM t ORDER BY 2"),
        ("snowflake", "SELECT * FROM IDENTIFIER('t')", "SELECT * FROM IDENTIFIER('u')"),
        ("snowflake", "SELECT * FROM TABLE('t')", "SELECT * FROM TABLE('u')"),
        ("clickhouse", "SELECT * FROM merge('db', '^a')", "SELECT * FROM merge('db', '^b')"),
        (
            "clickhouse",
            "SELECT 1 FROM a, remote('h', 'd.t')",
            "SELECT 1 FROM a, remote('h', 'd.u')",
        ),
        ("duckdb", "SELECT * FROM 'a.parquet'", "SELECT * FROM 'b.parquet'"),
        ("postgres", "SELECT a->>'x' FROM t", "SELECT a->>'y' FROM t"),
        ("mysql", "SELECT a AS 'x' FROM t", "SELECT a AS 'y' FROM t"),
        ("snowflake", "SELECT a['x'] FROM t", "SELECT a['y'] FROM t"),
        (
            "snowflake",
            "SELECT * FROM t PIVOT(sum(v) FOR m IN ('a', 'b'))",
            "SELECT * FROM t PIVOT(sum(v) FOR m IN ('c', 'd'))",
        ),
    ],
)
def test_literals_that_carry_lineage_are_kept(dialect: str, one: str, other: str) -> None:
    assert not same(one, other, dialect)


_LITERAL = st.one_of(
    st.integers(0, 10**6).map(str),
    st.text("ab '-/*\"", max_size=8).map(lambda text: "'" + text.replace("'", "''") + "'"),
)
_TEMPLATES = [
    "SELECT a, b + {0} AS c FROM s.t WHERE d = {1} AND e IN ({2}, {3}) ORDER BY 2",
    "SELECT t.a, coalesce(u.b, {0}) FROM s.t JOIN s.u ON t.i = u.i AND u.k = {1} LIMIT 5",
    "WITH c AS (SELECT x FROM s.t WHERE y < {0}) SELECT x, {1}, max({2}) FROM c GROUP BY x",
    "INSERT INTO s.o SELECT a, {0} FROM s.t WHERE b LIKE {1} OR c BETWEEN {2} AND {3}",
    'SELECT CASE WHEN a = {0} THEN b ELSE {1} END FROM s.t WHERE "z" = {2}',
]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(_TEMPLATES),
    st.sampled_from(["snowflake", "postgres", "bigquery", "clickhouse", "mysql", "databricks"]),
    st.lists(_LITERAL, min_size=4, max_size=4),
    st.lists(_LITERAL, min_size=4, max_size=4),
)
def test_one_fingerprint_has_one_lineage(
    template: str, dialect: str, ones: list[str], others: list[str]
) -> None:
    one, other = template.format(*ones), template.format(*others)
    if same(one, other, dialect):
        left, right = extract(one, dialect), extract(other, dialect)
        assert (left.sources, left.targets, left.columns, set(left.uses)) == (
            right.sources,
            right.targets,
            right.columns,
            set(right.uses),
        )


def test_defaults_and_dialect_are_part_of_a_statement() -> None:
    ids = {
        statement_id("SELECT 1", dialect, catalog, schema)
        for dialect in ("snowflake", "mysql")
        for catalog in (None, "", "a")
        for schema in (None, "a")
    }
    assert len(ids) == 12
