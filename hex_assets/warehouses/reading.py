"""What the sources share in reading: batches of bounded size, resuming, texts without secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from hex_assets.secret import Secret, UnsetVariable
from hex_assets.warehouses.base import (
    BATCH_ROWS,
    LOG_SCHEMA,
    Position,
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
