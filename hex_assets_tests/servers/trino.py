"""Trino on loopback: the listener's table as Trino 476 makes it, and a coordinator's protocol.

The coordinator answers each statement at once, over DuckDB: it proves the client's protocol and
the predicates, nothing of what a real coordinator forgets.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from hex_assets_tests.servers.entries import Entry

NUMBERS = """
cpu_time_millis failed_cpu_time_millis wall_time_millis queued_time_millis scheduled_time_millis
failed_scheduled_time_millis waiting_time_millis analysis_time_millis planning_time_millis
planning_cpu_time_millis starting_time_millis execution_time_millis input_blocked_time_millis
failed_input_blocked_time_millis output_blocked_time_millis failed_output_blocked_time_millis
physical_input_read_time_millis peak_memory_bytes peak_task_memory_bytes physical_input_bytes
physical_input_rows internal_network_bytes internal_network_rows total_bytes total_rows output_bytes
output_rows written_bytes written_rows cumulative_memory failed_cumulative_memory completed_splits
""".split()
LISTENER_TABLE = f"""
CREATE TABLE trino_log.trino_queries (
    query_id VARCHAR(255) NOT NULL PRIMARY KEY, transaction_id VARCHAR(255),
    query MEDIUMTEXT NOT NULL, update_type VARCHAR(255), prepared_query MEDIUMTEXT,
    query_state VARCHAR(255) NOT NULL, plan MEDIUMTEXT, stage_info_json MEDIUMTEXT,
    `user` VARCHAR(255) NOT NULL, principal VARCHAR(255), source VARCHAR(255),
    catalog VARCHAR(255), `schema` VARCHAR(255), query_type VARCHAR(255),
    inputs_json MEDIUMTEXT NOT NULL, output_json MEDIUMTEXT, error_code VARCHAR(255),
    {", ".join(f"{name} BIGINT NOT NULL" for name in NUMBERS)},
    retry_policy VARCHAR(255) NOT NULL, operator_summaries_json MEDIUMTEXT NOT NULL
) CHARACTER SET utf8mb4
"""
"""As Trino 476 makes it, without some texts that nothing here reads, and with the character set
that it needs."""


def fill_listener(
    cursor: Any, entries: Iterable[Entry], table: str = "trino_log.trino_queries"
) -> None:
    """Rows as the listener writes them: in the id is the second of submission."""
    cursor.execute(f"DESCRIBE {table}")
    needed = {
        name: 0 if kind.startswith(("bigint", "double")) else ""
        for name, kind, null, *_ in cursor.fetchall()
        if null == "NO"
    }
    read = {"catalogName": "hive", "schema": "shop", "table": "orders"}
    columns = [{"name": "id", "type": "bigint"}, {"name": "n", "type": "bigint"}]
    for item in entries:
        submitted = item.started_at.replace(microsecond=0)
        values = needed | {
            "query_id": f"{submitted:%Y%m%d_%H%M%S}_0{item.query_id}_abcde",
            "wall_time_millis": round((item.ended_at - submitted).total_seconds() * 1000),
            "query_state": "FINISHED" if item.succeeded else "FAILED",
            "user": item.user,
            "catalog": "hive",
            "schema": "shop",
            "query_type": "SELECT",
            "query": item.text,
            "inputs_json": json.dumps([{**read, "columns": columns}]),
        }
        names = ", ".join(f"`{name}`" for name in values)
        places = ", ".join(["%s"] * len(values))
        cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", [*values.values()])


class Coordinator(ThreadingHTTPServer):
    """A coordinator that remembers what it was filled with."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statements: list[str] = []
        self.db = duckdb.connect()
        self.db.execute(
            'create table queries (query_id text, query text, "user" text, state text,'
            ' created timestamp, "end" timestamp)'
        )

    def fill(self, entries: Iterable[Entry]) -> None:
        """Put executions into the memory."""
        for item in entries:
            times = [item.started_at.replace(tzinfo=None), item.ended_at.replace(tzinfo=None)]
            state = "FINISHED" if item.succeeded else "FAILED"
            self.db.execute(
                "insert into queries values (?, ?, ?, ?, ?, ?)",
                [item.query_id, item.text, item.user, state, *times],
            )

    def run(self, statement: str) -> dict[str, Any]:
        """The answer of a finished statement."""
        self.statements.append(statement)
        tree = sqlglot.parse_one(statement, read="trino")
        for table in tree.find_all(exp.Table):
            table.replace(exp.to_table("queries"))
        cursor = self.db.cursor()
        cursor.execute(tree.sql("duckdb"))
        rows = [[_encoded(value) for value in row] for row in cursor.fetchall()]
        columns = [_column(name, str(kind)) for name, kind, *_ in cursor.description or ()]
        return {"columns": columns, "data": rows, "stats": {"state": "FINISHED"}}


def _encoded(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"
    return value


def _column(name: str, kind: str) -> dict[str, Any]:
    raw = {"TIMESTAMP": "timestamp with time zone", "VARCHAR": "varchar"}.get(kind, "bigint")
    arguments = [{"kind": "LONG", "value": 3}] if kind == "TIMESTAMP" else []
    return {
        "name": name,
        "type": raw,
        "typeSignature": {"rawType": raw, "arguments": arguments},
    }


class _Handler(BaseHTTPRequestHandler):
    server: Coordinator

    def do_POST(self) -> None:
        statement = self.rfile.read(int(self.headers["Content-Length"])).decode()
        answer: dict[str, Any] = {"id": "q1", "infoUri": "http://127.0.0.1/q1", "warnings": []}
        if self.headers["X-Trino-User"] == "stranger":
            message = "Access Denied: Cannot select from table system.runtime.queries"
            error = {"errorName": "PERMISSION_DENIED", "errorCode": 4, "message": message}
            answer |= {"error": error | {"errorType": "USER_ERROR"}, "stats": {"state": "FAILED"}}
        else:
            answer |= self.server.run(statement)
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def running_coordinator() -> Iterator[Coordinator]:
    """Serve on a free port of loopback until the block ends."""
    server = Coordinator()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
