"""Joins what the statements of a text were found to read and write into one answer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from operator import itemgetter

from hex_assets.lineage.engine.defaults import Default
from hex_assets.lineage.engine.reading import USAGES, Reading
from hex_assets.lineage.engine.relations import TableRef
from hex_assets.lineage.engine.tables import Parts, TextTables, is_of_session
from hex_assets.lineage.engine.words import JINJA_NAME
from hex_assets.lineage.model import ColumnUse


@dataclass(frozen=True)
class Statement:
    """A statement that was read, and the default in force then: a later USE must not move it."""

    reading: Reading
    default: Default
    own: set[TableRef]
    """What it reads of tables that the text itself has made by then."""


class Answer:
    """The tables and columns of all statements, under the tables' names in the answer."""

    def __init__(
        self,
        tables: TextTables,
        statements: list[Statement],
        traced: set[tuple[TableRef, str]],
    ) -> None:
        """Joins statements; what `traced` columns are for is told by those that read them on."""
        self._tables = tables
        self._traced = traced
        self._statements = statements
        self._passing = tables.passing()
        self.sources = {key: ".".join(parts) for key, parts in tables.sources.items()}
        self.targets = {
            key: parts for key, parts in tables.targets.items() if key not in self._passing
        }
        self._named = [self._names_of(statement) for statement in statements]

    def _names_of(self, statement: Statement) -> dict[TableRef, str]:
        """The tables that a statement reads, by their names in the answer."""
        found: dict[TableRef, str] = {}
        key, qualified = self._tables.key, self._tables.qualified
        for ref in statement.reading.sources.values():
            if ref in statement.own:
                continue
            name = self.sources.get(key(qualified(ref.parts, statement.default)))
            name = name or self.sources.get(key(ref.parts))
            if name is not None:
                found[ref] = name
        return found

    def columns(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each output with its source columns."""
        found: dict[str, tuple[str, dict[str, str]]] = {}
        for statement, names in zip(self._statements, self._named, strict=True):
            if self._passing and self._only_fills(statement):
                continue
            for output, origins in statement.reading.outputs:
                if JINJA_NAME in output:  # what a template gives is not known
                    continue
                entry = found.setdefault(output.casefold(), (output, {}))
                for ref, column in origins:
                    if ref in names:
                        _keep(entry[1], f"{names[ref]}.{column}")
        return tuple((name, tuple(sorted(columns.values()))) for name, columns in found.values())

    def _only_fills(self, statement: Statement) -> bool:
        """Whether all that a statement writes are tables of the text's own, for its next ones."""
        targets = statement.reading.targets.values()
        made = [self._tables.made(ref.parts, statement.default) for ref in targets]
        return bool(made) and all(key in self._passing for key in made)

    def target_columns(self) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
        """Each written table, its column and the source columns of that."""
        found: dict[tuple[str, str], tuple[str, str, dict[str, str]]] = {}
        for statement, names in zip(self._statements, self._named, strict=True):
            targets = {
                ref: ".".join(self._written(ref.parts, statement.default) or ())
                for ref in statement.reading.targets.values()
            }
            for ref, name, origins in statement.reading.writes:
                target = targets.get(ref)
                if not target:  # what a text drops again, or keeps to itself
                    continue
                entry = found.setdefault((target, name.casefold()), (target, name, {}))
                for origin, column in origins:
                    if origin in names:
                        _keep(entry[2], f"{names[origin]}.{column}")
        return tuple((t, name, tuple(sorted(c.values()))) for t, name, c in found.values())

    def _written(self, parts: Parts, default: Default) -> Parts | None:
        key, qualified = self._tables.key, self._tables.qualified
        return self.targets.get(key(parts)) or self.targets.get(key(qualified(parts, default)))

    def uses(self) -> tuple[ColumnUse, ...]:
        """Each source column with what it is needed for."""
        found: dict[tuple[str, str], tuple[str, str, set[str]]] = {}
        for statement, names in zip(self._statements, self._named, strict=True):
            passes_on = bool(self._passing) and self._only_fills(statement)
            for (ref, folded), (column, usages) in statement.reading.uses.items():
                if ref not in names:
                    continue
                if passes_on and (ref, folded) in self._traced:
                    usages = usages - {"output"}
                if usages:
                    key = (names[ref].casefold(), folded)
                    found.setdefault(key, (names[ref], column, set()))[2].update(usages)
        return tuple(
            [
                ColumnUse(table, column, _IN_ORDER[frozenset(usages)])
                for table, column, usages in sorted(found.values(), key=itemgetter(0, 1))
            ]
        )

    def temporary_sources(self) -> tuple[str, ...]:
        """Sources that the session has made before."""
        sources = self._tables.sources.values()
        return tuple(".".join(parts) for parts in sources if is_of_session(parts))

    def temporary_targets(self) -> tuple[str, ...]:
        """Targets that end with the session."""
        targets = self.targets.values()
        return tuple(".".join(parts) for parts in targets if self._tables.is_temporary(parts))

    def unresolved(self) -> tuple[str, ...]:
        """Columns of which no table is certain."""
        found: dict[str, None] = {}
        for statement in self._statements:
            found.update(statement.reading.unresolved)
        return tuple(found)


def _keep(columns: dict[str, str], column: str) -> None:
    """Adds a column; sets have no order, so of several spellings the first in order is kept."""
    key = column.casefold()
    known = columns.get(key)
    if known is None or column < known:
        columns[key] = column


_IN_ORDER = {
    frozenset(some): some
    for count in range(len(USAGES) + 1)
    for some in combinations(USAGES, count)
}
