"""Athena's query history through boto3, over HTTP: pages, batches and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pyarrow as pa
import pytest

from hex_assets.warehouses.athena import AthenaLog
from hex_assets.warehouses.base import (
    LOG_SCHEMA,
    CannotRead,
    LogSource,
    WarehouseSettings,
    WindowExpired,
    check_window,
)
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets_tests.servers.athena import AthenaServer, running_athena
from hex_assets_tests.servers.entries import COMMENT, DAY, EXPECTED_IDS, NOON, entry, hex_day
from hex_assets_tests.warehouses.conformance import (
    Conformance,
    Engine,
    free_port,
    rows,
)


@pytest.fixture(scope="module")
def server() -> Iterator[AthenaServer]:
    with running_athena() as running:
        running.fill(hex_day())
        running.fill([entry("1002b", f"select 'bi' {COMMENT}", NOON)], "bi")
        old = DAY.start - timedelta(days=9)
        running.fill([entry(f"old{index}", "select 1", old) for index in range(40)])
        yield running


EXPECTED = EXPECTED_IDS[:]
EXPECTED[4:4] = ["1002b"]


@pytest.fixture(autouse=True)
def restored(server: AthenaServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ATHENA_ID", "AKIA77")
    monkeypatch.setenv("ATHENA_KEY", "secret-key-77")
    yield
    server.denied.clear()
    server.unprocessed.clear()
    server.refused_login = False
    server.calls.clear()
    server.calls_left = None


def athena(url: str, **changes: object) -> AthenaLog:
    keys: dict[str, object] = {
        "type": "athena",
        "region": "eu-central-1",
        "accessKeyId": {"env": "ATHENA_ID"},
        "secretAccessKey": {"env": "ATHENA_KEY"},
        "endpointUrl": url,
    }
    return warehouse_settings(keys | changes).source("ath")  # type: ignore[return-value]


class AthenaEngine(Engine):
    grant = "allow athena:ListWorkGroups"
    losses = (1, 0, None)

    def __init__(self, server: AthenaServer) -> None:
        self.server = server

    def settings(self, **changes: object) -> WarehouseSettings:
        changes.setdefault("workgroups", ["primary"])
        return athena(str(changes.pop("url", self.server.url)), **changes).settings

    @contextmanager
    def without_grant(self) -> Iterator[LogSource]:
        self.server.denied.add("BatchGetQueryExecution")
        yield self.source()

    @contextmanager
    def without_password(self) -> Iterator[LogSource]:
        self.server.refused_login = True
        yield self.source(secretAccessKey={"env": "TEST_WRONG_PASSWORD"})

    @contextmanager
    def without_host(self) -> Iterator[LogSource]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("time.sleep", lambda seconds: None)
            yield self.source(url=f"http://127.0.0.1:{free_port()}")


@pytest.fixture
def engine(server: AthenaServer) -> AthenaEngine:
    return AthenaEngine(server)


class TestAthena(Conformance):
    def test_a_broken_read_goes_on_without_loss_or_doubles(self, engine: Engine) -> None:
        """The API cannot sort: no row is given out before the window is whole."""
        assert isinstance(engine, AthenaEngine)
        whole = rows(engine.source().read(DAY))
        engine.server.calls_left = 4
        stream = engine.source().read(DAY)
        with pytest.raises(CannotRead):
            next(stream)
        engine.server.calls_left = None
        assert rows(engine.source().read(DAY)) == whole


def ids(batches: list[pa.RecordBatch]) -> list[str]:
    return [query_id for batch in batches for query_id in batch["query_id"].to_pylist()]


def test_all_workgroups_are_read_in_order_and_texts_are_exact(server: AthenaServer) -> None:
    batches = list(athena(server.url).read(DAY))
    assert ids(batches) == EXPECTED
    assert all(batch.schema.equals(LOG_SCHEMA) for batch in batches)
    texts = {item.query_id: item.text for item in hex_day()}
    for row in pa.Table.from_batches(batches).to_pylist():
        assert row["text"] == texts.get(row["query_id"], row["text"])
        assert (row["default_catalog"], row["default_schema"]) == ("awsdatacatalog", "shop")


def test_the_list_is_left_at_a_whole_page_of_old_executions(server: AthenaServer) -> None:
    list(athena(server.url, workgroups=["primary"]).read(DAY))
    assert server.calls.count("ListQueryExecutions") == 5  # 16 of the day, 4 old; 36 not asked


def test_ids_that_a_batch_leaves_out_are_asked_for_again(server: AthenaServer) -> None:
    server.unprocessed = {"1001", "1023"}
    assert ids(list(athena(server.url).read(DAY))) == EXPECTED


def test_a_window_older_than_45_days_is_refused(server: AthenaServer) -> None:
    with pytest.raises(WindowExpired, match="45 days"):
        check_window(athena(server.url), DAY, DAY.start + timedelta(days=46))
