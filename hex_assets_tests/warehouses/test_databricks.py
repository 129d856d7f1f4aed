"""Databricks' log through its own SQL connector, over Thrift and HTTP."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from datetime import timedelta

import pyarrow as pa
import pytest

from hex_assets.warehouses.base import (
    LOG_SCHEMA,
    MARKER,
    BrokenRead,
    CannotConnect,
    CannotRead,
    WindowExpired,
    WindowTooYoung,
    check_window,
)
from hex_assets.warehouses.databricks import DatabricksLog
from hex_assets.warehouses.reading import last_position
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets_tests.servers.databricks import DatabricksServer, running_databricks
from hex_assets_tests.servers.entries import DAY, EXPECTED_IDS, NOON, hex_day


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


def test_every_hex_statement_of_the_day_leaves_databricks_exactly(
    server: DatabricksServer,
) -> None:
    batches = list(databricks(server.port).read(DAY))
    assert ids(batches) == EXPECTED_IDS
    assert all(batch.schema.equals(LOG_SCHEMA) for batch in batches)
    texts = {item.query_id: item.text for item in hex_day()}
    for row in pa.Table.from_batches(batches).to_pylist():
        assert row["text"] == texts[row["query_id"]]
    assert not [statement for statement in server.statements if MARKER in statement]


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


def test_resuming_at_any_row_loses_and_doubles_nothing(server: DatabricksServer) -> None:
    batch = next(databricks(server.port).read(DAY))
    for count in range(1, len(EXPECTED_IDS) + 1):
        position = last_position(batch.slice(0, count))
        assert ids(list(databricks(server.port).read(DAY, position))) == EXPECTED_IDS[count:]


def test_a_warehouse_that_stops_in_mid_read_is_a_broken_read(
    server: DatabricksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hex_assets.warehouses.databricks.BATCH_ROWS", server.rows_a_fetch)
    read = []
    with pytest.raises(BrokenRead, match="stopped"):
        for row in databricks(server.port)._rows(DAY, None):
            read.append(row["query_id"])
            server.broken = True
    assert read == EXPECTED_IDS[: server.rows_a_fetch]


def test_losses_count_failed_and_untagged_statements_of_hex(server: DatabricksServer) -> None:
    losses = databricks(server.port).losses(DAY)
    assert (losses.failed_count, losses.empty_text_count, losses.untagged_count) == (1, 0, 1)


def test_a_revoked_grant_is_told_with_its_mend(server: DatabricksServer) -> None:
    server.denied.add("system.query")
    with pytest.raises(CannotRead, match=r"GRANT SELECT ON SCHEMA system\.query"):
        list(databricks(server.port).read(DAY))
    assert databricks(server.port).probe()[-1].status == "failure"


def test_a_wrong_token_is_refused_and_never_shown(
    server: DatabricksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-wrong-77")
    with pytest.raises(CannotConnect, match=r"127\.0\.0\.1") as caught:
        list(databricks(server.port).read(DAY))
    assert "dapi-wrong-77" not in str(caught.value)
    assert databricks(server.port).probe()[0].status == "failure"


def test_an_unreachable_host_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(CannotConnect, match=r"Databricks at 127\.0\.0\.1"):
            list(databricks(free.getsockname()[1]).read(DAY))


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
