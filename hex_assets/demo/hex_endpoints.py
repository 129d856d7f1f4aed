"""The endpoints of the local Hex server: a function each, and the table of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from hex_assets.demo import hex_documents as documents
from hex_assets.demo import workspace
from hex_assets.demo.hex_requests import ApiError, Request
from hex_assets.demo.workspace_model import Project, moment_at, stable_id


class Served(Protocol):
    """What the endpoints need of the server."""

    projects: list[Project]
    enterprise: bool

    @property
    def now(self) -> Callable[[], datetime]:
        """The server's clock."""

    @property
    def url(self) -> str:
        """Base address."""


def find(server: Served, project_id: str, *, new: bool, missing: int = 404) -> Project:
    """A project by its id."""
    for project in server.projects:
        if project.project_id == project_id:
            return project
    raise ApiError(missing, "Project not found", new=new)


def list_projects(server: Served, request: Request) -> Any:
    """GET /v1/projects."""
    query, today = request.query, server.now()
    sharing = query.flag("includeSharing")
    if sharing and "sharing" not in request.token.scopes:
        raise ApiError(403, "The token lacks the right to see sharing")
    flags = {name: query.flag(f"include{name}") for name in ("Archived", "Components", "Trashed")}
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

    chosen = sorted(filter(shown, server.projects), key=time_of, reverse=newest_first)
    return query.page([documents.project_document(project, today, sharing) for project in chosen])


def get_project(server: Served, request: Request) -> Any:
    """GET /v1/projects/{projectId}."""
    project = find(server, request.ids[0], new=True)
    sharing = request.query.flag("includeSharing")
    return documents.project_document(project, server.now(), sharing)


def queried_tables(server: Served, request: Request) -> Any:
    """GET /v1/projects/{projectId}/queriedTables."""
    if not server.enterprise:
        raise ApiError(403, "Queried tables need the Enterprise plan")
    project = find(server, request.ids[0], new=False)
    if project.published is None:
        raise ApiError(422, "The project was never published")
    page = request.query.page(documents.queried_table_documents(project))
    return {**page, "traceId": stable_id("trace", project.key)}


def runs(server: Served, request: Request) -> Any:
    """GET /v1/projects/{projectId}/runs."""
    project = find(server, request.ids[0], new=False, missing=422)
    limit = request.query.number("limit", 25, 1, 100)
    offset = request.query.number("offset", 0, 0, 10**6)
    status = request.query.text("statusFilter")
    trigger = request.query.choice(
        "runTriggerFilter", "ALL", ("API", "SCHEDULED", "APP_REFRESH", "ALL")
    )
    runs = [
        run
        for run in documents.run_documents(project, server.now(), server.url)
        if status in ("", run["status"]) and trigger in ("ALL", run["runTrigger"])
    ]
    place = f"{server.url}/api/v1/projects/{project.project_id}/runs?limit={limit}&offset="
    end = offset + limit
    return {
        "runs": runs[offset:end],
        "nextPage": f"{place}{end}" if end < len(runs) else None,
        "previousPage": f"{place}{max(0, offset - limit)}" if offset else None,
        "traceId": stable_id("trace", "runs", project.key),
    }


def cells(server: Served, request: Request) -> Any:
    """GET /v1/cells."""
    if not (project_id := request.query.text("projectId")):
        raise ApiError(400, "projectId is required", new=True)
    project = find(server, project_id, new=True)
    return request.query.page(
        [documents.cell_document(project, cell) for cell in project.all_cells()]
    )


def cell(server: Served, request: Request) -> Any:
    """GET /v1/cells/{cellId}."""
    for project in server.projects:
        for cell in project.all_cells():
            if project.cell_id(cell) == request.ids[0]:
                return documents.cell_document(project, cell)
    raise ApiError(404, "Cell not found", new=True)


def export(server: Served, request: Request) -> Any:
    """POST /v1/projects/export."""
    if not server.enterprise:
        raise ApiError(403, "Export is not enabled for this organization", new=True)
    project_id, version = request.body.get("projectId"), request.body.get("version", "draft")
    number = isinstance(version, int) and not isinstance(version, bool) and version >= 1
    if not isinstance(project_id, str) or not (number or version in ("draft", "latest")):
        raise ApiError(400, "projectId or version is not valid", new=True)
    project = find(server, project_id, new=True, missing=403)
    if version == "latest" and project.published is None:
        raise ApiError(400, "The project was never published", new=True)
    return documents.export_document(project)


def connections(server: Served, request: Request) -> Any:
    """GET /v1/data-connections."""
    request.query.choice("sortBy", "CREATED_AT", ("CREATED_AT", "NAME"))
    return request.query.page(documents.connection_documents(not request.token.is_workspace))


def connection(server: Served, request: Request) -> Any:
    """GET /v1/data-connections/{dataConnectionId}."""
    for document in documents.connection_documents(details=True):
        if document["id"] == request.ids[0]:
            return document
    raise ApiError(400, "Data connection not found")


def collections(server: Served, request: Request) -> Any:
    """GET /v1/collections."""
    return request.query.page(documents.collection_documents())


def groups(server: Served, request: Request) -> Any:
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


def users(server: Served, request: Request) -> Any:
    """GET /v1/users."""
    query = request.query
    key = query.choice("sortBy", "NAME", ("NAME", "EMAIL")).lower()
    backwards = query.choice("sortDirection", "ASC", ("ASC", "DESC")) == "DESC"
    wanted = set(filter(None, query.text("userIds").split(",")))
    users = [u for u in documents.user_documents() if not wanted or u["id"] in wanted]
    return query.page(sorted(users, key=lambda u: u[key], reverse=backwards), 500)


def me(server: Served, request: Request) -> Any:
    """GET /v1/users/me; a workspace token is nobody."""
    expires = request.token.expires_at
    known = {
        "org": {"id": workspace.ORG_ID},
        "token": {"exp": expires.timestamp() if expires else None},
    }
    return known if request.token.is_workspace else {**documents.user_documents()[0], **known}


Endpoint = Callable[[Served, Request], Any]
ENDPOINTS: tuple[tuple[str, str, bool, str | None, Endpoint], ...] = (
    ("GET", "/v1/projects", False, "projects", list_projects),
    ("POST", "/v1/projects/export", True, "projects", export),
    ("GET", "/v1/projects/([^/]+)", True, "projects", get_project),
    ("GET", "/v1/projects/([^/]+)/queriedTables", False, "queriedTables", queried_tables),
    ("GET", "/v1/projects/([^/]+)/runs", False, "projects", runs),
    ("GET", "/v1/cells", True, "projects", cells),
    ("GET", "/v1/cells/([^/]+)", True, "projects", cell),
    ("GET", "/v1/data-connections", False, "connections", connections),
    ("GET", "/v1/data-connections/([^/]+)", False, "connections", connection),
    ("GET", "/v1/collections", False, "collections", collections),
    ("GET", "/v1/groups", False, "groups", groups),
    ("GET", "/v1/users/me", True, None, me),
    ("GET", "/v1/users", True, "users", users),
)
"""Method, path, whether it is of the newer group `hex-api`, the scope it needs, what answers."""
