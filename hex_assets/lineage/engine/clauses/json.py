"""Clauses of the standard's JSON functions that sqlglot's grammar lacks in PostgreSQL."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.clauses.rewriting import Tokens, like, opens
from hex_assets.lineage.engine.words import closing, word_at

_FUNCTIONS = frozenset(
    "JSON_VALUE JSON_QUERY JSON_EXISTS JSON_SERIALIZE JSON_SCALAR JSON_OBJECT JSON_OBJECTAGG "
    "JSON_ARRAY JSON_ARRAYAGG JSON".split()
)
_BEFORE_WRAPPER = frozenset("CONDITIONAL UNCONDITIONAL ARRAY".split())
_ENDS = frozenset("WITH WITHOUT KEEP OMIT NULL ABSENT DEFAULT ERROR EMPTY TRUE FALSE".split())


def json_options(tokens: Tokens, files: list[str]) -> Tokens:
    """JSON functions without RETURNING type, WITH WRAPPER, OMIT QUOTES, ABSENT ON NULL, PASSING.

    What PASSING gives a path are values that it compares with: none of them is the result.
    """
    kept: Tokens = []
    ends: list[int] = []
    depth = 0
    depths: list[int] = []
    position = 0
    while position < len(tokens):
        while ends and position >= ends[-1]:
            ends.pop()
            depths.pop()
        if word_at(tokens, position) in _FUNCTIONS and opens(tokens, position + 1):
            ends.append(closing(tokens, position + 1))
            depths.append(depth + 1)
        elif depths and depths[-1] == depth:
            end = _end_of_option(tokens, position, ends[-1] - 1)
            if end > position:
                position = end
                continue
        if word_at(tokens, position) == "NESTED" and _is_string(tokens, position + 1):
            kept.append(tokens[position])  # NESTED [PATH] '$.a[*]'
            kept.append(like(tokens[position], TokenType.VAR, "PATH"))
            position += 1
        kind = tokens[position].token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        kept.append(tokens[position])
        position += 1
    return kept if len(kept) != len(tokens) else tokens


def _is_string(tokens: Tokens, position: int) -> bool:
    return position < len(tokens) and tokens[position].token_type == TokenType.STRING


def _end_of_option(tokens: Tokens, position: int, last: int) -> int:
    """The end of an option of a JSON function that begins here; else its own position."""
    word, following = word_at(tokens, position), word_at(tokens, position + 1)
    if word in ("RETURNING", "PASSING"):
        end = position + 1
        while end < last and word_at(tokens, end) not in _ENDS:
            if word == "PASSING" and word_at(tokens, end) == "RETURNING":
                break
            end = closing(tokens, end) if opens(tokens, end) else end + 1
        return end
    if word in ("WITH", "WITHOUT"):
        end = position + 1
        while word_at(tokens, end) in _BEFORE_WRAPPER:
            end += 1
        if word_at(tokens, end) == "WRAPPER":
            return end + 1
        if following == "UNIQUE":
            return position + 2 + (word_at(tokens, position + 2) == "KEYS")
    if word in ("KEEP", "OMIT") and following == "QUOTES":
        scalar = word_at(tokens, position + 2) == "ON" and word_at(tokens, position + 3) == "SCALAR"
        return position + (5 if scalar else 2)
    if word in ("NULL", "ABSENT") and following == "ON" and word_at(tokens, position + 2) == "NULL":
        return position + 3
    if word in ("TRUE", "FALSE", "UNKNOWN", "ERROR") and following == "ON":
        return position + 3
    if word == "FORMAT" and following == "JSON":
        return position + 2
    return position


def json_defaults(tokens: Tokens, position: int, files: list[str]) -> int:
    """JSON_TABLE's and JSON_VALUE's NULL ON EMPTY, DEFAULT '0' ON ERROR."""
    if word_at(tokens, position) == "EXISTS" and word_at(tokens, position + 1) == "PATH":
        return position + 1
    if word_at(tokens, position) == "AS" and word_at(tokens, position + 2) in (
        "COLUMNS",
        "PASSING",
    ):
        return position + 2  # the name of a path
    start = position + 2 if word_at(tokens, position) == "DEFAULT" else position + 1
    if start == position + 1 and word_at(tokens, position) not in ("NULL", "ERROR", "EMPTY"):
        return 0
    on = word_at(tokens, start) == "ON" and word_at(tokens, start + 1) in ("EMPTY", "ERROR")
    return start + 2 if on else 0
