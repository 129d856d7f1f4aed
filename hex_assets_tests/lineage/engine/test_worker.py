"""A text that would not end costs its time and no more, and takes nothing else with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from hex_assets.assets.lineage import _statement_summary
from hex_assets.lineage import derive_edges, derive_statements
from hex_assets.lineage.engine import bounds, worker
from hex_assets.lineage.engine.worker import WORKER
from hex_assets.lineage.model import StatementLineage
from hex_assets.lineage.sql import extract
from hex_assets_tests.lineage.test_edges import log_of, row

ENDLESS = "SELECT " + "date(" * 40 + "a" + ")" * 40 + " AS d FROM shop.orders"
"""The parser tries each of the calls as a type first: 2^40 ways."""
LONG = "SELECT " + ", ".join(f"t.c{n} AS d{n}" for n in range(200)) + " FROM t"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ended(pid: int, seconds: float = 10.0) -> bool:
    stop = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < stop:
        time.sleep(0.05)
    return not alive(pid)


def running() -> subprocess.Popen[bytes]:
    extract(LONG, "snowflake")
    process = WORKER._process
    assert process is not None and process.poll() is None
    return process


def test_a_text_that_would_not_end_is_ended_and_says_so() -> None:
    before = running()
    found = extract(ENDLESS, "bigquery")
    assert found.sources == ("shop.orders",)
    assert (found.partial, found.reason) == (True, "gave_up")
    assert found.error is not None and "1.3 s" in found.error
    assert before.returncode == -signal.SIGPROF
    assert extract(LONG, "snowflake").columns[199] == ("d199", ("t.c199",))


def test_an_endless_text_does_not_hang_the_day_and_is_in_the_ledger() -> None:
    log = log_of(
        row(1, "SELECT a FROM before_", dialect="bigquery"),
        row(2, ENDLESS, dialect="bigquery"),
        row(3, "SELECT a FROM after_", dialect="bigquery"),
    )
    kept: dict[str, str] = {}
    statements = derive_statements(log, cache=kept)
    assert _statement_summary(statements)["given_up_count"] == 1
    ledger = statements.to_pylist()
    assert {row["reason"] for row in ledger} == {None, "gave_up"}
    (given_up,) = (row for row in ledger if row["reason"] == "gave_up")
    assert given_up["status"] == "partial" and "given up" in given_up["detail"]
    assert len(kept) == 2  # another day may have a better engine
    tables = {edge["table"] for edge in derive_edges(log).to_pylist()}
    assert {table.rpartition(".")[2] for table in tables} == {"before_", "orders", "after_"}


def test_a_text_that_overflows_the_parsers_stack_takes_only_the_worker() -> None:
    process = running()
    os.kill(process.pid, signal.SIGSEGV)  # as the compiled parser does
    process.wait()
    assert extract(LONG, "snowflake").reason is None


def test_the_worker_asks_its_parent_for_the_columns() -> None:
    asked: list[tuple[str, ...]] = []

    class Schema:
        def columns_of(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
            asked.append(parts)
            return ("a", "b") if parts == ("t",) else None

    sql = "SELECT * FROM t WHERE " + " AND ".join(f"t.a > {n}" for n in range(200))
    found = extract(sql, "postgres", catalog=Schema())
    assert found.columns == (("a", ("t.a",)), ("b", ("t.b",)))
    assert asked == [("t",)]


def test_an_error_of_the_catalog_is_raised_and_the_next_text_is_read() -> None:
    class Broken:
        def columns_of(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
            raise LookupError("no catalog today")

    sql = "SELECT * FROM t WHERE " + " AND ".join(f"t.a > {n}" for n in range(200))
    with pytest.raises(LookupError, match="no catalog today"):
        extract(sql, "postgres", catalog=Broken())
    assert extract(LONG, "postgres").columns[0] == ("d0", ("t.c0",))


def test_threads_get_each_their_own_answer() -> None:
    found: dict[int, StatementLineage] = {}

    def read(number: int) -> None:
        found[number] = extract(LONG.replace("FROM t", f"FROM t{number} t"), "snowflake")

    threads = [threading.Thread(target=read, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {n: lineage.sources for n, lineage in found.items()} == {n: (f"t{n}",) for n in range(6)}


def test_without_a_process_the_text_is_read_by_its_keywords(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker.sys, "executable", "/nowhere/python")
    WORKER.close()
    found = extract(LONG, "snowflake")
    assert (found.sources, found.reason) == (("t",), "gave_up")
    assert found.error is not None and "no process could be started" in found.error


CHILD = textwrap.dedent(
    """
    import sys, threading
    from hex_assets.lineage.sql import extract
    from hex_assets.lineage.engine.worker import WORKER
    extract(sys.argv[1], "snowflake")
    print(WORKER._process.pid, flush=True)
    if sys.argv[2] == "stay":
        print("reading", flush=True)
        extract(sys.argv[3], "bigquery")
        sys.stdin.read()
    """
)


def test_the_worker_ends_with_its_parent() -> None:
    command = [sys.executable, "-c", CHILD, LONG, "go"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert ended(int(done.stdout))


def test_the_worker_ends_when_its_parent_is_killed_in_the_midst_of_a_text() -> None:
    command = [sys.executable, "-c", CHILD, LONG, "stay", ENDLESS]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert parent.stdout is not None and parent.stdin is not None
    pid = int(parent.stdout.readline())
    assert parent.stdout.readline() == "reading\n"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    parent.stdin.close()
    assert ended(pid)


@pytest.mark.parametrize(
    ("sql", "light"),
    [
        ("SELECT a FROM t JOIN u ON t.a = u.a JOIN v ON v.a = u.a", True),
        ("SELECT f(g(h(i(a)))) FROM (SELECT * FROM (SELECT * FROM t) x) y", True),
        (LONG, False),
        ("SELECT " + "f(" * 9 + "a" + ")" * 9 + " FROM t", False),
        ("SELECT * FROM " + "u JOIN " * 9 + "t", False),
        ("SELECT * FROM " + "u JOIN " * 9 + "t" + " ON 1 = 1" * 9, False),
        ("SELECT * FROM t" + " JOIN u ON t.a = u.a" * 20, True),
    ],
)
def test_only_a_short_and_flat_statement_is_read_within_the_process(sql: str, light: bool) -> None:
    from sqlglot.dialects.dialect import Dialect

    assert bounds.is_light(Dialect.get_or_raise("postgres").tokenize(sql)) is light


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_child_process_has_a_worker_of_its_own(method: str) -> None:
    """Dagster's executors start their steps in either way."""
    own = running()
    context = multiprocessing.get_context(method)
    with context.Pool(1) as pool:  # its processes are daemons, which may have no children of theirs
        assert pool.apply(extract, (LONG, "snowflake")).reason is None
    assert running().pid == own.pid
