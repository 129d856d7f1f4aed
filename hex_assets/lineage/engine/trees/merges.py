"""Reads MERGE: what each of its branches writes, and from which columns."""

from __future__ import annotations

from sqlglot import exp

from hex_assets.lineage.engine.reading import Env, Malformed
from hex_assets.lineage.engine.relations import NOTHING, Derived, Relation, Source, TableRef
from hex_assets.lineage.engine.scopes import Scope
from hex_assets.lineage.engine.targets import fill, fill_by_name
from hex_assets.lineage.engine.trees.changes import ChangeReader
from hex_assets.lineage.engine.trees.merging import Given, by_position, given_row, is_default


class MergeReader(ChangeReader):
    """MERGE: its source, its condition and its branches."""

    def merge(self, node: exp.Merge, env: Env) -> None:
        """MERGE: source, condition, and each action."""
        env = self.ctes(node, env, None)
        scope = Scope(self.dialect)
        target = self.target_scope(node.this, env, scope)
        using = node.args.get("using")
        if not isinstance(using, exp.Expr):
            raise Malformed("MERGE without its source")
        self.from_item(using, scope, env)
        condition = node.args.get("on")
        for identifier in node.args.get("using_cond") or ():
            both = [item.relation for item in scope.sources]
            self.using(identifier.name, both[:-1], both[-1:], scope)
            condition = identifier
        if not isinstance(condition, exp.Expr):  # False where ON is missing
            raise Malformed("MERGE without its condition")
        self.reading.use(self.origins(condition, scope, env), "join")
        source = scope.sources[-1].relation
        whens = node.args.get("whens")
        for when in whens.expressions if whens is not None else ():
            if when.args.get("condition") is not None:
                found = self.origins(when.args["condition"], scope, env)
                self.reading.use(found, "filter")
            self.merge_action(when.args.get("then"), source, target, scope, env)

    def merge_action(
        self,
        action: exp.Expr | None,
        source: Relation,
        target: TableRef | None,
        scope: Scope,
        env: Env,
    ) -> None:
        """UPDATE or INSERT of a MERGE."""
        given = given_row(action, self.dialect)
        if given == Given.NOTHING:
            return
        if given is not None:
            self.outputs(source, [], target if given == Given.BY_POSITION else None)
            if given == Given.BY_POSITION:
                fill(self.reading, target, source, [])
            else:
                fill_by_name(self.reading, target, source)
        elif isinstance(action, exp.Update):
            for item in action.expressions:
                if isinstance(item, exp.EQ):
                    self.assignment(item.this, item.expression, scope, env)
        elif isinstance(action, exp.Insert):
            values = action.args.get("expression")
            columns = action.this
            names = [c.name for c in columns.expressions] if isinstance(columns, exp.Tuple) else []
            only = next(iter(columns.expressions), None) if isinstance(columns, exp.Tuple) else None
            if isinstance(only, exp.Anonymous) and only.name.upper() == "VALUES":
                values = exp.Tuple(expressions=only.expressions)  # INSERT VALUES (a, b)
                names = []
            if isinstance(values, exp.Tuple):
                inner = Scope(self.dialect, parent=scope)
                inner.add(Source("", source))
                if not names and target is not None and target.columns:
                    names = by_position(values.expressions, list(target.columns.values()))
                self.fill_row(target, names, values.expressions, inner, env)
            elif isinstance(columns, exp.Tuple) and not values:
                raise Malformed("INSERT of a MERGE without its values")
            else:  # BigQuery's INSERT ROW
                self.outputs(source, names, target)
                fill(self.reading, target, source, names)

    def fill_row(
        self,
        target: TableRef | None,
        names: list[str],
        cells: list[exp.Expr],
        scope: Scope,
        env: Env,
    ) -> None:
        """One row of VALUES for the written table; without names only columns have outputs."""
        row = Derived()
        for position, cell in enumerate(cells):
            name = names[position] if position < len(names) else self.output_name(cell)
            origins = NOTHING if is_default(cell) else self.origins(cell, scope, env)
            if position < len(names) or (isinstance(cell, exp.Column) and not is_default(cell)):
                self.output(name, origins)
            else:
                self.reading.use(origins, "output")
            row.add(name, origins)
        fill(self.reading, target, row, names)
