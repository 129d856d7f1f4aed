"""What a probe of the catalog finds; it writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hex_assets.openmetadata.catalog import DATABASE_SERVICES
from hex_assets.openmetadata.client import OpenMetadataClient, by_name
from hex_assets.openmetadata.entities import COLLECTIONS
from hex_assets.openmetadata.errors import OpenMetadataError
from hex_assets.probe import Finding

_NEEDED = {
    "dashboardService": ("Create",),
    "dashboard": ("Create", "EditAll", "EditLineage", "Delete"),
    "chart": ("Create", "EditAll"),
    "dashboardDataModel": ("Create", "EditAll", "EditLineage"),
    "table": ("ViewAll", "EditLineage"),
    "tag": ("Create",),
    "classification": ("Create",),
}


def probe(client: OpenMetadataClient, services: Sequence[str] = ()) -> list[Finding]:
    """Try version, login, the bot's rights, search and database services; writes nothing."""
    findings = [_try("server", lambda: f"OpenMetadata {client.capabilities} at {client.host}")]
    if findings[0].status == "failure":
        return findings
    findings.append(_try("login", lambda: f"signed in as {client.user.get('name')}"))
    if findings[-1].status == "failure":
        return findings
    findings.append(_rights(client))
    search = _try("search", lambda: _search(client))
    if search.status == "failure":
        search = Finding(
            "search", "warning", search.detail, "owners are found by listing; repair the index"
        )
    findings.append(search)
    for service in services:
        found = _try(f"database service {service}", lambda s=service: _service(client, s))  # type: ignore[misc]
        findings.append(found)
    return findings


def _try(check: str, work: Callable[[], str]) -> Finding:
    try:
        return Finding(check, "ok", work())
    except OpenMetadataError as error:
        return Finding(check, "failure", str(error), "see the message; check hostPort and token")


def _search(client: OpenMetadataClient) -> str:
    client.get("/search/query", q="*", index="user_search_index", **{"from": 0, "size": 1})
    return "the search index answers"


def _service(client: OpenMetadataClient, name: str) -> str:
    service = client.get(by_name(DATABASE_SERVICES, name))
    return f"found, of type {service.get('serviceType')}"


def _rights(client: OpenMetadataClient) -> Finding:
    """The server's own answer on what this bot may do; nothing is written."""
    lacking = []
    try:
        for resource, operations in _NEEDED.items():
            answer = client.get(f"/permissions/{resource}")
            access = {item["operation"]: item["access"] for item in answer.get("permissions", ())}
            lacking += [
                f"{operation} on {resource}"
                for operation in operations
                if access.get(operation, "allow") not in ("allow", "conditionalAllow")
            ]
    except OpenMetadataError as error:
        return Finding("rights", "warning", f"could not be read: {error}", "see the message")
    if lacking:
        return Finding(
            "rights",
            "failure",
            f"the bot lacks {', '.join(lacking)}",
            "give the bot a role that allows this, such as the ingestion bot's",
        )
    return Finding("rights", "ok", f"may write {', '.join(COLLECTIONS)} and lineage")
