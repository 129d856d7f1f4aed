"""BigQuery's scripts: branches, loops, variables, and functions that are written in SQL."""

from __future__ import annotations

import re

from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.callbacks import ReadText
from hex_assets.lineage.engine.dialects import tokenizer
from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.words import JINJA_NAME, STRINGS, closing, word_at

_OPENED_BY = {
    **dict.fromkeys(["IF", "ELSEIF", "CASE", "WHEN", "EXCEPTION"], "THEN"),
    **dict.fromkeys(["WHILE", "FOR"], "DO"),
    **dict.fromkeys(["LOOP", "REPEAT", "ELSE", "BEGIN"], ""),
    "UNTIL": "END",
}
"""The word after which the statements of a branch begin; nothing stands before those of a LOOP."""
_QUERY = frozenset({"SELECT", "WITH", "FROM"})
_HEADS = frozenset({*_OPENED_BY, "DECLARE", "SET", "CREATE", "EXECUTE"})
_PLACES = re.compile(r"%[-+# 0']*\d*(?:\.\d+)?[a-zA-Z]")
"""What FORMAT puts values for."""


def read_block(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """Reads the head of a branch or loop with what follows it; False for all other statements."""
    first = word_at(chunk, 0)
    if len(chunk) > 2 and chunk[1].token_type == TokenType.COLON:  # a label
        read_text(sql[chunk[2].start : chunk[-1].end + 1], text)
        return True
    if first not in _HEADS:
        return False
    if first == "DECLARE":
        _declare(chunk, text)
        return False
    if first == "SET":
        if word_at(chunk, 2) == "=":
            _keep(word_at(chunk, 1), chunk[3:], text)
        return False
    if first == "CREATE":
        return _created(sql, chunk, text, read_text)
    rest = chunk[1:]
    if len(chunk) == 2 and chunk[1].token_type == TokenType.STRING:
        sql = chunk[1].text  # the tokenizer keeps what follows such a word as one string
        try:
            rest = tokenizer(text.dialect).tokenize(sql)
        except SqlglotError:
            return False
    if first == "EXECUTE":
        return _executed(sql, rest, text, read_text)
    if first == "BEGIN" and word_at(rest, 0).startswith("TRANSACTION"):
        return True
    start = _after(rest, _OPENED_BY[first])
    if start is None:
        return False
    if first == "FOR":
        text.declared.add(word_at(rest, 0).casefold())
    _conditions(sql, rest[:start], text, read_text)
    if start < len(rest) and first != "UNTIL":
        read_text(sql[rest[start].start : rest[-1].end + 1], text)
    return True


def _after(chunk: list[Token], opener: str) -> int | None:
    """The position after the word that begins the statements; those of CASE in a condition not."""
    if not opener:
        return 0
    position = cases = 0
    while position < len(chunk):
        word = word_at(chunk, position)
        if word == opener and not cases:
            return position + 1
        cases += (word == "CASE") - (word == "END")
        opens = chunk[position].token_type == TokenType.L_PAREN
        position = closing(chunk, position) if opens else position + 1
    return None


def _conditions(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> None:
    """Reads the queries in parentheses of which no row is a result."""
    before, text.condition = text.condition, True
    position = 0
    try:
        while position < len(chunk):
            opens = chunk[position].token_type == TokenType.L_PAREN
            if opens and word_at(chunk, position + 1) in _QUERY:
                end = closing(chunk, position)
                read_text(sql[chunk[position].start : chunk[end - 1].end + 1], text)
                position = end
            else:
                position += 1
    finally:
        text.condition = before


def _executed(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """EXECUTE IMMEDIATE of a string, of FORMAT('... %s', x), of a variable that holds such."""
    if word_at(chunk, 0) != "IMMEDIATE":
        return False
    end = next((n for n in range(1, len(chunk)) if word_at(chunk, n) in ("INTO", "USING")), None)
    value = chunk[1:end]
    command = _command(value)
    if command is None and len(value) == 1:
        command = text.commands.get(word_at(value, 0))
    if command is None or command[1]:
        text.miss("dynamic", "the statement is made of strings when it runs")
        _conditions(sql, value, text, read_text)
    if command is not None:
        known, text.commands = text.commands, {}  # none may run itself without end
        read_text(command[0], text)
        text.commands = known
    return True


def _command(value: list[Token]) -> tuple[str, bool] | None:
    """The statement in a string, and whether some of it is put in when it runs."""
    if len(value) == 1 and value[0].token_type in STRINGS:
        return value[0].text, False
    called = word_at(value, 0) == "FORMAT" and word_at(value, 1) == "("
    if called and len(value) > 2 and value[2].token_type in STRINGS:
        return _PLACES.sub(JINJA_NAME, value[2].text), True
    return None


def _keep(name: str, value: list[Token], text: Text) -> None:
    command = _command(value)
    if command is None:
        text.commands.pop(name, None)
    else:
        text.commands[name] = command


def _declare(chunk: list[Token], text: Text) -> None:
    """DECLARE a, b INT64: a bare name in a later query may be a variable."""
    for position in range(2, len(chunk)):
        if word_at(chunk, position) == "DEFAULT":
            _keep(word_at(chunk, 1), chunk[position + 1 :], text)
            break
    position = 1
    while position < len(chunk):
        text.declared.add(word_at(chunk, position).casefold())
        if position + 1 >= len(chunk) or chunk[position + 1].token_type != TokenType.COMMA:
            return
        position += 2


def _created(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """A function in SQL reads what the queries in its body read."""
    words = [word_at(chunk, position) for position in range(1, 6)]
    if "FUNCTION" not in words[:4] or "TABLE" in words[:4]:
        return False
    start = 2
    while start < len(chunk) and word_at(chunk, start) != "AS":
        start = closing(chunk, start) if word_at(chunk, start) == "(" else start + 1
    if not any(token.token_type in STRINGS for token in chunk[start + 1 : start + 2]):
        _conditions(sql, chunk[start + 1 :], text, read_text)
    text.understood()
    return True
