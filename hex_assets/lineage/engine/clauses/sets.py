"""Set operations that sqlglot's grammar takes in fewer places than warehouses do."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.clauses.rewriting import Tokens, like
from hex_assets.lineage.engine.words import word_at

_OPERATORS = frozenset({"UNION", "EXCEPT", "INTERSECT", "MINUS"})
_AFTER_OPERATOR = frozenset({"ALL", "DISTINCT", "BY", "NAME"})
_QUERY = frozenset({"SELECT", "WITH", "("})
_TAILS = frozenset({"ORDER BY", "ORDER", "LIMIT", "OFFSET", "FETCH"})
_SELECT_ALL = ((TokenType.SELECT, "SELECT"), (TokenType.STAR, "*"), (TokenType.FROM, "FROM"))


def last_branch(tokens: Tokens, files: list[str]) -> Tokens:
    """`a UNION (b) ORDER BY c` as `a UNION SELECT * FROM (b) ORDER BY c`."""
    branches = _last_branches(tokens)
    if not branches:
        return tokens
    kept: Tokens = []
    for position, token in enumerate(tokens):
        if position in branches:
            kept += [like(token, kind, text) for kind, text in _SELECT_ALL]
        kept.append(token)
    return kept


def _last_branches(tokens: Tokens) -> set[int]:
    """Where such branches open; each parenthesis is passed only once."""
    found: set[int] = set()
    opened: list[int] = []
    for position, token in enumerate(tokens):
        if token.token_type == TokenType.L_PAREN:
            opened.append(position)
        elif token.token_type == TokenType.R_PAREN and opened:
            start = opened.pop()
            if word_at(tokens, position + 1) in _TAILS and _is_branch(tokens, start):
                found.add(start)
    return found


def _is_branch(tokens: Tokens, position: int) -> bool:
    if word_at(tokens, position + 1) not in _QUERY:
        return False
    before = position - 1
    while word_at(tokens, before) in _AFTER_OPERATOR:
        before -= 1
    return word_at(tokens, before) in _OPERATORS
