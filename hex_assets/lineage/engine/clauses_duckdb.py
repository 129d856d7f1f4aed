"""Clauses of DuckDB that sqlglot's grammar lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.rewriting import Tokens, as_names, opens
from hex_assets.lineage.engine.words import closing, word_at

_PIVOTS = frozenset({"PIVOT", "UNPIVOT", "PIVOT_WIDER", "PIVOT_LONGER"})
_AFTER_PIVOT = frozenset({"ORDER BY", "LIMIT", "OFFSET"})


def after_pivot(tokens: Tokens, files: list[str]) -> Tokens:
    """PIVOT and UNPIVOT statements without ORDER BY and LIMIT, also those within parentheses."""
    kept: Tokens = []
    inside: list[bool] = [False]
    position = 0
    while position < len(tokens):
        word = word_at(tokens, position)
        before = word_at(tokens, position - 1)
        after_with = before == ")" and not opens(tokens, position + 1)
        if word in _PIVOTS and (position == 0 or before == "(" or after_with):
            inside[-1] = True
        if word in _AFTER_PIVOT and inside[-1]:
            while position < len(tokens) and word_at(tokens, position) != ")":
                position = closing(tokens, position) if opens(tokens, position) else position + 1
            continue
        if word == "(":
            inside.append(False)
        elif word == ")" and len(inside) > 1:
            inside.pop()
        kept.append(tokens[position])
        position += 1
    return kept if len(kept) < len(tokens) else tokens


def shown(tokens: Tokens, position: int, files: list[str]) -> int:
    """(SHOW ALL TABLES) and (SHOW a.b) without what they show."""
    if word_at(tokens, position - 1) != "SHOW" or not opens(tokens, position - 2):
        return 0
    return closing(tokens, position - 2) - 1


def apply_calls(tokens: Tokens, files: list[str]) -> Tokens:
    """The function apply(list, x -> ...): no keyword there."""
    return as_names(
        tokens,
        lambda position, token: (
            token.token_type == TokenType.APPLY and word_at(tokens, position + 1) == "("
        ),
    )
