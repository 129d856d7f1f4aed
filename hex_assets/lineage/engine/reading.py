"""What the reading of one statement has found so far, and what it stops at."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from hex_assets.lineage.engine.bounds import Deadline
from hex_assets.lineage.engine.dialects import SENSITIVE_TABLES
from hex_assets.lineage.engine.names import made_key, named
from hex_assets.lineage.engine.relations import Origins, Relation, TableRef
from hex_assets.lineage.engine.words import JINJA_NAME
from hex_assets.lineage.model import SchemaProvider

USAGES = ("output", "filter", "join", "group", "order")


class TooSlow(Exception):
    """The time limit of one statement is over."""


class Malformed(Exception):
    """The parser took broken SQL for a statement of which a part is missing."""


@dataclass
class Cte:
    """A common table expression, or ClickHouse's named scalar; read when it is asked for."""

    node: exp.Expr
    env: Env
    names: list[str] = field(default_factory=list)
    relation: Relation | None = None
    reading: bool = False
    scalar: bool = False


Env = dict[str, Cte]
"""CTEs in force by folded name."""


@dataclass
class Reading:
    """What one statement was found to read and write; filled while its tree is read."""

    dialect: str
    schema: SchemaProvider | None
    deadline: Deadline
    sources: dict[tuple[str, ...], TableRef] = field(default_factory=dict)
    targets: dict[tuple[str, ...], TableRef] = field(default_factory=dict)
    files: dict[str, None] = field(default_factory=dict)
    uses: dict[tuple[TableRef, str], tuple[str, set[str]]] = field(default_factory=dict)
    outputs: list[tuple[str, Origins]] = field(default_factory=list)
    writes: list[tuple[TableRef, str, Origins]] = field(default_factory=list)
    """Columns of written tables whose names are known, each with what it comes from."""
    unresolved: dict[str, None] = field(default_factory=dict)
    known: dict[tuple[str, ...], TableRef] = field(default_factory=dict)
    dynamic: bool = False
    has_structs: bool = False
    """Whether the fields of a struct are known that the statement makes itself."""
    fields: dict[str, Relation] = field(default_factory=dict)
    """The fields of the output columns that are structs."""
    made_structs: dict[tuple[str, ...], dict[str, Relation]] = field(default_factory=dict)
    """The fields of structs in the tables that the text has made before."""
    kept: dict[int, Relation] = field(default_factory=dict)
    """The relations of BigQuery's SELECTs by the identity of their nodes: none is read twice."""
    variables: set[str] = field(default_factory=set)
    """Folded names of the script's variables."""
    aliases_in_clauses: bool = True
    """Whether a clause after FROM may give an alias, as ClickHouse allows."""
    picks: bool = False
    """Whether COLUMNS(...) may stand within an expression."""
    parameters: frozenset[str] = frozenset()
    """Folded names of a routine's parameters and variables, which are no columns."""
    ticks: int = 0

    def tick(self) -> None:
        """Raises TooSlow now and then after the deadline."""
        self.ticks += 1
        if self.ticks % 256 == 0 and self.deadline.is_over():
            raise TooSlow

    def forget_templates(self) -> None:
        """Leaves out columns that only a template names."""
        self.outputs = [
            (output, frozenset(item for item in origins if JINJA_NAME not in item[1]))
            for output, origins in self.outputs
            if JINJA_NAME not in output
        ]
        self.writes = [
            (ref, name, frozenset(item for item in origins if JINJA_NAME not in item[1]))
            for ref, name, origins in self.writes
            if JINJA_NAME not in name
        ]
        self.uses = {key: use for key, use in self.uses.items() if JINJA_NAME not in use[0]}
        self.unresolved = {name: None for name in self.unresolved if JINJA_NAME not in name}

    def key(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        """The name under which a table is one and the same."""
        if self.dialect in SENSITIVE_TABLES:
            return parts
        return tuple(part.casefold() for part in parts)

    def ref(self, parts: tuple[str, ...]) -> TableRef:
        """The object for a table's name; its columns from the catalog."""
        key = self.key(parts)
        ref = self.known.get(key)
        if ref is None:
            columns = self.schema.columns_of(parts) if self.schema is not None else None
            ref = TableRef(parts, {c.casefold(): c for c in columns} if columns else None)
            ref.structs = self.made_structs.get(made_key(parts)) if self.made_structs else None
            self.has_structs |= ref.structs is not None
            self.known[key] = ref
        return ref

    def source(self, parts: tuple[str, ...]) -> TableRef:
        """Notes a table that is read."""
        ref = self.ref(parts)
        self.sources.setdefault(self.key(parts), ref)
        return ref

    def target(self, parts: tuple[str, ...]) -> TableRef:
        """A written table; an object of its own, so that its columns are not taken for read."""
        ref = self.targets.get(self.key(parts))
        if ref is None:
            known = self.ref(parts)
            ref = TableRef(known.parts, known.columns)
            self.targets[self.key(parts)] = ref
        return ref

    def use(self, origins: Origins, usage: str) -> None:
        """Notes what columns are used for; of several spellings the first in order is kept."""
        uses = self.uses
        for ref, column in origins:
            key = ref, column.casefold()
            known = uses.get(key)
            if known is None:
                uses[key] = column, {usage}
            else:
                known[1].add(usage)
                if column < known[0]:
                    uses[key] = column, known[1]

    def written(self, table: exp.Expr | None) -> TableRef | None:
        """Notes a table, stage or path that a statement writes."""
        if isinstance(table, exp.Schema):
            table = table.this
        if not isinstance(table, exp.Table):
            return None
        name = named(table, self.dialect)
        self.dynamic |= name.dynamic
        if name.file is not None:
            self.files.setdefault(name.file)
        return self.target(name.parts) if name.parts else None
