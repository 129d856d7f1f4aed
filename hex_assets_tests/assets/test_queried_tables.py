"""`hex/queried_tables` by real Dagster runs against the local Hex server, counted in requests."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from hex_assets.assets import queried_tables as module
from hex_assets.assets.hex import projects_asset
from hex_assets.assets.names import Names
from hex_assets.assets.queried_tables import queried_tables_asset
from hex_assets.demo import workspace
from hex_assets.demo.hex_server import TOKEN, Fault, HexServer
from hex_assets.partitions import days as daily
from hex_assets.resources import HexResource, TableStoreResource
from hex_assets.storage.io_manager import ParquetIOManager
from hex_assets.storage.store import TableStore

NAMES = Names()
DAYS = daily(date(2026, 1, 1))
NEWEST = DAYS.get_last_partition_key()
assert NEWEST is not None
PUBLISHED = [
    project
    for project in workspace.PROJECTS
    if project.published is not None and project.archived is None and project.trashed is None
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HexServer]:
    monkeypatch.setenv("HEX_TOKEN", TOKEN)
    with HexServer() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> TableStore:
    return TableStore(str(tmp_path))


def run(server: HexServer, store: TableStore) -> dict[str, Any]:
    """Both assets for the newest day; gives the metadata of the lists."""
    server.requests.clear()
    keys = {
        "hostPort": server.url,
        "token": {"env": "HEX_TOKEN"},
        "requestsPerMinute": 60_000,
        "apiGroupRequestsPerMinute": 60_000,
    }
    result = dg.materialize(
        [projects_asset(NAMES, DAYS), queried_tables_asset(NAMES, DAYS)],
        partition_key=NEWEST,
        resources={
            "hex_api": HexResource(settings=keys),
            "table_store": TableStoreResource(path=store.base),
            "tables": ParquetIOManager(path=store.base),
        },
    )
    (event,) = result.asset_materializations_for_node("hex__queried_tables")
    return {name: value.value for name, value in event.metadata.items()}


def calls(server: HexServer) -> int:
    return sum("queriedTables" in request for request in server.requests)


def listed(store: TableStore) -> dict[str, set[str | None]]:
    found: dict[str, set[str | None]] = {}
    for row in store.read(NAMES.queried_tables.path, NEWEST).to_pylist():
        found.setdefault(row["project_id"], set()).add(row["table_name"])
    return found


def test_every_published_project_is_asked_for_once_and_then_only_when_it_changed(
    server: HexServer, store: TableStore
) -> None:
    assert run(server, store)["asked_count"] == calls(server) == len(PUBLISHED)
    first = listed(store)
    assert set(first) == {project.project_id for project in PUBLISHED}
    assert any("shop.orders" in tables for tables in first.values())

    assert run(server, store)["carried_count"] == len(PUBLISHED) and calls(server) == 0
    assert listed(store) == first

    edited = datetime(2026, 11, 20, tzinfo=timezone.utc)
    changed = PUBLISHED[0].project_id
    server.projects = [
        replace(each, edited=edited) if each.project_id == changed else each
        for each in server.projects
    ]
    assert run(server, store)["asked_count"] == calls(server) == 1


def test_a_plan_without_the_list_costs_one_call_and_is_said(
    server: HexServer, store: TableStore
) -> None:
    server.enterprise = False
    metadata = run(server, store)
    assert calls(server) == 1 and listed(store) == {}
    assert metadata["not_told_count"] == 1 and "Enterprise" in metadata["not_told"][0]


def test_lists_stay_when_the_plan_loses_them(server: HexServer, store: TableStore) -> None:
    run(server, store)
    before = listed(store)
    server.enterprise = False
    server.projects = [
        replace(each, edited=datetime(2026, 11, 21, tzinfo=timezone.utc))
        for each in server.projects
    ]
    run(server, store)
    assert listed(store) == before


def test_a_run_that_breaks_off_is_taken_up_where_it_stopped(
    server: HexServer, store: TableStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NETWORK_RETRIES", dg.RetryPolicy(max_retries=1))
    server.faults = [Fault("/v1/projects/.*/queriedTables", html=True, skip=7)]
    assert run(server, store)["asked_count"] == len(PUBLISHED) - 7
    assert calls(server) == len(PUBLISHED) + 1  # the one that failed, again
    assert set(listed(store)) == {project.project_id for project in PUBLISHED}
