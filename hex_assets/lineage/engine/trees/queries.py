"""Reads SELECTs and set operations into relations; notes tables and uses of columns on the way."""

from __future__ import annotations

from sqlglot import exp

from hex_assets.lineage.engine.dialects import (
    ANY_ORDER,
    BARE_ORDER,
    IMPLICIT_RECURSION,
    INPUT_ONLY,
    ORDERS_BY_ALL,
    PIPES,
)
from hex_assets.lineage.engine.reading import Cte, Env, Malformed
from hex_assets.lineage.engine.relations import (
    MAYBE,
    NOTHING,
    Derived,
    Origins,
    Produced,
    Relation,
    Rest,
    merged,
    renamed,
)
from hex_assets.lineage.engine.scopes import Scope
from hex_assets.lineage.engine.trees.clickhouse import as_lambda, later_aliases
from hex_assets.lineage.engine.trees.projections import ProjectionReader
from hex_assets.lineage.engine.trees.structs import as_value
from hex_assets.lineage.engine.trees.unions import united

_DATA_MODIFYING = (exp.Insert, exp.Update, exp.Delete, exp.Merge)
_FILTERS = ("prewhere", "where", "connect")
_LATE_FILTERS = ("having", "qualify")
MAX_STEPS = 4
"""Of a recursion: each may move a value on by one column."""
_ORDERS = ("order", "sort", "cluster", "distribute")


