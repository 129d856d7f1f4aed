"""A text written otherwise, or within another text, has the same lineage.

The texts are the cases in `cases/`: whatever their truth is, comments, line ends and capitals
between the words do not change it, and neither does a query around a query.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine import dialects
from hex_assets.lineage.model import StatementLineage
from hex_assets.lineage.sql import extract

FOLDER = Path(__file__).with_name("cases")
Case = tuple[str, dict[str, Any]]
NAMES = frozenset({TokenType.STRING, TokenType.IDENTIFIER})
BROKEN = frozenset({"syntax", "cut", "jinja"})
TAIL = re.compile(
    r"\boption\s*\(|\bfor\s+(update|share|xml|json)|\bsettings\b|\bformat\b|->>|as\s+procedure",
    re.IGNORECASE,
)
"""What ends a whole text only, so that no query can stand around it."""


@cache
def cases() -> list[Case]:
    paths = [path for path in sorted(FOLDER.glob("*.yaml")) if path.stem != "rejected"]
    return [
        (path.stem, case)
        for path in paths
        for case in yaml.load(path.read_text(), yaml.CSafeLoader)
        if case.get("reason") not in BROKEN
    ]


@cache
def answer(number: int) -> StatementLineage:
    dialect, case = cases()[number]
    return extract(case["sql"], dialect, catalog=case.get("schema"))


@cache
def tokens(number: int) -> list[Token]:
    dialect, case = cases()[number]
    try:
        found = dialects.tokenizer(dialects.canonical(dialect)).tokenize(case["sql"])
    except SqlglotError:
        return []
    return [] if any(token.token_type == TokenType.HIVE_TOKEN_STREAM for token in found) else found


def between(number: int, filler: str) -> str:
    """The text with something else for the white space between its tokens."""
    sql = cases()[number][1]["sql"]
    found = tokens(number)
    pieces = [sql[: found[0].start]]
    for token, following in pairwise(found):
        gap = sql[token.end + 1 : following.start]
        pieces += [sql[token.start : token.end + 1], filler if gap and not gap.strip() else gap]
    return "".join([*pieces, sql[found[-1].start :]])


def in_capitals(number: int) -> str:
    """The text with its keywords in capitals; names may be told apart by case."""
    sql = cases()[number][1]["sql"]
    pieces, done = [], 0
    for token in tokens(number):
        word = sql[token.start : token.end + 1]
        keyword = token.token_type not in (*NAMES, TokenType.VAR) and word.isalpha()
        pieces += [sql[done : token.start], word.upper() if keyword else word]
        done = token.end + 1
    return "".join([*pieces, sql[done:]])


def columns(found: StatementLineage) -> dict[str, list[str]]:
    return {
        name.lower(): sorted(origin.lower() for origin in origins)
        for name, origins in found.columns
        if origins
    }


def names(found: tuple[str, ...] | list[str]) -> list[str]:
    return sorted(name.lower() for name in found)


def same(number: int, sql: str, targets: tuple[str, ...] | None = None) -> None:
    """The case's own sources and columns, and either its targets or the given ones."""
    dialect, case = cases()[number]
    expected = answer(number)
    found = extract(sql, dialect, catalog=case.get("schema"))
    assert names(found.sources) == names(expected.sources), sql
    assert names(found.targets) == names(expected.targets if targets is None else targets), sql
    assert columns(found) == columns(expected), sql
    assert found.partial == expected.partial, f"{found.error}: {sql}"


FORMS: dict[str, Callable[[int], str]] = {
    "comments": lambda number: between(number, " /* from x */ "),
    "comments to the line's end": lambda number: between(number, " -- join y\n"),
    "carriage returns": lambda number: between(number, "\r\n\t"),
    "keywords in capitals": in_capitals,
}
RUN_TEXT = re.compile(r"^\s*(do|execute\s+immediate)\b|\$\$\s*(version|source):", re.IGNORECASE)
"""Texts that hold a text of their own, whose white space is data."""


@pytest.mark.parametrize("form", FORMS)
def test_a_text_in_another_form_has_the_same_lineage(form: str) -> None:
    for number, (_, case) in enumerate(cases()):
        if tokens(number) and not RUN_TEXT.search(case["sql"]):
            same(number, FORMS[form](number))


def queries() -> Iterator[tuple[int, str]]:
    """Cases that are one query and nothing else, without their semicolons."""
    for number, (dialect, case) in enumerate(cases()):
        found = tokens(number)
        if not found or answer(number).targets or TAIL.search(case["sql"]):
            continue
        ends = [token for token in found if token.token_type == TokenType.SEMICOLON]
        if any(token is not found[-1] for token in ends):
            continue
        words = [token.text.upper() for token in found if token.token_type != TokenType.L_PAREN]
        if words[0] not in ("SELECT", "WITH") or {"INTO", "FUNCTION", "TABLE", "SESSION"} & set(
            words
        ):
            continue
        if dialect == "tsql" and (words[0] == "WITH" or "ORDER BY" in words):
            continue
        sql = case["sql"]
        yield number, (sql[: ends[0].start] if ends else sql) + "\n"


