"""An experiment: one column's values are changed; where a query's rows change, it is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hex_assets.lineage.sql import extract
from hex_assets_tests.lineage.agreement.compare import uses_of
from hex_assets_tests.lineage.agreement.queries import TABLES, Query
from hex_assets_tests.lineage.agreement.verdicts import ROWS, tagged

CONTROLS = 10
"""Of every so many queries the columns that are used are changed, too: the rows then change."""
Rows = Counter[Sequence[object]]


def unused_but_needed(connection: Any, queries: list[Query]) -> tuple[int, list[str]]:
    """How often a used column changed the rows, and the columns not in `uses` that did."""
    connection.execute("set statement_timeout = 300")
    connection.commit()
    before = {number: _rows(connection, query) for number, query in enumerate(queries)}
    used = {n: uses_of(extract(q.text, "postgres", catalog=TABLES)) for n, q in enumerate(queries)}
    changed, found = 0, []
    for table, columns in TABLES.items():
        for position, column in enumerate(columns):
            name = f"{table}.{column}"
            _refill(connection, table, changing=position)
            for number, query in enumerate(queries):
                control = name in used[number]
                if before[number] is None or (control and number % CONTROLS):
                    continue
                after = _rows(connection, query)
                if after is None or after == before[number]:
                    continue
                changed += control
                if not control:
                    found.append(f"{name}: {query.text}")
            _refill(connection, table)
    return changed, found


def _rows(connection: Any, query: Query) -> Rows | None:
    import psycopg

    try:
        return Counter(connection.execute(query.text.encode()).fetchall())
    except psycopg.Error:
        connection.rollback()
        return None


def _refill(connection: Any, table: str, changing: int = -1) -> None:
    """The table's rows in their order: only what a query makes of the values may change."""
    connection.execute(f"truncate {table}")
    columns = TABLES[table]
    for row in range(ROWS):
        values = [tagged(table, column, at, row) for at, column in enumerate(columns)]
        if changing >= 0:
            values[changing] = "" if row % 3 == 0 else f"v{1 + row * 2 % 4}"
        listed = ", ".join(f"'{value}'" for value in values)
        connection.execute(f"insert into {table} values ({listed})")
    connection.commit()
