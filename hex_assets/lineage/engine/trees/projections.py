"""Reads select lists: the output columns of a query, with stars and picked columns."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from hex_assets.lineage.engine.dialects import STAR_IN_PLACE
from hex_assets.lineage.engine.names import marked, text_of
from hex_assets.lineage.engine.reading import Env, Malformed
from hex_assets.lineage.engine.relations import (
    MAYBE,
    NOTHING,
    Derived,
    Origins,
    Produced,
    Relation,
    Rest,
    merged,
)
from hex_assets.lineage.engine.scopes import Scope
from hex_assets.lineage.engine.trees.froms import FromReader
from hex_assets.lineage.engine.trees.picks import PICKS, hides, like_of, pick_of, picked_by
from hex_assets.lineage.engine.trees.structs import STRUCTURED


class ProjectionReader(FromReader):
    """Output columns, each with the columns that it comes from."""

    def projections(self, node: exp.Expr, scope: Scope, env: Env) -> Derived:
        """The output columns of a SELECT."""
        result = Derived()
        lateral = scope.allows_lateral_aliases()
        for item in node.expressions:
            if _is_star(item):
                self.star(item, result, scope, env)
                continue
            if isinstance(item, exp.Dot) and isinstance(item.expression, exp.Star):
                inner = self.fields(item.this, scope, env)  # ARRAY_AGG(t LIMIT 1)[OFFSET(0)].*
                if inner is not None:
                    result.pass_on(Rest(inner))
                else:
                    self.row_fields(item.this, result, scope, env)
                continue
            if self.reading.picks or isinstance(item, PICKS):
                if self.picked(item, result, scope, env):
                    continue
            if isinstance(item, exp.EQ) and self.dialect == "tsql":
                if self.tsql_assigned(item, result, scope, env):
                    continue
            value = item.this if isinstance(item, exp.Alias) else item
            if scope.later.expressions and isinstance(item, exp.Alias):
                key = item.alias.casefold()
                if scope.later.expressions.get(key) is value:
                    result.add(item.alias, self.later_value(key, scope, env))
                    continue
            found = self.origins(value, scope, env, aliases=lateral)
            if isinstance(item, exp.Aliases):
                if self.dialect == "clickhouse":  # sparkbar(9)(a, b)
                    raise Malformed("a function with parameters was taken for a list of aliases")
                self.aliased(item, found, result, scope, env)
                continue
            name = self.output_name(item)
            result.add(name, found)
            if self.dialect == "bigquery":
                self.structured(name, value, result, scope, env)
            if isinstance(item, exp.Alias) or (self.dialect == "tsql" and name):
                scope.aliases.setdefault(name.casefold(), found)
        if result.rests and len(result.items) > len(result.rests):
            result.in_place = _in_place(node.expressions, scope)
        return result

    def aliased(
        self, item: exp.Aliases, found: Origins, result: Derived, scope: Scope, env: Env
    ) -> None:
        """`f(x) AS (a, b)`, whose values all come from x; `t.* AS (a, b)` goes by position."""
        names = [alias.name for alias in item.aliases]
        whole = Derived()
        if _is_star(item.this):
            self.star(item.this, whole, scope, env)
        columns = whole.star() if not whole.is_open() else []
        if len(columns) != len(names):
            columns = [(name, found) for name in names]
        for name, (_, origins) in zip(names, columns, strict=True):
            result.add(name, origins)

    def structured(
        self, name: str, value: exp.Expr, result: Derived, scope: Scope, env: Env
    ) -> None:
        """Notes the fields of an output column that is a struct."""
        kind: Any = type(value)
        if kind is exp.Column:
            is_short = value.args.get("table") is None
            if not self.reading.has_structs and not (is_short and scope.has_source(value.name)):
                return
        elif kind not in STRUCTURED:
            return
        inner = self.fields(value, scope, env)
        if inner is not None:
            result.structs.setdefault(name.casefold(), inner)

    def tsql_assigned(self, item: exp.EQ, result: Derived, scope: Scope, env: Env) -> bool:
        """T-SQL's `@n = x` gives no column, its `'a b' = x` gives `a b`; False for all others."""
        if isinstance(item.this, exp.Parameter):
            self.reading.use(self.origins(item.expression, scope, env), "filter")
            return True
        if isinstance(item.this, exp.Literal) and item.this.is_string:
            result.add(item.this.name, self.origins(item.expression, scope, env))
            return True
        return False

    def row_fields(self, value: exp.Expr, result: Derived, scope: Scope, env: Env) -> None:
        """`(t.composite).*` and `(f(x)).*`: fields whose names nothing tells; `(t).*` is t.*."""
        name = value.this if isinstance(value, exp.Paren) else value
        if isinstance(name, exp.Column) and name.args.get("table") is None:
            relation = scope.relation_named([name.name.casefold()])
            if relation is not None:
                result.pass_on(Rest(relation))
                return
        result.pass_on(Rest(Produced(self.origins(value, scope, env), ["*"], MAYBE)))

    def picked(self, item: exp.Expr, result: Derived, scope: Scope, env: Env) -> bool:
        """Adds each column that a pattern picks; False where it picks none or they are unknown."""
        pick = pick_of(item, within=self.reading.picks)
        if pick is None:
            return False
        whole = Derived()
        self.star(pick.star, whole, scope, env)
        if whole.is_open():
            plain = pick.rest is None and not pick.applied and not pick.alias
            if plain:
                result.pass_on(Rest(whole))
            return plain
        rest = self.origins(pick.rest, scope, env)
        for name, origins in whole.star():
            found = pick.match(name)
            if found is not None:
                result.add(pick.name_of(name, found), origins | rest)
        return True

    def picked_row(self, node: exp.Columns, scope: Scope, env: Env) -> Origins:
        """All columns that COLUMNS(...) picks; nothing where it is not told which."""
        if isinstance(node.this, (exp.Tuple, exp.Column)) and not node.this.find(exp.Star):
            named = [node.this, node.args.get("unpack")]  # ClickHouse's COLUMNS(a, b)
            return merged(self.origins(i, scope, env) for i in named if isinstance(i, exp.Expr))
        star, match = picked_by(node)
        whole = Derived()
        self.star(star, whole, scope, env)
        every = isinstance(node.this, (exp.Star, exp.Column))
        if match is None or (whole.is_open() and not every):
            return NOTHING
        return merged(origins for name, origins in whole.star() if match(name))

    def output_name(self, item: exp.Expr) -> str:
        """The name of an output column: its alias, or else the expression's text."""
        if isinstance(item, (exp.Alias, exp.Column, exp.Dot)):
            name = str(item.output_name or item.name)
            return name or (f"${item.this.name}" if isinstance(item.this, exp.Parameter) else "")
        if isinstance(item, exp.PropertyEQ):
            return str(item.this.name)
        if isinstance(item, exp.Subquery) and item.alias:  # T-SQL's name = (SELECT ...)
            return str(item.alias)
        if isinstance(item, exp.Cast) and self.dialect in ("postgres", "redshift"):
            if item.output_name:
                return str(item.output_name)
        return text_of(item, self.dialect)

    def star(self, item: exp.Expr, result: Derived, scope: Scope, env: Env) -> None:
        """`*` and `t.*` with EXCEPT, REPLACE and RENAME."""
        node = item.this if isinstance(item, exp.Column) else item
        starred: Relation | None = None
        if isinstance(item, exp.Column):
            starred = self.starred([marked(part) for part in item.parts[:-1]], scope)
            starred = starred or self.fields_of_column(item, scope, env)
        hidden: set[str] = set()
        own: dict[int, set[str]] = {}
        for except_ in node.args.get("except_") or ():
            table = except_.args.get("table")  # DuckDB's EXCLUDE (b.id)
            from_one = self.starred([table.name], scope) if table is not None else None
            names = hidden if from_one is None else own.setdefault(id(from_one), set())
            names.add(except_.name.casefold())
        replaced: dict[str, Origins] = {}
        for alias in node.args.get("replace") or ():
            if not isinstance(alias, exp.Alias):
                raise Malformed("REPLACE lacks the name of a column")
            within = scope
            if starred is not None:  # the column of that name is the starred relation's own
                within = Scope(self.dialect, parent=scope)
                within.scalars[alias.alias.casefold()] = starred.lookup(
                    alias.alias.casefold(), alias.alias
                )[1]
            replaced[alias.alias.casefold()] = self.origins(alias.this, within, env)
        renames = node.args.get("rename") or ()
        if not all(isinstance(alias, exp.Alias) for alias in renames):
            raise Malformed("RENAME lacks the name of a column")
        called = {alias.this.name.casefold(): alias.alias for alias in renames}
        skip = frozenset(hidden | set(replaced) | set(called))
        only = node.args.get("ilike")  # Snowflake's * ILIKE 'pattern'
        like = like_of(only.name) if isinstance(only, exp.Literal) else None
        if isinstance(item, exp.Column):
            relations = [] if starred is None else [starred]
        else:
            relations = [source.relation for source in scope.sources]
        for except_ in node.args.get("except_") or ():
            if isinstance(except_, exp.Literal):  # ClickHouse's EXCEPT ('re')
                columns = [name for relation in relations for name, _ in relation.star()]
                hidden.update(name.casefold() for name in columns if hides(name, except_))
        seen_using: set[str] = set()
        if scope.using and not isinstance(item, exp.Column):
            first = _merged_columns(relations, scope)
            seen_using.update(first.index)
            relations = [first, *relations]
        for relation in relations:
            apart = own.get(id(relation), ())
            rest = Rest(relation, skip.union(apart))
            if rest.is_open():
                result.pass_on(rest)
            else:
                for name, origins in relation.star():
                    key = name.casefold()
                    if (
                        key in hidden
                        or key in apart
                        or (key in seen_using and relation in scope.using[key].relations)
                        or (like and not like.fullmatch(key))
                    ):
                        continue
                    merges = None if isinstance(item, exp.Column) else scope.using.get(key)
                    if merges is not None and relation in merges.relations:
                        seen_using.add(key)
                        origins = merges.origins(key, name)
                    if self.reading.has_structs and key not in replaced:
                        inner = relation.fields_of(key)
                        if inner is not None:
                            result.structs.setdefault(called.get(key, name).casefold(), inner)
                    result.add(called.get(key, name), replaced.pop(key, origins))
        for key, name in called.items():
            if key not in result.index and name.casefold() not in result.index:
                result.add(name, merged(r.lookup(key, key)[1] for r in relations))
        for key, origins in replaced.items():
            result.add(key, origins)


