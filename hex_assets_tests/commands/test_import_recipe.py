from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timezone
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from hex_assets.commands.import_recipe import import_recipe
from hex_assets.demo.hex_server import TOKEN, HexServer
from hex_assets.demo.openmetadata_server import BOT_TOKEN, OpenMetadataServer
from hex_assets.demo.workspace import PROJECTS
from hex_assets.demo.workspace_model import Project
from hex_assets.hex.client import HexClient
from hex_assets.hex.frames import projects_table
from hex_assets.openmetadata.client import OpenMetadataClient
from hex_assets.openmetadata.publish import publish
from hex_assets.settings import load_settings
from hex_assets.tables import EDGES

RECIPE = """
source:
  type: hex
  serviceName: local_hex
  serviceConnection:
    config:
      type: Hex
      hostPort: https://app.hex.tech
      tokenType: workspace
      token: hxtw_literal_secret
  sourceConfig:
    config:
      type: DashboardMetadata
      includeDraftDashboard: false
      includeTags: true
      markDeletedDashboards: false
      dashboardFilterPattern:
        includes: ["Sales.*"]
        excludes: ["Sales test.*"]
      lineageInformation:
        dbServiceNames: [snow, "click.shop"]
sink:
  type: metadata-rest
  config: {}
workflowConfig:
  loggerLevel: INFO
  openMetadataServerConfig:
    hostPort: http://localhost:8585/api
    authProvider: openmetadata
    securityConfig:
      jwtToken: literal.jwt.secret
"""


@pytest.fixture
def imported(tmp_path: Path) -> tuple[str, Path]:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    folder = tmp_path / "new"
    result = CliRunner().invoke(
        import_recipe, [str(tmp_path / "recipe.yaml"), "--folder", str(folder)]
    )
    assert result.exit_code == 0, result.output
    return result.output, folder


def test_every_option_keeps_its_value(imported: tuple[str, Path]) -> None:
    settings = load_settings(imported[1] / "hex_assets.yaml")
    catalog = settings.openmetadata
    assert catalog is not None
    assert settings.hex.tokenType == "workspace"
    assert (catalog.serviceName, catalog.hostPort) == ("local_hex", "http://localhost:8585/api")
    assert (catalog.includeDraftDashboard, catalog.markDeletedDashboards) == (False, False)
    assert catalog.dbServiceNames == ("snow", "click")
    kept = [
        t for t in ("Sales EU", "Sales test 1", "Ops") if catalog.dashboardFilterPattern.keeps(t)
    ]
    assert kept == ["Sales EU"]


def test_no_literal_secret_reaches_a_file_or_the_screen(imported: tuple[str, Path]) -> None:
    output, folder = imported
    everything = output + "".join(path.read_text() for path in folder.iterdir())
    assert "hxtw_literal" not in everything and "literal.jwt" not in everything
    assert "HEX_TOKEN" in output and "OPENMETADATA_JWT_TOKEN" in output


def test_what_has_no_counterpart_is_named(imported: tuple[str, Path]) -> None:
    output = imported[0]
    assert "workflowConfig.loggerLevel has no counterpart" in output
    assert "sink.type has no counterpart" in output
    assert "includeTags" not in output


def test_another_connector_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("source: {type: tableau}")
    result = CliRunner().invoke(
        import_recipe, [str(tmp_path / "r.yaml"), "--folder", str(tmp_path)]
    )
    assert result.exit_code == 1 and "no Hex recipe" in result.output


def test_broken_yaml_shows_the_line_and_not_its_text(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("source:\n  token: 'hxtw_literal_secret\n  : [")
    result = CliRunner().invoke(
        import_recipe, [str(tmp_path / "r.yaml"), "--folder", str(tmp_path)]
    )
    assert result.exit_code == 1
    assert "line" in result.output and "hxtw_" not in result.output


CASES: dict[str, tuple[str, Callable[[Project], bool]]] = {
    "the recipe of the documentation": ("", lambda project: True),
    "without drafts": (
        "includeDraftDashboard: false",
        lambda project: project.published is not None,
    ),
    "titles": (
        'dashboardFilterPattern: {includes: ["c.*", "Weekly.*"], excludes: ["Churn.*"]}',
        lambda project: (
            project.title.lower().startswith(("c", "weekly"))
            and not project.title.lower().startswith("churn")
        ),
    ),
    "titles left out": (
        'dashboardFilterPattern: {excludes: [".*[ao]$"]}',
        lambda project: not project.title.lower().rstrip().endswith(("a", "o")),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_imported_settings_publish_the_dashboards_that_the_recipe_asks_for(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    option, wanted = CASES[case]
    with HexServer() as hex_server, OpenMetadataServer() as catalog:
        recipe = yaml.safe_load(RECIPE)
        recipe["source"]["serviceConnection"]["config"] |= {
            "hostPort": hex_server.url, "tokenType": "personal", "token": TOKEN,
        }  # fmt: skip
        recipe["source"]["sourceConfig"]["config"] = {
            "type": "DashboardMetadata", "includeTags": True, "includeOwners": True,
            "includeDraftDashboard": True, "markDeletedDashboards": True,
            **(yaml.safe_load(option) or {}),
        }  # fmt: skip
        recipe["workflowConfig"]["openMetadataServerConfig"]["hostPort"] = f"{catalog.url}/api"
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        arguments = [str(tmp_path / "recipe.yaml"), "--folder", str(tmp_path / "new")]
        result = CliRunner().invoke(import_recipe, arguments)
        assert result.exit_code == 0, result.output
        settings = load_settings(tmp_path / "new" / "hex_assets.yaml")
        assert settings.openmetadata is not None
        monkeypatch.setenv("HEX_TOKEN", TOKEN)
        with HexClient(host=settings.hex.hostPort, token=settings.hex.token.value()) as client:
            projects = projects_table(client, datetime.now(timezone.utc))
        server = OpenMetadataClient(settings.openmetadata.hostPort, BOT_TOKEN)
        try:
            done = publish(
                server, settings.openmetadata, projects=projects, edges=EDGES.empty(),
                listing_complete=True, day=date(2026, 11, 20),
            )  # fmt: skip
            done.raise_failures()
            found = {
                entity["displayName"]
                for entity in catalog.store.entities.values()
                if entity["_type"] == "dashboard"
            }
        finally:
            server.close()
    alive = [p for p in PROJECTS if p.archived is None and p.trashed is None]
    expected = {project.title.strip() for project in alive if wanted(project)}
    assert expected and found == expected
