"""A store with the small workspace in it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from hex_assets.storage.store import TableStore
from hex_assets_tests.report.frames import small_frames

DAY = "2026-11-19"


def write_tables(folder: Path, prefix: tuple[str, ...] = ()) -> TableStore:
    """Store the small frames as one day each, below a key prefix."""
    store, frames = TableStore(str(folder)), small_frames()
    tables: dict[tuple[str, ...], pa.Table] = {
        ("hex", "projects"): frames["projects"], ("lineage", "edges"): frames["edges"],
        ("lineage", "statements"): frames["statements"][0],
        ("catalog", "tables"): frames["catalog"],
        ("hex", "cells"): frames["cells"],
    }  # fmt: skip
    for key, table in tables.items():
        store.write((*prefix, *key), DAY, table.to_batches(), table.schema)
    return store
