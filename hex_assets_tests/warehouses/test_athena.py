"""Athena's query history through boto3, over HTTP, whichever way its executions are found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest
from pydantic import ValidationError
from urllib3.util import Retry

from hex_assets.warehouses import athena_details
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
from hex_assets_tests.servers.athena import (
    STATE_EVENTS,
    TRAIL,
    AthenaServer,
    running_athena,
)
from hex_assets_tests.servers.entries import COMMENT, DAY, EXPECTED_IDS, NOON, entry, hex_day
from hex_assets_tests.warehouses.conformance import (
    Conformance,
    Engine,
    free_port,
    rows,
)

WAYS = ("workgroups", "cloudTrail", "cloudTrailFiles", "stateEventFiles")


@pytest.fixture(scope="module")
def server() -> Iterator[AthenaServer]:
    with running_athena() as running:
        running.fill(hex_day())
        running.fill([entry("1002b", f"select 'bi' {COMMENT}", NOON)], "bi")
        old = DAY.start - timedelta(days=9)
        running.fill([entry(f"old{index}", "select 1", old) for index in range(40)])
        recent = datetime.now(timezone.utc) - timedelta(hours=2)
        running.put_states(recent, [], "recent")  # what a probe reads: the last day
        yield running


EXPECTED = EXPECTED_IDS[:]
EXPECTED[4:4] = ["1002b"]


@pytest.fixture(autouse=True)
def restored(server: AthenaServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ATHENA_ID", "AKIA77")
    monkeypatch.setenv("ATHENA_KEY", "secret-key-77")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", server.url)
    yield
    server.denied.clear()
    server.unprocessed.clear()
    server.forgotten.clear()
    server.throttled_lookups = 0
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
        "cloudTrailFiles": TRAIL,
        "stateEventFiles": STATE_EVENTS,
    }
    return warehouse_settings(keys | changes).source("ath")  # type: ignore[return-value]


class AthenaEngine(Engine):
    def __init__(self, server: AthenaServer, way: str) -> None:
        self.server = server
        self.way = way
        self.losses = (1, 0, 1 if way.startswith("cloudTrail") else None)
        self.denied, self.grant = {
            "workgroups": ("BatchGetQueryExecution", "allow athena:BatchGetQueryExecution"),
            "cloudTrail": ("LookupEvents", "allow cloudtrail:LookupEvents"),
            "cloudTrailFiles": ("ListObjectsV2", "allow s3:ListBucket"),
            "stateEventFiles": ("GetObject", "allow s3:GetObject"),
        }[way]

    def settings(self, **changes: object) -> WarehouseSettings:
        keys: dict[str, object] = {
            "workgroups": ["primary"],
            "findWith": self.way,
            "hexUser": "HexRole",
        }
        return athena(str(changes.pop("url", self.server.url)), **keys, **changes).settings

    @contextmanager
    def without_grant(self) -> Iterator[LogSource]:
        self.server.denied.add(self.denied)
        yield self.source()

    @contextmanager
    def without_password(self) -> Iterator[LogSource]:
        self.server.refused_login = True
        yield self.source(secretAccessKey={"env": "TEST_WRONG_PASSWORD"})

    @contextmanager
    def without_host(self) -> Iterator[LogSource]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("time.sleep", lambda seconds: None)
            nowhere = f"http://127.0.0.1:{free_port()}"
            patch.setenv("AWS_ENDPOINT_URL_S3", nowhere)
            patch.setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", nowhere)
            yield self.source(url=nowhere)


@pytest.fixture(params=WAYS)
def engine(server: AthenaServer, request: pytest.FixtureRequest) -> AthenaEngine:
    return AthenaEngine(server, request.param)


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


@pytest.mark.parametrize("way", WAYS)
def test_all_workgroups_are_read_in_order_and_texts_are_exact(
    server: AthenaServer, way: str
) -> None:
    batches = list(athena(server.url, findWith=way).read(DAY))
    assert ids(batches) == EXPECTED
    assert all(batch.schema.equals(LOG_SCHEMA) for batch in batches)
    texts = {item.query_id: item.text for item in hex_day()}
    for row in pa.Table.from_batches(batches).to_pylist():
        assert row["text"] == texts.get(row["query_id"], row["text"])
        assert (row["default_catalog"], row["default_schema"]) == ("awsdatacatalog", "shop")


def test_the_list_is_left_at_a_whole_page_of_old_executions(server: AthenaServer) -> None:
    list(athena(server.url, workgroups=["primary"]).read(DAY))
    assert server.calls.count("ListQueryExecutions") == 5  # 16 of the day, 4 old; 36 not asked


@pytest.mark.parametrize("way", WAYS)
def test_ids_that_a_batch_leaves_out_are_asked_for_again(
    server: AthenaServer, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(athena_details, "ATTEMPTS", Retry(total=5, backoff_factor=0))
    server.unprocessed = Counter({"1001": 1, "1023": 3})
    log = athena(server.url, findWith=way)
    assert ids(list(log.read(DAY))) == EXPECTED
    assert log.losses(DAY).details_gone_count == 0


def test_ids_that_are_left_out_for_ever_end_the_read(
    server: AthenaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(athena_details, "ATTEMPTS", Retry(total=2, backoff_factor=0))
    server.unprocessed = Counter({"1001": 99})
    with pytest.raises(CannotRead, match="1001: THROTTLED; run the partition again"):
        list(athena(server.url).read(DAY))


@pytest.mark.parametrize("way", WAYS)
def test_executions_that_athena_has_forgotten_are_counted(server: AthenaServer, way: str) -> None:
    server.forgotten = dict.fromkeys(["1001", "1014"], "QueryExecution was not found")
    log = athena(server.url, findWith=way)
    assert ids(list(log.read(DAY))) == [item for item in EXPECTED if item not in server.forgotten]
    # CloudTrail tells when they began: 1014 on the day before, where it is counted.
    expected = 1 if way.startswith("cloudTrail") else 2
    assert log.losses(DAY).details_gone_count == expected


def test_an_execution_whose_workgroup_is_not_granted_is_no_loss_but_an_error(
    server: AthenaServer,
) -> None:
    server.forgotten = {"1002b": "You are not authorized to access workgroup bi"}
    with pytest.raises(CannotRead, match=r"1002b.*allow athena:BatchGetQueryExecution"):
        list(athena(server.url, findWith="cloudTrail").read(DAY))
    assert EXPECTED_IDS == ids(
        list(athena(server.url, findWith="cloudTrail", workgroups=["primary"]).read(DAY))
    )


@pytest.mark.parametrize("way", WAYS)
def test_losses_after_a_read_cost_no_further_call(server: AthenaServer, way: str) -> None:
    log = athena(server.url, findWith=way)
    list(log.read(DAY))
    server.calls.clear()
    assert log.losses(DAY).failed_count == 1
    assert not server.calls


def test_a_window_older_than_45_days_is_refused(server: AthenaServer) -> None:
    with pytest.raises(WindowExpired, match="45 days"):
        check_window(athena(server.url), DAY, DAY.start + timedelta(days=46))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"findWith": "cloudTrailFiles", "cloudTrailFiles": None}, "needs the folder"),
        ({"findWith": "stateEventFiles", "stateEventFiles": None}, "needs the folder"),
        ({"cloudTrailFiles": "s3://logs"}, "AWSLogs"),
        ({"cloudTrailFiles": f"{TRAIL}/eu-central-1"}, "without the region"),
        ({"stateEventFiles": "logs/athena"}, "s3://BUCKET"),
    ],
)
def test_settings_without_a_usable_folder_are_refused(
    changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem):
        athena("http://127.0.0.1:1", **changes)
