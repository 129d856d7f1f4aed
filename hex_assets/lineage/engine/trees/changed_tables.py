"""Finds the tables that a change writes, where they stand in its FROM, joins, CTE or subquery."""

from __future__ import annotations

from sqlglot import exp

from hex_assets.lineage.engine.names import named
from hex_assets.lineage.engine.reading import Cte, Env, Reading
from hex_assets.lineage.engine.relations import (
    MAYBE,
    NOTHING,
    BaseTable,
    Produced,
    Source,
    TableRef,
    merged,
)
from hex_assets.lineage.engine.scopes import Scope
from hex_assets.lineage.engine.trees.queries import QueryReader


class TargetReader(QueryReader):
    """A FROM clause of which a table is written, not read."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self.changed: dict[int, bool] = {}
        """The items of FROM that are written, by identity, and whether they are read as well."""

    def table(self, node: exp.Table, scope: Scope, env: Env) -> None:
        """A table in FROM, which may be the one that the statement changes."""
        read = self.changed.get(id(node))
        if read is None:
            return super().table(node, scope, env)
        ref = self.target_scope(node, env, scope)
        if ref is not None and read:
            scope.sources[-1].relation = BaseTable(self.reading.source(ref.parts))
        return None

    def derived_table(self, node: exp.Subquery, scope: Scope, env: Env) -> None:
        """A subquery in FROM; T-SQL may change the table that it reads."""
        if id(node) not in self.changed:
            return super().derived_table(node, scope, env)
        statement = node.find_ancestor(exp.Update, exp.Delete)
        self.target_query(node.alias, Cte(node.this, env), statement, scope)
        return None

    def target_scope(self, table: exp.Expr | None, env: Env, outer: Scope) -> TableRef | None:
        """The written table as a source of the scope: its own columns do not count as read."""
        if not isinstance(table, exp.Table):
            return None
        cte = env.get(table.name.casefold()) if not table.args.get("db") else None
        if cte is not None and not cte.scalar:
            return self.target_query(table.alias_or_name, cte, table.parent, outer)
        ref = self.reading.written(table)
        if ref is not None:
            source = Source((table.alias or ref.parts[-1]).casefold(), BaseTable(ref))
            source.hidden_name = ref.parts[-1].casefold()
            source.parts = tuple(part.casefold() for part in ref.parts)
            outer.add(source)
            outer.targets[source.name] = ref
        elif table.alias:  # a variable that holds rows
            outer.add(Source(table.alias.casefold(), Produced(NOTHING, [], MAYBE)))
        return ref

    def target_query(
        self, name: str, cte: Cte, statement: exp.Expr | None, outer: Scope
    ) -> TableRef | None:
        """A change through a CTE or subquery, as T-SQL has it, changes the table that it reads."""
        relation = self.read_cte(cte, None)
        outer.add(Source(name.casefold(), relation))
        bases = _base_tables(cte)
        if isinstance(statement, exp.Update) and len(bases) > 1:
            assigned = [item.this.name for item in statement.expressions if item.this is not None]
            origins = merged(relation.lookup(name.casefold(), name)[1] for name in assigned)
            named_parts = {ref.parts for ref, _ in origins}
            bases = [base for base in bases if named(base, self.dialect).parts in named_parts]
        ref = self.reading.written(bases[0]) if len(bases) == 1 else None
        if ref is not None:
            outer.targets[outer.sources[-1].name] = ref
        self.reading.dynamic |= len(bases) != 1
        return ref


def changed_in_from(
    start: exp.Expr | None, target: exp.Expr, dialect: str
) -> exp.Table | exp.Subquery | None:
    """The item of FROM whose alias, or in T-SQL whose name, an UPDATE has as its target."""
    if start is None or not isinstance(target, exp.Table) or target.alias:
        return None
    kinds = (exp.Table, exp.Subquery) if dialect == "tsql" else (exp.Table,)
    joined = [join.this for join in start.this.args.get("joins") or ()]
    items: list[exp.Table | exp.Subquery] = [
        item for item in (start.this, *joined) if isinstance(item, kinds)
    ]
    if not target.args.get("db"):
        for item in items:
            if item.alias_or_name.casefold() == target.name.casefold():
                return item
    if dialect != "tsql":
        return None
    names = _folded(target)
    same = [item for item in items if isinstance(item, exp.Table) and _folded(item) == names]
    plain = [item for item in same if not item.alias]
    return plain[0] if plain else (same[0] if len(same) == 1 else None)


def _folded(table: exp.Table) -> list[str]:
    return [part.name.casefold() for part in table.parts]


def _base_tables(cte: Cte) -> list[exp.Table]:
    """The tables in the FROM of a CTE's plain SELECT, through other CTEs."""
    node = cte.node
    if not isinstance(node, exp.Select) or node.args.get("from_") is None:
        return []
    found: list[exp.Table] = []
    for item in [node.args["from_"].this, *(join.this for join in node.args.get("joins") or ())]:
        if not isinstance(item, exp.Table):
            continue
        inner = cte.env.get(item.name.casefold()) if not item.args.get("db") else None
        found.extend([item] if inner is None or inner is cte else _base_tables(inner))
    return found
