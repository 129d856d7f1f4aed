"""Databricks' log through its own SQL connector, over Thrift and HTTP."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest

from hex_assets.warehouses.base import (
    CannotConnect,
    LogSource,
    WarehouseSettings,
    WindowExpired,
    WindowTooYoung,
    check_window,
)
from hex_assets.warehouses.databricks import DatabricksLog
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets_tests.servers.databricks import DatabricksServer, running_databricks
from hex_assets_tests.servers.entries import COMMENT, DAY, EXPECTED_IDS, NOON, entry, hex_day
from hex_assets_tests.warehouses.conformance import (
    Conformance,
    Engine,
    free_port,
    given,
)


@pytest.fixture(scope="module")
def server() -> Iterator[DatabricksServer]:
    with running_databricks() as running:
        running.fill(hex_day())
        for source, target in (("c.s.orders", None), ("c.s.items", "c.s.totals"), (None, None)):
            running.db.execute(
                "insert into db_system.access.table_lineage values ('1001', ?, ?, ?)",
                [source, target, NOON],
            )
        running.db.execute(
            "insert into db_system.access.column_lineage values ('1001', 'c.s.orders', 'a/b', ?)",
            [NOON],
        )
        running.db.execute(
            "update db_system.query.history set cache_origin_statement_id = '1001' "
            "where statement_id = '1002'"
        )
        yield running


@pytest.fixture(autouse=True)
def restored(server: DatabricksServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DATABRICKS_TOKEN", server.token)
    yield
    server.denied.clear()
    server.broken = False


class DatabricksEngine(Engine):
    grant = r"GRANT SELECT ON SCHEMA system\.query"

    def __init__(self, server: DatabricksServer) -> None:
        self.server = server

    def settings(self, **changes: object) -> WarehouseSettings:
        return databricks(self.server.port, **changes).settings

    def statements(self) -> list[str]:
        assert self.server.statements
        return self.server.statements

    @contextmanager
    def breaking(self) -> Iterator[LogSource]:
        self.server.broken = True  # the first rows come with the answer to the statement
        yield self.source()
        self.server.broken = False

    @contextmanager
    def without_grant(self) -> Iterator[LogSource]:
        self.server.denied.add("system.query")
        yield self.source()

    def without_password(self) -> AbstractContextManager[LogSource]:
        return given(self.source(token={"env": "TEST_WRONG_PASSWORD"}))

    def without_host(self) -> AbstractContextManager[LogSource]:
        return given(databricks(free_port()))


@pytest.fixture
def engine(server: DatabricksServer) -> DatabricksEngine:
    return DatabricksEngine(server)


class TestDatabricks(Conformance):
    pass


def databricks(port: int, **changes: object) -> DatabricksLog:
    keys: dict[str, object] = {
        "type": "databricks",
        "host": "127.0.0.1",
        "httpPath": "/sql/1.0/warehouses/w",
        "token": {"env": "DATABRICKS_TOKEN"},
        "hexUser": "HEX",
        "connectionArguments": {
            "_connection_uri": f"http://127.0.0.1:{port}/x",
            "use_cloud_fetch": False,
            "enable_telemetry": False,
            "_retry_stop_after_attempts_count": 1,
        },
    }
    return warehouse_settings(keys | changes).source("dbx")  # type: ignore[return-value]


def ids(batches: list[pa.RecordBatch]) -> list[str]:
    return [query_id for batch in batches for query_id in batch["query_id"].to_pylist()]


def test_lineage_tables_are_joined_and_a_cached_result_has_those_of_its_origin(
    server: DatabricksServer,
) -> None:
    batches = list(databricks(server.port).read(DAY))
    rows = {row["query_id"]: row for row in pa.Table.from_batches(batches).to_pylist()}
    inputs = [
        {"table": "c.s.items", "columns": None},
        {"table": "c.s.orders", "columns": ["a/b"]},
    ]
    for query_id in ("1001", "1002"):
        assert rows[query_id]["engine_inputs"] == inputs
        assert rows[query_id]["engine_outputs"] == [{"table": "c.s.totals", "columns": None}]
    assert rows["1003"]["engine_inputs"] is None


def test_without_lineage_tables_the_log_is_read_and_the_probe_says_so(
    server: DatabricksServer,
) -> None:
    server.denied.add("system.access")
    assert ids(list(databricks(server.port).read(DAY))) == EXPECTED_IDS
    finding = databricks(server.port).probe()[-1]
    assert (finding.check, finding.status) == ("lineage tables", "warning")
    assert "GRANT SELECT ON SCHEMA system.access" in (finding.mend or "")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "databricks.sql", None)
    with pytest.raises(CannotConnect, match=r"pip install 'hex-assets\[databricks\]'"):
        list(databricks(1).read(DAY))


def test_a_window_is_refused_until_complete_and_after_a_year() -> None:
    with pytest.raises(WindowTooYoung, match="01:15"):
        check_window(databricks(1), DAY, DAY.end)
    check_window(databricks(1), DAY, DAY.end + timedelta(minutes=75))
    with pytest.raises(WindowExpired):
        check_window(databricks(1), DAY, DAY.start + timedelta(days=366))


LIMIT = 5_000


@pytest.fixture
def cutting(monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabricksServer]:
    """A log that cut two texts of Hex and one of somebody else, within the probe's day too."""
    now = datetime.now(timezone.utc) - timedelta(hours=3)
    with running_databricks() as running:
        monkeypatch.setenv("DATABRICKS_TOKEN", running.token)
        for ended_at, day in ((NOON, "d"), (now, "n")):
            long = {name: f"select '{name * 9_000}' {COMMENT}"[:LIMIT] for name in "abc"}
            running.fill(
                [
                    entry(f"{day}1", long["a"], ended_at),
                    entry(f"{day}2", long["b"], ended_at),
                    entry(f"{day}3", long["c"], ended_at, user="BOB"),
                    entry(f"{day}4", f"select '{'d' * 9_000}' {COMMENT}", ended_at),
                    entry(f"{day}5", "select 'no comment'", ended_at),
                ]
            )
        yield running


