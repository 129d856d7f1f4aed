"""Reads queries: which tables, which columns of them, and what for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlglot import exp

from hex_assets.lineage.engine.clickhouse import in_name, joined_value, nested_column
from hex_assets.lineage.engine.dialects import ROW_VALUES
from hex_assets.lineage.engine.mysql import is_clock
from hex_assets.lineage.engine.names import marked
from hex_assets.lineage.engine.reading import Env, Malformed, Reading
from hex_assets.lineage.engine.relations import (
    NO,
    NOTHING,
    SURE,
    UNSURE,
    WEAK,
    Origins,
    Relation,
    merged,
)
from hex_assets.lineage.engine.scopes import Scope
from hex_assets.lineage.engine.words import JINJA_NAME

MODEL_FUNCTIONS = (
    *(exp.Predict, exp.MLForecast, exp.GenerateEmbedding, exp.MLTranslate),
    *(exp.GenerateText, exp.GenerateTable),
)
"""BigQuery's functions of a model, which comes first and is no table."""
_JSON_TYPES = {exp.JSONValue: "returning", exp.JSONObject: "return_type"}
"""Functions of which one argument is the type that they return."""
_WITH_NAMES = (*MODEL_FUNCTIONS, *_JSON_TYPES)
_METHODS = {
    "tsql": frozenset(
        "value query nodes exist modify tostring stastext stdistance stx sty starea stlength "
        "stintersects stcontains stwithin stbuffer getancestor getdescendant getlevel "
        "isdescendantof".split()
    ),
    "duckdb": frozenset(
        "upper lower trim ltrim rtrim len length replace split string_split contains starts_with "
        "substr substring list_transform list_filter list_sort list_distinct apply filter round "
        "abs year month day strftime regexp_replace regexp_extract concat".split()
    ),
}
"""Methods of a column's value; `schema.name(...)` is a function."""
_UNIT_FIRST = frozenset(
    "timestampadd timestampdiff dateadd datediff datediff_big date_diff datetrunc datepart "
    "nextval lastval date_bucket table".split()
)
"""Functions that take a bare word such as HOUR, a sequence, or a table before their values."""
_UNITS = frozenset("year quarter month week day hour minute second".split())
"""Units that TRUNC of a date takes as a bare word after it."""


