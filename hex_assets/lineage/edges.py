"""Edges: which project and cell reads and writes which table and column, how often, since when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from hex_assets.lineage.outcome import TableItem, UseItem, WriteItem
from hex_assets.lineage.resolve import Catalog
from hex_assets.lineage.statements import (
    Analyst,
    Defaults,
    Services,
    collected_rarely,
    distinct,
)
from hex_assets.tables import EDGES, QUERY_LOG

_KEY = EDGES.key
_STATEMENT_IDS = 20
_RUN_KEY = ("warehouse", "lineage", "project_id", "cell_id")
_RUN_VALUES = ("statement_id", "ended_at", "query_id", "user_email", "context", "status")
_SETS = (
    *("usage", "output_columns", "source_columns", "users", "contexts", "statement_ids"),
    "evidence",
)


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
    with collected_rarely():
        known = catalog if isinstance(catalog, Catalog) else Catalog(catalog)
        analyst = Analyst(known, services, defaults or {}, cache)
        runs: list[pa.Table] = []
        for rows in _hex_rows(queries):
            log, sql = annotate_with_sql(complete(rows, dialect=dialect, warehouse=warehouse))
            groups, sample, texts = distinct(log, sql)
            numbers = np.array(analyst.numbers(sample, texts), dtype=np.int64)[groups]
            runs.append(_runs(log.append_column("lineage", pa.array(numbers))))
            if len(runs) >= _FOLD_AFTER:
                runs = [_fold_runs(runs)]
        if not runs:
            return EDGES.empty()
        results = analyst.results
        return _edges(
            _fold_runs(runs),
            [(found.tables, found.uses, found.written, found.status) for found in results],
        )


# Hex's rows that are handled at once: enough to make numpy pay, few enough to hold their texts.
_BATCH_ROWS = 16_384
_FOLD_AFTER = 32


def _hex_rows(queries: pd.DataFrame | pa.Table | str | Path) -> Iterator[pa.Table]:
    """Rows with Hex's label, some thousand at a time; at least one table, be it empty."""
    waiting: list[pa.Table] = []
    count = 0
    for rows in _scanned(queries):
        waiting.append(rows)
        count += rows.num_rows
        if count >= _BATCH_ROWS:
            yield pa.concat_tables(waiting)
            waiting, count = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def _scanned(queries: pd.DataFrame | pa.Table | str | Path) -> Iterator[pa.Table]:
    if isinstance(queries, (str, Path)):
        # Without these options a whole row group is held in memory, decoded.
        options = ds.ParquetFragmentScanOptions(use_buffered_stream=True, pre_buffer=False)
        form = ds.ParquetFileFormat(default_fragment_scan_options=options)
        data = ds.dataset(queries, format=form)
        names = [name for name in QUERY_LOG.schema.names if name in data.schema.names]
        if "text" not in names:
            yield data.schema.empty_table()  # what is missing is named where rows are completed
            return
        yield data.schema.empty_table().select(names)
        scanner = data.scanner(
            columns=names,
            filter=pc.match_substring(ds.field("text"), LABEL),
            batch_size=_BATCH_ROWS,
            batch_readahead=2,
            fragment_readahead=1,
        )
        for batch in scanner.to_batches():
            yield pa.Table.from_batches([batch])
        return
    table = (
        pa.Table.from_pandas(queries, preserve_index=False)
        if isinstance(queries, pd.DataFrame)
        else queries
    )
    yield table.slice(0, 0)
    for batch in table.to_batches(max_chunksize=4 * _BATCH_ROWS):
        rows = pa.Table.from_batches([batch])
        if "text" in rows.column_names:
            rows = rows.filter(pc.match_substring(rows["text"].cast(pa.string()), LABEL))
        yield rows


def edges_of(log: pa.Table, statements: pa.Table) -> pa.Table:
    """Edges of log rows whose statements are derived; failed executions make none.

    Args:
        log: rows of `tables.QUERY_LOG` with its tag columns.
        statements: `derive_statements` of the same rows.
    """
    if log.num_rows == 0 or statements.num_rows == 0:
        return EDGES.empty()
    numbers, lineages = frames.codes(statements["lineage_id"])
    row = pa.table(
        {"warehouse": statements["warehouse"], "statement_id": statements["statement_id"]}
    ).append_column("lineage", pa.array(numbers))
    names = [name for name in (*_RUN_KEY, *_RUN_VALUES) if name != "lineage"]
    log = log.select(names).join(row, ["warehouse", "statement_id"], join_type="inner")
    firsts = statements.take(pa.array(frames.first_rows(numbers, len(lineages))))
    columns = [firsts[name].to_pylist() for name in ("tables", "uses", "written_columns", "status")]
    lineage = [
        (
            [TableItem(**item) for item in tables],
            [UseItem(**item) for item in uses],
            [WriteItem(**item) for item in written or ()],
            status,
        )
        for tables, uses, written, status in zip(*columns, strict=True)
    ]
    return _edges(_runs(log), lineage)


