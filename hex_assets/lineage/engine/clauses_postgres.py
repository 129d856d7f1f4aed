"""Clauses of PostgreSQL that sqlglot's grammar lacks."""

from __future__ import annotations

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
