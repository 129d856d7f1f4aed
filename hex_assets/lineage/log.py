"""Rows of a query log: what Hex's comment says is put beside each of them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hex_assets.lineage import frames
from hex_assets.lineage.comment import (
    ABSENT,
    CUT,
    FOUND,
    cell_in,
    clean_string,
    parse_comment,
    read_ordinary,
)
from hex_assets.lineage.fingerprint import statement_id
from hex_assets.tables import QUERY_LOG, UTC_TIME

_FIELDS = (
    "project_id",
    "project_name",
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
    places, namespaces = namespaces_of(table)
    dialects = [namespaces[place][0] for place in places]
    cut = _values(table, "truncated") or [False] * table.num_rows
    columns, sql = _read(table["text"].to_pylist(), dialects, cut)
    columns["statement_id"] = [
        statement_id(text, *namespaces[place]) for text, place in zip(sql, places, strict=True)
    ]
    for name, values in columns.items():
        field = QUERY_LOG.schema.field(name)
        array = _strings(values)
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), field, array)
        else:
            table = table.append_column(field, array)
    return table, pa.array(sql, pa.string())


Place = tuple[str, "str | None", "str | None"]
"""Dialect, default catalog and default schema."""


def namespaces_of(table: pa.Table) -> tuple[list[int], list[Place]]:
    """Each row's number in the distinct namespaces of a log, and these."""
    names = ("dialect", "default_catalog", "default_schema")
    known = [name for name in names if name in table.column_names]
    groups, count = frames.group([table[name] for name in known])
    firsts = table.select(known).take(pa.array(frames.first_rows(groups, count)))
    columns = [_values(firsts, name) or [None] * count for name in names]
    return groups.tolist(), list(zip(*columns, strict=True))


def _read(
    texts: list[str], dialects: list[str], cut: list[bool]
) -> tuple[dict[str, list[Any]], list[str]]:
    """Tag columns and the SQL of texts; `parse_comment` for all that is not ordinary."""
    tags: list[dict[str, Any]] = []
    sql: list[str] = []
    others: list[int] = []
    for number, text in enumerate(texts):
        ordinary = read_ordinary(text)
        if ordinary is None or clean_string(ordinary[1].get("project_id")) is None:
            others.append(number)
            ordinary = "", {}
        sql.append(ordinary[0])
        tags.append(ordinary[1])
    columns: dict[str, list[Any]] = {"comment": [FOUND] * len(texts)}
    for name in _FIELDS:
        columns[name] = [fields.get(name) for fields in tags]
    columns["cell_id"] = [
        cell_in(clean_string(fields.get("project_url")), FOUND) for fields in tags
    ]
    for number in others:
        comment = parse_comment(texts[number], dialects[number])
        absent = comment.status == ABSENT
        # A cut text loses its end, where Hex writes.
        columns["comment"][number] = CUT if absent and cut[number] else comment.status
        sql[number] = comment.sql
        for name in (*_FIELDS, "cell_id"):
            columns[name][number] = getattr(comment, name)
    return columns, sql


def _strings(values: list[Any]) -> pa.Array:
    """Strings that say something; null for anything else that a comment may hold."""
    try:
        array = pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        array = pa.array([clean_string(value) for value in values], pa.string())
    blank = pc.equal(pc.utf8_trim_whitespace(array), "")
    return pc.if_else(blank, None, array) if pc.any(blank).as_py() else array


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
