"""ClickHouse's log over HTTP: the real engine by chDB, clickhouse-connect as the client.

Statements really run; the log that comes out is the engine's own. Faults come from a proxy.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta, timezone

import pytest

from hex_assets.secret import Secret
from hex_assets.warehouses.base import MARKER, LogSource, WarehouseSettings, Window, WindowExpired
from hex_assets.warehouses.clickhouse import ClickHouseLog, ClickHouseSettings

pytest.importorskip("chdb")

from hex_assets.demo.clickhouse_server import ClickHouseServer, StatementFailed
from hex_assets_tests.servers.clickhouse import fill
from hex_assets_tests.servers.entries import NOON, entry, hex_day
from hex_assets_tests.servers.faulty_http import faulty_proxy
from hex_assets_tests.warehouses.conformance import (
    LARGE,
    STATEMENTS,
    WRONG_PASSWORD,
    Conformance,
    Engine,
    free_port,
    given,
    rows,
    tagged,
)

PASSWORD = "right-password"


LONG = 60_000
CUT = f"SELECT '{'x' * 100_000}'"[:100_000]
DAY_LOG = [*hex_day(LONG), entry("1041", CUT, NOON + timedelta(seconds=20))]


def log_of(port: int, /, **more: object) -> ClickHouseLog:
    password = more.pop("password", Secret(env="TEST_CLICKHOUSE_PASSWORD"))
    settings = ClickHouseSettings.model_validate(
        {
            "type": "clickhouse",
            "host": "127.0.0.1",
            "port": port,
            "secure": False,
            "password": password,
            **more,
        }
    )
    return settings.source("shop")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse"), PASSWORD) as server:
        server.run("CREATE DATABASE shop")
        server.run("CREATE TABLE shop.orders (id Int64, amount Float64) ENGINE Memory")
        server.run("INSERT INTO shop.orders VALUES (1, 2.5)")
        server.run("CREATE TABLE shop.totals (n Float64) ENGINE Memory")
        for text in STATEMENTS.values():
            server.run(text, database="shop")
        server.run(tagged("SELECT id, amount FROM orders", "reads"), database="shop")
        server.run(
            tagged("INSERT INTO totals SELECT sum(amount) FROM orders", "writes"), database="shop"
        )
        server.run("SET max_query_size = 10000000")
        server.run(tagged(f"SELECT '{'x' * LARGE}' FORMAT Null", "cut"), query_id="demo-0-9")
        for number in range(20):
            filler = f"SELECT {number}, '{number * 'long text '}'"
            server.run(tagged(filler, f"p{number}"), query_id=f"demo-3-{number}")
        with pytest.raises(StatementFailed):
            server.run(tagged("SELECT nothing FROM shop.orders", "failed"))
        server.flush()
        fill(server, DAY_LOG)
        yield server


@pytest.fixture(scope="module")
def environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_CLICKHOUSE_PASSWORD", PASSWORD)
        patch.setenv("TEST_WRONG_PASSWORD", WRONG_PASSWORD)
        yield


@pytest.fixture
def window() -> Window:
    now = datetime.now(timezone.utc)
    return Window(now - timedelta(hours=1), now + timedelta(hours=1))


class ClickHouseEngine(Engine):
    grant = r"GRANT SELECT ON shop\.day_log"
    cut_text = CUT
    long_text = LONG

    def __init__(self, server: ClickHouseServer) -> None:
        self.server = server

    def settings(self, **changes: object) -> WarehouseSettings:
        keys: dict[str, object] = {"queryLogTable": "shop.day_log", "hexUser": "HEX"}
        return log_of(self.server.port, **(keys | changes)).settings

    def statements(self) -> list[str]:
        self.server.flush()
        sent = self.server.run(
            "SELECT query FROM system.query_log WHERE position(query, 'FROM shop.day_log') > 0"
            " FORMAT TabSeparated"
        )
        assert sent
        return [sent]

    @contextmanager
    def breaking(self) -> Iterator[LogSource]:
        with faulty_proxy(self.server.url) as proxy:
            proxy.match, proxy.break_count = b"ORDER BY event_time_microseconds", 1
            yield self.source(port=proxy.server_port)

    @contextmanager
    def without_grant(self) -> Iterator[LogSource]:
        with faulty_proxy(self.server.url) as proxy:
            text = (
                "Code: 497. DB::Exception: default: Not enough privileges. To execute this query, "
                "it's necessary to have the grant SELECT ON shop.day_log. (ACCESS_DENIED)"
            )
            proxy.match, proxy.refusal = b"day_log", (403, "497", text)
            yield self.source(port=proxy.server_port)

    def without_password(self) -> AbstractContextManager[LogSource]:
        return given(self.source(password={"env": "TEST_WRONG_PASSWORD"}))

    def without_host(self) -> AbstractContextManager[LogSource]:
        return given(self.source(port=free_port()))


@pytest.fixture
def engine(server: ClickHouseServer, environment: None) -> ClickHouseEngine:
    return ClickHouseEngine(server)


class TestClickHouse(Conformance):
    def test_the_servers_own_log_has_the_texts_as_sent_and_never_our_own(
        self, server: ClickHouseServer, environment: None, window: Window
    ) -> None:
        first = rows(log_of(server.port).read(window))
        texts = [row["text"] for row in first]
        for name, text in STATEMENTS.items():
            assert texts.count(text) == 1, name
        server.flush()
        assert rows(log_of(server.port).read(window)) == first

    def test_the_engines_tables_and_columns_are_inputs(
        self, server: ClickHouseServer, environment: None, window: Window
    ) -> None:
        found = {row["text"]: row for row in rows(log_of(server.port).read(window))}
        reads = found[tagged("SELECT id, amount FROM orders", "reads")]
        (table,) = reads["engine_inputs"]
        assert table["table"] == "shop.orders"
        assert set(table["columns"]) == {"id", "amount"}
        assert reads["default_schema"] == "shop"
        writes = found[tagged("INSERT INTO totals SELECT sum(amount) FROM orders", "writes")]
        assert [table["table"] for table in writes["engine_inputs"]] == ["shop.orders"]

    def test_a_cut_text_is_yielded_and_marked(
        self, server: ClickHouseServer, environment: None, window: Window
    ) -> None:
        cut = [row for row in rows(log_of(server.port).read(window)) if row["truncated"]]
        assert len(cut) == 1
        assert MARKER not in cut[0]["text"]
        someone = rows(log_of(server.port, hexUser="someone").read(window))
        assert not [row for row in someone if row["truncated"]]

    def test_failed_statements_are_counted(
        self, server: ClickHouseServer, environment: None, window: Window
    ) -> None:
        losses = log_of(server.port, hexUser="default").losses(window)
        assert losses.failed_count == 1
        assert losses.untagged_count is not None and losses.untagged_count > 0
        assert log_of(server.port).losses(window).untagged_count is None

    def test_the_window_is_half_open_on_completion(
        self, server: ClickHouseServer, environment: None, window: Window
    ) -> None:
        log = log_of(server.port)
        found = rows(log.read(window))
        middle = found[len(found) // 2]["ended_at"]
        before = rows(log.read(Window(window.start, middle)))
        after = rows(log.read(Window(middle, window.end)))
        assert before + after == found
        assert after[0]["ended_at"] == middle

    def test_a_window_before_the_log_is_refused(
        self, server: ClickHouseServer, environment: None, window: Window
    ) -> None:
        old = Window(window.start - timedelta(days=30), window.end - timedelta(days=29))
        with pytest.raises(WindowExpired, match="begins at"):
            rows(log_of(server.port).read(old))

    def test_cluster_and_rotated_tables_give_the_same_rows(
        self, server: ClickHouseServer, environment: None, window: Window
    ) -> None:
        spread = log_of(server.port, cluster="demo", rotatedTables=True)
        assert rows(spread.read(window)) == rows(log_of(server.port).read(window))

    def test_the_demo_view_moves_a_query_into_the_past(
        self, server: ClickHouseServer, environment: None, window: Window
    ) -> None:
        past = Window(window.start - timedelta(days=3), window.end - timedelta(days=3))
        moved = rows(log_of(server.port, queryLogTable="demo.query_log").read(past))
        assert {row["query_id"] for row in moved} == {f"demo-3-{n}" for n in range(20)}

    def test_the_probe_names_a_missing_log(
        self, server: ClickHouseServer, environment: None
    ) -> None:
        (finding,) = log_of(server.port, queryLogTable="system.no_such_log").probe()[1:]
        assert finding.status == "failure" and "no_such_log" in finding.detail
        assert finding.mend and "query_log" in finding.mend
        assert {f.status for f in log_of(server.port).probe()} == {"ok"}
