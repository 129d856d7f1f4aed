"""Random INSERTs, UPDATEs and DELETEs, and what PostgreSQL says of them.

A function with such a body depends on the columns that it reads and writes. The values that are
in the target afterwards tell the columns that they come from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hex_assets.lineage.schema import provider
from hex_assets.lineage.sql import extract
from hex_assets_tests.lineage.agreement.compare import uses_of
from hex_assets_tests.lineage.agreement.named import extract_with_every_output
from hex_assets_tests.lineage.agreement.queries import TABLES, Ctes, Frame, Item, Queries
from hex_assets_tests.lineage.agreement.verdicts import tags

_DEPENDENCIES = """
select n.nspname || '.' || t.relname, a.attname
from pg_depend d join pg_class t on t.oid = d.refobjid
join pg_namespace n on n.oid = t.relnamespace and n.nspname in ('public', 'other')
left join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid and d.refobjsubid > 0
where d.classid = 'pg_proc'::regclass and d.objid = 'judged.f'::regproc
  and d.refclassid = 'pg_class'::regclass
"""


@dataclass
class Statement:
    """A statement, the table that it writes, and what the database says of it."""

    text: str
    target: str
    rows: bool = False
    columns: set[str] = field(default_factory=set)
    """Columns of other tables than the target that it reads."""
    tables: set[str] = field(default_factory=set)
    arrived: dict[str, set[str]] = field(default_factory=dict)
    """By column of the target: columns of other tables whose values are in it."""


class Statements(Queries):
    """Random statements: the same ones for a seed."""

    def statement(self) -> Statement:
        """The next statement."""
        self.depth, self.rows, self.recursions = 1, False, 0
        head, ctes = self.with_clause({}, None) if self.chance(0.3) else ("", {})
        target = self.random.choice([name for name in TABLES if name not in ctes])
        text = self.random.choice((self.insert, self.update, self.delete))(target, ctes)
        return Statement(head + text, target, self.rows)

    def insert(self, target: str, ctes: Ctes) -> str:
        """INSERT with a list of columns."""
        width = self.random.randint(1, len(TABLES[target]))
        self.depth = 0
        query = self.query(ctes, None, width)
        columns = self.random.sample(TABLES[target], width)
        return f"insert into {target} ({', '.join(columns)}) {query.text}"

    def update(self, target: str, ctes: Ctes) -> str:
        """UPDATE with a FROM now and then."""
        frame = Frame([Item("written", list(TABLES[target]))], begun=1)
        more = f" from {self.from_clause(frame, ctes)}" if self.chance(0.7) else ""
        columns = self.random.sample(TABLES[target], self.random.randint(1, 2))
        values = [
            self.scalar(frame, ctes) if self.chance(0.3) else self.value(frame, ctes, simple=True)
            for _ in columns
        ]
        sets = ", ".join(f"{c} = {value}" for c, value in zip(columns, values, strict=True))
        return f"update {target} as written set {sets}{more}{self.where(frame, ctes)}"

    def delete(self, target: str, ctes: Ctes) -> str:
        """DELETE with USING now and then."""
        frame = Frame([Item("written", list(TABLES[target]))], begun=1)
        more = f" using {self.from_clause(frame, ctes)}" if self.chance(0.5) else ""
        return f"delete from {target} as written{more}{self.where(frame, ctes)}"


def ask(connection: Any, statements: list[Statement]) -> list[Statement]:
    """Those that the database takes, with what it says of them; nothing of it stays."""
    import psycopg

    taken = []
    for statement in statements:
        body = f"create function judged.f() returns void language sql begin atomic {statement.text}"
        try:
            connection.execute(f"{body}; end".encode())
        except psycopg.Error:
            connection.rollback()
            continue
        for table, column in connection.execute(_DEPENDENCIES).fetchall():
            name = table.removeprefix("public.")
            statement.tables.add(name)
            if name != statement.target and column is not None:
                statement.columns.add(f"{name}.{column}")
        taken.append(statement)
        try:
            connection.execute(statement.text.encode())
            columns = TABLES[statement.target]
            for row in connection.execute(f"select * from {statement.target}").fetchall():
                for column, value in zip(columns, row, strict=True):
                    others = {t for t in tags(value) if not _is_of(t, statement.target)}
                    statement.arrived.setdefault(column, set()).update(others)
        except psycopg.Error:
            pass
        connection.rollback()
    return taken


def differences(statement: Statement) -> list[str]:
    """What the engine says otherwise than the database."""
    answer = extract(statement.text, "postgres", catalog=TABLES)
    found = []
    if answer.partial or answer.unresolved_columns:
        found.append(f"not all is known: {answer.error} {answer.unresolved_columns}")
    tables = {name.removeprefix("public.") for name in (*answer.sources, *answer.targets)}
    if tables != statement.tables | {statement.target} or answer.targets != (statement.target,):
        found.append(f"tables: {tables} -> {answer.targets}, not {statement.tables}")
    everything = extract_with_every_output(statement.text, "postgres", provider(TABLES))
    named = {name for name in uses_of(everything) if not _is_of(name, statement.target)}
    missed, more = statement.columns - named, named - statement.columns
    if missed or (more and not statement.rows):
        found.append(f"columns named: misses {missed}, has {more} more")
    for column, arrived in statement.arrived.items():
        of_column = [o for _, name, o in answer.target_columns if name == column]
        known = {name.removeprefix("public.") for origins in of_column for name in origins}
        if arrived - known:
            found.append(f"{column} also comes from {arrived - known}")
    return found


def _is_of(column: str, table: str) -> bool:
    return column.rpartition(".")[0] == table
