"""Log files of PostgreSQL as a query log: one pass over the files, Hex's rows sorted on disk.

The files' records are in the order of writing, which is nearly that of time. To give rows in exact
order, all of Hex in the window are put on a temporary file; memory holds some 300 bytes of each.
"""

from __future__ import annotations

import pickle
import tempfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import groupby
from typing import Any

import pyarrow as pa

from hex_assets.probe import Finding
from hex_assets.warehouses.base import (
    MARKER,
    CannotRead,
    LogSourceError,
    Losses,
    Position,
    WarehouseSettings,
    Window,
)
from hex_assets.warehouses.postgres_lines import Layout, Record, split_lines, statement_row
from hex_assets.warehouses.reading import batches

MARKER_BYTES = MARKER.encode()
SLACK = timedelta(hours=1)
"""How far after the window a file is read: its records are in the order of time but for less."""
CLOCK_SKEW = timedelta(minutes=1)
"""How far the clock of a file server may be behind that of PostgreSQL."""
DOCS = "docs/warehouses/postgres.md"


@dataclass(frozen=True)
class LogFile:
    """One file of a log."""

    name: str
    modified: datetime | None
    """Its last change; None: the file system does not tell."""
    chunks: Callable[[], Iterator[bytes]]
    """Its bytes, without compression."""


class Spill:
    """Rows on a temporary file, given back in the order of (ended_at, query_id), doubles once."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()
        self._places: list[tuple[datetime, str, int, int]] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Put a row on disk."""
        data = pickle.dumps(row)
        self._places.append((row["ended_at"], row["query_id"], self._file.tell(), len(data)))
        self._file.write(data)

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """All rows, once; the file is gone afterwards."""
        with self._file as file:
            self._places.sort()
            # A file that is there twice, as it was and compressed, has the same keys.
            for _, same in groupby(self._places, key=lambda place: place[:2]):
                _, _, offset, size = next(same)
                file.seek(offset)
                yield pickle.loads(file.read(size))  # what `add` has written, and nobody else


@dataclass
class Counts:
    """What one pass over the files has seen."""

    statements: int = 0
    """Records with Hex's marker that are finished statements of the window."""
    failed: int = 0
    empty: int = 0
    untagged: int = 0
    readable: int = 0
    """Records of any time that can be read."""
    unreadable: int = 0
    """Records that cannot be read, where the one before them is in the window."""
    first_unreadable: str | None = None
    oldest: datetime | None = None


@dataclass(frozen=True)
class Scan:
    """One pass over files for one window."""

    warehouse: str
    settings: WarehouseSettings
    layout: Layout
    window: Window
    resume: Position | None = None
    counts: Counts = field(default_factory=Counts)

    def read(self, files: list[LogFile]) -> Iterator[Mapping[str, Any]]:
        """The window's rows with Hex's marker, file after file."""
        for file in files:
            yield from self._file(file)

    def _file(self, file: LogFile) -> Iterator[Mapping[str, Any]]:
        counts, window = self.counts, self.window
        before: datetime | None = None
        keys: Counter[str] = Counter()
        for record in self.layout.records(split_lines(file.chunks())):
            head = self.layout.head(record)
            if head is None or not record.whole:
                self._unreadable(file, record, head.ended_at if head else before)
                continue
            counts.readable += 1
            before = head.ended_at
            if counts.oldest is None or before < counts.oldest:
                counts.oldest = before
            if self.layout.in_order and before >= window.end + SLACK:
                return
            tagged = MARKER_BYTES in record.raw
            of_hex = head.user is not None and head.user == self.settings.hexUser
            if (tagged or of_hex) and window.start <= before < window.end:
                row = self._row(file, record, tagged)
                if row is not None:
                    key = row["query_id"]
                    if not self.layout.unique_keys:
                        keys[key] += 1
                        if keys[key] > 1:
                            row = {**row, "query_id": f"{key}:{keys[key]}"}
                    if self._wanted(row):
                        yield row

    def _row(self, file: LogFile, record: Record, tagged: bool) -> Mapping[str, Any] | None:
        try:
            line = self.layout.parse(record)
        except ValueError:
            self._unreadable(file, record, self.window.start)
            return None
        if tagged and line.severity == "ERROR" and MARKER in (line.failed_text or ""):
            self.counts.failed += 1
        row = statement_row(
            line,
            warehouse=self.warehouse,
            default_catalog=self.settings.defaultCatalog,
            default_schema=self.settings.defaultSchema,
        )
        if row is None:
            return None
        if MARKER in row["text"]:
            self.counts.statements += 1
            return row
        if line.user == self.settings.hexUser:
            blank = not row["text"].strip()
            self.counts.empty += blank
            self.counts.untagged += not blank
        return None

    def _wanted(self, row: Mapping[str, Any]) -> bool:
        if self.resume is None:
            return True
        after = (self.resume.ended_at, self.resume.query_id)
        return (row["ended_at"], row["query_id"]) > after

    def _unreadable(self, file: LogFile, record: Record, at: datetime | None) -> None:
        # The last record of a file that is being written may be torn: it is after the window.
        if at is not None and not self.window.start <= at < self.window.end:
            return
        self.counts.unreadable += 1
        self.counts.first_unreadable = (
            self.counts.first_unreadable or f"{file.name}, line {record.line}"
        )


