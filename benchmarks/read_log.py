"""A log of a million rows, one in five of Hex, read through a source and through the bare client.

    python benchmarks/read_log.py --source mariadb
    python benchmarks/read_log.py --source all --rows 1000000

Needs root and the Debian packages mariadb-server and postgresql-15. Each read is a process of its
own, for its peak memory; "bare" is the vendor's client with the very same statement, rows dropped.
"CPU" is the time of the client and of the server together, where the server is a process of its
own: what other work the machine has is not in it. The ratio that counts is that of the CPU there.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from hex_assets.warehouses.base import LogSource, Window
from hex_assets.warehouses.registry import warehouse_settings

DAY = Window(
    datetime(2026, 11, 22, tzinfo=timezone.utc), datetime(2026, 11, 23, tzinfo=timezone.utc)
)
PASSWORD = "benchmark"
LIMITS = {"mariadb": 15.0, "mysql8": 15.0, "clickhouse": 2.0, "postgres": 20.0}
"""Seconds that a read of 1,000,000 rows may take."""
RSS_LIMIT_MB = 300
RATIO_LIMIT = 1.3
FILLER = "sum(o.amount) AS total, max(i.price) AS top_price, " * 5
TEXT = (
    f"SELECT o.customer, {FILLER} count(*) AS n FROM shop.orders AS o JOIN shop.items AS i"
    " ON o.item_id = i.id WHERE o.region = ''north'' AND o.id > "
)
COMMENT = '-- Hex query metadata: {"project_id": "p", "trace_id": "'


@contextmanager
def mariadb(rows: int) -> Iterator[dict[str, Any]]:
    """The log in a table as MariaDB's own, CSV without an index."""
    from hex_assets_tests.servers.mariadb import running_mariadb

    with running_mariadb() as server:
        yield general_log(server, rows, f"SELECT {{row}} FROM seq_1_to_{rows}")


@contextmanager
def mysql8(rows: int) -> Iterator[dict[str, Any]]:
    """The same on MySQL 8, which `make test-engines` downloads."""
    from hex_assets_tests.servers.engines import MYSQL
    from hex_assets_tests.servers.mysql8 import running_mysql8

    if MYSQL.missing:
        raise click.ClickException(MYSQL.missing)
    numbers = f"SELECT 1 AS seq UNION ALL SELECT seq + 1 FROM numbers WHERE seq < {rows}"
    with running_mysql8(f"--cte-max-recursion-depth={rows + 1}") as server:
        yield general_log(
            server, rows, f"WITH RECURSIVE numbers AS ({numbers}) SELECT {{row}} FROM numbers"
        )


