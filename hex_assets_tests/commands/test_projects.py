from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from hex_assets.__main__ import main
from hex_assets.commands.projects import projects
from hex_assets.demo import workspace
from hex_assets.demo.hex_server import SCOPES, TOKEN, HexServer, Token


def test_each_project_is_listed_with_the_filter_that_drops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = workspace.PROJECTS[0].title
    with HexServer() as server:
        settings = {
            "hex": {"hostPort": server.url},
            "openmetadata": {
                "hostPort": "http://127.0.0.1:1",
                "dashboardFilterPattern": {"excludes": [".*"]},
            },
        }
        (tmp_path / "s.yaml").write_text(yaml.safe_dump(settings))
        monkeypatch.setenv("HEX_ASSETS_CONFIG", str(tmp_path / "s.yaml"))
        monkeypatch.setenv("HEX_TOKEN", TOKEN)
        rows = json.loads(CliRunner().invoke(projects, ["--json"]).output)
        matched = json.loads(CliRunner().invoke(projects, ["--json", "--match", title[:4]]).output)
    assert len(rows) == len(workspace.PROJECTS)
    assert not any(row["published"] for row in rows)
    assert "left out by dashboardFilterPattern" in {row["reason"] for row in rows}
    assert title in {row["title"] for row in matched} and len(matched) < len(rows)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HexServer]:
    """A Hex API and settings that point to it."""
    with HexServer() as found:
        content = {"hex": {"hostPort": found.url}}
        (tmp_path / "hex_assets.yaml").write_text(yaml.safe_dump(content))
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("HEX_ASSETS_CONFIG", raising=False)
        monkeypatch.setenv("HEX_TOKEN", TOKEN)
        yield found


@pytest.mark.usefixtures("server")
def test_match_tries_a_pattern_as_the_filter_does() -> None:
    def titles(pattern: str) -> set[str]:
        result = CliRunner().invoke(main, ["projects", "--json", "--match", pattern])
        assert result.exit_code == 0, result.output
        return {row["title"] for row in json.loads(result.stdout)}

    every = {project.title for project in workspace.PROJECTS}
    assert titles(".*") == every
    title = sorted(every)[0]
    assert title in titles(title[:3].upper()) and titles(title[1:6]) != every
    assert titles("no such project at all") == set()


@pytest.mark.usefixtures("server")
def test_a_wrong_pattern_ends_with_2_and_says_why() -> None:
    result = CliRunner().invoke(main, ["projects", "--match", "("])
    assert result.exit_code == 2 and "no regular expression" in result.output


def test_a_failure_of_hex_ends_with_1_and_leads_to_the_doctor(
    server: HexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEX_TOKEN", "hxtp_" + "e" * 96)
    refused = CliRunner().invoke(main, ["projects"])
    assert refused.exit_code == 1 and "hex-assets doctor" in refused.output
    assert "e" * 96 not in refused.output
    monkeypatch.delenv("HEX_TOKEN")
    unset = CliRunner().invoke(main, ["projects"])
    assert unset.exit_code == 1 and "HEX_TOKEN is not set" in unset.output


def test_without_the_right_to_see_sharing_the_projects_are_listed(
    server: HexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = "hxtw_" + "a1" * 48
    server.tokens = {narrow: Token(narrow, SCOPES - {"sharing"})}
    monkeypatch.setenv("HEX_TOKEN", narrow)
    result = CliRunner().invoke(main, ["projects"], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert f"{len(workspace.PROJECTS)} projects and components" in result.output
