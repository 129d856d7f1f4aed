"""Serve the strict local OpenMetadata on loopback: `python -m hex_assets.demo.openmetadata_server`.

It follows what is known of OpenMetadata 1.9 - 2.0; it is a stand-in, not the product.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import click

from hex_assets.demo.openmetadata.schemas import KINDS, ROUTES, ApiError, Kind
from hex_assets.demo.openmetadata.store import Entity, Principal, Store

BOT_TOKEN = "local-bot"
WEAK_TOKEN = "local-bot-without-role"
PERSON_TOKEN = "local-person"
PRINCIPALS = {
    BOT_TOKEN: Principal("hex-bot", is_bot=True),
    WEAK_TOKEN: Principal("weak-bot", is_bot=True, may_write=False),
    PERSON_TOKEN: Principal("anna"),
}
"""Tokens of a server that nobody but this machine can reach: no secrets."""


@dataclass
class Fault:
    """Answers that the next matching requests get instead of the true ones."""

    method: str
    path: str
    status: int
    times: int
    headers: Mapping[str, str]


class OpenMetadataServer:
    """The server as a context manager; `url` is its address.

    Args:
        version: OpenMetadata's version to behave as.
        port: 0 takes a free one.
    """

    def __init__(self, version: str = "1.10.14", port: int = 0) -> None:
        self.store = Store(version)
        self.writes: Counter[str] = Counter()
        self.requests: list[tuple[str, str, Any]] = []
        """Method, path and body of every write that was accepted."""
        self.faults: list[Fault] = []
        self.search_up = True
        self.creations_collide = False
        """Another client creates each new entity at the same moment: 500, and it is there."""
        self.on_write: Callable[[int], None] | None = None
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def url(self) -> str:
        """Base address."""
        return f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> OpenMetadataServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    def fail(self, method: str, path: str, status: int, times: int = 1, **headers: str) -> None:
        """Let the next `times` requests whose path matches the pattern fail."""
        self.faults.append(Fault(method, path, status, times, headers))

    def seed(
        self,
        tables: Mapping[str, Iterable[tuple[str, str]]] | None = None,
        users: Iterable[str] = (),
        teams: Iterable[tuple[str, str]] = (),
        views: Container[str] = (),
    ) -> None:
        """Put tables (service.database.schema.table -> columns), users and teams in place.

        Users are e-mails; their name is the local part. Teams are pairs of name and e-mail.
        `views` are the names of those tables that are views.
        """
        root = Principal("admin")
        with self.store.lock:
            for name, columns in (tables or {}).items():
                service, database, schema, table = name.split(".")
                self._seed("databaseService", {"name": service, "serviceType": "Clickhouse"}, root)
                self._seed("database", {"name": database, "service": service}, root)
                parent = f"{service}.{database}"
                self._seed("databaseSchema", {"name": schema, "database": parent}, root)
                body = {
                    "name": table,
                    "databaseSchema": f"{parent}.{schema}",
                    "columns": [{"name": n, "dataType": t} for n, t in columns],
                    "tableType": "View" if name in views else "Regular",
                }
                self._seed("table", body, root)
            for email in users:
                self._seed("user", {"name": email.split("@")[0].lower(), "email": email}, root)
            for team, email in teams:
                body = {"name": team, "email": email, "teamType": "Group"}
                self._seed("team", body, root)

    def _seed(self, type_: str, body: Entity, who: Principal) -> None:
        self.store.put(KINDS[type_], body, who)

    def entity(self, type_: str, fqn: str) -> Entity:
        """The stored entity, soft-deleted or not."""
        with self.store.lock:
            return self.store.by_name(type_, fqn, "all")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    disable_nagle_algorithm = True
    owner: OpenMetadataServer

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent; tests read `requests`."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        url = urlsplit(self.path)
        extra: dict[str, str] = {}
        try:
            status, answer = self._route(url.path, dict(parse_qsl(url.query)), raw, extra)
        except ApiError as error:
            status = error.status
            if error.plain:
                self._answer(status, error.message.encode(), "text/plain", extra)
                return
            key, _, text = error.message.partition(":")
            answer = (
                {"responseMessage": text}
                if key == "responseMessage"
                else {"code": status, "message": error.message}
            )
        data = b"" if answer is None else json.dumps(answer).encode()
        self._answer(status, data, "application/json", extra)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _serve

    def _answer(self, status: int, data: bytes, kind: str, extra: Mapping[str, str]) -> None:
        self.send_response(status)
        if data:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in extra.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def _route(
        self, path: str, query: dict[str, str], raw: bytes, extra: dict[str, str]
    ) -> tuple[int, Any]:
        server, store, method = self.owner, self.owner.store, self.command
        if not path.startswith("/api/v1/"):
            raise ApiError(404, "HTTP 404 Not Found")
        path = path.removeprefix("/api/v1")
        for fault in server.faults:
            if fault.times and fault.method == method and re.search(fault.path, path):
                fault.times -= 1
                extra.update({k.replace("_", "-"): v for k, v in fault.headers.items()})
                raise ApiError(fault.status, "injected fault")
        if path == "/system/version":
            return 200, {"version": store.version, "revision": "local", "timestamp": 0}
        who = self._who()
        body: Any = None
        if raw:
            try:
                body = json.loads(raw)
            except ValueError:
                raise ApiError(400, "Unable to process JSON", plain=True) from None
        if method == "GET":
            with store.lock:
                return 200, _get(server, path, query, who)
        if not who.may_write:
            raise ApiError(
                403,
                f"Principal: CatalogPrincipal{{name='{who.name}'}} operations [Create] not allowed",
            )
        with store.lock:
            status, answer = self._write(path, body, who, extra)
            server.writes[f"{method} {_shape(path)}"] += 1
            server.requests.append((method, path, body))
            if server.on_write:
                server.on_write(len(server.requests))
        return status, answer

    def _who(self) -> Principal:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if not token:
            raise ApiError(401, "Not Authorized! Token not present")
        if token not in PRINCIPALS:
            raise ApiError(401, "Invalid token")
        return PRINCIPALS[token]

    def _write(
        self, path: str, body: Any, who: Principal, extra: dict[str, str]
    ) -> tuple[int, Any]:
        store, method = self.owner.store, self.command
        parts = [unquote(part) for part in path.split("/")[1:]]
        if parts[0] == "lineage":
            if method == "PUT" and len(parts) == 1:
                store.put_edge(body, who)
                return 200, None
            if method == "DELETE" and len(parts) == 5:
                store.delete_edge((parts[2], parts[4]))
                return 200, None
        if parts[0] == "usage" and len(parts) == 3:
            entity = store.by_id(parts[1], parts[2], "all")
            days = store.usage.setdefault(entity["id"], {})
            add = days.get(body["date"], 0) if method == "PUT" else 0
            days[body["date"]] = body["count"] + add
            return 201, {}
        kind, rest = _kind(path)
        if method == "PUT" and not rest:
            status, change, entity = store.put(kind, body, who)
            if status == 201 and self.owner.creations_collide:
                raise ApiError(
                    500, f"An exception with message [Entity type {kind.type} not found]"
                )
            extra["X-OpenMetadata-Change"] = change
            return status, store.view(entity, None)
        if method == "PUT" and rest == ["restore"]:
            entity = store.by_id(kind.type, body["id"], "all")
            if not entity["deleted"]:
                raise ApiError(404, f"{kind.type} is not deleted")
            entity["deleted"] = False
            entity["version"] = round(entity["version"] + 0.1, 1)
            return 200, store.view(entity, None)
        if method == "PATCH" and len(rest) == 1:
            if self.headers.get("Content-Type") != "application/json-patch+json":
                raise ApiError(500, "responseMessage:HTTP 415 Unsupported Media Type")
            entity = store.by_id(kind.type, rest[0])
            match = self.headers.get("If-Match")
            if store.parsed >= (1, 13) and match and match != f'W/"{entity["version"]}"':
                raise ApiError(412, "The entity was changed, its version does not match")
            return 200, store.view(store.patch(entity, body, who), None)
        if method == "DELETE" and len(rest) == 1:
            entity = store.by_id(kind.type, rest[0], "all")
            store.delete(entity, who)
            return 200, store.view(entity, None)
        raise ApiError(405, "HTTP 405 Method Not Allowed")


def _kind(path: str) -> tuple[Kind, list[str]]:
    for route, kind in ROUTES.items():
        if path == f"/{route}" or path.startswith(f"/{route}/"):
            return kind, [unquote(p) for p in path[len(route) + 1 :].split("/")[1:]]
    raise ApiError(404, "HTTP 404 Not Found")


def _shape(path: str) -> str:
    return path.split("/")[1] if not path.startswith("/services") else path.split("/")[2]


def _get(server: OpenMetadataServer, path: str, query: dict[str, str], who: Principal) -> Any:
    store = server.store
    parts = [unquote(part) for part in path.split("/")[1:]]
    if path == "/users/loggedInUser":
        return {"name": who.name, "isBot": who.is_bot}
    if parts[0] == "permissions":
        access = "allow" if who.may_write else "deny"
        names = ("Create", "EditAll", "EditLineage", "Delete", "ViewAll")
        return {"permissions": [{"operation": name, "access": access} for name in names]}
    if parts[0] == "search":
        if not server.search_up:
            raise ApiError(500, "responseMessage:method [POST] [Connection refused]")
        return {"hits": {"hits": _search(store, query)}}
    if parts[0] == "lineage":
        up, down = int(query.get("upstreamDepth", 1)), int(query.get("downstreamDepth", 1))
        if not (0 <= up <= 3 and 0 <= down <= 3):
            raise ApiError(400, "[depth must be less than or equal to 3]")
        return store.graph(store.by_id(parts[1], parts[2]), up, down)
    if parts[0] == "usage":
        entity = store.by_id(parts[1], parts[2], "all")
        last = date.fromisoformat(query["date"])
        first = last - timedelta(days=int(query.get("days", 1)) - 1)
        days = sorted(store.usage.get(entity["id"], {}).items(), reverse=True)
        return {
            "entity": store.ref(entity),
            "usage": [
                {"date": day, "dailyStats": {"count": count}}
                for day, count in days
                if first.isoformat() <= day <= last.isoformat()
            ],
        }
    kind, rest = _kind(path)
    include = query.get("include", "non-deleted")
    if not rest:
        return _page(store, kind, query, include)
    if rest[0] == "name":
        return store.view(store.by_name(kind.type, rest[1], include), query.get("fields"))
    return store.view(store.by_id(kind.type, rest[0], include), query.get("fields"))


def _page(store: Store, kind: Kind, query: Mapping[str, str], include: str) -> Entity:
    wanted = [query[k] for k in ("service", "database", "databaseSchema", "parent") if k in query]
    found = [
        entity
        for entity in store.entities.values()
        if entity["_type"] == kind.type
        and (include == "all" or entity["deleted"] == (include == "deleted"))
        and all(entity["fullyQualifiedName"].startswith(f"{name}.") for name in wanted)
    ]
    limit, start = int(query.get("limit", 10)), int(query.get("after", 0))
    paging: Entity = {"total": len(found)}
    if start + limit < len(found):
        paging["after"] = str(start + limit)
    page = found[start : start + limit]
    return {"data": [store.view(e, query.get("fields")) for e in page], "paging": paging}


def _search(store: Store, query: Mapping[str, str]) -> list[Entity]:
    type_ = query.get("index", "").removesuffix("_search_index")
    match = re.fullmatch(r'email\.keyword:"(.*)"', query.get("q", ""))
    return [
        {"_source": {**store.ref(entity), "email": entity.get("email")}}
        for entity in store.entities.values()
        if entity["_type"] == type_ and (not match or entity.get("email") == match.group(1))
    ]


@click.command()
@click.option("--version", default="1.10.14", show_default=True)
@click.option("--port", default=0, show_default="a free one")
def main(version: str, port: int) -> None:
    """Serve until interrupted; the first line printed is the address."""
    with OpenMetadataServer(version, port) as server:
        click.echo(server.url)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("stopped")


if __name__ == "__main__":
    main()
