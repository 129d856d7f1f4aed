"""Reads queries: which tables, which columns of them, and what for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlglot import exp

from hex_assets.lineage.engine.reading import Env, Malformed
from hex_assets.lineage.engine.relations import (
    NO,
    NOTHING,
    SURE,
    Origins,
    Relation,
    merged,
)
from hex_assets.lineage.engine.scopes import Scope
from hex_assets.lineage.engine.trees.clickhouse import in_name, joined_value, values_given
from hex_assets.lineage.engine.trees.columns import ColumnReader
from hex_assets.lineage.engine.trees.methods import HAVE_METHODS, is_method

MODEL_FUNCTIONS = (
    *(exp.Predict, exp.MLForecast, exp.GenerateEmbedding, exp.MLTranslate),
    *(exp.GenerateText, exp.GenerateTable),
)
"""BigQuery's functions of a model, which comes first and is no table."""
_OF_PROMPT = (exp.GenerateBool, exp.GenerateInt, exp.GenerateDouble)
"""BigQuery's functions of a prompt, of which the parser takes a column for a table."""
_JSON_TYPES = {exp.JSONValue: "returning", exp.JSONObject: "return_type"}
"""Functions of which one argument is the type that they return."""
_WITH_NAMES = (*MODEL_FUNCTIONS, *_OF_PROMPT, *_JSON_TYPES)
_UNIT_FIRST = frozenset(
    "timestampadd timestampdiff dateadd datediff datediff_big date_diff datetrunc datepart "
    "nextval lastval date_bucket table".split()
)
"""Functions that take a bare word such as HOUR, a sequence, or a table before their values."""
_UNITS = frozenset("year quarter month week day hour minute second".split())
"""Units that TRUNC of a date takes as a bare word after it."""


