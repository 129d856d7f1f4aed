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

LISTENER_TABLE = """
CREATE TABLE trino_log.trino_queries (
    query_id VARCHAR(255) PRIMARY KEY, query_state VARCHAR(255), `user` VARCHAR(255),
    catalog VARCHAR(255), `schema` VARCHAR(255), query_type VARCHAR(255), update_type VARCHAR(255),
    query LONGTEXT, inputs_json LONGTEXT, output_json LONGTEXT
) CHARACTER SET utf8mb4
"""


def fill_listener(cursor: Any, entries: Iterable[Entry]) -> None:
    """Rows as the listener writes them; the id tells the second of the entry's end."""
    for item in entries:
        table = {"catalogName": "hive", "schema": "shop", "table": "orders", "columns": ["id", "n"]}
        cursor.execute(
            "INSERT INTO trino_log.trino_queries VALUES"
            " (%s, %s, %s, 'hive', 'shop', 'SELECT', NULL, %s, %s, NULL)",
            (
                f"{item.ended_at:%Y%m%d_%H%M%S}_0{item.query_id}_abcde",
                "FINISHED" if item.succeeded else "FAILED",
                item.user,
                item.text,
                json.dumps([table]),
            ),
        )


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
