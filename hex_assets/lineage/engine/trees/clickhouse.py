"""What ClickHouse's queries have that no other dialect has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.dialects import parser, tokenizer
from hex_assets.lineage.engine.names import constant_text, parts_of_text
from hex_assets.lineage.engine.reading import Env, Reading
from hex_assets.lineage.engine.relations import NOTHING, SURE, Derived, Origins, Source
from hex_assets.lineage.engine.scopes import Later, Scope

_CLAUSES = ("prewhere", "where", "group", "having", "qualify", "order")


_AFTER_FROM = frozenset(
    {TokenType.WHERE, TokenType.PREWHERE, TokenType.GROUP_BY, TokenType.HAVING}
    | {TokenType.QUALIFY, TokenType.ORDER_BY}
)


def aliases_in_clauses(chunk: list[Token]) -> bool:
    """Whether a clause after FROM may give an alias: most do not, and need no search for one."""
    after = False
    for token in chunk:
        kind = token.token_type
        if kind in _AFTER_FROM:
            after = True
        elif after and kind == TokenType.ALIAS:
            return True
    return False


def later_aliases(node: exp.Select, *, in_clauses: bool) -> dict[str, exp.Expr]:
    """The aliases of a SELECT by folded name: any clause may give one, and any may use it."""
    found: dict[str, exp.Expr] = {}
    for item in node.expressions:
        if isinstance(item, exp.Alias):
            found.setdefault(item.alias.casefold(), item.this)
    for clause in _CLAUSES if in_clauses else ():
        tree = node.args.get(clause)
        if tree is not None:
            for item in tree.find_all(exp.Alias):
                if item.find_ancestor(exp.Query) is node:
                    found.setdefault(item.alias.casefold(), item.this)
    return found


def as_lambda(node: exp.Expr) -> exp.Expr:
    """`x -> x * a` of a WITH, in which the parser takes `x -> x` for a field of JSON."""
    arrow: object = node
    while isinstance(arrow, exp.Binary) and not isinstance(arrow, exp.JSONExtract):
        arrow = arrow.this
    if not isinstance(arrow, exp.JSONExtract):
        return node
    given = arrow.this
    names = given.expressions if isinstance(given, exp.Tuple) else [given]
    parameters = [exp.to_identifier(name.name) for name in names]
    body = arrow.expression
    arrow.replace(body)
    return exp.Lambda(this=body if arrow is node else node, expressions=parameters)


@contextmanager
def usable_aliases(scope: Scope, joined: list[exp.Expr]) -> Iterator[None]:
    """ARRAY JOIN may take an alias of the SELECT that is not made of what it gives itself."""
    later, aliases = scope.later, scope.aliases
    names = {item.alias_or_name.casefold() for item in joined}
    usable = {
        key: value
        for key, value in later.expressions.items()
        if not any(column.name.casefold() in names for column in value.find_all(exp.Column))
    }
    scope.later, scope.aliases = Later(usable), {}
    try:
        yield
    finally:
        scope.later, scope.aliases = later, aliases


def nested_column(path: list[str], scope: Scope) -> Origins | None:
    """The column `n.key` of a Nested, which the catalog has under its whole name."""
    level: Scope | None = scope
    while level is not None:
        for source, name in _within(path, level):
            certainty, found = source.relation.lookup(name.casefold(), name)
            if certainty == SURE:
                return found
        level = level.parent
    return None


def nested_rows(item: exp.Expr, scope: Scope) -> Derived | None:
    """The columns of a Nested that ARRAY JOIN unfolds as one; None of anything else."""
    value = item.this if isinstance(item, exp.Alias) else item
    if not isinstance(value, exp.Column):
        return None
    rows = Derived()
    for source, name in _within([part.name for part in value.parts], scope):
        start = f"{name.casefold()}."
        for column, origins in source.relation.star() if not source.relation.is_open() else ():
            if column.casefold().startswith(start):
                rows.add(column[len(start) :], origins)
    return rows if rows.items else None


def _within(path: list[str], scope: Scope) -> Iterator[tuple[Source, str]]:
    for source in scope.sources:
        of_source = len(path) > 1 and path[0].casefold() == source.name
        yield source, ".".join(path[1:] if of_source else path)


def parsed_query(text: str) -> exp.Query | None:
    """The query that a string is; None for one that is not understood."""
    try:
        trees = parser("clickhouse").parse(tokenizer("clickhouse").tokenize(text), text)
    except RecursionError:
        raise
    except Exception:  # as of the statement itself
        return None
    tree = trees[0] if len(trees) == 1 else None
    return tree if isinstance(tree, exp.Query) else None


def in_name(node: exp.In, env: Env) -> exp.Column | None:
    """The name after IN that may be a table: `x IN ids`, `x IN (db.ids)` or `x IN (cte)`."""
    field = node.args.get("field")
    if isinstance(field, exp.Column):
        return field
    given = node.expressions
    if len(given) != 1 or not isinstance(given[0], exp.Column):
        return None
    return given[0] if given[0].table or given[0].name.casefold() in env else None


def joined_value(call: exp.Anonymous, scope: Scope, reading: Reading) -> Origins:
    """The column that joinGet('db.t', 'column', key) reads from a table of the engine Join."""
    given = call.expressions
    if call.name.casefold() not in _JOIN_GETS or len(given) < 2:
        return NOTHING
    parts, column = _table_given(given[0], scope), constant_text(given[1])
    if not parts or column is None:
        return NOTHING
    return frozenset({(reading.source(parts), column)})


def _table_given(node: exp.Expr, scope: Scope) -> tuple[str, ...]:
    """The table that a string, a bare name or an alias of a string names."""
    level: Scope | None = scope if isinstance(node, exp.Column) and not node.table else None
    value: exp.Expr = node
    while level is not None and value is node:
        key = node.name.casefold()
        cte = level.named.get(key)
        value = cte.node if cte is not None else level.later.expressions.get(key, node)
        level = level.parent
    if isinstance(value, exp.Column):
        return tuple(part.name for part in value.parts) if value is node else ()
    text = constant_text(value)
    return () if text is None else parts_of_text(text)


def values_given(call: exp.Anonymous) -> list[exp.Expr]:
    """What a function is given, but for the bare name of a dictionary or of a joined table."""
    # Of `view(` at a text's end the parser makes a call that is given None.
    function, given = call.name.casefold(), [item for item in call.expressions if item]
    names = function in _JOIN_GETS or function.startswith(_DICTIONARIES)
    return given[1:] if names and given and isinstance(given[0], exp.Column) else given


_JOIN_GETS = frozenset({"joinget", "joingetornull"})
_DICTIONARIES = ("dictget", "dicthas", "dictisin")
