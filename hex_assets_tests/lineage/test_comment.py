"""Hex's comment in every form that logs, clients and people give it."""

from __future__ import annotations

import json
import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hex_assets.lineage.comment import parse_comment, without_comment

PROJECT = "5f1c2c1e-3f0f-4b0a-9d1e-0123456789ab"
CELL = "6f1c2c1e-3f0f-4b0a-9d1e-0123456789ab"
URL = f"https://app.hex.tech/acme/hex/{PROJECT}/draft/logic?selectedCellId={CELL}"
FIELDS = {
    "categories": ["Sales", "Größe"],
    "cell_type": "SQL",
    "connection": "wh",
    "context": "SCHEDULED_RUN",
    "project_id": PROJECT,
    "project_name": 'A {b} "c" }} é 🚀',
    "project_url": URL,
    "status": "In development",
    "trace_id": "0123456789abcdef0123456789abcdef",
    "user_email": "a@example.com",
}
JSON = json.dumps(FIELDS)
TAG = f"-- Hex query metadata: {JSON}"
SQL = "SELECT 'it''s', \"--\" -- note\nFROM t /* x */"
PRETTY = json.dumps(FIELDS, indent=1)

FOUND = {
    "last line": (f"{SQL}\n{TAG}", SQL),
    "compact": (f"{SQL}\n-- Hex query metadata: {json.dumps(FIELDS, separators=(',', ':'))}", SQL),
    "raw unicode": (f"{SQL}\n-- Hex query metadata: {json.dumps(FIELDS, ensure_ascii=False)}", SQL),
    "url before id": (
        f"{SQL}\n-- Hex query metadata: {json.dumps(dict(reversed(FIELDS.items())))}",
        SQL,
    ),
    "CRLF": (f"SELECT 1\r\nFROM t\r\n{TAG}\r\n", "SELECT 1\r\nFROM t"),
    "semicolon behind": (f"{SQL}\n{TAG}\n;\n", SQL),
    "format of clickhouse-connect": (f"{SQL}\n{TAG}\n FORMAT Native", SQL),
    "leading": (f"{TAG}\nSELECT 1", "SELECT 1"),
    "leading and folded": (f"{TAG} SELECT 1", "SELECT 1"),
    "folded": (f"SELECT a FROM t {TAG}", "SELECT a FROM t"),
    "folded behind another comment": (
        f"SELECT a -- id FROM t {TAG}",
        "SELECT a -- id FROM t",
    ),
    "block": (f"/* Hex query metadata: {JSON} */ SELECT 1", "SELECT 1"),
    "block at the end": (f"SELECT 1 /* Hex query metadata: {JSON} */", "SELECT 1"),
    "lines with their own prefix": (
        "SELECT 1\n-- Hex query metadata: " + PRETTY.replace("\n", "\n-- "),
        "SELECT 1",
    ),
    "label on a line of its own": (
        "SELECT 1\r\n-- Hex query metadata:\r\n-- " + PRETTY.replace("\n", "\r\n-- "),
        "SELECT 1",
    ),
    "label in the project's name": (
        "SELECT 1\n-- Hex query metadata: "
        + json.dumps({**FIELDS, "project_name": '-- Hex query metadata: {"project_id": "x"}'}),
        "SELECT 1",
    ),
    "label in an earlier literal": (f"SELECT '{TAG}'\n{TAG}", f"SELECT '{TAG}'"),
}


@pytest.mark.parametrize(("text", "sql"), FOUND.values(), ids=FOUND.keys())
def test_project_cell_and_sql_are_found(text: str, sql: str) -> None:
    comment = parse_comment(text, "snowflake")
    assert (comment.status, comment.project_id, comment.cell_id) == ("found", PROJECT, CELL)
    assert (comment.context, comment.user_email) == ("SCHEDULED_RUN", "a@example.com")
    assert comment.sql == sql


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT '{TAG}' AS x",
        f"SELECT '\n{TAG}\n' AS x",
        f"SELECT 1 /* {TAG} */",
        f"SELECT 1 /* see\n{TAG}\n*/ FROM t",
        f"SELECT 1 -- see {TAG}",
        f"SELECT 1 -- copied from {TAG}",
        "SELECT 1 -- Hex",
        "SELECT 1\n-- Hex query metadata: see the docs",
        "SELECT hex FROM hex",
        "",
    ],
)
def test_a_label_that_begins_no_comment_is_no_comment(text: str) -> None:
    comment = parse_comment(text, "snowflake")
    assert (comment.status, comment.project_id) == ("absent", None)


DOLLARS = ("$$", "$a$", "$t1$", "$_1$", "$ab$", "$tag$", "$body$", "$Größe$", "$é$")


