"""The impact page is written with the lineage, for a day and for a range, under any prefix."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from hex_assets.assets.names import Names
from hex_assets.assets.report import report_asset, report_key
from hex_assets.automation import range_tags
from hex_assets.partitions import days
from hex_assets.resources import TableStoreResource
from hex_assets.settings import parse_settings
from hex_assets_tests.report.store import DAY, write_tables

EARLIER = "2026-11-18"


def run(folder: Path, prefix: tuple[str, ...] = ()) -> dg.ExecuteInProcessResult:
    asset = report_asset(Names(prefix), days(date(2026, 1, 1)), parse_settings({}))
    return dg.materialize(
        [asset],
        tags=range_tags(EARLIER, DAY),
        resources={"table_store": TableStoreResource(path=str(folder))},
        raise_on_error=False,
    )


@pytest.mark.parametrize("prefix", [(), ("bi", "fern")])
def test_one_page_is_written_beside_the_tables(tmp_path: Path, prefix: tuple[str, ...]) -> None:
    write_tables(tmp_path, prefix)
    result = run(tmp_path, prefix)
    assert result.success
    events = result.get_asset_materialization_events()
    assert {event.partition for event in events} == {EARLIER, DAY}
    metadata = events[0].materialization.metadata
    page = Path(str(metadata["page"].value))
    assert page == tmp_path.joinpath(*prefix, "report", "impact.html")
    assert page.read_text().startswith("<!doctype html>")
    assert page.stat().st_size == metadata["byte_count"].value > 400_000
    assert metadata["project_count"].value == 8
    assert (metadata["statement_count"].value, metadata["not_whole_count"].value) == (2, 1)
    assert metadata["last_day"].value == DAY


def test_without_lineage_the_run_fails_and_names_the_mend(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert "materialize lineage/edges" in str(failure.step_failure_data.user_failure_data)
    assert not (tmp_path / "report").joinpath("impact.html").exists()


def test_the_page_comes_after_all_that_it_reads() -> None:
    asset = report_asset(Names(), days(date(2026, 1, 1)), parse_settings({}))
    upstream = {key.to_user_string() for key in asset.asset_deps[report_key(Names())]}
    assert upstream >= {"lineage/edges", "lineage/statements", "hex/projects", "catalog/tables"}
