from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import Mock

import pytest
from click.testing import CliRunner

from hex_assets.__main__ import main
from hex_assets_tests.report.store import write_tables


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "hex_assets.yaml"
    file.write_text(f"storage: {{path: '{tmp_path / 'data'}'}}\n")
    monkeypatch.setenv("HEX_ASSETS_CONFIG", str(file))


def test_the_page_is_written_and_what_it_lacks_is_said(tmp_path: Path) -> None:
    write_tables(tmp_path / "data")
    file = tmp_path / "page.html"
    result = CliRunner().invoke(main, ["report", "--output", str(file)])
    assert result.exit_code == 0, result.output
    assert file.stat().st_size > 400_000 and "8 projects" in result.stdout
    assert "1 of 2 statements could not be read whole" in result.stderr


def test_without_lineage_nothing_is_written_and_the_mend_is_named(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    result = CliRunner().invoke(main, ["report", "-o", str(file)])
    assert result.exit_code == 2 and "materialize lineage/edges" in result.output
    assert not file.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    write_tables(tmp_path / "data")
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(main, ["report", "-o", str(tmp_path / "file" / "page.html")])
    assert result.exit_code == 1 and "cannot be written" in result.output


def test_tables_of_a_project_with_a_key_prefix_are_found(tmp_path: Path) -> None:
    write_tables(tmp_path / "data", ("team", "bi"))
    file = tmp_path / "page.html"
    plain = CliRunner().invoke(main, ["report", "-o", str(file)])
    assert plain.exit_code == 2
    result = CliRunner().invoke(main, ["report", "-o", str(file), "--key-prefix", "team/bi"])
    assert result.exit_code == 0, result.output
    used = CliRunner().invoke(main, ["impact", "public.orders", "--key-prefix", "team/bi"])
    assert used.exit_code == 3, used.output
    bad = CliRunner().invoke(main, ["report", "--key-prefix", "team//bi"])
    assert bad.exit_code == 2 and "empty part" in bad.output


def test_a_page_that_cannot_be_made_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tables(tmp_path / "data")
    file = tmp_path / "page.html"
    file.write_text("the old one")
    monkeypatch.setattr(os, "replace", Mock(side_effect=OSError("the disk is full")))
    result = CliRunner().invoke(main, ["report", "-o", str(file)])
    assert result.exit_code == 1 and "the disk is full" in result.output
    assert file.read_text() == "the old one"
    assert [path.name for path in tmp_path.glob("page*")] == ["page.html"]
