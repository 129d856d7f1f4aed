"""Texts that are huge, deep, broken or hostile: no error, and never over two seconds.

Times are of the processor, so that a busy machine fails no test.
"""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import hostile
from hex_assets.lineage.sql import extract

BOUND_SECONDS = 5
"""Without a bound it takes minutes; that all stay under 2 s is shown by benchmarks/hostile.py."""


def nested(depth: int) -> str:
    sql = "SELECT a FROM db.base"
    for level in range(depth):
        sql = f"SELECT a FROM ({sql}) AS level_{level}"
    return sql


BIG = {
    "a megabyte IN list": "SELECT a FROM t WHERE a IN ("
    + ",".join(f"'{n:08d}'" for n in range(95_000))
    + ")",
    "2,000 ORs": "SELECT a FROM t WHERE " + " OR ".join(f"a = {n}" for n in range(2_000)),
    "600 columns": "SELECT " + ", ".join(f"t.c{n} AS d{n}" for n in range(600)) + " FROM t",
    "2,000 parentheses": "SELECT " + "(" * 2_000 + "a" + ")" * 2_000 + " FROM t",
}


@pytest.mark.parametrize("name", BIG)
def test_a_big_text_costs_under_two_seconds_and_keeps_its_table(name: str) -> None:
    start = time.process_time()
    found = extract(BIG[name], "snowflake")
    assert time.process_time() - start < BOUND_SECONDS
    assert found.sources == ("t",)


def test_thousands_of_comments_before_a_statement_cost_little() -> None:
    start = time.process_time()
    found = extract(
        "/* a */ -- b\n" * 5_000 + "WITH x AS (SELECT a FROM t) SELECT a FROM x", "trino"
    )
    assert time.process_time() - start < BOUND_SECONDS
    assert found.sources == ("t",)


def test_400_unions_give_400_tables() -> None:
    sql = " UNION ALL ".join(f"SELECT a FROM t{n}" for n in range(400))
    start = time.process_time()
    found = extract(sql, "bigquery")
    assert time.process_time() - start < BOUND_SECONDS
    assert len(found.sources) == 400
    assert len(dict(found.columns)["a"]) == 400


def test_80_steps_of_unions_with_a_star_and_a_column_cost_little() -> None:
    steps = ["c0 AS (SELECT *, a AS a0 FROM t UNION ALL SELECT *, b FROM u)"]
    for n in range(1, 80):
        both = f"SELECT *, q AS a{n} FROM c{n - 1} UNION ALL SELECT *, z FROM c{n - 1}"
        steps.append(f"c{n} AS ({both})")
    start = time.process_time()
    found = extract(f"WITH {', '.join(steps)} SELECT a0 FROM c79", "snowflake")
    assert time.process_time() - start < BOUND_SECONDS
    assert found.columns == (("a0", ("t.a", "u.b")),)


def test_60_nested_selects_carry_the_column_through() -> None:
    start = time.process_time()
    found = extract(nested(60), "postgres")
    assert time.process_time() - start < BOUND_SECONDS
    assert found.columns == (("a", ("db.base.a",)),)


HOSTILE = {
    "structs": "select " + "struct(" * 40 + "a as b" + ")" * 40 + " from t",
    "arrays of structs": "select " + "array(struct(" * 30 + "1" + " as b))" * 30 + " from t",
    "calls": "select " + "f(" * 600 + "a" + ")" * 600 + " from t",
    "braces": "select " + "{'a': " * 600 + "1" + "}" * 600 + " from t",
    "filters": "select " + "sum(" * 300 + "a" + ") filter (where b)" * 300 + " from t",
    "queries": "select * from " + "(select * from " * 400 + "t" + ") x" * 400,
    "parentheses that never close": "select * from t where " + "(" * 3_000,
    "parentheses in FROM": "select * from " + "(" * 200 + "t" + ")" * 200,
}


