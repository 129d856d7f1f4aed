"""PostgreSQL 15's own csvlog and jsonlog as tables, read by psycopg."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from hex_assets.warehouses.base import CannotRead, LogSource, WarehouseSettings, Window
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets_tests.servers.entries import Entry, hex_day
from hex_assets_tests.servers.faulty_tcp import cutting_proxy
from hex_assets_tests.servers.postgres import (
    BINARIES,
    CSVLOG,
    PostgresServer,
    running_postgres,
)
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

psycopg = pytest.importorskip("psycopg")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not BINARIES.exists() or os.geteuid() != 0, reason="needs PostgreSQL 15 and root"
    ),
]
DOCUMENT = Path(__file__).parents[2] / "docs" / "warehouses" / "postgres.md"
LARGE_TEXT = tagged(f"select '{'x' * LARGE}'", "large")


def documented_sql() -> str:
    """The SQL of the documentation, for this server's file names."""
    return "\n".join(re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL))


def log_line(item: Entry, number: int) -> tuple[object, ...]:
    """An execution as csvlog tells it."""
    took = (item.ended_at - item.started_at).total_seconds() * 1000
    done = f"duration: {took:.3f} ms  statement: {item.text}"
    failed = (f"column {number} does not exist", item.text)
    severity, message, query = ("LOG", done, None) if item.succeeded else ("ERROR", *failed)
    return (item.ended_at, item.user, "shop", "6ac.1", number, severity, message, query, 77)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres(CSVLOG) as running:
        with psycopg.connect(running.login, autocommit=True) as admin:
            admin.execute("create role hex login password 'right'")
            admin.execute("create role hex_assets login password 'right'")
            admin.execute("create role stranger login password 'right'")
            admin.execute(documented_sql())
            admin.execute("create table day_log as select * from pglog limit 0")
            columns = (
                "log_time, user_name, database_name, session_id, session_line_num,"
                " error_severity, message, query, query_id"
            )
            admin.cursor().executemany(
                f"insert into day_log ({columns}) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [log_line(item, number) for number, item in enumerate(hex_day())],
            )
            admin.execute("grant select on day_log to hex_assets")
        login = f"host=127.0.0.1 port={running.port} user=hex password=right dbname=postgres"
        with psycopg.connect(login, autocommit=True) as hex_session:
            for text in STATEMENTS.values():
                hex_session.execute(text.encode())
            hex_session.execute(LARGE_TEXT.encode())
            hex_session.execute(tagged("select %s::int", "bound"), [5])
            with pytest.raises(psycopg.Error):
                hex_session.execute(tagged("select nothing_there", "failed").encode())
            hex_session.execute("select 'no comment'")
        yield running


class PostgresEngine(Engine):
    grant = "GRANT SELECT ON public.day_log TO stranger"

    def __init__(self, server: PostgresServer) -> None:
        self.server = server

    def settings(self, **changes: object) -> WarehouseSettings:
        keys: dict[str, object] = {
            "type": "postgres",
            "host": "127.0.0.1",
            "port": self.server.port,
            "database": "postgres",
            "user": "hex_assets",
            "password": {"env": "TEST_PG_PASSWORD"},
            "sslMode": "disable",
            "logTable": "public.day_log",
            "hexUser": "HEX",
        }
        return warehouse_settings(keys | changes)

    def statements(self) -> list[str]:
        log = self.server.folder / "data" / "log" / "postgresql.csv"
        own = [line for line in log.read_text().split('"hex_assets",') if "day_log" in line]
        assert own
        return [line for line in own if "insert into day_log" not in line]

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
    monkeypatch.setenv("TEST_PG_PASSWORD", "right")


@pytest.fixture
def engine(server: PostgresServer) -> PostgresEngine:
    return PostgresEngine(server)


def now_window() -> Window:
    now = datetime.now(timezone.utc)
    return Window(now - timedelta(hours=1), now + timedelta(hours=1))


class TestPostgres(Conformance):
    @pytest.mark.parametrize("table", ["public.pglog", "public.pgjsonlog"])
    def test_the_servers_own_log_by_the_documented_sql(
        self, engine: PostgresEngine, table: str
    ) -> None:
        source = engine.source(logTable=table, hexUser="hex")
        found = {row["text"]: row for row in rows(source.read(now_window()))}
        bound = tagged("select $1::int", "bound")
        assert set(found) == {*STATEMENTS.values(), LARGE_TEXT, bound}
        plain = found[STATEMENTS["plain"]]
        assert (plain["user"], plain["default_catalog"]) == ("hex", "postgres")
        assert plain["default_schema"] == "public"
        assert plain["engine_hash"] and plain["started_at"] <= plain["ended_at"]
        again = rows(source.read(now_window()))
        assert {row["query_id"] for row in again} == {row["query_id"] for row in found.values()}
        losses = source.losses(now_window())
        assert losses.failed_count == 1
        assert losses.untagged_count == 1
        assert losses.log_begins_at

    def test_the_probe_tells_settings_and_count(self, engine: PostgresEngine) -> None:
        findings = {found.check: found for found in engine.source(logTable="pglog").probe()}
        assert {found.status for found in findings.values()} == {"ok"}
        assert findings["hex queries"].detail.startswith("6 Hex queries in a day of ")

    def test_a_missing_table_is_told_with_the_document(self, engine: PostgresEngine) -> None:
        with pytest.raises(CannotRead, match=r"docs/warehouses/postgres\.md"):
            rows(engine.source(logTable="nowhere").read(now_window()))
