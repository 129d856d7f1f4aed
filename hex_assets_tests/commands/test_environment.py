"""`.env` is read as Dagster reads it; what the environment has already wins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hex_assets.__main__ import main

SETTINGS = "hex: {{hostPort: http://127.0.0.1:1}}\nstorage: {{path: {}}}\n"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Set and deleted, so that what the command sets is undone after the test.
    for name in ("HEX_TOKEN", "HEX_ASSETS_CONFIG"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)


def says_unset() -> bool:
    result = CliRunner().invoke(main, ["doctor", "--json"])
    assert result.exit_code == 1, result.output
    details = [row["detail"] for row in json.loads(result.output)]
    return "environment variable HEX_TOKEN is not set" in details


def test_a_variable_of_the_env_file_is_known(tmp_path: Path) -> None:
    (tmp_path / "hex_assets.yaml").write_text(SETTINGS.format(tmp_path / "data"))
    assert says_unset()
    (tmp_path / ".env").write_text("HEX_TOKEN=hxtp_from_the_file\n")
    assert not says_unset()


def test_the_file_beside_the_settings_is_read_and_may_be_named_by_the_first(
    tmp_path: Path,
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "mine.yaml").write_text(SETTINGS.format(tmp_path / "data"))
    (elsewhere / ".env").write_text("HEX_TOKEN=hxtp_from_beside\n")
    (tmp_path / ".env").write_text("HEX_ASSETS_CONFIG=elsewhere/mine.yaml\n")
    assert not says_unset()


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    (tmp_path / "hex_assets.yaml").write_text(SETTINGS.format(tmp_path / "data"))
    (tmp_path / ".env").write_text("HEX_TOKEN=from_the_file\n")
    monkeypatch.setenv("HEX_TOKEN", "from_the_environment")
    assert not says_unset()
    assert os.environ["HEX_TOKEN"] == "from_the_environment"


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"HEX_TOKEN=\xff\xfe\n")
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1 and ".env cannot be read" in result.output