@pytest.mark.parametrize("dialect", ["postgres", "redshift", "duckdb", "clickhouse"])
@pytest.mark.parametrize("tag", DOLLARS)
@pytest.mark.parametrize("between", ["", " ", "\n", "x"])
def test_a_label_in_a_dollar_quoted_string_is_no_comment(
    dialect: str, tag: str, between: str
) -> None:
    for label in (TAG, f"/* Hex query metadata: {JSON} */"):
        string = f"SELECT {tag}{between}{label}{tag} FROM t"
        for text in (string, f"SELECT {tag}x{tag} || {string[7:]}", string[:60]):
            comment = parse_comment(text, dialect)
            assert (comment.status, comment.project_id) == ("absent", None), text
            assert comment.sql == text.strip()
        # Behind a string that is closed the label begins a comment.
        for closed in (f"SELECT {tag}x{tag}", f"SELECT {tag}--{tag}", string):
            comment = parse_comment(f"{closed}{between}{label}\nFROM t", dialect)
            if between != "x":
                assert (comment.project_id, comment.sql) == (PROJECT, f"{closed}\nFROM t")


@pytest.mark.parametrize("dialect", ["postgres", "redshift", "duckdb"])
def test_a_label_behind_a_parameter_is_a_comment(dialect: str) -> None:
    for sql in ("SELECT $1", "SELECT a FROM t WHERE a = $1 AND b = $2", "SELECT a$ab$"):
        comment = parse_comment(f"{sql}{TAG}\nFROM t", dialect)
        assert (comment.project_id, comment.sql) == (PROJECT, f"{sql}\nFROM t")


@pytest.mark.parametrize(
    ("url", "project"),
    [
        (f"https://eu.hex.tech/acme/app/{PROJECT}/latest", PROJECT),
        (f"https://atreides.hex.tech/hex/hex/{PROJECT}/draft/logic?x=1&selectedCellId=c", PROJECT),
        (f"http://localhost:3000/acme/hex/{PROJECT}", PROJECT),
        (f"https://app.hex.tech/acme/app/Sales-Board-{PROJECT}/latest", PROJECT),
        ("https://app.hex.tech/acme", None),
    ],
)
def test_a_comment_without_project_id_is_read_from_its_link(url: str, project: str | None) -> None:
    comment = parse_comment(f'SELECT 1\n-- Hex query metadata: {{"project_url": "{url}"}}')
    assert comment.project_id == project
    assert comment.status == ("found" if project else "malformed")


def test_the_last_of_two_comments_counts() -> None:
    other = TAG.replace(PROJECT, "other")
    assert parse_comment(f"SELECT 1\n{other}\n{TAG}").project_id == PROJECT
    assert parse_comment(f"SELECT 1\n{other}\n{TAG[:60]}").status == "cut"
    assert parse_comment(f"SELECT 1\n{other}\n{TAG[:60]}").project_id is None


def test_a_comment_cut_anywhere_gives_only_what_is_certain() -> None:
    text = f"SELECT 1\n{TAG}"
    for length in range(len("SELECT 1\n-- Hex query"), len(text)):
        comment = parse_comment(text[:length], "snowflake")
        assert without_comment(text[:length], "snowflake") == comment.sql
        assert comment.status == "cut", text[:length]
        assert comment.sql == "SELECT 1"
        assert comment.project_id in (None, PROJECT)
        assert comment.cell_id in (None, CELL)
        whole = length >= text.index(PROJECT) + len(PROJECT) + 1
        assert (comment.project_id == PROJECT) == whole


@pytest.mark.parametrize(
    "body",
    ['{"project_id": oops}', '{"project_id": 7}', "{}", '{"a": 1', "{" * 100_000, '{"a":"\ud800"}'],
)
def test_broken_comments_are_counted_not_raised(body: str) -> None:
    assert parse_comment(f"SELECT 1\n-- Hex query metadata: {body}").status in ("malformed", "cut")


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(["", "\n", " */", "'"]))
def test_no_text_raises(before: str, inside: str, after: str) -> None:
    parse_comment(f"{before}-- Hex query metadata: {{{inside}{after}")
    parse_comment(f"{before}/* Hex query metadata: {inside}{after}")


def test_no_mutation_of_a_comment_raises() -> None:
    random = Random(1)
    pieces = [*"{}[]\"'\\\n\r:,-*/; \x00", "--", "/*", "*/", "Hex query metadata:", "\\u"]
    for _ in range(5_000):
        text = f"{SQL}\n{TAG}"
        for _ in range(random.randrange(1, 6)):
            at = random.randrange(len(text))
            text = text[:at] + random.choice(pieces) + text[at + random.randrange(0, 9) :]
        dialect = random.choice(["snowflake", "mysql", "clickhouse", None])
        comment = parse_comment(text, dialect)
        assert comment.status in ("found", "cut", "malformed", "absent")
        assert without_comment(text, dialect) == comment.sql


LABELS = {
    "that never close": "SELECT a FROM t" + "\n-- Hex query metadata: {x" * 8_000,
    "in a string": "SELECT a FROM t '" + '\n-- Hex query metadata: {"a": 1}' * 8_000 + "'",
    "in an open string": "SELECT a FROM t '" + "\n-- Hex query metadata: {x" * 8_000,
    "in block comments": "SELECT a " + "/* Hex query metadata: {x " * 8_000,
}


@pytest.mark.parametrize("name", LABELS)
def test_thousands_of_labels_cost_under_two_seconds(name: str) -> None:
    start = time.process_time()
    assert parse_comment(LABELS[name], "bigquery").project_id is None
    assert time.process_time() - start < 5
