"""A loopback HTTP proxy that breaks answers in the middle, or gives an error in their place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import requests


class FaultyProxy(ThreadingHTTPServer):
    """Forwards to `upstream`; the faults are set by the test.

    Attributes:
        break_count: so many matching answers are cut in half.
        refusal: status, code and text given for matching statements.
        match: a part of the statement that the faults apply to.
    """

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.match = b"query_log"
        self.break_count = 0
        self.refusal: tuple[int, str, str] | None = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyProxy

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path)
        matches = self.server.match in body
        if matches and self.server.refusal:
            status, code, text = self.server.refusal
            return self._reply(status, {"X-ClickHouse-Exception-Code": code}, text.encode())
        answer = requests.post(
            f"{self.server.upstream}{path.path}?{path.query}",
            data=body,
            headers={k: v for k, v in self.headers.items() if k not in ("Host", "Content-Length")},
            timeout=60,
        )
        headers = {k: v for k, v in answer.headers.items() if k.startswith("X-ClickHouse")}
        cut = matches and b"query_id" in body and self.server.break_count > 0
        self.server.break_count -= cut
        self._reply(answer.status_code, headers, answer.content, cut=cut)

    def _reply(self, status: int, headers: dict[str, str], body: bytes, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) * 3 // 4] if cut else body)
        self.close_connection = cut

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def faulty_proxy(upstream: str) -> Iterator[FaultyProxy]:
    """The proxy, serving in a thread."""
    proxy = FaultyProxy(upstream)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
