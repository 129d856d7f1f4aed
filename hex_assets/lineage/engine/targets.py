"""Which columns of the written tables get values, and from where: only where their names are known.

`INSERT INTO t SELECT b` alone does not tell: columns are matched by position.
"""

from __future__ import annotations

from sqlglot import exp

from hex_assets.lineage.engine.reading import Reading
from hex_assets.lineage.engine.relations import SURE, BaseTable, Origins, Relation, TableRef
from hex_assets.lineage.engine.scopes import Scope


def fill(
    reading: Reading,
    target: TableRef | None,
    rows: Relation,
    names: list[str],
    *,
    own: bool = False,
) -> None:
    """Notes that a table gets rows: by the names listed in the text, or those in the catalog.

    With `own`, the rows' names are those of the table's columns where no list renames them.
    """
    if target is None:
        return
    columns = rows.star()
    if not names and not own:
        if target.columns is None or len(target.columns) != len(columns):
            return
        names = list(target.columns.values())
    if names and rows.is_open():
        return
    for position, (name, origins) in enumerate(columns):
        if position < len(names):
            name = names[position]
        elif not own:
            break
        if name != "*":
            reading.writes.append((target, name, origins))


def fill_by_name(reading: Reading, target: TableRef | None, rows: Relation) -> None:
    """Notes that each of a table's columns gets what is called so: UPDATE SET *, INSERT *."""
    if target is None or target.columns is None:
        return fill(reading, target, rows, [], own=True)
    for folded, name in target.columns.items():
        certainty, origins = rows.lookup(folded, name)
        if certainty == SURE:
            reading.writes.append((target, name, origins))
    return None


def assign(reading: Reading, scope: Scope, left: exp.Expr, origins: Origins) -> None:
    """Notes a column that SET gives a value."""
    column = left.find(exp.Column)
    path = [part.name for part in column.parts] if column is not None else [left.name]
    named = [n for n, part in enumerate(path[:-1]) if scope.names([part.casefold()])]
    key = next(iter(scope.targets), "")
    if len(scope.targets) > 1:  # MySQL's UPDATE of joined tables
        key = path[named[0]].casefold() if named else ""
    target = scope.targets.get(key)
    if target is None:
        return
    name = path[named[0] + 1] if named else path[0]  # what follows is a field of it
    changed = scope.relation_named([key])
    if changed is not None and not isinstance(changed, BaseTable):  # T-SQL's change of a CTE
        found = list(changed.lookup(name.casefold(), name)[1])
        if len(found) != 1 or found[0][0].parts != target.parts:
            return
        name = found[0][1]
    reading.writes.append((target, name, origins))
