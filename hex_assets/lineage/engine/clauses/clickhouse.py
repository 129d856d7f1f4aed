"""Clauses of ClickHouse that sqlglot's grammar lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.clauses.columns import column_sets
from hex_assets.lineage.engine.clauses.mysql import outfile
from hex_assets.lineage.engine.clauses.pipes import with_known_operators
from hex_assets.lineage.engine.clauses.rewriting import (
    Tokens,
    as_names,
    called,
    dropping,
    items_of,
    like,
    opens,
)
from hex_assets.lineage.engine.trees.functions import REMOTE
from hex_assets.lineage.engine.words import closing, word_at


def limit_by(tokens: Tokens, position: int, files: list[str]) -> int:
    """ClickHouse's LIMIT 1 BY a, b before another LIMIT."""
    if word_at(tokens, position) != "LIMIT" or "BY" not in (
        *(word_at(tokens, position + 2), word_at(tokens, position + 4)),
    ):
        return 0
    end = position + 1
    while end < len(tokens) and word_at(tokens, end) not in (
        "LIMIT",
        "OFFSET",
        "SETTINGS",
        "FORMAT",
    ):
        if tokens[end].token_type == TokenType.R_PAREN:
            return 0
        end = closing(tokens, end) if opens(tokens, end) else end + 1
        if word_at(tokens, end) == "OFFSET" and word_at(tokens, end + 2) == "BY":
            end += 1
    return end if word_at(tokens, end) in ("LIMIT", "OFFSET") else 0


def paste(tokens: Tokens, position: int, files: list[str]) -> int:
    """ClickHouse's PASTE JOIN, of which the parser has no PASTE."""
    return position + 1 if word_at(tokens, position) == "PASTE" else 0


def outer(tokens: Tokens, position: int, files: list[str]) -> int:
    """ClickHouse's LEFT ANY OUTER JOIN, of which the parser has no OUTER."""
    return position + 1 if word_at(tokens, position) == "OUTER" else 0


def of_change(tokens: Tokens, position: int, files: list[str]) -> int:
    """IN PARTITION 'p', ON CLUSTER c and SETTINGS a = 1 of an UPDATE or a DELETE."""
    if word_at(tokens, 0) not in ("UPDATE", "DELETE"):
        return 0
    word, following = word_at(tokens, position), word_at(tokens, position + 1)
    if word == "SETTINGS" and word_at(tokens, position + 2) == "=":
        return len(tokens)
    if word == "ON" and following == "CLUSTER":
        return position + 3
    if word == "IN" and following == "PARTITION":
        for end in range(position + 2, min(len(tokens), position + 20)):
            if word_at(tokens, end) == "WHERE":
                return end
    return 0


def collation(tokens: Tokens, position: int, files: list[str]) -> int:
    """ORDER BY a COLLATE 'en'."""
    string = position + 1 < len(tokens) and tokens[position + 1].token_type == TokenType.STRING
    return position + 2 if word_at(tokens, position) == "COLLATE" and string else 0


def comma_before_select(tokens: Tokens, position: int, files: list[str]) -> int:
    """The comma after the last expression of WITH."""
    last = word_at(tokens, position) == "," and word_at(tokens, position + 1) == "SELECT"
    return position + 1 if last else 0


def named_arguments(tokens: Tokens, files: list[str]) -> Tokens:
    """ClickHouse's view(from = 1): a keyword before `=` is the name of a parameter."""
    return as_names(
        tokens,
        lambda position, token: (
            word_at(tokens, position - 1) in ("(", ",")
            and word_at(tokens, position + 1) == "="
            and token.text.isalpha()
        ),
    )


_ENDS_ITEMS = frozenset(
    "HAVING LIMIT OFFSET WINDOW QUALIFY SETTINGS FORMAT UNION INTERSECT EXCEPT INTO WITH".split()
)


