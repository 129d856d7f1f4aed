"""A day of a query log is whole, each row once, whatever breaks; and what it lacks is counted."""

from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
import pytest

from hex_assets.assets import query_log as module
from hex_assets.definitions import build_definitions
from hex_assets.settings import Settings
from hex_assets.storage.store import TableStore
from hex_assets.warehouses.base import Losses
from hex_assets_tests.assets.memory_log import Log, Row

KEY = ("query_log", "memory")
DAY = "2026-03-01"
NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
COMMENT = '\n-- Hex query metadata: {"project_id": "11111111-2222-3333-4444-555555555555"}'


def row(
    query_id: str, minute: int = 0, text: str = "select 1 from t" + COMMENT, **more: Any
) -> Row:
    return {
        "warehouse": "memory",
        "dialect": "postgres",
        "query_id": query_id,
        "text": text,
        "ended_at": NOON + timedelta(minutes=minute),
        "status": "success",
        "truncated": False,
        **more,
    }


def run(settings: Settings, instance: dg.DagsterInstance, day: str = DAY) -> Any:
    definitions = build_definitions(settings)
    repository = definitions.get_repository_def()
    return repository.get_job("derive_lineage").execute_in_process(
        instance=instance,
        partition_key=day,
        asset_selection=[dg.AssetKey(KEY)],
        raise_on_error=False,
    )


def ids(store: TableStore, day: str = DAY) -> list[str]:
    found: list[str] = store.read(KEY, day)["query_id"].to_pylist()
    return found


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NETWORK_RETRIES", dg.RetryPolicy(max_retries=2, delay=0))


def test_only_rows_of_the_day_whose_comment_is_hexs_are_stored(
    memory_settings: Settings, store: TableStore, instance: dg.DagsterInstance
) -> None:
    Log.rows = [
        row("before", -12 * 60 - 1),
        row("first", -12 * 60),
        row("quoted", 1, "select '-- Hex query metadata: {}' from t"),
        row("cut", 2, "select 'aaaa", truncated=True),
        row("last", 12 * 60 - 1),
        row("after", 12 * 60),
    ]
    assert run(memory_settings, instance).success
    assert ids(store) == ["first", "cut", "last"]
    stored = store.read(KEY, DAY).to_pylist()
    assert stored[0]["project_id"] == "11111111-2222-3333-4444-555555555555"
    assert stored[1]["project_id"] is None and stored[1]["truncated"]


def test_a_broken_read_goes_on_where_it_stopped(
    memory_settings: Settings,
    store: TableStore,
    instance: dg.DagsterInstance,
    no_waiting: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module.Spool.__init__, "__defaults__", (1,))  # every row is a part
    Log.rows = [row(f"q{n}", n) for n in range(6)]
    Log.breaks_after = [2, 3]
    assert run(memory_settings, instance).success
    assert ids(store) == [f"q{n}" for n in range(6)]
    resumed = [position.query_id if position else None for position in Log.resumed_after]
    assert resumed == [None, "q1", "q4"]


def test_a_log_that_forgot_rows_takes_nothing_from_what_is_stored(
    memory_settings: Settings, store: TableStore, instance: dg.DagsterInstance
) -> None:
    Log.rows = [row("a", 0), row("b", 1)]
    assert run(memory_settings, instance).success
    Log.rows = [row("b", 1, "select 2 from t" + COMMENT), row("late", 2)]
    assert run(memory_settings, instance).success
    assert sorted(ids(store)) == ["a", "b", "late"]
    texts = {r["query_id"]: r["text"] for r in store.read(KEY, DAY).to_pylist()}
    assert texts["b"].startswith("select 2")


def test_losses_are_in_the_metadata_of_the_day(
    memory_settings: Settings, instance: dg.DagsterInstance
) -> None:
    Log.rows = [row("cut", 2, "select 'aaaa", truncated=True), row("ok")]
    Log.losses = Losses(failed_count=3, empty_text_count=0, untagged_count=7)
    result = run(memory_settings, instance)
    (event,) = result.get_asset_materialization_events()
    shown = {name: value.value for name, value in event.materialization.metadata.items()}
    assert event.partition == DAY
    assert shown["cut_text_count"] == 1
    assert shown["hex_query_count"] == 1
    assert shown["left_in_log/failed_count"] == 3
    assert shown["left_in_log/untagged_count"] == 7


def test_a_window_that_is_too_young_is_refused_with_the_time_from_which_it_is_complete(
    memory_settings: Settings, store: TableStore, instance: dg.DagsterInstance
) -> None:
    Log.lag = timedelta(days=10_000)
    result = run(memory_settings, instance)
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "is complete from" in failure.step_failure_data.error.message
    assert not store.has(KEY, DAY)
