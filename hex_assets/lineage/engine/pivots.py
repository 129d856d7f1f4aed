"""Reads PIVOT, UNPIVOT and MATCH_RECOGNIZE: relations whose columns a clause makes anew."""

from __future__ import annotations

import re

from sqlglot import exp

from hex_assets.lineage.engine.reader import ExpressionReader
from hex_assets.lineage.engine.reading import Env, Malformed
from hex_assets.lineage.engine.relations import (
    NOTHING,
    WEAK,
    Derived,
    Origins,
    Produced,
    Relation,
    Rest,
    merged,
)
from hex_assets.lineage.engine.scopes import Scope, Source


class PivotReader(ExpressionReader):
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
                for value in pivot.expressions:
                    for part in value.find_all(exp.Identifier):
                        result.add(part.name, columns)
                for field in fields:
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
                listed = [item for f in fields for item in f.args.get("expressions") or ()]
                told = not any(isinstance(item, (exp.Query, exp.PivotAny)) for item in listed)
                if not told:  # the values are known only by the data
                    for item in listed:
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
                result = result.renamed([column.name for column in alias.columns])
            relation = result
            name = pivot.alias.casefold() or name
        return relation

    def pivot_statement(self, node: exp.Pivot, scope: Scope, env: Env) -> None:
        """DuckDB's `PIVOT t ON c USING sum(x) GROUP BY y` and `UNPIVOT t ON a, b INTO ...`."""
        within = Scope(self.dialect, parent=scope)
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
        for value in into.expressions if into is not None else [exp.to_identifier("value")]:
            result.add(value.name, values)

    def match_recognize(self, node: exp.Expr, scope: Scope, env: Env) -> None:
        """MATCH_RECOGNIZE: rows of a pattern; its names for rows qualify the table's columns."""
        names = {item.alias.casefold() for item in node.args.get("define") or ()}
        pattern = node.args.get("pattern")
        if pattern is not None:
            names |= {word.casefold() for word in pattern.name.replace("(", " ").split()}
        before = list(scope.sources)
        for part in (*(node.args.get("measures") or ()), *(node.args.get("define") or ())):
            for column in part.find_all(exp.Column):
                if column.table and scope.relation_named([column.table.casefold()]) is None:
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
            result.add(measure.alias_or_name, self.origins(measure, scope, env))
        for item in node.args.get("define") or ():
            self.reading.use(self.origins(item.this, scope, env), "filter")
        rows = node.args.get("rows")
        if rows is not None and "ALL" in rows.name.upper() and before:
            result.pass_on(Rest(before[-1].relation))
        scope.sources[:] = [*before[:-1], Source(node.alias.casefold(), result)]


_COMMENT = re.compile(r" ?/\*.*?\*/", re.DOTALL)
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