def named_items(tokens: Tokens, files: list[str]) -> Tokens:
    """GROUP BY toDate(t) AS day: the item in parentheses, in which the parser takes an alias."""
    kept: Tokens = []
    starts: list[int] = [-1]  # of the item in each open parenthesis; -1 outside of such a clause
    position = 0
    while position < len(tokens):
        token, word = tokens[position], word_at(tokens, position)
        kept.append(token)
        if token.token_type == TokenType.L_PAREN:
            starts.append(-1)
        elif token.token_type == TokenType.R_PAREN and len(starts) > 1:
            starts.pop()
        elif word in ("GROUP BY", "ORDER BY") or (word == "," and starts[-1] >= 0):
            starts[-1] = len(kept)
        elif word in _ENDS_ITEMS or token.token_type == TokenType.PIPE_GT:
            starts[-1] = -1
        elif token.token_type == TokenType.ALIAS and starts[-1] >= 0 and position + 1 < len(tokens):
            kept.insert(starts[-1], like(token, TokenType.L_PAREN, "("))
            kept += [tokens[position + 1], like(token, TokenType.R_PAREN, ")")]
            position += 1
        position += 1
    return kept if len(kept) > len(tokens) else tokens


def into_function(tokens: Tokens, files: list[str]) -> Tokens:
    """INSERT INTO FUNCTION remote('host', 'db', 't') (a, b): the table instead of the function.

    The column list of another function, which the parser does not take either, is left out.
    """
    words = [word_at(tokens, n) for n in range(4)]
    start = words.index("FUNCTION") + 1 if "FUNCTION" in words else len(tokens)
    after = closing(tokens, start + 1) if opens(tokens, start + 1) else len(tokens)
    if words[:2] != ["INSERT", "INTO"] or not opens(tokens, after):
        return tokens
    given = items_of(tokens[start + 2 : after - 1])[1:3]
    named = [item[0] for item in given if item[0].token_type == TokenType.STRING]
    if word_at(tokens, start).casefold() in REMOTE and len(named) == 2:
        database, table = (like(token, TokenType.IDENTIFIER, token.text) for token in named)
        dot = like(database, TokenType.DOT, ".")
        return [*tokens[:2], database, dot, table, *tokens[after:]]
    return [*tokens[:after], *tokens[closing(tokens, after) :]]


_OPERATORS = {"MOD": TokenType.MOD, "DIV": TokenType.SLASH}
_VALUES = frozenset({TokenType.VAR, TokenType.IDENTIFIER, TokenType.NUMBER, TokenType.R_PAREN})
_UNIONS = frozenset({"ALL", "DISTINCT"})


def rare_words(tokens: Tokens, files: list[str]) -> Tokens:
    """`a MOD b` and `a DIV b`, a UNION that says neither ALL nor DISTINCT, dictionary('d') AS d."""
    kept: Tokens = []
    for position, token in enumerate(tokens):
        word, following = word_at(tokens, position), word_at(tokens, position + 1)
        operates = position and tokens[position - 1].token_type in _VALUES
        if word in _OPERATORS and operates and following not in (",", ")", ".", "FROM", "AS"):
            kept.append(like(token, _OPERATORS[word], word))
        elif word == "DICTIONARY" and following == "(":
            kept.append(like(token, TokenType.VAR, token.text))
        else:
            kept.append(token)
        if word == "UNION" and following not in _UNIONS:
            kept.append(like(token, TokenType.DISTINCT, "DISTINCT"))
    return kept if any(a is not b for a, b in zip(kept, tokens, strict=False)) else tokens


def top(tokens: Tokens, position: int, files: list[str]) -> int:
    """SELECT TOP 5 WITH TIES a."""
    if word_at(tokens, position) != "TOP" or word_at(tokens, position - 1) not in _BEFORE_TOP:
        return 0
    if position + 1 >= len(tokens) or tokens[position + 1].token_type != TokenType.NUMBER:
        return 0
    ties = [word_at(tokens, position + n) for n in (2, 3)] == ["WITH", "TIES"]
    return position + (4 if ties else 2)


def of_order(tokens: Tokens, position: int, files: list[str]) -> int:
    """ORDER BY a DESC COLLATE 'en' LIMIT 0, 5 WITH TIES, which changes no rows' columns."""
    word = word_at(tokens, position)
    if word == "COLLATE" and position + 1 < len(tokens):
        return position + 2 if tokens[position + 1].token_type == TokenType.STRING else 0
    ties = word == "WITH" and word_at(tokens, position + 1) == "TIES"
    return position + 2 if ties and word_at(tokens, position + 2) not in ("AS", "(") else 0


