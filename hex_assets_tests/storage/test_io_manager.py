"""Assets of single days and of ranges go through the IO manager in real Dagster runs."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from hex_assets.partitions import days as daily
from hex_assets.storage.io_manager import BatchStream, ParquetIOManager
from hex_assets.storage.store import DayTables, TableStore

DAYS = daily(date(2026, 1, 1))
SCHEMA = pa.schema([("day", pa.string())])
SINGLE_RUN = dg.BackfillPolicy.single_run()
RANGE = {
    "dagster/asset_partition_range_start": "2026-01-01",
    "dagster/asset_partition_range_end": "2026-01-03",
}


def stream(day: str) -> BatchStream:
    def batches() -> Iterator[pa.RecordBatch]:
        if day != "2026-01-02":  # an empty day
            yield pa.record_batch([[day]], schema=SCHEMA)

    return BatchStream(SCHEMA, batches())


@dg.asset(partitions_def=DAYS, backfill_policy=SINGLE_RUN, io_manager_key="tables")
def upstream(context: dg.AssetExecutionContext) -> dict[str, BatchStream]:
    return {day: stream(day) for day in context.partition_keys}


@dg.asset(partitions_def=DAYS, backfill_policy=SINGLE_RUN, io_manager_key="tables")
def downstream(context: dg.AssetExecutionContext, upstream: DayTables) -> dict[str, pa.Table]:
    return {day: upstream[day] for day in context.partition_keys}


def run(tmp_path: Path, **how: object) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [upstream, downstream],
        resources={"tables": ParquetIOManager(path=str(tmp_path))},
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
        **how,  # type: ignore[arg-type]
    )


def test_a_range_run_stores_every_day_with_an_empty_one_among_them(tmp_path: Path) -> None:
    assert run(tmp_path, tags=RANGE).success
    store = TableStore(str(tmp_path))
    for asset in ("upstream", "downstream"):
        assert store.days([asset]) == ["2026-01-01", "2026-01-02", "2026-01-03"]
        assert store.read([asset], "2026-01-01")["day"].to_pylist() == ["2026-01-01"]
        assert store.read([asset], "2026-01-02").num_rows == 0


def test_a_single_day_touches_no_other_day(tmp_path: Path) -> None:
    assert run(tmp_path, partition_key="2026-01-03").success
    assert TableStore(str(tmp_path)).days(["downstream"]) == ["2026-01-03"]


def test_an_asset_that_returns_the_wrong_days_fails_and_says_which(tmp_path: Path) -> None:
    @dg.asset(partitions_def=DAYS, backfill_policy=SINGLE_RUN, io_manager_key="tables")
    def wrong() -> dict[str, pa.Table]:
        return {"2026-01-05": SCHEMA.empty_table()}

    with pytest.raises(ValueError, match=r"wrong returned the days \['2026-01-05'\]"):
        dg.materialize(
            [wrong],
            partition_key="2026-01-01",
            resources={"tables": ParquetIOManager(path=str(tmp_path))},
            instance=dg.DagsterInstance.ephemeral(),
        )
