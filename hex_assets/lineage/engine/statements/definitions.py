"""CREATE TABLE without a query, ALTER and DROP, one of whose clauses no grammar takes."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.words import STRINGS, name_at, word_at

_MOVES_ROWS = frozenset("SELECT WITH FROM INSERT UPDATE DELETE MERGE LIKE CLONE SWAP TABLE".split())
_NO_QUERY = frozenset(
    {("VALUES", "FROM"), ("COMMIT", "DELETE"), ("ON", "DELETE"), ("ON", "UPDATE")}
)


def read_definition(chunk: list[Token], text: Text) -> bool:
    """Whether such a statement is all that the tokens are; the table that it makes is a target."""
    first = word_at(chunk, 0)
    if first not in ("CREATE", "ALTER", "DROP"):
        return False
    start = _after_kind(chunk) if first == "CREATE" else 3
    if not start or any(_may_move_rows(chunk, position) for position in range(start, len(chunk))):
        return False
    if first != "CREATE":
        return True
    parts, _ = name_at(chunk, start)
    if parts:
        text.add_created(parts)
    return bool(parts)


def _after_kind(chunk: list[Token]) -> int:
    """Where the name of the table begins that CREATE makes; 0 where it makes none."""
    for position in range(1, min(6, len(chunk))):
        if chunk[position].token_type == TokenType.TABLE:
            start = position + 1
            while word_at(chunk, start) in ("IF", "NOT", "EXISTS"):
                start += 1
            return start
    return 0


def _may_move_rows(chunk: list[Token], position: int) -> bool:
    """Whether a word may begin a query: WITH of an option, FROM of a bound and the like do not."""
    token = chunk[position]
    word = word_at(chunk, position)
    if word not in _MOVES_ROWS or token.token_type in (*STRINGS, TokenType.IDENTIFIER):
        return False
    if word == "WITH":
        return word_at(chunk, position + 2) == "AS"
    return (word_at(chunk, position - 1), word) not in _NO_QUERY
