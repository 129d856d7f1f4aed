"""Reads FROM clauses: tables, joins, subqueries, laterals, table functions, pivots."""

from __future__ import annotations

from sqlglot import exp

from hex_assets.lineage.engine.dialects import UNNESTED_PATHS
from hex_assets.lineage.engine.functions import (
    GENERATED,
    arguments,
    call_name,
    columns_of,
    files_of,
    is_dynamic,
    parameterised,
    table_of,
)
from hex_assets.lineage.engine.names import Named, named, parts_of_text
from hex_assets.lineage.engine.pivots import PivotReader
from hex_assets.lineage.engine.reader import MODEL_FUNCTIONS
from hex_assets.lineage.engine.reading import Cte, Env
from hex_assets.lineage.engine.relations import (
    MAYBE,
    NOTHING,
    WEAK,
    Answered,
    BaseTable,
    Derived,
    Origins,
    Produced,
    Relation,
    Rest,
    merged,
)
from hex_assets.lineage.engine.scopes import Scope, Source
from hex_assets.lineage.engine.unnesting import unnested_fields

_FLATTEN = ["SEQ", "KEY", "PATH", "INDEX", "VALUE", "THIS"]


class FromReader(PivotReader):
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
        self.joins(node, scope, env)
        match = node.args.get("match")
        if match is not None:
            self.match_recognize(match, scope, env)

    def joins(self, node: exp.Expr, scope: Scope, env: Env) -> None:
        """All JOINs of a node."""
        for join in node.args.get("joins") or ():
            self.join(join, scope, env)

    def join(self, join: exp.Join, scope: Scope, env: Env) -> None:
        """One JOIN: what it adds, and the columns of its condition."""
        if join.args.get("kind") == "ARRAY":  # ClickHouse: ARRAY JOIN expression AS alias
            for item in [join.this, *join.expressions]:
                if item is not None:
                    origins = self.origins(item, scope, env)
                    name = item.alias or item.name
                    scope.scalars[name.casefold()] = origins
                    scope.add(Source(name.casefold(), Produced(origins, [name], WEAK)))
            return
        before = [source.relation for source in scope.sources]
        count = len(before)
        self.from_item(join.this, scope, env)
        added = [source.relation for source in scope.sources[count:]]
        if join.args.get("method") == "NATURAL":
            scope.natural = True
        for identifier in join.args.get("using") or ():
            self.using(identifier.name, before, added, scope)
        for clause in ("on", "match_condition"):
            condition = join.args.get(clause)
            if condition is not None:
                self.reading.use(self.origins(condition, scope, env), "join")
        if join.args.get("kind") in ("SEMI", "ANTI") and self.dialect != "clickhouse":
            del scope.sources[count:]  # its columns are gone after the join

    def using(self, name: str, before: list[Relation], added: list[Relation], scope: Scope) -> None:
        """Merges a USING column: it comes from the joined table and from what had it before."""
        key = name.casefold()
        left = scope.using.get(key)
        if left is None:
            answers = [(relation.lookup(key, name)[0], relation) for relation in before]
            best = max((certainty for certainty, _ in answers), default=0)
            left = [relation for certainty, relation in answers if certainty == best and best]
            if len(left) > 1:  # which of them has it is not known
                left = left[:1] if best != MAYBE else []
        merged_relations = [*left, *added]
        scope.using[key] = merged_relations
        for relation in merged_relations:
            self.reading.use(relation.lookup(key, name)[1], "join")

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
            self.indexed(node, scope, env)
        elif isinstance(node, exp.Pivot) and isinstance(node.this, exp.AtIndex):
            self.indexed(node.this, scope, env)
        elif isinstance(node, exp.Pivot):
            self.pivot_statement(node, scope, env)
        elif isinstance(node, (exp.Select, exp.SetOperation, exp.Values)):
            self.add(node, self.query(node, env, scope.parent), scope)
        elif isinstance(node, (exp.Paren, exp.Final)):
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
                relation = whole.renamed(columns)
        scope.add(Source(name.casefold(), self.pivoted(node, relation, scope), (), ""))
        pivots = node.args.get("pivots")
        if pivots and pivots[-1].alias:
            scope.sources[-1].name = pivots[-1].alias.casefold()

    def table(self, node: exp.Table, scope: Scope, env: Env) -> None:
        """A table, CTE, unnested path or table function by its name in FROM."""
        inner = node.this
        if isinstance(inner, exp.SemanticView):
            self.table(inner.this, Scope(self.dialect), env)
            self.add(node, Produced(NOTHING, [], MAYBE), scope)
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
        if len(name.parts) > 1 and self.dialect in UNNESTED_PATHS:
            qualifiers = [piece.name for piece in node.parts[:-1]]
            if qualifiers and scope.relation_named([qualifiers[0].casefold()]) is not None:
                found = scope.qualified(qualifiers, node.parts[-1].name)
                fields = MAYBE if self.dialect == "bigquery" else WEAK
                relation = Produced(found[1] if found else NOTHING, [], fields)
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
        if _is_group(inner):
            if node.args.get("alias") is None:
                self.from_item(inner, scope, env)
                return
            within = Scope(self.dialect, parent=scope.parent)
            self.from_item(inner, within, env)
            whole = Derived()
            for key, relations in within.using.items():
                whole.add(key, merged(relation.lookup(key, key)[1] for relation in relations))
            for source in within.sources:
                whole.pass_on(Rest(source.relation, frozenset(within.using)))
            self.add(node, whole, scope)
            return
        relation = self.query(inner, env, scope)
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
        alias = node.args.get("alias")
        names = [column.name for column in alias.columns] if alias is not None else []
        offset = node.args.get("offset")
        name = node.alias
        fields = WEAK
        if self.dialect == "bigquery":
            name = name or (names[0] if names else "")
            known, fields = unnested_fields(node, name, origins)
            names = [*(names or [name]), *known]
        elif names:
            fields = 0
        produced: Relation = Produced(origins, names or [name], fields)
        if len(names) == len(node.expressions) > 1 and self.dialect != "bigquery":
            produced = Derived()  # one column of each array
            for column, item in zip(names, node.expressions, strict=True):
                produced.add(column, self.origins(item, scope, env))
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

    def indexed(self, node: exp.AtIndex, scope: Scope, env: Env) -> None:
        """Redshift's c.items AS i AT position, and UNPIVOT c.object AS value AT key."""
        values = self.origins(node.this, scope, env)
        scope.add(Source(node.this.alias_or_name.casefold(), Produced(values, [], WEAK)))
        scope.add(Source("", Produced(NOTHING, [node.expression.name])))

    def lateral(self, node: exp.Lateral, scope: Scope, env: Env) -> None:
        """LATERAL subqueries, views and functions."""
        inner = node.this
        if isinstance(inner, exp.Subquery):
            relation = self.query(inner, env, scope)
            self.add(node, relation, scope)
        elif isinstance(inner, exp.Table) and not isinstance(inner.this, exp.Func):
            self.table(inner, scope, env)
        else:
            self.function(node, inner, scope, env)

    def function(self, node: exp.Expr, call: exp.Expr | None, scope: Scope, env: Env) -> None:
        """A table function: no table itself, but what it is given may be one."""
        if call is not None and self.known_function(node, call, scope, env):
            return
        if isinstance(call, MODEL_FUNCTIONS) and isinstance(call.expression, _ROWS):
            self.add(node, self.of_model(call.expression, env, scope), scope)
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
        rows = node.args.get("rows_from") or ()
        alias = node.args.get("alias")
        names = [column.name for column in alias.columns] if alias is not None else []
        if rows:
            result = Derived()
            for position, item in enumerate(rows):
                found = self.origins(item, scope, env)
                name = names[position] if position < len(names) else node.alias
                result.add(name, found)
            for name in names[len(rows) :]:
                result.add(name, NOTHING if len(rows) > 1 else result.row())
            scope.add(Source(node.alias.casefold(), result))
            return
        if not scope.sources and scope.parent is None:  # header=true, CSV: options, no columns
            self.reading.unresolved = unresolved
        inner = call.this if isinstance(call, (exp.TableFromRows,)) else call
        known = columns_of(inner, self.dialect, node.alias) if inner is not None else []
        if known and not names:
            scope.add(Source(node.alias.casefold(), Produced(origins, known)))
            return
        fields = 0 if names else MAYBE
        if isinstance(inner, exp.Explode) and self.dialect == "snowflake":
            names, fields = names or _FLATTEN, 0
        elif self.dialect == "clickhouse" and inner is not None and call_name(inner) in GENERATED:
            names, fields = names or [GENERATED[call_name(inner)]], 0
        elif isinstance(inner, (exp.ExplodingGenerateSeries, exp.GenerateSeries, exp.Explode)):
            names, fields = names or [node.alias or "generate_series", "generate_series"], 0
        scope.add(Source(node.alias.casefold(), Produced(origins, names, fields)))

    def of_model(self, given: exp.Expr, env: Env, scope: Scope) -> Relation:
        """ML.PREDICT and its kind give the rows that they are given, with columns of their own."""
        rows = self.query(given, env, scope.parent)
        result = Answered()
        result.pass_on(Rest(rows))
        result.pass_on(Rest(Produced(rows.row(), [], WEAK)))
        return result

    def known_function(self, node: exp.Expr, call: exp.Expr, scope: Scope, env: Env) -> bool:
        """Functions that stand for a table or a file, such as remote(), s3() and read_csv()."""
        if isinstance(call, exp.Stream):
            inner = call.this
            self.from_item(inner.this if isinstance(inner, exp.Subquery) else inner, scope, env)
            if node.alias:
                scope.sources[-1].name = node.alias.casefold()
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
        given = arguments(call)
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
        within = Scope(self.dialect, parent=scope)
        self.from_item(table, within, env)
        return merged(source.relation.row() for source in within.sources)


_ROWS = (exp.Query, exp.Table)


def _is_group(inner: object) -> bool:
    """Whether it is an item of FROM that parentheses only group, such as `(a JOIN b)`."""
    while isinstance(inner, exp.Subquery):
        if inner.args.get("joins") or inner.args.get("alias"):
            return True
        inner = inner.this
    return isinstance(inner, exp.Table)
