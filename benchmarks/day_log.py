"""A generated day of a query log: every edge against its truth, rows a second, memory, ratio.

    python benchmarks/day_log.py                               # the three readings below
    python benchmarks/day_log.py --rows 1000000 --shapes 5000

One row in five is Hex's. A shape is a statement of Hex's that differs by more than its literals.
Every row has literals and a trace id of its own, so no two texts are equal. The same arguments
give the same day. It is written to Parquet, and its edges are derived in a fresh process, once
without results of other days and once with those of the day before; the best of `--repeat`
counts, as the machine has other work too.

"1,000 shapes per 10,000 rows" has two readings: 1,000 shapes of all rows, so 200 of Hex's 2,000;
or 1,000 of Hex's 2,000. In the second every other text is new, and the SQL engine's 0.5 to 1 ms
for a new statement are the cost. A process pool is left out: importing the engine takes a worker
as long as 1,000 statements (measured on a busy machine: 1.1 s of CPU each), so it pays only for a
first day with many thousands of shapes; every later day takes its results from the day before.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta, timezone
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import NamedTuple
from uuid import UUID

import click
import pyarrow as pa
import pyarrow.parquet as pq

from hex_assets.lineage import derive_edges

LOG = pa.schema(
    [
        ("text", pa.string()),
        ("query_id", pa.string()),
        ("ended_at", pa.timestamp("us", tz="UTC")),
        ("status", pa.string()),
    ]
)
START = datetime(2026, 11, 22, tzinfo=timezone.utc)
Truth = dict[tuple[str, str, str], tuple[int, datetime]]
"""(project, table, direction) -> executions, completion of the last."""


class Shape(NamedTuple):
    """A statement's template with its truth."""

    template: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    project: str
    cell: str


def shapes(random: Random, count: int) -> list[Shape]:
    """Templates as people write them: joins, CTEs, aggregates, inserts, creates."""
    made = []
    for number in range(count):
        a, b, c = (f"shop.t{random.randrange(400)}_{part}" for part in "abc")
        project, cell = (str(UUID(int=random.getrandbits(128))) for _ in range(2))
        kind = number % 5
        select = (
            f"SELECT o.customer_{number}, sum(o.amount) AS total, max(i.price) AS top_price\n"
            f"FROM {a} AS o JOIN {b} AS i ON o.item_id = i.id\n"
            "WHERE o.region = '{text}' AND o.amount > {number} AND i.kind IN ('a', '{text}')\n"
            f"GROUP BY o.customer_{number}"
        )
        writes: tuple[str, ...] = ()
        reads: tuple[str, ...] = (a, b)
        if kind == 1:
            select = (
                f"SELECT x.id, x.v{number} FROM {a} x WHERE x.day >= '{{text}}' LIMIT {{number}}"
            )
            reads = (a,)
        elif kind == 2:
            select = (
                f"WITH base AS (SELECT id, v{number} FROM {a} WHERE k = '{{text}}')\n"
                f"SELECT base.id, d.name FROM base LEFT JOIN {c} d ON d.id = base.id\n"
                "ORDER BY base.id"
            )
            reads = (a, c)
        elif kind == 3 and number % 10 == 3:
            writes = (f"shop.out_{number}",)
            select = f"INSERT INTO {writes[0]}\n{select}"
        made.append(Shape(select, reads, writes, project, cell))
    return made


