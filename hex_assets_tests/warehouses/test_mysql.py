"""The general log of a real MariaDB on loopback, read by PyMySQL: texts, databases, refusals."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta, timezone

import pytest

from hex_assets.warehouses.base import MARKER, LogSource, WarehouseSettings, Window
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets_tests.servers.entries import NOON, hex_day
from hex_assets_tests.servers.faulty_tcp import cutting_proxy
from hex_assets_tests.servers.mariadb import MariaServer, running_mariadb
from hex_assets_tests.warehouses.conformance import (
    LARGE,
    STATEMENTS,
    Conformance,
    Engine,
    free_port,
    given,
    rows,
    tagged,
)

pytest.importorskip("pymysql")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not shutil.which("mariadbd") or os.geteuid() != 0, reason="needs mariadb-server and root"
    ),
]
LARGE_TEXT = tagged(f"SELECT '{'x' * LARGE}'", "large")
MOVED = tagged("SELECT 2", "moved")


@pytest.fixture(scope="module")
def server() -> Iterator[MariaServer]:
    with running_mariadb() as running:
        with running.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE shop")
            for user in ("reader", "stranger"):
                cursor.execute(f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'right'")
            cursor.execute("GRANT SELECT ON mysql.general_log TO reader@'127.0.0.1'")
            cursor.execute("SET sql_log_off = 1")
            cursor.execute("CREATE TABLE shop.day_log LIKE mysql.general_log")
            cursor.execute("GRANT SELECT ON shop.day_log TO reader@'127.0.0.1'")
            cursor.execute("SET time_zone = '+00:00'")
            for item in sorted(hex_day(), key=lambda item: item.ended_at):
                # As MariaDB logs a 4-byte character: its log is utf8mb3.
                text = item.text.replace("\U0001f600", r"\xF0\x9F\x98\x80")
                values = (
                    item.ended_at.replace(tzinfo=None),
                    f"{item.user}[x] @ localhost []",
                    text,
                )
                cursor.execute(
                    "INSERT INTO shop.day_log VALUES (%s, %s, 7, 1, 'Query', %s)", values
                )
            cursor.execute("SET sql_log_off = 0")
            cursor.execute("USE shop")
            for text in STATEMENTS.values():
                cursor.execute(text)
            cursor.execute(LARGE_TEXT)
            connection.select_db("mysql")
            cursor.execute(MOVED)
        yield running


class MySQLEngine(Engine):
    grant = r"GRANT SELECT ON shop\.day_log TO stranger"
    failures_are_read = True
    losses = (None, None, 1)

    def __init__(self, server: MariaServer) -> None:
        self.server = server

    def settings(self, **changes: object) -> WarehouseSettings:
        keys: dict[str, object] = {
            "type": "mysql",
            "host": "127.0.0.1",
            "port": self.server.port,
            "user": "reader",
            "password": {"env": "TEST_RIGHT"},
            "logTable": "shop.day_log",
            "hexUser": "HEX",
        }
        return warehouse_settings(keys | changes)

    def statements(self) -> list[str]:
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT argument FROM mysql.general_log WHERE user_host LIKE 'reader[%'"
                " AND command_type <> 'Connect'"
            )
            found = [argument for (argument,) in cursor.fetchall()]
        assert found
        return found

    @contextmanager
    def breaking(self) -> Iterator[LogSource]:
        with cutting_proxy(self.server.port, 200_000) as port:
            yield self.source(port=port)

    def without_grant(self) -> AbstractContextManager[LogSource]:
        return given(self.source(user="stranger"))

    def without_password(self) -> AbstractContextManager[LogSource]:
        return given(self.source(password={"env": "TEST_WRONG_PASSWORD"}))

    def without_host(self) -> AbstractContextManager[LogSource]:
        return given(self.source(port=free_port()))


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_RIGHT", "right")


@pytest.fixture
def engine(server: MariaServer) -> MySQLEngine:
    return MySQLEngine(server)


class TestMySQL(Conformance):
    def test_the_servers_own_log_has_texts_and_default_databases(self, engine: MySQLEngine) -> None:
        now = datetime.now(timezone.utc)
        window = Window(now - timedelta(hours=1), now + timedelta(hours=1))
        source = engine.source(logTable="mysql.general_log")
        read = rows(source.read(window))
        found = {row["text"]: row for row in read}
        assert {*STATEMENTS.values(), LARGE_TEXT, MOVED} == set(found)
        assert found[STATEMENTS["emoji"]]["default_schema"] == "shop"
        assert found[MOVED]["default_schema"] == "mysql"
        assert {row["status"] for row in found.values()} == {"unknown"}
        assert rows(source.read(window)) == read
        assert all(MARKER in row["text"] for row in read)
        assert {finding.status for finding in source.probe()} == {"ok"}

    def test_equal_statements_of_one_microsecond_are_two_rows(
        self, engine: MySQLEngine, server: MariaServer
    ) -> None:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET sql_log_off = 1")
            cursor.execute("CREATE TABLE shop.twice LIKE mysql.general_log")
            at = NOON.replace(tzinfo=None)
            for _ in range(2):
                row = (at, "HEX[x]", MOVED)
                cursor.execute("INSERT INTO shop.twice VALUES (%s, %s, 7, 1, 'Query', %s)", row)
            cursor.execute("GRANT SELECT ON shop.twice TO reader@'127.0.0.1'")
        window = Window(NOON, NOON + timedelta(seconds=1))
        found = rows(engine.source(logTable="shop.twice").read(window))
        assert len({row["query_id"] for row in found}) == 2
