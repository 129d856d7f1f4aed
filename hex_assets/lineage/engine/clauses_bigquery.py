"""What BigQuery takes and sqlglot's grammar of it lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.rewriting import Tokens
from hex_assets.lineage.engine.table_queries import OWN_GRAMMAR
from hex_assets.lineage.engine.words import name_at, word_at


def model(tokens: Tokens, position: int, files: list[str]) -> int:
    """The MODEL that ML.EVALUATE(MODEL m, ...) and the like are given first: no table."""
    before = word_at(tokens, position - 1)
    if word_at(tokens, position) != "MODEL" or before != "(":
        return 0
    if word_at(tokens, position - 3) != "." or word_at(tokens, position - 2) in OWN_GRAMMAR:
        return 0
    parts, end = name_at(tokens, position + 1)
    if not parts:
        return 0
    return end + (end < len(tokens) and tokens[end].token_type == TokenType.COMMA)
