"""Statements of Databricks' SQL scripts that hold others: blocks, branches, loops, handlers."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.result import Text
from hex_assets.lineage.engine.words import closing, word_at

ReadText = Callable[[str, Text], None]

_LABELLED = frozenset({"BEGIN", "LOOP", "REPEAT", "WHILE", "FOR"})
_ENDS_CONDITION = {"IF": "THEN", "ELSEIF": "THEN", "WHEN": "THEN", "WHILE": "DO"}
_HANDLES = frozenset("BEGIN SET INSERT UPDATE DELETE MERGE SELECT WITH TRUNCATE EXECUTE".split())
_NOTHING = frozenset({"SIGNAL", "RESIGNAL", "LEAVE", "ITERATE"})


def read_block(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """Reads what the head of a block, branch, loop or handler holds; False for all others."""
    first = word_at(chunk, 0)
    if first in _NOTHING:
        return True
    if len(chunk) > 2 and word_at(chunk, 1) == ":" and word_at(chunk, 2) in _LABELLED:
        return _read(sql, chunk, 2, len(chunk), text, read_text)
    if first in ("BEGIN", "LOOP", "REPEAT", "ELSE"):
        start = 1
        while word_at(chunk, start) in ("NOT", "ATOMIC"):
            start += 1
        is_transaction = first == "BEGIN" and word_at(chunk, start) in ("TRANSACTION", "WORK", "")
        return not is_transaction and _read(sql, chunk, start, len(chunk), text, read_text)
    if first == "DECLARE" and "HANDLER" in (word_at(chunk, 1), word_at(chunk, 2)):
        start = next((n for n in range(3, len(chunk)) if word_at(chunk, n) in _HANDLES), 0)
        return bool(start) and _read(sql, chunk, start, len(chunk), text, read_text)
    if first == "UNTIL":
        _condition(sql, chunk, 1, _end(chunk, 1, "END"), text, read_text)
        return True
    if first == "FOR":
        return _loop_over_rows(sql, chunk, text, read_text)
    if first == "CASE" and word_at(chunk, 1) == "WHEN":
        return read_block(sql, chunk[1:], text, read_text)
    end = _end(chunk, 1, _ENDS_CONDITION[first]) if first in _ENDS_CONDITION else len(chunk)
    if end >= len(chunk) - 1:
        return False
    _condition(sql, chunk, 1, end, text, read_text)
    return _read(sql, chunk, end + 1, len(chunk), text, read_text)


def _loop_over_rows(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """FOR row AS query DO statement."""
    start = 3 if word_at(chunk, 2) == "AS" else 1
    end = _end(chunk, start, "DO")
    if end >= len(chunk) - 1:
        return False
    _read(sql, chunk, start, end, text, read_text)
    return _read(sql, chunk, end + 1, len(chunk), text, read_text)


def _end(chunk: list[Token], start: int, word: str) -> int:
    """Where a word stands that is in no parentheses and no CASE; the chunk's length for nowhere."""
    cases, position = 0, start
    while position < len(chunk):
        found = word_at(chunk, position)
        if found == word and not cases:
            return position
        cases += (found == "CASE") - (found == "END" and cases > 0)
        opens = chunk[position].token_type == TokenType.L_PAREN
        position = closing(chunk, position) if opens else position + 1
    return len(chunk)


def _read(
    sql: str, chunk: list[Token], start: int, end: int, text: Text, read_text: ReadText
) -> bool:
    if start < end:
        read_text(sql[chunk[start].start : chunk[end - 1].end + 1], text)
    return start < end


def _condition(
    sql: str, chunk: list[Token], start: int, end: int, text: Text, read_text: ReadText
) -> None:
    """The queries of a condition: their columns only filter."""
    if start >= end or not any(word_at(chunk, n) in ("SELECT", "WITH") for n in range(start, end)):
        return
    before, text.condition = text.condition, True
    try:
        read_text(f"SELECT {sql[chunk[start].start : chunk[end - 1].end + 1]}", text)
    finally:
        text.condition = before
