"""Follows the fields of structs that a query makes itself: BigQuery's STRUCT, AS STRUCT, rows."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from hex_assets.lineage.engine.reading import Env
from hex_assets.lineage.engine.relations import Derived, Relation, merged
from hex_assets.lineage.engine.scopes import Scope
from hex_assets.lineage.engine.trees.reader import ExpressionReader
from hex_assets.lineage.engine.trees.unions import united

_SAME_FIELDS: tuple[type[exp.Expr], ...] = (
    *(exp.ArrayAgg, exp.AnyValue, exp.IgnoreNulls, exp.RespectNulls, exp.Limit, exp.Order),
    *(exp.HavingMax, exp.Bracket, exp.Paren, exp.Distinct, exp.ArrayReverse, exp.ArgMax),
    *(exp.ArgMin, exp.FirstValue, exp.LastValue, exp.Lag, exp.Lead, exp.Window, exp.Alias),
    *(exp.ArrayConcatAgg, exp.ArrayFirst, exp.ArrayLast, exp.Max, exp.Min, exp.ArraySlice),
)
"""What gives one or more of the structs that it is given."""
_CHOICES = frozenset({exp.If, exp.Case, exp.Coalesce, exp.Nullif, exp.ArrayConcat})
"""What gives the structs of one or the other of its branches."""
STRUCTURED = frozenset(
    {*_SAME_FIELDS, *_CHOICES, exp.Struct, exp.Array, exp.Subquery, exp.Dot, exp.Cast}
)
"""Expressions that may give structs; so may a column."""
_MAKES = frozenset({exp.Struct, exp.ArrayAgg, exp.Array, exp.Subquery, exp.Cast, exp.Bracket})


class StructReader(ExpressionReader):
    """Which fields a struct has, and where each of them comes from."""

    def fields(self, node: exp.Expr, scope: Scope, env: Env) -> Relation | None:
        """The fields of an expression's structs; None where it is not told."""
        if self.dialect != "bigquery":
            return None
        kind: Any = type(node)
        while kind in _SAME_FIELDS:
            inner = node.this
            if kind is exp.Distinct and len(node.expressions) == 1:
                inner = node.expressions[0]
            if not isinstance(inner, exp.Expr):
                return None
            node, kind = inner, type(inner)
        found: Relation | None = None
        if isinstance(node, exp.Column):
            found = scope.struct([part.name for part in node.parts])
        elif kind is exp.Struct:
            found = self._of_struct(node.expressions, [], scope, env)
        elif kind is exp.Array:
            found = self._of_array(node, [], scope, env)
        elif kind is exp.Cast:
            found = self._of_cast(node, scope, env)
        elif kind is exp.Dot and isinstance(node.expression, exp.Identifier):
            outer = self.fields(node.this, scope, env)
            found = outer.fields_of(node.expression.name.casefold()) if outer else None
        elif kind is exp.Subquery and isinstance(node.this, exp.Select):
            found = self._of_query(node.this, scope, env)
        elif kind in _CHOICES:
            found = self._of_choice(node, scope, env)
        if found is not None:
            self.reading.has_structs = True
        return found

    def _of_choice(self, node: exp.Expr, scope: Scope, env: Env) -> Relation | None:
        """The fields that all branches have, which come from the conditions, too."""
        given = [node.args.get(key) for key in ("this", "true", "false", "default")]
        branches = [item for item in [*given, *node.expressions] if isinstance(item, exp.Expr)]
        conditions: list[exp.Expr] = []
        if isinstance(node, (exp.If, exp.Case)):
            conditions = branches[:1] if given[0] is not None else []
            branches = branches[len(conditions) :]
            ifs = node.args.get("ifs") or ()
            conditions += [item.this for item in ifs]
            branches = [*(item.args["true"] for item in ifs), *branches]
        branches = [item for item in branches if not isinstance(item, exp.Null)]
        made = self.reading.has_structs or any(type(item) in _MAKES for item in branches)
        found: Relation | None = None
        for branch in branches if made else ():
            one = self.fields(branch, scope, env)
            if one is None:
                return None
            found = one if found is None else united(found, one, False)
        if found is None or found.is_open() or not conditions:
            return found
        by = merged(self.origins(item, scope, env) for item in conditions)
        result = Derived()
        for name, origins in found.star():
            result.add(name, origins | by)
            inner = found.fields_of(name.casefold())
            if inner is not None:
                result.structs[name.casefold()] = inner
        return result

    def _of_query(self, node: exp.Select, scope: Scope, env: Env) -> Relation | None:
        """The rows of AS STRUCT, or the structs in a query's only column."""
        relation = self.reading.kept.get(id(node)) or self.query(node, env, scope)
        if node.args.get("kind") is not None:
            return relation
        columns = relation.star()
        return relation.fields_of(columns[0][0].casefold()) if len(columns) == 1 else None

    def _of_cast(self, node: exp.Expr, scope: Scope, env: Env) -> Relation | None:
        """STRUCT<a INT64>(...) and ARRAY<STRUCT<a INT64>>[(...)]: the type has the names."""
        kind = node.args.get("to")
        of_array = isinstance(node.this, exp.Array)
        if of_array and isinstance(kind, exp.DataType) and len(kind.expressions) == 1:
            kind = kind.expressions[0]
        columns = kind.expressions if isinstance(kind, exp.DataType) else []
        names = [item.name for item in columns if isinstance(item, exp.ColumnDef)]
        if not names or len(names) < len(columns):
            return None
        if of_array:
            return self._of_array(node.this, names, scope, env)
        given = node.this.expressions if isinstance(node.this, (exp.Struct, exp.Tuple)) else None
        return self._of_struct(given, names, scope, env) if given is not None else None

    def _of_array(
        self, node: exp.Expr, names: list[str], scope: Scope, env: Env
    ) -> Relation | None:
        """ARRAY(SELECT ...), and a list of structs: the first one may name the fields of all."""
        items = node.expressions
        if len(items) == 1 and isinstance(items[0], exp.Select):
            return self._of_query(items[0], scope, env)
        if not names and items and isinstance(items[0], exp.Cast):
            typed = self._of_cast(items[0], scope, env)
            names = [name for name, _ in typed.star()] if typed is not None else []
        found: Relation | None = None
        for item in items:
            inner = item.this if isinstance(item, exp.Cast) else item
            one: Relation | None = None
            if isinstance(inner, (exp.Struct, exp.Tuple)):
                one = self._of_struct(inner.expressions, names, scope, env)
            elif self.reading.has_structs or isinstance(inner, exp.Subquery):
                one = self.fields(inner, scope, env)
            if one is None:
                return None
            found = one if found is None else united(found, one, False)
        return found

    def _of_struct(
        self, items: list[exp.Expr], names: list[str], scope: Scope, env: Env
    ) -> Derived:
        result = Derived()
        for position, item in enumerate(items):
            name, value = item.alias or item.name, item
            if isinstance(item, exp.PropertyEQ):
                name, value = item.this.name, item.expression
            elif isinstance(item, exp.Alias):
                value = item.this
            elif not isinstance(item, (exp.Column, exp.Dot)):
                name = ""
            name = names[position] if position < len(names) else name
            result.add(name, self.origins(value, scope, env))
            inner = self.fields(value, scope, env)
            if inner is not None:
                result.structs[name.casefold()] = inner
        return result


def as_value(relation: Derived) -> Relation | None:
    """SELECT AS VALUE: the fields of its only column are the columns."""
    name = relation.star()[0][0] if len(relation.items) == 1 else ""
    return relation.fields_of(name.casefold())
