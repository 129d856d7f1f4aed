"""Operators of BigQuery's pipe syntax that sqlglot lacks, in those that it has."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.clauses.rewriting import Tokens, items_of, like, listed, opens
from hex_assets.lineage.engine.words import closing, word_at


def with_known_operators(tokens: Tokens, files: list[str]) -> Tokens:
    """SET, DROP, RENAME, DISTINCT and WINDOW as SELECT and EXTEND; the same list if none."""
    starts = [n for n, token in enumerate(tokens) if token.token_type == TokenType.PIPE_GT]
    kept: Tokens = []
    done = 0
    for start in starts:
        if start + 1 >= len(tokens) or start < done:
            continue
        word = tokens[start + 1].text.upper()
        if word not in ("SET", "DROP", "RENAME", "DISTINCT", "WINDOW"):
            continue
        end = _end(tokens, start + 1)
        kept += [
            *tokens[done : start + 1],
            *_known(word, tokens[start + 1], tokens[start + 2 : end]),
        ]
        done = end
    return [*kept, *tokens[done:]] if done else tokens


def _end(tokens: Tokens, start: int) -> int:
    """Where an operator ends: at the next one, or at the parenthesis that closes around it."""
    depth = 0
    for position in range(start, len(tokens)):
        kind = tokens[position].token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if depth < 0 or (depth == 0 and kind == TokenType.PIPE_GT):
            return position
    return len(tokens)


def _known(word: str, at: Token, rest: Tokens) -> Tokens:
    select = [like(at, TokenType.SELECT, "SELECT"), like(at, TokenType.STAR, "*")]
    opens, closes = like(at, TokenType.L_PAREN, "("), like(at, TokenType.R_PAREN, ")")
    comma, named = like(at, TokenType.COMMA, ","), like(at, TokenType.ALIAS, "AS")
    if word == "WINDOW":
        return [like(at, TokenType.VAR, "EXTEND"), *rest]
    if word == "DISTINCT":
        return select
    if word == "DROP":
        return [*select, like(at, TokenType.EXCEPT, "EXCEPT"), opens, *rest, closes]
    items = items_of(rest)
    if word == "SET":
        changed: Tokens = []
        for item in items:
            value = item[2:]
            changed += [*([comma] if changed else []), *value, named, *item[:1]]
        return [*select, like(at, TokenType.REPLACE, "REPLACE"), opens, *changed, closes]
    old: Tokens = []
    new: Tokens = []
    for item in items:
        old += [*([comma] if old else []), *item[:1]]
        new += [comma, *item]
    return [*select, like(at, TokenType.EXCEPT, "EXCEPT"), opens, *old, closes, *new]


_SETS = frozenset({"UNION", "INTERSECT", "EXCEPT", "MINUS"})
_LIKE_ORDER = frozenset({"DISTRIBUTE BY", "CLUSTER BY", "SORT BY"})


def with_spark_operators(tokens: Tokens, files: list[str]) -> Tokens:
    """What Spark's pipes have beside BigQuery's, in words that sqlglot knows.

    A query before them, a set operation's query without parentheses, OFFSET, rows distributed.
    """
    if not any(token.token_type == TokenType.PIPE_GT for token in tokens):
        return tokens
    kept: Tokens = []
    closes: set[int] = set()
    for position, token in enumerate(tokens):
        if position in closes:
            kept.append(like(token, TokenType.R_PAREN, ")"))
        before = tokens[position - 1].token_type if position else TokenType.L_PAREN
        if before == TokenType.L_PAREN and _is_piped(tokens, position):
            kept += [like(token, TokenType.FROM, "FROM"), like(token, TokenType.L_PAREN, "(")]
            closes.add(_end(tokens, position))
        kept += _known_words(token) if before == TokenType.PIPE_GT else [token]
        if _opens_query(tokens, position):
            kept.append(like(token, TokenType.L_PAREN, "("))
            closes.add(_end(tokens, position + 1))
    if len(tokens) in closes:
        kept.append(like(tokens[-1], TokenType.R_PAREN, ")"))
    return kept


def lateral_views(tokens: Tokens, files: list[str]) -> Tokens:
    """Spark's `|> LATERAL VIEW f(x) e AS a, b` as `|> CROSS JOIN LATERAL f(x) AS e(a, b)`."""
    kept: Tokens = []
    done = 0
    for position, token in enumerate(tokens):
        words = [word_at(tokens, position + n) for n in (1, 2)]
        if token.token_type != TokenType.PIPE_GT or words != ["LATERAL", "VIEW"]:
            continue
        end = _end(tokens, position + 1)
        start = position + 3 + (word_at(tokens, position + 3) == "OUTER")
        after = closing(tokens, next((n for n in range(start, end) if opens(tokens, n)), start))
        if position >= done and start < after <= end:
            kept += [*tokens[done : position + 1], *_joined(tokens[start:after], tokens[after:end])]
            done = end
    return [*kept, *tokens[done:]] if done else tokens


