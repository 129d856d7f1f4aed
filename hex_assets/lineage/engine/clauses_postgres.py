"""Clauses of PostgreSQL and DuckDB that sqlglot's grammar lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.rewriting import Tokens, opens
from hex_assets.lineage.engine.words import closing, word_at


def only(tokens: Tokens, files: list[str]) -> Tokens:
    """PostgreSQL's ONLY (t) as t."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        if word_at(tokens, position) == "ONLY" and opens(tokens, position + 1):
            end = closing(tokens, position + 1)
            kept += tokens[position + 2 : end - 1]
            position = end
        else:
            kept.append(tokens[position])
            position += 1
    return kept if len(kept) < len(tokens) else tokens


def using_operator(tokens: Tokens, position: int, files: list[str]) -> int:
    """PostgreSQL's ORDER BY a USING >."""
    following = word_at(tokens, position + 1)
    return position + 2 if word_at(tokens, position) == "USING" and following in ("<", ">") else 0


def change_from(tokens: Tokens, files: list[str]) -> Tokens:
    """UPDATE ... FROM and DELETE ... USING that begin with a function, VALUES or a subquery.

    The parser knows joins only after a table: a function that gives one row is put before them.
    """
    kept: Tokens = []
    depth = 0
    waiting: dict[int, str] = {}
    for position, token in enumerate(tokens):
        kept.append(token)
        kind, word = token.token_type, word_at(tokens, position)
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if word == "SET" and word_at(tokens, 0) in ("UPDATE", "WITH"):
            waiting[depth] = "FROM"
        elif word == "DELETE":
            waiting[depth] = "USING"
        elif word == waiting.get(depth) and word_at(tokens, position - 1) != "DISTINCT":
            del waiting[depth]
            kept += [Token(*made, token.line, token.col, token.start, token.end) for made in _ROW]
    return kept if len(kept) > len(tokens) else tokens


_ROW = (
    (TokenType.VAR, "GENERATE_SERIES"),
    (TokenType.L_PAREN, "("),
    (TokenType.NUMBER, "1"),
    (TokenType.COMMA, ","),
    (TokenType.NUMBER, "1"),
    (TokenType.R_PAREN, ")"),
    (TokenType.COMMA, ","),
)


def after_pivot(tokens: Tokens, files: list[str]) -> Tokens:
    """DuckDB's PIVOT and UNPIVOT statements without ORDER BY and LIMIT."""
    if word_at(tokens, 0) not in ("PIVOT", "UNPIVOT"):
        return tokens
    position = 0
    while position < len(tokens):
        if word_at(tokens, position) in ("ORDER BY", "LIMIT"):
            return tokens[:position]
        position = closing(tokens, position) if opens(tokens, position) else position + 1
    return tokens