class QueryReader(ProjectionReader):
    """Queries of every shape: SELECT, set operations, VALUES, subqueries, CTEs."""

    def query(self, node: exp.Expr, env: Env, outer: Scope | None) -> Relation:
        """The relation that a query of any shape gives."""
        self.reading.tick()
        if isinstance(node, exp.Select):
            return self.select(node, env, outer)
        if isinstance(node, exp.SetOperation):
            return self.set_operation(node, env, outer)
        if isinstance(node, exp.Subquery):
            return self.subquery(node, env, outer)
        if isinstance(node, exp.Values):
            return self.values(node, env, outer)
        if isinstance(node, _DATA_MODIFYING):
            return self.modification(node, env)
        scope = Scope(self.dialect, parent=outer)
        if isinstance(node, (exp.Table, exp.Pivot)):
            env = self.ctes(node, env, outer)
            self.from_item(node, scope, env)
            result = Derived()
            for source in scope.sources:
                result.pass_on(Rest(source.relation))
            return result
        return Produced(self.origins(node, scope, env), [])

    def modification(self, node: exp.Expr, env: Env) -> Relation:
        """A data-modifying statement in a CTE: gives the rows of its RETURNING."""
        raise NotImplementedError

    def ctes(self, node: exp.Expr, env: Env, outer: Scope | None) -> Env:
        """Reads a WITH clause; gives the environment of the query under it."""
        clause = node.args.get("with_")
        if clause is None:
            return env
        env = dict(env)
        recursive = bool(clause.args.get("recursive"))
        added = []
        ordered = not recursive and self.dialect not in ANY_ORDER
        for item in clause.expressions:
            alias = item.args.get("alias")
            names = [column.name for column in alias.columns] if alias is not None else []
            cte = Cte(item.this, env if recursive else dict(env), names)
            cte.scalar = bool(item.args.get("scalar"))
            if cte.scalar and self.dialect == "clickhouse":
                cte.node = as_lambda(cte.node)
            key = item.alias.casefold()
            if not recursive and self.dialect in IMPLICIT_RECURSION and _recurs(item.this, key):
                cte.env[key] = cte
            env[key] = cte
            added.append((item, cte))
            if ordered and not _is_expression(cte):
                self.read_cte(cte, outer)
        if not recursive and not ordered:
            for item, cte in added:  # each sees all others, but not itself
                cte.env.update({i.alias.casefold(): c for i, c in added if i is not item})
        for _, cte in added:
            if not _is_expression(cte):
                self.read_cte(cte, outer)
        return env

    def read_cte(self, cte: Cte, outer: Scope | None) -> Relation:
        """The relation of a CTE; inside its own recursion that of the anchor."""
        if cte.relation is not None:
            return cte.relation
        if cte.reading:
            return Derived()
        cte.reading = True
        node = cte.node
        if isinstance(node, exp.SetOperation):
            relation = self.set_operation(node, cte.env, outer, anchor=cte)
        else:
            relation = self.query(node, cte.env, outer)
        cte.relation = renamed(relation, cte.names)
        return cte.relation

    def subquery(self, node: exp.Subquery, env: Env, outer: Scope | None) -> Relation:
        """A query in parentheses, with its own WITH, joins and pivots."""
        env = self.ctes(node, env, outer)
        inner = node.this
        has_from = isinstance(inner, exp.Table) or node.args.get("joins")
        if has_from or node.args.get("pivots"):
            scope = Scope(self.dialect, parent=outer)
            self.from_item(node, scope, env)
            result = Derived()
            for source in scope.sources:
                result.pass_on(Rest(source.relation))
            return result
        relation = self.query(inner, env, outer)
        self.tail(node, relation, env, outer)
        return relation

    def tail(self, node: exp.Expr, relation: Relation, env: Env, outer: Scope | None) -> None:
        """ORDER BY and LIMIT of a set operation or of a query in parentheses."""
        scope = Scope(self.dialect, parent=outer)
        for clause in ("limit", "offset"):
            if node.args.get(clause) is not None:
                self.reading.use(self.origins(node.args[clause], scope, env), "filter")
        order = node.args.get("order")
        if order is None:
            return
        items = relation.star()
        scope.aliases = {name.casefold(): origins for name, origins in items}
        for ordered in order.expressions:
            self.reading.use(self._ordering(ordered, items, scope, env), "order")

    def set_operation(
        self,
        node: exp.SetOperation,
        env: Env,
        outer: Scope | None,
        anchor: Cte | None = None,
    ) -> Relation:
        # Hundreds of UNIONs lean to the left: walk that spine, do not recurse on it.
        """UNION, INTERSECT, EXCEPT: columns of the first branch, joined by position or name."""
        spine: list[exp.SetOperation] = []
        item: exp.Expr = node
        while isinstance(item, exp.SetOperation):
            spine.append(item)
            item = item.this
        for operation in spine:
            if operation.args.get("joins"):  # of its last branch, behind a MATCH_RECOGNIZE
                raise Malformed("which branch of a set operation joins a table is not kept")
            env = self.ctes(operation, env, outer)
        result: Relation = self.query(item, env, outer)
        for operation in reversed(spine):
            if anchor is not None:
                anchor.relation = renamed(result, anchor.names)
            right = self.query(operation.expression, env, outer)
            if anchor is not None:
                right = self._repeated(operation, result, right, env, outer, anchor)
            only_left = isinstance(operation, (exp.Except, exp.Intersect))
            if only_left:
                self.reading.use(result.row() | right.row(), "filter")
            else:
                result = united(result, right, bool(operation.args.get("by_name")))
                if operation.args.get("distinct"):
                    self.reading.use(result.row(), "group")
            self.tail(operation, result, env, outer)
        return result

    def _repeated(
        self,
        operation: exp.SetOperation,
        first: Relation,
        step: Relation,
        env: Env,
        outer: Scope | None,
        anchor: Cte,
    ) -> Relation:
        """The step of a recursion, read again until no column comes from a new one."""
        if isinstance(operation, (exp.Except, exp.Intersect)) or step.is_open():
            return step
        by_name = bool(operation.args.get("by_name"))
        before = [origins for _, origins in first.star()]
        for _ in range(MAX_STEPS):
            whole = united(first, step, by_name)
            after = [origins for _, origins in whole.star()]
            if after == before or whole.is_open():
                break
            before = after
            anchor.relation = renamed(whole, anchor.names)
            step = self.query(operation.expression, env, outer)
        return step

    def values(self, node: exp.Values, env: Env, outer: Scope | None) -> Relation:
        """VALUES as rows; constants come from nowhere."""
        scope = Scope(self.dialect, parent=outer)
        alias = node.args.get("alias")
        names = [column.name for column in alias.columns] if alias is not None else []
        columns: list[list[Origins]] = []
        for row in node.expressions:
            cells = row.expressions if isinstance(row, exp.Tuple) else [row]
            for position, cell in enumerate(cells):
                if position == len(columns):
                    columns.append([])
                if not isinstance(cell, exp.Literal):
                    columns[position].append(self.origins(cell, scope, env))
        result = Derived()
        for position, found in enumerate(columns):
            name = names[position] if position < len(names) else f"column{position + 1}"
            result.add(name, merged(found))
        return result

    def select(self, node: exp.Select, env: Env, outer: Scope | None) -> Relation:
        """A SELECT: FROM, projections, then every clause's columns under its usage."""
        env = self.ctes(node, env, outer)
        scope = Scope(self.dialect, parent=outer)
        for key, cte in env.items():
            if cte.scalar and cte.relation is not None:
                scope.scalars[key] = cte.relation.row()
            elif cte.scalar:
                scope.named[key] = cte
        args = node.args
        scope.windows = {w.name.casefold(): w for w in args.get("windows") or ()}
        if self.dialect == "clickhouse":
            in_clauses = self.reading.aliases_in_clauses
            scope.later.expressions = later_aliases(node, in_clauses=in_clauses)
        self.from_clause(node, scope, env)
        if "connect" in args:
            scope.aliases["level"] = NOTHING  # the depth; of a table only where the catalog has it
        if self.dialect in ("databricks", "spark"):
            self.time_windows(node, scope, env)
        relation = self.projections(node, scope, env)
        if self.dialect in PIPES and node.expressions and type(node.expressions[0]) is exp.Star:
            relation.behind = scope.sources
        late = scope.allows_lateral_aliases()
        for clause in _FILTERS:
            if clause in args:
                self.reading.use(self.origins(args[clause], scope, env, aliases=late), "filter")
        for clause in _LATE_FILTERS:
            if clause in args:
                known = clause != "having" or self.dialect not in INPUT_ONLY
                found = self.origins(args[clause], scope, env, aliases=known, prefer_alias=True)
                self.reading.use(found, "filter")
        self.grouping(node, relation, scope, env)
        items = relation.items if isinstance(relation, Derived) else []
        plain = [item for item in items if not isinstance(item, Rest)]
        positions = plain if len(plain) == len(items) else []
        for clause in _ORDERS:
            for ordered in args[clause].expressions if args.get(clause) is not None else ():
                if self.dialect in ORDERS_BY_ALL and _is_all(ordered):
                    self.reading.use(relation.row(), "order")
                else:
                    self.reading.use(self._ordering(ordered, positions, scope, env), "order")
        distinct = args.get("distinct")
        if distinct is not None and distinct.args.get("on") is None:
            self.reading.use(relation.row(), "group")
        elif distinct is not None:
            for item in distinct.args["on"].expressions:
                self.reading.use(self._ordering(item, positions, scope, env), "group")
        for window in args.get("windows") or ():
            self.window(window, scope, env, True)
        for clause in ("limit", "offset"):
            if args.get(clause) is not None:
                self.reading.use(self.origins(args[clause], scope, env), "filter")
        if self.dialect != "bigquery":
            return relation
        whole: Relation = relation
        if args.get("kind") == "VALUE":
            whole = as_value(relation) or Produced(relation.row(), [relation.star()[0][0]], MAYBE)
        self.reading.kept[id(node)] = whole
        return whole

    def time_windows(self, node: exp.Select, scope: Scope, env: Env) -> None:
        """Spark's GROUP BY window(ts, '5 minutes') makes a column `window` of the time."""
        group = node.args.get("group")
        for item in group.expressions if group is not None else ():
            name = item.name.casefold() if isinstance(item, exp.Anonymous) else ""
            if name in ("window", "session_window"):
                scope.aliases[name] = self.origins(item, scope, env)

    def grouping(self, node: exp.Select, relation: Derived, scope: Scope, env: Env) -> None:
        """GROUP BY with positions, aliases and grouping sets."""
        group = node.args.get("group")
        if group is None:
            return
        columns = relation.star()
        if group.args.get("all") is True:
            for projection, (_, origins) in zip(node.expressions, columns, strict=False):
                if not projection.find(exp.AggFunc):
                    self.reading.use(origins, "group")
        for item in _keys(group):
            found = _positional(item, columns)
            if found is None:
                bare = isinstance(item, exp.Column) or self.dialect not in INPUT_ONLY
                found = self.origins(item, scope, env, aliases=bare)
            self.reading.use(found, "group")

    def _ordering(
        self,
        item: exp.Expr,
        columns: list[tuple[str, Origins]],
        scope: Scope,
        env: Env,
    ) -> Origins:
        """The origins of an item of ORDER BY: an output column by position or name, or any."""
        found = _positional(item, columns)
        if found is not None:
            return found
        value = item.this if isinstance(item, exp.Ordered) else item
        bare = isinstance(value, exp.Column)
        if bare and value.args.get("table") is None:
            key = value.name.casefold()
            for name, origins in columns:
                if name.casefold() == key:
                    return origins
        known = bare or self.dialect not in BARE_ORDER
        return self.origins(item, scope, env, aliases=known, prefer_alias=True)


