"""Reads PIVOT, MATCH_RECOGNIZE and the like: relations whose columns a clause makes anew."""

from __future__ import annotations

import re

from sqlglot import exp

from hex_assets.lineage.engine.reading import Env, Malformed
from hex_assets.lineage.engine.relations import (
    NOTHING,
    WEAK,
    Derived,
    Origins,
    Produced,
    Relation,
    Rest,
    Source,
    merged,
)
from hex_assets.lineage.engine.scopes import Scope
from hex_assets.lineage.engine.trees.structs import StructReader


class PivotReader(StructReader):
    """Clauses after an item of FROM that change its columns."""

    def from_item(self, node: exp.Expr, scope: Scope, env: Env) -> None:
        """Adds what one item of FROM stands for to the scope."""
        raise NotImplementedError

    def pivoted(self, node: exp.Expr, relation: Relation, scope: Scope) -> Relation:
        """The relation after PIVOT and UNPIVOT clauses."""
        name = node.alias_or_name.casefold()
        for pivot in node.args.get("pivots") or ():
            within = Scope(self.dialect, parent=scope)
            within.add(Source(name, relation))
            fields = [field for field in pivot.args.get("fields") or ()]
            result = Derived()
            if pivot.args.get("unpivot"):
                columns = merged(
                    self.origins(item, within, {})
                    for field in fields
                    for item in field.args.get("expressions") or ()
                )
                hidden = {
                    column.name.casefold()
                    for field in fields
                    for item in field.args.get("expressions") or ()
                    for column in item.find_all(exp.Column)
                }
                result.pass_on(Rest(relation, frozenset(hidden)))
                names_first = self.dialect == "snowflake"
                for field in fields if names_first else ():
                    result.add(field.this.name, NOTHING)
                for value in pivot.expressions:
                    parts = list(value.find_all(exp.Identifier))
                    items = [item for f in fields for item in f.args.get("expressions") or ()]
                    rows = _groups(items, len(parts))
                    for position, part in enumerate(parts):  # (a, b) FOR c IN ((a1, b1), ...)
                        own = [self.origins(row[position], within, {}) for row in rows]
                        result.add(part.name, merged(own) if own else columns)
                for field in () if names_first else fields:
                    result.add(field.this.name, NOTHING)
            else:
                values = [self.origins(item, within, {}) for item in pivot.expressions]
                by = merged(self.origins(field.this, within, {}) for field in fields)
                self.reading.use(by, "group")
                hidden = {
                    column.name.casefold()
                    for item in [*pivot.expressions, *(field.this for field in fields)]
                    for column in item.find_all(exp.Column)
                }
                group = pivot.args.get("group")
                for item in group.expressions if group is not None else ():
                    result.add(item.name, self.origins(item, within, {}))
                if group is None:
                    result.pass_on(Rest(relation, frozenset(hidden)))
                values_listed = [item for f in fields for item in f.args.get("expressions") or ()]
                told = not any(isinstance(i, (exp.Query, exp.PivotAny)) for i in values_listed)
                if not told:  # the values are known only by the data
                    for item in values_listed:
                        self.origins(item, within, {})
                    result.pass_on(Rest(Produced(merged(values), ["*"], WEAK)))
                names = (pivot.args.get("columns") or ()) if told else ()
                for position, identifier in enumerate(names):
                    value = values[position % len(values)] if values else NOTHING
                    written = _COMMENT.sub("", identifier.name)
                    result.add(written, value)
                    bare = written.strip("'")
                    result.index.setdefault(bare.casefold(), value)
            alias = pivot.args.get("alias")
            if isinstance(alias, exp.TableAlias) and alias.columns:
                listed = [column.name for column in alias.columns]
                at_end = result.is_open() and self.dialect == "snowflake"
                result = _renamed_at_end(result, listed) if at_end else result.renamed(listed)
            relation = result
            name = pivot.alias.casefold() or name
        return relation

    def pivot_statement(self, node: exp.Pivot, scope: Scope, env: Env) -> None:
        """DuckDB's `PIVOT t ON c USING sum(x) GROUP BY y` and `UNPIVOT t ON a, b INTO ...`."""
        within = Scope(self.dialect, parent=scope)
        if node.this is not None and self.dialect == "redshift" and not node.expressions:
            self.object_path(node.this, scope, env)
            return
        if node.this is not None:
            self.from_item(node.this, within, env)
        result = Derived()
        if node.args.get("unpivot"):
            self._unpivoted(node, result, within, env)
            scope.add(Source(node.alias.casefold(), result))
            return
        using = list(node.args.get("using") or ())
        values = [self.origins(item, within, env) for item in using]
        on = merged(self.origins(item, within, env) for item in node.expressions)
        self.reading.use(on, "group")
        group = node.args.get("group")
        for item in group.expressions if group is not None else ():
            found = self.origins(item, within, env)
            self.reading.use(found, "group")
            result.add(item.name, found)
        if group is None:
            used = [column for item in [*using, *node.expressions] for column in _columns_of(item)]
            for source in within.sources:
                result.pass_on(Rest(source.relation, frozenset(used)))
        names = _pivoted_names(node.expressions, using, self.dialect)
        for position, name in enumerate(names):
            result.add(name, values[position % len(values)] if values else NOTHING)
        if not names:
            result.pass_on(Rest(Produced(merged(values), [], WEAK)))
        scope.add(Source(node.alias.casefold(), result))

    def object_path(self, node: exp.Expr, scope: Scope, env: Env) -> None:
        """Redshift's `FROM t, UNPIVOT t.object AS value AT name`: the names are data, too."""
        count = len(scope.sources)
        self.from_item(node, scope, env)
        if len(scope.sources) == count + 2:
            value, name = scope.sources[count:]
            name.relation = Produced(value.relation.row(), [], WEAK)

    def indexed_path(self, node: exp.AtIndex, scope: Scope, env: Env) -> None:
        """Redshift's `FROM t, t.items AS item AT position`."""
        value = node.this
        path = value.this if isinstance(value, exp.Alias) else value
        name = value.alias_or_name
        origins = self.origins(path, scope, env)
        scope.add(Source(name.casefold(), Produced(origins, [name], WEAK)))
        scope.add(Source(node.expression.name.casefold(), Produced(NOTHING, [])))

    def _unpivoted(self, node: exp.Pivot, result: Derived, within: Scope, env: Env) -> None:
        values = merged(self.origins(item, within, env) for item in node.expressions)
        named = frozenset(column for item in node.expressions for column in _columns_of(item))
        kept = frozenset(
            column.name.casefold()
            for star in node.find_all(exp.Star)
            for column in star.args.get("except_") or ()
        )
        for source in within.sources:
            if kept:
                for name in sorted(kept):
                    result.add(*_known(source.relation, name))
            else:
                result.pass_on(Rest(source.relation, named))
        into = node.args.get("into")
        if into is not None and not (into.this and into.expressions):
            raise Malformed("INTO of an UNPIVOT lacks its names")
        result.add(into.this.name if into is not None else "name", NOTHING)
        names = into.expressions if into is not None else [exp.to_identifier("value")]
        groups = _groups(node.expressions, len(names))
        for position, value in enumerate(names):
            own = [self.origins(group[position], within, env) for group in groups]
            result.add(value.name, merged(own) if own else values)

    def match_recognize(self, node: exp.Expr, scope: Scope, env: Env) -> None:
        """MATCH_RECOGNIZE: rows of a pattern; its names for rows qualify the table's columns."""
        defined = node.args.get("define") or ()
        if not all(isinstance(item, exp.Alias) for item in defined):
            raise Malformed("DEFINE of MATCH_RECOGNIZE lacks a name")
        names = {item.alias.casefold() for item in defined}
        pattern = node.args.get("pattern")
        if pattern is not None:
            names |= {word.casefold() for word in pattern.name.replace("(", " ").split()}
        before = list(scope.sources)
        for part in (*(node.args.get("measures") or ()), *defined):
            for column in part.find_all(exp.Column):
                if column.table and not scope.names([column.table.casefold()]):
                    names.add(column.table.casefold())
        for name in names:
            if before:
                scope.add(Source(name.strip("+*?)"), before[-1].relation))
        result = Derived()
        for item in node.args.get("partition_by") or ():
            found = self.origins(item, scope, env)
            self.reading.use(found, "group")
            result.add(item.name, found)
        if node.args.get("order") is not None:
            self.reading.use(self.origins(node.args["order"], scope, env), "order")
        for item in node.args.get("measures") or ():
            measure = item.this
            for count in measure.find_all(exp.Count):
                if isinstance(count.this, exp.Column) and isinstance(count.this.this, exp.Star):
                    count.set("this", exp.Star())  # COUNT(up.*) counts the rows of a name
            result.add(measure.alias_or_name, self.origins(measure, scope, env))
        for item in defined:
            self.reading.use(self.origins(item.this, scope, env), "filter")
        rows = node.args.get("rows")
        if rows is not None and "ALL" in rows.name.upper() and before:
            result.pass_on(Rest(before[-1].relation))
        scope.sources[:] = [*before[:-1], Source(node.alias.casefold(), result)]

    def semantic_view(self, view: exp.SemanticView, env: Env) -> Relation:
        """Snowflake's SEMANTIC_VIEW(v DIMENSIONS a.b METRICS c.d): names of a view's columns."""
        within = Scope(self.dialect)
        self.from_item(view.this, within, env)
        of_view = within.sources[-1].relation
        result = Derived()
        for kind in ("dimensions", "facts", "metrics"):
            for item in view.args.get(kind) or ():
                value = item.unalias()
                if isinstance(value, exp.Column) and isinstance(value.this, exp.Star):
                    result.pass_on(Rest(of_view))
                else:
                    result.add(item.alias_or_name, _of_columns(value, of_view))
        self.reading.use(_of_columns(view.args.get("where"), of_view), "filter")
        return result


