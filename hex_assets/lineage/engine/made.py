"""Tables that a text makes and reads itself: their columns lead on to the tables they come from."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from hex_assets.lineage.engine.reading import Reading
from hex_assets.lineage.engine.relations import NOTHING, Origins, TableRef
from hex_assets.lineage.model import SchemaProvider

Key = tuple[str, ...]
Columns = dict[str, tuple[str, Origins]]
"""Folded name to the spelling and the columns that it comes from; `*` for all not known by name."""


CHANGES = (exp.Insert, exp.Update, exp.Merge)
"""Statements that give a made table's columns further origins."""


@dataclass
class MadeTables:
    """The tables made so far, by their folded names. A schema provider for what follows."""

    schema: SchemaProvider | None
    tables: dict[Key, Columns] = field(default_factory=dict)

    def columns_of(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """The columns of a made table where all are known; else what the catalog says."""
        made = self.tables.get(_key(parts))
        if made is not None:
            return None if "*" in made or not made else tuple(name for name, _ in made.values())
        return self.schema.columns_of(parts) if self.schema is not None else None

    def follow(self, reading: Reading) -> None:
        """Puts the tables' own origins in the place of columns of made tables."""
        made = {
            id(ref): self.tables[_key(ref.parts)]
            for ref in reading.sources.values()
            if _key(ref.parts) in self.tables
        }
        if not made:
            return
        reading.outputs = [
            (output, self._followed(origins, made, reading)) for output, origins in reading.outputs
        ]

    def _followed(self, origins: Origins, made: dict[int, Columns], reading: Reading) -> Origins:
        found: set[tuple[TableRef, str]] = set()
        for ref, column in origins:
            columns = made.get(id(ref))
            if columns is None:
                found.add((ref, column))
                continue
            for base, name in _origins_of(columns, column):
                found.add((reading.sources.setdefault(reading.key(base.parts), base), name))
        return frozenset(found)

    def add(self, tree: exp.Expr, reading: Reading) -> None:
        """Notes the columns that a statement gives the table that it makes or fills."""
        if len(reading.targets) != 1:
            return
        key = _key(next(iter(reading.targets.values())).parts)
        if isinstance(tree, CHANGES):
            if key not in self.tables:
                return
        elif isinstance(tree, exp.Create):
            self.tables[key] = _declared(tree)
        else:
            self.tables[key] = {}
        columns = self.tables[key]
        for name, origins in reading.outputs:
            folded = name.casefold()
            spelling, before = columns.get(folded, (name, NOTHING))
            columns[folded] = (spelling, before | origins)


def _declared(tree: exp.Create) -> Columns:
    if tree.args.get("expression") is not None or not isinstance(tree.this, exp.Schema):
        return {}
    names = [item.name for item in tree.this.expressions if isinstance(item, exp.ColumnDef)]
    return {name.casefold(): (name, NOTHING) for name in names}


def _origins_of(columns: Columns, column: str) -> Origins:
    if column == "*":
        return NOTHING.union(*(origins for _, origins in columns.values()))
    known = columns.get(column.casefold())
    if known is not None:
        return known[1]
    rest = columns["*"][1] if "*" in columns else NOTHING
    if len(rest) != 1:  # which of several tables has it is not known
        return NOTHING
    ref, name = next(iter(rest))
    return frozenset(((ref, column if name == "*" else name),))


def _key(parts: tuple[str, ...]) -> Key:
    return tuple(part.casefold() for part in parts)
