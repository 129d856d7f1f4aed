"""The local Hex server's answers fit the schemas of Hex's own OpenAPI document."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft4Validator

from hex_assets.demo import workspace
from hex_assets.demo.hex_server import TOKEN, HexServer

OPENAPI = Path(__file__).parents[3] / "shared" / "data" / "hex_openapi.json"
PROJECT = workspace.PROJECTS[5]
DRAFT = next(project for project in workspace.PROJECTS if project.published is None)
ID = PROJECT.project_id
CELL = PROJECT.cell_id(PROJECT.cells[0])
CONNECTION = workspace.CONNECTIONS[0].connection_id
PATHS = [
    ("/v1/projects", "/v1/projects?includeSharing=true&includeArchived=true&limit=100", 200),
    ("/v1/projects", "/v1/projects?includeComponents=true&includeTrashed=true&limit=3", 200),
    ("/v1/projects", "/v1/projects?limit=101", 400),
    ("/v1/projects/{projectId}", f"/v1/projects/{ID}?includeSharing=true", 200),
    ("/v1/projects/{projectId}", f"/v1/projects/{CELL}", 404),
    ("/v1/projects/{projectId}/queriedTables", f"/v1/projects/{ID}/queriedTables", 200),
    (
        "/v1/projects/{projectId}/queriedTables",
        f"/v1/projects/{DRAFT.project_id}/queriedTables",
        422,
    ),
    ("/v1/projects/{projectId}/runs", f"/v1/projects/{ID}/runs?limit=2&offset=1", 200),
    ("/v1/cells", f"/v1/cells?projectId={ID}", 200),
    ("/v1/cells", "/v1/cells", 400),
    ("/v1/cells/{cellId}", f"/v1/cells/{CELL}", 200),
    ("/v1/data-connections", "/v1/data-connections", 200),
    ("/v1/data-connections/{dataConnectionId}", f"/v1/data-connections/{CONNECTION}", 200),
    ("/v1/collections", "/v1/collections", 200),
    ("/v1/groups", "/v1/groups?limit=500", 200),
    ("/v1/users", "/v1/users?limit=500", 200),
    ("/v1/users/me", "/v1/users/me", 200),
]


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    if not OPENAPI.exists():
        pytest.skip("needs ../shared/data/hex_openapi.json")
    document: dict[str, Any] = json.loads(OPENAPI.read_text())
    # The document says that owner and creator are always there; other clients of the API read
    # them as optional, so the sample workspace has a project without them.
    listed = document["components"]["schemas"]["ProjectApiResource"]
    single = document["paths"]["/v1/projects/{projectId}"]["get"]["responses"]["200"]
    for schema in (listed, single["content"]["application/json"]["schema"]):
        for person in ("owner", "creator"):
            schema["properties"][person]["nullable"] = True
    nullable = _nullable(copy.deepcopy(document))
    assert isinstance(nullable, dict)
    return nullable


def _nullable(node: Any) -> Any:
    """OpenAPI 3.0's `nullable` in JSON Schema's words."""
    if isinstance(node, list):
        return [_nullable(each) for each in node]
    if not isinstance(node, dict):
        return node
    changed = {key: _nullable(value) for key, value in node.items()}
    if changed.pop("nullable", False) is True:
        return {"anyOf": [changed, {"type": "null"}]}
    return changed


@pytest.fixture(scope="module")
def server() -> Any:
    with HexServer() as running:
        yield running


def check(openapi: dict[str, Any], method: str, path: str, answer: requests.Response) -> None:
    described = openapi["paths"][path][method]["responses"][str(answer.status_code)]
    schema = {**described["content"]["application/json"]["schema"]}
    validator = Draft4Validator({**schema, "components": openapi["components"]})
    assert [error.message for error in validator.iter_errors(answer.json())] == []


@pytest.mark.parametrize(("path", "target", "status"), PATHS)
def test_answers_fit_hex_own_schemas(
    server: HexServer, openapi: dict[str, Any], path: str, target: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = requests.get(f"{server.url}/api{target}", headers=headers, timeout=5)
    assert answer.status_code == status
    check(openapi, "get", path, answer)


def test_a_wrong_token_and_an_export_fit_the_schemas(
    server: HexServer, openapi: dict[str, Any]
) -> None:
    url = f"{server.url}/api/v1/projects/export"
    for token, status in ((TOKEN, 200), ("hxtp_wrong", 401)):
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.post(url, json={"projectId": ID}, headers=headers, timeout=5)
        assert answer.status_code == status
        check(openapi, "post", "/v1/projects/export", answer)


def test_above_the_limit_the_server_answers_429() -> None:
    with HexServer(requests_per_minute=2) as limited:
        codes = [
            requests.get(
                f"{limited.url}/api/v1/collections",
                headers={"Authorization": f"Bearer {TOKEN}"},
                timeout=5,
            ).status_code
            for _ in range(3)
        ]
    assert codes == [200, 200, 429]


def test_the_command_says_where_it_listens_and_ends_on_sigterm() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "hex_assets.demo.hex_server", "--api-group-requests-per-minute=1"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        headers = {"Authorization": f"Bearer {TOKEN}"}
        codes = [
            requests.get(f"{url}/api/v1/users/me", headers=headers, timeout=5).status_code
            for _ in range(2)
        ]
        assert codes == [200, 429]
        process.terminate()
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.communicate()