def of_sample(tokens: Tokens, position: int, files: list[str]) -> int:
    """The OFFSET 1/2 of SAMPLE 1/10 OFFSET 1/2."""
    if word_at(tokens, position) != "OFFSET":
        return 0
    before = position - (4 if word_at(tokens, position - 2) == "/" else 2)
    if word_at(tokens, before) != "SAMPLE":
        return 0
    return position + (4 if word_at(tokens, position + 2) == "/" else 2)


_BEFORE_TOP = frozenset({"SELECT", "DISTINCT"})


def joined_arrays(tokens: Tokens, files: list[str]) -> Tokens:
    """ARRAY JOIN m::Array(String) AS x: what is neither a name nor a call in a call."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        kept.append(tokens[position])
        position += 1
        if [word_at(tokens, position - n) for n in (2, 1)] != ["ARRAY", "JOIN"]:
            continue
        end = position
        while end < len(tokens) and not _ends_arrays(tokens, end):
            end = closing(tokens, end) if opens(tokens, end) else end + 1
        for item in items_of(tokens[position:end]):
            if kept[-1].token_type != TokenType.JOIN:
                kept.append(like(item[0], TokenType.COMMA, ","))
            value, alias = item[:-2], item[-2:]
            if word_at(item, len(item) - 2) == "AS" and not _is_call(value):
                item = [*called("identity", item[0], value), *alias]
            kept += item
        position = end
    return kept if len(kept) > len(tokens) else tokens


def _is_call(tokens: Tokens) -> bool:
    """Whether an expression is a name or a call and nothing more."""
    start = next((n for n in range(len(tokens)) if opens(tokens, n)), len(tokens))
    name = tokens[:start]
    plain = all(token.token_type in (TokenType.DOT, *_NAMES) for token in name)
    return bool(name) and plain and start in (len(tokens), _opening_of_end(tokens))


def _opening_of_end(tokens: Tokens) -> int:
    """Where the parenthesis opens that the last token closes; -1 for none."""
    for position in range(len(tokens)):
        if opens(tokens, position) and closing(tokens, position) == len(tokens):
            return position
    return -1


_NAMES = frozenset({TokenType.VAR, TokenType.IDENTIFIER})
_AFTER_ARRAYS = _ENDS_ITEMS.union(
    ("GROUP BY", "ORDER BY", "|>", ")", ";", "WHERE", "PREWHERE", "SELECT", "JOIN", "INNER"),
    ("FULL", "CROSS", "ASOF", "SEMI", "ANTI", "GLOBAL", "PASTE", "NATURAL"),
)
_ALSO_FUNCTIONS = frozenset({"LEFT", "RIGHT", "ANY", "ALL", "ARRAY"})


def _ends_arrays(tokens: Tokens, position: int) -> bool:
    word = word_at(tokens, position)
    return word in _AFTER_ARRAYS or (word in _ALSO_FUNCTIONS and not opens(tokens, position + 1))


def parameters(tokens: Tokens, files: list[str]) -> Tokens:
    """sparkbar(9)(a, b) as a call of `sparkbar(9)`: the parser knows only some such functions."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        end = position + 1
        if token.token_type == TokenType.VAR and word_at(tokens, position - 1) not in _BEFORE_NAMES:
            after = closing(tokens, end) if opens(tokens, end) else end
            if opens(tokens, after) and word_at(tokens, after + 1) not in ("SELECT", "WITH"):
                text = "".join(token.text for token in tokens[position:after])
                token, end = like(token, TokenType.VAR, text), after
        kept.append(token)
        position = end
    return kept if len(kept) < len(tokens) else tokens


_BEFORE_NAMES = frozenset("INTO TABLE VIEW FUNCTION JOIN USING AS TO .".split())


OF_CLICKHOUSE = (
    *map(dropping, (outfile, limit_by, paste, outer, of_change, top)),
    *map(dropping, (collation, comma_before_select, of_order, of_sample)),
    rare_words,
    with_known_operators,
    named_arguments,
    named_items,
    column_sets,
    into_function,
    joined_arrays,
    parameters,
)
