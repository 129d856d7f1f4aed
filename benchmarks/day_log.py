"""A generated day of a query log: every edge against its truth, rows a second, memory, ratio.

    python benchmarks/day_log.py --rows 10000 --shapes 1000
    python benchmarks/day_log.py --rows 1000000 --shapes 5000

One row in five is Hex's. A shape is a statement that differs by more than its literals. Every
row has literals and a trace id of its own. The same arguments give the same day.
"""

from __future__ import annotations

import json
import resource
from datetime import datetime, timedelta, timezone
from random import Random
from time import perf_counter
from typing import NamedTuple
from uuid import UUID

import click
import pyarrow as pa

from hex_assets.lineage import derive_edges

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


def day(rows: int, shape_count: int, seed: int = 7) -> tuple[pa.Table, Truth]:
    """A day's log and its true edges; each shape runs at least once if the rows suffice."""
    random = Random(seed)
    known = shapes(random, shape_count)
    texts, ids, times, statuses = [], [], [], []
    truth: Truth = {}
    sent = 0
    for number in range(rows):
        ended_at = START + timedelta(microseconds=number * 86_000_000_000 // rows)
        status = "success"
        if number % 5:
            texts.append(f"SELECT count(*) FROM shop.other WHERE id = {number}")
        else:
            shape = known[sent % shape_count]
            failed = sent % 97 == 96
            sent += 1
            status = "failed" if failed else "success"
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
            texts.append(f"{sql}\n-- Hex query metadata: {json.dumps(comment)}")
            if not failed:
                touched = [(table, "read") for table in set(shape.reads)]
                touched += [(table, "write") for table in shape.writes]
                for table, direction in touched:
                    key = (shape.project, table, direction)
                    truth[key] = (truth.get(key, (0, ended_at))[0] + 1, ended_at)
        ids.append(f"q{number}")
        times.append(ended_at)
        statuses.append(status)
    table = pa.table(
        {
            "text": texts,
            "query_id": ids,
            "ended_at": pa.array(times, pa.timestamp("us", tz="UTC")),
            "status": statuses,
        }
    )
    return table, truth


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


def measure(rows: int, shape_count: int) -> float:
    """Derive a day's edges, print what it took, and stop at a wrong edge; seconds."""
    log, truth = day(rows, shape_count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    started = perf_counter()
    edges = derive_edges(log, dialect="clickhouse")
    seconds = perf_counter() - started
    wrong = differences(edges, truth)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    click.echo(
        f"{rows:>9,} rows {shape_count:>6,} shapes {seconds:7.2f} s {rows / seconds:>9,.0f} rows/s "
        f"peak {peak:,} MiB ({before:,} with the log alone) {edges.num_rows:,} edges, "
        f"{len(truth):,} of tables, {len(wrong)} wrong"
    )
    if wrong:
        raise click.ClickException("edges differ from the truth: " + "; ".join(wrong[:3]))
    return seconds


@click.command(help=__doc__)
@click.option("--rows", default=10_000, show_default=True)
@click.option("--shapes", "shape_count", default=200, show_default=True)
@click.option("--double/--no-double", default=True, help="also twice the rows at the same shapes")
def main(rows: int, shape_count: int, double: bool) -> None:
    """Command line."""
    derive_edges(day(10, 2)[0], dialect="clickhouse")  # imports are no part of the figures
    seconds = measure(rows, shape_count)
    if double:
        click.echo(f"twice the rows: {measure(2 * rows, shape_count) / seconds:.2f} x the time")


if __name__ == "__main__":
    main()
