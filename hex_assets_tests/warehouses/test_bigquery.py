"""BigQuery's log through BigQueryResource and Google's client, over HTTP with tokens and pages."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import pyarrow as pa
import pytest

from hex_assets.warehouses.base import (
    LOG_SCHEMA,
    CannotConnect,
    CannotRead,
    LogSource,
    WarehouseSettings,
    WindowExpired,
    WindowTooYoung,
    check_window,
)
from hex_assets.warehouses.bigquery import BigQueryLog, with_comment_of_script
from hex_assets.warehouses.reading import last_position
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets_tests.servers.bigquery import BigQueryServer, running_bigquery
from hex_assets_tests.servers.entries import COMMENT, DAY, EXPECTED_IDS, NOON, entry, hex_day
from hex_assets_tests.warehouses.conformance import (
    Conformance,
    Engine,
    free_port,
    given,
)

pytestmark = pytest.mark.slow  # importing dagster_gcp alone takes seconds

PLACES = [
    {"project": "proj", "region": "us"},
    {"project": "other-proj", "region": "eu"},
    {"project": "scripts", "region": "us"},
]
LATE = NOON + timedelta(minutes=1)


@pytest.fixture(scope="module")
def server() -> Iterator[BigQueryServer]:
    with running_bigquery() as running:
        running.fill(hex_day(), "proj", "us")
        running.fill([entry("1002", f"select 'eu' {COMMENT}", NOON)], "other-proj", "eu")
        running.fill([entry("9001", f"select 'nobody asks' {COMMENT}")], "proj", "eu")
        script = f"declare x int64; create table ds.a as select 1; select 2; {COMMENT}"
        running.fill(
            [entry("2000", script, DAY.end + timedelta(minutes=1), seconds=24 * 3600 - 1)],
            "scripts",
            "us",
            statement_type="SCRIPT",
            state="RUNNING",
        )
        target = {"project_id": "proj", "dataset_id": "ds", "table_id": "a"}
        running.fill(
            [entry("2001", "create table ds.a as select 1;", LATE)],
            "scripts",
            "us",
            parent_job_id="2000",
            destination_table=target,
            referenced_tables=[],
        )
        running.fill(
            [entry("2002", f"select 'hit' {COMMENT}", LATE)], "scripts", "us", cache_hit=True
        )
        yield running


EXPECTED = [f"proj:us.{query_id}" for query_id in EXPECTED_IDS]
EXPECTED[2:2] = ["other-proj:eu.1002"]
EXPECTED += ["scripts:us.2001", "scripts:us.2002"]


@pytest.fixture(autouse=True)
def restored(server: BigQueryServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.url)
    monkeypatch.setenv("BIGQUERY_KEY", json.dumps(server.service_account()))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    yield
    server.denied.clear()
    server.broken_pages = server.refuse_login = False


class BigQueryEngine(Engine):
    grant = "roles/bigquery.resourceViewer"

    def __init__(self, server: BigQueryServer) -> None:
        self.server = server

    def settings(self, **changes: object) -> WarehouseSettings:
        keys: dict[str, object] = {
            "type": "bigquery",
            "places": PLACES[:1],
            "credentials": {"env": "BIGQUERY_KEY"},
            "hexUser": "hex@example.com",
            "timeoutSeconds": 1,
        }
        return warehouse_settings(keys | changes)

    def statements(self) -> list[str]:
        assert self.server.statements
        return self.server.statements

    @contextmanager
    def breaking(self) -> Iterator[LogSource]:
        self.server.broken_pages = True
        yield self.source()
        self.server.broken_pages = False

    @contextmanager
    def without_grant(self) -> Iterator[LogSource]:
        self.server.denied.add("proj")
        yield self.source()

    def without_password(self) -> AbstractContextManager[LogSource]:
        return given(self.source(credentials={"env": "TEST_WRONG_PASSWORD"}))

    @contextmanager
    def without_host(self) -> Iterator[LogSource]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BIGQUERY_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
            yield self.source()


@pytest.fixture
def engine(server: BigQueryServer) -> BigQueryEngine:
    return BigQueryEngine(server)


class TestBigQuery(Conformance):
    pass


def bigquery(**changes: object) -> BigQueryLog:
    keys: dict[str, object] = {
        "type": "bigquery",
        "places": PLACES,
        "credentials": {"env": "BIGQUERY_KEY"},
        "hexUser": "hex@example.com",
        "timeoutSeconds": 1,
    }
    return warehouse_settings(keys | changes).source("bq")  # type: ignore[return-value]


def ids(batches: list[pa.RecordBatch]) -> list[str]:
    return [query_id for batch in batches for query_id in batch["query_id"].to_pylist()]


def test_two_projects_in_two_regions_come_as_one_ordered_stream(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "hex_assets.warehouses.bigquery"):
        batches = list(bigquery().read(DAY))
    assert ids(batches) == EXPECTED
    assert all(batch.schema.equals(LOG_SCHEMA) for batch in batches)
    texts = {f"proj:us.{item.query_id}": item.text for item in hex_day()}
    rows = {row["query_id"]: row for batch in batches for row in batch.to_pylist()}
    read = {key: row["text"] for key, row in rows.items() if key in texts}
    assert read == {key: texts[key] for key in read}
    assert rows["other-proj:eu.1002"]["default_catalog"] == "other-proj"
    assert "dry run 25000000 bytes, billed 25000000 bytes" in caplog.text


def test_a_script_lends_its_comment_to_its_children_even_while_it_runs() -> None:
    rows = {row["query_id"]: row for batch in bigquery().read(DAY) for row in batch.to_pylist()}
    assert "scripts:us.2000" not in rows
    child = rows["scripts:us.2001"]
    assert child["text"] == f"create table ds.a as select 1\n{COMMENT}"
    assert child["engine_inputs"] is None
    assert child["engine_outputs"] == [{"table": "proj.ds.a", "columns": None}]


def test_a_script_without_the_marker_lends_nothing() -> None:
    assert with_comment_of_script("select 1", "select 1; select 2") == "select 1"
    assert with_comment_of_script(f"select 1 {COMMENT}", f"x {COMMENT} y") == f"select 1 {COMMENT}"


def test_logged_tables_are_kept_without_hidden_results_and_cache_hits_are_left_to_parsing() -> None:
    rows = {row["query_id"]: row for batch in bigquery().read(DAY) for row in batch.to_pylist()}
    plain, hit = rows["proj:us.1001"], rows["scripts:us.2002"]
    assert plain["engine_inputs"] == [{"table": "proj.ds.orders", "columns": None}]
    assert plain["engine_outputs"] is None
    assert hit["engine_inputs"] is None


def test_a_window_that_would_bill_too_much_is_refused_before_it_runs(
    server: BigQueryServer,
) -> None:
    before = len(server.statements)
    with pytest.raises(CannotRead, match="25,000,000 bytes, more than maximumBytesBilled"):
        list(bigquery(maximumBytesBilled=20_000_000).read(DAY))
    assert len(server.statements) == before + 1  # the dry run alone


def test_a_missing_role_names_project_and_mend(server: BigQueryServer) -> None:
    server.denied.add("other-proj")
    with pytest.raises(CannotRead, match="other-proj --member"):
        list(bigquery().read(DAY))
    first, second, _ = bigquery().probe()
    assert first.status != "failure"
    assert second.status == "failure"
    assert "roles/bigquery.resourceViewer" in (second.mend or "")
    assert "25.0 MB" in first.detail


def test_a_key_that_is_refused_is_never_shown(
    server: BigQueryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.refuse_login = True
    key = json.dumps(server.service_account())
    monkeypatch.setenv("BIGQUERY_KEY", key)
    with pytest.raises(CannotConnect, match="bad key") as caught:
        list(bigquery().read(DAY))
    assert "PRIVATE KEY" not in str(caught.value)
    monkeypatch.setenv("BIGQUERY_KEY", "not a key 77")
    with pytest.raises(CannotConnect, match="credentials") as caught:
        list(bigquery().read(DAY))
    assert "not a key 77" not in str(caught.value)


def test_resuming_loses_and_doubles_nothing_over_places() -> None:
    batch = next(bigquery().read(DAY))
    for count in range(1, len(EXPECTED) + 1, 4):
        position = last_position(batch.slice(0, count))
        assert ids(list(bigquery().read(DAY, position))) == EXPECTED[count:]


def test_losses_are_summed_over_places() -> None:
    losses = bigquery().losses(DAY)
    assert (losses.failed_count, losses.empty_text_count, losses.untagged_count) == (1, 0, 1)


def test_a_missing_package_names_the_plain_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dagster_gcp", None)
    with pytest.raises(CannotConnect, match="pip install 'dagster-gcp'"):
        list(bigquery().read(DAY))


def test_a_window_is_refused_until_complete_and_after_180_days() -> None:
    source = bigquery()
    with pytest.raises(WindowTooYoung):
        check_window(source, DAY, DAY.end)
    check_window(source, DAY, DAY.end + timedelta(minutes=5))
    with pytest.raises(WindowExpired):
        check_window(source, DAY, DAY.start + timedelta(days=181))
