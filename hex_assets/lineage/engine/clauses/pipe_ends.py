"""Operators of pipe syntax that belong elsewhere: WITH to the start, INSERT around the query."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.clauses.rewriting import Tokens, like, opens
from hex_assets.lineage.engine.trees.passing import PASSES_ON
from hex_assets.lineage.engine.words import closing, word_at

_WRITES = frozenset({"CREATE", "INSERT", "EXPORT"})
_MOVED = _WRITES | {"WITH", "ASSERT", "CALL"}


_QUERIES = frozenset({"FROM", "SELECT", "WITH", "("})


def moved(tokens: Tokens, files: list[str]) -> Tokens:
    """`q |> WITH a AS (...)`, `q |> CREATE TABLE t` and the like; the same list if none."""
    position = 0
    while position < len(tokens) - 1:
        is_pipe = tokens[position].token_type == TokenType.PIPE_GT
        word = word_at(tokens, position + 1) if is_pipe else ""
        if word not in _MOVED:
            position += 1
            continue
        end = _end(tokens, position + 1)
        before, operator, after = (
            tokens[:position],
            tokens[position + 1 : end],
            tokens[end:],
        )
        if word in _WRITES:
            if after:
                return tokens
            return [*operator, *([] if word == "INSERT" else [_as(operator[0])]), *before]
        if word == "WITH":
            start = _start(tokens, position)
            tokens = [*before[:start], *_with(operator, before[start:]), *after]
        elif word == "ASSERT":
            tokens = [*before, *after]
        else:
            alias = _passed_on(operator)
            start = _query_after_as(before, _start(tokens, position))
            if alias is not None:
                tokens = [*before, *([tokens[position], *alias] if alias else []), *after]
            elif word_at(before, start) in _QUERIES and "(" in [t.text for t in operator]:
                tokens = [*before[:start], *_called(operator, before[start:]), *after]
                position = len(tokens) - len(after)
            else:
                return tokens
    return tokens


def _end(tokens: Tokens, start: int) -> int:
    position = start
    while position < len(tokens):
        if tokens[position].token_type in (TokenType.PIPE_GT, TokenType.R_PAREN):
            return position
        position = closing(tokens, position) if opens(tokens, position) else position + 1
    return position


def _start(tokens: Tokens, position: int) -> int:
    """Where the query of an operator begins: after the parenthesis around it."""
    depth = 0
    while position > 0:
        kind = tokens[position - 1].token_type
        depth += (kind == TokenType.R_PAREN) - (kind == TokenType.L_PAREN)
        if depth < 0:
            break
        position -= 1
    return position


def _query_after_as(tokens: Tokens, start: int) -> int:
    """Where the query of CREATE ... AS or INSERT begins; else the start itself."""
    if word_at(tokens, start) not in _WRITES:
        return start
    for position in range(start, len(tokens)):
        if word_at(tokens, position) in _QUERIES - {"("}:
            return position
    return start


def _with(operator: Tokens, query: Tokens) -> Tokens:
    """The query under one more CTE, which may read those that the query has."""
    if word_at(query, 0) != "WITH":
        return [*operator, *query]
    rest = query[2:] if word_at(query, 1) == "RECURSIVE" else query[1:]
    recursive = like(query[0], TokenType.RECURSIVE, "RECURSIVE")
    comma = like(query[0], TokenType.COMMA, ",")
    return [query[0], recursive, *operator[1:], comma, *rest]


def _passed_on(operator: Tokens) -> Tokens | None:
    """The alias after CALL of a function that passes its input on; None for other functions."""
    position = 1
    while position < len(operator) and not opens(operator, position):
        position += 1
    if word_at(operator, position - 1).casefold() not in PASSES_ON:
        return None
    return operator[closing(operator, position) :]


def _called(operator: Tokens, query: Tokens) -> Tokens:
    """CALL f(1) as FROM f((SELECT NULL FROM (query)), 1): what f makes of its input is not told."""
    at = operator[0]
    opening = [token.text for token in operator].index("(")
    opened, closed = like(at, TokenType.L_PAREN, "("), like(at, TokenType.R_PAREN, ")")
    source = like(at, TokenType.FROM, "FROM")
    nothing = [like(at, TokenType.SELECT, "SELECT"), like(at, TokenType.NULL, "NULL")]
    given = [opened, *nothing, source, opened, *query, closed, closed]
    rest = operator[opening + 1 :]
    comma = [] if word_at(rest, 0) == ")" else [like(at, TokenType.COMMA, ",")]
    return [source, *operator[1 : opening + 1], *given, *comma, *rest]


def _as(at: Token) -> Token:
    return like(at, TokenType.ALIAS, "AS")
