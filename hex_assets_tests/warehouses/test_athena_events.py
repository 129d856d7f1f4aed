"""What CloudTrail's and EventBridge's events tell of Athena, and what their files may hold."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest

from hex_assets.warehouses.athena import AthenaLog
from hex_assets.warehouses.base import CannotRead, Window, WindowExpired
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets_tests.servers.athena import (
    HEX_ROLE,
    HEX_SESSION,
    IDENTITIES,
    REGION,
    STATE_EVENTS,
    TRAIL,
    AthenaServer,
    running_athena,
    start_event,
    state_events,
)
from hex_assets_tests.servers.entries import COMMENT, DAY, NOON, Entry, entry

HOUR = timedelta(hours=1)
MINE = entry("mine", f"select 1 {COMMENT}", NOON)
BARE = entry("bare", "select 'no comment'", NOON + HOUR)
BOBS = entry("bobs", f"select 'by hand' {COMMENT}", NOON + 2 * HOUR, user="BOB")


@pytest.fixture(scope="module")
def running() -> Iterator[AthenaServer]:
    with running_athena() as running:
        yield running


@pytest.fixture
def server(running: AthenaServer, monkeypatch: pytest.MonkeyPatch) -> AthenaServer:
    running.reset()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA77")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-key-77")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", running.url)
    return running


def athena(server: AthenaServer, way: str, **changes: object) -> AthenaLog:
    keys: dict[str, object] = {
        "type": "athena",
        "region": REGION,
        "endpointUrl": server.url,
        "findWith": way,
        "cloudTrailFiles": TRAIL,
        "stateEventFiles": STATE_EVENTS,
    }
    return warehouse_settings(keys | changes).source("ath")  # type: ignore[return-value]


def known(server: AthenaServer, *entries: Entry) -> None:
    """Athena has the executions, and no file tells of them."""
    server.workgroups["primary"].extend(entries)


def read(log: AthenaLog, window: Window = DAY) -> list[dict[str, Any]]:
    return [row for batch in log.read(window) for row in pa.Table.from_batches([batch]).to_pylist()]


@pytest.mark.parametrize("way", ["cloudTrail", "cloudTrailFiles"])
def test_cloudtrail_tells_who_ran_a_statement(server: AthenaServer, way: str) -> None:
    server.fill([MINE, BARE, BOBS])
    assert {row["query_id"]: row["user"] for row in read(athena(server, way))} == {
        "mine": HEX_SESSION,
        "bobs": IDENTITIES["BOB"]["arn"],
    }


@pytest.mark.parametrize("way", ["cloudTrail", "cloudTrailFiles"])
@pytest.mark.parametrize(
    ("hex_user", "untagged"),
    [("HexRole", 1), (HEX_ROLE, 1), (HEX_SESSION, 1), ("bob", 0), ("Hex", 0), (None, None)],
)
def test_statements_of_hex_without_a_comment_are_counted_by_any_of_its_names(
    server: AthenaServer, way: str, hex_user: str | None, untagged: int | None
) -> None:
    server.fill([MINE, BARE, BOBS])
    assert athena(server, way, hexUser=hex_user).losses(DAY).untagged_count == untagged


@pytest.mark.parametrize("way", ["workgroups", "stateEventFiles"])
def test_without_a_user_the_untagged_are_not_told(server: AthenaServer, way: str) -> None:
    server.fill([MINE, BARE])
    assert athena(server, way, hexUser="HexRole").losses(DAY).untagged_count is None


def test_a_throttled_lookup_is_tried_again(
    server: AthenaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    server.fill([MINE])
    server.throttled_lookups = 2
    assert [row["query_id"] for row in read(athena(server, "cloudTrail"))] == ["mine"]
    assert server.calls.count("LookupEvents") == 3


def test_an_event_that_is_told_twice_is_one_row_and_one_question(server: AthenaServer) -> None:
    known(server, MINE)
    event = start_event(MINE, "primary")
    server.put_trail(NOON, [event, event], "first")
    server.put_trail(NOON, [event], "second")
    assert [row["query_id"] for row in read(athena(server, "cloudTrailFiles"))] == ["mine"]


def test_events_delivered_on_the_next_day_are_found(server: AthenaServer) -> None:
    late = entry("late", f"select 1 {COMMENT}", DAY.end - timedelta(seconds=1))
    known(server, MINE, late)
    server.put_trail(NOON, [start_event(MINE, "primary")], "noon")
    server.put_trail(DAY.end + HOUR, [start_event(late, "primary")], "late")
    server.put_states(NOON, state_events(MINE, "primary"), "noon")
    server.put_states(DAY.end + HOUR, state_events(late, "primary"), "late")
    for way in ("cloudTrailFiles", "stateEventFiles"):
        assert [row["query_id"] for row in read(athena(server, way))] == ["mine", "late"]


def test_state_events_are_read_with_and_without_lines_packed_or_not(server: AthenaServer) -> None:
    entries = [entry(f"q{number}", f"select 1 {COMMENT}", NOON) for number in range(8)]
    known(server, *entries)
    events = [[json.dumps(event) for event in state_events(item, "primary")] for item in entries]
    folder = f"{STATE_EVENTS}/{DAY.start:%Y/%m/%d}/12"
    server.put(f"{folder}/a", "".join(events[0] + events[1]).encode())
    server.put(f"{folder}/b", "\n".join(events[2] + events[3]).encode() + b"\n")
    server.put(f"{folder}/c.gz", gzip.compress("".join(events[4] + events[5]).encode()))
    server.put(f"{folder}/d.gz", gzip.compress("\r\n".join(events[6] + events[7]).encode()))
    found = read(athena(server, "stateEventFiles"))
    assert [row["query_id"] for row in found] == [f"q{number}" for number in range(8)]


def test_state_events_of_other_regions_and_workgroups_are_not_asked_for(
    server: AthenaServer,
) -> None:
    elsewhere = [event | {"region": "us-east-1"} for event in state_events(BARE, "primary")]
    known(server, MINE)
    server.put_states(
        NOON,
        [*state_events(MINE, "primary"), *elsewhere, *state_events(BOBS, "bi")],
        "mixed",
    )
    log = athena(server, "stateEventFiles", workgroups=["primary"])
    assert [row["query_id"] for row in read(log)] == ["mine"]
    assert log.losses(DAY).details_gone_count == 0


@pytest.mark.parametrize(
    ("way", "folder", "body"),
    [
        ("cloudTrailFiles", f"{TRAIL}/{REGION}", gzip.compress(b"StartQueryExecution, by hand")),
        ("cloudTrailFiles", f"{TRAIL}/{REGION}", b'{"notes": "StartQueryExecution"}'),
        ("cloudTrailFiles", f"{TRAIL}/{REGION}", gzip.compress(b"x" * 9_000)[:20]),
        ("stateEventFiles", STATE_EVENTS, b"time,query\n1,2"),
        ("stateEventFiles", STATE_EVENTS, b"\xff\xfe"),
    ],
)
def test_a_file_of_something_else_is_named(
    server: AthenaServer, way: str, folder: str, body: bytes
) -> None:
    server.put(f"{folder}/{DAY.start:%Y/%m/%d}/notes.txt", body)
    with pytest.raises(CannotRead, match=r"/notes\.txt is not a file of such events"):
        read(athena(server, way))


@pytest.mark.parametrize("way", ["cloudTrailFiles", "stateEventFiles"])
def test_a_folder_without_files_is_no_empty_day(server: AthenaServer, way: str) -> None:
    server.put("s3://logs/elsewhere/file", b"")
    with pytest.raises(CannotRead, match=r"no files under s3://logs/.*check the folder"):
        read(athena(server, way))
    [finding] = athena(server, way).probe()
    assert finding.status == "failure"
    assert "check the folder" in str(finding.mend)


@pytest.mark.parametrize("way", ["cloudTrailFiles", "stateEventFiles"])
def test_a_day_between_days_with_files_may_be_empty(server: AthenaServer, way: str) -> None:
    far = timedelta(days=9)
    server.fill([entry("old", "select 1", DAY.start - far)])
    assert read(athena(server, way)) == []
    assert athena(server, way).losses(DAY).log_begins_at is None


@pytest.mark.parametrize("way", ["cloudTrailFiles", "stateEventFiles"])
def test_where_the_files_begin_is_told(server: AthenaServer, way: str) -> None:
    server.fill([MINE])
    begins_at = athena(server, way).losses(DAY).log_begins_at
    assert begins_at is not None and abs(begins_at - NOON) <= HOUR
    before = Window(DAY.start - timedelta(days=1), DAY.start)
    with pytest.raises(WindowExpired, match=f"begin at {begins_at:%Y-%m-%d %H:%M}"):
        read(athena(server, way), before)


@pytest.mark.parametrize("way", ["cloudTrail", "cloudTrailFiles", "stateEventFiles"])
def test_the_probe_says_where_it_looked_and_what_is_gone(server: AthenaServer, way: str) -> None:
    log = athena(server, way)
    recent = datetime.now(timezone.utc) - timedelta(hours=1)
    server.fill(
        [
            entry("r1", f"select 1 {COMMENT}", recent - timedelta(minutes=30)),
            entry("r2", f"select 2 {COMMENT}", recent - timedelta(minutes=40)),
        ]
    )
    server.forgotten = {"r2": "QueryExecution was not found"}
    [finding] = log.probe()
    assert "no details of 1, which Athena has forgotten" in finding.detail
    assert ("CloudTrail" in finding.detail) == (way != "stateEventFiles")