def general_log(server: Any, rows: int, select: str) -> dict[str, Any]:
    """Fill a log of one day in the server's own form; `select` gives a `row` for each `seq`."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_log_off = 1")
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute("CREATE DATABASE bench")
        cursor.execute("USE bench")  # where MariaDB looks for the sequence
        cursor.execute("CREATE TABLE bench.log LIKE mysql.general_log")
        cursor.execute(f"CREATE USER reader@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
        cursor.execute("GRANT SELECT ON bench.log TO reader@'127.0.0.1'")
        row = (
            "TIMESTAMP '2026-11-22 00:00:00' + INTERVAL"
            f" floor(seq * 86400e6 / {rows + 1}) MICROSECOND, 'hex[hex] @ localhost []',"
            f" seq MOD 50, 1, 'Query', CONCAT('{TEXT}', seq, IF(seq MOD 5 = 0,"
            f" CONCAT('\n{COMMENT}', seq, '\"}}'), ''))"
        )
        cursor.execute("INSERT INTO bench.log " + select.format(row=row))
    return {
        "server": server.pid,
        "type": "mysql",
        "host": "127.0.0.1",
        "port": server.port,
        "user": "reader",
        "password": {"env": "BENCH_PASSWORD"},
        "logTable": "bench.log",
    }


@contextmanager
def postgres(rows: int) -> Iterator[dict[str, Any]]:
    """A csvlog file behind file_fdw."""
    import psycopg

    from hex_assets_tests.servers.postgres import CSVLOG, running_postgres

    document = (Path(__file__).parents[1] / "docs/warehouses/postgres.md").read_text()
    foreign = document.split("```sql\n")[1].split("GRANT")[0]
    with running_postgres(CSVLOG | {"log_min_duration_statement": "-1"}) as server:
        with psycopg.connect(server.login, autocommit=True) as connection:
            path = server.folder / "data" / "bench.csv"
            nulls = ", ".join(["NULL"] * 8)
            connection.execute(
                "COPY (SELECT to_char(timestamp '2026-11-22' + n * interval '1 day' /"
                f" {rows + 1}, 'YYYY-MM-DD HH24:MI:SS.MS') || ' UTC', 'hex', 'shop', 1, '::1',"
                f" '6ac.' || n % 50, n, 'SELECT', '2026-11-22 00:00:00 UTC', '3/1', 0, 'LOG',"
                f" '00000', 'duration: 1.500 ms  statement: {TEXT}' || n || CASE WHEN n % 5 = 0"
                f" THEN E'\\n{COMMENT}' || n || '\"}}' ELSE '' END, {nulls}, 'app',"
                f" 'client backend', NULL, 77 FROM generate_series(1, {rows}) n)"
                f" TO '{path}' (FORMAT csv)"
            )
            connection.execute(foreign.replace("cat log/*.csv", f"cat {path}"))
            connection.execute(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
            connection.execute("GRANT SELECT ON pglog TO reader")
        pid = int((server.folder / "data/postmaster.pid").read_text().split()[0])
        yield {
            "server": pid,
            "type": "postgres",
            "host": "127.0.0.1",
            "port": server.port,
            "database": "postgres",
            "user": "reader",
            "password": {"env": "BENCH_PASSWORD"},
            "sslMode": "disable",
        }


@contextmanager
def clickhouse(rows: int) -> Iterator[dict[str, Any]]:
    """A table as `system.query_log`, MergeTree ordered by time."""
    from hex_assets.demo.clickhouse_server import ClickHouseServer

    with (
        tempfile.TemporaryDirectory() as folder,
        ClickHouseServer(Path(folder), PASSWORD) as server,
    ):
        server.run("SELECT 1")
        server.flush()
        server.run("CREATE DATABASE bench")
        server.run(
            "CREATE TABLE bench.query_log ENGINE = MergeTree PARTITION BY toYYYYMM(event_date)"
            " ORDER BY (event_date, event_time) AS SELECT * FROM system.query_log LIMIT 0"
        )
        moment = f"fromUnixTimestamp64Micro(toInt64(1795305600000000 + number * 86400e6 / {rows}))"
        server.run(
            "INSERT INTO bench.query_log (type, event_date, event_time, event_time_microseconds,"
            " query_start_time_microseconds, query_id, query, current_database, user,"
            " is_initial_query, query_kind, tables) SELECT 'QueryFinish', '2026-11-22',"
            f" toDateTime({moment}), {moment}, {moment}, toString(generateUUIDv4()),"
            f" concat('{TEXT}', toString(number), if(number % 5 = 0,"
            f" concat('\\n{COMMENT}', toString(number), '\"}}'), '')), 'shop', 'hex', 1, 'Select',"
            f" ['shop.orders', 'shop.items'] FROM numbers({rows})"
        )
        yield {
            "type": "clickhouse",
            "host": "127.0.0.1",
            "port": server.port,
            "secure": False,
            "password": {"env": "BENCH_PASSWORD"},
            "queryLogTable": "bench.query_log",
        }


def bare_count(source: Any) -> int:
    """Rows that the vendor's client gives for the statement that the source sends."""
    kind = source.settings.type
    if kind == "mysql":
        from hex_assets.warehouses import mysql

        with source._connection() as connection:
            cursor = connection.cursor()
            cursor.execute(mysql.SELECT.format(table=source.settings.logTable), mysql._span(DAY))
            return sum(1 for _ in cursor)
    if kind == "postgres":
        from hex_assets.warehouses import postgres, postgres_client

        with postgres_client.connected(source.name, source.settings) as connection:
            bounds = {"start": DAY.start, "end": DAY.end}
            stream = connection.cursor().stream(source._select(), bounds, size=postgres.STREAM_ROWS)
            return sum(1 for _ in stream)
    from hex_assets.warehouses import clickhouse
    from hex_assets.warehouses.clickhouse_client import connected

    with connected("benchmark", source.settings, "benchmark") as client:
        parameters = {
            **clickhouse._span(DAY),
            "user": "",
            "any_user": 1,
            "cut": clickhouse._text_limit(client),
            "after": clickhouse._moment(clickhouse.EPOCH),
            "after_id": "",
        }
        statement = source._select(client)
        with client.query_arrow_stream(statement, parameters, use_strings=True) as stream:
            return sum(batch.num_rows for batch in stream)


def source_count(source: LogSource) -> int:
    """Rows that the source gives."""
    return sum(batch.num_rows for batch in source.read(DAY))


