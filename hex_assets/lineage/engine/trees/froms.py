"""Reads FROM clauses: tables, joins, subqueries, laterals, table functions, pivots."""

from __future__ import annotations

from sqlglot import exp

from hex_assets.lineage.engine.dialects import APART_IN_FROM, UNNESTED_PATHS
from hex_assets.lineage.engine.names import Named, named, parts_of_text
from hex_assets.lineage.engine.reading import Cte, Env, Malformed
from hex_assets.lineage.engine.relations import (
    MAYBE,
    NO,
    NOTHING,
    WEAK,
    BaseTable,
    Derived,
    Origins,
    Produced,
    Relation,
    Rest,
    Source,
    merged,
)
from hex_assets.lineage.engine.scopes import Scope
from hex_assets.lineage.engine.trees.crosstab import crossed, query_in_string
from hex_assets.lineage.engine.trees.functions import (
    GENERATED,
    arguments,
    call_name,
    files_of,
    is_dynamic,
    parameterised,
    table_of,
)
from hex_assets.lineage.engine.trees.joins import JoinReader
from hex_assets.lineage.engine.trees.passing import passed_on, tables_given
from hex_assets.lineage.engine.trees.rows_duckdb import function_of_duckdb, rows_of_duckdb
from hex_assets.lineage.engine.trees.unnesting import (
    columns_of_arrays,
    is_called,
    known_rows,
    unnested_fields,
)

_FLATTEN = ["SEQ", "KEY", "PATH", "INDEX", "VALUE", "THIS"]


