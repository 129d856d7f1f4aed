"""A log source in memory that can break, for what the asset itself has to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import ClassVar, Literal

import pyarrow as pa

from hex_assets.probe import Finding
from hex_assets.warehouses.base import (
    LOG_SCHEMA,
    CannotRead,
    Losses,
    Position,
    WarehouseSettings,
    Window,
)

Row = dict[str, object]


class Log:
    """Rows in order of completion, and after how many of them the next reads break."""

    rows: ClassVar[list[Row]] = []
    breaks_after: ClassVar[list[int]] = []
    resumed_after: ClassVar[list[Position | None]] = []
    losses: ClassVar[Losses] = Losses()
    lag: ClassVar[timedelta] = timedelta(0)

    @classmethod
    def reset(cls) -> None:
        """Empty again."""
        cls.rows, cls.breaks_after, cls.resumed_after = [], [], []
        cls.losses, cls.lag = Losses(), timedelta(0)


class MemorySource:
    """Reads `Log`, one row a batch."""

    dialect = "postgres"
    retention = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.lag = Log.lag

    def read(self, window: Window, resume: Position | None = None) -> Iterator[pa.RecordBatch]:
        Log.resumed_after.append(resume)
        limit = Log.breaks_after.pop(0) if Log.breaks_after else None
        given = 0
        for row in Log.rows:
            ended_at = row["ended_at"]
            assert isinstance(ended_at, datetime)
            if not window.start <= ended_at < window.end:
                continue
            if resume and (ended_at, str(row["query_id"])) <= (resume.ended_at, resume.query_id):
                continue
            if given == limit:
                raise CannotRead("warehouse memory: the connection broke; try again")
            given += 1
            yield pa.RecordBatch.from_pylist([row], schema=LOG_SCHEMA)

    def losses(self, window: Window) -> Losses:
        return Log.losses

    def probe(self) -> list[Finding]:
        return []


class MemorySettings(WarehouseSettings):
    """Settings of the source in memory."""

    dialect: ClassVar[str] = "postgres"
    type: Literal["memory"]

    def source(self, name: str) -> MemorySource:
        return MemorySource(name)