def test_texts_cut_at_the_limit_of_the_settings_are_read_as_cut(cutting: DatabricksServer) -> None:
    log = databricks(cutting.port, textLimit=LIMIT)
    [batch] = log.read(DAY)
    cut = dict(zip(ids([batch]), batch["truncated"].to_pylist(), strict=True))
    assert cut == {"d1": True, "d2": True, "d4": False}
    assert log.losses(DAY).untagged_count == 1
    everybody = databricks(cutting.port, textLimit=LIMIT, hexUser=None)
    assert ids(list(everybody.read(DAY))) == ["d1", "d2", "d3", "d4"]


def test_without_the_limit_cut_texts_are_untagged_and_the_probe_finds_it(
    cutting: DatabricksServer,
) -> None:
    log = databricks(cutting.port)
    assert ids(list(log.read(DAY))) == ["d4"]
    assert log.losses(DAY).untagged_count == 3
    [finding] = [found for found in log.probe() if found.check == "text limit"]
    assert finding.status == "warning"
    assert f"textLimit: {LIMIT}" in str(finding.mend)
    known = databricks(cutting.port, textLimit=LIMIT).probe()
    assert "text limit" not in [found.check for found in known]


def test_texts_that_customer_managed_keys_emptied_are_counted_and_told(
    cutting: DatabricksServer,
) -> None:
    cutting.db.execute("update db_system.query.history set statement_text = ''")
    log = databricks(cutting.port)
    assert list(log.read(DAY)) == []
    losses = log.losses(DAY)
    assert (losses.empty_text_count, losses.untagged_count) == (4, 0)
    finding = log.probe()[1]
    assert finding.status == "warning"
    assert "customer-managed keys" in str(finding.mend)
