"""Clauses of BigQuery that sqlglot's grammar lacks."""

from __future__ import annotations

from hex_assets.lineage.engine.rewriting import Tokens
from hex_assets.lineage.engine.words import closing, name_at, word_at


def models(tokens: Tokens, position: int, files: list[str]) -> int:
    """ML.EVALUATE(MODEL m, ...): the model, which is no table."""
    if word_at(tokens, position) != "MODEL" or word_at(tokens, position - 1) != "(":
        return 0
    parts, after = name_at(tokens, position + 1)
    if not parts:
        return 0
    return after + 1 if word_at(tokens, after) == "," else after


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
