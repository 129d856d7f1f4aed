"""Redshift's log through its own connector, over a proxy in front of PostgreSQL 15."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest

from hex_assets.warehouses import redshift as module
from hex_assets.warehouses.base import (
    LOG_SCHEMA,
    LogSource,
    WarehouseSettings,
    Window,
    WindowExpired,
    check_window,
)
from hex_assets.warehouses.redshift import RedshiftLog, whole_text
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets_tests.servers.entries import COMMENT, DAY, NOON, entry, hex_day
from hex_assets_tests.servers.faulty_tcp import cutting_proxy
from hex_assets_tests.servers.postgres import BINARIES
from hex_assets_tests.servers.redshift import TABLES, fill, running_redshift
from hex_assets_tests.warehouses.conformance import (
    Conformance,
    Engine,
    free_port,
    given,
    rows,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not BINARIES.exists() or os.geteuid() != 0, reason="needs PostgreSQL 15 and root"
    ),
]
BORDER_DAY = timedelta(days=5)
# The marker begins at every place around the border of two segments.
BORDERS = [
    entry(str(3000 + shift), f"select '{'y' * (3960 + shift)}' {COMMENT}", NOON + BORDER_DAY)
    for shift in range(0, 40, 3)
]
EXPECTED = [item.query_id for item in BORDERS]


class Server(NamedTuple):
    """The proxy's port, the engine's own log, that log's length after filling, and a login."""

    port: int
    log: Path
    start: int
    login: str


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    psycopg = pytest.importorskip("psycopg")
    with running_redshift() as (port, running):
        with psycopg.connect(running.login, autocommit=True) as connection:
            connection.execute(TABLES)
            fill(connection.cursor(), [*hex_day(), *BORDERS])
        log = running.folder / "log"
        yield Server(port, log, log.stat().st_size, running.login)


@pytest.fixture
def port(server: Server) -> int:
    return server.port


class RedshiftEngine(Engine):
    grant = "SYSLOG ACCESS UNRESTRICTED"

    def __init__(self, server: Server, tables: str) -> None:
        self.port, self.log, self.start, self.login = server
        self.tables = tables
        self.texts_table = {"sys": "sys_query_text", "stl": "stl_querytext"}[tables]

    def settings(self, **changes: object) -> WarehouseSettings:
        return redshift(self.port, **({"logTables": self.tables} | changes)).settings

    def statements(self) -> list[str]:
        sent = self.log.read_text()[self.start :]
        assert self.texts_table in sent
        return [sent]

    @contextmanager
    def breaking(self) -> Iterator[LogSource]:
        with cutting_proxy(self.port, 200_000) as port:
            yield self.source(port=port)

    def without_grant(self) -> AbstractContextManager[LogSource]:
        return given(self.source(user="stranger"))

    def without_password(self) -> AbstractContextManager[LogSource]:
        return given(self.source(password={"env": "TEST_WRONG_PASSWORD"}))

    def without_host(self) -> AbstractContextManager[LogSource]:
        return given(self.source(port=free_port()))


@pytest.fixture(params=["sys", "stl"])
def engine(server: Server, request: pytest.FixtureRequest) -> RedshiftEngine:
    return RedshiftEngine(server, request.param)


