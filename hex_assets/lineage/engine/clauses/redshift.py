"""Clauses of Redshift that sqlglot's grammar lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.clauses.rewriting import Tokens, dropping, like, opens, spelled
from hex_assets.lineage.engine.words import closing, word_at


def subscripts(tokens: Tokens, position: int, files: list[str]) -> int:
    """The subscript within a path, `t.items[0].lines`: all of them come from the column."""
    before = tokens[position - 1].token_type if position else None
    if tokens[position].token_type != TokenType.L_BRACKET or before not in _PATH:
        return 0
    depth = 0
    for end in range(position, len(tokens)):
        kind = tokens[end].token_type
        depth += (kind == TokenType.L_BRACKET) - (kind == TokenType.R_BRACKET)
        if depth == 0:
            return end + 1
    return 0


_PATH = (TokenType.VAR, TokenType.IDENTIFIER, TokenType.R_BRACKET)


def siblings(tokens: Tokens, files: list[str]) -> Tokens:
    """ORDER SIBLINGS BY of a hierarchical query, which orders like ORDER BY."""
    for position, token in enumerate(tokens):
        words = [word_at(tokens, position + n) for n in range(3)]
        if words == ["ORDER", "SIBLINGS", "BY"]:
            by = like(token, TokenType.ORDER_BY, "ORDER BY")
            return [*tokens[:position], by, *tokens[position + 3 :]]
    return tokens


_OF_COLUMNS = {"DISTKEY": 1, "SORTKEY": 1, "ENCODE": 2}
"""Attributes of a column, with their tokens."""


def column_attributes(tokens: Tokens, files: list[str]) -> Tokens:
    """CREATE TABLE t (a int ENCODE az64 DISTKEY) BACKUP NO, without what says how rows are kept."""
    words = [word_at(tokens, position) for position in range(min(5, len(tokens)))]
    if not words or words[0] != "CREATE" or "TABLE" not in words:
        return tokens
    start = next((n for n in range(len(tokens)) if opens(tokens, n)), len(tokens))
    end = closing(tokens, start)
    if "AS" in [word_at(tokens, position) for position in range(end, len(tokens))]:
        return tokens
    kept = [token for token in tokens[:start] if token.text.upper() != "LOCAL"]
    position = start
    while position < end:
        word = word_at(tokens, position)
        if word == "IDENTITY" and opens(tokens, position + 1):
            position = closing(tokens, position + 1)
        elif word in _OF_COLUMNS and not opens(tokens, position - 1):
            position += _OF_COLUMNS[word]
        else:
            kept.append(tokens[position])
            position += 1
    return kept if len(kept) < len(tokens) else tokens


_WHOLE_ROWS = (
    *((TokenType.WHEN, "WHEN"), (TokenType.NOT, "NOT"), (TokenType.VAR, "MATCHED")),
    *((TokenType.THEN, "THEN"), (TokenType.INSERT, "INSERT"), (TokenType.STAR, "*")),
)


def remove_duplicates(tokens: Tokens, files: list[str]) -> Tokens:
    """MERGE ... REMOVE DUPLICATES, which puts the source's rows in the place of like ones."""
    if word_at(tokens, 0) != "MERGE" or word_at(tokens, len(tokens) - 1) != "DUPLICATES":
        return tokens
    if word_at(tokens, len(tokens) - 2) != "REMOVE":
        return tokens
    return [*tokens[:-2], *spelled(tokens[-1], _WHOLE_ROWS)]


OF_REDSHIFT = (column_attributes, remove_duplicates, siblings, dropping(subscripts))
