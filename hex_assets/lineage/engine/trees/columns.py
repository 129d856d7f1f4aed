"""Finds the column that a name means: of a table, an alias, a struct, ClickHouse's WITH."""

from __future__ import annotations

from itertools import accumulate

from sqlglot import exp

from hex_assets.lineage.engine.dialects import FIELD_STARS, ROW_VALUES
from hex_assets.lineage.engine.names import marked
from hex_assets.lineage.engine.reading import Env, Reading
from hex_assets.lineage.engine.relations import (
    MAYBE,
    NO,
    NOTHING,
    SURE,
    UNSURE,
    WEAK,
    Answer,
    Origins,
    Produced,
    Relation,
    TableRef,
)
from hex_assets.lineage.engine.scopes import Scope
from hex_assets.lineage.engine.trees.clickhouse import nested_column
from hex_assets.lineage.engine.trees.mysql import is_clock
from hex_assets.lineage.engine.words import JINJA_NAME


class ColumnReader:
    """Names of columns in expressions; `origins` of the subclass reads what they stand for."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.dialect = reading.dialect

    def origins(
        self,
        node: exp.Expr | None,
        scope: Scope,
        env: Env,
        *,
        aliases: bool = False,
        prefer_alias: bool = False,
    ) -> Origins:
        """The columns that an expression's value comes from."""
        raise NotImplementedError

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

    def column(
        self, node: exp.Column, scope: Scope, env: Env, aliases: bool, prefer_alias: bool
    ) -> Origins:
        """The origins of a column reference."""
        if isinstance(node.this, exp.Star):
            qualifier = [marked(part) for part in node.parts[:-1]]
            relation = self.starred(qualifier, scope) or self.fields_of_column(node, scope, env)
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
            if self.reading.variables and self.is_variable([name], answer):
                return NOTHING
            if not answer[1] and (answer[0] in (NO, WEAK) or answer is UNSURE):
                self.reading.unresolved.setdefault(name)
            return answer[1]
        if self.reading.has_structs:
            found = scope.field([part.name for part in node.parts])
            if found is not None:
                return found[1]
        is_short = node.args.get("db") is None
        qualifiers = [table.name] if is_short else [part.name for part in node.parts[:-1]]
        if self.dialect == "tsql":
            qualifiers = [marked(part) for part in node.parts[:-1]]
        resolved = scope.qualified(qualifiers, name)
        if resolved is None and name.upper() == "NEXTVAL" and self.dialect == "snowflake":
            return NOTHING  # of a sequence
        if self.dialect == "clickhouse" and (resolved is None or not is_short):
            nested = nested_column([*qualifiers, name], scope)
            if nested is not None:
                return nested
        if resolved is None:  # column.field: the first name is the column
            resolved = scope.unqualified(qualifiers[0], prefer_alias=False, aliases=aliases)
            if self.reading.variables and self.is_variable([*qualifiers, name], resolved):
                return NOTHING
        if resolved[0] == NO:
            self.reading.unresolved.setdefault(".".join([*qualifiers, name]))
        return resolved[1]

    def is_variable(self, path: list[str], answer: Answer) -> bool:
        """Whether a path is a script's variable, or a field of it: a column that is known wins."""
        names = accumulate((part.casefold() for part in path), "{}.{}".format)
        if not any(name in self.reading.variables for name in names):
            return False
        return answer[0] != SURE or any(_is_guess(ref, name) for ref, name in answer[1])

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

    def fields_of_column(self, star: exp.Column, scope: Scope, env: Env) -> Relation | None:
        """The fields, of which nothing tells the names, that `column.*` means."""
        if self.dialect not in FIELD_STARS:
            return None
        levels = ("this", "table", "db", "catalog")
        column = exp.Column(**dict(zip(levels, reversed(star.parts[:-1]), strict=False)))
        return Produced(self.column(column, scope, env, False, False), ["*"], MAYBE)


def _is_guess(ref: TableRef, name: str) -> bool:
    """Whether a column is of the only table there is, of which the catalog does not know it."""
    return ref.columns is not None and name.casefold() not in ref.columns


_OF_ROWS = (
    *(exp.ArrayAgg, exp.AnyValue, exp.JSONFormat, exp.JSONArrayAgg, exp.Format, exp.Anonymous),
    *(exp.ArgMax, exp.ArgMin, exp.Order, exp.Limit, exp.IgnoreNulls),
)
_AGGREGATES_OF_ROWS = (exp.ArrayAgg, exp.JSONArrayAgg)
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
