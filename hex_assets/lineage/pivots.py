"""Reads PIVOT, UNPIVOT and MATCH_RECOGNIZE: relations whose columns a clause makes anew."""

from __future__ import annotations

from sqlglot import exp

from hex_assets.lineage.reader import Env, ExpressionReader
from hex_assets.lineage.relations import MAYBE, NOTHING, Derived, Produced, Relation, Rest, merged
from hex_assets.lineage.scopes import Scope, Source


class PivotReader(ExpressionReader):
    """Clauses after an item of FROM that change its columns."""

    def from_item(self, node: exp.Expr, scope: Scope, env: Env) -> None:
        """Adds what one item of FROM stands for to the scope."""
        raise NotImplementedError

    def pivoted(self, node: exp.Expr, relation: Relation, scope: Scope) -> Relation:
        """The relation after PIVOT and UNPIVOT clauses."""
        for pivot in node.args.get("pivots") or ():
            within = Scope(self.dialect, parent=scope)
            within.add(Source("", relation))
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
                values = merged(self.origins(item, within, {}) for item in pivot.expressions)
                by = merged(self.origins(field.this, within, {}) for field in fields)
                self.reading.use(by, "group")
                hidden = {
                    column.name.casefold()
                    for item in [*pivot.expressions, *(field.this for field in fields)]
                    for column in item.find_all(exp.Column)
                }
                result.pass_on(Rest(relation, frozenset(hidden)))
                for identifier in pivot.args.get("columns") or ():
                    result.add(identifier.name, values)
                    bare = identifier.name.strip("'")
                    result.index.setdefault(bare.casefold(), values)
            alias = pivot.args.get("alias")
            if isinstance(alias, exp.TableAlias) and alias.columns:
                result = result.renamed([column.name for column in alias.columns])
            relation = result
        return relation

    def pivot_statement(self, node: exp.Pivot, scope: Scope, env: Env) -> None:
        """DuckDB's `PIVOT t ON c USING sum(x) GROUP BY y`, also in FROM."""
        within = Scope(self.dialect, parent=scope)
        if node.this is not None:
            self.from_item(node.this, within, env)
        on = merged(self.origins(item, within, env) for item in node.expressions)
        values = merged(self.origins(item, within, env) for item in node.args.get("using") or ())
        self.reading.use(on, "group")
        group = node.args.get("group")
        result = Derived()
        for item in group.expressions if group is not None else ():
            found = self.origins(item, within, env)
            self.reading.use(found, "group")
            result.add(item.name, found)
        result.pass_on(Rest(Produced(values | on, [], MAYBE)))
        scope.add(Source(node.alias.casefold(), result))

    def match_recognize(self, node: exp.Expr, scope: Scope, env: Env) -> None:
        """MATCH_RECOGNIZE: rows of a pattern; its names for rows qualify the table's columns."""
        names = {item.alias.casefold() for item in node.args.get("define") or ()}
        pattern = node.args.get("pattern")
        if pattern is not None:
            names |= {word.casefold() for word in pattern.name.replace("(", " ").split()}
        before = list(scope.sources)
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
