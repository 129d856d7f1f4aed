"""One Parquet file per asset and day, in a local folder or behind any fsspec URL."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

KeyPath = Sequence[str]
"""An asset key's path, such as ("hex", "projects")."""


class MissingTable(LookupError):
    """A day of an asset was asked for that is not stored."""

    def __init__(self, key: KeyPath, day: str, location: str) -> None:
        asset = "/".join(key)
        super().__init__(
            f"{asset} has no data for {day} in {location}: materialize {asset} for that day first"
        )


@contextmanager
def replacing(files: Any, path: str) -> Iterator[Any]:
    """A binary file that takes the place of what is at `path` when it is complete.

    A reader sees the old file or the new one, never a part: local files are renamed, object stores
    show an upload when it is complete. Folders are made.
    """
    files.makedirs(files._parent(path), exist_ok=True)
    local = isinstance(files, LocalFileSystem)
    target = f"{path}.{uuid.uuid4().hex}.tmp" if local else path
    try:
        with files.open(target, "wb") as file:
            yield file
        if local:
            os.replace(target, path)
    except BaseException:
        if local and files.exists(target):
            files.rm_file(target)
        raise


@dataclass(frozen=True)
class TableStore:
    """Reads and writes the tables below one base folder or URL."""

    base: str

    def location(self, key: KeyPath, day: str) -> str:
        """Where a day of an asset lives."""
        return f"{self.base.rstrip('/')}/{'/'.join(key)}/{day}.parquet"

    def days(self, key: KeyPath) -> list[str]:
        """The stored days of an asset, ascending."""
        files, folder = self._open(f"{self.base.rstrip('/')}/{'/'.join(key)}")
        if not files.isdir(folder):
            return []
        files.invalidate_cache(folder)
        names = (entry.rsplit("/", 1)[-1] for entry in files.ls(folder, detail=False))
        return sorted(name[: -len(".parquet")] for name in names if name.endswith(".parquet"))

    def has(self, key: KeyPath, day: str) -> bool:
        """Whether a day is stored."""
        files, path = self._open(self.location(key, day))
        return bool(files.isfile(path))

    def read(self, key: KeyPath, day: str) -> pa.Table:
        """Load one day.

        Raises:
            MissingTable: it is not stored.
        """
        with self._reader(key, day) as file:
            return pq.read_table(file)

    def batches(self, key: KeyPath, day: str, rows: int = 10_000) -> Iterator[pa.RecordBatch]:
        """Stream one day; same errors as `read`."""
        with self._reader(key, day) as file:
            yield from pq.ParquetFile(file).iter_batches(batch_size=rows)

    def newest(self, key: KeyPath) -> tuple[str, pa.Table] | None:
        """The latest stored day with its table, if any day is stored."""
        days = self.days(key)
        return (days[-1], self.read(key, days[-1])) if days else None

    def write(
        self, key: KeyPath, day: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema
    ) -> int:
        """Store a day whole, replacing it in one step; gives the number of rows."""
        files, path = self._open(self.location(key, day))
        row_count = 0
        with replacing(files, path) as file, pq.ParquetWriter(file, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
                row_count += batch.num_rows
        return row_count

    def delete(self, key: KeyPath, day: str) -> None:
        """Remove a stored day; a day that is not stored stays away."""
        files, path = self._open(self.location(key, day))
        if files.isfile(path):
            files.rm_file(path)

    def delete_all(self, key: KeyPath) -> None:
        """Remove every stored day of an asset, with its folder."""
        files, folder = self._open(f"{self.base.rstrip('/')}/{'/'.join(key)}")
        files.invalidate_cache(folder)
        if files.isdir(folder):
            files.rm(folder, recursive=True)

    @contextmanager
    def _reader(self, key: KeyPath, day: str) -> Iterator[Any]:
        files, path = self._open(self.location(key, day))
        try:
            file = files.open(path, "rb")
        except FileNotFoundError:
            raise MissingTable(key, day, self.base) from None
        with file:
            yield file

    def _open(self, url: str) -> tuple[Any, str]:
        files, path = fsspec.core.url_to_fs(url)
        return files, path


class DayTables(Mapping[str, pa.Table]):
    """The days of one asset that a run needs, read when they are asked for."""

    def __init__(self, store: TableStore, key: KeyPath, days: Sequence[str]) -> None:
        self._store = store
        self._key = tuple(key)
        self._days = tuple(days)

    def __getitem__(self, day: str) -> pa.Table:
        if day not in self._days:
            raise KeyError(day)
        return self._store.read(self._key, day)

    def stored(self, day: str) -> bool:
        """Whether a day of the run is stored."""
        return day in self._days and self._store.has(self._key, day)

    def __iter__(self) -> Iterator[str]:
        return iter(self._days)

    def __len__(self) -> int:
        return len(self._days)
