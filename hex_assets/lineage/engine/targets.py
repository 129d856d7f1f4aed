"""Whether a statement's output columns are columns of the table that it writes."""

from __future__ import annotations

from sqlglot import exp

from hex_assets.lineage.engine.reading import Reading
from hex_assets.lineage.engine.trees.changes import column_names


def names_columns(tree: exp.Expr, reading: Reading) -> bool:
    """Whether the outputs have the names of the target's columns: by the text or the catalog.

    `INSERT INTO t SELECT b` alone does not tell: columns are matched by position.
    """
    if len(reading.targets) != 1:
        return False
    if isinstance(tree, (exp.Create, exp.Update)):
        return True
    if isinstance(tree, exp.Query):
        return tree.args.get("into") is not None
    if isinstance(tree, exp.Insert):
        target = next(iter(reading.targets.values()))
        known = target.columns is not None and len(target.columns) == len(reading.outputs)
        return known or bool(tree.args.get("by_name") or column_names(tree.this))
    if isinstance(tree, exp.Merge):
        return all(
            isinstance(insert.this, exp.Tuple)
            for insert in tree.find_all(exp.Insert)
            if isinstance(insert.parent, exp.When)
        )
    return False
