"""Clauses of ClickHouse that sqlglot's grammar lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.clauses_mysql import outfile
from hex_assets.lineage.engine.functions import REMOTE
from hex_assets.lineage.engine.pipes import with_known_operators
from hex_assets.lineage.engine.rewriting import Tokens, as_names, called, dropping, like, opens
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
        for end in range(position + 2, len(tokens)):
            if word_at(tokens, end) == "WHERE":
                return end
    return 0


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


_MODIFIERS = frozenset({"EXCEPT", "REPLACE", "APPLY"})


def column_sets(tokens: Tokens, files: list[str]) -> Tokens:
    """COLUMNS(...) and `*` with EXCEPT, REPLACE and APPLY of every form, as the parser has them."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        named = word_at(tokens, position) == "COLUMNS" and opens(tokens, position + 1)
        before = word_at(tokens, position - 1)
        starred = tokens[position].token_type == TokenType.STAR and before in _BEFORE_STAR
        if not (named or starred):
            kept.append(tokens[position])
            position += 1
            continue
        end = closing(tokens, position + 1) if named else position + 1
        changes = _Modifiers(tokens, end)
        if starred:
            kept += [tokens[position], *changes.after_star(tokens[position])]
        else:
            kept += _picked(tokens[position:end], changes, qualified=before == ".")
        position = changes.end
    return kept


_BEFORE_STAR = frozenset({"SELECT", "DISTINCT", ",", "."})


class _Modifiers:
    """What follows a star or COLUMNS: the names left out, those given anew, what is applied."""

    def __init__(self, tokens: Tokens, start: int) -> None:
        self.left_out: Tokens = []
        self.given: list[Tokens] = []
        self.applied: Tokens = []
        self.end = start
        while (word := word_at(tokens, self.end)) in _MODIFIERS:
            start = self.end + 1 + (word_at(tokens, self.end + 1) == "STRICT")
            within = opens(tokens, start)
            after = closing(tokens, start) if within else start + 1
            inner = tokens[start + 1 : after - 1] if within else tokens[start:after]
            if not inner or word_at(inner, 0) in ("SELECT", "WITH", "("):  # a set operation
                break
            if word == "EXCEPT":
                self.left_out += [item[0] for item in _items(inner)]
            elif word == "REPLACE":
                self.given += _items(inner)
            else:
                text = "".join(token.text for token in inner)
                self.applied.append(like(inner[0], TokenType.VAR, text))
            self.end = after

    def after_star(self, at: Token) -> Tokens:
        """The modifiers in the order and form of the parser."""
        words: Tokens = []
        if self.left_out:
            words += [like(at, TokenType.EXCEPT, "EXCEPT"), *_listed([[t] for t in self.left_out])]
        if self.given:
            words += [like(at, TokenType.REPLACE, "REPLACE"), *_listed(self.given)]
        return [*words, *self.applications(at)]

    def applications(self, at: Token) -> Tokens:
        """APPLY of each function."""
        found: Tokens = []
        for function in self.applied:
            found += [like(at, TokenType.APPLY, "APPLY"), *_listed([[function]])]
        return found


def _picked(call: Tokens, changes: _Modifiers, *, qualified: bool) -> Tokens:
    """COLUMNS('re') as a test of names, COLUMNS(a, b) as these columns."""
    at, items = call[0], _items(call[2:-1])
    instead = {item[-1].text.casefold(): item for item in changes.given}
    if len(items) == 1 and items[0][0].token_type == TokenType.STRING:
        tests = _matches(items[0][0])
        for token in [*changes.left_out, *(item[-1] for item in changes.given)]:
            is_pattern = token.token_type == TokenType.STRING
            test = _matches(token) if is_pattern else _equals(token)
            tests += [like(at, TokenType.AND, "AND"), like(at, TokenType.NOT, "NOT"), *test]
        if changes.left_out or changes.given:
            arrow = like(at, TokenType.ARROW, "->")
            call = [*call[:2], like(at, TokenType.VAR, _NAME), arrow, *tests, call[-1]]
        found = [*call, *changes.applications(at)]
        for item in changes.given:
            found += [like(at, TokenType.COMMA, ","), *item]
        return found
    if qualified or any(len(item) != 1 for item in items):
        return [*call, *changes.after_star(at)]
    hidden = {token.text.casefold() for token in changes.left_out}
    columns = []
    for item in items:
        if item[0].text.casefold() not in hidden:
            column = instead.get(item[0].text.casefold(), item)
            for function in changes.applied:
                column = called(function.text, at, column)
            columns.append(column)
    return _listed(columns)[1:-1]


_NAME = "name"


def _matches(pattern: Token) -> Tokens:
    name, comma = like(pattern, TokenType.VAR, _NAME), like(pattern, TokenType.COMMA, ",")
    return called("match", pattern, [name, comma, pattern])


def _equals(column: Token) -> Tokens:
    text = like(column, TokenType.STRING, column.text)
    return [like(column, TokenType.VAR, _NAME), like(column, TokenType.EQ, "="), text]


def _items(tokens: Tokens) -> list[Tokens]:
    """What stands between the commas."""
    found: list[Tokens] = [[]]
    position = 0
    while position < len(tokens):
        end = closing(tokens, position) if opens(tokens, position) else position + 1
        if tokens[position].token_type == TokenType.COMMA:
            found.append([])
        else:
            found[-1] += tokens[position:end]
        position = end
    return [item for item in found if item]


def _listed(items: list[Tokens]) -> Tokens:
    """Items in parentheses."""
    at = items[0][0]
    found = [like(at, TokenType.L_PAREN, "(")]
    for item in items:
        found += [*([like(at, TokenType.COMMA, ",")] if len(found) > 1 else []), *item]
    return [*found, like(at, TokenType.R_PAREN, ")")]


def into_function(tokens: Tokens, files: list[str]) -> Tokens:
    """INSERT INTO FUNCTION remote('host', 'db', 't') (a, b): the table instead of the function.

    The column list of another function, which the parser does not take either, is left out.
    """
    words = [word_at(tokens, n) for n in range(4)]
    start = words.index("FUNCTION") + 1 if "FUNCTION" in words else len(tokens)
    after = closing(tokens, start + 1) if opens(tokens, start + 1) else len(tokens)
    if words[:2] != ["INSERT", "INTO"] or not opens(tokens, after):
        return tokens
    given = _items(tokens[start + 2 : after - 1])[1:3]
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


_BEFORE_TOP = frozenset({"SELECT", "DISTINCT"})


OF_CLICKHOUSE = (
    *map(dropping, (outfile, limit_by, paste, outer, of_change, top)),
    rare_words,
    with_known_operators,
    named_arguments,
    named_items,
    column_sets,
    into_function,
)
