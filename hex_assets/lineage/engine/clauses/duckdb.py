"""Clauses of DuckDB that sqlglot's grammar lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.clauses.rewriting import (
    Tokens,
    as_names,
    called,
    dropping,
    like,
    opens,
)
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


_HOW = frozenset({"NAME", "POSITION"})


def merge_actions(tokens: Tokens, files: list[str]) -> Tokens:
    """A MERGE's UPDATE BY NAME as UPDATE SET COLUMNS(*), and ERROR as DO NOTHING."""
    kept: Tokens = []
    changed = merges = False
    cases = position = 0
    while position < len(tokens):
        token, word = tokens[position], word_at(tokens, position)
        merges = merges or word == "MERGE"
        cases += (word == "CASE") - (word == "END")
        kept.append(token)
        position += 1
        if not merges or cases > 0 or word_at(tokens, position - 2) != "THEN":
            continue
        by = word_at(tokens, position) == "BY" and word_at(tokens, position + 1) in _HOW
        if word == "UPDATE" and by:
            if word_at(tokens, position + 1) == "NAME":
                star = like(token, TokenType.STAR, "*")
                kept += [like(token, TokenType.SET, "SET"), *called("COLUMNS", token, [star])]
            position += 2
        elif word == "INSERT" and by and word_at(tokens, position + 2) == "*":
            kept += tokens[position : position + 2]
            position += 3
        elif word == "ERROR":
            kept[-1:] = [like(token, TokenType.VAR, "DO"), like(token, TokenType.VAR, "NOTHING")]
            position = _after_message(tokens, position)
        else:
            continue
        changed = True
    return kept if changed else tokens


def _after_message(tokens: Tokens, position: int) -> int:
    """The position after an error's message, which may have a CASE of its own."""
    cases = 0
    while position < len(tokens):
        word = word_at(tokens, position)
        if not cases and word in ("WHEN", "RETURNING", ")"):
            break
        cases += (word == "CASE") - (word == "END")
        position = closing(tokens, position) if opens(tokens, position) else position + 1
    return position


_SET_OPERATIONS = frozenset({"UNION", "EXCEPT", "INTERSECT"})
_BEFORE_QUERY = _SET_OPERATIONS | {"ALL", "NAME", "AS"}
_AFTER_LIST = _SET_OPERATIONS | frozenset(
    ("WHERE", "GROUP BY", "HAVING", "QUALIFY", "WINDOW", "ORDER BY", "LIMIT", "OFFSET", "USING")
)


def select_first(tokens: Tokens, files: list[str]) -> Tokens:
    """`FROM (VALUES ...) v JOIN t SELECT a` as `SELECT a FROM ...`: sqlglot keeps no such join."""
    kept = _ordered(tokens)
    return kept if any(a is not b for a, b in zip(kept, tokens, strict=True)) else tokens


def _ordered(tokens: Tokens) -> Tokens:
    parts: list[Tokens] = []
    position = 0
    while position < len(tokens):
        end = closing(tokens, position) if opens(tokens, position) else position + 1
        part = tokens[position:end]
        if len(part) > 2:
            part = [part[0], *_ordered(part[1:-1]), part[-1]]
        parts.append(part)
        position = end
    quoted = TokenType.IDENTIFIER
    words = ["" if part[0].token_type == quoted else word_at(part, 0) for part in parts]
    start = 0
    while start < len(parts):
        before = words[start - 1] if start else "AS"
        follows = before == "(" and words[start - 2] in ("AS", "MATERIALIZED")
        select = start + 1
        if words[start] == "FROM" and (before in _BEFORE_QUERY or follows):
            while select < len(parts) and words[select] not in (*_SET_OPERATIONS, "SELECT"):
                select += 1
            end = select + 1
            while end < len(parts) and words[end] not in _AFTER_LIST:
                end += 1
            if select < len(parts) and words[select] == "SELECT":
                parts[start:end] = [*parts[select:end], *parts[start:select]]
                words[start:end] = [*words[select:end], *words[start:select]]
                select = end
        start = select
    return [token for part in parts for token in part]


OF_DUCKDB = (after_pivot, apply_calls, merge_actions, dropping(shown), select_first)
