"""Joins what the statements of one text read and write into one answer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from operator import itemgetter
from weakref import WeakMethod

from sqlglot import exp

from hex_assets.lineage.engine.bounds import Deadline, Heavy
from hex_assets.lineage.engine.defaults import Default
from hex_assets.lineage.engine.dialects import HAS_DUAL, SENSITIVE_TABLES, THREE_LEVELS
from hex_assets.lineage.engine.fallback import Names
from hex_assets.lineage.engine.made import CHANGES, MadeTables
from hex_assets.lineage.engine.names import (
    LAKES,
    bigquery_parts,
    is_path,
    is_template,
    named,
    unsessioned,
)
from hex_assets.lineage.engine.reading import USAGES, Reading
from hex_assets.lineage.engine.relations import TableRef
from hex_assets.lineage.engine.targets import names_columns
from hex_assets.lineage.engine.trees.writes import is_temporary
from hex_assets.lineage.engine.words import JINJA_NAME
from hex_assets.lineage.model import ColumnUse, SchemaProvider, StatementLineage

Parts = tuple[str, ...]
REREADS = 2
REREAD_TOKENS = 60_000
"""A text is read twice over, a short one more often; each token costs some 2 us."""


class Text:
    """The statements of one text so far: their tables, what was made inside, what is missing."""

    def __init__(
        self,
        dialect: str,
        schema: SchemaProvider | None,
        deadline: Deadline,
        *,
        isolated: bool = False,
    ) -> None:
        self.dialect = dialect
        self.made = MadeTables(
            schema, WeakMethod(self._home)
        )  # a text without circles is freed at once
        self.deadline = deadline
        self.isolated = isolated
        """Whether it is read in a process that the system ends in time."""
        self.condition = False
        """Whether the query at hand is the condition of a branch: its columns only filter."""
        self.declaring = False
        """Whether the statements at hand are the list of a script's DECLARE."""
        self.declared: set[str] = set()
        """Folded names of BigQuery's variables: a bare name in a query may be one of them."""
        self.commands: dict[str, tuple[str, bool]] = {}
        """BigQuery's variables that hold a string, and whether parts of it are not known."""
        self.parameters: frozenset[str] = frozenset()
        """Folded names of the routine's parameters and variables, which are no columns."""
        self.variables: dict[str, str] = {}
        """The script's variables that are set to a string, by their names in capitals."""
        self.assigned: set[str] = set()
        """Those that a statement of its own sets, perhaps one of several in branches."""
        self.reasons: dict[str, str] = {}
        self.first_error: str | None = None
        self.other_dialect: str | None = None
        self._sources: dict[Parts, Parts] = {}
        self._targets: dict[Parts, Parts] = {}
        self._files: dict[str, None] = {}
        self._readings: list[Reading] = []
        self._writings: list[Reading] = []
        self._inside: dict[Parts, Parts] = {}
        """Tables that the text makes: by the name as written and by its full one, the full one."""
        self._temporary: set[Parts] = set()
        self._read_inside: set[Parts] = set()
        self._default = Default()
        self._bases: dict[int, Default] = {}
        """The defaults in force at a reading: a later USE must not move its columns."""
        self._understood = 0
        self._spent = 0
        self._most = 0

    def spend(self, tokens: int) -> None:
        """Counts tokens that are read; statements within statements are read again and again.

        Raises:
            Heavy: far more than the text has, and nobody would end this process.
        """
        if not self._most:
            self._most = REREAD_TOKENS + REREADS * tokens
        self._spent += tokens
        if self._spent > self._most and not self.isolated:
            raise Heavy

    def key(self, parts: Parts) -> Parts:
        """The name under which a table is one and the same."""
        if self.dialect in SENSITIVE_TABLES:
            return unsessioned(parts)
        return tuple(part.casefold() for part in parts)

    def miss(self, reason: str, message: str) -> None:
        """Notes that something of the text is not known."""
        self.reasons.setdefault(reason, message)

    def add(self, reading: Reading, tree: exp.Expr) -> None:
        """Adds a statement that was read."""
        self._understood += 1
        if "jinja" in self.reasons:
            reading.forget_templates()
        if self.condition:
            reading.outputs.clear()
            for _, usages in reading.uses.values():
                if "output" in usages:
                    usages.discard("output")
                    usages.add("filter")
        self._readings.append(reading)
        self._bases[id(reading)] = self._default
        if names_columns(tree, reading):
            self._writings.append(reading)
        for parts in (ref.parts for ref in reading.sources.values()):
            self.add_source(parts)
        for ref in reading.targets.values():
            self.add_target(ref.parts)
        if self.made.tables:
            self.made.follow(reading)
        for file in reading.files:
            self._files.setdefault(file)
        if reading.dynamic:
            self.miss("dynamic", "a table's name is known only when the statement runs")
        if isinstance(tree, exp.Create):
            self._created(tree, reading)
        if isinstance(tree, exp.Cache) and isinstance(tree.this, exp.Table):
            parts = named(tree.this, self.dialect).parts  # Spark's CACHE TABLE t AS query
            if parts:
                self._made_inside(parts)
                self.made.add_named(parts, reading)
        writing = bool(reading.targets) and isinstance(tree, exp.Query)
        into = tree.find(exp.Into) if writing else None
        if into is not None:
            for ref in reading.targets.values():
                self._made_inside(ref.parts, temporary=bool(into.args.get("temporary")))
        if isinstance(tree, (exp.Create, *CHANGES)) or into is not None:
            self.made.add(tree, reading)

    def _created(self, tree: exp.Create, reading: Reading) -> None:
        temporary = is_temporary(tree)
        for ref in reading.targets.values():
            self._made_inside(ref.parts, temporary=temporary)
            if temporary and tree.find(exp.GlobalProperty) is not None:
                shared = self.key((_GLOBAL, *ref.parts))  # where Spark puts such a view
                self._inside[shared] = self._qualified(ref.parts)

    def _made_inside(self, parts: Parts, *, temporary: bool = False) -> None:
        full = self._qualified(parts)
        key = self.key(full)
        self._inside[self.key(parts)] = self._inside[key] = full
        if temporary or parts[-1].startswith("#"):
            self._temporary.add(key)

    def _full(self, parts: Parts) -> Parts:
        """The name under which the text made a table; else the name with the defaults of USE."""
        if not self._inside:
            return self._qualified(parts)
        made = self._inside.get(self.key(parts))
        if made is None:
            parts = self._qualified(parts)
            made = self._inside.get(self.key(parts))
        return made or parts

    def _home(self, parts: Parts) -> Parts:
        return tuple(part.casefold() for part in self._full(parts))

    def add_source(self, parts: Parts) -> None:
        """Adds a table that is read, unless the text made it itself."""
        if is_template(parts):
            self.miss("jinja", "a table's name is a template expression")
            return
        parts = self._full(parts)
        key = self.key(parts)
        if key in self._inside:
            self._read_inside.add(key)
            return
        self._sources.setdefault(key, parts)

    def add_target(self, parts: Parts) -> None:
        """Adds a table that is written."""
        if is_template(parts):
            self.miss("jinja", "a table's name is a template expression")
            return
        if self.key(parts) in self._targets:
            return
        parts = self._full(parts)
        self._targets.setdefault(self.key(parts), parts)

    def add_created(
        self, parts: Parts, *, temporary: bool = False, copied: Parts | None = None
    ) -> None:
        """Adds a table that the text makes, perhaps as a copy of another."""
        self._understood += 1
        self.add_target(parts)
        self._made_inside(parts, temporary=temporary)
        if copied is not None:
            self.made.copy(copied, parts)

    def understood(self) -> None:
        """Counts a statement whose names were added one by one."""
        self._understood += 1

    def add_file(self, path: str) -> None:
        """Adds a stage, path or URL."""
        self._understood += 1
        self._files.setdefault(path)

    def add_names(self, names: Names) -> None:
        """Adds what was read off the tokens."""
        self._understood += 1
        for parts in names.sources:
            if [part.casefold() for part in parts] != ["dual"] or self.dialect not in HAS_DUAL:
                self._add_named(parts, self.add_source)
        for parts in names.targets:
            self._add_named(parts, self.add_target)

    def _add_named(self, parts: Parts, add: Callable[[Parts], None]) -> None:
        if self.dialect in LAKES and is_path(parts):
            self.add_file(parts[1])
        else:
            add(tuple(bigquery_parts(list(parts))) if self.dialect == "bigquery" else parts)

    def use_named(self, parts: Parts) -> None:
        """USE of a name that the parser takes for a kind, such as a database `warehouse`."""
        self._default = Default(parts, self.dialect == "tsql" and len(parts) == 1)

    def use(self, tree: exp.Use) -> None:
        """USE changes the default database or schema of what follows."""
        self._default = self._default.after(tree, self.dialect)

    def _qualified(self, parts: Parts, reading: Reading | None = None) -> Parts:
        default, is_catalog = self._default if reading is None else self._bases[id(reading)]
        if not default:
            return parts
        if is_catalog:
            return (*default, *parts) if len(parts) == 2 else parts
        if len(parts) == 1 and not parts[0].startswith("#"):
            return (*default, *parts)
        if len(parts) == 2 and len(default) == 2 and self.dialect in THREE_LEVELS:
            return (default[0], *parts) if parts[0] else parts
        return parts

    def drop(self, tree: exp.Drop) -> None:
        """A table that the text made and dropped was never there for others."""
        tables = tree.args.get("tables") or [tree.this]
        for table in tables:
            if not isinstance(table, exp.Table):
                continue
            key = self.key(self._full(named(table, self.dialect).parts))
            if key in self._inside:
                self._targets.pop(key, None)
                self.made.forget(named(table, self.dialect).parts)

    def empty(self, parts: Parts) -> None:
        """TRUNCATE of a table that the text made: what is in it later is of other rows."""
        self.made.empty(parts)

    def rename(self, tree: exp.Alter) -> bool:
        """ALTER TABLE a RENAME TO b: what was written to a is in b."""
        for action in tree.args.get("actions") or ():
            if isinstance(action, exp.AlterRename):
                old = self._full(named(tree.this, self.dialect).parts)
                new = named(action.this, self.dialect).parts
                before = self._targets.pop(self.key(old), None)
                if before is not None and new:  # a bare new name stays in the table's schema
                    new = (*before[: -len(new)], *new) if len(new) == 1 else new
                    self.add_target(new)
                    if self.key(old) in self._inside:
                        self._made_inside(new, temporary=self.key(old) in self._temporary)
                        self.made.move(old, new)
                return True
        return False

    def result(self) -> StatementLineage:
        """The answer for the whole text."""
        passing = self._temporary & self._read_inside
        for key in passing:
            self._targets.pop(key, None)
        names = {key: ".".join(parts) for key, parts in self._sources.items()}
        known = {id(reading): self._names_of(reading, names) for reading in self._readings}
        unresolved: dict[str, None] = {}
        for reading in self._readings:
            unresolved.update(reading.unresolved)
        partial = bool(self.reasons)
        reason = next(iter(self.reasons), None)
        error = next(iter(self.reasons.values()), None)
        if not self._understood and not partial:
            reason = "no_lineage"
        return StatementLineage(
            sources=tuple(names.values()),
            targets=tuple(".".join(parts) for parts in self._targets.values()),
            columns=self._columns(known, passing),
            uses=self._uses(known),
            files=tuple(self._files),
            source_parts=tuple(self._sources.values()),
            target_parts=tuple(self._targets.values()),
            partial=partial,
            reason=reason,
            error=error,
            unresolved_columns=tuple(unresolved),
            target_columns=self._target_columns(known),
            dialect=self.other_dialect,
        )

    def _names_of(self, reading: Reading, names: dict[Parts, str]) -> dict[TableRef, str]:
        """The tables that a statement reads, by their names in the answer."""
        found: dict[TableRef, str] = {}
        for ref in reading.sources.values():
            name = names.get(self.key(self._qualified(ref.parts, reading)))
            name = name or names.get(self.key(ref.parts))
            if name is not None:
                found[ref] = name
        return found

    def _only_fills(self, reading: Reading, passing: set[Parts]) -> bool:
        """Whether all that a statement writes are tables of the text's own, for its next ones."""
        for ref in reading.targets.values():
            full = self._inside.get(self.key(ref.parts))
            full = full or self._inside.get(self.key(self._qualified(ref.parts, reading)))
            if full is None or self.key(full) not in passing:
                return False
        return bool(reading.targets)

    def _columns(
        self, known: dict[int, dict[TableRef, str]], passing: set[Parts]
    ) -> tuple[tuple[str, tuple[str, ...]], ...]:
        found: dict[str, tuple[str, dict[str, str]]] = {}
        for reading in self._readings:
            if passing and self._only_fills(reading, passing):
                continue
            names = known[id(reading)]
            for output, origins in reading.outputs:
                if JINJA_NAME in output:  # what a template gives is not known
                    continue
                entry = found.setdefault(output.casefold(), (output, {}))
                for ref, column in origins:
                    if ref in names:
                        _keep(entry[1], f"{names[ref]}.{column}")
        return tuple((name, tuple(sorted(columns.values()))) for name, columns in found.values())

    def _target_columns(
        self, known: dict[int, dict[TableRef, str]]
    ) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
        found: dict[tuple[str, str], tuple[str, str, dict[str, str]]] = {}
        for reading in self._writings:
            names = known[id(reading)]
            for parts in (ref.parts for ref in reading.targets.values()):
                written = self._targets.get(self.key(parts)) or self._targets.get(
                    self.key(self._qualified(parts, reading))
                )
                if written is None:
                    continue
                target = ".".join(written)
                for output, origins in reading.outputs:
                    if output == "*":
                        continue
                    entry = found.setdefault((target, output.casefold()), (target, output, {}))
                    for ref, column in origins:
                        if ref in names:
                            _keep(entry[2], f"{names[ref]}.{column}")
        return tuple((t, name, tuple(sorted(c.values()))) for t, name, c in found.values())

    def _uses(self, known: dict[int, dict[TableRef, str]]) -> tuple[ColumnUse, ...]:
        found: dict[tuple[str, str], tuple[str, str, set[str]]] = {}
        for reading in self._readings:
            names = known[id(reading)]
            for (ref, folded), (column, usages) in reading.uses.items():
                if ref in names:
                    key = (names[ref].casefold(), folded)
                    found.setdefault(key, (names[ref], column, set()))[2].update(usages)
        return tuple(
            [
                ColumnUse(table, column, _IN_ORDER[frozenset(usages)])
                for table, column, usages in sorted(found.values(), key=itemgetter(0, 1))
            ]
        )


def _keep(columns: dict[str, str], column: str) -> None:
    """Adds a column; sets have no order, so of several spellings the first in order is kept."""
    key = column.casefold()
    known = columns.get(key)
    if known is None or column < known:
        columns[key] = column


_GLOBAL = "global_temp"
_IN_ORDER = {
    frozenset(some): some
    for count in range(len(USAGES) + 1)
    for some in combinations(USAGES, count)
}
