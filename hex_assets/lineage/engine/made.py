"""Tables that a text makes and reads itself: their columns lead on to the tables they come from."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from hex_assets.lineage.engine.names import made_key
from hex_assets.lineage.engine.reading import Reading
from hex_assets.lineage.engine.relations import NOTHING, Origins, Relation, TableRef
from hex_assets.lineage.engine.tables import TextTables
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
    names: TextTables
    """The names of the text's tables, under which one is the same."""
    tables: dict[Key, Columns] = field(default_factory=dict)
    structs: dict[Key, dict[str, Relation]] = field(default_factory=dict)
    """The fields of the tables' columns that are structs."""
    traced: set[tuple[TableRef, str]] = field(default_factory=set)
    """Columns, folded, that made tables' columns come from."""

    def key(self, parts: tuple[str, ...]) -> Key:
        """The folded full name of a table."""
        return self.names.home(parts)

    def columns_of(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """The columns of a made table where all are known; else what the catalog says."""
        made = self.tables.get(self.key(parts))
        if made is not None:
            return None if "*" in made or not made else tuple(name for name, _ in made.values())
        return self.schema.columns_of(self.names.full(parts)) if self.schema is not None else None

    def follow(self, reading: Reading) -> None:
        """Puts the tables' own origins in the place of columns of made tables."""
        made = {
            id(ref): self.tables[self.key(ref.parts)]
            for ref in reading.sources.values()
            if self.key(ref.parts) in self.tables
        }
        if not made:
            return
        reading.outputs = [
            (output, self._followed(origins, made, reading)) for output, origins in reading.outputs
        ]
        reading.writes = [
            (ref, name, self._followed(origins, made, reading))
            for ref, name, origins in reading.writes
        ]
        for _, origins in reading.outputs:  # a clone has no query that used them before
            reading.use(origins, "output")
        for (ref, _), (column, usages) in list(reading.uses.items()):
            if id(ref) in made:
                origins = self._followed(frozenset({(ref, column)}), made, reading)
                for usage in usages - {"output"}:
                    reading.use(origins, usage)

    def _followed(self, origins: Origins, made: dict[int, Columns], reading: Reading) -> Origins:
        found: set[tuple[TableRef, str]] = set()
        for ref, column in origins:
            columns = made.get(id(ref))
            if columns is None and self._is_earlier(ref, reading):  # of a kept struct
                columns = self.tables.get(self.key(ref.parts))
                ref = reading.sources.setdefault(reading.key(ref.parts), ref)
            if columns is None:
                found.add((ref, column))
                continue
            for base, name in _origins_of(columns, column):
                key = reading.key(base.parts)
                if id(reading.sources.get(key)) in made:  # of the name that the made one hides
                    key = ("", *key)
                found.add((reading.sources.setdefault(key, base), name))
        return frozenset(found)

    def copy(self, old: tuple[str, ...], new: tuple[str, ...]) -> None:
        """Notes a table that is made as a copy of another, which may be a made one itself."""
        known = self.tables.get(self.key(old))
        whole: Columns = {"*": ("*", frozenset({(TableRef(old), "*")}))}
        self.tables[self.key(new)] = dict(known) if known is not None else whole

    def move(self, old: tuple[str, ...], new: tuple[str, ...]) -> None:
        """Notes that a made table has another name from here on."""
        columns = self.tables.pop(self.key(old), None)
        if columns is not None:
            self.tables[self.key(new)] = columns

    def forget(self, parts: tuple[str, ...]) -> None:
        """Notes that a table is dropped: the next one of its name has columns of its own."""
        self.tables.pop(self.key(parts), None)
        self.structs.pop(made_key(parts), None)

    def empty(self, parts: tuple[str, ...]) -> None:
        """Notes that the rows of a made table are gone: its columns come from nowhere so far."""
        columns = self.tables.get(self.key(parts), {})
        columns.update({folded: (name, NOTHING) for folded, (name, _) in columns.items()})

    def _is_earlier(self, ref: TableRef, reading: Reading) -> bool:
        """Whether an earlier statement read the table, not this one."""
        if not self.structs or reading.sources.get(reading.key(ref.parts)) is ref:
            return False
        return all(target is not ref for target in reading.targets.values())

    def add(self, tree: exp.Expr, reading: Reading) -> None:
        """Notes the columns that a statement gives the table that it makes or fills."""
        if len(reading.targets) != 1:
            for ref, name, origins in reading.writes:
                if self.key(ref.parts) in self.tables:
                    self._fill(self.tables[self.key(ref.parts)], [(name, origins)])
            return
        key = self.key(next(iter(reading.targets.values())).parts)
        if isinstance(tree, CHANGES):
            if key not in self.tables:
                return
        elif isinstance(tree, exp.Create):
            self.tables[key] = _declared(tree)
        else:
            self.tables[key] = {}
        if reading.fields and not isinstance(tree, exp.Insert):
            self.structs[made_key(next(iter(reading.targets.values())).parts)] = dict(
                reading.fields
            )
        if isinstance(tree, CHANGES) or self.tables[key]:
            self._fill(self.tables[key], reading.outputs)
        else:
            self._begin(self.tables[key], reading.outputs)

    def add_named(self, parts: tuple[str, ...], reading: Reading) -> None:
        """Notes the columns of a table that a statement makes without writing rows."""
        self._fill(self.tables.setdefault(self.key(parts), {}), reading.outputs)

    def _begin(self, columns: Columns, made: list[tuple[str, Origins]]) -> None:
        """The columns of a new table: of two of one name, and of stars beside it, the first."""
        for name, origins in made:
            if name == "*" and name in columns:
                origins = origins | columns.pop(name)[1]
            columns.setdefault(name.casefold(), (name, origins))
            self.traced.update((ref, column.casefold()) for ref, column in origins)

    def _fill(self, columns: Columns, filled: list[tuple[str, Origins]]) -> None:
        for name, origins in filled:
            folded = name.casefold()
            spelling, before = columns.get(folded) or (name, _of_rest(columns, name))
            columns[folded] = (spelling, before | origins)
            self.traced.update((ref, column.casefold()) for ref, column in origins)


def _declared(tree: exp.Create) -> Columns:
    if tree.args.get("expression") is not None or not isinstance(tree.this, exp.Schema):
        return {}
    names = [item.name for item in tree.this.expressions if isinstance(item, exp.ColumnDef)]
    return {name.casefold(): (name, NOTHING) for name in names}


def _origins_of(columns: Columns, column: str) -> Origins:
    if column == "*":
        return NOTHING.union(*(origins for _, origins in columns.values()))
    known = columns.get(column.casefold())
    return known[1] if known is not None else _of_rest(columns, column)


def _of_rest(columns: Columns, column: str) -> Origins:
    """The origins of a column that only a star tells of."""
    rest = columns["*"][1] if "*" in columns else NOTHING
    if len(rest) != 1:  # which of several tables has it is not known
        return NOTHING
    ref, name = next(iter(rest))
    return frozenset(((ref, column if name == "*" else name),))
