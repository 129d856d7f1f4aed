"""DuckDB's macros and enumerations: the queries in their bodies."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.callbacks import ReadText
from hex_assets.lineage.engine.statements.variables import listed
from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.words import closing, word_at

_QUERY = frozenset({"SELECT", "WITH", "FROM", "VALUES"})


def read_macro(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """CREATE MACRO f(a) AS a + 1, (a, b) AS TABLE SELECT ...: reads what its queries read.

    So does CREATE TYPE t AS ENUM (SELECT ...).
    """
    bodies = _bodies(chunk)
    for opened, start, end in bodies:
        names = listed(chunk, opened) if word_at(chunk, opened) == "(" else frozenset()
        with text.naming(names):
            _read_body(sql, chunk, start, end, text, read_text)
    if bodies:
        text.understood()
    return bool(bodies)


def _read_body(
    sql: str, chunk: list[Token], start: int, end: int, text: Text, read_text: ReadText
) -> None:
    """Reads the queries of one body."""
    is_table = word_at(chunk, start) == "TABLE"
    first = start + 1 if is_table else start
    if first >= end:
        return
    within = word_at(chunk, first) == "(" and closing(chunk, first) == end
    queries = _QUERY.intersection(word_at(chunk, position) for position in range(first, end))
    if is_table or (within and word_at(chunk, first + 1) in _QUERY):
        read_text(sql[chunk[first].start : chunk[end - 1].end + 1], text)
    elif queries:
        before, text.condition = text.condition, True
        try:
            read_text(f"SELECT {sql[chunk[first].start : chunk[end - 1].end + 1]}", text)
        finally:
            text.condition = before


def _bodies(chunk: list[Token]) -> list[tuple[int, int, int]]:
    """Where each body's parameters open, where it begins and ends: between AS and `, (a) AS`."""
    for position in range(3, min(len(chunk), 12)):
        if word_at(chunk, position) == "ENUM" and word_at(chunk, position - 1) == "AS":
            return [(0, position + 1, closing(chunk, position + 1))]
    opened: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    position = 2
    while position < len(chunk):
        if word_at(chunk, position) != "(":
            position += 1
            continue
        end = closing(chunk, position)
        is_next = bool(starts) and chunk[position - 1].token_type == TokenType.COMMA
        if is_next and word_at(chunk, starts[0]) == "TABLE":  # not `SELECT x, (a + b) AS c`
            is_next = word_at(chunk, end + 1) == "TABLE"
        if word_at(chunk, end) == "AS" and (not starts or is_next):
            if starts:
                ends.append(position - 1)
            opened.append(position)
            starts.append(end + 1)
            end += 1
        position = end
    return list(zip(opened, starts, [*ends, len(chunk)], strict=True)) if starts else []
