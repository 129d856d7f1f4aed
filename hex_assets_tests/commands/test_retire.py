from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from hex_assets.commands.retire import retire
from hex_assets.demo.openmetadata_server import BOT_TOKEN, OpenMetadataServer
from hex_assets_tests.openmetadata.conftest import TABLES, run_publish, world


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenMetadataServer]:
    """A server with a published workspace, and settings that name it."""
    with OpenMetadataServer() as running:
        running.seed(TABLES, users=["ann@example.org"])
        run_publish(running.url, world()).raise_failures()
        path = tmp_path / "s.yaml"
        path.write_text(yaml.safe_dump({"openmetadata": {"hostPort": running.url}}))
        monkeypatch.setenv("HEX_ASSETS_CONFIG", str(path))
        monkeypatch.setenv("OPENMETADATA_JWT_TOKEN", BOT_TOKEN)
        yield running


def run(*options: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(retire, list(options), input=answer)


def live(server: OpenMetadataServer, *types: str) -> int:
    return sum(e["_type"] in types and not e["deleted"] for e in server.store.entities.values())


def test_dry_run_names_everything_and_removes_nothing(server: OpenMetadataServer) -> None:
    before = len(server.requests)
    result = run("--dry-run")
    assert result.exit_code == 0, result.output
    for fqn in (name for kind, name in server.store.names if kind == "dashboard"):
        assert fqn in result.output
    assert "dry run: would remove" in result.output
    assert len(server.requests) == before


def test_only_a_yes_removes(server: OpenMetadataServer) -> None:
    before = len(server.requests)
    assert run(answer="n\n").exit_code == 1
    assert len(server.requests) == before
    result = run(answer="y\n")
    assert result.exit_code == 0, result.output
    assert live(server, "dashboard", "chart", "dashboardDataModel") == 0
    assert server.store.edges == {}
    assert live(server, "dashboardService") == 1 and live(server, "tag") > 0
    assert run("--yes").output.startswith("nothing of ours is in hex")


def test_what_could_not_be_removed_is_named_and_the_next_call_removes_it(
    server: OpenMetadataServer,
) -> None:
    server.fail("DELETE", "^/charts/", 403, times=1)
    result = run("--yes")
    assert result.exit_code == 1
    assert "1 could not be removed" in result.output and "injected fault" in result.output
    assert run("--yes").exit_code == 0
    assert live(server, "dashboard", "chart", "dashboardDataModel") == 0


def test_without_a_token_the_variable_is_named(
    server: OpenMetadataServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENMETADATA_JWT_TOKEN")
    result = run("--yes")
    assert result.exit_code == 1 and "OPENMETADATA_JWT_TOKEN" in result.output
