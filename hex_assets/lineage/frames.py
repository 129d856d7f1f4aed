"""Grouping of Arrow columns by numpy: what Arrow's own group_by lacks (lists, latest row)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Numbers = np.ndarray[Any, np.dtype[np.int64]]


def codes(column: pa.Array | pa.ChunkedArray) -> tuple[Numbers, pa.Array]:
    """Each value's number and the distinct values; null is a value like others."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    encoded = pc.dictionary_encode(column, null_encoding="encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary


def group(columns: Sequence[pa.Array | pa.ChunkedArray]) -> tuple[Numbers, int]:
    """The group of each row by equal values in all columns, and how many groups there are."""
    combined: Numbers = np.zeros(len(columns[0]), dtype=np.int64)
    count = 1
    for column in columns:
        numbers, values = codes(column)
        if len(values) <= 1:
            continue
        unique, combined = np.unique(combined * max(len(values), 1) + numbers, return_inverse=True)
        combined, count = combined.reshape(-1).astype(np.int64), len(unique)
    return combined, count if len(combined) else 0


def first_rows(groups: Numbers, count: int) -> Numbers:
    """The first row of each group."""
    rows = np.zeros(count, dtype=np.int64)
    rows[groups[::-1]] = np.arange(len(groups) - 1, -1, -1)
    return rows


def last_rows(groups: Numbers, count: int, order: Numbers) -> Numbers:
    """The row of each group that comes last in an order of all rows."""
    rows = np.zeros(count, dtype=np.int64)
    rows[groups[order]] = order
    return rows


def lists(
    groups: Numbers, column: pa.Array | pa.ChunkedArray, count: int, limit: int | None = None
) -> pa.Array:
    """The sorted distinct values of each group, without nulls; at most `limit` of them."""
    numbers, values = codes(column)
    order = pc.sort_indices(values).to_numpy(zero_copy_only=False)
    rank = np.empty(len(values), dtype=np.int64)
    rank[order] = np.arange(len(values))
    keep = ~values.is_null().to_numpy(zero_copy_only=False)[numbers] if len(values) else numbers > 0
    width = max(len(values), 1)
    pairs = np.sort(groups[keep] * width + rank[numbers[keep]])
    # numpy 2.3's np.unique hashes before it sorts, which takes ten times as long.
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    owners, ranks = pairs // width, pairs % width
    sizes = np.bincount(owners, minlength=count).astype(np.int64)
    if limit is not None:
        position = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        ranks = ranks[position < limit]
        sizes = np.minimum(sizes, limit)
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
    items = values.take(pa.array(order[ranks])) if len(values) else pa.array([], pa.string())
    return pa.ListArray.from_arrays(offsets, items.cast(pa.string()))


def flatten(column: pa.Array | pa.ChunkedArray, groups: Numbers) -> tuple[Numbers, pa.Array]:
    """All items of a list column, each with the group of its row."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    sizes = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    return np.repeat(groups, sizes), pc.list_flatten(column)
