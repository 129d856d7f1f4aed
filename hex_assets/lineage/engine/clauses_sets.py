"""Set operations that sqlglot's grammar takes in fewer places than warehouses do."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.rewriting import Tokens, like, opens
from hex_assets.lineage.engine.words import closing, word_at

_OPERATORS = frozenset({"UNION", "EXCEPT", "INTERSECT", "MINUS"})
_AFTER_OPERATOR = frozenset({"ALL", "DISTINCT", "BY", "NAME"})
_QUERY = frozenset({"SELECT", "WITH", "("})
_TAILS = frozenset({"ORDER BY", "ORDER", "LIMIT", "OFFSET", "FETCH"})
_SELECT_ALL = ((TokenType.SELECT, "SELECT"), (TokenType.STAR, "*"), (TokenType.FROM, "FROM"))


def last_branch(tokens: Tokens, files: list[str]) -> Tokens:
    """`a UNION (b) ORDER BY c` as `a UNION SELECT * FROM (b) ORDER BY c`."""
    kept: Tokens = []
    for position, token in enumerate(tokens):
        if _is_last_branch(tokens, position):
            kept += [like(token, kind, text) for kind, text in _SELECT_ALL]
        kept.append(token)
    return kept if len(kept) > len(tokens) else tokens


def _is_last_branch(tokens: Tokens, position: int) -> bool:
    if not opens(tokens, position) or word_at(tokens, position + 1) not in _QUERY:
        return False
    before = position - 1
    while word_at(tokens, before) in _AFTER_OPERATOR:
        before -= 1
    if word_at(tokens, before) not in _OPERATORS:
        return False
    return word_at(tokens, closing(tokens, position)) in _TAILS
