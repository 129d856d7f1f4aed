"""What BigQuery takes and sqlglot's grammar of it lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.clauses.pipe_ends import moved
from hex_assets.lineage.engine.clauses.pipes import with_known_operators, with_unnest
from hex_assets.lineage.engine.clauses.rewriting import (
    Tokens,
    dropping,
    items_of,
    like,
    opens,
    spelled,
)
from hex_assets.lineage.engine.statements.table_queries import OWN_GRAMMAR
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
            token = like(token, TokenType.MATCH_RECOGNIZE, token.text)
        elif word == "OPTIONS" and position < inside and opens(tokens, position + 1):
            position = closing(tokens, position + 1)
            continue
        kept.append(token)
        position += 1
    return kept if inside else tokens


def depth(tokens: Tokens, position: int, files: list[str]) -> int:
    """WITH DEPTH [AS d] [BETWEEN 0 AND 5 | MAX 5] after a recursive CTE."""
    before, word = word_at(tokens, position - 1), word_at(tokens, position)
    if (before, word, word_at(tokens, position + 1)) != (")", "WITH", "DEPTH"):
        return 0
    end = position + 2
    while end < len(tokens) and tokens[end].token_type != TokenType.COMMA:
        if word_at(tokens, end) in ("SELECT", "FROM", "(", ")"):
            break
        end += 1
    return end


def levels(tokens: Tokens, position: int, files: list[str]) -> int:
    """SUM(AVG(x) GROUP BY y): the inner aggregate's groups."""
    if word_at(tokens, position) not in ("GROUP BY", "GROUP") or position < 2:
        return 0
    start, deep = position - 1, 0
    while start > max(0, position - _LONGEST_ARGUMENT):
        kind = tokens[start].token_type
        deep += (kind == TokenType.R_PAREN) - (kind == TokenType.L_PAREN)
        if deep < 0:
            break
        if not deep and word_at(tokens, start) in ("SELECT", "FROM", "AGGREGATE"):
            return 0
        start -= 1
    return closing(tokens, start) - 1 if deep < 0 and start else 0


_LONGEST_ARGUMENT = 500
"""Tokens of an inner aggregate; a longer one is not looked for."""


def named_values(tokens: Tokens, files: list[str]) -> Tokens:
    """The expression WITH(a AS x + 1, a * y) as (SELECT a * y FROM (SELECT x + 1 AS a))."""
    position = 0
    while position < len(tokens):
        before = word_at(tokens, position - 1) if position else "SELECT"
        is_value = word_at(tokens, position) == "WITH" and opens(tokens, position + 1)
        if not is_value or word_at(tokens, position + 3) != "AS" or before in _BEFORE_CTES:
            position += 1
            continue
        end = closing(tokens, position + 1)
        items = items_of(tokens[position + 2 : end - 1])
        like = tokens[position]
        query = items[-1]
        for item in reversed(items[:-1]):
            query = [*query, *_words(like, "FROM", "("), *_words(like, "SELECT", "*", ",")]
            query += [*item[2:], *_words(like, "AS"), item[0]]
        query += _words(like, *[")"] * (len(items) - 1))
        made = [*_words(like, "(", "SELECT"), *query, *_words(like, ")")]
        tokens = [*tokens[:position], *made, *tokens[end:]]
    return tokens


_BEFORE_CTES = frozenset({")", "AS", "AGGREGATE"})
_KINDS = {
    "FROM": TokenType.FROM,
    "SELECT": TokenType.SELECT,
    "AS": TokenType.ALIAS,
    "*": TokenType.STAR,
    ",": TokenType.COMMA,
    "(": TokenType.L_PAREN,
    ")": TokenType.R_PAREN,
}


def _words(at: Token, *words: str) -> Tokens:
    return spelled(at, [(_KINDS[word], word) for word in words])


def external(tokens: Tokens, position: int, files: list[str]) -> int:
    """WITH CONNECTION c and WITH PARTITION COLUMNS [(...)] of an external table."""
    if word_at(tokens, position) != "WITH":
        return 0
    following = word_at(tokens, position + 1)
    if following == "CONNECTION":
        return name_at(tokens, position + 2)[1]
    if following == "PARTITION" and word_at(tokens, position + 2) == "COLUMNS":
        end = position + 3
        return closing(tokens, end) if opens(tokens, end) else end
    return 0


def legacy(tokens: Tokens, files: list[str]) -> Tokens:
    """Legacy SQL's [project:dataset.table]."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        named = tokens[position].token_type == TokenType.L_BRACKET
        end = _bracket(tokens, position) if named and word_at(tokens, position - 1) in _FROM else 0
        if end:
            text = "".join(token.text for token in tokens[position + 1 : end - 1])
            text = text.replace(":", ".")
            kept.append(like(tokens[position], TokenType.IDENTIFIER, text, tokens[end - 1]))
            position = end
        else:
            kept.append(tokens[position])
            position += 1
    return kept if len(kept) < len(tokens) else tokens


_FROM = frozenset({"FROM", "JOIN", ","})


def _bracket(tokens: Tokens, start: int) -> int:
    """The position after a bracketed name with a dot; 0 for an array."""
    for end in range(start + 1, min(len(tokens), start + 20)):
        if tokens[end].token_type == TokenType.R_BRACKET:
            dots = any(t.token_type == TokenType.DOT for t in tokens[start:end])
            return end + 1 if dots else 0
        if tokens[end].token_type in (TokenType.COMMA, TokenType.L_PAREN):
            return 0
    return 0


OF_BIGQUERY = (
    moved,
    with_known_operators,
    with_unnest,
    dropping(model),
    dropping(privacy),
    matches,
    named_values,
    dropping(depth),
    dropping(levels),
    dropping(external),
    legacy,
)
