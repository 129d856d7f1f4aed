"""Names of values: a script's variables, a loop's row and a routine's parameters are no columns.

Each is kept folded as a query may write it: `cutoff`, `session.cutoff`, `routine.parameter`.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.words import closing, name_at, word_at

_ROUTINES = frozenset({"FUNCTION", "PROCEDURE"})
_MODES = frozenset({"IN", "OUT", "INOUT", "VARIADIC"})
_APART = frozenset({"tsql", "duckdb"})
"""Whose parameters have a mark of their own, or are read with each body of a macro."""
_SPARK = frozenset({"databricks", "spark"})
_DECLARES = _SPARK | {"mysql"}
_NO_VALUES = frozenset({"HANDLER", "CONDITION", "CURSOR"})
_LOOPS = frozenset("FOR BEGIN IF ELSE ELSEIF WHILE LOOP REPEAT CASE WHEN EXCEPTION CREATE".split())


def parameters_of(chunk: list[Token], dialect: str) -> frozenset[str]:
    """The folded names of the parameters of the routine that a statement makes."""
    if word_at(chunk, 0) != "CREATE" or dialect in _APART:
        return frozenset()
    kind = next((n for n in range(1, min(6, len(chunk))) if word_at(chunk, n) in _ROUTINES), 0)
    if not kind or (dialect == "snowflake" and word_at(chunk, kind) == "PROCEDURE"):
        return frozenset()  # there a procedure's parameter is `:name` in a statement
    start = kind + 1
    while word_at(chunk, start) in ("IF", "NOT", "EXISTS"):
        start += 1
    routine, opened = name_at(chunk, start)
    if not routine or word_at(chunk, opened) != "(":
        return frozenset()
    names = listed(chunk, opened)
    return names | {f"{routine[-1].casefold()}.{name}" for name in names}


def listed(chunk: list[Token], opened: int) -> frozenset[str]:
    """The first name of each item in the parentheses that open at a position, folded."""
    names: set[str] = set()
    position, end = opened + 1, closing(chunk, opened) - 1
    while position < end:
        if word_at(chunk, position) in _MODES:
            position += 1
        names.add(chunk[position].text.casefold())
        while position < end and chunk[position].token_type != TokenType.COMMA:
            opens = chunk[position].token_type == TokenType.L_PAREN
            position = closing(chunk, position) if opens else position + 1
        position += 1
    return frozenset(names)


def goes_on(chunk: list[Token]) -> bool:
    """Whether the statements of a routine's body follow the first one, behind its semicolon."""
    return any(token.text.upper() == "BEGIN" for token in chunk)


def note_variables(chunk: list[Token], text: Text) -> None:
    """Notes the names that DECLARE gives, and the row of a FOR."""
    first = word_at(chunk, 0)
    if first == "DECLARE" and text.dialect in _DECLARES:
        text.declared.update(_declared(chunk, text.dialect))
    elif text.dialect in _SPARK and first == "FOR" and word_at(chunk, 2) == "AS":
        text.declared.add(chunk[1].text.casefold())
    elif text.dialect == "snowflake" and first in _LOOPS:
        position = 0
        while position < len(chunk) - 2:  # outside of parentheses: PIVOT has a FOR, too
            if word_at(chunk, position) == "FOR" and word_at(chunk, position + 2) == "IN":
                text.declared.add(chunk[position + 1].text.casefold())
            opens = chunk[position].token_type == TokenType.L_PAREN
            position = closing(chunk, position) if opens else position + 1


def _declared(chunk: list[Token], dialect: str) -> Iterable[str]:
    """DECLARE [OR REPLACE] [VARIABLE] a, session.b INT DEFAULT 1."""
    if any(word_at(chunk, position) in _NO_VALUES for position in range(1, 4)):
        return
    position = 1
    while dialect in _SPARK and word_at(chunk, position) in ("OR", "REPLACE", "VARIABLE"):
        position += 1
    while position < len(chunk):
        parts, position = name_at(chunk, position)
        if parts:
            name = parts[-1].casefold()
            yield from (name, f"session.{name}", f"system.session.{name}")
        if word_at(chunk, position) != ",":
            return
        position += 1
