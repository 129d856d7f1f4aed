"""The Hex API on loopback, for the demo and the tests, filled with the sample workspace.

    python -m hex_assets.demo.hex_server --port 0

prints its URL as the first line and ends on SIGTERM. Tests use `HexServer` in process, which can
also misbehave: see `Fault`.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType, TracebackType
from typing import Any
from urllib.parse import urlsplit

from hex_assets.demo import workspace
from hex_assets.demo.hex_endpoints import ENDPOINTS
from hex_assets.demo.hex_requests import SCOPES as SCOPES
from hex_assets.demo.hex_requests import ApiError, Query, Request, cursor
from hex_assets.demo.hex_requests import Fault as Fault
from hex_assets.demo.hex_requests import Token as Token
from hex_assets.demo.workspace_model import Project

TOKEN = "hxtp_" + "d0" * 48
"""The personal token that the server accepts if it is given no other."""


class HexServer:
    """A Hex API on 127.0.0.1; a context manager.

    Args:
        tokens: what it accepts.
        projects: the workspace; may be replaced while it runs.
        requests_per_minute: limit of most endpoints; None: no limit.
        api_group_requests_per_minute: limit of the group `hex-api`; None: no limit.
        enterprise: whether queriedTables and export are available.
        now: gives the time that moments in days count from.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        tokens: Iterable[Token] = (Token(TOKEN),),
        projects: Iterable[Project] = workspace.PROJECTS,
        requests_per_minute: int | None = None,
        api_group_requests_per_minute: int | None = None,
        enterprise: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self.tokens = {token.value: token for token in tokens}
        self.projects = list(projects)
        self.limits = {False: requests_per_minute, True: api_group_requests_per_minute}
        self.enterprise = enterprise
        self.now = now
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        """Method and target of every request, in order of arrival."""
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, bool], tuple[float, int]] = defaultdict(lambda: (0.0, 0))
        self._http = _Http(("127.0.0.1", port), _Handler)
        self._http.app = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> HexServer:
        """Begin to serve."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End, and close the port."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def __enter__(self) -> HexServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def fault(self, path: str) -> Fault | None:
        """The misbehaviour that is due for a path."""
        with self._lock:
            for fault in self.faults:
                if fault.times and re.fullmatch(fault.path, path):
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None

    def limited(self, token: str, new: bool) -> bool:
        """Count a request; whether it is above the limit of its window of 60 seconds."""
        limit = self.limits[new]
        if limit is None:
            return False
        with self._lock:
            began, count = self._windows[token, new]
            if time.monotonic() - began >= 60:
                began, count = time.monotonic(), 0
            self._windows[token, new] = (began, count + 1)
            return count + 1 > limit

    def answer(self, method: str, target: str, token: str, body: bytes) -> tuple[int, Any]:
        """Status and document for a request."""
        url = urlsplit(target)
        path = url.path.removeprefix("/api") if url.path.startswith("/api/") else ""
        for verb, pattern, new, scope, endpoint in ENDPOINTS:
            match = re.fullmatch(pattern, path)
            if match is None or verb != method:
                continue
            try:
                known = self.tokens.get(token)
                if known is None:
                    raise ApiError(401, "Invalid token", new=new)
                if known.expires_at and known.expires_at < self.now():
                    raise ApiError(401, "The token has expired", new=new)
                if self.limited(token, new):
                    raise ApiError(429, "Rate limit exceeded", new=new)
                if scope and scope not in known.scopes:
                    raise ApiError(403, f"The token lacks the scope {scope}", new=new)
                try:
                    content = json.loads(body or b"{}")
                except json.JSONDecodeError:
                    raise ApiError(400, "The body is not JSON", new=new) from None
                request = Request(match.groups(), Query(url.query, new), known, content)
                return 200, endpoint(self, request)
            except ApiError as error:
                return error.status, error.body()
        return 404, ApiError(404, "Not found").body()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    app: HexServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes; else 40 ms each time
    server: _Http

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        app = self.server.app
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        app.requests.append(f"{self.command} {self.path}")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        fault = app.fault(urlsplit(self.path).path.removeprefix("/api")) or Fault()
        time.sleep(fault.delay_seconds)
        if fault.html:
            page = b"<!DOCTYPE html><html><title>Sign in</title></html>"
            return self._send(fault.status or 200, page, "text/html", fault)
        if fault.status:
            error = ApiError(fault.status, "Injected fault")
            return self._send(fault.status, json.dumps(error.body()).encode(), fault=fault)
        status, document = app.answer(self.command, self.path, token, body)
        if fault.repeat_cursor and status == 200:
            document["pagination"]["after"] = cursor(0)
        self._send(status, json.dumps(document).encode(), fault=fault)

    def _send(
        self,
        status: int,
        content: bytes,
        kind: str = "application/json; charset=utf-8",
        fault: Fault | None = None,
    ) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            for name, value in fault.headers if fault else ():
                self.send_header(name, value)
            self.end_headers()
            if fault and fault.cut:
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
                return
            self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client did not wait: its own time-out

    def log_message(self, format: str, *args: Any) -> None:
        """Silence: the demo's own lines are to be read."""


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--requests-per-minute", type=int)
    parser.add_argument("--api-group-requests-per-minute", type=int)
    parsed = parser.parse_args(arguments)
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with HexServer(
        port=parsed.port,
        requests_per_minute=parsed.requests_per_minute,
        api_group_requests_per_minute=parsed.api_group_requests_per_minute,
    ) as server:
        print(server.url, flush=True)
        ended.wait()
    sys.exit(0)


if __name__ == "__main__":
    main()
