"""Rows of a query log: what Hex's comment says is put beside each of them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hex_assets.lineage.comment import ABSENT, CUT, HexComment, parse_comment
from hex_assets.lineage.fingerprint import statement_id
from hex_assets.tables import QUERY_LOG, UTC_TIME

_FIELDS = (
    "project_id",
    "project_name",
    "cell_id",
    "context",
    "user_email",
    "connection",
    "trace_id",
)


def annotate(log: pa.Table | pa.RecordBatch) -> pa.Table:
    """Add comment, project, cell, context, user, connection, trace and statement id to log rows.

    Args:
        log: rows with text and dialect, and default_catalog, default_schema, truncated if known.

    Returns:
        The same rows in the same order with the tag columns of `tables.QUERY_LOG`.
    """
    return annotate_with_sql(log)[0]


def annotate_with_sql(log: pa.Table | pa.RecordBatch) -> tuple[pa.Table, pa.Array]:
    """`annotate`, and each row's SQL without the comment, so that a text is read only once."""
    table = pa.Table.from_batches([log]) if isinstance(log, pa.RecordBatch) else log
    rows = table.num_rows
    comments: list[HexComment] = []
    identities: list[str] = []
    nothing: list[Any] = [None] * rows
    truncated = _values(table, "truncated") or [False] * rows
    for text, dialect, catalog, schema, cut in zip(
        table["text"].to_pylist(),
        table["dialect"].to_pylist(),
        _values(table, "default_catalog") or nothing,
        _values(table, "default_schema") or nothing,
        truncated,
        strict=True,
    ):
        comment = parse_comment(text, dialect)
        if cut and comment.status == ABSENT:
            comment = HexComment(CUT, comment.sql)  # a cut text loses its end, where Hex writes
        comments.append(comment)
        identities.append(statement_id(comment.sql, dialect, catalog, schema))
    columns: dict[str, pa.Array] = {"comment": pa.array([c.status for c in comments], pa.string())}
    for name in _FIELDS:
        columns[name] = pa.array([getattr(c, name) for c in comments], pa.string())
    columns["statement_id"] = pa.array(identities, pa.string())
    for name, values in columns.items():
        field = QUERY_LOG.schema.field(name)
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), field, values)
        else:
            table = table.append_column(field, values)
    return table, pa.array([comment.sql for comment in comments], pa.string())


def _values(table: pa.Table, name: str) -> list[Any] | None:
    return table[name].to_pylist() if name in table.column_names else None


def complete(
    rows: pa.Table, *, dialect: str | None = None, warehouse: str = "warehouse"
) -> pa.Table:
    """Fill the columns that rows from elsewhere lack, so that they are a query log.

    Raises:
        ValueError: text is missing, or the dialect is neither a column nor given.
    """
    names = rows.column_names
    if "text" not in names:
        raise ValueError(f"queries need a column `text` with the SQL; they have {', '.join(names)}")
    if "dialect" not in names and dialect is None:
        raise ValueError("queries have no column `dialect`: give it, such as dialect='snowflake'")
    count = rows.num_rows
    defaults: dict[str, pa.Array] = {
        "warehouse": pa.array([warehouse] * count),
        "dialect": pa.array([dialect] * count, pa.string()),
        "query_id": pa.array([str(number) for number in range(count)], pa.string()),
        "ended_at": pa.array([datetime.fromtimestamp(0, timezone.utc)] * count, UTC_TIME),
        "status": pa.array(["unknown"] * count, pa.string()),
        "truncated": pa.array([False] * count, pa.bool_()),
    }
    arrays = []
    for field in QUERY_LOG.schema:
        if field.name in names:
            column = rows[field.name]
            if pa.types.is_timestamp(column.type) and column.type.tz is None:
                column = pc.assume_timezone(column, "UTC")
            column = column.cast(field.type, safe=not pa.types.is_timestamp(column.type))
            if field.name in defaults and column.null_count:
                column = pc.coalesce(column, defaults[field.name])
            arrays.append(column)
        else:
            arrays.append(defaults.get(field.name, pa.nulls(count, field.type)))
    return pa.table(arrays, names=QUERY_LOG.schema.names)