class FromReader(JoinReader):
    """FROM clauses. Each item becomes a source of the scope, in the order of the text."""

    def read_cte(self, cte: Cte, outer: Scope | None) -> Relation:
        """The relation of a CTE."""
        raise NotImplementedError

    def from_clause(self, node: exp.Expr, scope: Scope, env: Env) -> None:
        """FROM, JOINs and LATERAL VIEWs of a SELECT (or of an UPDATE, which has the same)."""
        start = node.args.get("from_")
        if start is not None:
            self.from_item(start.this, scope, env)
        for lateral in node.args.get("laterals") or ():
            self.from_item(lateral, scope, env)
        match = node.args.get("match")
        if match is None:
            self.joins(node, scope, env)
            return
        clauses = list(node.args)  # in the order of the text
        if "joins" in clauses and clauses.index("joins") < clauses.index("match"):
            raise Malformed("MATCH_RECOGNIZE beside joins: the tree does not tell of which table")
        self.match_recognize(match, scope, env)
        self.joins(node, scope, env)

    def from_item(self, node: exp.Expr, scope: Scope, env: Env) -> None:
        """Adds what one item of FROM stands for to the scope."""
        self.reading.tick()
        if isinstance(node, exp.Table):
            self.table(node, scope, env)
        elif isinstance(node, exp.Subquery):
            self.derived_table(node, scope, env)
        elif isinstance(node, exp.Unnest):
            self.unnest(node, scope, env)
        elif isinstance(node, exp.Lateral):
            self.lateral(node, scope, env)
        elif isinstance(node, exp.AtIndex):
            self.indexed_path(node, scope, env)
        elif isinstance(node, exp.Pivot):
            self.pivot_statement(node, scope, env)
        elif isinstance(node, (exp.Select, exp.SetOperation, exp.Values)):
            self.add(node, self.query(node, env, scope.parent), scope)
        elif isinstance(node, (exp.Paren, exp.Final, exp.Stream)):
            self.from_item(node.this, scope, env)
        elif isinstance(node, exp.TableAlias):  # what a pipe's AS named, by the parser
            self.table(exp.Table(this=node.this), scope, env)
        else:
            self.function(node, node, scope, env)
        self.joins(node, scope, env)

    def add(self, node: exp.Expr, relation: Relation, scope: Scope, name: str = "") -> None:
        """Adds a relation under its alias, its columns renamed by an alias list."""
        alias = node.args.get("alias")
        if isinstance(alias, exp.TableAlias):
            name = alias.name or name
            columns = [column.name for column in alias.columns]
            if columns and not isinstance(relation, Produced) and not isinstance(node, exp.Values):
                whole = Derived()
                whole.pass_on(Rest(relation))
                renamed = whole.renamed(columns)
                if isinstance(relation, BaseTable):  # the list may be shorter than the table
                    rest = Rest(relation, frozenset(name.casefold() for name in columns))
                    if rest.is_open():
                        renamed.pass_on(rest)
                relation = renamed
        scope.add(Source(name.casefold(), self.pivoted(node, relation, scope), (), ""))
        pivots = node.args.get("pivots")
        if pivots and pivots[-1].alias:
            scope.sources[-1].name = pivots[-1].alias.casefold()

    def table(self, node: exp.Table, scope: Scope, env: Env) -> None:
        """A table, CTE, unnested path or table function by its name in FROM."""
        inner = node.this
        if isinstance(inner, exp.SemanticView):
            self.add(node, self.semantic_view(inner, env), scope)
            return
        if isinstance(inner, exp.Table):
            self.table(inner, scope, env)
            return
        dynamic = isinstance(inner, exp.DynamicIdentifier)
        if self.dialect == "clickhouse":
            parts = parameterised(node)
            if parts:
                self.add(node, BaseTable(self.reading.source(parts)), scope, parts[-1])
                return
        if (isinstance(inner, exp.Func) and not dynamic) or node.args.get("rows_from"):
            self.function(node, inner, scope, env)
            return
        name = named(node, self.dialect)
        if len(name.parts) == 1 and not node.args.get("db"):
            cte = env.get(name.parts[0].casefold())
            if cte is not None and not cte.scalar:
                self.add(node, self.read_cte(cte, None), scope, name.parts[0])
                return
        if self.dialect == "duckdb":
            own = rows_of_duckdb(node, name.parts, env, self.read_cte)
            if own is not None:
                self.add(node, own, scope, name.parts[-1])
                return
        whole = node.meta_get("quoted_table")  # backticks around dots: always a table
        if len(name.parts) > 1 and self.dialect in UNNESTED_PATHS and not whole:
            qualifiers = [piece.name for piece in node.parts[:-1]]
            if qualifiers and scope.has_path(qualifiers[0].casefold()):
                found = scope.qualified(qualifiers, node.parts[-1].name)
                called = self.dialect != "bigquery" or is_called(node, node.alias or name.parts[-1])
                fields = WEAK if called else MAYBE
                path = [piece.name for piece in node.parts]
                inner = scope.struct(path) if self.reading.has_structs else None
                fields = fields if inner is None else NO
                relation = Produced(found[1] if found else NOTHING, [], fields, inner)
                self.add(node, relation, scope, name.parts[-1])
                return
        self.named_table(node, name, scope, env)

    def named_table(self, node: exp.Table, name: Named, scope: Scope, env: Env) -> None:
        """A table or file of the warehouse."""
        if name.file is not None:
            self.reading.files.setdefault(name.file)
            self.add(node, Produced(NOTHING, [], MAYBE), scope)
            return
        self.reading.dynamic |= name.dynamic
        if not name.parts:
            dotted = isinstance(node.this, exp.Dot)
            if dotted:
                self.function(node, node.this, scope, env)
            else:
                self.add(node, Produced(NOTHING, [], MAYBE), scope)
            return
        base = BaseTable(self.reading.source(name.parts))
        last = name.parts[-1]
        self.add(node, base, scope, last)
        source = scope.sources[-1]
        if node.alias:
            source.hidden_name = last.casefold()
        written = tuple(piece.name.casefold() for piece in node.parts)
        source.parts = (
            written
            if len(written) == len(name.parts)
            else tuple(part.casefold() for part in name.parts)
        )
        version = node.args.get("when") or node.args.get("version")
        if version is not None:
            self.origins(version, Scope(self.dialect), env)

    def derived_table(self, node: exp.Subquery, scope: Scope, env: Env) -> None:
        """A subquery in FROM, or parentheses around joins."""
        env = self.ctes(node, env, scope)
        inner = node.this
        if isinstance(inner, exp.Subquery) and inner.alias and not node.alias:
            self.from_item(inner, scope, env)  # parentheses around joins that begin with a query
            return
        if isinstance(inner, exp.Subquery) and not inner.args.get("alias"):
            if isinstance(inner.this, exp.Table) or inner.args.get("joins"):
                self.from_item(inner, scope, env)  # parentheses around joins
                return
        if isinstance(inner, exp.Table):
            if node.args.get("alias") is None:
                self.from_item(inner, scope, env)
                return
            within = Scope(self.dialect, parent=scope.parent)
            self.from_item(inner, within, env)
            whole = Derived()
            for key, column in within.using.items():
                whole.add(key, column.origins(key, key))
            for source in within.sources:
                whole.pass_on(Rest(source.relation, frozenset(within.using)))
            self.add(node, whole, scope)
            return
        relation = self.query(inner, env, scope.parent if self.dialect in APART_IN_FROM else scope)
        self.tail(node, relation, env, scope.parent)
        self.add(node, relation, scope)

    def ctes(self, node: exp.Expr, env: Env, outer: Scope | None) -> Env:
        """Reads a WITH clause; gives the environment of the query under it."""
        raise NotImplementedError

    def tail(self, node: exp.Expr, relation: Relation, env: Env, outer: Scope | None) -> None:
        """ORDER BY of a query in parentheses."""
        raise NotImplementedError

    def unnest(self, node: exp.Unnest, scope: Scope, env: Env) -> None:
        """UNNEST with its aliases and its offset."""
        origins = merged(self.origins(item, scope, env) for item in node.expressions)
        self.reading.use(origins, "join")
        alias = node.args.get("alias")
        names = [column.name for column in alias.columns] if alias is not None else []
        offset = node.args.get("offset")
        name = node.alias
        fields = WEAK
        inner = None
        if self.dialect == "bigquery":
            name = name or (names[0] if names else "")
            if len(node.expressions) == 1:
                value = node.expressions[0]  # `FROM t, t.items` names it `items`
                name = name or (value.name if isinstance(value, exp.Column) else "")
                inner = self.fields(node.expressions[0], scope, env)
            known, fields = unnested_fields(node, name, origins)
            names = [*(names or [name]), *known]
        elif names:
            fields = 0
        produced: Relation = Produced(origins, names or [name], fields)
        if inner is not None:
            produced = Produced(origins, [name], inner=inner)
        if len(names) > 1 and self.dialect != "bigquery":
            arrays = columns_of_arrays(node, len(names))
            columns = Derived()
            for column, items in zip(names, arrays, strict=False):
                columns.add(column, merged(self.origins(item, scope, env) for item in items))
            produced = columns if arrays else produced
        scope.add(Source(name.casefold(), produced))
        if isinstance(offset, exp.Identifier):
            unnested = scope.sources[-1].relation
            whole = Derived()
            for column, found in unnested.star():
                whole.add(column, found)
            whole.add(offset.name, NOTHING)
            if fields or self.dialect == "bigquery":
                scope.add(Source("", Produced(NOTHING, [offset.name])))
            else:
                scope.sources[-1].relation = whole

    def lateral(self, node: exp.Lateral, scope: Scope, env: Env) -> None:
        """LATERAL subqueries, views and functions."""
        inner = node.this
        if isinstance(inner, exp.Unnest) and inner.args.get("alias") is None:
            inner.set("alias", node.args.get("alias"))
            self.unnest(inner, scope, env)
        elif isinstance(inner, exp.Subquery):
            relation = self.query(inner, env, scope)
            self.add(node, relation, scope)
        elif isinstance(inner, exp.Table) and not isinstance(inner.this, exp.Func):
            self.table(inner, scope, env)
        elif isinstance(inner, exp.Unnest):
            inner.set("alias", node.args.get("alias"))
            self.unnest(inner, scope, env)
        else:
            self.function(node, inner, scope, env)

    def function(self, node: exp.Expr, call: exp.Expr | None, scope: Scope, env: Env) -> None:
        """A table function: no table itself, but what it is given may be one."""
        if call is not None and self.known_function(node, call, scope, env):
            return
        unresolved = dict(self.reading.unresolved)
        if call is node:
            origins = merged(
                self.origins(value, scope, env)
                for key, value in node.args.items()
                if isinstance(value, exp.Expr) and key not in ("alias", "joins")
            )
        else:
            origins = self.origins(call, scope, env)
        self.reading.use(origins, "join")  # they tell how many rows there are
        rows = node.args.get("rows_from") or ()
        alias = node.args.get("alias")
        names = [c.name for c in alias.columns] if isinstance(alias, exp.TableAlias) else []
        if rows:
            result = Derived()
            for position, item in enumerate(rows):
                found = self.origins(item, scope, env)
                self.reading.use(found, "join")
                name = names[position] if position < len(names) else node.alias
                result.add(name, found)
            for name in names[len(rows) :]:
                result.add(name, NOTHING if len(rows) > 1 else result.row())
            scope.add(Source(node.alias.casefold(), result))
            return
        if not scope.sources and scope.parent is None:  # header=true, CSV: options, no columns
            self.reading.unresolved = unresolved
        inner = call.this if isinstance(call, (exp.TableFromRows,)) else call
        known = known_rows(node, inner, origins, names, self.dialect)
        if known is not None:
            scope.add(Source(node.alias.casefold(), known))
            return
        fields = 0 if names else MAYBE
        if isinstance(inner, exp.Explode) and self.dialect == "snowflake":
            names, fields = names or _FLATTEN, 0
        elif self.dialect == "clickhouse" and inner is not None and call_name(inner) in GENERATED:
            names, fields = names or [GENERATED[call_name(inner)]], 0
        elif isinstance(inner, (exp.ExplodingGenerateSeries, exp.GenerateSeries, exp.Explode)):
            names, fields = names or [node.alias or "generate_series", "generate_series"], 0
        scope.add(Source(node.alias.casefold(), Produced(origins, names, fields)))

    def known_function(self, node: exp.Expr, call: exp.Expr, scope: Scope, env: Env) -> bool:
        """Functions that stand for a table or a file, such as remote(), s3() and read_csv()."""
        if self.dialect == "duckdb":
            own = function_of_duckdb(call, self.reading, self.query)
            if own is not None:
                self.add(node, own, scope)
                return True
        if self.dialect == "bigquery":
            tables = tables_given(call)
            if tables:
                relations = [self.given(item, scope, env) for item in tables]
                self.add(node, passed_on(call, relations), scope)
                self.reading.has_structs |= isinstance(call, exp.VectorSearch)
                return True
        rows = call.this if isinstance(call, exp.TableFromRows) else call
        if rows is not call and isinstance(rows, (exp.Parameter, exp.Placeholder)):
            self.reading.dynamic = True
            self.add(node, Produced(NOTHING, [], MAYBE), scope)
            return True
        if rows is not call and isinstance(rows, exp.Literal) and rows.is_string:
            parts = parts_of_text(rows.name)
        else:
            parts = table_of(call, self.dialect)
        if parts and self.dialect == "tsql":  # CONTAINSTABLE: keys and ranks of a table's rows
            self.reading.source(parts)
            self.add(node, Produced(NOTHING, ["KEY", "RANK"]), scope)
            return True
        if parts:
            self.add(node, BaseTable(self.reading.source(parts)), scope, parts[-1])
            return True
        if is_dynamic(call, self.dialect):
            self.reading.dynamic = True
            self.add(node, Produced(NOTHING, [], MAYBE), scope)
            return True
        query = query_in_string(call, self.dialect)
        if query is not None:
            alias = node.args.get("alias")
            found = self.query(query, {}, None)
            self.add(node, crossed(found, len(alias.columns) if alias is not None else 0), scope)
            return True
        given = arguments(call)
        if self.dialect == "snowflake" and call_name(rows) == "getnextval":
            self.add(node, Produced(NOTHING, ["NEXTVAL"]), scope)
            return True
        if self.dialect == "clickhouse" and given and isinstance(given[0], exp.Query):
            if call_name(call) == "view":
                self.add(node, self.query(given[0], env, None), scope)
                return True
        files = files_of(call, self.dialect)
        for file in files:
            self.reading.files.setdefault(file)
        if files:
            self.add(node, Produced(NOTHING, [], MAYBE), scope)
        return bool(files)

    def table_argument(self, table: exp.Table, scope: Scope, env: Env) -> Origins:
        """A table given to a function: ML.PREDICT(MODEL m, TABLE t), TABLE(t)."""
        return self.given(table, scope, env).row()

    def given(self, node: exp.Expr, scope: Scope, env: Env) -> Relation:
        """The relation of a table or query that a function is given."""
        within = Scope(self.dialect, parent=scope)
        self.from_item(node, within, env)
        whole = Derived()
        for source in within.sources:
            whole.pass_on(Rest(source.relation))
        return whole
