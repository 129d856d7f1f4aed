"""Snowflake's log through SnowflakeResource and the vendor's connector, over HTTP.

A round trip: the connector logs in with a password, reads ACCOUNT_USAGE in chunks and hands out
Arrow; the log comes out whole, in order, and resumes after a chunk that could not be fetched.
"""

from __future__ import annotations

import socket
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
from hex_assets.warehouses.reading import last_position
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets.warehouses.snowflake import TEXT_LIMIT, SnowflakeLog, access_objects

pytest.importorskip("fakesnow")

from hex_assets_tests.servers.entries import DAY, EXPECTED_IDS, NOON, entry, hex_day
from hex_assets_tests.servers.snowflake import SnowflakeServer, running_snowflake

pytestmark = pytest.mark.slow  # importing dagster_snowflake alone takes seconds

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
        running.fill([*hex_day(long_text_characters=60_000), *CUT_ENTRIES], ACCESS)
        yield running


@pytest.fixture(autouse=True)
def restored(server: SnowflakeServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", server.password)
    yield
    server.denied.clear()
    server.broken_chunks = False


def snowflake(server: SnowflakeServer, **changes: object) -> SnowflakeLog:
    keys: dict[str, object] = {
        "type": "snowflake",
        "account": "myorg-account",
        "user": "READER",
        "role": "HEX_READER",
        "password": {"env": "SNOWFLAKE_PASSWORD"},
        "hexUser": "hex",
        "loginTimeoutSeconds": 2,
        "connectionArguments": {"host": "127.0.0.1", "port": server.port, "protocol": "http"},
    }
    return warehouse_settings(keys | changes).source("sf")  # type: ignore[return-value]


def ids(batches: list[pa.RecordBatch]) -> list[str]:
    return [query_id for batch in batches for query_id in batch["query_id"].to_pylist()]


def test_every_hex_statement_of_the_day_and_no_other_leaves_snowflake(
    server: SnowflakeServer,
) -> None:
    batches = list(snowflake(server).read(DAY))
    assert ids(batches) == [*EXPECTED_IDS, "1041"]
    assert all(batch.schema.equals(LOG_SCHEMA) for batch in batches)
    rows = {row["query_id"]: row for batch in batches for row in batch.to_pylist()}
    texts = {item.query_id: item.text for item in [*hex_day(60_000), *CUT_ENTRIES]}
    assert {key: row["text"] for key, row in rows.items()} == {key: texts[key] for key in rows}
    assert [key for key, row in rows.items() if row["truncated"]] == ["1041"]
    assert rows["1014"]["started_at"] == DAY.start + timedelta(seconds=60) - timedelta(hours=3)
    assert rows["1001"]["user"] == "HEX"
    assert (rows["1001"]["default_catalog"], rows["1001"]["default_schema"]) == ("SHOP", "PUBLIC")
    assert rows["1001"]["engine_hash"]


def test_no_statement_of_ours_holds_the_marker_that_it_looks_for(server: SnowflakeServer) -> None:
    source = snowflake(server)
    list(source.read(DAY))
    source.losses(DAY)
    source.probe()
    assert len(server.statements) > 3
    assert not [statement for statement in server.statements if MARKER in statement]


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


def test_resuming_at_any_row_loses_and_doubles_nothing(
    server: SnowflakeServer,
) -> None:
    whole = [*EXPECTED_IDS, "1041"]
    batch = next(snowflake(server).read(DAY))
    for count in (1, 3, 4, len(whole)):
        position = last_position(batch.slice(0, count))
        assert ids(list(snowflake(server).read(DAY, position))) == whole[count:]


def test_a_chunk_that_cannot_be_fetched_is_a_broken_read_that_resumes(
    server: SnowflakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from snowflake.connector import result_batch

    monkeypatch.setattr(result_batch, "MAX_DOWNLOAD_RETRY", 1)
    stream = snowflake(server)._rows(DAY, None)
    server.broken_chunks = True
    read = []
    with pytest.raises(BrokenRead, match="sf"):
        for row in stream:
            read.append(row)
    server.broken_chunks = False
    assert [row["query_id"] for row in read] == EXPECTED_IDS[: len(read)]
    assert read


def test_losses_count_failed_and_untagged_statements_of_hex(server: SnowflakeServer) -> None:
    losses = snowflake(server).losses(DAY)
    assert (losses.failed_count, losses.empty_text_count, losses.untagged_count) == (1, 0, 1)
    assert snowflake(server, hexUser=None).losses(DAY).untagged_count is None


def test_a_revoked_grant_is_told_with_the_statement_that_mends_it(server: SnowflakeServer) -> None:
    server.denied.add("ACCOUNT_USAGE.QUERY_HISTORY")
    with pytest.raises(CannotRead, match=r"GRANT DATABASE ROLE SNOWFLAKE\.GOVERNANCE_VIEWER"):
        list(snowflake(server).read(DAY))
    findings = {found.check: found for found in snowflake(server).probe()}
    assert findings["query log"].status == "failure"
    assert "TO ROLE HEX_READER" in (findings["query log"].mend or "")


def test_a_wrong_password_is_refused_and_never_shown(
    server: SnowflakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", "wrong-secret-77")
    with pytest.raises(CannotConnect, match="Incorrect username") as caught:
        list(snowflake(server).read(DAY))
    assert "myorg-account" in str(caught.value)
    assert "wrong-secret-77" not in str(caught.value)
    (finding,) = snowflake(server).probe()
    assert finding.status == "failure"
    assert "wrong-secret-77" not in repr(finding)
    assert "wrong-secret-77" not in repr(snowflake(server).settings)


def test_an_unreachable_host_is_named(server: SnowflakeServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        arguments = {"host": "127.0.0.1", "port": free.getsockname()[1], "protocol": "http"}
        with pytest.raises(CannotConnect, match=r"127\.0\.0\.1"):
            list(snowflake(server, connectionArguments=arguments).read(DAY))


def test_a_window_is_refused_until_complete_and_after_a_year(server: SnowflakeServer) -> None:
    source = snowflake(server)
    with pytest.raises(WindowTooYoung, match="2026-11-23 04:00"):
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
