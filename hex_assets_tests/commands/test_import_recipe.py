from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from hex_assets.commands.import_recipe import import_recipe
from hex_assets.settings import load_settings

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
