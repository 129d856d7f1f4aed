"""The Hex API on loopback, for the demo and the tests, filled with the sample workspace.

    python -m hex_assets.demo.hex_server --port 0

prints its URL as the first line and ends on SIGTERM. Tests use `HexServer` in process, which can
also misbehave: see `Fault`.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType, TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hex_assets.demo import hex_documents as documents
from hex_assets.demo import workspace
from hex_assets.demo.workspace_model import Project, moment_at, stable_id

TOKEN = "hxtp_" + "d0" * 48
"""The personal token that the server accepts if it is given no other."""

SCOPES = frozenset({"projects", "queriedTables", "users", "groups", "collections", "connections"})


@dataclass(frozen=True)
class Token:
    """An accepted token: a workspace token has scopes, a personal one has all of its user's."""

    value: str
    scopes: frozenset[str] = SCOPES
    expires_at: datetime | None = None

    @property
    def is_workspace(self) -> bool:
        """Whether it is a workspace token."""
        return self.value.startswith("hxtw_")


@dataclass
class Fault:
    """Misbehaviour of the next `times` answers whose path matches, after `skip` good ones."""

    path: str = ".*"
    """Regular expression of the whole path, such as `/v1/projects`."""
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    html: bool = False
    cut: bool = False
    """Promise the whole body, send half."""
    repeat_cursor: bool = False
    """Every page says that the same page follows."""
    delay_seconds: float = 0
    times: int = 1
    skip: int = 0


