"""MATCH_RECOGNIZE in places where sqlglot's grammar lacks it, or cannot tell what it is of."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.clauses.rewriting import Tokens, like, opens
from hex_assets.lineage.engine.words import closing, word_at

_BEFORE_ITEM = frozenset({"FROM", "JOIN", ","})


def matched_alone(tokens: Tokens, files: list[str]) -> Tokens:
    """`t MATCH_RECOGNIZE (...)` beside joins, as `(SELECT * FROM t MATCH_RECOGNIZE (...))`."""
    kept: Tokens = []
    end = 0
    for position, token in enumerate(tokens):
        if position < end:
            continue
        if token.token_type == TokenType.MATCH_RECOGNIZE and opens(tokens, position + 1):
            start = _start_of_item(kept)
            if 0 < start < len(kept):
                end = closing(tokens, position + 1)
                before = [like(kept[start], kind, text) for kind, text in _SELECT_ALL]
                after = like(tokens[end - 1], TokenType.R_PAREN, ")")
                kept[start:] = [*before, *kept[start:], *tokens[position:end], after]
                continue
        kept.append(token)
    return kept if len(kept) > len(tokens) else tokens


_SELECT_ALL = (
    (TokenType.L_PAREN, "("),
    (TokenType.SELECT, "SELECT"),
    (TokenType.STAR, "*"),
    (TokenType.FROM, "FROM"),
)


def _start_of_item(tokens: Tokens) -> int:
    """Where the item of FROM begins that the tokens end with; 0 if that is not plain."""
    depth = 0
    for position in range(len(tokens) - 1, 0, -1):
        kind = tokens[position].token_type
        depth += (kind == TokenType.R_PAREN) - (kind == TokenType.L_PAREN)
        if depth < 0:
            return 0
        if depth == 0 and word_at(tokens, position) in _BEFORE_ITEM:
            return position + 1
    return 0


def subset(tokens: Tokens, position: int, files: list[str]) -> int:
    """MATCH_RECOGNIZE's SUBSET u = (a, b) between its PATTERN and DEFINE."""
    if word_at(tokens, position) != "SUBSET":
        return 0
    for end in range(position, min(len(tokens), position + 60)):
        if word_at(tokens, end) == "DEFINE":
            return end
    return 0
