"""What PostgreSQL says of a query: the columns it stores a view's dependencies on, and rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hex_assets_tests.lineage.agreement.queries import Query
from hex_assets_tests.lineage.agreement.verdicts import Verdict, fill
from hex_assets_tests.servers.postgres import running_postgres

_DEPENDENCIES = """
select v.relname, n.nspname || '.' || t.relname, a.attname
from pg_class v
join pg_namespace vn on vn.oid = v.relnamespace and vn.nspname = 'judged'
join pg_rewrite r on r.ev_class = v.oid
join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
  and d.refclassid = 'pg_class'::regclass and d.refobjid <> v.oid
join pg_class t on t.oid = d.refobjid
join pg_namespace n on n.oid = t.relnamespace
left join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid and d.refobjsubid > 0
where n.nspname in ('public', 'other')
"""


@contextmanager
def judge() -> Iterator[Any]:
    """A connection to a server with the tables in it."""
    import psycopg

    options = {"statement_timeout": "3000", "max_locks_per_transaction": "2000", "jit": "off"}
    with running_postgres(options) as server, psycopg.connect(server.login) as connection:
        fill(connection.execute)
        connection.execute("create schema judged")
        connection.commit()
        yield connection


def ask(connection: Any, queries: list[Query], *, run: bool = True) -> list[Verdict]:
    """Makes a view of each query, reads what they depend on, and rolls all of it back."""
    verdicts = [Verdict(query) for query in queries]
    for number, verdict in enumerate(verdicts):
        listed = ", ".join(f"c{at}" for at in range(len(verdict.query.columns)))
        view = f"create view judged.v{number} ({listed}) as {verdict.query.text}"
        verdict.error = _tried(connection, view)
    for name, table, column in connection.execute(_DEPENDENCIES).fetchall():
        verdict = verdicts[int(name[1:])]
        table = table.removeprefix("public.")
        verdict.tables.add(table)
        if column is not None:
            verdict.columns.add(f"{table}.{column}")
    connection.rollback()
    for verdict in verdicts if run else ():
        if not verdict.error:
            _arrivals(connection, verdict)
    return verdicts


def _tried(connection: Any, sql: str) -> str:
    import psycopg

    connection.execute("savepoint one")
    try:
        connection.execute(sql.encode())
        connection.execute("release savepoint one")
    except psycopg.Error as error:
        connection.execute("rollback to savepoint one")
        return str(error).splitlines()[0]
    return ""


def _arrivals(connection: Any, verdict: Verdict) -> None:
    import psycopg

    try:
        cursor = connection.execute(verdict.query.text.encode())
        rows = cursor.fetchall()
    except psycopg.Error:  # too many rows, a FULL JOIN it cannot plan: the view is enough
        connection.rollback()
        return
    verdict.arrive([column.name for column in cursor.description], rows)