CLIENTS = {
    "mysql": ("pymysql",),
    "postgres": ("psycopg",),
    "clickhouse": ("clickhouse_connect", "clickhouse_connect.driver.httpclient", "numpy"),
}
WAYS: dict[str, Callable[[Any], int]] = {"source": source_count, "bare": bare_count}
SERVERS = {"mariadb": mariadb, "clickhouse": clickhouse, "postgres": postgres, "mysql8": mysql8}
ALL = ("mariadb", "clickhouse", "postgres")
"""Those that need no download."""


def measured(settings: dict[str, Any], way: str) -> dict[str, float]:
    """Rows, seconds and peak MB of a read in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", way, "--settings", json.dumps(settings)],
        env={**os.environ, "BENCH_PASSWORD": PASSWORD},
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def server_cpu(pid: int) -> float:
    """CPU seconds of a server and of those of its sessions' processes that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(map(int, fields[11:15]))  # user and system, its own and its children's
    return ticks / os.sysconf("SC_CLK_TCK")


def measured_with_server(entry: dict[str, Any], way: str) -> dict[str, float]:
    """`measured`, with the CPU time of client and server; None where there is no such process."""
    settings = {key: value for key, value in entry.items() if key != "server"}
    before = server_cpu(entry["server"]) if "server" in entry else None
    found = measured(settings, way)
    if before is not None:
        sleep(0.5)  # a session's process ends after its client
        found["server"] = server_cpu(entry["server"]) - before
        found["cpu"] = found["client"] + found["server"]
    return found


def child(way: str, settings: dict[str, Any]) -> None:
    """Read once and print what it took."""
    source = warehouse_settings(settings).source("bench")
    for client in (*CLIENTS[settings["type"]], "pyarrow.compute", "pandas"):
        import_module(client)  # the time is that of the read, not of Python's start
    start, used = perf_counter(), process_time()
    rows = WAYS[way](source)
    seconds, client = perf_counter() - start, process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    click.echo(json.dumps({"rows": rows, "seconds": seconds, "client": client, "mb": peak}))


@click.command(help=__doc__)
@click.option("--source", type=click.Choice([*SERVERS, "all"]), default="all")
@click.option("--rows", default=1_000_000, show_default=True)
@click.option("--runs", default=3, show_default=True, help="of which the best counts")
@click.option("--child", "way", type=click.Choice(list(WAYS)), hidden=True)
@click.option("--settings", hidden=True)
def main(source: str, rows: int, runs: int, way: str | None, settings: str | None) -> None:
    if way and settings:
        return child(way, json.loads(settings))
    report = Table(title=f"{rows:,} rows, one in five of Hex")
    heads = ["log", "rows read", "source s", "bare s", "ratio", "CPU: source = server + client"]
    for head in (*heads, "bare", "ratio", "peak MB", "verdict"):
        report.add_column(head, justify="right")
    failed = False
    for name in ALL if source == "all" else [source]:
        with SERVERS[name](rows) as entry:
            # Taken in turn, and the best of each: the machine has other work.
            tries = [
                (measured_with_server(entry, "source"), measured_with_server(entry, "bare"))
                for _ in range(runs)
            ]
        if any(run["rows"] != rows // 5 for pair in tries for run in pair):
            raise click.ClickException(f"{name}: {[[run['rows'] for run in p] for p in tries]}")
        ours, bare = (
            {key: min(pair[side][key] for pair in tries) for key in tries[0][side]}
            for side in (0, 1)
        )
        peak = max(pair[0]["mb"] for pair in tries)
        wall, limit = ours["seconds"] / bare["seconds"], LIMITS[name] * rows / 1e6
        ratio = ours["cpu"] / bare["cpu"] if "cpu" in ours else wall
        good = ours["seconds"] < limit and peak < RSS_LIMIT_MB and ratio <= RATIO_LIMIT
        failed |= not good
        cpu = ["-", "-", "-"]
        if "cpu" in ours:
            parts = f"{ours['cpu']:.2f} = {ours['server']:.2f} + {ours['client']:.2f}"
            cpu = [parts, f"{bare['cpu']:.2f}", f"{ratio:.2f}"]
        report.add_row(
            *[name, f"{ours['rows']:,.0f}", f"{ours['seconds']:.2f}", f"{bare['seconds']:.2f}"],
            *[f"{wall:.2f}", *cpu, f"{peak:.0f}", "ok" if good else "missed"],
        )
    report.caption = (
        f"limits for 1,000,000 rows: {', '.join(f'{n} < {s:g} s' for n, s in LIMITS.items())};"
        f" ratio <= {RATIO_LIMIT}; peak < {RSS_LIMIT_MB} MB; the best of {runs} runs"
    )
    Console(width=130).print(report)
    sys.exit(failed)


if __name__ == "__main__":
    main()
