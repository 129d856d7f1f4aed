"""What tests look at on the local server, and what a person does there."""

from __future__ import annotations

from typing import Any

import requests

from hex_assets.demo.openmetadata_server import PERSON_TOKEN, OpenMetadataServer
from hex_assets_tests.openmetadata.conftest import ORDERS, P, edge, run_publish, world


def dashboard(server: OpenMetadataServer, number: int) -> dict[str, Any]:
    return server.entity("dashboard", f"hex.{P[number]}")


def edges(server: OpenMetadataServer) -> dict[tuple[str, str], dict[str, Any]]:
    name = {i: e["fullyQualifiedName"] for i, e in server.store.entities.items()}
    return {(name[a], name[b]): details for (a, b), details in server.store.edges.items()}


def state(server: OpenMetadataServer) -> dict[str, Any]:
    """Everything stored, without ids, versions and times."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            drop = ("id", "version", "updatedAt")
            return {k: plain(v) for k, v in value.items() if k not in drop}
        if isinstance(value, list):
            return [plain(v) for v in value]
        found = server.store.entities.get(value) if isinstance(value, str) else None
        return found["fullyQualifiedName"] if found else value

    found = {f"{e['_type']} {e['fullyQualifiedName']}": e for e in server.store.entities.values()}
    usage = {server.store.entities[i]["name"]: days for i, days in server.store.usage.items()}
    entities = {}
    for key, value in found.items():
        entities[key] = plain(value)
        if "sourceHash" in value:  # holds the owner's id, which differs from server to server
            entities[key]["sourceHash"] = value["sourceHash"][:18]
    return {"entities": entities, "edges": edges(server), "usage": usage}


def as_person(server: OpenMetadataServer, number: int, *steps: dict[str, Any]) -> None:
    answer = requests.patch(
        f"{server.url}/api/v1/dashboards/{dashboard(server, number)['id']}",
        json=list(steps),
        headers={
            "Authorization": f"Bearer {PERSON_TOKEN}",
            "Content-Type": "application/json-patch+json",
        },
        timeout=10,
    )
    assert answer.status_code == 200, answer.text


def writes_of(server: OpenMetadataServer, rows: Any, **options: Any) -> list[tuple[str, str, Any]]:
    before = len(server.requests)
    run_publish(server.url, rows, **options).raise_failures()
    return server.requests[before:]


def killed_world(later: bool) -> Any:
    """The workspace, or a later state with a change of each sort: new, other, gone."""
    rows = world()
    if later:
        rows.projects[0] |= {"status": "Draft", "owner_email": "bob@example.org"}
        rows.projects[1] |= {"title": "Renamed", "description": "Other words"}
        rows.projects[2]["app_view_count"] = 12
        rows.projects.pop(4)
        rows.cells[0] |= {"source": "select 1 as one", "cell_id": "c9"}
        rows.cells[1]["url"] += "&changed=1"
        rows.edges = [*rows.edges[1:4], edge(1, ORDERS)]
    return rows


def publish_killed_world(url: str, later: bool) -> None:
    """In a process of its own, which the test kills."""
    run_publish(url, killed_world(later), maxDeletedShare=1).raise_failures()
