"""Columns that a query picks by a pattern: COLUMNS('re'), * LIKE 'a%' and * APPLY(f)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

PICKS = (exp.Columns, exp.Apply, exp.Like, exp.ILike, exp.Glob, exp.SimilarTo)
"""What picks columns where it is a projection itself; the last four only of a star."""
_LIKES = (exp.Like, exp.ILike, exp.Glob, exp.SimilarTo)
HAS_COLUMNS = re.compile(r"\bcolumns\s*\(", re.IGNORECASE)
"""Found in every text in which COLUMNS may stand within an expression."""
_QUANTIFIER = re.compile(r"[*+?{]")
MAX_QUANTIFIERS = 3
"""Of a pattern that is tried on names: more of them may cost without end."""

Match = Callable[[str], "re.Match[str] | None"]


@dataclass(frozen=True)
class Pick:
    """A star, which of its columns are meant, and how the output columns are called."""

    star: exp.Expr
    match: Match
    alias: str = ""
    applied: tuple[str, ...] = ()
    rest: exp.Expr | None = None
    """The expression around COLUMNS, without it."""

    def name_of(self, column: str, found: re.Match[str]) -> str:
        """The name of the output column that a picked column gives."""
        if "\\" in self.alias:
            groups = re.sub(r"\\(\d)", r"\\g<\1>", self.alias)
            try:
                return found.expand(groups)
            except (re.error, IndexError):
                return self.alias
        name = self.alias or column
        for function in self.applied:
            name = f"{function}({name})"
        return name


def pick_of(item: exp.Expr, *, within: bool = False) -> Pick | None:
    """What a projection picks; with `within` also by a COLUMNS inside it. None if not told."""
    alias = item.alias if isinstance(item, exp.Alias) else ""
    value = item.this if isinstance(item, exp.Alias) else item
    applied: list[str] = []
    while isinstance(value, exp.Apply):
        if not isinstance(value.expression, exp.Var):
            return None
        applied.insert(0, value.expression.name)
        value = value.this
    if isinstance(value, _LIKES):
        star = value.this
        match = _like(value)
        return Pick(star, match, alias) if isinstance(star, exp.Star) and match else None
    if applied and (isinstance(value, exp.Star) or _is_qualified_star(value)):
        return Pick(value, _ANY, alias, tuple(applied))
    if within and isinstance(value, exp.Dot):  # ClickHouse's t.COLUMNS('re')
        value = _qualified(value)
    node = value if isinstance(value, exp.Columns) else None
    if node is None and within:
        node = value.find(exp.Columns)
    if node is None or node.args.get("unpack"):
        return None
    star, found = picked_by(node)
    if found is None:
        return None
    rest = None
    if node is not value:
        rest = value.copy()
        for other in list(rest.find_all(exp.Columns)):
            other.replace(exp.Null())
    return Pick(star, found, alias, tuple(applied), rest)


def picked_by(node: exp.Columns) -> tuple[exp.Expr, Match | None]:
    """The star that COLUMNS(...) means, and the columns of it; None where they are not told."""
    value = node.this
    star: exp.Expr = exp.Star()
    table = node.args.get("table")
    if table is not None:
        star = exp.Column(this=star, table=table)
    if isinstance(value, exp.Star) or _is_qualified_star(value):
        return value, _ANY
    if isinstance(value, exp.Literal) and value.is_string:
        return star, _searching(value.name)
    if isinstance(value, exp.Array) and all(isinstance(i, exp.Literal) for i in value.expressions):
        names = "|".join(re.escape(literal.name) for literal in value.expressions)
        return star, re.compile(names, re.IGNORECASE).fullmatch
    if isinstance(value, exp.Lambda) and len(value.expressions) == 1:
        return star, _test(value.this, value.expressions[0].name)
    return star, None


def _test(node: exp.Expr, parameter: str) -> Match | None:
    """A test of a column's name, such as `c -> c LIKE 'a%' AND c <> 'ab'`."""
    if isinstance(node, exp.Paren):
        return _test(node.this, parameter)
    if isinstance(node, exp.Not):
        inner = _test(node.this, parameter)
        return None if inner is None else _without(inner)
    if isinstance(node, (exp.And, exp.Or)):
        left, right = _test(node.this, parameter), _test(node.expression, parameter)
        if left is None or right is None:
            return None
        if isinstance(node, exp.And):
            return lambda name: left(name) and right(name)
        return lambda name: left(name) or right(name)
    if not isinstance(node, (*_LIKES, exp.EQ, exp.NEQ, exp.In, exp.RegexpLike)):
        return None
    if node.this.name != parameter or isinstance(node.this, exp.Literal):
        return None
    if isinstance(node, _LIKES):
        return _like(node)
    values = node.expressions if isinstance(node, exp.In) else [node.expression]
    if not values or not all(isinstance(item, exp.Literal) and item.is_string for item in values):
        return None
    if isinstance(node, exp.RegexpLike):
        return _searching(values[0].name)
    same = re.compile("|".join(re.escape(item.name) for item in values)).fullmatch
    return _without(same) if isinstance(node, exp.NEQ) else same


def _without(match: Match) -> Match:
    return lambda name: None if match(name) else _ANY(name)


def _qualified(value: exp.Dot) -> exp.Expr:
    table, call = value.this, value.expression
    named = isinstance(call, exp.Anonymous) and call.name.casefold() == "columns"
    if not named or not isinstance(table, exp.Identifier) or len(call.expressions) != 1:
        return value
    return exp.Columns(this=call.expressions[0], table=table)


def _is_qualified_star(value: exp.Expr | None) -> bool:
    return isinstance(value, exp.Column) and isinstance(value.this, exp.Star)


_ANY = re.compile(".*", re.DOTALL).fullmatch


def _searching(text: str) -> Match | None:
    """A search for a pattern; None for one that Python lacks or that may cost too much."""
    quantified = _QUANTIFIER.findall(text)
    if len(quantified) > MAX_QUANTIFIERS or any(f"){mark}" in text for mark in quantified):
        return None
    try:
        return re.compile(text).search
    except (re.error, OverflowError):
        return None


def hides(name: str, except_: exp.Expr) -> bool:
    """Whether ClickHouse's `* EXCEPT ('re')` leaves out a column."""
    match = _searching(except_.name) if isinstance(except_, exp.Literal) else None
    return match is not None and match(name) is not None


def like_of(text: str) -> re.Pattern[str]:
    """The expression of Snowflake's ILIKE pattern over folded names."""
    return re.compile(_expression(text.casefold(), _PERCENT))


_PERCENT = {"%": ".*", "_": "."}
_ASTERISK = {"*": ".*", "?": "."}


def _expression(text: str, words: dict[str, str]) -> str:
    return "".join(words.get(character, re.escape(character)) for character in text)


def _like(node: exp.Expr) -> Match | None:
    pattern = node.expression
    if not isinstance(pattern, exp.Literal):
        return None
    if isinstance(node, exp.SimilarTo):
        found = _searching(f"^(?:{pattern.name})$")
    else:
        words = _ASTERISK if isinstance(node, exp.Glob) else _PERCENT
        if sum(pattern.name.count(word) for word in words) > MAX_QUANTIFIERS:
            return None
        flags = re.IGNORECASE if isinstance(node, exp.ILike) else 0
        found = re.compile(_expression(pattern.name, words), flags | re.DOTALL).fullmatch
    return _without(found) if found is not None and node.args.get("negate") else found
