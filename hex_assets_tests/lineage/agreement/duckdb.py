"""What DuckDB says of a query: the tables it names, and rows."""

from __future__ import annotations

import threading
from typing import Any

from hex_assets_tests.lineage.agreement.queries import Query
from hex_assets_tests.lineage.agreement.verdicts import Verdict, fill

SECONDS = 0.1
"""After which a query is given up: some join all with all."""


def judge() -> Any:
    """A database in memory with the tables in it."""
    import duckdb

    connection = duckdb.connect(config={"temp_directory": ""})
    connection.execute("set threads = 1")
    fill(connection.execute)
    return connection


def ask(connection: Any, queries: list[Query]) -> list[Verdict]:
    """Asks for the tables of each query, and runs it."""
    import duckdb

    verdicts = [Verdict(query) for query in queries]
    for verdict in verdicts:
        alarm = threading.Timer(SECONDS, connection.interrupt)
        alarm.start()
        try:
            tables = connection.get_table_names(verdict.query.text, qualified=True)
            result = connection.execute(verdict.query.text)
            names = [column[0] for column in result.description]
            rows = result.fetchmany(20_000)
        except duckdb.Error as error:
            verdict.error = str(error).splitlines()[0]
            continue
        finally:
            alarm.cancel()
        verdict.tables = {table.split(" AS ")[0].replace('"', "") for table in tables}
        verdict.arrive(names, rows)
    return verdicts
