"""ClickHouse over HTTP on loopback, for the demo and the tests: the real engine, by chDB.

    python -m hex_assets.demo.clickhouse_server --port 0 --data-dir DIR

prints its URL as the first line. It ends on SIGTERM and when the process that started it is gone.
chDB runs one engine a process, without users or grants, and forgets its query log at the end.

A statement sent with `query_id=demo-<days>-<n>` really runs now; the view `demo.query_log` shows
it as many days earlier, so that a sample workspace has a past.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests

PASSWORD_VARIABLE = "DEMO_CLICKHOUSE_PASSWORD"
"""If this is set, the server refuses every other password."""

CONFIG = """<clickhouse>
  <query_log>
    <database>system</database>
    <table>query_log</table>
    <flush_interval_milliseconds>500</flush_interval_milliseconds>
  </query_log>
  <!-- A cluster of this engine alone. chDB listens on no port: the number only makes it local. -->
  <tcp_port>9000</tcp_port>
  <remote_servers>
    <demo><shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard></demo>
  </remote_servers>
</clickhouse>
"""

_DAYS = "toIntervalDay(toUInt32OrZero(extract(log_comment, '^demo-([0-9]+)-')))"
# chDB takes no query id, so the client's is handed over as `log_comment`.
LOG_VIEW = f"""
CREATE OR REPLACE VIEW demo.query_log AS
SELECT * REPLACE (
    if(log_comment = '', query_id, log_comment) AS query_id,
    event_date - {_DAYS} AS event_date,
    event_time - {_DAYS} AS event_time,
    event_time_microseconds - {_DAYS} AS event_time_microseconds,
    query_start_time - {_DAYS} AS query_start_time,
    query_start_time_microseconds - {_DAYS} AS query_start_time_microseconds)
FROM system.query_log
WHERE NOT startsWith(query, 'USE `') AND NOT startsWith(query, 'SET log_comment = ')"""

STATUS_OF_CODE = {"497": 403, "516": 403, "60": 404, "62": 400}


class Engine:
    """The one chDB connection of this process; statements run one after the other."""

    def __init__(self, data_dir: Path) -> None:
        chdb: Any = import_module("chdb")  # an extra, and heavy: only where the engine runs
        data_dir.mkdir(parents=True, exist_ok=True)
        config = data_dir / "config.xml"
        config.write_text(CONFIG)
        self._connection = chdb.connect(f"file:{data_dir / 'db'}?config-file={config}")
        self._lock = threading.Lock()
        for sql in (
            "CREATE DATABASE IF NOT EXISTS demo",
            "SYSTEM FLUSH LOGS",  # creates the log table, which the view needs
            LOG_VIEW,
        ):
            self.run(sql)

    def run(
        self,
        sql: str,
        output: str = "TabSeparated",
        database: str = "default",
        query_id: str = "",
        parameters: dict[str, str] | None = None,
    ) -> bytes:
        """Run one statement and give its result in the format `output`."""
        with self._lock:
            self._connection.query(f"USE `{database}`")
            self._connection.query(f"SET log_comment = '{_quoted(query_id)}'")
            extra: dict[str, Any] = {"params": parameters} if parameters else {}
            return bytes(self._connection.query(sql, output, **extra).bytes() or b"")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        arguments = dict(parse_qsl(url.query, keep_blank_values=True))
        body = self._body()
        if url.path == "/ping":
            return self._reply(b"Ok.\n")
        if not self._may_enter():
            user = "default"
            return self._fail(
                f"Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect,"
                " or there is no user with such name. (AUTHENTICATION_FAILED)"
            )
        output = (
            self.headers.get("X-ClickHouse-Format")
            or arguments.get("default_format")
            or "TabSeparated"
        )
        # A statement is in the URL, in the body, or begins in the one and ends in the other.
        sql = "\n".join(filter(None, [arguments.get("query"), body.decode()]))
        try:
            content = self.server.engine.run(
                sql,
                output,
                arguments.get("database") or "default",
                arguments.get("query_id", ""),
                {k[len("param_") :]: v for k, v in arguments.items() if k.startswith("param_")},
            )
        except Exception as error:  # every failure of the engine is the client's to see
            return self._fail(str(error))
        self._reply(content, headers={"X-ClickHouse-Format": output})

    def _may_enter(self) -> bool:
        expected = self.server.password
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        given = self.headers.get("X-ClickHouse-Key", "")
        if scheme == "Basic":
            given = base64.b64decode(value).decode().partition(":")[2]
        return not expected or given == expected

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _fail(self, message: str) -> None:
        found = re.search(r"Code: (\d+)", message)
        code = found.group(1) if found else "1"
        headers = {"X-ClickHouse-Exception-Code": code}
        self._reply(message.encode(), STATUS_OF_CODE.get(code, 500), headers)

    def _reply(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-ClickHouse-Query-Id", str(uuid.uuid4()))
        self.send_header("X-ClickHouse-Timezone", "UTC")
        self.send_header("X-ClickHouse-Summary", json.dumps({}))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the client reports failures."""


class _Server(ThreadingHTTPServer):
    def __init__(self, port: int, engine: Engine) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.engine = engine
        self.password = os.environ.get(PASSWORD_VARIABLE, "")


class StatementFailed(Exception):
    """The engine refused a statement; the message is its own."""


class ClickHouseServer:
    """The server in a process of its own: `with ClickHouseServer(folder) as server: ...`.

    Attributes:
        host: always 127.0.0.1.
        port: the real port, known inside the `with`.
        url: both as a URL.
    """

    host = "127.0.0.1"

    def __init__(self, data_dir: Path, password: str | None = None) -> None:
        self.data_dir = data_dir
        self._password = password
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.port = 0

    def __enter__(self) -> ClickHouseServer:
        environment = dict(os.environ)
        environment.pop(PASSWORD_VARIABLE, None)
        if self._password:
            environment[PASSWORD_VARIABLE] = self._password
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, "--port", "0", "--data-dir", str(self.data_dir)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            code = self._process.wait()
            raise RuntimeError(f"the ClickHouse server ended with code {code} before it listened")
        self.port = urlsplit(self.url).port or 0
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()

    def run(self, sql: str, *, database: str = "default", query_id: str = "") -> str:
        """Run one statement over HTTP and give its result as tab-separated text.

        Raises:
            StatementFailed: with the engine's message.
        """
        arguments = urlencode({"database": database, "query_id": query_id})
        headers = {"X-ClickHouse-Key": self._password} if self._password else {}
        answer = requests.post(
            f"{self.url}/?{arguments}", data=sql.encode(), headers=headers, timeout=300
        )
        if answer.status_code != 200:
            raise StatementFailed(answer.text)
        return answer.text

    def flush(self) -> None:
        """Make every statement that has ended visible in the log."""
        self.run("SYSTEM FLUSH LOGS")


def _end_with_parent(server: _Server, parent: int) -> None:
    """Stop when the starting process is gone: an orphan is handed to another parent."""
    while os.getppid() == parent:
        time.sleep(0.5)
    server.shutdown()


def main() -> None:
    """Serve until SIGTERM, Ctrl-C, or the end of the starting process."""
    parser = argparse.ArgumentParser(description="ClickHouse over HTTP on loopback, by chDB")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--data-dir", type=Path, required=True, help="created when missing")
    arguments = parser.parse_args()
    parent = os.getppid()
    server = _Server(arguments.port, Engine(arguments.data_dir.resolve()))

    def stop(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    threading.Thread(target=_end_with_parent, args=(server, parent), daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    # chDB prints a harmless complaint of its thread pools when its process ends in order.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