def _is_all(item: exp.Expr) -> bool:
    """Whether it is the ALL of ORDER BY ALL: of all output columns in turn."""
    value = item.this if isinstance(item, exp.Ordered) else item
    if isinstance(value, exp.Column) and not value.table and not value.this.args.get("quoted"):
        value = value.this
    return isinstance(value, (exp.Var, exp.Identifier)) and value.name.upper() == "ALL"


def _keys(group: exp.Expr) -> list[exp.Expr]:
    """The expressions that a GROUP BY groups by, also those in its ROLLUP, CUBE and sets."""
    pending = list(group.expressions)
    for kind in ("grouping_sets", "cube", "rollup"):
        pending.extend(group.args.get(kind) or ())
    keys: list[exp.Expr] = []
    while pending:
        item = pending.pop()
        if isinstance(item, (exp.GroupingSets, exp.Cube, exp.Rollup, exp.Tuple)):
            pending.extend(item.expressions)
        elif isinstance(item, exp.Paren):
            pending.append(item.this)
        elif isinstance(item, exp.Expr):
            keys.append(item)
    keys.reverse()
    return keys


def _is_expression(cte: Cte) -> bool:
    """Whether it names an expression over the columns of the query that uses it."""
    return cte.scalar and not isinstance(cte.node, exp.Query)


def _positional(item: exp.Expr, columns: list[tuple[str, Origins]]) -> Origins | None:
    """The origins of the output column that a number stands for; None where it is no number."""
    position = _position(item)
    if position is None:
        return None
    return columns[position - 1][1] if 0 < position <= len(columns) else NOTHING


def _position(item: exp.Expr) -> int | None:
    value = item.this if isinstance(item, exp.Ordered) else item
    if isinstance(value, exp.Literal) and not value.is_string and value.name.isdecimal():
        return int(value.name)
    return None


def _recurs(node: exp.Expr, key: str) -> bool:
    """Whether a set operation's later branch reads the CTE itself while its first one does not."""
    if not isinstance(node, exp.SetOperation):
        return False
    anchor: exp.Expr = node
    while isinstance(anchor, exp.SetOperation):
        anchor = anchor.this

    def reads(tree: exp.Expr) -> bool:
        return any(
            table.name.casefold() == key and not table.args.get("db")
            for table in tree.find_all(exp.Table)
        )

    return reads(node) and not reads(anchor)
