"""Trino's listener table in a real MariaDB, and a coordinator's memory as best effort."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from hex_assets.warehouses.base import (
    MARKER,
    CannotConnect,
    CannotRead,
    LogSource,
    Position,
)
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets_tests.servers.entries import DAY, EXPECTED_IDS, hex_day
from hex_assets_tests.servers.mariadb import MariaServer, running_mariadb
from hex_assets_tests.servers.trino import (
    LISTENER_TABLE,
    Coordinator,
    fill_listener,
    running_coordinator,
)
from hex_assets_tests.warehouses.conformance import Conformance, rows
from hex_assets_tests.warehouses.trino_listener import ListenerEngine

pytest.importorskip("pymysql")
needs_mariadb = pytest.mark.skipif(
    not shutil.which("mariadbd") or os.geteuid() != 0, reason="needs mariadb-server and root"
)


@pytest.fixture(scope="module")
def server() -> Iterator[MariaServer]:
    with running_mariadb() as running:
        with running.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET sql_log_off = 1")
            cursor.execute("CREATE DATABASE trino_log")
            cursor.execute(LISTENER_TABLE)
            for user in ("reader", "stranger"):
                cursor.execute(f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'right'")
            cursor.execute("GRANT SELECT ON trino_log.trino_queries TO reader@'127.0.0.1'")
            fill_listener(cursor, hex_day())
        yield running


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_RIGHT", "right")


@pytest.fixture
def engine(server: MariaServer) -> ListenerEngine:
    return ListenerEngine(server)


@needs_mariadb
@pytest.mark.slow
class TestTrinoListener(Conformance):
    def test_inputs_and_context_come_from_the_listener(self, engine: ListenerEngine) -> None:
        row = rows(engine.source().read(DAY))[0]
        assert row["engine_inputs"] == [{"table": "hive.shop.orders", "columns": ["id", "n"]}]
        assert row["engine_outputs"] is None
        assert (row["default_catalog"], row["default_schema"]) == ("hive", "shop")

    def test_a_table_without_emoji_is_told_with_the_statement(
        self, engine: ListenerEngine, server: MariaServer
    ) -> None:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE trino_log.old LIKE trino_log.trino_queries;")
            cursor.execute("ALTER TABLE trino_log.old CONVERT TO CHARACTER SET utf8mb3")
            cursor.execute("GRANT SELECT ON trino_log.old TO reader@'127.0.0.1'")
        findings = {found.check: found for found in engine.source(table="old").probe()}
        assert "utf8mb4" in (findings["character set"].mend or "")
        assert "character set" not in {found.check for found in engine.source().probe()}

    def test_presto_reads_the_same_table_in_its_dialect(self, engine: ListenerEngine) -> None:
        keys = engine.settings().model_dump(mode="json", exclude_none=True)
        source = warehouse_settings(keys | {"type": "presto"}).source("p")
        assert {row["dialect"] for row in rows(source.read(DAY))} == {"presto"}


@pytest.fixture(scope="module")
def coordinator() -> Iterator[Coordinator]:
    pytest.importorskip("trino")
    with running_coordinator() as running:
        running.fill(hex_day(1000))
        yield running


def remembered(port: int, user: str = "reader", **more: object) -> LogSource:
    entry = {"host": "127.0.0.1", "port": port, "user": user, "secure": False} | more
    return warehouse_settings({"type": "trino_runtime", "coordinator": entry}).source("trino")


def test_what_the_coordinator_remembers_is_read_and_resumed(coordinator: Coordinator) -> None:
    found = rows(remembered(coordinator.server_port).read(DAY))
    assert [row["query_id"] for row in found] == EXPECTED_IDS
    texts = {item.query_id: item.text for item in hex_day(1000)}
    assert all(row["text"] == texts[row["query_id"]] for row in found)
    position = Position(found[3]["ended_at"], found[3]["query_id"])
    assert rows(remembered(coordinator.server_port).read(DAY, position)) == found[4:]
    assert remembered(coordinator.server_port).losses(DAY).failed_count == 1
    assert not [text for text in coordinator.statements if MARKER in text]


def test_the_probe_says_that_the_coordinator_is_best_effort(coordinator: Coordinator) -> None:
    _, log = remembered(coordinator.server_port).probe()
    assert log.status == "warning" and "best effort" in log.detail
    assert "event listener" in (log.mend or "")


def test_a_coordinator_that_refuses_or_is_not_there_is_told(coordinator: Coordinator) -> None:
    with pytest.raises(CannotRead, match=r"system\.runtime\.queries"):
        rows(remembered(coordinator.server_port, "stranger").read(DAY))
    with pytest.raises(CannotConnect, match="needs TLS"):
        rows(remembered(1, password={"env": "TEST_RIGHT"}).read(DAY))
