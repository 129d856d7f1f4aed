"""A Snowflake account on loopback: fakesnow behind the connector's own HTTP protocol.

What it adds to fakesnow: a login that checks the password, views whose grant can be taken away,
and results in chunks that are fetched by URL, as Snowflake's are, and that can break. It proves
the wire protocol and the predicates; nothing of latency, cost or Snowflake's own SQL.
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import fakesnow.server
import pyarrow as pa
import uvicorn
from starlette.responses import Response

from hex_assets_tests.servers.entries import Entry

TABLES = """
create database if not exists SNOWFLAKE;
create schema if not exists SNOWFLAKE.ACCOUNT_USAGE;
create or replace table SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY (
    QUERY_ID VARCHAR, QUERY_TEXT VARCHAR, DATABASE_NAME VARCHAR, SCHEMA_NAME VARCHAR,
    USER_NAME VARCHAR, ROLE_NAME VARCHAR, EXECUTION_STATUS VARCHAR, START_TIME TIMESTAMP_LTZ,
    END_TIME TIMESTAMP_LTZ, IS_CLIENT_GENERATED_STATEMENT BOOLEAN, QUERY_PARAMETERIZED_HASH VARCHAR
);
create or replace table SNOWFLAKE.ACCOUNT_USAGE.ACCESS_HISTORY (
    QUERY_ID VARCHAR, QUERY_START_TIME TIMESTAMP_LTZ, USER_NAME VARCHAR,
    DIRECT_OBJECTS_ACCESSED VARIANT, BASE_OBJECTS_ACCESSED VARIANT, OBJECTS_MODIFIED VARIANT
);
"""


class SnowflakeServer:
    """A running stand-in; `password`, `denied` and `broken_chunks` may change while it runs."""

    def __init__(self, password: str = "correct-horse") -> None:
        self.password = password
        self.denied: set[str] = set()
        self.broken_chunks = False
        self.chunk_rows = 4
        self.statements: list[str] = []
        self.port = 0
        self._chunks: dict[str, bytes] = {}
        cursor = fakesnow.server.shared_fs.connect().cursor()
        for statement in TABLES.split(";\n"):
            if statement.strip():
                cursor.execute(statement)

    def fill(self, entries: Iterable[Entry], access: Iterable[dict[str, Any]] = ()) -> None:
        """Put executions, and rows of ACCESS_HISTORY, into the log."""
        cursor = fakesnow.server.shared_fs.duck_conn.cursor()
        history = pa.Table.from_pylist(
            [
                {
                    "id": item.query_id,
                    "text": item.text,
                    "user": item.user,
                    "status": "SUCCESS" if item.succeeded else "FAIL",
                    "started": item.started_at,
                    "ended": item.ended_at,
                }
                for item in entries
            ]
        )
        cursor.register("history", history)
        cursor.execute(
            "insert into SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY select id, text, 'SHOP', 'PUBLIC',"
            " \"user\", 'ANALYST', status, started, ended, false, md5(text) from history"
        )
        for row in access:
            cursor.execute(
                "insert into SNOWFLAKE.ACCOUNT_USAGE.ACCESS_HISTORY values (?, ?, 'HEX', ?, ?, ?)",
                [
                    row["query_id"],
                    row["query_start_time"],
                    *(json.dumps(row.get(name, [])) for name in ("direct", "base", "modified")),
                ],
            )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http":
            await fakesnow.server.app(scope, receive, send)
        elif path.startswith("/chunks/"):
            await self._chunk(path.removeprefix("/chunks/"))(scope, receive, send)
        elif path.startswith("/session/v1/login-request"):
            await self._login(scope, receive, send)
        elif path.startswith("/queries/v1/query-request"):
            await self._query(scope, receive, send)
        else:
            await fakesnow.server.app(scope, receive, send)

    def _chunk(self, name: str) -> Response:
        if self.broken_chunks:
            return Response("gone", status_code=500)
        return Response(self._chunks[name], media_type="application/octet-stream")

    async def _login(self, scope: Any, receive: Any, send: Any) -> None:
        body = await _body(receive)
        given = _decoded(body)["data"].get("PASSWORD")
        if given != self.password:
            await _failure("390100", "Incorrect username or password was specified.")(
                scope, receive, send
            )
            return
        answer = await _inner(scope, body)
        # What connector 5 requires in a login answer and fakesnow leaves out.
        answer["data"] = {
            "masterToken": "master",
            "masterValidityInSeconds": 14_400,
            "validityInSeconds": 3_600,
            "sessionId": 1,
        } | answer["data"]
        await _json(answer)(scope, receive, send)

    async def _query(self, scope: Any, receive: Any, send: Any) -> None:
        body = await _body(receive)
        statement = _decoded(body)["sqlText"]
        self.statements.append(statement)
        for view in self.denied:
            if view.lower() in statement.lower():
                message = f"Object 'SNOWFLAKE.{view}' does not exist or not authorized."
                await _failure("002003", message)(scope, receive, send)
                return
        answer = await _inner(scope, body)
        if answer.get("data") and answer["data"].get("rowsetBase64"):
            self._split(answer["data"])
        await _json(answer)(scope, receive, send)

    def _split(self, data: dict[str, Any]) -> None:
        table = pa.ipc.open_stream(base64.b64decode(data["rowsetBase64"])).read_all()
        if table.num_rows <= self.chunk_rows:
            return
        data["rowsetBase64"] = base64.b64encode(_stream(table[: self.chunk_rows])).decode()
        data["chunks"] = []
        for start in range(self.chunk_rows, table.num_rows, self.chunk_rows):
            part = table[start : start + self.chunk_rows]
            name, content = uuid.uuid4().hex, _stream(part)
            self._chunks[name] = content
            data["chunks"].append(
                {
                    "url": f"http://127.0.0.1:{self.port}/chunks/{name}",
                    "rowCount": part.num_rows,
                    "uncompressedSize": len(content),
                    "compressedSize": len(content),
                }
            )


@contextmanager
def running_snowflake() -> Iterator[SnowflakeServer]:
    """Serve on a free port of loopback until the block ends."""
    logging.getLogger("fakesnow.server").setLevel(logging.CRITICAL)
    account = SnowflakeServer()
    server = uvicorn.Server(uvicorn.Config(account, "127.0.0.1", 0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    account.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield account
    finally:
        server.should_exit = True
        thread.join(10)


async def _body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def _decoded(body: bytes) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
    )
    return content


async def _inner(scope: Any, body: bytes) -> dict[str, Any]:
    """fakesnow's answer to this request."""
    parts: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        parts.append(message.get("body", b""))

    await fakesnow.server.app(scope, receive, send)
    answer: dict[str, Any] = json.loads(b"".join(parts))
    return answer


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _json(content: Any) -> Response:
    return Response(json.dumps(content), media_type="application/json")


def _failure(code: str, message: str) -> Response:
    return _json(
        {
            "data": {"errorCode": code, "sqlState": "42S02"},
            "code": code,
            "message": message,
            "success": False,
        }
    )
