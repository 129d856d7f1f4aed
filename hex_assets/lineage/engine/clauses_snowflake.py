"""Clauses of Snowflake that sqlglot's grammar lacks."""

from __future__ import annotations

from hex_assets.lineage.engine.rewriting import Tokens, opens
from hex_assets.lineage.engine.words import closing, name_at, word_at


def resample(tokens: Tokens, position: int, files: list[str]) -> int:
    """RESAMPLE (USING ts INCREMENT BY ...) after a table."""
    if word_at(tokens, position) != "RESAMPLE" or not opens(tokens, position + 1):
        return 0
    return closing(tokens, position + 1) if word_at(tokens, position + 2) == "USING" else 0


def model_names(tokens: Tokens, files: list[str]) -> Tokens:
    """WITH without `m AS MODEL db.s.model [VERSION v]`: a model is no table."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        end = _after_model(tokens, position)
        if not end:
            kept.append(tokens[position])
            position += 1
        elif word_at(tokens, end) == ",":
            position = end + 1
        else:  # the last of the list: what stands before it, WITH or a comma, is left over
            kept.pop()
            position = end
    return kept if len(kept) < len(tokens) else tokens


def _after_model(tokens: Tokens, position: int) -> int:
    if word_at(tokens, position - 1) not in ("WITH", ","):
        return 0
    if word_at(tokens, position + 1) != "AS" or word_at(tokens, position + 2) != "MODEL":
        return 0
    parts, end = name_at(tokens, position + 3)
    return end + 2 * (word_at(tokens, end) == "VERSION") if parts else 0
