"""SQL in strings that a text runs itself: EXECUTE IMMEDIATE, EXEC (...), sp_executesql."""

from __future__ import annotations

from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.callbacks import ReadText
from hex_assets.lineage.engine.dialects import tokenizer
from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.words import STRINGS, word_at

MAX_CHARACTERS = 100_000
"""Of a string that is put together: one that takes in itself may double with each step."""


def read_executed(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """SQL in a string that is run at once; it may be joined from strings, or be in a variable."""
    if len(chunk) == 2:  # the tokenizer keeps what follows the word as one string
        try:
            rest = tokenizer(text.dialect).tokenize(sql[chunk[0].end + 1 : chunk[-1].end + 1])
        except SqlglotError:
            return False
        chunk = [chunk[0], *rest]
    start = _start(chunk, text.dialect)
    if not start:
        return False
    statement, _ = _constant(chunk, start, text)
    if statement is None:
        text.miss("dynamic", "the statement is made of strings when it runs")
    else:
        known, text.variables = text.variables, {}  # a string that runs itself has no end
        try:
            read_text(statement, text)
        finally:
            text.variables = known
    return True


def _start(chunk: list[Token], dialect: str) -> int:
    """Where the statement's text begins; 0 where nothing is run from a string."""
    words = [word_at(chunk, position) for position in range(min(len(chunk), 12))]
    if words[:2] == ["EXECUTE", "IMMEDIATE"] or (dialect == "tsql" and words[1:2] == ["("]):
        return 3 if words[2:3] == ["("] else 2
    if "SP_EXECUTESQL" not in words[1:6]:
        return 0
    start = words.index("SP_EXECUTESQL", 1) + 1
    return (
        start + 3
        if words[start : start + 1] == ["@"] and words[start + 2 :][:1] == ["="]
        else start
    )


def keep_constants(chunk: list[Token], text: Text) -> None:
    """Keeps the strings that T-SQL's DECLARE and SET give to variables; what may differ is let go.

    A variable that is set twice may have either value: only its own text with more is known.
    """
    position = 1
    while position < len(chunk) - 2:
        if chunk[position].token_type != TokenType.PARAMETER:
            position += 1
            continue
        name = word_at(chunk, position + 1)
        position += 2
        while position < len(chunk) and word_at(chunk, position) not in ("=", "+", ",", "@"):
            position += 1
        adds = word_at(chunk, position) == "+"
        position += adds
        if word_at(chunk, position) != "=":
            continue
        value, end = _constant(chunk, position + 1, text)
        own = adds or word_at(chunk, position + 2) == name
        before = text.variables.get(name)
        if adds and value is not None:
            value = None if before is None else before + value
        known = value is not None and len(value) <= MAX_CHARACTERS and end in _ends(chunk, end)
        if known and value is not None and (own or name not in text.assigned):
            text.variables[name] = value
        else:
            text.variables.pop(name, None)
        text.assigned.add(name)
        position = max(end, position + 1)


def _ends(chunk: list[Token], end: int) -> tuple[int, ...]:
    """The position itself where a value ends there."""
    return (end,) if end >= len(chunk) or word_at(chunk, end) in (",", ";") else ()


def _constant(chunk: list[Token], start: int, text: Text) -> tuple[str | None, int]:
    """The string that constants and known variables give, and the position after them."""
    value, position = "", start
    while position < len(chunk):
        token = chunk[position]
        if token.token_type in STRINGS:
            piece: str | None = token.text
        else:
            position += token.token_type == TokenType.PARAMETER or token.text in (":", "$")
            piece = text.variables.get(word_at(chunk, position))
        if piece is None or len(value) > MAX_CHARACTERS:
            return None, position + 1
        value, position = value + piece, position + 1
        if position >= len(chunk) or chunk[position].text not in ("||", "+"):
            return value, position
        position += 1
    return None, position
