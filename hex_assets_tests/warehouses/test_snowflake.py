"""Snowflake's log through SnowflakeResource and the vendor's connector, over HTTP.

A round trip: the connector logs in with a password, reads ACCOUNT_USAGE in chunks and hands out
Arrow; the log comes out whole, in order, and resumes after a chunk that could not be fetched.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import pyarrow as pa
import pytest

from hex_assets.warehouses.base import (
    LOG_SCHEMA,
    CannotConnect,
    LogSource,
    WarehouseSettings,
    WindowExpired,
    WindowTooYoung,
    check_window,
)
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets.warehouses.snowflake import TEXT_LIMIT, SnowflakeLog, access_objects

pytest.importorskip("fakesnow")

from hex_assets_tests.servers.entries import DAY, EXPECTED_IDS, NOON, entry, hex_day
from hex_assets_tests.servers.snowflake import SnowflakeServer, running_snowflake
from hex_assets_tests.warehouses.conformance import (
    Conformance,
    Engine,
    free_port,
    given,
)

pytestmark = pytest.mark.slow  # importing dagster_snowflake alone takes seconds

LONG = 60_000
CUT = f"select '{'x' * TEXT_LIMIT}'"[:TEXT_LIMIT]
CUT_ENTRIES = [
    entry("1041", CUT, NOON + timedelta(seconds=20)),
    entry("1042", CUT, NOON + timedelta(seconds=21), user="BOB"),
]
ACCESS = [
    {
        "query_id": "1001",
        "query_start_time": NOON - timedelta(seconds=1),
        "direct": [
            {
                "objectDomain": "Table",
                "objectName": 'SHOP.PUBLIC."my orders"',
                "columns": [{"columnName": "ID"}, {"columnName": "AMOUNT"}],
            },
            {"objectDomain": "Stage", "objectName": "SHOP.PUBLIC.FILES"},
        ],
        "modified": [{"objectDomain": "Table", "objectName": "SHOP.PUBLIC.TOTALS"}],
    }
]


@pytest.fixture(scope="module")
def server() -> Iterator[SnowflakeServer]:
    with running_snowflake() as running:
        running.fill([*hex_day(LONG), *CUT_ENTRIES], ACCESS)
        yield running


@pytest.fixture(autouse=True)
def restored(server: SnowflakeServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", server.password)
    yield
    server.denied.clear()
    server.broken_chunks = False


class SnowflakeEngine(Engine):
    grant = "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE HEX_READER"
    cut_text = CUT
    long_text = LONG

    def __init__(self, server: SnowflakeServer) -> None:
        self.server = server

    def settings(self, **changes: object) -> WarehouseSettings:
        keys: dict[str, object] = {
            "type": "snowflake",
            "account": "myorg-account",
            "user": "READER",
            "role": "HEX_READER",
            "password": {"env": "SNOWFLAKE_PASSWORD"},
            "hexUser": "hex",
            "loginTimeoutSeconds": 2,
            "connectionArguments": self.arguments(self.server.port),
        }
        return warehouse_settings(keys | changes)

    def arguments(self, port: int) -> dict[str, object]:
        return {"host": "127.0.0.1", "port": port, "protocol": "http"}

    def statements(self) -> list[str]:
        assert self.server.statements
        return self.server.statements

    @contextmanager
    def breaking(self) -> Iterator[LogSource]:
        from snowflake.connector import result_batch

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(result_batch, "MAX_DOWNLOAD_RETRY", 1)
            self.server.broken_chunks = True
            yield self.source()
            self.server.broken_chunks = False

    @contextmanager
    def without_grant(self) -> Iterator[LogSource]:
        self.server.denied.add("ACCOUNT_USAGE.QUERY_HISTORY")
        yield self.source()

    def without_password(self) -> AbstractContextManager[LogSource]:
        return given(self.source(password={"env": "TEST_WRONG_PASSWORD"}))

    def without_host(self) -> AbstractContextManager[LogSource]:
        return given(self.source(connectionArguments=self.arguments(free_port())))


@pytest.fixture
def engine(server: SnowflakeServer) -> SnowflakeEngine:
    return SnowflakeEngine(server)


class TestSnowflake(Conformance):
    pass


def snowflake(server: SnowflakeServer, **changes: object) -> SnowflakeLog:
    return SnowflakeEngine(server).source(**changes)  # type: ignore[return-value]


def ids(batches: list[pa.RecordBatch]) -> list[str]:
    return [query_id for batch in batches for query_id in batch["query_id"].to_pylist()]


def test_every_hex_statement_of_the_day_and_no_other_leaves_snowflake(
    server: SnowflakeServer,
) -> None:
    batches = list(snowflake(server).read(DAY))
    assert ids(batches) == [*EXPECTED_IDS, "1041"]
    assert all(batch.schema.equals(LOG_SCHEMA) for batch in batches)
    rows = {row["query_id"]: row for batch in batches for row in batch.to_pylist()}
    texts = {item.query_id: item.text for item in [*hex_day(LONG), *CUT_ENTRIES]}
    assert {key: row["text"] for key, row in rows.items()} == {key: texts[key] for key in rows}
    assert [key for key, row in rows.items() if row["truncated"]] == ["1041"]
    assert rows["1014"]["started_at"] == DAY.start + timedelta(seconds=60) - timedelta(hours=3)
    assert rows["1001"]["user"] == "HEX"
    assert (rows["1001"]["default_catalog"], rows["1001"]["default_schema"]) == ("SHOP", "PUBLIC")
    assert rows["1001"]["engine_hash"]


def test_tables_and_columns_of_access_history_are_joined_without_stages(
    server: SnowflakeServer,
) -> None:
    rows = {
        row["query_id"]: row for batch in snowflake(server).read(DAY) for row in batch.to_pylist()
    }
    assert rows["1001"]["engine_inputs"] == [
        {"table": "SHOP.PUBLIC.my orders", "columns": ["ID", "AMOUNT"]}
    ]
    assert rows["1001"]["engine_outputs"] == [{"table": "SHOP.PUBLIC.TOTALS", "columns": None}]
    assert rows["1002"]["engine_inputs"] is None


def test_standard_edition_is_read_without_access_history_and_the_probe_says_so(
    server: SnowflakeServer,
) -> None:
    server.denied.add("ACCOUNT_USAGE.ACCESS_HISTORY")
    source = snowflake(server)
    batches = list(source.read(DAY))
    assert ids(batches) == [*EXPECTED_IDS, "1041"]
    assert batches[0]["engine_inputs"].null_count == batches[0].num_rows
    finding = next(found for found in source.probe() if found.check == "access history")
    assert finding.status == "warning"
    assert "GOVERNANCE_VIEWER TO ROLE HEX_READER" in (finding.mend or "")


def test_a_window_is_refused_until_complete_and_after_a_year(server: SnowflakeServer) -> None:
    source = snowflake(server)
    with pytest.raises(WindowTooYoung, match=f"{DAY.end:%Y-%m-%d} 04:00"):
        check_window(source, DAY, DAY.end + timedelta(hours=3))
    check_window(source, DAY, DAY.end + timedelta(hours=4))
    check_window(snowflake(server, accessHistory=False), DAY, DAY.end + timedelta(hours=1))
    with pytest.raises(WindowExpired):
        check_window(source, DAY, DAY.start + timedelta(days=366))


def test_one_way_to_log_in_is_asked_for() -> None:
    keys = {"type": "snowflake", "account": "a", "user": "u"}
    with pytest.raises(ValueError, match="set one of password"):
        warehouse_settings(keys)
    with pytest.raises(ValueError, match="set one of password"):
        warehouse_settings(keys | {"password": {"env": "A"}, "privateKey": {"env": "B"}})


def test_oauth_and_key_pair_reach_the_connector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "abc")
    keys = {"type": "snowflake", "account": "a", "user": "u"}
    token = warehouse_settings(keys | {"token": {"env": "SECRET"}}).source("sf")
    arguments = token._resource()._connection_args  # type: ignore[attr-defined]
    assert (arguments["authenticator"], arguments["token"]) == ("oauth", "abc")
    key = warehouse_settings(keys | {"privateKey": {"env": "SECRET"}}).source("sf")
    assert key._resource().private_key == "abc"  # type: ignore[attr-defined]


def test_a_column_list_that_is_empty_means_unknown_columns() -> None:
    logged = '[{"objectDomain": "View", "objectName": "D.S.V", "columns": []}]'
    assert access_objects(logged) == [{"table": "D.S.V", "columns": None}]
    assert access_objects(None) is None
    assert access_objects("[]") is None


def test_a_missing_package_names_the_plain_package(
    server: SnowflakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dagster_snowflake", None)
    with pytest.raises(CannotConnect, match="pip install 'dagster-snowflake'"):
        list(snowflake(server).read(DAY))
