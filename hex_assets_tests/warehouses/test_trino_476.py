"""A real Trino with its MySQL event listener, into MariaDB and MySQL 8: `make test-engines`."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest

from hex_assets import lineage
from hex_assets.doctor import diagnose
from hex_assets.settings import parse_settings
from hex_assets.warehouses.base import (
    MARKER,
    CannotConnect,
    CannotRead,
    LogSource,
    Position,
    Window,
)
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets_tests.servers.engines import JAVA, MYSQL, TRINO
from hex_assets_tests.servers.entries import hex_day
from hex_assets_tests.servers.mariadb import MariaServer, running_mariadb
from hex_assets_tests.servers.mysql8 import running_mysql8
from hex_assets_tests.servers.trino import fill_listener
from hex_assets_tests.servers.trino_server import TrinoServer, running_trino
from hex_assets_tests.warehouses.conformance import Conformance, free_port, rows, tagged
from hex_assets_tests.warehouses.trino_listener import ListenerEngine

pytest.importorskip("pymysql")
trino = pytest.importorskip("trino")
MISSING = TRINO.missing or JAVA.missing
pytestmark = [pytest.mark.engines, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]

EMOJI = tagged("SELECT '\U0001f600'", "lost")
PLAIN = tagged("SELECT name FROM nation WHERE regionkey = 1", "plain")
KEPT_EMOJI = tagged("SELECT '\U0001f600 ünï'", "emoji")
CRLF = tagged("SELECT 1,\r\n  'a\\nb \\\\ c'", "crlf")
LARGE = tagged(f"SELECT '{'x' * 900_000}'", "large")
WITH_PARAMETER = tagged(
    "SELECT name FROM tpch.tiny.nation WHERE name <> ? AND regionkey = ?", "par"
)
PREPARED = tagged("SELECT comment FROM tpch.tiny.region WHERE regionkey = ?", "prepared")
WRITTEN = tagged("CREATE TABLE memory.default.big AS SELECT custkey, name FROM customer", "write")
VIEWED = tagged("SELECT n FROM memory.default.v", "view")
LITERAL = f"SELECT '{MARKER} {{}}' AS text"
SLOW = tagged("SELECT count(*) FROM tpch.sf1.lineitem WHERE comment LIKE '%a%b%c%d%'", "slow")
READ = [PLAIN, KEPT_EMOJI, CRLF, LARGE, WITH_PARAMETER, PREPARED, WRITTEN, VIEWED, LITERAL, SLOW]
BROKEN = tagged("SELECT nothing FROM tpch.tiny.region", "broken")
SYNTAX = tagged("SELEC 1", "syntax")
TOO_LONG = tagged(f"SELECT '{'x' * 1_000_000}'", "long")
CANCELLED = tagged("SELECT * FROM tpch.tiny.lineitem", "cancelled")
UNTAGGED = "SELECT 'no comment'"
RULES = {
    "catalogs": [
        {"user": "stranger", "catalog": "system", "allow": "none"},
        {"allow": "all"},
    ],
    "queries": [
        {"user": "reader", "allow": ["execute", "view"]},
        {"allow": ["execute"]},
    ],
}
DATABASES = ["MariaDB", "MySQL 8"]


@dataclass(frozen=True)
class Cluster:
    """A Trino whose statements are sent, and the databases of its listeners."""

    trino: TrinoServer
    databases: dict[str, MariaServer]
    window: Window
    """Around all that was sent."""
    slow: tuple[datetime, datetime]
    """Between which the slow statement ran, by this side's clock."""

    def database(self, name: str) -> MariaServer:
        if name not in self.databases:
            pytest.skip(f"needs {name}")
        return self.databases[name]


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_RIGHT", "right")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with ExitStack() as stack:
        databases = {}
        if shutil.which("mariadbd") and os.geteuid() == 0:
            databases["MariaDB"] = stack.enter_context(running_mariadb())
        if not MYSQL.missing:
            databases["MySQL 8"] = stack.enter_context(running_mysql8())
        addresses = [_prepared(server) for server in databases.values()]
        running = stack.enter_context(running_trino(addresses, RULES))
        since = datetime.now(timezone.utc)
        running.run(EMOJI)  # while the table is as the listener makes it
        _wait_for(databases, running.run("SELECT 'the emoji is through'", "BOB"))
        for server in databases.values():
            _make_room_for_emoji(server)
        slow = _send(running)
        _wait_for(databases, running.run("SELECT 'all is through'", "BOB"))
        yield Cluster(running, databases, _around(since), slow)