def _joined(call: Tokens, alias: Tokens) -> Tokens:
    """The join of a call's rows under its alias, with the columns that stand after AS."""
    at = call[0]
    split = next((n for n, t in enumerate(alias) if t.token_type == TokenType.ALIAS), len(alias))
    columns = items_of(alias[split + 1 :])
    found = [like(at, TokenType.CROSS, "CROSS"), like(at, TokenType.JOIN, "JOIN")]
    found += [like(at, TokenType.LATERAL, "LATERAL"), *call, like(at, TokenType.ALIAS, "AS")]
    found += alias[:split] or [like(at, TokenType.VAR, _VIEW)]
    return [*found, *(listed(columns) if columns else [])]


_VIEW = "lateral_view"
"""What a view is called that has no name of its own."""


def _known_words(token: Token) -> Tokens:
    word = token.text.upper()
    if word == "OFFSET":
        return [like(token, TokenType.LIMIT, "LIMIT")]
    if word in _LIKE_ORDER:
        return [like(token, TokenType.ORDER_BY, "ORDER BY")]
    if word == "MINUS":
        return [like(token, TokenType.EXCEPT, "EXCEPT")]
    return [token]


def _is_piped(tokens: Tokens, start: int) -> bool:
    if tokens[start].text.upper() not in ("SELECT", "TABLE", "VALUES"):
        return False
    end = _end(tokens, start)
    return end < len(tokens) and tokens[end].token_type == TokenType.PIPE_GT


def _opens_query(tokens: Tokens, position: int) -> bool:
    """Whether the last word of `|> UNION ALL BY NAME` stands here, and a bare query follows."""
    if position + 1 >= len(tokens) or tokens[position + 1].token_type == TokenType.L_PAREN:
        return False
    start = position
    while start > 0 and tokens[start].text.upper() in ("ALL", "DISTINCT", "BY", "NAME"):
        start -= 1
    piped = start > 0 and tokens[start - 1].token_type == TokenType.PIPE_GT
    bare = tokens[position + 1].text.upper() in ("SELECT", "TABLE", "VALUES", "WITH")
    return piped and bare and tokens[start].text.upper() in _SETS


def with_unnest(tokens: Tokens, files: list[str]) -> Tokens:
    """`FROM t, t.items AS i WITH OFFSET` as UNNEST(t.items): sqlglot knows only the latter."""
    kept = tokens
    position = len(tokens) - 2
    while position > 3:
        words = [kept[position].text.upper(), kept[position + 1].text.upper()]
        if words == ["WITH", "OFFSET"]:
            end = position - 1
            if kept[end - 1].text.upper() == "AS":
                end -= 1
            elif kept[end - 1].token_type == TokenType.DOT:
                end += 1
            start = end - 1
            while start > 1 and kept[start - 1].token_type == TokenType.DOT:
                start -= 2
            if kept[start - 1].text.upper() in (",", "JOIN") and end - start > 1:
                at = kept[start]
                kept = [
                    *kept[:start],
                    like(at, TokenType.UNNEST, "UNNEST"),
                    like(at, TokenType.L_PAREN, "("),
                    *kept[start:end],
                    like(at, TokenType.R_PAREN, ")"),
                    *kept[end:],
                ]
        position -= 1
    return kept
