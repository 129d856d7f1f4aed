"""ClickHouse's COLUMNS(...) and `*` with their modifiers, in the forms that sqlglot has."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.clauses.rewriting import (
    Tokens,
    called,
    items_of,
    like,
    listed,
    opens,
)
from hex_assets.lineage.engine.words import closing, word_at

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
                self.left_out += [item[0] for item in items_of(inner)]
            elif word == "REPLACE":
                self.given += items_of(inner)
            else:
                text = "".join(token.text for token in inner)
                self.applied.append(like(inner[0], TokenType.VAR, text))
            self.end = after

    def after_star(self, at: Token) -> Tokens:
        """The modifiers in the order and form of the parser."""
        words: Tokens = []
        if self.left_out:
            words += [like(at, TokenType.EXCEPT, "EXCEPT"), *listed([[t] for t in self.left_out])]
        if self.given:
            words += [like(at, TokenType.REPLACE, "REPLACE"), *listed(self.given)]
        return [*words, *self.applications(at)]

    def applications(self, at: Token) -> Tokens:
        """APPLY of each function."""
        found: Tokens = []
        for function in self.applied:
            found += [like(at, TokenType.APPLY, "APPLY"), *listed([[function]])]
        return found


def _picked(call: Tokens, changes: _Modifiers, *, qualified: bool) -> Tokens:
    """COLUMNS('re') as a test of names, COLUMNS(a, b) as these columns."""
    at, items = call[0], items_of(call[2:-1])
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
    return listed(columns)[1:-1]


_NAME = "name"


def _matches(pattern: Token) -> Tokens:
    name, comma = like(pattern, TokenType.VAR, _NAME), like(pattern, TokenType.COMMA, ",")
    return called("match", pattern, [name, comma, pattern])


def _equals(column: Token) -> Tokens:
    text = like(column, TokenType.STRING, column.text)
    return [like(column, TokenType.VAR, _NAME), like(column, TokenType.EQ, "="), text]
