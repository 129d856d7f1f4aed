"""What the sources share in reading: batches of bounded size, resuming, texts without secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hex_assets.secret import Secret, UnsetVariable
from hex_assets.warehouses.base import (
    BATCH_ROWS,
    LOG_SCHEMA,
    BrokenRead,
    LogSource,
    Position,
    Window,
)

BATCH_BYTES = 16 * 1024 * 1024
"""Text in a batch, at most about this: 2,000 statements of 1 MB must not become one batch."""


def batches(
    rows: Iterable[Mapping[str, Any]],
    *,
    batch_rows: int = BATCH_ROWS,
    batch_bytes: int = BATCH_BYTES,
) -> Iterator[pa.RecordBatch]:
    """Group rows, mappings by column name, into batches of `LOG_SCHEMA`; a missing column is null.

    Raises:
        pyarrow.ArrowInvalid: a value does not fit its column.
    """
    pending: list[Mapping[str, Any]] = []
    size = 0
    for row in rows:
        pending.append(row)
        size += len(row["text"])
        if len(pending) >= batch_rows or size >= batch_bytes:
            yield pa.RecordBatch.from_pylist(pending, schema=LOG_SCHEMA)
            pending, size = [], 0
    if pending:
        yield pa.RecordBatch.from_pylist(pending, schema=LOG_SCHEMA)


def last_position(batch: pa.RecordBatch) -> Position:
    """The position after a non-empty batch."""
    last = batch.num_rows - 1
    return Position(batch["ended_at"][last].as_py(), batch["query_id"][last].as_py())


def read_through(source: LogSource, window: Window) -> Iterator[pa.RecordBatch]:
    """Read a window and go on from the last row whenever the connection breaks.

    A break without a single new row since the last one is final, so this ends. Rows that come
    again after a break are dropped here: the stream holds each `query_id` once.

    Raises:
        LogSourceError: what `source.read` raises, and its last `BrokenRead`.
    """
    position: Position | None = None
    at_position: set[str] = set()
    while True:
        fresh_count = 0
        try:
            for batch in source.read(window, position):
                fresh = _without(batch, at_position) if position else batch
                if not fresh.num_rows:
                    continue
                fresh_count += fresh.num_rows
                before, position = position, last_position(fresh)
                here = pc.equal(fresh["ended_at"], pa.scalar(position.ended_at, LOG_TIME))
                ids = set(fresh["query_id"].filter(here).to_pylist())
                same = before is not None and before.ended_at == position.ended_at
                at_position = at_position | ids if same else ids
                yield fresh
            return
        except BrokenRead:
            if not fresh_count:
                raise


LOG_TIME = LOG_SCHEMA.field("ended_at").type


def _without(batch: pa.RecordBatch, query_ids: set[str]) -> pa.RecordBatch:
    known = pc.is_in(batch["query_id"], value_set=pa.array(sorted(query_ids), pa.string()))
    return batch.filter(pc.invert(known))


def secret_value(secret: Secret | None) -> str:
    """A secret's value; empty where none is set up."""
    return secret.value() if secret else ""


def without_secrets(text: str, *secrets: Secret | None) -> str:
    """A message of a driver, safe to show: any value of these secrets is replaced."""
    for secret in secrets:
        try:
            value = secret_value(secret)
        except UnsetVariable:
            continue
        if value:
            text = text.replace(value, "***")
    return text
