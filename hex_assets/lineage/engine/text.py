"""A text while it is read: its statements so far, what is known of its names, what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlglot import exp

from hex_assets.lineage.engine.answer import Answer, Statement
from hex_assets.lineage.engine.bounds import Deadline, Heavy
from hex_assets.lineage.engine.defaults import Default
from hex_assets.lineage.engine.dialects import HAS_DUAL
from hex_assets.lineage.engine.fallback import Names
from hex_assets.lineage.engine.made import CHANGES, MadeTables
from hex_assets.lineage.engine.names import (
    LAKES,
    bigquery_parts,
    is_path,
    is_template,
    named,
)
from hex_assets.lineage.engine.reading import Reading
from hex_assets.lineage.engine.relations import TableRef
from hex_assets.lineage.engine.tables import Parts, TextTables
from hex_assets.lineage.engine.trees.writes import is_temporary
from hex_assets.lineage.model import SchemaProvider, StatementLineage

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
        home: Parts = (),
        isolated: bool = False,
    ) -> None:
        self.dialect = dialect
        self.tables = TextTables(dialect, schema, home)
        self.made = MadeTables(schema, self.tables)
        self.deadline = deadline
        self.isolated = isolated
        """Whether it is read in a process that the system ends in time."""
        self.condition = False
        """Whether the query at hand is the condition of a branch: its columns only filter."""
        self.declaring = False
        """Whether the statements at hand are the list of a script's DECLARE."""
        self.declared: set[str] = set()
        """Folded names of variables and parameters: a name in a query may be one of them."""
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
        self._files: dict[str, None] = {}
        self._statements: list[Statement] = []
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

    @contextmanager
    def naming(self, names: frozenset[str]) -> Iterator[None]:
        """While a routine's body is read, its parameters are known; no set of many is copied."""
        new = names - self.declared
        self.declared |= new
        try:
            yield
        finally:
            self.declared -= new

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
            reading.writes.clear()
            for _, usages in reading.uses.values():
                if "output" in usages:
                    usages.discard("output")
                    usages.add("filter")
        own: set[TableRef] = set()
        for ref in reading.sources.values():
            if not self.add_source(ref.parts):
                own.add(ref)
        self._statements.append(Statement(reading, self.tables.default, own))
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
                self.tables.make(parts)
                self.made.add_named(parts, reading)
        writing = bool(reading.targets) and isinstance(tree, exp.Query)
        into = tree.find(exp.Into) if writing else None
        if into is not None:
            for ref in reading.targets.values():
                self.tables.make(ref.parts, temporary=bool(into.args.get("temporary")))
        if isinstance(tree, (exp.Create, *CHANGES)) or into is not None:
            self.made.add(tree, reading)

    def _created(self, tree: exp.Create, reading: Reading) -> None:
        temporary = is_temporary(tree)
        is_global = temporary and tree.find(exp.GlobalProperty) is not None
        for ref in reading.targets.values():
            shared = _GLOBAL if is_global else ""
            self.tables.make(ref.parts, temporary=temporary, shared=shared)

    def add_source(self, parts: Parts) -> bool:
        """Adds a table that is read, unless the text made it itself; whether it was added."""
        return self._is_known(parts) and self.tables.read(parts)

    def add_target(self, parts: Parts) -> None:
        """Adds a table that is written."""
        if self._is_known(parts):
            self.tables.write(parts)

    def _is_known(self, parts: Parts) -> bool:
        if not any(parts):  # of broken SQL: `insert ..`
            return False
        if is_template(parts):
            self.miss("jinja", "a table's name is a template expression")
            return False
        return True

    def add_created(
        self, parts: Parts, *, temporary: bool = False, copied: Parts | None = None
    ) -> None:
        """Adds a table that the text makes, perhaps as a copy of another."""
        self._understood += 1
        self.add_target(parts)
        self.tables.make(parts, temporary=temporary)
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

    def _add_named(self, parts: Parts, add: Callable[[Parts], object]) -> None:
        if self.dialect in LAKES and is_path(parts):
            self.add_file(parts[1])
        else:
            add(tuple(bigquery_parts(list(parts))) if self.dialect == "bigquery" else parts)

    def search(self, schemas: Parts) -> None:
        """A search path: bare names are in the one schema, or in one of several."""
        self.tables.default = Default(schemas[:1], others=schemas[1:])
        if len(schemas) > 1 and self.made.schema is None:
            self.miss("search_path", f"bare names may be in any of {', '.join(schemas)}")

    def use_named(self, parts: Parts) -> None:
        """USE of a name that the parser takes for a kind, such as a database `warehouse`."""
        self.tables.default = Default(parts, self.dialect == "tsql" and len(parts) == 1)

    def use(self, tree: exp.Use) -> None:
        """USE changes the default database or schema of what follows."""
        self.tables.default = self.tables.default.after(tree, self.dialect)

    def drop(self, tree: exp.Drop) -> None:
        """A table that the text made and dropped was never there for others."""
        tables = tree.args.get("tables") or [tree.this]
        for table in tables:
            if isinstance(table, exp.Table):
                parts = named(table, self.dialect).parts
                if self.tables.drop(parts):
                    self.made.forget(parts)

    def empty(self, parts: Parts) -> None:
        """TRUNCATE of a table that the text made: what is in it later is of other rows."""
        self.made.empty(parts)

    def rename(self, tree: exp.Alter) -> bool:
        """ALTER TABLE a RENAME TO b: what was written to a is in b."""
        for action in tree.args.get("actions") or ():
            if isinstance(action, exp.AlterRename):
                old = self.tables.full(named(tree.this, self.dialect).parts)
                new = named(action.this, self.dialect).parts
                renamed = self.tables.rename(old, new)
                if renamed is not None:
                    self.made.move(old, renamed)
                return True
        return False

    def result(self) -> StatementLineage:
        """The answer for the whole text."""
        answer = Answer(self.tables, self._statements, self.made.traced)
        partial = bool(self.reasons)
        reason = next(iter(self.reasons), None)
        error = next(iter(self.reasons.values()), None)
        if not self._understood and not partial:
            reason = "no_lineage"
        return StatementLineage(
            sources=tuple(answer.sources.values()),
            targets=tuple(".".join(parts) for parts in answer.targets.values()),
            columns=answer.columns(),
            uses=answer.uses(),
            files=tuple(self._files),
            source_parts=tuple(self.tables.sources.values()),
            target_parts=tuple(answer.targets.values()),
            partial=partial,
            reason=reason,
            error=error,
            unresolved_columns=answer.unresolved(),
            target_columns=answer.target_columns(),
            temporary_sources=answer.temporary_sources(),
            temporary_targets=answer.temporary_targets(),
            dialect=self.other_dialect,
        )


_GLOBAL = "global_temp"
"""Where Spark puts a global temporary view."""
