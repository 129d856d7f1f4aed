"""Athena's query history through boto3, over HTTP: pages, batches and refusals."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta

import pyarrow as pa
import pytest

from hex_assets.warehouses.athena import AthenaLog
from hex_assets.warehouses.base import (
    LOG_SCHEMA,
    CannotConnect,
    CannotRead,
    WindowExpired,
    check_window,
)
from hex_assets.warehouses.reading import last_position
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets_tests.servers.athena import AthenaServer, running_athena
from hex_assets_tests.servers.entries import COMMENT, DAY, EXPECTED_IDS, NOON, entry, hex_day


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


def athena(url: str, **changes: object) -> AthenaLog:
    keys: dict[str, object] = {
        "type": "athena",
        "region": "eu-central-1",
        "accessKeyId": {"env": "ATHENA_ID"},
        "secretAccessKey": {"env": "ATHENA_KEY"},
        "endpointUrl": url,
    }
    return warehouse_settings(keys | changes).source("ath")  # type: ignore[return-value]


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


def test_resuming_at_any_row_loses_and_doubles_nothing(server: AthenaServer) -> None:
    batch = next(athena(server.url).read(DAY))
    for count in (1, 3, 4, len(EXPECTED)):
        position = last_position(batch.slice(0, count))
        assert ids(list(athena(server.url).read(DAY, position))) == EXPECTED[count:]


def test_failed_statements_are_counted(server: AthenaServer) -> None:
    losses = athena(server.url).losses(DAY)
    assert (losses.failed_count, losses.empty_text_count, losses.untagged_count) == (1, 0, None)


def test_a_missing_permission_is_told_with_the_action(server: AthenaServer) -> None:
    server.denied.add("BatchGetQueryExecution")
    with pytest.raises(CannotRead, match="allow athena:ListWorkGroups"):
        list(athena(server.url).read(DAY))
    (finding,) = athena(server.url).probe()
    assert (finding.check, finding.status) == ("query log", "failure")


def test_a_wrong_key_is_refused_and_never_shown(server: AthenaServer) -> None:
    server.refused_login = True
    with pytest.raises(CannotConnect, match="eu-central-1") as caught:
        list(athena(server.url).read(DAY))
    assert "secret-key-77" not in str(caught.value)
    (finding,) = athena(server.url).probe()
    assert finding.status == "failure"


def test_an_unreachable_endpoint_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(CannotConnect, match=r"127\.0\.0\.1"):
            list(athena(f"http://127.0.0.1:{free.getsockname()[1]}").read(DAY))


def test_a_window_older_than_45_days_is_refused(server: AthenaServer) -> None:
    with pytest.raises(WindowExpired, match="45 days"):
        check_window(athena(server.url), DAY, DAY.start + timedelta(days=46))