class ExpressionReader(ColumnReader):
    """Finds the columns of expressions. Queries inside them are read by the subclass."""

    def query(self, node: exp.Expr, env: Env, outer: Scope | None) -> Relation:
        """The relation that a query gives."""
        raise NotImplementedError

    def picked_row(self, node: exp.Columns, scope: Scope, env: Env) -> Origins:
        """The columns that COLUMNS(...) picks."""
        raise NotImplementedError

    def fields(self, node: exp.Expr, scope: Scope, env: Env) -> Relation | None:
        """The fields of an expression's structs, where they are told."""
        raise NotImplementedError

    def table_argument(self, table: exp.Table, scope: Scope, env: Env) -> Origins:
        """The columns of a table that is given to a function."""
        raise NotImplementedError

    def origins(
        self,
        node: exp.Expr | None,
        scope: Scope,
        env: Env,
        *,
        aliases: bool = False,
        prefer_alias: bool = False,
    ) -> Origins:
        """The columns that an expression's value comes from. Iterative: ORs nest by thousands."""
        if node is None:
            return NOTHING
        found: list[Origins] = []
        stack: list[exp.Expr] = [node]
        while stack:
            self.reading.tick()
            item = stack.pop()
            kind: Any = type(item)
            if _is_plain(kind):
                children = [c for c in _children(item) if not isinstance(c, exp.Identifier)]
                children.reverse()
                stack += children
                continue
            if isinstance(item, exp.Column):
                found.append(self.column(item, scope, env, aliases, prefer_alias))
                continue
            if isinstance(item, (exp.Select, exp.SetOperation, exp.Pivot)):
                found.append(self.query(item, env, scope).row())
                continue
            if isinstance(item, exp.In) and self.dialect == "clickhouse":
                table = in_name(item, env)
                if table is not None and self.in_table(table, scope, env):
                    stack.append(item.this)
                    continue
            if isinstance(item, _WITH_NAMES):  # of a model, of a type
                is_json = kind in _JSON_TYPES
                name = item.args.get(_JSON_TYPES[kind]) if is_json else item.this
                if is_json or isinstance(name, exp.Table):
                    stack.extend(child for child in _children(item) if child is not name)
                    if isinstance(item, _OF_PROMPT) and isinstance(name, exp.Table):
                        stack.append(_as_column(name))
                    continue
            if isinstance(item, exp.Subquery):
                if isinstance(item.this, (exp.Query, exp.Table)):
                    found.append(self.query(item, env, scope).row())
                    continue
            elif isinstance(item, exp.Exists) and isinstance(item.this, exp.Query):
                self.query(item.this, env, scope)
                continue
            elif isinstance(item, (exp.DataType, exp.NextValueFor)):
                continue
            elif isinstance(item, exp.Is) and isinstance(item.expression, exp.Column):
                stack.append(item.this)  # IS DOCUMENT, IS NORMALIZED: never of a column
                continue
            elif isinstance(item, exp.Order):  # of a window, or of what an aggregate takes
                for ordered in item.expressions:
                    value = self.origins(ordered, scope, env, aliases=aliases)
                    self.reading.use(value, "order")
                    found.append(value)
                if item.this is not None:
                    stack.append(item.this)
                continue
            elif isinstance(item, exp.ModelAttribute):  # db.s.model!PREDICT(a)
                stack.append(item.expression)
                continue
            elif isinstance(item, exp.Table):
                found.append(self.table_argument(item, scope, env))
                continue
            elif isinstance(item, exp.NestedJSONSelect):  # ClickHouse's doc.^part
                stack.append(item.this)
                continue
            elif isinstance(item, exp.Columns):
                found.append(self.picked_row(item, scope, env))
                continue
            elif isinstance(item, exp.Window):
                self.window(item, scope, env, aliases)
                stack.extend(_parts_of_window(scope.windows, item))
            elif isinstance(item, exp.Alias) and self.dialect == "clickhouse":
                value = self.origins(item.this, scope, env, aliases=aliases)
                scope.aliases.setdefault(item.alias.casefold(), value)
                found.append(value)
                continue
            elif isinstance(item, exp.Dot) and not isinstance(item.this, exp.Column):
                own = self.fields(item.this, scope, env) if self.dialect == "bigquery" else None
                answer = own.lookup(item.name.casefold(), item.name) if own else None
                if answer is not None and answer[0] != NO:
                    found.append(answer[1])
                    continue
                stack.extend(self.dotted(item, scope, aliases))
                continue
            elif isinstance(item, exp.Lambda):
                found.append(self.lambda_body(item, scope, env, aliases))
                continue
            elif isinstance(item, exp.Comprehension):
                inner = Scope(self.dialect, parent=scope)
                inner.scalars[item.expression.name.casefold()] = NOTHING
                found.append(self.origins(item.this, inner, env))
                found.append(self.origins(item.args.get("condition"), inner, env))
                stack.append(item.args["iterator"])
                continue
            elif isinstance(item, exp.Star) and not _counts(item.parent):
                found.append(_whole_row(item, scope))
                continue
            if isinstance(item, exp.Anonymous) and self.dialect == "clickhouse":
                found.append(joined_value(item, scope, self.reading))
                found.append(self.called_lambda(item.name.casefold(), scope))
                stack.extend(reversed(values_given(item)))
                continue
            elif isinstance(item, exp.Anonymous):
                if len(item.expressions) == 1 and item.name.casefold() == "table":
                    stack.append(_as_table(item.expressions[0]))
                    continue
                values = _without_unit(item)
                if values is not None:
                    stack.extend(reversed(values))
                    continue
            children = [child for child in _children(item) if not isinstance(child, exp.Identifier)]
            stack.extend(reversed(children))
        return merged(found) if len(found) != 1 else found[0]

    def dotted(self, node: exp.Dot, scope: Scope, aliases: bool) -> list[exp.Expr]:
        """The parts of `a.b.method(c)`, which the parser keeps as names: column, arguments."""
        after: list[exp.Expr] = []
        base: exp.Expr = node
        while isinstance(base, exp.Dot):
            after.append(base.expression)
            base = base.this
        if not all(isinstance(item, exp.Expr) for item in (base, *after)):
            raise Malformed("a name ends in a dot")
        after.reverse()
        values = [item for item in after if not isinstance(item, exp.Identifier)]
        if not isinstance(base, exp.Identifier):
            if isinstance(base, exp.Paren) and isinstance(after[0], exp.Identifier):
                base = self.field_of_row(base, after[0], scope)
            if self.dialect in HAVE_METHODS or isinstance(base, exp.Paren):
                _as_columns(base)
            return [base, *values]
        names = [base]
        for item in after:
            if not isinstance(item, exp.Identifier):
                break
            names.append(item)
        calls = after[len(names) - 1 :]
        is_call = bool(calls) and isinstance(calls[0], exp.Anonymous)
        own = is_call and is_method(names, calls[0].name.casefold(), scope)
        if len(names) > 1:
            *qualifiers, name = [part.name for part in names[:4]]
            if own or not values or scope.qualified(qualifiers, name) is not None:
                values.append(_column_of(names[:4]))
        elif own:
            values.append(exp.Column(this=base.copy()))
        return values

    def field_of_row(self, row: exp.Paren, field: exp.Identifier, scope: Scope) -> exp.Expr:
        """The column that `(t).a` is where t is a table and no column; else the value itself."""
        name = row.this
        if not isinstance(name, exp.Column) or name.args.get("table") is not None:
            return row
        relation = scope.relation_named([name.name.casefold()])
        if relation is None or relation.lookup(name.name.casefold(), name.name)[0] == SURE:
            return row
        return exp.Column(this=field.copy(), table=name.this.copy())

    def lambda_body(self, node: exp.Lambda, scope: Scope, env: Env, aliases: bool) -> Origins:
        """The columns of a lambda, whose parameters are no columns."""
        if self.dialect in _JSON_ARROWS and _is_json_path(node, self.dialect):
            columns = [exp.Column(this=parameter.copy()) for parameter in node.expressions]
            return merged(self.origins(item, scope, env, aliases=aliases) for item in columns)
        inner = Scope(self.dialect, parent=scope)
        inner.scalars = {p.name.casefold(): NOTHING for p in node.expressions}
        if aliases:
            inner.scalars = {**scope.aliases, **inner.scalars}
        return self.origins(node.this, inner, env, aliases=aliases)

    def window(self, node: exp.Window, scope: Scope, env: Env, aliases: bool) -> None:
        """PARTITION BY and ORDER BY of a window."""
        for part in node.args.get("partition_by") or ():
            self.reading.use(self.origins(part, scope, env, aliases=aliases), "group")
        order = node.args.get("order")
        if order is not None:
            self.origins(order, scope, env, aliases=aliases)