class ApiError(Exception):
    """An answer that is an error; `new` chooses Hex's newer envelope."""

    def __init__(self, status: int, message: str, *, new: bool = False) -> None:
        self.status = status
        self.message = message
        self.new = new
        super().__init__(message)

    def body(self) -> dict[str, Any]:
        """The envelope."""
        trace_id = stable_id("trace", self.message)
        if not self.new:
            return {"reason": self.message, "traceId": trace_id}
        codes = {400: "BAD_REQUEST", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND"}
        code = codes.get(self.status, "INTERNAL_SERVER_ERROR")
        return {"message": self.message, "code": code, "issues": [], "traceId": trace_id}


class Query:
    """The parameters of a request, checked."""

    def __init__(self, text: str, new: bool) -> None:
        self._values = parse_qs(text, keep_blank_values=True)
        self._new = new

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        return self._values.get(name, [default])[-1]

    def many(self, name: str) -> list[str]:
        """A repeated string."""
        return self._values.get(name, [])

    def flag(self, name: str) -> bool:
        """A boolean, false if absent."""
        value = self.text(name, "false")
        if value not in ("true", "false"):
            raise ApiError(400, f"{name} must be true or false", new=self._new)
        return value == "true"

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """An integer within bounds."""
        value = self.text(name, str(default))
        if not value.isdigit() or not low <= int(value) <= high:
            raise ApiError(400, f"{name} must be within {low} and {high}", new=self._new)
        return int(value)

    def choice(self, name: str, default: str, allowed: Iterable[str]) -> str:
        """One of some words."""
        value = self.text(name, default)
        if value not in allowed:
            raise ApiError(400, f"{name} must not be {value}", new=self._new)
        return value

    def page(self, items: list[Any], largest: int = 100) -> dict[str, Any]:
        """The page that `limit`, `after` and `before` ask for."""
        limit = self.number("limit", 25, 1, largest)
        start = self._place("after", 0)
        if "before" in self._values:
            start = max(0, self._place("before", 0) - limit)
        end = start + limit
        after = _cursor(end) if end < len(items) else None
        before = _cursor(start) if start else None
        return {
            "values": items[start:end],
            "pagination": {"after": after, "before": before},
        }

    def _place(self, name: str, default: int) -> int:
        if not (value := self.text(name)):
            return default
        try:
            return int(base64.b64decode(value, validate=True).decode().removeprefix("item:"))
        except ValueError:
            raise ApiError(400, f"{name} is no cursor", new=self._new) from None


def _cursor(place: int) -> str:
    return base64.b64encode(f"item:{place}".encode()).decode()


@dataclass(frozen=True)
class Request:
    """What an endpoint gets."""

    ids: tuple[str, ...]
    query: Query
    token: Token
    body: dict[str, Any]


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
                if known is None or (known.expires_at and known.expires_at < self.now()):
                    raise ApiError(401, "Invalid or expired token", new=new)
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

    def find(self, project_id: str, *, new: bool, missing: int = 404) -> Project:
        """A project by its id."""
        for project in self.projects:
            if project.project_id == project_id:
                return project
        raise ApiError(missing, "Project not found", new=new)

    def list_projects(self, request: Request) -> Any:
        """GET /v1/projects."""
        query, today = request.query, self.now()
        sharing = query.flag("includeSharing")
        flags = {
            name: query.flag(f"include{name}") for name in ("Archived", "Components", "Trashed")
        }
        statuses, categories = query.many("statuses"), query.many("categories")
        creator, owner = query.text("creatorEmail"), query.text("ownerEmail")
        collection_id = query.text("collectionId")
        key = query.choice(
            "sortBy", "CREATED_AT", ("CREATED_AT", "LAST_EDITED_AT", "LAST_PUBLISHED_AT")
        )
        newest_first = query.choice("sortDirection", "DESC", ("DESC", "ASC")) == "DESC"
        attribute = {"CREATED_AT": "created", "LAST_EDITED_AT": "edited"}.get(key, "published")

        def shown(project: Project) -> bool:
            names = {each.collection_id: each.name for each in workspace.COLLECTIONS}
            return (
                (flags["Archived"] or project.archived is None)
                and (flags["Components"] or not project.component)
                and (flags["Trashed"] or project.trashed is None)
                and (not statuses or project.status in statuses)
                and (not categories or bool(set(categories) & set(project.categories)))
                and (not creator or project.creator_email == creator)
                and (not owner or project.owner_email == owner)
                and (not collection_id or names.get(collection_id) in project.collections)
            )

        def time_of(project: Project) -> str:
            moment = moment_at(getattr(project, attribute), today)
            return moment.isoformat() if moment else ""

        chosen = sorted(filter(shown, self.projects), key=time_of, reverse=newest_first)
        return query.page(
            [documents.project_document(project, today, sharing) for project in chosen]
        )

    def get_project(self, request: Request) -> Any:
        """GET /v1/projects/{projectId}."""
        project = self.find(request.ids[0], new=True)
        sharing = request.query.flag("includeSharing")
        return documents.project_document(project, self.now(), sharing)

    def queried_tables(self, request: Request) -> Any:
        """GET /v1/projects/{projectId}/queriedTables."""
        if not self.enterprise:
            raise ApiError(403, "Queried tables need the Enterprise plan")
        project = self.find(request.ids[0], new=False)
        if project.published is None:
            raise ApiError(422, "The project was never published")
        page = request.query.page(documents.queried_table_documents(project))
        return {**page, "traceId": stable_id("trace", project.key)}

    def runs(self, request: Request) -> Any:
        """GET /v1/projects/{projectId}/runs."""
        project = self.find(request.ids[0], new=False, missing=422)
        limit = request.query.number("limit", 25, 1, 100)
        offset = request.query.number("offset", 0, 0, 10**6)
        status = request.query.text("statusFilter")
        trigger = request.query.choice(
            "runTriggerFilter", "ALL", ("API", "SCHEDULED", "APP_REFRESH", "ALL")
        )
        runs = [
            run
            for run in documents.run_documents(project, self.now(), self.url)
            if status in ("", run["status"]) and trigger in ("ALL", run["runTrigger"])
        ]
        place = f"{self.url}/api/v1/projects/{project.project_id}/runs?limit={limit}&offset="
        end = offset + limit
        return {
            "runs": runs[offset:end],
            "nextPage": f"{place}{end}" if end < len(runs) else None,
            "previousPage": f"{place}{max(0, offset - limit)}" if offset else None,
            "traceId": stable_id("trace", "runs", project.key),
        }

    def cells(self, request: Request) -> Any:
        """GET /v1/cells."""
        if not (project_id := request.query.text("projectId")):
            raise ApiError(400, "projectId is required", new=True)
        project = self.find(project_id, new=True)
        return request.query.page(
            [documents.cell_document(project, cell) for cell in project.all_cells()]
        )

    def cell(self, request: Request) -> Any:
        """GET /v1/cells/{cellId}."""
        for project in self.projects:
            for cell in project.all_cells():
                if project.cell_id(cell) == request.ids[0]:
                    return documents.cell_document(project, cell)
        raise ApiError(404, "Cell not found", new=True)

    def export(self, request: Request) -> Any:
        """POST /v1/projects/export."""
        if not self.enterprise:
            raise ApiError(403, "Export is not enabled for this organization", new=True)
        project_id, version = request.body.get("projectId"), request.body.get("version", "draft")
        number = isinstance(version, int) and not isinstance(version, bool) and version >= 1
        if not isinstance(project_id, str) or not (number or version in ("draft", "latest")):
            raise ApiError(400, "projectId or version is not valid", new=True)
        project = self.find(project_id, new=True, missing=403)
        if version == "latest" and project.published is None:
            raise ApiError(400, "The project was never published", new=True)
        return documents.export_document(project)

    def connections(self, request: Request) -> Any:
        """GET /v1/data-connections."""
        request.query.choice("sortBy", "CREATED_AT", ("CREATED_AT", "NAME"))
        return request.query.page(documents.connection_documents(not request.token.is_workspace))

    def connection(self, request: Request) -> Any:
        """GET /v1/data-connections/{dataConnectionId}."""
        for document in documents.connection_documents(details=True):
            if document["id"] == request.ids[0]:
                return document
        raise ApiError(400, "Data connection not found")

    def collections(self, request: Request) -> Any:
        """GET /v1/collections."""
        return request.query.page(documents.collection_documents())

    def groups(self, request: Request) -> Any:
        """GET /v1/groups."""
        created = "2025-01-02T08:00:00.000Z"
        names = ("Analysts", "Board", "Board")  # names are not unique
        return request.query.page(
            [
                {"id": stable_id("group", str(place)), "name": name, "createdAt": created}
                for place, name in enumerate(names)
            ],
            500,
        )

    def users(self, request: Request) -> Any:
        """GET /v1/users."""
        query = request.query
        key = query.choice("sortBy", "NAME", ("NAME", "EMAIL")).lower()
        backwards = query.choice("sortDirection", "ASC", ("ASC", "DESC")) == "DESC"
        wanted = set(filter(None, query.text("userIds").split(",")))
        users = [u for u in documents.user_documents() if not wanted or u["id"] in wanted]
        return query.page(sorted(users, key=lambda u: u[key], reverse=backwards), 500)

    def me(self, request: Request) -> Any:
        """GET /v1/users/me; a workspace token is nobody."""
        expires = request.token.expires_at
        known = {
            "org": {"id": workspace.ORG_ID},
            "token": {"exp": expires.timestamp() if expires else None},
        }
        return known if request.token.is_workspace else {**documents.user_documents()[0], **known}


Endpoint = Callable[[HexServer, Request], Any]
ENDPOINTS: tuple[tuple[str, str, bool, str | None, Endpoint], ...] = (
    ("GET", "/v1/projects", False, "projects", HexServer.list_projects),
    ("POST", "/v1/projects/export", True, "projects", HexServer.export),
    ("GET", "/v1/projects/([^/]+)", True, "projects", HexServer.get_project),
    ("GET", "/v1/projects/([^/]+)/queriedTables", False, "queriedTables", HexServer.queried_tables),
    ("GET", "/v1/projects/([^/]+)/runs", False, "projects", HexServer.runs),
    ("GET", "/v1/cells", True, "projects", HexServer.cells),
    ("GET", "/v1/cells/([^/]+)", True, "projects", HexServer.cell),
    ("GET", "/v1/data-connections", False, "connections", HexServer.connections),
    ("GET", "/v1/data-connections/([^/]+)", False, "connections", HexServer.connection),
    ("GET", "/v1/collections", False, "collections", HexServer.collections),
    ("GET", "/v1/groups", False, "groups", HexServer.groups),
    ("GET", "/v1/users/me", True, None, HexServer.me),
    ("GET", "/v1/users", True, "users", HexServer.users),
)
"""Method, path, whether it is of the newer group `hex-api`, the scope it needs, what answers."""


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    app: HexServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
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
            document["pagination"]["after"] = _cursor(0)
        self._send(status, json.dumps(document).encode(), fault=fault)

    def _send(
        self,
        status: int,
        content: bytes,
        kind: str = "application/json; charset=utf-8",
        fault: Fault | None = None,
    ) -> None:
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