def _prepared(server: MariaServer) -> str:
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE trino_log")
        for user in ("reader", "stranger", "trino"):
            cursor.execute(f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'right'")
        cursor.execute("GRANT ALL ON trino_log.* TO trino@'127.0.0.1'")
    login = "user=trino&password=right&sslMode=DISABLED&allowPublicKeyRetrieval=true"
    return f"jdbc:mysql://127.0.0.1:{server.port}/trino_log?{login}"


def _make_room_for_emoji(server: MariaServer) -> None:
    """What the probe says, and the day of the conformance suite in a table of Trino's own form."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("GRANT SELECT ON trino_log.trino_queries TO reader@'127.0.0.1'")
        os.environ["TEST_RIGHT"] = "right"
        found = {finding.check: finding for finding in ListenerEngine(server).source().probe()}
        assert found["character set"].status == "warning"
        cursor.execute(found["character set"].mend)
        cursor.execute("SET sql_log_off = 1")
        cursor.execute("CREATE TABLE trino_log.day LIKE trino_log.trino_queries")
        fill_listener(cursor, hex_day(), "trino_log.day")
        cursor.execute("GRANT SELECT ON trino_log.day TO reader@'127.0.0.1'")
        cursor.execute("SET sql_log_off = 0")


def _send(running: TrinoServer) -> tuple[datetime, datetime]:
    tiny = {"catalog": "tpch", "schema": "tiny"}
    running.run(PLAIN, **tiny)
    for text in (KEPT_EMOJI, CRLF, LARGE, LITERAL, UNTAGGED):
        running.run(text)
    with running.connect() as connection:
        connection.cursor().execute(WITH_PARAMETER, ["it's", 1]).fetchall()
    with running.connect(legacy_prepared_statements=True) as connection:
        connection.cursor().execute(PREPARED, [1]).fetchall()
    running.run(WRITTEN, **tiny)
    running.run("CREATE VIEW memory.default.v AS SELECT name AS n FROM memory.default.big", "BOB")
    running.run(VIEWED)
    for text in (BROKEN, SYNTAX, TOO_LONG):
        with pytest.raises(trino.exceptions.TrinoUserError):
            running.run(text)
    with running.connect() as connection:
        cursor = connection.cursor()
        cursor.execute(CANCELLED)
        cursor.fetchone()
        cursor.cancel()
    before = datetime.now(timezone.utc)
    running.run(SLOW)
    return before, datetime.now(timezone.utc)


def _wait_for(databases: dict[str, MariaServer], sent: list[list[str]]) -> None:
    """The listener writes after the answer is sent."""
    ((text,),) = sent
    deadline = time.monotonic() + 60
    for server in databases.values():
        with server.connect() as connection, connection.cursor() as cursor:
            while True:
                cursor.execute(
                    "SELECT COUNT(*) FROM trino_log.trino_queries WHERE LOCATE(%s, query)", (text,)
                )
                if cursor.fetchone()[0]:
                    break
                assert time.monotonic() < deadline, f"the listener did not write {text!r}"
                time.sleep(0.2)


def _around(since: datetime) -> Window:
    second = timedelta(seconds=1)
    return Window(since - 60 * second, datetime.now(timezone.utc) + 60 * second)


def of_hex(cluster: Cluster, name: str) -> dict[str, dict]:
    """What is read from the listener's own table, by text."""
    found = rows(ListenerEngine(cluster.database(name)).source().read(cluster.window))
    assert len({row["text"] for row in found}) == len(found)
    return {row["text"]: row for row in found}


@pytest.fixture(params=DATABASES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestTheTableOfTrino(Conformance):
    """The suite's day in a table that Trino made."""

    @pytest.fixture(params=DATABASES)
    def engine(self, cluster: Cluster, request: pytest.FixtureRequest) -> ListenerEngine:
        return ListenerEngine(cluster.database(request.param), "day")


def test_what_ran_is_read_and_nothing_else(cluster: Cluster, name: str) -> None:
    found = of_hex(cluster, name)
    assert set(found) == set(READ), "an emoji before the mend is lost, and failures are not read"
    assert (found[PLAIN]["default_catalog"], found[PLAIN]["default_schema"]) == ("tpch", "tiny")
    assert found[KEPT_EMOJI]["default_catalog"] is None
    assert {(row["user"], row["status"]) for row in found.values()} == {("HEX", "success")}


def test_a_statement_with_parameters_keeps_its_comment(cluster: Cluster, name: str) -> None:
    source = ListenerEngine(cluster.database(name)).source()
    table = lineage.annotate(pa.Table.from_batches(source.read(cluster.window)))
    projects = dict(zip(table["text"].to_pylist(), table["project_id"].to_pylist(), strict=True))
    assert projects[WITH_PARAMETER] == "par"
    assert projects[PREPARED] == "prepared"
    assert projects[LITERAL] is None


def test_inputs_and_outputs_are_the_engines_own(cluster: Cluster, name: str) -> None:
    found = of_hex(cluster, name)
    (plain,) = found[PLAIN]["engine_inputs"]
    assert plain["table"] == "tpch.tiny.nation"
    assert sorted(plain["columns"]) == ["name", "regionkey"]
    (written,) = found[WRITTEN]["engine_outputs"]
    assert written == {"table": "memory.default.big", "columns": ["custkey", "name"]}
    tables = {table["table"] for table in found[VIEWED]["engine_inputs"]}
    assert tables == {"memory.default.big"}, "the listener names what is under a view, not it"


def test_lineage_names_the_view_the_parameters_and_what_is_written(
    cluster: Cluster, name: str
) -> None:
    source = ListenerEngine(cluster.database(name)).source()
    log = lineage.annotate(pa.Table.from_batches(source.read(cluster.window)))
    statements = lineage.derive_statements(log).to_pylist()
    found = {
        project: {(table["table"], table["direction"]) for table in row["tables"]}
        for row in statements
        for project in row["project_ids"]
    }
    assert found["view"] == {("memory.default.v", "read")}
    assert found["par"] == found["plain"] == {("tpch.tiny.nation", "read")}
    assert found["prepared"] == {("tpch.tiny.region", "read")}
    assert found["write"] == {("tpch.tiny.customer", "read"), ("memory.default.big", "write")}
    evidence = {project: row["evidence"] for row in statements for project in row["project_ids"]}
    assert evidence["plain"] == evidence["par"] == "engine_log"
    assert evidence["prepared"] == "parsed"  # its `PREPARE` has no inputs


def test_the_end_is_known_to_a_second(cluster: Cluster, name: str) -> None:
    row = of_hex(cluster, name)[SLOW]
    before, after = cluster.slow
    second = timedelta(seconds=1)
    assert before - second <= row["started_at"] <= before + second
    assert after - 2 * second <= row["ended_at"] <= after + second
    assert row["ended_at"] - row["started_at"] > (after - before) / 2
    # The windows are of the end: the statement is not in that of its submission.
    source = ListenerEngine(cluster.database(name)).source()
    middle = row["started_at"] + (row["ended_at"] - row["started_at"]) / 2
    early = rows(source.read(Window(before - 2 * second, middle)))
    assert SLOW not in {found["text"] for found in early}
    late = rows(source.read(Window(middle, after + 2 * second)))
    assert SLOW in {found["text"] for found in late}


def test_failures_and_cancelled_are_counted(cluster: Cluster, name: str) -> None:
    losses = ListenerEngine(cluster.database(name)).source().losses(cluster.window)
    # The text that is too long loses its end, so that it is none of Hex's.
    assert (losses.failed_count, losses.empty_text_count) == (3, 0)
    assert losses.untagged_count == 1
    assert losses.log_begins_at and cluster.window.start < losses.log_begins_at


def test_the_doctor_finds_all_well(cluster: Cluster, name: str) -> None:
    entry = ListenerEngine(cluster.database(name)).settings()
    found = parse_settings(
        {"warehouses": {"lake": entry.model_dump(mode="json", exclude_none=True)}}
    )
    (section,) = [part for part in diagnose(found) if part.system == "warehouse lake"]
    assert {finding.check: finding.status for finding in section.findings} == {
        "login": "ok",
        "hex queries": "ok",
    }


def remembered(cluster: Cluster, user: str = "reader", **more: object) -> LogSource:
    entry = {"host": "127.0.0.1", "port": cluster.trino.port, "user": user, "secure": False} | more
    return warehouse_settings({"type": "trino_runtime", "coordinator": entry}).source("lake")


def test_the_coordinators_memory_has_what_the_listener_has(cluster: Cluster) -> None:
    found = rows(remembered(cluster).read(cluster.window))
    assert {row["text"] for row in found} == {*READ, EMOJI}, "the listener has lost an emoji"
    assert [row["ended_at"] for row in found] == sorted(row["ended_at"] for row in found)
    assert rows(remembered(cluster).read(cluster.window)) == found
    third = Position(found[2]["ended_at"], found[2]["query_id"])
    assert rows(remembered(cluster).read(cluster.window, third)) == found[3:]
    assert remembered(cluster).losses(cluster.window).failed_count == 3
    for name in cluster.databases:
        listened = of_hex(cluster, name)
        for row in found:
            if row["text"] != EMOJI:
                other = listened[row["text"]]
                assert row["query_id"] == other["query_id"]
                assert abs(row["ended_at"] - other["ended_at"]) < timedelta(seconds=1.5)


def test_a_user_who_sees_only_its_own_queries_is_told(cluster: Cluster) -> None:
    assert rows(remembered(cluster, "alone").read(cluster.window)) == []
    hidden = remembered(cluster, "alone").probe()[-1]
    assert hidden.status == "warning" and '"allow": ["execute", "view"]' in str(hidden.mend)
    assert [finding.check for finding in remembered(cluster).probe()] == ["login", "log"]


def test_a_coordinator_that_refuses_or_is_not_there_is_told(cluster: Cluster) -> None:
    with pytest.raises(CannotRead, match=r"system\.runtime\.queries"):
        rows(remembered(cluster, "stranger").read(cluster.window))
    assert remembered(cluster, "stranger").probe()[-1].status == "failure"
    with pytest.raises(CannotConnect):
        rows(remembered(cluster, port=free_port()).read(cluster.window))