def _column_of(names: list[exp.Identifier]) -> exp.Column:
    parts = zip(("this", "table", "db", "catalog"), reversed(names), strict=False)
    return exp.Column(**{key: name.copy() for key, name in parts})


def _as_table(node: exp.Expr) -> exp.Expr:
    """A function's argument TABLE(a.b), which Spark's grammar takes for a column."""
    if not isinstance(node, exp.Column):
        return node
    names = dict(zip(("this", "db", "catalog"), reversed(node.parts), strict=False))
    return exp.Table(**names)


_COUNTS = (exp.Count, exp.CountIf, exp.ApproxDistinct)
"""Functions whose star counts rows; any other takes the values of all columns: HASH(*)."""


def _counts(call: exp.Expr | None) -> bool:
    """Whether a function counts rows: BigQuery's ANON_COUNT has no class of its own."""
    named = isinstance(call, exp.Anonymous) and str(call.name).upper().endswith("_COUNT")
    return named or isinstance(call, _COUNTS)


def _without_unit(call: exp.Anonymous) -> list[exp.Expr] | None:
    """What a function of dates is given, without the bare word for a unit; None for others."""
    function, given = call.name.casefold(), call.expressions
    if function in _UNIT_FIRST:
        return list(given[1:] if given and _is_bare(given[0]) else given)
    if function == "trunc" and len(given) == 2:
        is_unit = _is_bare(given[1]) and given[1].name.casefold() in _UNITS
        return list(given[:1] if is_unit else given)
    return None


