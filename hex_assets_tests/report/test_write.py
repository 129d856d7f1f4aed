from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from hex_assets.report import write_report
from hex_assets.report.read import Keys, NothingStored, read_report
from hex_assets.settings import Settings, parse_settings
from hex_assets.storage.store import TableStore
from hex_assets.tables import CELLS, EDGES
from hex_assets_tests.report.store import DAY, write_tables


def test_the_page_is_one_file_that_loads_nothing(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    done = write_report(write_tables(tmp_path / "data"), Keys(), Settings(), str(file))
    page = file.read_text(encoding="utf-8")
    assert done.byte_count == file.stat().st_size
    assert (done.project_count, done.edge_count, done.not_whole_count) == (8, 10, 1)
    assert not re.search(r"<(link|iframe|img|script [^>]*src)", page.split("<script")[0])
    assert "default-src 'none'" in page and "alert(1)" not in page
    assert page.count("</script>") == 3


def test_tables_below_a_key_prefix_are_read(tmp_path: Path) -> None:
    store = write_tables(tmp_path, ("bi",))
    assert len(read_report(store, Keys.below(["bi"]), Settings()).edges) == 10


def test_days_before_the_window_are_left_out(tmp_path: Path) -> None:
    store = write_tables(tmp_path)
    frame = store.read(("lineage", "edges"), DAY)
    store.write(("lineage", "edges"), "2026-11-01", frame.to_batches(), frame.schema)
    short = read_report(store, Keys(), Settings(), days=5)
    assert (short.window.first_day, short.window.stored_days) == (date(2026, 11, 15), 1)
    both = read_report(store, Keys(), Settings())
    assert (both.window.days, both.window.stored_days) == (30, 2)
    assert max(e.query_count for e in both.edges) == 2 * max(e.query_count for e in short.edges)


def test_an_empty_store_is_an_error_and_not_an_empty_page(tmp_path: Path) -> None:
    with pytest.raises(NothingStored, match="materialize lineage/edges"):
        write_report(TableStore(str(tmp_path)), Keys(), Settings(), str(tmp_path / "page.html"))
    assert not (tmp_path / "page.html").exists()


def test_links_lead_to_the_catalogs_pages_and_not_its_api(tmp_path: Path) -> None:
    settings = parse_settings({"openmetadata": {"hostPort": "https://catalog.test/api"}})
    assert read_report(write_tables(tmp_path), Keys(), settings).links.openmetadata == (
        "https://catalog.test"
    )


def test_a_query_that_names_a_version_is_shown_at_its_cell(tmp_path: Path) -> None:
    store = write_tables(tmp_path)
    cells = store.read(("hex", "cells"), DAY).to_pylist()
    edges = store.read(("lineage", "edges"), DAY).to_pylist()
    known = {(row["project_id"], row["cell_id"]) for row in cells}
    place = next(
        (row["project_id"], row["cell_id"])
        for row in edges
        if (row["project_id"], row["cell_id"]) in known
    )
    for row in cells:
        if (row["project_id"], row["cell_id"]) == place:
            row["version_id"] = "version-7"
    for row in edges:
        if (row["project_id"], row["cell_id"]) == place:
            row["cell_id"] = "version-7"
    for key, spec, rows in (
        (("hex", "cells"), CELLS, cells),
        (("lineage", "edges"), EDGES, edges),
    ):
        store.write(key, DAY, spec.from_rows(rows).to_batches(), spec.schema)
    report = read_report(store, Keys(), Settings())
    assert place[1] in {edge.cell_id for edge in report.edges}
    assert "version-7" not in {edge.cell_id for edge in report.edges}
