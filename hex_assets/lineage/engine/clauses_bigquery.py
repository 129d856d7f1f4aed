"""Clauses of BigQuery that sqlglot's grammar lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.rewriting import Tokens
from hex_assets.lineage.engine.words import closing, name_at, word_at

_BEFORE_ARGUMENT = ("(", ",")


def models(tokens: Tokens, position: int, files: list[str]) -> int:
    """ML.EVALUATE(MODEL m, ...): the model, which is no table."""
    if word_at(tokens, position) != "MODEL" or word_at(tokens, position - 1) != "(":
        return 0
    parts, after = name_at(tokens, position + 1)
    if not parts:
        return 0
    return after + 1 if word_at(tokens, after) == "," else after


def table_arguments(tokens: Tokens, files: list[str]) -> Tokens:
    """ML.RECOMMEND(TABLE t) as ML.RECOMMEND((SELECT * FROM t))."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        given = word_at(tokens, position - 1) in _BEFORE_ARGUMENT
        parts: tuple[str, ...] = ()
        after = position
        if given and tokens[position].token_type == TokenType.TABLE:
            parts, after = name_at(tokens, position + 1)
        if parts and word_at(tokens, after) in (",", ")"):
            kept += _whole(tokens[position], tokens[position + 1 : after])
            position = after
        else:
            kept.append(tokens[position])
            position += 1
    return kept if len(kept) > len(tokens) else tokens


def _whole(like: Token, name: Tokens) -> Tokens:
    kinds = {
        "(": TokenType.L_PAREN,
        "SELECT": TokenType.SELECT,
        "*": TokenType.STAR,
        "FROM": TokenType.FROM,
    }
    head = [Token(kinds[w], w, like.line, like.col, like.start, like.end) for w in kinds]
    return [*head, *name, Token(TokenType.R_PAREN, ")", like.line, like.col, like.start, like.end)]


def external(tokens: Tokens, position: int, files: list[str]) -> int:
    """CREATE EXTERNAL TABLE t WITH PARTITION COLUMNS (a DATE) WITH CONNECTION c."""
    if word_at(tokens, position) != "WITH" or word_at(tokens, 0) != "CREATE":
        return 0
    following = word_at(tokens, position + 1)
    if following == "CONNECTION":
        return name_at(tokens, position + 2)[1]
    if following != "PARTITION" or word_at(tokens, position + 2) != "COLUMNS":
        return 0
    listed = word_at(tokens, position + 3) == "("
    return closing(tokens, position + 3) if listed else position + 3
