"""Clauses of Snowflake that sqlglot's grammar lacks."""

from __future__ import annotations

from hex_assets.lineage.engine.rewriting import Tokens, opens
from hex_assets.lineage.engine.words import closing, word_at


def resample(tokens: Tokens, position: int, files: list[str]) -> int:
    """RESAMPLE (USING ts INCREMENT BY ...) after a table."""
    if word_at(tokens, position) != "RESAMPLE" or not opens(tokens, position + 1):
        return 0
    return closing(tokens, position + 1) if word_at(tokens, position + 2) == "USING" else 0
