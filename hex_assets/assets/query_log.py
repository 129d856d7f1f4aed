"""`query_log/<warehouse>`: the executions that Hex sent to a warehouse, an asset each."""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from hex_assets import lineage
from hex_assets.assets.failures import told_plainly
from hex_assets.assets.metadata import definition_metadata
from hex_assets.assets.names import Names
from hex_assets.assets.retries import NETWORK_RETRIES
from hex_assets.partitions import day_bounds
from hex_assets.resources import WarehouseResource
from hex_assets.storage.io_manager import BatchStream
from hex_assets.storage.spool import Spool, first_of
from hex_assets.storage.store import TableStore
from hex_assets.tables import QUERY_LOG
from hex_assets.warehouses.base import LogSource, Position, Window, check_window

PROGRESS_SECONDS = 10.0
"""A long read tells how far it is this often."""


def query_log_asset(
    names: Names, days: dg.DailyPartitionsDefinition, warehouse: str, kind: str
) -> dg.AssetsDefinition:
    """The query log of one configured warehouse."""

    @dg.asset(
        key=names.query_log(warehouse),
        group_name="query_log",
        kinds={kind, "parquet"},
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=NETWORK_RETRIES,
        io_manager_key="tables",
        required_resource_keys={resource_key(warehouse), "table_store"},
        metadata=definition_metadata(QUERY_LOG),
        description=(
            f"Queries that Hex ran in the warehouse `{warehouse}`, from its own query log: the "
            "rows whose text ends in Hex's comment, and texts that the log cut. The window is the "
            "day of completion in UTC; a run again adds what came late and loses nothing."
        ),
    )
    def query_log(context: dg.AssetExecutionContext) -> dict[str, BatchStream]:
        resource: WarehouseResource = getattr(context.resources, resource_key(warehouse))
        store: TableStore = context.resources.table_store.store
        with told_plainly():
            source = resource.source()
            return {day: _read_day(context, source, store, day) for day in context.partition_keys}

    return query_log


def resource_key(warehouse: str) -> str:
    """The key of a warehouse's resource."""
    return f"warehouse_{warehouse}"


def _read_day(
    context: dg.AssetExecutionContext, source: LogSource, store: TableStore, day: str
) -> BatchStream:
    window = Window(*day_bounds(day))
    check_window(source, window, datetime.now(timezone.utc))
    key = context.asset_key.path
    spool = Spool(_spool_folder(context.run.run_id, source.name, day), QUERY_LOG.schema)
    counts = _fill(context, source, window, spool)
    stored = store.batches(key, day) if store.has(key, day) else iter(())
    context.add_asset_metadata(
        {
            "dagster/partition_row_count": spool.row_count,
            **{f"{name}_count": count for name, count in sorted(counts.items())},
            **{
                f"left_in_log/{name}": value
                for name, value in _known(asdict(source.losses(window))).items()
            },
        },
        partition_key=day,
    )
    return BatchStream(QUERY_LOG.schema, _upsert(spool, stored))


def _fill(
    context: dg.AssetExecutionContext, source: LogSource, window: Window, spool: Spool
) -> Counter[str]:
    """Stream the window into the spool, going on after what a broken try has stored."""
    last = spool.last_row("ended_at", "query_id")
    resume = Position(*last) if last else None  # type: ignore[arg-type]
    if resume:
        context.log.info(
            f"{source.name}: going on after {resume.ended_at} ({spool.row_count} rows)"
        )
    counts: Counter[str] = Counter(
        hex_query=0, cut_text=0, failed_query=0, marker_without_comment=0
    )
    started = told = time.monotonic()
    for batch in source.read(window, resume):
        rows = lineage.annotate(pa.Table.from_batches([batch]))
        usable = rows.filter(
            pc.or_(pc.is_in(rows["comment"], pa.array(["found", "cut"])), rows["truncated"])
        )
        counts["marker_without_comment"] += rows.num_rows - usable.num_rows
        counts["hex_query"] += pc.sum(pc.equal(usable["comment"], "found")).as_py() or 0
        counts["cut_text"] += pc.sum(usable["truncated"]).as_py() or 0
        counts["failed_query"] += pc.sum(pc.equal(usable["status"], "failed")).as_py() or 0
        for part in QUERY_LOG.conform(usable).to_batches():
            spool.append(part)
        if time.monotonic() - told >= PROGRESS_SECONDS:
            told = time.monotonic()
            rate = spool.row_count / (told - started)
            context.log.info(f"{source.name} {window}: {spool.row_count} rows, {rate:.0f} a second")
    spool.flush()
    context.log.info(
        f"{source.name} {window}: {counts['hex_query']} queries of Hex, "
        f"{counts['cut_text']} cut texts, in {time.monotonic() - started:.1f} s"
    )
    return counts


def _upsert(spool: Spool, stored: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows just read, then the stored ones that the log no longer has."""
    seen: set[str] = set()
    yield from spool.distinct("query_id", seen)
    for batch in stored:
        yield first_of(batch, "query_id", seen)
    spool.remove()


def _spool_folder(run_id: str, warehouse: str, day: str) -> Path:
    return Path(tempfile.gettempdir()) / f"hex_assets_{run_id}_{warehouse}_{day}"


def _known(
    values: dict[str, int | str | datetime | None],
) -> dict[str, int | str | dg.MetadataValue]:
    return {
        name: dg.MetadataValue.timestamp(value) if isinstance(value, datetime) else value
        for name, value in values.items()
        if value is not None
    }
