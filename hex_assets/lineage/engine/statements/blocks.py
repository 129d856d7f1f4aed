"""Statements of Databricks' SQL scripts that hold others: blocks, branches, loops, handlers."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.callbacks import ReadText
from hex_assets.lineage.engine.statements.variables import note_variables
from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.words import closing, word_at

_LABELLED = frozenset({"BEGIN", "LOOP", "REPEAT", "WHILE", "FOR"})
_PLAIN = frozenset({"BEGIN", "LOOP", "REPEAT", "ELSE"})
_ENDS_CONDITION = {"IF": "THEN", "ELSEIF": "THEN", "WHEN": "THEN", "WHILE": "DO"}
_HANDLES = frozenset("BEGIN SET INSERT UPDATE DELETE MERGE SELECT WITH TRUNCATE EXECUTE".split())
_NOTHING = frozenset({"SIGNAL", "RESIGNAL", "LEAVE", "ITERATE"})


def read_block(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """Reads what the heads of blocks, branches, loops and handlers hold; False for all others."""
    if word_at(chunk, 0) in _NOTHING:
        return True
    if word_at(chunk, 0) == "UNTIL":
        _condition(sql, chunk, 1, _end(chunk, 1, "END"), text, read_text)
        return True
    start = 0
    while start < len(chunk):
        after = _after_head(sql, chunk, start, text, read_text)
        if not after or after >= len(chunk):
            break
        start = after
    if not start:
        return False
    read_text(sql[chunk[start].start : chunk[-1].end + 1], text)
    return True


def _after_head(sql: str, chunk: list[Token], start: int, text: Text, read_text: ReadText) -> int:
    """Where the statement within a block or branch begins whose head stands at `start`; or 0."""
    first, second = word_at(chunk, start), word_at(chunk, start + 1)
    if second == ":" and word_at(chunk, start + 2) in _LABELLED:
        return start + 2
    if first == "BEGIN" and second in ("TRANSACTION", "WORK"):
        return 0
    if first in _PLAIN:
        end = start + 1
        while word_at(chunk, end) in ("NOT", "ATOMIC"):
            end += 1
        return end
    if first == "DECLARE" and "HANDLER" in (second, word_at(chunk, start + 2)):
        places = range(start + 3, len(chunk))
        return next((place for place in places if word_at(chunk, place) in _HANDLES), 0)
    if first == "FOR":
        note_variables(chunk[start:], text)
        query = start + 3 if word_at(chunk, start + 2) == "AS" else start + 1
        end = _end(chunk, query, "DO")
        if query < end < len(chunk):
            read_text(sql[chunk[query].start : chunk[end - 1].end + 1], text)
        return end + 1 if end < len(chunk) else 0
    if first == "CASE" and second == "WHEN":
        return start + 1
    end = _end(chunk, start + 1, _ENDS_CONDITION[first]) if first in _ENDS_CONDITION else 0
    if not end or end >= len(chunk) - 1:
        return 0
    _condition(sql, chunk, start + 1, end, text, read_text)
    return end + 1


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
