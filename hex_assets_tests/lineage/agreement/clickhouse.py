"""What ClickHouse, by chDB, says of a query: its resolved tree, and rows."""

from __future__ import annotations

import json
import re
from typing import Any

from hex_assets_tests.lineage.agreement.queries import Query
from hex_assets_tests.lineage.agreement.verdicts import Verdict, fill

_TABLE = re.compile(r"TABLE id: (\d+),.* table_name: ([\w.]+)")
_COLUMN = re.compile(r"COLUMN id: \d+,.* column_name: (\w+),.* source_id: (\d+)")
_LIMITS = "settings max_execution_time = 1, max_result_rows = 20000, result_overflow_mode = 'break'"


def judge() -> Any:
    """A session with the tables in it."""
    from chdb import session

    made = session.Session()
    fill(made.query, "String", " engine = Memory")
    return made


def ask(session: Any, queries: list[Query]) -> list[Verdict]:
    """Asks for the tree of each query before any of it is optimised away, and runs it."""
    verdicts = [Verdict(query) for query in queries]
    for verdict in verdicts:
        text = verdict.query.text
        try:
            tree = session.query(f"explain query tree passes = 1 {text}", "TabSeparatedRaw").data()
            found = json.loads(session.query(f"{text} {_LIMITS}", "JSONCompact").data())
        except (RuntimeError, json.JSONDecodeError) as error:
            verdict.error = str(error).split("\n", 1)[0] or "failed"
            continue
        read_tree(tree, verdict)
        verdict.arrive([column["name"] for column in found["meta"]], found["data"])
    return verdicts


def read_tree(tree: str, verdict: Verdict) -> None:
    """The tables and the columns of tables that a query's tree has."""
    tables = {number: name.removeprefix("default.") for number, name in _TABLE.findall(tree)}
    verdict.tables = set(tables.values())
    for column, source in _COLUMN.findall(tree):
        if source in tables:
            verdict.columns.add(f"{tables[source]}.{column}")