AROUND: dict[str, str] = {
    "a subquery": "select * from ({}) zz_w",
    "a CTE": "with zz_q as ({}) select * from zz_q",
    "a subquery beside another": "select zz_b.* from (select 1 as zz_1) zz_a cross join ({}) zz_b",
    "a grouped join": "select zz_b.* from (({}) zz_b cross join (select 1 as zz_1) zz_a)",
    "a statement before another": "{}; select 1",
}
MADE: dict[str, str] = {
    "CREATE TABLE": "create table zz_t as {}",
    "CREATE VIEW": "create or replace view zz_t as {}",
    "INSERT": "insert into zz_t {}",
}


@pytest.mark.parametrize("form", AROUND)
def test_a_query_within_another_has_the_same_lineage(form: str) -> None:
    for number, query in queries():
        same(number, AROUND[form].format(query))


@pytest.mark.parametrize("form", MADE)
def test_a_query_that_fills_a_table_has_the_same_lineage(form: str) -> None:
    for number, query in queries():
        if cases()[number][0] != "tsql":
            same(number, MADE[form].format(query), ("zz_t",))


TEMPORARY = {
    **dict.fromkeys(("databricks", "spark"), "temp view"),
    **dict.fromkeys(("clickhouse", "mysql", "mariadb"), "temporary table"),
    **dict.fromkeys(("bigquery", "snowflake", "postgres", "redshift", "duckdb"), "temp table"),
}
NOT_BY_OUTPUTS = re.compile(r"\bby name\b|\(i\.dims\)\.\*", re.IGNORECASE)
"""What a star leaves open is known of a CTE, and of a table only by the names of its outputs."""


def test_a_temporary_table_leads_on_like_a_cte() -> None:
    compared = 0
    for number, query in queries():
        dialect, case = cases()[number]
        outputs = [name for name, _ in answer(number).columns if re.fullmatch(r"[a-z_]\w*", name)]
        if dialect not in TEMPORARY or not outputs or NOT_BY_OUTPUTS.search(query):
            continue
        first, middle, last = outputs[0], outputs[len(outputs) // 2], outputs[-1]
        rest = (
            f"select zz_t.{first}, count(*) as zz_n from zz_t join zz_u on zz_u.k = zz_t.{last} "
            f"where zz_t.{middle} > 1 group by zz_t.{first} order by zz_t.{first}"
        )
        made = f"create {TEMPORARY[dialect]} zz_t as {query}; {rest}"
        found = extract(made, dialect, catalog=case.get("schema"))
        expected = extract(f"with zz_t as ({query}) {rest}", dialect, catalog=case.get("schema"))
        assert names(found.sources) == names(expected.sources), made
        assert found.targets == (), made
        assert columns(found) == columns(expected), made
        assert uses(found) == uses(expected), made
        compared += 1
    assert compared > 300


def uses(found: StatementLineage) -> dict[tuple[str, str], tuple[str, ...]]:
    return {(use.table.lower(), use.column.lower()): use.usage for use in found.uses}


def test_a_query_in_a_condition_reads_the_same_tables() -> None:
    for number, query in queries():
        dialect, case = cases()[number]
        sql = f"select zz_b.zz_c from zz_base zz_b where zz_b.zz_c in ({query})"
        found = extract(sql, dialect, catalog=case.get("schema"))
        assert names(found.sources) == names([*answer(number).sources, "zz_base"]), sql


def test_a_cte_of_a_tables_name_hides_it_only_in_its_own_query() -> None:
    for number, query in queries():
        plain = [name for name in answer(number).sources if re.fullmatch(r"[A-Za-z_]\w*", name)]
        if not plain or plain[0].lower() == "dual":
            continue
        name = plain[0]
        same(number, f"with {name} as ({query}) select * from {name}")
        if cases()[number][0] != "tsql":
            ended = f"(with {name} as (select 1 as zz_1) select zz_1 from {name}) zz_a"
            same(number, f"select zz_b.* from {ended} cross join ({query}) zz_b")


def test_what_an_answer_says_agrees_with_itself() -> None:
    for number, (dialect, case) in enumerate(cases()):
        found = answer(number)
        told = f"{dialect}: {case['sql']}"
        assert all(name and not name.startswith(".") for name in found.sources), told
        assert len(set(names(found.sources))) == len(found.sources) or dialect in (
            *("bigquery", "clickhouse", "mysql", "mariadb"),
        ), told
        used = {f"{use.table}.{use.column}".lower() for use in found.uses}
        for _, origins in found.columns:
            for origin in origins:
                of_source = any(origin.startswith(f"{name}.") for name in found.sources)
                assert of_source, told
                assert origin.endswith(".*") or origin.lower() in used, told


NOT_TOLD_BY_WORDS = re.compile(
    r'u&"|\b(from|join)\s+stream\s|\brecurring\.|from\s+(c\.orders|t\.items i|orders\.items)\b'
    r"|with b as \(select uid from a\), a as",
    re.IGNORECASE,
)
"""Names that only a parsed or a whole text tells apart: escaped ones, STREAM t, columns before
their table, a later common table expression."""


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_cut_text_names_no_table_that_the_whole_does_not(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(cases()) - 1))
    dialect, case = cases()[number]
    if NOT_TOLD_BY_WORDS.search(case["sql"]):
        return
    whole = answer(number)
    end = data.draw(st.integers(1, len(case["sql"])))
    found = extract(case["sql"][:end], dialect, catalog=case.get("schema"))
    assert found.reason != "internal"
    if found.reason == "cut" and not case["sql"].count(";"):
        known = {*names(whole.sources), *names(whole.targets)}
        assert set(names(found.sources)) <= known
