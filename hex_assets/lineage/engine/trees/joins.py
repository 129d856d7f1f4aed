"""Reads JOINs: their conditions, and the columns that USING and NATURAL merge."""

from __future__ import annotations

from typing import Literal

from sqlglot import exp

from hex_assets.lineage.engine.reading import Env
from hex_assets.lineage.engine.relations import (
    MAYBE,
    NO,
    WEAK,
    Merged,
    Produced,
    Relation,
    Source,
)
from hex_assets.lineage.engine.scopes import Scope
from hex_assets.lineage.engine.trees.clickhouse import nested_rows, usable_aliases
from hex_assets.lineage.engine.trees.pivots import PivotReader


class JoinReader(PivotReader):
    """JOINs of a FROM clause, each of what stands before it since the last comma."""

    def from_item(self, node: exp.Expr, scope: Scope, env: Env) -> None:
        """Adds what one item of FROM stands for to the scope."""
        raise NotImplementedError

    def joins(self, node: exp.Expr, scope: Scope, env: Env) -> None:
        """All JOINs of a node."""
        for join in node.args.get("joins") or ():
            self.join(join, scope, env)

    def join(self, join: exp.Join, scope: Scope, env: Env) -> None:
        """One JOIN: what it adds, and the columns of its condition."""
        if join.args.get("kind") == "ARRAY":  # ClickHouse: ARRAY JOIN expression AS alias
            items = [item for item in (join.this, *join.expressions) if item is not None]
            with usable_aliases(scope, items):
                for item in items:
                    rows = nested_rows(item, scope)
                    origins = rows.row() if rows else self.origins(item, scope, env, aliases=True)
                    self.reading.use(origins, "join")  # they tell how many rows there are
                    name = item.alias or item.name
                    scope.scalars[name.casefold()] = origins
                    relation = rows or Produced(origins, [name], WEAK)
                    scope.add(Source(name.casefold(), relation))
            return
        count = len(scope.sources)
        if _is_comma(join):
            scope.joined_from = count
        before = [source.relation for source in scope.sources[scope.joined_from :]]
        self.from_item(join.this, scope, env)
        added = [source.relation for source in scope.sources[count:]]
        if join.args.get("method") == "NATURAL":
            scope.natural = True
            self.natural(before, added, scope, _giving(join))
        names = [identifier.name for identifier in join.args.get("using") or ()]
        for name in names:
            self.using(name, before, added, scope, _giving(join))
        if names:
            scope.merge_first(names)
        for clause in ("on", "match_condition"):
            condition = join.args.get(clause)
            if condition is not None:
                self.reading.use(self.origins(condition, scope.of_join(), env), "join")
        if join.args.get("kind") in ("SEMI", "ANTI") and self.dialect != "clickhouse":
            del scope.sources[count:]  # its columns are gone after the join

    def natural(
        self, before: list[Relation], added: list[Relation], scope: Scope, giving: Giving
    ) -> None:
        """NATURAL JOIN: USING of all columns that both sides have, as far as they are known."""
        left = [name.casefold() for relation in before for name, _ in relation.star()]
        right = {name.casefold() for relation in added for name, _ in relation.star()} - {"*"}
        names = [name for name in left if name in right]
        for name in names:
            self.using(name, before, added, scope, giving)
        scope.merge_first(names)

    def using(
        self,
        name: str,
        before: list[Relation],
        added: list[Relation],
        scope: Scope,
        giving: Giving = "both",
    ) -> None:
        """Merges a USING column of the joined table and of what had it before."""
        key = name.casefold()
        earlier = scope.using.get(key)
        if earlier is not None and any(relation in before for relation in earlier.relations):
            left, givers = earlier.relations, earlier.givers
        else:  # or merged before the comma: another column
            answers = [(relation.lookup(key, name)[0], relation) for relation in before]
            best = max((certainty for certainty, _ in answers), default=NO)
            if best == NO:  # not in what this comma begins: a JOIN without a condition is none
                rest = [source.relation for source in scope.sources]
                before = [relation for relation in rest if relation not in added]
                answers = [(relation.lookup(key, name)[0], relation) for relation in before]
                best = max((certainty for certainty, _ in answers), default=NO)
            left = [relation for certainty, relation in answers if certainty == best and best]
            if len(left) > 1:  # which of them has it is not known
                left = left[:1] if best != MAYBE else []
            givers = left
        given = {"left": givers, "right": added, "both": [*givers, *added]}[giving]
        column = scope.using[key] = Merged([*left, *added], given)
        for relation in column.relations:
            self.reading.use(relation.lookup(key, name)[1], "join")


Giving = Literal["left", "right", "both"]
"""The sides of a join whose values a merged column has."""


def _giving(join: exp.Join) -> Giving:
    """An outer join keeps the values of the side that it keeps whole; an ASOF join compares."""
    side = join.args.get("side")
    if side == "RIGHT":
        return "right"
    one_sided = join.args.get("kind") in ("SEMI", "ANTI") or join.args.get("method") == "ASOF"
    return "left" if side == "LEFT" or (one_sided and not side) else "both"


def _is_comma(join: exp.Join) -> bool:
    kinds = ("method", "side", "kind", "on", "using", "match_condition")
    # None of a LATERAL; False of OUTER APPLY.
    applies = isinstance(join.this, exp.Lateral) and join.this.args.get("cross_apply") is not None
    return not applies and not any(join.args.get(kind) for kind in kinds)
