"""What an output column of a query is: a table's column as it is, a value of a known type. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

COLUMN = "column"
"""A table's column, whatever its type."""

_TYPES = {
    exp.DType.BIGINT: "BIGINT",
    exp.DType.BOOLEAN: "BOOLEAN",
    exp.DType.DATE: "DATE",
    exp.DType.DATE32: "DATE",
    exp.DType.DECIMAL: "DECIMAL",
    exp.DType.DOUBLE: "DOUBLE",
    exp.DType.FLOAT: "FLOAT",
    exp.DType.INT: "INT",
    exp.DType.SMALLINT: "SMALLINT",
    exp.DType.TEXT: "STRING",
    exp.DType.TIMESTAMP: "TIMESTAMP",
    exp.DType.TIMESTAMPTZ: "TIMESTAMPZ",
    exp.DType.VARCHAR: "STRING",
}
"""Types of a CAST as OpenMetadata names them, where both mean the same; a result has no length."""
_CONDITIONS = (exp.Predicate, exp.Not, exp.And, exp.Or)


@dataclass(frozen=True)
class Outputs:
    """The outputs of a query by name; one that is not certain is None."""

    kinds: Mapping[str, str | None] = field(default_factory=dict)
    """`COLUMN`, a type such as BIGINT, or None."""
    star: bool = False
    """Columns that are not named in `kinds` are those of the one table, as they are."""

    def kind(self, name: str) -> str | None:
        """What one output is."""
        if name in self.kinds:
            return self.kinds[name]
        return COLUMN if self.star else None


@lru_cache(maxsize=20_000)
def outputs(text: str, dialect: str) -> Outputs:
    """What a statement's outputs are, through CTEs, subqueries and unions.

    Nothing is certain of a text that cannot be parsed: the ledger of statements names it, here it
    just has no types.
    """
    try:
        tree = sqlglot.parse_one(text, dialect=dialect)
    except (sqlglot.errors.SqlglotError, RecursionError):
        return Outputs()
    if not isinstance(tree, exp.Query) or tree.find(exp.Pivot):
        return Outputs()
    scope = build_scope(tree)
    return _outputs(scope) if scope else Outputs()


def _outputs(scope: Scope) -> Outputs:
    if isinstance(scope.expression, exp.SetOperation):
        left, right = (_outputs(part) for part in scope.set_operation_scopes)
        if left.star or right.star or len(left.kinds) != len(right.kinds):
            return Outputs()
        # By position; the names are those of the first query.
        pairs = zip(left.kinds.items(), right.kinds.values(), strict=True)
        return Outputs({name: kind if kind == other else None for (name, kind), other in pairs})
    if not isinstance(scope.expression, exp.Select):
        return Outputs()
    sources = _sources(scope)
    kinds: dict[str, str | None] = {}
    star = False
    for item in scope.expression.expressions:
        if not item.is_star:
            kinds[item.alias_or_name] = _kind(item.unalias(), scope)
        elif item.args.get("except_") or item.args.get("replace"):
            return Outputs()
        elif len(sources) != 1:
            star = star or all(isinstance(each, exp.Table) for each in sources.values())
        else:
            (source,) = sources.values()
            if isinstance(source, Scope):
                inner = _outputs(source)
                kinds |= inner.kinds
                star = star or inner.star
            else:
                star = True
    return Outputs(kinds, star)


def _sources(scope: Scope) -> dict[str, exp.Expression | Scope]:
    """What FROM and JOIN name; other CTEs are not among them."""
    return {name: source for name, (_, source) in scope.selected_sources.items()}


def _kind(item: exp.Expression, scope: Scope) -> str | None:
    if isinstance(item, exp.Paren):
        return _kind(item.this, scope)
    if isinstance(item, exp.Column):
        return _column(item, scope)
    if isinstance(item, (exp.Cast, exp.TryCast)):
        return _TYPES.get(item.to.this)
    if isinstance(item, (exp.Count, exp.RowNumber)) or (
        isinstance(item, exp.Window) and isinstance(item.this, (exp.Count, exp.RowNumber))
    ):
        return "BIGINT"
    if isinstance(item, _CONDITIONS):
        return "BOOLEAN"
    return None


def _column(column: exp.Column, scope: Scope) -> str | None:
    sources = _sources(scope)
    if not column.table and len(sources) > 1:
        # It may come from any of them: certain only if all are tables.
        return COLUMN if all(isinstance(each, exp.Table) for each in sources.values()) else None
    source = sources.get(column.table) if column.table else next(iter(sources.values()), None)
    if isinstance(source, exp.Table):
        return COLUMN
    if not isinstance(source, Scope) or source.is_udtf:
        return None
    return _outputs(source).kind(column.name)