def _is_bare(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column) and not node.table


def _whole_row(star: exp.Expr, scope: Scope) -> Origins:
    hidden = {item.name.casefold() for item in star.args.get("except_") or ()}
    columns = [item for source in scope.sources for item in source.relation.star()]
    return merged(origins for name, origins in columns if name.casefold() not in hidden)


def _parts_of_window(windows: dict[str, exp.Expr], node: exp.Window) -> list[exp.Expr]:
    """PARTITION BY and ORDER BY of the named window that OVER names, and of those it builds on."""
    parts: list[exp.Expr] = []
    seen: set[str] = set()
    name = node.alias.casefold()
    while name in windows and name not in seen:
        seen.add(name)
        window = windows[name]
        parts.extend(window.args.get("partition_by") or ())
        if window.args.get("order") is not None:
            parts.append(window.args["order"])
        name = window.alias.casefold()
    return parts


_NAME_HOLDERS = (exp.Column, exp.Dot, exp.Table, exp.TableAlias, exp.DataType)


def _as_columns(tree: exp.Expr) -> None:
    """Makes columns of the bare names that the parser leaves before a method call."""
    for name in list(tree.find_all(exp.Identifier)):
        parent = name.parent
        parameter = isinstance(parent, exp.Lambda) and name.arg_key == "expressions"
        label = isinstance(parent, (exp.PropertyEQ, exp.Kwarg)) and name.arg_key == "this"
        if isinstance(parent, _NAME_HOLDERS) or name.arg_key == "alias" or parameter or label:
            continue
        if parent is not None:
            name.replace(exp.Column(this=name.copy()))


def _as_column(name: exp.Table) -> exp.Column:
    parts = [part.copy() for part in reversed(name.parts)]
    return exp.Column(**dict(zip(("this", "table", "db", "catalog"), parts, strict=False)))


_JSON_ARROWS = frozenset({"postgres", "redshift", "mysql", "duckdb"})
"""Dialects whose `->` may take a field of a JSON value: in a call the parser sees a lambda."""


def _is_json_path(node: exp.Lambda, dialect: str) -> bool:
    """Whether `f(doc -> 'a')` is meant; only DuckDB of these has lambdas, too."""
    if dialect != "duckdb":
        return True
    parameters = {parameter.name.casefold() for parameter in node.expressions}
    if any(name.name.casefold() in parameters for name in node.this.find_all(exp.Identifier)):
        return False
    first: object = node.this
    while isinstance(first, exp.Expr) and not isinstance(first, exp.Literal):
        first = first.this if isinstance(first, (exp.Binary, exp.JSONExtract, exp.Cast)) else None
    return isinstance(first, exp.Literal) and first.is_string


_SPECIAL = (
    *(exp.Column, exp.Select, exp.SetOperation, exp.Subquery, exp.Exists, exp.Table, exp.In),
    *(exp.DataType, exp.Window, exp.Alias, exp.Dot, exp.Lambda, exp.Comprehension, exp.Anonymous),
    *(exp.Star, exp.Columns, exp.ModelAttribute, exp.NestedJSONSelect, exp.Pivot, exp.NextValueFor),
    *(exp.Is, exp.Order),
    *_WITH_NAMES,
)


@cache
def _is_plain(kind: Any) -> bool:
    """Whether the value of such a node comes from its parts and nothing else; most do."""
    return not issubclass(kind, _SPECIAL)


def _children(node: exp.Expr) -> Iterable[exp.Expr]:
    for value in node.args.values():
        if isinstance(value, exp.Expr):
            yield value
        elif type(value) is list:
            for item in value:
                if isinstance(item, exp.Expr):
                    yield item
