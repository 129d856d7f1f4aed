"""Reads statements: what each kind of them reads, writes, and from which columns."""

from __future__ import annotations

from sqlglot import exp

from hex_assets.lineage.engine.names import marked, named
from hex_assets.lineage.engine.reading import Malformed
from hex_assets.lineage.engine.relations import Derived, Source, TableRef
from hex_assets.lineage.engine.scopes import Scope
from hex_assets.lineage.engine.targets import fill
from hex_assets.lineage.engine.trees.changes import column_names
from hex_assets.lineage.engine.trees.clickhouse import parsed_query
from hex_assets.lineage.engine.trees.merges import MergeReader

QUERIES = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values, exp.Table, exp.Pivot)
_DATA = ("TABLE", "VIEW", "DICTIONARY", "DYNAMIC TABLE", "MATERIALIZED VIEW")


class StatementReader(MergeReader):
    """Statements. `read` gives False for one that has no lineage by its nature."""

    def read(self, node: exp.Expr) -> bool:
        """Reads a statement of any kind; False when it has no lineage by its nature."""
        if isinstance(node, QUERIES):
            self.top_query(node)
        elif isinstance(node, exp.Create):
            return self.create(node)
        elif isinstance(node, exp.Insert):
            self.insert(node, {})
        elif isinstance(node, exp.MultitableInserts):
            self.insert_all(node)
        elif isinstance(node, exp.Update):
            self.update(node, {})
        elif isinstance(node, exp.Delete):
            self.delete(node, {})
        elif isinstance(node, exp.Merge):
            self.merge(node, {})
        elif isinstance(node, exp.Copy):
            self.copy(node)
        elif isinstance(node, exp.Export):
            if not isinstance(node.this, exp.Expr):
                raise Malformed("EXPORT DATA without its query")
            self.outputs(self.query(node.this, {}, None), [])
            for option in node.find_all(exp.Property):
                if option.name.lower() == "uri":
                    self.reading.files.setdefault(option.args["value"].name)
        elif isinstance(node, exp.LoadData):
            self.reading.written(node.this)
            path = node.args.get("inpath")
            if path is not None:
                self.reading.files.setdefault(path.name)
        elif isinstance(node, exp.Alter):
            return self.alter(node)
        elif isinstance(node, exp.Cache):
            if node.expression is None:
                return False
            self.outputs(self.query(node.expression, {}, None), [])
        elif isinstance(node, exp.Summarize):
            self.top_query(node.this)
        elif isinstance(node, (exp.Set, exp.Declare)):
            return self.scalar_queries(node)
        else:
            return False
        return True

    def scalar_queries(self, node: exp.Expr) -> bool:
        """SET x = (SELECT ...) reads what its queries read: the value is no output of the text."""
        queries = [
            query for query in node.find_all(exp.Query) if query.find_ancestor(exp.Query) is None
        ]
        for query in queries:
            rows = self.query(query, {}, None)
            if not isinstance(query.parent, exp.Exists):
                self.reading.use(rows.row(), "filter")
        return bool(queries)

    def top_query(self, node: exp.Expr) -> None:
        """A query that is a statement itself, with its INTO."""
        into = _into(node)
        ref = self.reading.written(into.this) if into is not None else None
        rows = self.query(node, {}, None)
        self.outputs(rows, [])
        fill(self.reading, ref, rows, [], own=True)
        if into is not None and isinstance(into.this, exp.Literal):
            self.reading.files.setdefault(into.this.name)

    def create(self, node: exp.Create) -> bool:
        """CREATE of a table, view or dictionary; False for other things."""
        kind = str(node.args.get("kind") or "").upper()
        if kind not in _DATA and not kind.endswith(("TABLE", "VIEW")):
            return False
        target = node.this
        names = column_names(target)
        properties = node.args.get("properties")
        to = None
        for prop in properties.expressions if properties is not None else ():
            if isinstance(prop, exp.ToTableProperty):
                to = prop.this
            elif isinstance(prop, exp.LikeProperty) and isinstance(prop.this, exp.Table):
                if not is_temporary(node):
                    self.plain_source(prop.this)
            elif isinstance(prop, exp.LocationProperty) and isinstance(
                prop.this, (exp.Literal, exp.Var)
            ):
                self.reading.files.setdefault(prop.this.name)
            elif isinstance(prop, exp.DictProperty):
                self.dictionary(prop, names, self.reading.written(target))
        clone = node.args.get("clone")
        if clone is not None:
            self.plain_source(clone.this)
        if isinstance(target, exp.Schema) and not is_temporary(node):
            for item in target.expressions:
                if isinstance(item, exp.LikeProperty):
                    self.plain_source(item.this)
        ref = self.reading.written(target if to is None else to)
        query = node.args.get("expression")
        if isinstance(query, exp.Table):
            self.plain_source(query)
        elif isinstance(query, exp.Query):
            env = self.ctes(node, {}, None)
            known = ref if to is not None else None  # a new table's columns are the query's own
            rows = self.query(query, env, None)
            self.outputs(rows, names, known)
            fill(self.reading, ref, rows, names, own=True)
            into = _into(query)
            if into is not None:
                self.reading.written(into.this)
        return True

    def dictionary(
        self, source: exp.DictProperty, names: list[str], target: TableRef | None
    ) -> None:
        """What ClickHouse's dictionary is loaded from: a table, or a query as a string."""
        told = {
            item.this.name.casefold(): item.args["value"].name
            for item in source.args.get("settings") or ()
        }
        if str(source.args.get("kind")).casefold() != "clickhouse":
            return
        if "query" in told:
            tree = parsed_query(told["query"])
            if tree is None:
                self.reading.dynamic = True
            else:
                rows = self.query(tree, {}, None)
                self.outputs(rows, [])
                fill(self.reading, target, rows, [], own=True)
        elif "table" in told:
            parts = [told[key] for key in ("db", "table") if key in told]
            ref = self.reading.source(tuple(parts))
            columns = Derived()
            for name in names:
                columns.add(name, frozenset({(ref, name)}))
            self.outputs(columns, [])
            fill(self.reading, target, columns, [], own=True)

    def insert_all(self, node: exp.MultitableInserts) -> None:
        """Snowflake's INSERT ALL and INSERT FIRST."""
        if any(isinstance(item, exp.Insert) for item in node.expressions):
            raise Malformed("Hive's FROM t INSERT ... INSERT ... is read one by one")
        source = self.query(node.args["source"], {}, None)
        scope = Scope(self.dialect)
        scope.add(Source("", source))
        for item in node.expressions:
            condition = item.args.get("expression")
            if condition is not None:
                self.reading.use(self.origins(condition, scope, {}), "filter")
            into = item.this
            if into is None:
                raise Malformed("INSERT ALL has a branch without its table")
            ref = self.reading.written(into.this)
            names = column_names(into.this)
            values = into.args.get("expression")
            if isinstance(values, exp.Values):
                for row in values.expressions:
                    cells = row.expressions if isinstance(row, exp.Tuple) else [row]
                    self.fill_row(ref, names, cells, scope, {})
            else:
                self.outputs(source, names, ref)
                fill(self.reading, ref, source, names)

    def copy(self, node: exp.Copy) -> None:
        """COPY in either direction."""
        files = node.args.get("files") or []
        loads = bool(node.args.get("kind"))
        target = node.this
        is_table = isinstance(target, (exp.Table, exp.Schema))
        name = named(target, self.dialect) if isinstance(target, exp.Table) else None
        if loads and is_table:
            self.reading.written(target)
        elif isinstance(target, exp.Table):
            if name is not None and name.file is not None:
                self.reading.files.setdefault(name.file)
            else:
                self.plain_source(target)
        elif isinstance(target, exp.Schema):
            self.plain_source(target)
        elif isinstance(target, exp.Expr):
            self.outputs(self.query(target, {}, None), [])
        for item in files:
            if isinstance(item, exp.Table):
                file = named(item, self.dialect)
                if file.file is not None:
                    self.reading.files.setdefault(file.file)
                elif loads and name is not None and name.file is not None:
                    self.top_query(item)
                elif file.parts:
                    self.reading.files.setdefault(".".join(file.parts))
            elif isinstance(item, exp.Literal):
                self.reading.files.setdefault(item.name)
            elif isinstance(item, exp.Query):
                self.outputs(self.query(item, {}, None), column_names(target))

    def alter(self, node: exp.Alter) -> bool:
        """ALTER ... SWAP WITH; False for others."""
        for action in node.args.get("actions") or ():
            if isinstance(action, exp.SwapTable):
                self.reading.written(node.this)
                self.plain_source(action.this)
                return True
        return False


_TEMPORARY = (exp.TemporaryProperty, exp.VolatileProperty)


def is_temporary(node: exp.Create) -> bool:
    """Whether the table or view that is made ends with the session."""
    properties = node.args.get("properties")
    kinds = properties.expressions if properties is not None else ()
    if any(isinstance(prop, _TEMPORARY) for prop in kinds):
        return True
    table = node.this.this if isinstance(node.this, exp.Schema) else node.this
    return isinstance(table, exp.Table) and marked(table.this).startswith("#")


def _into(node: exp.Expr) -> exp.Expr | None:
    """The INTO of a query; a set operation has it on its first SELECT."""
    while isinstance(node, (exp.SetOperation, exp.Subquery)):
        node = node.this
    into = node.args.get("into")
    return into if isinstance(into, exp.Expr) else None
