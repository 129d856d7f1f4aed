from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from hex_assets.commands.projects import projects
from hex_assets.demo import workspace
from hex_assets.demo.hex_server import TOKEN, HexServer


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
