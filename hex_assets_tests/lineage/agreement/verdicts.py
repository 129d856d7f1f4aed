"""What a database says of a query, and the tables that it is asked about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from hex_assets_tests.lineage.agreement.queries import TABLES, Query

TAG = re.compile(r"((?:other_)?[a-z])_([a-z]+)#\d")
ROWS = 6


@dataclass
class Verdict:
    """What the database says of one query; `error` where it does not take it."""

    query: Query
    error: str = ""
    tables: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    """All that the text names, `table.column`."""
    names: list[str] = field(default_factory=list)
    arrived: dict[int, set[str]] = field(default_factory=dict)
    """By the position of an output: the columns whose values arrived there."""

    def arrive(self, names: list[str], rows: Iterable[Sequence[object]]) -> None:
        """Notes the names of the outputs, and whose values are in them."""
        self.names = names
        for row in rows:
            for position, value in enumerate(row):
                if value is not None and "#" in str(value):
                    self.arrived.setdefault(position, set()).update(tags(value))


def tagged(table: str, column: str, position: int, row: int) -> str:
    """A value that tells its column, or one that all columns share, so that joins meet."""
    if (row * (position + 2) + len(table)) % 3 == 0:
        return f"{table.replace('.', '_')}_{column}#{row}"
    return f"v{1 + row % 3}"


def tags(value: object) -> set[str]:
    """The columns whose values are in a value."""
    found = TAG.findall(str(value).lower())
    return {f"{table.replace('_', '.')}.{column}" for table, column in found}


def fill(run: Callable[[str], object], kind: str = "text", engine: str = "") -> None:
    """Makes the tables and fills them."""
    run("create database other" if engine else "create schema other")
    for table, columns in TABLES.items():
        run(f"create table {table} ({', '.join(f'{column} {kind}' for column in columns)}){engine}")
        for row in range(ROWS):
            values = [f"'{tagged(table, c, at, row)}'" for at, c in enumerate(columns)]
            run(f"insert into {table} values ({', '.join(values)})")
