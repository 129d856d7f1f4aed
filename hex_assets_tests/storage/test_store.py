"""A day of an asset is stored whole or not at all, and read back as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from hex_assets.storage.store import DayTables, MissingTable, TableStore

KEY = ("hex", "projects")
SCHEMA = pa.schema([("name", pa.string()), ("count", pa.int64())])


def rows(*names: str) -> pa.Table:
    return pa.table({"name": list(names), "count": list(range(len(names)))}, schema=SCHEMA)


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TableStore:
    if request.param == "folder":
        return TableStore(str(tmp_path / "tables"))
    return TableStore(f"memory://{tmp_path.name}")


def test_a_day_is_read_back_as_it_was_written(store: TableStore) -> None:
    written = rows("a", "ü😀", "c")
    assert store.write(KEY, "2026-01-02", written.to_batches(), SCHEMA) == 3
    assert store.read(KEY, "2026-01-02").equals(written)
    assert pa.Table.from_batches(store.batches(KEY, "2026-01-02", rows=2)).equals(written)


def test_an_empty_day_keeps_its_columns(store: TableStore) -> None:
    store.write(KEY, "2026-01-02", [], SCHEMA)
    assert store.read(KEY, "2026-01-02").schema.equals(SCHEMA)
    assert store.has(KEY, "2026-01-02")


def test_the_newest_day_is_found_whatever_the_order_of_writing(store: TableStore) -> None:
    assert store.newest(KEY) is None
    for day in ("2026-01-03", "2025-12-31", "2026-01-02"):
        store.write(KEY, day, rows(day).to_batches(), SCHEMA)
    assert store.days(KEY) == ["2025-12-31", "2026-01-02", "2026-01-03"]
    newest = store.newest(KEY)
    assert newest is not None and newest[0] == "2026-01-03"


def test_a_missing_day_names_asset_day_and_mend(store: TableStore) -> None:
    with pytest.raises(MissingTable, match=r"hex/projects has no data for 2026-01-09.*materialize"):
        store.read(KEY, "2026-01-09")


def test_a_write_that_breaks_leaves_the_stored_day_and_no_litter(tmp_path: Path) -> None:
    store = TableStore(str(tmp_path))
    store.write(KEY, "2026-01-02", rows("kept").to_batches(), SCHEMA)

    def broken() -> Iterator[pa.RecordBatch]:
        yield from rows("new").to_batches()
        raise RuntimeError("the connection broke")

    with pytest.raises(RuntimeError):
        store.write(KEY, "2026-01-02", broken(), SCHEMA)
    assert store.read(KEY, "2026-01-02")["name"].to_pylist() == ["kept"]
    assert [path.name for path in (tmp_path / "hex" / "projects").iterdir()] == [
        "2026-01-02.parquet"
    ]


def test_deleting_a_day_twice_is_no_error(store: TableStore) -> None:
    store.write(KEY, "2026-01-02", [], SCHEMA)
    store.delete(KEY, "2026-01-02")
    store.delete(KEY, "2026-01-02")
    assert store.days(KEY) == []


def test_day_tables_give_only_the_days_of_the_run(store: TableStore) -> None:
    for day in ("2026-01-01", "2026-01-02"):
        store.write(KEY, day, rows(day).to_batches(), SCHEMA)
    tables = DayTables(store, KEY, ["2026-01-02"])
    assert list(tables) == ["2026-01-02"]
    assert tables["2026-01-02"]["name"].to_pylist() == ["2026-01-02"]
    with pytest.raises(KeyError):
        tables["2026-01-01"]
