"""One fingerprint means one lineage."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.dialects import canonical, tokenizer
from hex_assets.lineage.engine.trees.functions import _FILE_FUNCTIONS, _NAMES_A_TABLE, REMOTE
from hex_assets.lineage.fingerprint import fingerprint, normalise, statement_id
from hex_assets.lineage.sql import extract
from hex_assets_tests.lineage.test_cases import each_case


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
        ("tsql", "INSERT o EXEC('SELECT a FROM t')", "INSERT o EXEC('SELECT a FROM u')"),
        ("tsql", "INSERT INTO #o EXEC ('SELECT 1')", "INSERT INTO #o EXEC ('SELECT 2')"),
        ("tsql", "SELECT 1 EXECUTE ('SELECT a FROM t')", "SELECT 1 EXECUTE ('SELECT a FROM u')"),
        (
            "duckdb",
            "SELECT a FROM t ORDER BY COLUMNS('a')",
            "SELECT a FROM t ORDER BY COLUMNS('b')",
        ),
        (
            "duckdb",
            "SELECT a FROM t WHERE COLUMNS(c -> c LIKE 'a%') > 0",
            "SELECT a FROM t WHERE COLUMNS(c -> c LIKE 'b%') > 0",
        ),
        (
            "clickhouse",
            "SELECT a FROM t WHERE tuple(* EXCEPT('a')) = b",
            "SELECT a FROM t WHERE tuple(* EXCEPT('b')) = b",
        ),
        (
            "snowflake",
            "SELECT a FROM t WHERE hash(* /* all */ ILIKE 'a%') = b",
            "SELECT a FROM t WHERE hash(* /* all */ ILIKE 'b%') = b",
        ),
        ("duckdb", "SELECT a FROM t JOIN ('a.csv')", "SELECT a FROM t JOIN ('b.csv')"),
        ("duckdb", "SELECT a FROM (t), 'a.csv', u", "SELECT a FROM (t), 'b.csv', u"),
        ("postgres", "SELECT a FROM t, ts_stat('TABLE u')", "SELECT a FROM t, ts_stat('TABLE v')"),
        (
            "bigquery",
            "SELECT a IS DISTINCT /* or not */ FROM b, f('x') FROM t",
            "SELECT a IS DISTINCT /* or not */ FROM b, f('y') FROM t",
        ),
        (
            "bigquery",
            "WITH q AS (FROM t |> EXTEND concat('x', a)) SELECT * FROM q",
            "WITH q AS (FROM t |> EXTEND concat('y', a)) SELECT * FROM q",
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


def _other_literals(sql: str, dialect: str) -> list[str]:
    """The text with one of its literals changed, for each of them."""
    others = []
    for token in tokenizer(dialect).tokenize(sql):
        raw = sql[token.start : token.end + 1]
        if token.token_type == TokenType.NUMBER and raw.isdigit():
            new = f"7{raw}"
        elif token.token_type == TokenType.STRING and raw[0] == raw[-1] and raw[0] in "'\"":
            new = f"{raw[0]}zq{raw[1:]}"
        else:
            continue
        others.append(sql[: token.start] + new + sql[token.end + 1 :])
    return others


def test_no_case_has_another_lineage_with_other_literals_under_one_fingerprint() -> None:
    compared = 0
    for path, case in each_case():
        dialect, sql = canonical(path.stem), case["sql"]
        try:
            others = _other_literals(sql, dialect)
        except TokenError:  # a case that is cut within a string
            continue
        for other in (other for other in others if same(sql, other, dialect)):
            compared += 1
            schema = case.get("schema")
            assert extract(sql, dialect, catalog=schema) == extract(other, dialect, catalog=schema)
    assert compared > 200


class _AnyTable:
    """A catalog in which each table has columns of all the words of a text."""

    def __init__(self, *texts: str) -> None:
        self._columns = tuple(dict.fromkeys(re.findall(r"[A-Za-z_]\w*", " ".join(texts))))

    def columns_of(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        return self._columns


def _calls(sql: str, dialect: str) -> Iterator[str]:
    """The calls of a text that have a string."""
    tokens = tokenizer(dialect).tokenize(sql)
    for first, opening in pairwise(tokens):
        if opening.token_type != TokenType.L_PAREN or first.token_type in (TokenType.IN, *_SIGNS):
            continue
        depth = 0
        for token in tokens[tokens.index(opening) :]:
            depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(token.token_type, 0)
            if depth == 0:
                call = sql[first.start : token.end + 1]
                if "'" in call and len(call) < 300:
                    yield call
                break


_SIGNS = (TokenType.AND, TokenType.OR, TokenType.FROM, TokenType.COMMA, TokenType.L_PAREN)


def test_no_call_of_a_case_has_another_lineage_where_literals_are_replaced() -> None:
    found: dict[tuple[str, str], None] = {}
    for path, case in each_case():
        with suppress(TokenError):
            found.update(
                ((canonical(path.stem), call), None)
                for call in _calls(case["sql"], canonical(path.stem))
            )
    compared = 0
    for dialect, call in found:
        for form in ("SELECT 1 FROM t, {}", "SELECT x FROM t WHERE {0} = 1 ORDER BY {0}"):
            sql = form.format(call)
            for other in _other_literals(sql, dialect):
                if same(sql, other, dialect):
                    compared += 1
                    table = _AnyTable(sql, other, sql.replace("'", "'a "))
                    left, right = (extract(text, dialect, catalog=table) for text in (sql, other))
                    assert replace(left, error=None) == replace(right, error=None), sql
    assert compared > 500


def test_functions_that_name_a_table_or_a_file_keep_their_literals() -> None:
    named = {name for names in _NAMES_A_TABLE.values() for name in names} | REMOTE
    named |= {name for names in _FILE_FUNCTIONS.values() for name in names}
    for name in named:
        one = f"SELECT a FROM t, {name}('x', 'y')"
        assert not same(one, one.replace("x", "z"), "duckdb"), name


@pytest.mark.parametrize(
    ("dialect", "one"),
    [
        ("snowflake", "SELECT url, query FROM t WHERE file = 'a' AND input > 1"),
        ("bigquery", "MERGE INTO o USING t ON o.i = t.i AND o.k = 'a' WHEN MATCHED THEN DELETE"),
        ("postgres", "SELECT x.table, x.use FROM x WHERE x.call LIKE 'a' LIMIT 10"),
    ],
)
def test_a_column_with_the_name_of_a_function_is_no_function(dialect: str, one: str) -> None:
    assert same(one, one.replace("'a'", "'b'").replace("1", "2"), dialect)


@pytest.mark.parametrize(
    ("dialect", "one"),
    [
        ("clickhouse", "SELECT a FROM x, url /* of */ ('a')"),
        ("athena", "CREATE TABLE o WITH (external_location = 'a') AS SELECT b FROM t"),
        ("bigquery", "SELECT a FROM t; EXPORT DATA OPTIONS (uri = 'a') AS SELECT b FROM t"),
    ],
)
def test_literals_that_name_files_are_kept(dialect: str, one: str) -> None:
    assert not same(one, one.replace("'a'", "'b'"), dialect)


def test_defaults_and_dialect_are_part_of_a_statement() -> None:
    ids = {
        statement_id("SELECT 1", dialect, catalog, schema)
        for dialect in ("snowflake", "mysql")
        for catalog in (None, "", "a")
        for schema in (None, "a")
    }
    assert len(ids) == 12
