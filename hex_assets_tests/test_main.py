"""Every command of the command line is there, explains itself, and a wrong one is named."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from hex_assets import __version__
from hex_assets.__main__ import COMMANDS, main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_loads_and_has_help(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    command = main.get_command(click.Context(main), name)
    assert command is not None and command.name == name
    unwrapped = " ".join(result.output.split())
    assert command.help and command.help.splitlines()[0] in unwrapped
    options = [each for each in command.params if isinstance(each, click.Option)]
    mute = [each.name for each in options if not each.help]
    assert not mute


def test_the_group_lists_all_commands() -> None:
    result = CliRunner().invoke(main, ["-h"])
    assert result.exit_code == 0
    assert all(f"\n  {name} " in result.output for name in COMMANDS)


def test_an_unknown_command_is_named_and_ends_with_2() -> None:
    result = CliRunner().invoke(main, ["docter"])
    assert result.exit_code == 2 and "docter" in result.output


@pytest.mark.parametrize("name", ["doctor", "impact", "projects", "report"])
def test_without_settings_a_command_says_how_to_begin(name: str) -> None:
    result = CliRunner().invoke(main, [name, *(["orders"] if name == "impact" else [])])
    assert result.exit_code == 2
    assert "hex-assets init" in result.output and "Traceback" not in result.output


def test_the_module_runs_as_the_command_does() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "hex_assets", "--version"], capture_output=True, text=True
    )
    assert result.returncode == 0 and result.stdout.split()[-1] == __version__