@dataclass(frozen=True)
class FileLog(ABC):
    """A log in files, wherever they are: a subclass lists them."""

    name: str
    settings: WarehouseSettings
    layout: Layout
    lag: timedelta
    retention_days: int | None
    dialect: str = "postgres"
    _counted: dict[Window, Losses] = field(default_factory=dict, repr=False, compare=False)
    """The losses of the last read, so that they need no second pass."""

    @property
    def retention(self) -> timedelta | None:
        """As given in the settings; it is up to the operator when files are removed."""
        return timedelta(days=self.retention_days) if self.retention_days else None

    @abstractmethod
    def listed(self) -> AbstractContextManager[list[LogFile]]:
        """The log's files, readable within the block; raises LogSourceError."""

    @abstractmethod
    def place(self) -> str:
        """Where the log is, for a message."""

    def read(self, window: Window, resume: Position | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the window's finished Hex statements, ordered by (ended_at, query_id).

        The files are read to their end before the first row is given, for the order's sake.
        """
        spill = Spill()
        scan = Scan(self.name, self.settings, self.layout, window, resume)
        self._pass(scan, spill.add)
        yield from batches(spill.rows())

    def losses(self, window: Window) -> Losses:
        """Failed, untagged, empty and unreadable records: counted by the read, or now."""
        if window not in self._counted:
            scan = Scan(self.name, self.settings, self.layout, window)
            self._pass(scan, lambda row: None)
        return self._counted.pop(window)

    def probe(self) -> list[Finding]:
        """List the files, read the last day, and tell what is wrong with its mend."""
        end = datetime.now(timezone.utc) - self.lag
        window = Window(end - timedelta(days=1), end)
        scan = Scan(self.name, self.settings, self.layout, window)
        findings: list[Finding] = []
        try:
            findings.extend(self._pass(scan, lambda row: None))
        except LogSourceError as error:
            return [Finding("log", "failure", error.problem, error.mend)]
        counts = scan.counts
        if counts.unreadable:
            detail = (
                f"{counts.unreadable} records of the last day cannot be read, the first is "
                f"{counts.first_unreadable}"
            )
            findings.append(Finding("format", "warning", detail, self.format_mend()))
        since = f"from {counts.oldest:%Y-%m-%d %H:%M} UTC on" if counts.oldest else "empty"
        detail = (
            f"{counts.statements} Hex queries in a day; the files are read {since}, "
            f"lag {self.lag.total_seconds() / 60:.0f} minutes"
        )
        mend = None
        if not counts.statements:
            mend = (
                "check that Hex uses this server, that its log_min_duration_statement is 0 and "
                "that the files are those of now"
            )
        status = Finding("hex queries", "warning" if mend else "ok", detail, mend)
        return [*findings, status]

    def format_mend(self) -> str:
        """What to do about records that cannot be read."""
        return f"look at that line and compare it with the log's format, {DOCS}"

    def _pass(self, scan: Scan, take: Callable[[Mapping[str, Any]], None]) -> list[Finding]:
        """Read what the window needs, and keep its losses."""
        window, counts = scan.window, scan.counts
        place = f"warehouse {self.name}: {self.place()}"
        with self.listed() as files:
            newest = max((file.modified for file in files if file.modified), default=None)
            young = [
                file
                for file in files
                if file.modified is None or file.modified + CLOCK_SKEW >= window.start
            ]
            if not young:
                raise CannotRead(
                    f"{place}: none of {len(files)} files was written after the start of {window}, "
                    f"the newest at {newest:%Y-%m-%d %H:%M} UTC",
                    "check that the files still arrive, and that all names are covered",
                )
            for row in scan.read(young):
                take(row)
        if counts.unreadable and not counts.readable:
            raise CannotRead(
                f"{place}: no line is of the log's format; the first is {counts.first_unreadable}",
                self.format_mend(),
            )
        inside = counts.oldest is not None and window.start < counts.oldest < window.end
        of_hex = self.settings.hexUser is not None
        self._counted.clear()
        self._counted[window] = Losses(
            failed_count=counts.failed,
            empty_text_count=counts.empty if of_hex else None,
            untagged_count=counts.untagged if of_hex else None,
            # An older file ended before the window: what came then was in it.
            log_begins_at=counts.oldest if inside and len(young) == len(files) else None,
            unreadable_count=counts.unreadable,
            first_unreadable=counts.first_unreadable,
        )
        written = f", the newest written {newest:%Y-%m-%d %H:%M} UTC" if newest else ""
        detail = f"{self.place()}: {len(files)} files{written}; {len(young)} hold the last day"
        return [Finding("files", "ok", detail)]