Lineage = tuple[Sequence[TableItem], Sequence[UseItem], Sequence[WriteItem], str]
"""Tables, uses, written columns and status of a result."""


def _edges(runs: pa.Table, lineages: Sequence[Lineage]) -> pa.Table:
    """Each execution's project and cell with each table and column of its statement."""
    items = _items(lineages)
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
    rows = pa.table(columns)
    if rows.num_rows == 0:
        return EDGES.empty()
    folded = _fold(rows, _KEY, ("table_fqn",), _SETS)
    return folded.select(EDGES.schema.names).cast(EDGES.schema)


def merge_edges(tables: Iterable[pa.Table]) -> pa.Table:
    """The edges of many days as one frame: counts summed, lists united, the latest sample."""
    rows = pa.concat_tables([EDGES.empty(), *(EDGES.conform(table) for table in tables)])
    if rows.num_rows == 0:
        return rows
    folded = _fold(rows, _KEY, ("table_fqn",), _SETS)
    return folded.select(EDGES.schema.names).cast(EDGES.schema)


def _runs(log: pa.Table) -> pa.Table:
    """Executions folded to warehouse x lineage x project x cell; failed ones read nothing."""
    log = log.filter(pc.and_(pc.is_valid(log["project_id"]), pc.not_equal(log["status"], "failed")))
    groups, count = frames.group([log[name] for name in _RUN_KEY])
    ended = log["ended_at"].cast(pa.int64()).to_numpy()
    order = np.argsort(ended, kind="stable")
    last = pa.array(frames.last_rows(groups, count, order))
    first = pa.array(frames.last_rows(groups, count, order[::-1]))
    keys = {name: log[name].take(last) for name in _RUN_KEY}
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


def _fold_runs(runs: list[pa.Table]) -> pa.Table:
    rows = pa.concat_tables(runs)
    return _fold(rows, _RUN_KEY, (), ("users", "contexts", "statement_ids"))


def _items(lineages: Sequence[Lineage]) -> pa.Table:
    """A row for each table and column of each lineage, in the lineages' order."""
    rows: list[tuple[Any, ...]] = []
    nothing: tuple[str, ...] = ()
    for number, (tables, uses, written, status) in enumerate(lineages):
        partial = status == "partial"
        bases = {}
        for item in tables:
            base = (number, partial, item.table, item.fqn, item.direction, item.evidence)
            rows.append((*base, None, nothing, nothing, nothing))
            bases[item.table, item.direction] = base
        for use in uses:
            if known := bases.get((use.table, "read")):
                rows.append((*known, use.column, use.usage, use.output_columns, nothing))
        for target in written:
            if known := bases.get((target.table, "write")):
                rows.append((*known, target.column, nothing, nothing, target.sources))
    names = ("table", "table_fqn", "direction", "evidence", "column", "usage", "output_columns")
    fields = [pa.field("lineage", pa.int64()), pa.field("partial", pa.bool_())]
    fields += [EDGES.schema.field(n).with_nullable(True) for n in (*names, "source_columns")]
    columns = zip(*rows, strict=True) if rows else [()] * len(fields)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, fields, strict=True)]
    return pa.table(arrays, schema=pa.schema(fields))


def _fold(
    rows: pa.Table, key: Sequence[str], latest: Sequence[str], sets: Sequence[str]
) -> pa.Table:
    """Rows of one key as one: counts summed, lists united, the rest from the latest."""
    rows = rows.combine_chunks()
    groups, count = frames.group([rows[name] for name in key])
    last_seen = rows["last_seen_at"].cast(pa.int64()).to_numpy()
    first_seen = rows["first_seen_at"].cast(pa.int64()).to_numpy()
    last = pa.array(frames.last_rows(groups, count, np.argsort(last_seen, kind="stable")))
    first = pa.array(frames.last_rows(groups, count, np.argsort(first_seen, kind="stable")[::-1]))
    counts = np.zeros(count, dtype=np.int64)
    np.add.at(counts, groups, rows["query_count"].to_numpy())
    columns: dict[str, Any] = {name: rows[name].take(last) for name in (*key, *latest)}
    columns["query_count"] = pa.array(counts)
    columns["first_seen_at"] = rows["first_seen_at"].take(first)
    columns["last_seen_at"] = rows["last_seen_at"].take(last)
    columns["sample_query_id"] = rows["sample_query_id"].take(last)
    if "partial" in rows.column_names:
        partial = np.zeros(count, dtype=bool)
        np.logical_or.at(partial, groups, rows["partial"].to_numpy(zero_copy_only=False))
        columns["partial"] = pa.array(partial)
    for name in sets:
        owners, values = frames.flatten(rows[name], groups)
        limit = _STATEMENT_IDS if name == "statement_ids" else None
        columns[name] = frames.lists(owners, values, count, limit)
    return pa.table(columns)
