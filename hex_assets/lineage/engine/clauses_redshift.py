"""Clauses of Redshift that sqlglot's grammar lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.rewriting import Tokens
from hex_assets.lineage.engine.words import word_at


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
            by = Token(
                TokenType.ORDER_BY, "ORDER BY", token.line, token.col, token.start, token.end
            )
            return [*tokens[:position], by, *tokens[position + 3 :]]
    return tokens


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
    last = tokens[-1]
    rows = [
        Token(kind, word, last.line, last.col, last.start, last.end) for kind, word in _WHOLE_ROWS
    ]
    return [*tokens[:-2], *rows]
