from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from dagster._core.workspace.load_target import WorkspaceFileTarget

from hex_assets.commands.init import init
from hex_assets.settings import load_settings
from hex_assets.warehouses.registry import MODULES


@pytest.mark.parametrize("kind", sorted(MODULES))
def test_the_written_file_is_valid_for_every_warehouse(kind: str, tmp_path: Path) -> None:
    arguments = ["--defaults", "--warehouse", kind, "--catalog-host", "https://om.example.com/api"]
    result = CliRunner().invoke(init, [*arguments, "--folder", str(tmp_path)])
    assert result.exit_code == 0, result.output
    settings = load_settings(tmp_path / "hex_assets.yaml")
    assert list(settings.warehouses) == [kind]
    assert settings.openmetadata is not None
    text = (tmp_path / "hex_assets.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=hex_assets.schema.json\n")
    assert "HEX_TOKEN=\n" in (tmp_path / ".env.example").read_text()
    assert (tmp_path / "hex_assets.schema.json").is_file()


def test_dagster_dev_finds_its_two_files_and_those_of_a_project_stay(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: true}\n")
    arguments = ["--defaults", "--force", "--folder", str(tmp_path)]
    result = CliRunner().invoke(init, arguments)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "dagster.yaml").read_text() == "telemetry: {enabled: true}\n"
    origins = WorkspaceFileTarget([str(tmp_path / "workspace.yaml")]).create_origins()
    assert [origin.location_name for origin in origins] == ["hex_assets"]


@pytest.mark.parametrize("name", ["dagster.yaml", "workspace.yaml"])
def test_init_writes_what_this_repository_itself_runs_with(name: str) -> None:
    root = Path(__file__).parents[2]
    packaged = root / "hex_assets" / "commands" / name
    assert packaged.read_text() == (root / name).read_text()


def test_files_that_exist_are_kept_without_force(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_text("mine")
    arguments = ["--defaults", "--folder", str(tmp_path)]
    refused = CliRunner().invoke(init, arguments)
    assert refused.exit_code == 1 and "--force" in refused.output
    assert (tmp_path / ".env.example").read_text() == "mine"
    assert not (tmp_path / "hex_assets.yaml").exists()
    assert CliRunner().invoke(init, [*arguments, "--force"]).exit_code == 0


def test_answers_are_taken_and_a_host_without_scheme_is_refused(tmp_path: Path) -> None:
    arguments = ["--folder", str(tmp_path)]
    bad = CliRunner().invoke(init, arguments, input="app.hex.tech\npersonal\nnone\n\n")
    assert bad.exit_code == 1 and "hex.hostPort: needs a scheme" in bad.output
    good = CliRunner().invoke(init, arguments, input="https://eu.hex.tech\nworkspace\nnone\n\n")
    assert good.exit_code == 0, good.output
    settings = load_settings(tmp_path / "hex_assets.yaml")
    assert (settings.hex.hostPort, settings.hex.tokenType) == ("https://eu.hex.tech", "workspace")
