"""A table of ClickHouse in the form of `system.query_log` that holds given executions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from hex_assets.demo.clickhouse_server import ClickHouseServer
from hex_assets_tests.servers.entries import Entry

COLUMNS = (
    "type, event_date, event_time_microseconds, query_start_time_microseconds, query_id, query,"
    " current_database, user, is_initial_query, query_kind"
)


def fill(server: ClickHouseServer, entries: Iterable[Entry], table: str = "shop.day_log") -> None:
    """Make the table, with the columns of the server's own log, and put executions into it."""
    server.run("SELECT 1")
    server.flush()
    same = "SELECT * FROM system.query_log LIMIT 0"
    server.run(f"CREATE TABLE {table} ENGINE = Memory AS {same}")
    lines = "\n".join(json.dumps(log_line(item)) for item in entries)
    server.run(f"INSERT INTO {table} ({COLUMNS}) FORMAT JSONEachRow\n{lines}")


def log_line(item: Entry) -> dict[str, object]:
    """An execution as query_log tells it."""

    def moment(value: datetime) -> str:
        return f"{value:%Y-%m-%d %H:%M:%S.%f}"

    return {
        "type": "QueryFinish" if item.succeeded else "ExceptionWhileProcessing",
        "event_date": f"{item.ended_at:%Y-%m-%d}",
        "event_time_microseconds": moment(item.ended_at),
        "query_start_time_microseconds": moment(item.started_at),
        "query_id": item.query_id,
        "query": item.text,
        "current_database": "shop",
        "user": item.user,
        "is_initial_query": 1,
        "query_kind": "Select",
    }