def batches(
    rows: int, shape_count: int, truth: Truth, seed: int = 7, batch_rows: int = 50_000
) -> Iterator[pa.RecordBatch]:
    """A day's log; its true edges are added to `truth`. Each shape runs if the rows suffice."""
    random = Random(seed)
    known = shapes(random, shape_count)
    for start in range(0, rows, batch_rows):
        numbers = range(start, min(start + batch_rows, rows))
        times = [START + timedelta(microseconds=n * 86_000_000_000 // rows) for n in numbers]
        made = [
            _row(random, known, number, ended_at, truth)
            for number, ended_at in zip(numbers, times, strict=True)
        ]
        texts, statuses = zip(*made, strict=True)
        yield pa.RecordBatch.from_arrays(
            [
                pa.array(texts),
                pa.array([f"q{number}" for number in numbers]),
                pa.array(times, LOG.field("ended_at").type),
                pa.array(statuses),
            ],
            schema=LOG,
        )


def _row(
    random: Random, known: list[Shape], number: int, ended_at: datetime, truth: Truth
) -> tuple[str, str]:
    """Text and status of a row."""
    if number % 5:
        return f"SELECT count(*) FROM shop.other WHERE id = {number}", "success"
    sent = number // 5
    shape = known[sent % len(known)]
    failed = sent % 97 == 96
    comment = {
        "categories": ["Finance"],
        "cell_type": "SQL",
        "connection": "warehouse",
        "context": random.choice(("APP_VIEW", "SCHEDULED_RUN")),
        "project_id": shape.project,
        "project_name": 'Weekly {KPI} "board"',
        "project_url": f"https://app.hex.tech/acme/hex/{shape.project}/draft/logic"
        f"?selectedCellId={shape.cell}",
        "status": "Approved",
        "trace_id": f"{random.getrandbits(128):032x}",
        "user_email": f"person{random.randrange(50)}@example.com",
    }
    sql = shape.template.format(text=f"v{number}", number=number)
    if not failed:
        touched = [(table, "read") for table in set(shape.reads)]
        touched += [(table, "write") for table in shape.writes]
        for table, direction in touched:
            key = (shape.project, table, direction)
            truth[key] = (truth.get(key, (0, ended_at))[0] + 1, ended_at)
    text = f"{sql}\n-- Hex query metadata: {json.dumps(comment)}"
    return text, "failed" if failed else "success"


def day(rows: int, shape_count: int, seed: int = 7) -> tuple[pa.Table, Truth]:
    """A day's log and its true edges."""
    truth: Truth = {}
    return pa.Table.from_batches(batches(rows, shape_count, truth, seed), LOG), truth


def differences(edges: pa.Table, truth: Truth) -> list[str]:
    """Edges that differ from the truth, in words; none when all is right."""
    found = {
        (row["project_id"], row["table"], row["direction"]): (
            row["query_count"],
            row["last_seen_at"],
        )
        for row in edges.to_pylist()
        if row["column"] is None
    }
    return [
        f"{key}: {found.get(key)} instead of {truth.get(key)}"
        for key in sorted(found.keys() | truth.keys())
        if found.get(key) != truth.get(key)
    ]


class Measured(NamedTuple):
    """What deriving a day took in a fresh process."""

    seconds: float
    cpu_seconds: float
    seconds_with_kept_results: float
    peak_mib: int


def derive(path: str, edges_path: str, repeat: int) -> Measured:
    """Derive the edges of a day; runs in a process of its own."""
    derive_edges(day(10, 2)[0], dialect="clickhouse")  # imports are no part of the figures
    first, cpu, second = [], [], []
    for _ in range(repeat):
        started, cpu_started = perf_counter(), process_time()
        edges = derive_edges(path, dialect="clickhouse")
        first.append(perf_counter() - started)
        cpu.append(process_time() - cpu_started)
    peak = peak_mib()
    pq.write_table(edges, edges_path)
    kept: dict[str, str] = {}
    derive_edges(path, dialect="clickhouse", cache=kept)
    for _ in range(repeat):
        started = perf_counter()
        derive_edges(path, dialect="clickhouse", cache=kept)
        second.append(perf_counter() - started)
    return Measured(min(first), min(cpu), min(second), peak)


def peak_mib() -> int:
    """The process's own peak; `ru_maxrss` of a child begins with its parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(item for item in status.read_text().splitlines() if "VmHWM" in item)
        return int(line.split()[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure(rows: int, shape_count: int, repeat: int) -> Measured:
    """Derive a day's edges, print what it took, and stop at a wrong edge."""
    truth: Truth = {}
    with TemporaryDirectory() as folder:
        log, found = f"{folder}/log.parquet", f"{folder}/edges.parquet"
        with pq.ParquetWriter(log, LOG) as writer:
            for batch in batches(rows, shape_count, truth):
                writer.write_batch(batch)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            took = fresh.submit(derive, log, found, repeat).result()
        edges = pq.read_table(found)
    wrong = differences(edges, truth)
    click.echo(
        f"{rows:>9,} rows {shape_count:>6,} shapes {took.seconds:7.2f} s "
        f"({took.cpu_seconds:.2f} s of CPU) "
        f"{rows / took.seconds:>9,.0f} rows/s; with yesterday's results "
        f"{took.seconds_with_kept_results:6.2f} s "
        f"{rows / took.seconds_with_kept_results:>9,.0f} rows/s; peak {took.peak_mib:,} MiB; "
        f"{edges.num_rows:,} edges, {len(truth):,} of tables, {len(wrong)} wrong"
    )
    if wrong:
        raise click.ClickException("edges differ from the truth: " + "; ".join(wrong[:3]))
    return took


READINGS = ((10_000, 200), (10_000, 1_000), (1_000_000, 5_000))


@click.command(help=__doc__)
@click.option("--rows", type=int, help="log rows; without it the three readings are measured")
@click.option("--shapes", "shape_count", default=200, show_default=True)
@click.option("--double/--no-double", default=True, help="also twice the rows at the same shapes")
@click.option("--repeat", default=3, show_default=True, help="runs; the best counts")
def main(rows: int | None, shape_count: int, double: bool, repeat: int) -> None:
    """Command line."""
    for row_count, shapes_ in [(rows, shape_count)] if rows else READINGS:
        times = 1 if row_count > 200_000 else repeat
        one = measure(row_count, shapes_, times)
        if double:
            two = measure(2 * row_count, shapes_, times)
            click.echo(
                f"twice the rows: {two.seconds / one.seconds:.2f} x the time, "
                f"{two.cpu_seconds / one.cpu_seconds:.2f} x the CPU time"
            )


if __name__ == "__main__":
    main()
