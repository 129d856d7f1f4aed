"""Edges: which project and cell reads and writes which table and column, how often, since when."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from hex_assets.lineage import frames
from hex_assets.lineage.cache import CacheStore
from hex_assets.lineage.comment import LABEL
from hex_assets.lineage.log import annotate_with_sql, complete
from hex_assets.lineage.resolve import Catalog
from hex_assets.lineage.statements import Defaults, Services, derive_statements
from hex_assets.tables import EDGES

_KEY = EDGES.key
_STATEMENT_IDS = 20
_SETS = ("usage", "output_columns", "users", "contexts", "statement_ids", "evidence")


def derive_edges(
    queries: pd.DataFrame | pa.Table | str | Path,
    catalog: pa.Table | Catalog | None = None,
    *,
    dialect: str | None = None,
    warehouse: str = "warehouse",
    services: Services = None,
    defaults: Defaults | None = None,
    cache: CacheStore | None = None,
) -> pa.Table:
    """Edges from log rows, as `tables.EDGES`; needs no Dagster.

    Args:
        queries: a frame, or a Parquet file or folder of rows with `text` and any other columns of
            `tables.QUERY_LOG`. Rows without Hex's label are not Hex's and are left out.
        catalog: frame of `tables.CATALOG_TABLES`, for resolving names and expanding stars.
        dialect: sqlglot's dialect, where the rows have no such column.
        warehouse: its name, where the rows have no such column.
        services: database services to resolve in, for all warehouses or by warehouse.
        defaults: namespace of unqualified names where the log tells none, by warehouse.
        cache: results of other days.

    Raises:
        ValueError: the rows lack `text`, or the dialect is unknown.
        FileNotFoundError: the path does not exist.
    """
    log = complete(_hex_rows(queries), dialect=dialect, warehouse=warehouse)
    log, sql = annotate_with_sql(log)
    statements = derive_statements(
        log, catalog, services=services, defaults=defaults, cache=cache, sql=sql
    )
    return edges_of(log, statements)


def _hex_rows(queries: pd.DataFrame | pa.Table | str | Path) -> pa.Table:
    if isinstance(queries, (str, Path)):
        data = ds.dataset(queries, format="parquet")
        if "text" in data.schema.names:
            return data.to_table(filter=pc.match_substring(ds.field("text"), LABEL))
        return data.to_table()
    rows = (
        pa.Table.from_pandas(queries, preserve_index=False)
        if isinstance(queries, pd.DataFrame)
        else queries
    )
    if "text" in rows.column_names:
        rows = rows.filter(pc.match_substring(rows["text"].cast(pa.string()), LABEL))
    return rows


def edges_of(log: pa.Table, statements: pa.Table) -> pa.Table:
    """Edges of log rows whose statements are derived; failed executions make none.

    Args:
        log: rows of `tables.QUERY_LOG` with its tag columns.
        statements: `derive_statements` of the same rows.
    """
    used = pc.and_(pc.is_valid(log["project_id"]), pc.not_equal(log["status"], "failed"))
    log = log.filter(used)
    if log.num_rows == 0 or statements.num_rows == 0:
        return EDGES.empty()
    numbers, lineages = frames.codes(statements["lineage_id"])
    row = pa.table(
        {"warehouse": statements["warehouse"], "statement_id": statements["statement_id"]}
    ).append_column("lineage", pa.array(numbers))
    log = log.select(
        [
            *("warehouse", "statement_id", "project_id", "cell_id", "ended_at", "query_id"),
            *("user_email", "context"),
        ]
    ).join(row, ["warehouse", "statement_id"], join_type="inner")
    runs = _runs(log)
    items = _items(statements.take(pa.array(frames.first_rows(numbers, len(lineages)))))
    owner = items["lineage"].to_numpy()  # sorted: items follow the lineages' order
    first = np.searchsorted(owner, np.arange(len(lineages)))
    size = np.bincount(owner, minlength=len(lineages))
    wanted = runs["lineage"].to_numpy()
    repeats = size[wanted]
    run_rows = np.repeat(np.arange(len(wanted)), repeats)
    step = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    left = runs.take(pa.array(run_rows))
    right = items.take(pa.array(first[wanted[run_rows]] + step))
    columns = {name: left[name] for name in left.column_names if name != "lineage"}
    columns.update({name: right[name] for name in right.column_names if name != "lineage"})
    return _fold(pa.table(columns))


def merge_edges(tables: Iterable[pa.Table]) -> pa.Table:
    """The edges of many days as one frame: counts summed, lists united, the latest sample."""
    return _fold(pa.concat_tables([EDGES.empty(), *(EDGES.conform(table) for table in tables)]))


def _runs(log: pa.Table) -> pa.Table:
    """Executions folded to warehouse x lineage x project x cell."""
    groups, count = frames.group(
        [log[name] for name in ("warehouse", "lineage", "project_id", "cell_id")]
    )
    ended = log["ended_at"].cast(pa.int64()).to_numpy()
    order = np.argsort(ended, kind="stable")
    last = pa.array(frames.last_rows(groups, count, order))
    first = pa.array(frames.last_rows(groups, count, order[::-1]))
    keys = {
        name: log[name].take(last) for name in ("warehouse", "lineage", "project_id", "cell_id")
    }
    return pa.table(
        {
            **keys,
            "query_count": pa.array(np.bincount(groups, minlength=count)),
            "first_seen_at": log["ended_at"].take(first),
            "last_seen_at": log["ended_at"].take(last),
            "users": frames.lists(groups, log["user_email"], count),
            "contexts": frames.lists(groups, log["context"], count),
            "sample_query_id": log["query_id"].take(last),
            "statement_ids": frames.lists(groups, log["statement_id"], count, _STATEMENT_IDS),
        }
    )


def _items(lineages: pa.Table) -> pa.Table:
    """A row for each table and column of each lineage, in the lineages' order."""
    rows: list[dict[str, Any]] = []
    for number, (tables, uses, status) in enumerate(
        zip(*(lineages[n].to_pylist() for n in ("tables", "uses", "status")), strict=True)
    ):
        partial = status == "partial"
        read = {}
        for item in tables:
            base = {
                "lineage": number,
                "table": item["table"],
                "table_fqn": item["fqn"],
                "direction": item["direction"],
                "evidence": item["evidence"],
                "partial": partial,
            }
            rows.append({**base, "column": None, "usage": [], "output_columns": []})
            if item["direction"] == "read":
                read[item["table"]] = base
        rows.extend(
            {
                **read[use["table"]],
                "column": use["column"],
                "usage": use["usage"],
                "output_columns": use["output_columns"],
            }
            for use in uses
            if use["table"] in read
        )
    names = ("table", "table_fqn", "column", "direction", "usage", "output_columns", "evidence")
    fields = [pa.field("lineage", pa.int64()), pa.field("partial", pa.bool_())]
    fields += [EDGES.schema.field(name).with_nullable(True) for name in names]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def _fold(rows: pa.Table) -> pa.Table:
    if rows.num_rows == 0:
        return EDGES.empty()
    rows = rows.combine_chunks()
    groups, count = frames.group([rows[name] for name in _KEY])
    last_seen = rows["last_seen_at"].cast(pa.int64()).to_numpy()
    first_seen = rows["first_seen_at"].cast(pa.int64()).to_numpy()
    last = pa.array(frames.last_rows(groups, count, np.argsort(last_seen, kind="stable")))
    first = pa.array(frames.last_rows(groups, count, np.argsort(first_seen, kind="stable")[::-1]))
    counts = np.zeros(count, dtype=np.int64)
    np.add.at(counts, groups, rows["query_count"].to_numpy())
    partial = np.zeros(count, dtype=bool)
    np.logical_or.at(partial, groups, rows["partial"].to_numpy(zero_copy_only=False))
    columns: dict[str, Any] = {name: rows[name].take(last) for name in _KEY}
    columns["table_fqn"] = rows["table_fqn"].take(last)
    columns["query_count"] = pa.array(counts)
    columns["first_seen_at"] = rows["first_seen_at"].take(first)
    columns["last_seen_at"] = rows["last_seen_at"].take(last)
    columns["sample_query_id"] = rows["sample_query_id"].take(last)
    columns["partial"] = pa.array(partial)
    for name in _SETS:
        owners, values = frames.flatten(rows[name], groups)
        limit = _STATEMENT_IDS if name == "statement_ids" else None
        columns[name] = frames.lists(owners, values, count, limit)
    return pa.table([columns[field.name] for field in EDGES.schema], names=EDGES.schema.names).cast(
        EDGES.schema
    )
