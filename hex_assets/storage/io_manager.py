"""The Parquet IO manager: a mapping of day to table, for one partition or a range of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dagster as dg
import pyarrow as pa

from hex_assets.storage.store import DayTables, TableStore


@dataclass(frozen=True)
class BatchStream:
    """A day whose rows are too many for memory: written batch by batch, as they come."""

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]


DayOutput = Mapping[str, "pa.Table | BatchStream"]
"""What an asset returns: for each of its run's days one table or stream."""


class ParquetIOManager(dg.ConfigurableIOManager):
    """Stores `{day: table}` as one Parquet file a day and loads it lazily as `DayTables`.

    Works for single partitions and for ranges (`BackfillPolicy.single_run()`), writes empty days
    with their schema, and replaces a day in one step.
    """

    path: str

    @property
    def store(self) -> TableStore:
        """The store that this IO manager reads and writes."""
        return TableStore(self.path)

    def handle_output(self, context: dg.OutputContext, obj: DayOutput) -> None:
        """Write every day of the run.

        Raises:
            ValueError: the days returned are not the run's days.
        """
        days = list(context.asset_partition_keys)
        if sorted(obj) != sorted(days):
            raise ValueError(
                f"{context.asset_key.to_user_string()} returned the days {sorted(obj)}, "
                f"but the run is for {sorted(days)}"
            )
        for day in days:
            value = obj[day]
            if isinstance(value, pa.Table):
                value = BatchStream(value.schema, value.to_batches(max_chunksize=50_000))
            self.store.write(context.asset_key.path, day, value.batches, value.schema)

    def load_input(self, context: dg.InputContext) -> DayTables:
        """Give the upstream's days of this run; each is read when it is asked for."""
        return DayTables(self.store, context.asset_key.path, list(context.asset_partition_keys))
