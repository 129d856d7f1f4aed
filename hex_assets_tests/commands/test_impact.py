from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hex_assets.__main__ import main
from hex_assets.storage.store import TableStore
from hex_assets.tables import PROJECTS
from hex_assets_tests.report.frames import NASTY, project
from hex_assets_tests.report.store import write_tables


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_tables(tmp_path / "data")
    settings = tmp_path / "hex_assets.yaml"
    settings.write_text(f"storage: {{path: '{tmp_path / 'data'}'}}\n")
    monkeypatch.setenv("HEX_ASSETS_CONFIG", str(settings))
    monkeypatch.setenv("COLUMNS", "200")

    def run_impact(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["impact", *arguments])

    return run_impact


def test_a_column_that_is_read_stops_a_pull_request(run) -> None:
    result = run("orders.amount")
    assert result.exit_code == 3, result.output
    assert NASTY[:14] in result.output and "sales@fernhill.test" in result.output
    assert "1 of 2 statements could not be read whole" in result.output


def test_a_table_that_nothing_reads_lets_it_pass(run) -> None:
    result = run("attic")
    assert result.exit_code == 0 and "nothing reads it" in result.output


def test_a_possible_reader_stops_it_unless_told_otherwise(run) -> None:
    result = run("orders.note")
    assert result.exit_code == 3 and "no certain reader, 1 project may read it" in result.output
    assert run("orders.note", "--certain-only").exit_code == 0


def test_an_unknown_name_is_bad_input_and_not_an_all_clear(run) -> None:
    result = run("custmers")
    assert result.exit_code == 2 and "wh.shop.public.customers" in result.output


def test_json_keeps_its_shape(run) -> None:
    result = run("orders.amount", "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 3
    assert list(answer) == [
        "shape", "name", "table", "warehouse", "column", "in_catalog", "in_use", "window",
        "readers", "possible_readers", "writers", "owners", "statements",
    ]  # fmt: skip
    reader = answer["readers"][0]
    assert list(reader) == [
        "project_id", "title", "url", "owner", "status", "retired", "views_30_days",
        "last_viewed_at", "query_count", "last_seen_at", "usage", "users", "cells",
    ]  # fmt: skip
    assert (reader["title"], reader["query_count"]) == (NASTY, 30)
    labelled = answer["readers"][1]["cells"][0]
    assert (labelled["label"], labelled["url"]) == ("<b>Sums</b>", "https://eu.hex.tech/x")
    assert reader["cells"][0]["url"] == (
        "https://app.hex.tech/fern/hex/sales/draft/logic?selectedCellId=sales-cell"
    )


def test_no_stored_lineage_is_bad_input_and_not_an_all_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "hex_assets.yaml"
    settings.write_text(f"storage: {{path: '{tmp_path / 'none'}'}}\n")
    monkeypatch.setenv("HEX_ASSETS_CONFIG", str(settings))
    result = CliRunner().invoke(main, ["impact", "orders"])
    assert result.exit_code == 2 and "no lineage is stored" in result.output


def test_a_title_cannot_steer_the_terminal(run, tmp_path: Path) -> None:
    store = TableStore(str(tmp_path / "data"))
    frame = PROJECTS.from_rows([project("sales", title="\x1b[31mred")])
    store.write(("hex", "projects"), "2026-11-20", frame.to_batches(), frame.schema)
    result = run("orders")
    assert "?[31mred" in result.output and "\x1b[31m" not in result.output
