"""Clauses of Snowflake and Spark that sqlglot's grammar lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.rewriting import Tokens, as_names
from hex_assets.lineage.engine.words import word_at


def all_by_name(tokens: Tokens, files: list[str]) -> Tokens:
    """Snowflake's MERGE ... UPDATE ALL BY NAME and INSERT ALL BY NAME as UPDATE * and INSERT *."""
    if word_at(tokens, 0) != "MERGE":
        return tokens
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        words = [word_at(tokens, position + n) for n in range(3)]
        like = tokens[position]
        if words == ["ALL", "BY", "NAME"]:
            kept.append(Token(TokenType.STAR, "*", like.line, like.col, like.start, like.end))
            position += 3
        else:
            kept.append(like)
            position += 1
    return kept if len(kept) < len(tokens) else tokens


def schema_evolution(tokens: Tokens, position: int, files: list[str]) -> int:
    """MERGE WITH SCHEMA EVOLUTION INTO t, and the same of INSERT."""
    words = [word_at(tokens, position + n) for n in range(3)]
    return position + 3 if position < 3 and words == ["WITH", "SCHEMA", "EVOLUTION"] else 0


def window_calls(tokens: Tokens, files: list[str]) -> Tokens:
    """Spark's function window(ts, '5 minutes') and its column window.start: no keyword there."""
    return as_names(
        tokens,
        lambda position, token: (
            token.token_type == TokenType.WINDOW and word_at(tokens, position + 1) in ("(", ".")
        ),
    )


def prior(tokens: Tokens, position: int, files: list[str]) -> int:
    """Snowflake's PRIOR before a column of a SELECT with CONNECT BY."""
    return position + 1 if word_at(tokens, position) == "PRIOR" else 0


def quoted_stages(tokens: Tokens, files: list[str]) -> Tokens:
    """Snowflake's FROM $$@stage/path$$ as FROM '@stage/path'."""
    kept = [
        Token(TokenType.STRING, token.text, token.line, token.col, token.start, token.end)
        if token.token_type in (TokenType.RAW_STRING, TokenType.HEREDOC_STRING)
        and token.text.startswith("@")
        else token
        for token in tokens
    ]
    return kept if any(a is not b for a, b in zip(kept, tokens, strict=True)) else tokens
