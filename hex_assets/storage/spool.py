"""A stream of batches on local disk: memory stays bounded, and a broken read can go on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

PART_ROWS = 20_000
"""Rows that a broken read can lose at most: they are read again."""


class Spool:
    """Collects batches in numbered Parquet parts below a private folder.

    A part is renamed into place when it is whole, so that after a crash the parts on disk are
    exactly what was received in order. A spool that is opened again knows its parts.
    """

    def __init__(self, folder: Path, schema: pa.Schema, part_rows: int = PART_ROWS) -> None:
        self._folder = folder
        self._schema = schema
        self._part_rows = part_rows
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def schema(self) -> pa.Schema:
        """The schema of every batch."""
        return self._schema

    @property
    def row_count(self) -> int:
        """Rows received, doubles included."""
        stored: int = sum(pq.read_metadata(part).num_rows for part in self._parts())
        return stored + self._pending_rows

    def append(self, batch: pa.RecordBatch) -> None:
        """Take a batch of the spool's schema."""
        self._pending.append(batch)
        self._pending_rows += batch.num_rows
        if self._pending_rows >= self._part_rows:
            self.flush()

    def flush(self) -> None:
        """Put what is pending on disk."""
        if not self._pending:
            return
        part = self._folder / f"{len(self._parts()):06d}.parquet"
        draft = part.with_suffix(".draft")
        pq.write_table(pa.Table.from_batches(self._pending, self._schema), draft)
        draft.rename(part)
        self._pending, self._pending_rows = [], 0

    def last_row(self, *columns: str) -> tuple[object, ...] | None:
        """The given columns of the last row on disk; None when there is none."""
        for part in reversed(self._parts()):
            table = pq.read_table(part, columns=list(columns))
            if table.num_rows:
                return tuple(table[name][-1].as_py() for name in columns)
        return None

    def distinct(
        self, column: str, known: set[str] | None = None, rows: int = 10_000
    ) -> Iterator[pa.RecordBatch]:
        """Stream the rows whose value of `column` comes for the first time.

        Args:
            column: a column of strings that identifies a row.
            known: values to leave out; every value given out is added to it.
            rows: rows of a batch, at most.
        """
        self.flush()
        seen = set() if known is None else known
        for part in self._parts():
            for batch in pq.ParquetFile(part).iter_batches(batch_size=rows):
                yield first_of(batch, column, seen)

    def remove(self) -> None:
        """Delete the parts and the folder."""
        shutil.rmtree(self._folder)

    def _parts(self) -> list[Path]:
        return sorted(self._folder.glob("*.parquet"))


def first_of(batch: pa.RecordBatch, column: str, seen: set[str]) -> pa.RecordBatch:
    """The rows of a batch whose value of `column` is not in `seen`; adds them to it."""
    keep = []
    for value in batch.column(column).to_pylist():
        keep.append(value not in seen)
        seen.add(value)
    return batch if all(keep) else batch.filter(pc.fill_null(pa.array(keep, pa.bool_()), False))
