"""What BigQuery takes and sqlglot's grammar of it lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.rewriting import Tokens, opens
from hex_assets.lineage.engine.table_queries import OWN_GRAMMAR
from hex_assets.lineage.engine.words import closing, name_at, word_at


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


_PRIVACY = frozenset({"DIFFERENTIAL_PRIVACY", "AGGREGATION_THRESHOLD", "ANONYMIZATION"})


def privacy(tokens: Tokens, position: int, files: list[str]) -> int:
    """SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS (...) and the like, and the bounds of a sum."""
    bounds = word_at(tokens, position + 1).startswith("CONTRIBUTION_BOUNDS_")
    if bounds and tokens[position].token_type == TokenType.COMMA and opens(tokens, position + 3):
        return closing(tokens, position + 3)
    if word_at(tokens, position) != "WITH" or word_at(tokens, position - 1) != "SELECT":
        return 0
    if word_at(tokens, position + 1) not in _PRIVACY:
        return 0
    told = word_at(tokens, position + 2) == "OPTIONS" and opens(tokens, position + 3)
    return closing(tokens, position + 3) if told else position + 2


def matches(tokens: Tokens, files: list[str]) -> Tokens:
    """MATCH_RECOGNIZE, which is a plain word to the tokenizer, without its OPTIONS."""
    kept: Tokens = []
    position = inside = 0
    while position < len(tokens):
        token, word = tokens[position], word_at(tokens, position)
        if word == "MATCH_RECOGNIZE" and opens(tokens, position + 1):
            inside = closing(tokens, position + 1)
            kind = TokenType.MATCH_RECOGNIZE
            token = Token(kind, token.text, token.line, token.col, token.start, token.end)
        elif word == "OPTIONS" and position < inside and opens(tokens, position + 1):
            position = closing(tokens, position + 1)
            continue
        kept.append(token)
        position += 1
    return kept if inside else tokens