@pytest.mark.parametrize("dialect", ["snowflake", "bigquery", "clickhouse", "tsql"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_text_that_would_not_end_is_given_up_and_says_so(name: str, dialect: str) -> None:
    start = time.process_time()
    found = extract(HOSTILE[name], dialect)
    assert time.process_time() - start < BOUND_SECONDS
    assert found.sources == ("t",)
    assert not found.partial or found.reason in ("gave_up", "too_slow", "cut", "syntax")


@pytest.mark.slow
@pytest.mark.parametrize("dialect", hostile.DIALECTS)
def test_the_dearest_families_of_a_dialect_are_bounded_and_say_so(dialect: str) -> None:
    families = hostile.families()
    hostile.measured("SELECT 1" + " + 1" * 200, dialect)  # the worker is there
    own = hostile.DIALECTS.index(dialect) % 4  # a quarter of them for each: they cost 1.3 s
    for name, n in list(DEAREST.items())[own::4]:
        seconds, reason = hostile.measured(families[name](n), dialect)
        assert seconds < BOUND_SECONDS, name
        assert reason in (None, "gave_up", "too_slow", "too_large", "syntax", "cut", "jinja"), name


DEAREST = {
    "calls of date": 40,
    "aliased": 40,
    "joins without ON": 40,
    "joins with ON behind": 2_000,
    "scalar queries": 300,
    "pivoted queries": 200,
    "casts never closed": 600,
    "after: :: int": 2_000,
    "types": 2_000,
    "stars of stars": 60,
    "joins of itself": 60,
    "unions of itself": 60,
    "CTE never closed": 20_000,
    "template never closed": 20_000,
    "quotes": 20_000,
    "no semicolons": 10_000,
}
"""Of benchmarks/hostile.py, each of its own kind of growth: exponential, cubic, quadratic."""


@pytest.mark.parametrize("dialect", ["snowflake", "bigquery", "tsql"])
def test_what_is_read_within_the_process_costs_little(dialect: str) -> None:
    texts = (make(n) for make in hostile.families().values() for n in (4, 7, 30, 74, 99))
    light = [text for text in texts if hostile.is_light(text, dialect)]
    assert len(light) > 200
    for text in light:
        start = time.process_time()
        extract(text, dialect)
        assert time.process_time() - start < 1, text[:200]


BROKEN = {
    "MERGE INTO t USING @id WHEN MATCHED THEN UPDATE SET v = 1": "bigquery",
    "MERGE INTO t USING (SELECT id, v FROM s) WHEN MATCHED THEN UPDATE SET v = 1": "athena",
    "SELECT f.value FROM t, LATERAL FLATTEN(input => t.x). QUALIFY rank() = 1": "databricks",
    "SELECT a FROM t LATERAL VIEW json_tuple(t.j, 'k') .. AS x": "clickhouse",
    "CREATE OR REPLACE RECURSIVE d.t USING delta AS SELECT a FROM b": "databricks",
    "SELECT datediff(a) FROM t": "tsql",
    "SELECT timestamp() FROM t": "duckdb",
    "SELECT json_extract(a, '$[?(@)]') FROM t": "snowflake",
}


@pytest.mark.parametrize(("sql", "dialect"), BROKEN.items())
def test_a_broken_statement_that_the_parser_takes_is_no_error_of_the_engine(
    sql: str, dialect: str
) -> None:
    found = extract(sql, dialect)
    assert found.reason in (None, "syntax")
    assert found.sources or found.targets


def test_a_name_of_a_column_that_a_generator_doubles_with_each_step_is_short() -> None:
    sql = "SELECT a" + "->'b'" * 30 + " FROM t"
    start = time.process_time()
    (name, sources), *others = extract(sql, "tsql").columns
    assert time.process_time() - start < 1
    assert (len(name) < 2_000, sources, others) == (True, ("t.a",), [])


def test_no_fuzzed_statement_raises_or_takes_long() -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "fuzz_statements.py"
    spec = importlib.util.spec_from_file_location("fuzz_statements", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    reasons, bad = module.fuzz(1_500, 7, module.seeds([]))
    assert bad == []
    assert sum(reasons.values()) == 1_500


SEEDS = [
    "WITH a AS (SELECT x, y FROM db.t) SELECT a.x, u.z FROM a JOIN u USING (x) WHERE y > 1",
    "INSERT INTO s.t (a, b) SELECT c, 'it''s' FROM u ORDER BY 1",
    "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = s.a",
]
DIALECTS = ["snowflake", "bigquery", "redshift", "databricks", "clickhouse", "mysql", "tsql"]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80), st.sampled_from(DIALECTS))
def test_no_text_raises(sql: str, dialect: str) -> None:
    found = extract(sql, dialect)
    assert not found.partial or found.reason


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.integers(0, 200),
    st.integers(0, 12),
    st.text(max_size=5),
    st.sampled_from(DIALECTS),
)
def test_no_mutated_statement_raises(
    sql: str, start: int, length: int, put: str, dialect: str
) -> None:
    found = extract(sql[:start] + put + sql[start + length :], dialect)
    assert not found.partial or found.reason


@pytest.mark.parametrize("sql", SEEDS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_comment_and_line_ends_change_nothing(sql: str, dialect: str) -> None:
    plain = extract(sql, dialect)
    comment = '-- Hex query metadata: {"project_id": "it\'s", "name": "{x}"}'
    assert extract(f"{sql}\n{comment}", dialect) == plain
    assert extract(f"{comment} {sql}", dialect) == plain
    assert extract(f"  {sql.replace(' ', chr(13) + chr(10))}  \r\n{comment}", dialect) == plain