class TestRedshift(Conformance):
    def test_both_logs_have_the_same_day_and_ids_that_cannot_meet(self, server: Server) -> None:
        stl, sys = RedshiftEngine(server, "stl"), RedshiftEngine(server, "sys")
        read = rows(stl.source().read(DAY))
        assert [row["query_id"] for row in read] == [
            f"stl-{row['query_id']}" for row in rows(sys.source().read(DAY))
        ]

    def test_what_the_extractor_sent_is_not_found_when_it_is_in_the_log(
        self, engine: RedshiftEngine, server: Server
    ) -> None:
        """Its own statements, put into the log as Redshift would, are no Hex queries."""
        psycopg = pytest.importorskip("psycopg")
        before = rows(engine.source().read(DAY))
        engine.source().losses(DAY)
        sent = re.findall(
            r"(?:statement|execute [^:]*): (.*?)(?=\n\d{4}-\d\d-\d\d )",
            "".join(engine.statements()),
            re.DOTALL,
        )
        own = list({text: None for text in sent if engine.texts_table in text})[-12:]
        assert any("Hexquery" in text for text in own)
        entries = [entry(str(9000 + n), text, NOON) for n, text in enumerate(own)]
        with psycopg.connect(engine.login, autocommit=True) as connection:
            fill(connection.cursor(), entries)
            try:
                assert rows(engine.source().read(DAY)) == before
            finally:
                for table, key in (
                    ("sys_query_history", "query_id"),
                    ("sys_query_text", "query_id"),
                    ("stl_query", "query"),
                    ("stl_querytext", "query"),
                ):
                    connection.execute(f"delete from {table} where {key} >= 9000")


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDSHIFT_PASSWORD", "right-password")


def redshift(port: int, /, **changes: object) -> RedshiftLog:
    keys: dict[str, object] = {
        "type": "redshift",
        "host": "127.0.0.1",
        "port": port,
        "database": "postgres",
        "user": "reader",
        "password": {"env": "REDSHIFT_PASSWORD"},
        "ssl": False,
        "hexUser": "hex",
    }
    return warehouse_settings(keys | changes).source("rs")  # type: ignore[return-value]


def ids(batches: list[pa.RecordBatch]) -> list[str]:
    return [query_id for batch in batches for query_id in batch["query_id"].to_pylist()]


BORDER_WINDOW = Window(DAY.start + BORDER_DAY, DAY.end + BORDER_DAY)


@pytest.mark.parametrize(("tables", "prefix"), [("sys", ""), ("stl", "stl-")])
def test_texts_are_put_together_exactly_over_pages(
    port: int, tables: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_STATEMENTS", 4)
    batches = list(redshift(port, logTables=tables).read(BORDER_WINDOW))
    assert ids(batches) == [prefix + query_id for query_id in EXPECTED]
    assert all(batch.schema.equals(LOG_SCHEMA) for batch in batches)
    texts = {prefix + item.query_id: item.text for item in BORDERS}
    for row in pa.Table.from_batches(batches).to_pylist():
        assert row["text"] == texts[row["query_id"]]
        assert (row["user"], row["default_catalog"], row["truncated"]) == ("hex", "shop", False)


def test_random_texts_survive_segments_that_lost_their_blanks() -> None:
    generator = random.Random(7)
    for _ in range(300):
        text = "".join(generator.choices("ab \n\\\t'", k=generator.randint(1, 900))) + COMMENT
        logged = text.replace("\\", "\\\\").replace("\n", "\\n")
        parts = [logged[start : start + 200].rstrip(" ") for start in range(0, len(logged), 200)]
        assert whole_text(dict(enumerate(parts)), 200) == text


def test_a_window_older_than_a_week_is_refused(port: int) -> None:
    with pytest.raises(WindowExpired, match="7 days"):
        check_window(redshift(port), DAY, DAY.start + timedelta(days=8))


BEFORE = Window(DAY.start - timedelta(days=2), DAY.start - timedelta(days=1))


def test_a_window_before_the_oldest_row_of_stl_is_refused(port: int) -> None:
    """STL_* may keep less than the week that is documented: no row is not an empty day."""
    with pytest.raises(WindowExpired, match=r"stl_query begins at .*SYSLOG ACCESS"):
        rows(redshift(port, logTables="stl").read(BEFORE))
    assert rows(redshift(port, logTables="sys").read(BEFORE)) == []


@pytest.mark.parametrize("tables", ["sys", "stl"])
def test_where_the_log_begins_inside_a_window_is_told(port: int, tables: str) -> None:
    log = redshift(port, logTables=tables)
    first = DAY.start - timedelta(seconds=1)  # the statement of the day before
    assert log.losses(Window(BEFORE.start, DAY.end)).log_begins_at == first
    assert log.losses(DAY).log_begins_at is None
