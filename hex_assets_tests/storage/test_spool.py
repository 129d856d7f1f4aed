"""A broken read loses nothing that was flushed, and what is read twice counts once."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from hex_assets.storage.spool import Spool

SCHEMA = pa.schema([("id", pa.string()), ("n", pa.int64())])


def batch(*ids: str) -> pa.RecordBatch:
    return pa.record_batch([list(ids), list(range(len(ids)))], schema=SCHEMA)


def ids(spool: Spool) -> list[str]:
    return [value for part in spool.distinct("id") for value in part["id"].to_pylist()]


def test_rows_come_back_in_order_and_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", SCHEMA, part_rows=2)
    for part in (batch("a", "b", "c"), batch("b", "d"), batch("a")):
        spool.append(part)
    assert spool.row_count == 6
    assert ids(spool) == ["a", "b", "c", "d"]


def test_a_reopened_spool_knows_what_was_flushed_and_nothing_else(tmp_path: Path) -> None:
    broken = Spool(tmp_path / "s", SCHEMA, part_rows=2)
    broken.append(batch("a", "b"))
    broken.append(batch("c"))  # pending when the reader dies
    again = Spool(tmp_path / "s", SCHEMA, part_rows=2)
    assert again.last_row("id", "n") == ("b", 1)
    again.append(batch("c", "d"))
    assert ids(again) == ["a", "b", "c", "d"]


def test_a_half_written_part_is_ignored(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", SCHEMA, part_rows=1)
    spool.append(batch("a"))
    (tmp_path / "s" / "000001.draft").write_bytes(b"PAR1 cut")
    assert ids(Spool(tmp_path / "s", SCHEMA)) == ["a"]


def test_others_may_not_read_the_spool(tmp_path: Path) -> None:
    Spool(tmp_path / "s", SCHEMA)
    assert (tmp_path / "s").stat().st_mode & 0o077 == 0


def test_known_rows_are_left_out_and_new_ones_added(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", SCHEMA)
    spool.append(batch("a", "b"))
    known = {"a"}
    kept = [value for part in spool.distinct("id", known) for value in part["id"].to_pylist()]
    assert kept == ["b"]
    assert known == {"a", "b"}
    spool.remove()
    assert not (tmp_path / "s").exists()