class ExpressionReader:
    """Finds the columns of expressions. Queries inside them are read by the subclass."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.dialect = reading.dialect

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
            if isinstance(item, (exp.Select, exp.SetOperation)):
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
            elif isinstance(item, exp.Star) and not isinstance(item.parent, _COUNTS):
                found.append(_whole_row(item, scope))
                continue
            if isinstance(item, exp.Anonymous) and self.dialect == "clickhouse":
                found.append(joined_value(item, self.reading))
                found.append(self.called_lambda(item.name.casefold(), scope))
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

    def in_table(self, field: exp.Column, scope: Scope, env: Env) -> bool:
        """ClickHouse's `x IN db.ids` reads a table, unless the name is an alias or a column."""
        parts = [part.name for part in field.parts]
        key = parts[0].casefold()
        if len(parts) == 1:
            known = (scope.aliases, scope.scalars, scope.named, scope.later.expressions)
            if any(key in names for names in known):
                return False
            cte = env.get(key)
            if cte is not None:
                return not cte.scalar
            if scope.unqualified(parts[0], prefer_alias=False, aliases=False)[0] == SURE:
                return False
        elif self.is_column(parts, scope):
            return False
        self.reading.source(tuple(parts))
        return True

    def is_column(self, parts: list[str], scope: Scope) -> bool:
        """Whether `a.b` is a column of a relation in force, or a field of its column."""
        starts = [parts[:length] for length in range(1, len(parts))]
        if any(self.starred(start, scope) is not None for start in starts):
            return True
        return scope.unqualified(parts[0], prefer_alias=False, aliases=True)[0] == SURE

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
            if self.dialect in _METHODS or isinstance(base, exp.Paren):
                _as_columns(base)
            return [base, *values]
        names = [base]
        for item in after:
            if not isinstance(item, exp.Identifier):
                break
            names.append(item)
        method = after[0].name.casefold() if isinstance(after[0], exp.Anonymous) else ""
        if len(names) > 1:
            known = scope.qualified([names[0].name], names[1].name) is not None
            if known or not values:
                values.append(exp.Column(this=names[1].copy(), table=names[0].copy()))
        elif method in _METHODS.get(self.dialect, ()):
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
            self.reading.use(self.origins(order, scope, env, aliases=aliases), "order")

    def column(
        self, node: exp.Column, scope: Scope, env: Env, aliases: bool, prefer_alias: bool
    ) -> Origins:
        """The origins of a column reference."""
        if isinstance(node.this, exp.Star):
            qualifier = [marked(part) for part in node.parts[:-1]]
            relation = self.starred(qualifier, scope)
            return relation.row() if relation is not None else NOTHING
        name = node.name
        if not name or JINJA_NAME in name:  # a file's $1; a template's value, which is no column
            return NOTHING
        table = node.args.get("table")
        if self.reading.parameters and node.parts[0].name.casefold() in self.reading.parameters:
            return NOTHING
        if table is None:
            if self.dialect == "clickhouse":
                value = self.named_value(name.casefold(), scope, env, aliases)
                if value is not None:
                    return value
            elif self.dialect == "mysql" and is_clock(node):
                return NOTHING
            row = self.dialect in ROW_VALUES and _takes_row(node, self.dialect)
            answer = scope.unqualified(name, prefer_alias=prefer_alias, aliases=aliases, row=row)
            if answer[0] != SURE and name.casefold() in self.reading.variables:
                return NOTHING
            if not answer[1] and (answer[0] in (NO, WEAK) or answer is UNSURE):
                self.reading.unresolved.setdefault(name)
            return answer[1]
        if self.reading.has_structs:
            found = scope.field([part.name for part in node.parts])
            if found is not None:
                return found[1]
        is_short = node.args.get("db") is None
        qualifiers = [marked(table)] if is_short else [marked(part) for part in node.parts[:-1]]
        resolved = scope.qualified(qualifiers, name)
        if resolved is None and name.upper() == "NEXTVAL" and self.dialect == "snowflake":
            return NOTHING  # of a sequence
        if resolved is None and qualifiers[0].casefold() in self.reading.variables:
            return NOTHING  # the row of a FOR, a struct
        if self.dialect == "clickhouse" and (resolved is None or not is_short):
            nested = nested_column([*qualifiers, name], scope)
            if nested is not None:
                return nested
        if resolved is None:  # column.field: the first name is the column
            resolved = scope.unqualified(qualifiers[0], prefer_alias=False, aliases=aliases)
        if resolved[0] == NO:
            self.reading.unresolved.setdefault(".".join([*qualifiers, name]))
        return resolved[1]

    def named_value(self, key: str, scope: Scope, env: Env, aliases: bool) -> Origins | None:
        """What ClickHouse's WITH or any alias of the SELECT names so; None if neither does."""
        level: Scope | None = scope
        while level is not None:
            if aliases and key in level.later.expressions and key not in level.scalars:
                if key not in level.later.open:
                    return self.later_value(key, level, env)
                level.later.meet(key)
                return None
            cte = level.named.pop(key, None)
            if cte is not None:  # left out while it is read: it may use a like column
                found = self.origins(cte.node, level, cte.env, aliases=aliases)
                level.named[key] = cte
                return found
            aliases = aliases and not level.sources  # out of a lambda, not out of a subquery
            level = level.parent
        return None

    def called_lambda(self, key: str, scope: Scope) -> Origins:
        """The columns in a function that ClickHouse's WITH defines: `x -> x + a AS f`."""
        level: Scope | None = scope
        while level is not None:
            cte = level.named.get(key)
            if cte is not None and isinstance(cte.node, exp.Lambda):
                return self.named_value(key, level, cte.env, False) or NOTHING
            level = level.parent
        return NOTHING

    def later_value(self, key: str, scope: Scope, env: Env) -> Origins:
        """The columns of an alias; kept if they are the same wherever it is used."""
        if key in scope.aliases:
            return scope.aliases[key]
        scope.later.open.append(key)
        found = self.origins(scope.later.expressions[key], scope, env, aliases=True)
        if not scope.later.closes_circle():
            scope.aliases[key] = found
        return found

    def starred(self, qualifier: list[str], scope: Scope) -> Relation | None:
        """The relation that `q.*` means."""
        folded = [part.casefold() for part in qualifier]
        for named in (Scope.relation_named, Scope.relation_hidden):
            level: Scope | None = scope
            while level is not None:
                relation = named(level, folded)
                if relation is not None:
                    return relation
                level = level.parent
        return scope.struct(qualifier) if self.reading.has_structs else None


_OF_ROWS = (
    *(exp.ArrayAgg, exp.AnyValue, exp.JSONFormat, exp.JSONArrayAgg, exp.Format, exp.Anonymous),
    *(exp.ArgMax, exp.ArgMin, exp.Order, exp.Limit, exp.IgnoreNulls),
)
_AGGREGATES_OF_ROWS = (exp.ArrayAgg, exp.JSONArrayAgg, exp.Count)
_FUNCTIONS_OF_ROWS = frozenset(
    "to_json to_jsonb row_to_json json_agg jsonb_agg json_group_array hstore".split()
)


def _takes_row(node: exp.Expr, dialect: str) -> bool:
    """Whether the name of a table may stand here for its row: `to_json(orders)`.

    As a plain output, `SELECT status FROM status`, it is a column of the same name.
    """
    parent = node.parent
    if dialect == "bigquery":
        return isinstance(parent, _OF_ROWS)
    if isinstance(parent, exp.Order) and parent.this is node:
        parent = parent.parent
    if isinstance(parent, exp.Anonymous):
        return parent.name.casefold() in _FUNCTIONS_OF_ROWS
    return isinstance(parent, _AGGREGATES_OF_ROWS)


def _as_table(node: exp.Expr) -> exp.Expr:
    """A function's argument TABLE(a.b), which Spark's grammar takes for a column."""
    if not isinstance(node, exp.Column):
        return node
    names = dict(zip(("this", "db", "catalog"), reversed(node.parts), strict=False))
    return exp.Table(**names)


_COUNTS = (exp.Count, exp.CountIf, exp.ApproxDistinct)
"""Functions whose star counts rows; any other takes the values of all columns: HASH(*)."""


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
    *(exp.Star, exp.Columns, exp.ModelAttribute, exp.NestedJSONSelect, exp.NextValueFor),
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
