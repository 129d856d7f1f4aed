"""Reads INSERT, UPDATE, DELETE and MERGE: what they write, and from which columns."""

from __future__ import annotations

from sqlglot import exp

from hex_assets.lineage.engine.names import is_remote, named
from hex_assets.lineage.engine.reading import Env
from hex_assets.lineage.engine.relations import (
    BaseTable,
    Derived,
    Origins,
    Relation,
    Rest,
    Source,
    TableRef,
)
from hex_assets.lineage.engine.scopes import Scope
from hex_assets.lineage.engine.targets import assign, fill
from hex_assets.lineage.engine.trees.changed_tables import TargetReader, changed_in_from
from hex_assets.lineage.engine.trees.conflicts import assigned, excluded
from hex_assets.lineage.engine.trees.functions import files_of, table_of
from hex_assets.lineage.engine.trees.mysql import read_for_others


class ChangeReader(TargetReader):
    """Statements that change rows, also those in a CTE."""

    def outputs(self, relation: Relation, names: list[str], target: TableRef | None = None) -> None:
        """Notes the output columns, under the names of the target's columns where given."""
        columns = relation.star()
        if not names and target is not None and target.columns and not relation.is_open():
            if len(target.columns) == len(columns):
                names = list(target.columns.values())
        if self.reading.has_structs:
            self._keep_fields(relation, [name for name, _ in columns], names)
        if names and not relation.is_open():
            columns = [
                (names[position] if position < len(names) else name, origins)
                for position, (name, origins) in enumerate(columns)
            ]
        elif names:
            return self._named_rest(relation, names)
        for name, origins in columns:
            self.output(name, origins)
        return None

    def _keep_fields(self, relation: Relation, own: list[str], names: list[str]) -> None:
        """Notes the fields of structs: a later statement may read them from the made table."""
        for position, name in enumerate(own):
            fields = relation.fields_of(name.casefold())
            if fields is not None:
                called = names[position] if position < len(names) else name
                self.reading.fields.setdefault(called.casefold(), fields)

    def _named_rest(self, relation: Relation, names: list[str]) -> None:
        """A star with unknown columns under known names: which is which is not known."""
        for _, origins in relation.star():
            self.output("*", origins)

    def output(self, name: str, origins: Origins) -> None:
        """Notes an output column."""
        self.reading.outputs.append((name, origins))
        self.reading.use(origins, "output")

    def plain_source(self, table: exp.Expr) -> None:
        """A table that is read as a whole by its name."""
        if isinstance(table, exp.Schema):
            table = table.this
        if isinstance(table, exp.Table):
            parts = named(table, self.dialect).parts
            if parts:
                self.reading.source(parts)

    def insert(self, node: exp.Insert, env: Env) -> None:
        """INSERT with its columns."""
        env = self.ctes(node, env, None)
        target = node.this
        if isinstance(target, exp.Directory):
            self.reading.files.setdefault(target.this.name)
            ref = None
        elif is_remote(target):
            target = ref = None
        elif node.args.get("is_function") and isinstance(target, exp.Expr):
            ref = None
            for file in files_of(target, self.dialect):
                self.reading.files.setdefault(file)
            parts = table_of(target, self.dialect)
            if parts:
                ref = self.reading.target(parts)
        else:
            ref = self.reading.written(target)
        query = node.args.get("expression")
        relation: Relation = Derived()
        if isinstance(query, exp.Expr):
            if isinstance(query, exp.Values):
                relation = self.values(query, env, None)
                known = list(ref.columns.values()) if ref is not None and ref.columns else []
                self.outputs(relation, column_names(target) or known)
                fill(self.reading, ref, relation, column_names(target))
            elif isinstance(query, exp.Table):
                within = Scope(self.dialect)
                self.from_item(query, within, env)
                rows = within.sources[0].relation
                self.outputs(rows, column_names(target), ref)
                fill(self.reading, ref, rows, column_names(target))
            else:
                by_name = bool(node.args.get("by_name"))
                relation = self.query(query, env, None)
                self.outputs(relation, column_names(target), None if by_name else ref)
                fill(self.reading, ref, relation, column_names(target), own=by_name)
        conflict = node.args.get("conflict")
        if conflict is not None and ref is not None:
            scope = Scope(self.dialect)
            alias = target.alias if isinstance(target, exp.Table) else ""
            scope.add(Source((alias or ref.parts[-1]).casefold(), BaseTable(ref)))
            if self.dialect in ("postgres", "duckdb"):
                columns = column_names(target) or list((ref.columns or {}).values())
                scope.parent = Scope(self.dialect)  # only named in full: a bare name is the table's
                scope.parent.add(Source("excluded", excluded(node, relation, columns)))
                for name, value in assigned(conflict):
                    origins = self.origins(value, scope, env)
                    self.output(name, origins)
                    self.reading.writes.append((ref, name, origins))
            self.origins(conflict, scope, env)

    def update(self, node: exp.Update, env: Env) -> None:
        """UPDATE with FROM, joins and CTEs."""
        env = self.ctes(node, env, None)
        scope = Scope(self.dialect)
        table = node.this
        start = node.args.get("from_")
        in_from = changed_in_from(start, table, self.dialect)
        if start is not None and in_from is not None:
            self.changed[id(in_from)] = False
            self.from_item(start.this, scope, env)
        elif isinstance(table, exp.Table) and table.args.get("joins"):
            self.mysql_update(node, table, scope, env)
        else:
            self.target_scope(table, env, scope)
            scope.joined_from = len(scope.sources)  # a JOIN in FROM does not know the target
            if start is not None:
                self.from_item(start.this, scope, env)
        self.joins(node, scope, env)
        for item in node.expressions:
            if isinstance(item, exp.EQ) and isinstance(item.this, exp.Parameter):
                item = item.expression  # T-SQL's SET @v = x, and SET @v = column = x
            if isinstance(item, exp.EQ):
                self.assignment(item.this, item.expression, scope, env)
            else:
                self.origins(item, scope, env)
        self.where(node, scope, env)

    def mysql_update(self, node: exp.Update, table: exp.Table, scope: Scope, env: Env) -> None:
        """UPDATE a JOIN b SET a.x = b.x: written are the tables whose columns are set."""
        joins = table.args.get("joins") or []
        tables = [table, *(join.this for join in joins)]
        assigned = {
            item.this.args["table"].name.casefold()
            for item in node.expressions
            if isinstance(item, exp.EQ) and item.this.args.get("table") is not None
        }
        read = read_for_others(node) if len(assigned) > 1 else frozenset()
        for position, item in enumerate(tables):
            name = (item.alias_or_name or "").casefold()
            if name in assigned or (not assigned and position == 0):
                self.changed[id(item)] = name in read  # for what another table is given
        self.from_item(table, scope, env)

    def assignment(self, left: exp.Expr, right: exp.Expr, scope: Scope, env: Env) -> None:
        """SET column = value, or a tuple of them."""
        if isinstance(left, exp.Bracket):
            left = left.this  # an element of an array
        elif isinstance(left, exp.Column) and left.table and self.dialect == "postgres":
            left = left.parts[0]  # a field of a composite column: a table's name cannot stand here
        if isinstance(left, (exp.Tuple, exp.Paren)):
            given = list(left.find_all(exp.Column))
            query = right.this if isinstance(right, exp.Paren) else right
            if isinstance(query, exp.Query):
                columns = self.query(query, env, scope).star()
                for column, (_, origins) in zip(given, columns, strict=False):
                    self.assign(column, origins, scope)
            elif isinstance(right, (exp.Tuple, exp.Struct, exp.Anonymous)):
                for column, item in zip(given, right.expressions, strict=False):
                    self.assign(column, self.origins(item, scope, env), scope)
            return
        self.assign(left, self.origins(right, scope, env), scope)

    def assign(self, column: exp.Expr, origins: Origins, scope: Scope) -> None:
        """Notes what a column in SET is given."""
        self.output(column.name, origins)
        assign(self.reading, scope, column, origins)

    def where(self, node: exp.Expr, scope: Scope, env: Env) -> None:
        """The filter of a write."""
        where = node.args.get("where")
        if where is not None:
            self.reading.use(self.origins(where, scope, env), "filter")

    def delete(self, node: exp.Delete, env: Env) -> None:
        """DELETE with USING or joins."""
        env = self.ctes(node, env, None)
        scope = Scope(self.dialect)
        tables = node.args.get("tables")
        start = node.this
        if tables and not isinstance(start, exp.Expr):  # T-SQL's DELETE t
            for table in tables:
                self.target_scope(table, env, scope)
        elif tables:  # DELETE t FROM t JOIN s: the written ones are named first
            names = {table.alias_or_name.casefold() for table in tables}
            items = [start, *(join.this for join in start.args.get("joins") or ())]
            hidden = names - {item.alias_or_name.casefold() for item in items}
            for item in items:
                is_table = isinstance(item, exp.Table)
                found = item.alias_or_name.casefold() in names
                found = found or (is_table and item.name.casefold() in hidden)
                if found and (is_table or self.dialect == "tsql"):
                    self.changed[id(item)] = False
            self.from_item(start, scope, env)
        else:
            self.target_scope(start, env, scope)
            if isinstance(start, exp.Table):
                self.joins(start, scope, env)
        for item in node.args.get("using") or ():
            scope.joined_from = len(scope.sources)
            self.from_item(item, scope, env)
        self.where(node, scope, env)

    def merge(self, node: exp.Merge, env: Env) -> None:
        """MERGE."""
        raise NotImplementedError

    def modification(self, node: exp.Expr, env: Env) -> Relation:
        """A data-modifying CTE: gives the rows of its RETURNING."""
        before = len(self.reading.outputs)
        if isinstance(node, exp.Insert):
            self.insert(node, env)
        elif isinstance(node, exp.Update):
            self.update(node, env)
        elif isinstance(node, exp.Delete):
            self.delete(node, env)
        elif isinstance(node, exp.Merge):
            self.merge(node, env)
        returning = node.args.get("returning")
        table = node.this.this if isinstance(node.this, exp.Schema) else node.this
        if returning is None or not isinstance(table, exp.Table):
            return Derived()
        rows = Derived()
        parts = named(table, self.dialect).parts
        for name, origins in self.reading.outputs[before:]:
            own = {ref: self.reading.ref(parts) for ref, _ in origins if ref.parts == parts}
            rows.add(name, frozenset((own.get(ref, ref), column) for ref, column in origins))
        old = None
        if parts and not isinstance(node, exp.Insert):  # rows that were there before
            old = self.reading.ref(parts)
            rows.pass_on(Rest(BaseTable(old), frozenset(rows.index)))
        scope = Scope(self.dialect)
        scope.add(Source(table.alias_or_name.casefold(), rows))
        using = node.args.get("using") or []
        for item in using if isinstance(using, list) else [using]:  # a MERGE has one
            self.from_item(item, scope, env)
        start = node.args.get("from_")
        if start is not None:
            self.from_item(start.this, scope, env)
        result = self.projections(returning, scope, env)
        if old is not None:  # T-SQL's OUTPUT may tell of nothing but the action and the other table
            if self.dialect != "tsql" or any(ref is old for ref, _ in result.row()):
                self.reading.source(parts)
        return result


def column_names(target: exp.Expr | None) -> list[str]:
    """The column list after a target's name, or after the alias that PostgreSQL allows it."""
    if isinstance(target, exp.Table) and isinstance(target.args.get("alias"), exp.TableAlias):
        return [item.name for item in target.args["alias"].columns]
    if not isinstance(target, exp.Schema):
        return []
    kinds: tuple[type[exp.Expr], ...] = (exp.Identifier, exp.ColumnDef, exp.Column)
    if not isinstance(target.parent, exp.Create):
        kinds = (*kinds, *_LIKE_CONSTRAINTS)
    items = [item for item in target.expressions if isinstance(item, kinds)]
    return [_LIKE_CONSTRAINTS.get(type(item)) or item.name for item in items]


_LIKE_CONSTRAINTS: dict[type[exp.Expr], str] = {
    exp.ExcludeColumnConstraint: "exclude",
    exp.UniqueColumnConstraint: "unique",
}
"""What the parser takes some names of columns for, which no constraint can be outside of CREATE."""