def _merged_columns(relations: list[Relation], scope: Scope) -> Derived:
    """The columns that USING merges, where a star gives them first; else nothing."""
    first = Derived()
    if scope.dialect in STAR_IN_PLACE or any(relation.is_open() for relation in relations):
        return first
    for key, merges in scope.using.items():
        star = merges.relations[0].star()
        for name in [name for name, _ in star if name.casefold() == key][:1]:
            first.add(name, merges.origins(key, name))
    return first


_MANY = (exp.Columns, exp.Apply, exp.UDTF, exp.Inline, exp.Stack, exp.Aliases)
"""Expressions that may give any number of columns."""


def _in_place(items: list[exp.Expr], scope: Scope) -> bool:
    """Whether each item but a star is one column, and a star's stand where the star does."""
    for item in items:
        star = item.this if isinstance(item, exp.Column) else item
        if isinstance(star, exp.Star):
            if star.args.get("replace") or star.args.get("rename"):
                return False
            if star is item and not _keeps_order(scope):
                return False
        elif isinstance(item.this if isinstance(item, exp.Alias) else item, _MANY):
            return False
    return True


def _keeps_order(scope: Scope) -> bool:
    """Whether `*` gives all columns of each relation in turn."""
    relations = [source.relation for source in scope.sources]
    if all(relation.is_open() for relation in relations):
        return True
    merges = bool(scope.using) or scope.natural
    return not merges and not any(isinstance(relation, Produced) for relation in relations)


def _is_star(item: exp.Expr) -> bool:
    if isinstance(item, exp.Star):
        return True
    return isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
