"""INSERT ... ON CONFLICT DO UPDATE: what the rows that were there already are given."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from hex_assets.lineage.engine.relations import MAYBE, NOTHING, Derived, Produced, Relation


def excluded(insert: exp.Insert, rows: Relation, names: list[str]) -> Relation:
    """EXCLUDED: the rows that were to be inserted, under the names of the target's columns."""
    if insert.args.get("by_name"):
        return rows
    if not names or rows.is_open():
        return Produced(NOTHING, [], MAYBE)
    result = Derived()
    for name, (_, origins) in zip(names, rows.star(), strict=False):
        result.add(name, origins)
    return result


def assigned(conflict: exp.Expr) -> Iterator[tuple[str, exp.Expr]]:
    """The columns that DO UPDATE SET names, each with its value."""
    for item in conflict.args.get("expressions") or ():
        if isinstance(item, exp.EQ) and isinstance(item.this, exp.Column):
            yield item.this.name, item.expression