def _of_columns(node: exp.Expr | None, relation: Relation) -> Origins:
    """The columns that an expression names, whatever stands before their names."""
    names = [column.name for column in node.find_all(exp.Column)] if node is not None else []
    return merged(relation.lookup(name.casefold(), name)[1] for name in names)


def _renamed_at_end(result: Derived, names: list[str]) -> Derived:
    """A list of all columns' names: those that a pivot makes are the last ones."""
    made: list[Origins] = []
    for item in reversed(result.items):
        if isinstance(item, Rest):
            break
        made.append(item[1])
    renamed = Derived()
    for position, name in enumerate(names):
        from_end = len(names) - position - 1
        renamed.add(name, made[from_end] if from_end < len(made) else NOTHING)
    return renamed


_COMMENT = re.compile(r"\s*/\*.*?\*/", re.DOTALL)
"""What the parser takes into the name of a column that it makes of a value."""


def _columns_of(item: exp.Expr) -> set[str]:
    return {column.name.casefold() for column in item.find_all(exp.Column)}


def _known(relation: Relation, name: str) -> tuple[str, Origins]:
    return name, relation.lookup(name, name)[1]


def _pivoted_names(on: list[exp.Expr], using: list[exp.Expr], dialect: str) -> list[str]:
    """The columns of a PIVOT whose values are all listed; none where only its data tell.

    duckdb.org/docs/stable/sql/statements/pivot: values joined by `_`, then the aggregate's alias;
    an aggregate without an alias is named only where there are several.
    """
    values = [""]
    for item in on:
        listed = item.expressions if isinstance(item, exp.In) else []
        if not listed or not all(isinstance(value, exp.Literal) for value in listed):
            return []
        values = [f"{before}_{value.name}" for before in values for value in listed]
    ends = [_end_of_name(item, dialect, told=len(using) > 1) for item in using]
    return [value[1:] + end for value in values for end in ends or [""]]


def _end_of_name(item: exp.Expr, dialect: str, *, told: bool) -> str:
    if item.alias:
        return f"_{item.alias}"
    return f"_{item.sql(dialect, comments=False)}" if told else ""


def _groups(items: list[exp.Expr], count: int) -> list[list[exp.Expr]]:
    """The columns of each of UNPIVOT's groups, such as `(jan, feb) AS q1`; none if not so many."""
    found = [item.this if isinstance(item, (exp.Alias, exp.PivotAlias)) else item for item in items]
    groups = [list(item.expressions) if isinstance(item, exp.Tuple) else [] for item in found]
    return groups if count > 1 and all(len(group) == count for group in groups) else []
