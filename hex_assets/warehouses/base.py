"""The protocol of a warehouse's query log, and what all sources share.

A source streams the executions that Hex sent, in Arrow batches, bounded by a window of
completion time. It knows nothing of Dagster, of the catalog or of lineage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from hex_assets.probe import Finding
from hex_assets.tables import QUERY_LOG

TAG_COLUMNS = (
    "comment",
    "project_id",
    "project_name",
    "cell_id",
    "context",
    "user_email",
    "connection",
    "trace_id",
    "statement_id",
)
"""Columns of the query log that lineage adds; a source does not fill them."""

LOG_SCHEMA = pa.schema([field for field in QUERY_LOG.schema if field.name not in TAG_COLUMNS])
"""What a source yields: the query log without what is read from Hex's comment."""

BATCH_ROWS = 2_000
"""Rows in a batch: 2,000 texts of some kilobytes stay far below 100 MB."""

MARKER_HALVES = ("-- Hex query ", "metadata:")
"""The beginning of Hex's comment in two parts: a source's SQL must never hold them joined, or the
log has the extractor's own statement as a Hex query on the next day. Write `concat(%s, %s)`."""

MARKER = "".join(MARKER_HALVES)
"""For tests in Python, after the rows have left the warehouse."""


@dataclass(frozen=True)
class Window:
    """A half-open span of completion time, `start <= ended_at < end`; both are aware UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"a window needs aware times, not {self.start} .. {self.end}")
        if self.start >= self.end:
            raise ValueError(f"a window ends after its start, not {self.start} .. {self.end}")

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} .. {self.end:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True)
class Position:
    """The last row that was stored: where a broken read goes on."""

    ended_at: datetime
    query_id: str


@dataclass(frozen=True)
class Losses:
    """What a window holds beside its usable rows; None: the log cannot tell."""

    failed_count: int | None = None
    empty_text_count: int | None = None
    untagged_count: int | None = None
    """Statements of Hex's own user without Hex's comment (needs the setting `hexUser`)."""
    log_begins_at: datetime | None = None
    """The log's oldest row, where that is inside the window: what was before is not there."""
    details_gone_count: int | None = None
    """Statements that are known to have run, of which the log has no details any more."""
    unreadable_count: int | None = None
    """Records of a log file that cannot be read: torn, or of another form."""
    first_unreadable: str | None = None
    """File and line of the first of them."""


class LogSourceError(Exception):
    """A query log could not be read. The message names warehouse, place and mend, no secret."""

    def __init__(self, message: str, mend: str | None = None) -> None:
        self.problem = message
        """What is wrong, without the mend."""
        self.mend = mend
        """What to do, such as the grant to give; also the end of the message."""
        super().__init__(f"{message}; {mend}" if mend else message)


class CannotConnect(LogSourceError):
    """Host, network, TLS or login failed."""


class CannotRead(LogSourceError):
    """Logged in, but the log is missing, disabled or not granted."""


class BrokenRead(LogSourceError):
    """The connection broke after the read had begun; a read from the last row goes on."""


class WindowTooYoung(LogSourceError):
    """The log is not yet complete for this window."""


class WindowExpired(LogSourceError):
    """The window begins before the log's retention."""


class LogSource(Protocol):
    """One warehouse's query log."""

    @property
    def name(self) -> str:
        """The warehouse's name in the settings."""
        ...

    @property
    def dialect(self) -> str:
        """Name of its SQL dialect in sqlglot."""
        ...

    @property
    def lag(self) -> timedelta:
        """Age from which on the log is complete."""
        ...

    @property
    def retention(self) -> timedelta | None:
        """How long the log keeps a row; None: unknown or for ever."""
        ...

    def read(self, window: Window, resume: Position | None = None) -> Iterator[pa.RecordBatch]:
        """Stream a window's rows as `LOG_SCHEMA`, ordered by (ended_at, query_id) if resumable.

        Yields rows whose text has Hex's marker anywhere, and rows whose text was cut at the
        log's limit (`truncated`). Whether the marker is Hex's comment is decided by the caller.

        With `resume`, yields every row of the window after that position. Rows of the second before
        it may come again; they have the same `query_id`, so an upsert makes no doubles.

        Raises:
            LogSourceError: one of its subclasses, with the mend.
        """
        ...

    def losses(self, window: Window) -> Losses:
        """Count, inside the warehouse, what `read` leaves behind."""
        ...

    def probe(self) -> list[Finding]:
        """Log in, read the log, and say what is wrong with the grant that mends it."""
        ...


class WarehouseSettings(BaseModel):
    """What every warehouse has in `hex_assets.yaml`; a module adds its own keys and `type`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dialect: ClassVar[str]

    type: str = Field(description="which warehouse it is; narrowed by each module")
    openmetadataService: str | None = Field(
        default=None, description="database service in OpenMetadata that holds these tables"
    )
    defaultCatalog: str | None = Field(
        default=None, description="database of unqualified names where the log has none"
    )
    defaultSchema: str | None = Field(
        default=None, description="schema of unqualified names where the log has none"
    )
    hexUser: str | None = Field(
        default=None,
        description="the warehouse's user of Hex; its statements without a comment are counted",
    )

    def source(self, name: str) -> LogSource:
        """The log source of these settings; connects to nothing yet."""
        raise NotImplementedError


def check_window(source: LogSource, window: Window, now: datetime) -> None:
    """Refuse a window that the log cannot hold complete.

    Raises:
        WindowTooYoung: with the time from which on the window is complete.
        WindowExpired: with the first day that the log still holds.
    """
    complete_at = window.end + source.lag
    if now < complete_at:
        raise WindowTooYoung(
            f"warehouse {source.name}: the log of {window} is complete from "
            f"{complete_at:%Y-%m-%d %H:%M} UTC on; run this partition after that"
        )
    if source.retention is not None and window.start < now - source.retention:
        first = now - source.retention
        raise WindowExpired(
            f"warehouse {source.name}: its log keeps {source.retention.days} days and begins at "
            f"{first:%Y-%m-%d %H:%M} UTC, after the start of {window}; choose a later partition"
        )
