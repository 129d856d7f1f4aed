"""`hex/cells` by real Dagster runs against the local Hex server, counted in requests.

Hex allows thirty requests a minute: a request too many is the defect that these tests look for.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.compute as pc
import pytest

from hex_assets.assets import cells as cells_module
from hex_assets.assets.cells import cells_asset, complete_projects, estimate
from hex_assets.assets.hex import projects_asset
from hex_assets.assets.names import Names
from hex_assets.automation import range_tags
from hex_assets.demo import workspace
from hex_assets.demo.hex_server import TOKEN, Fault, HexServer
from hex_assets.demo.workspace_model import Project
from hex_assets.partitions import days as daily
from hex_assets.resources import HexResource, TableStoreResource
from hex_assets.storage.io_manager import ParquetIOManager
from hex_assets.storage.store import TableStore

NAMES = Names()
KEY = NAMES.cells.path
DAYS = daily(date(2026, 1, 1))
NEWEST = DAYS.get_last_partition_key()
assert NEWEST is not None
DAY_BEFORE = (date.fromisoformat(NEWEST) - timedelta(days=1)).isoformat()
ALIVE = [p for p in workspace.PROJECTS if p.archived is None and p.trashed is None]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HexServer]:
    monkeypatch.setenv("HEX_TOKEN", TOKEN)
    with HexServer() as running:
        yield running


class Workspace:
    """Runs of the two assets over one store."""

    def __init__(self, server: HexServer, folder: Path) -> None:
        self.server = server
        self.store = TableStore(str(folder))
        self.instance = dg.DagsterInstance.ephemeral()
        self.resources: dict[str, Any] = {
            "hex_api": HexResource(
                settings={
                    "hostPort": server.url,
                    "token": {"env": "HEX_TOKEN"},
                    "requestsPerMinute": 60_000,
                    "apiGroupRequestsPerMinute": 60_000,
                }
            ),
            "table_store": TableStoreResource(path=str(folder)),
            "tables": ParquetIOManager(path=str(folder)),
        }

    def run(
        self, first: str = NEWEST, last: str = NEWEST, refresh: bool = False
    ) -> dg.ExecuteInProcessResult:
        """Both assets for some days; a failed run does not raise."""
        self.server.requests.clear()
        config = {"ops": {"hex__cells": {"config": {"refresh": refresh}}}}
        return dg.materialize(
            [projects_asset(NAMES, DAYS), cells_asset(NAMES, DAYS)],
            tags=range_tags(first, last),
            instance=self.instance,
            resources=self.resources,
            run_config=config,
            raise_on_error=False,
        )

    def asked(self) -> list[str]:
        """Projects whose cells were asked for since the last run began."""
        return [
            request.split("projectId=")[1].split("&")[0]
            for request in self.server.requests
            if request.startswith("GET /api/v1/cells?")
        ]

    def left_over(self) -> list[str]:
        """What is spooled."""
        return self.store.days([*KEY, "fetched"])


@pytest.fixture
def space(server: HexServer, tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(server, tmp_path)
    with made.instance:
        yield made


def metadata(result: dg.ExecuteInProcessResult, day: str = NEWEST) -> dict[str, Any]:
    (found,) = [
        event
        for event in result.asset_materializations_for_node("hex__cells")
        if event.partition == day
    ]
    return {name: value.value for name, value in found.metadata.items()}


def edited(project: Project) -> Project:
    return replace(project, edited=datetime(2026, 11, 20, tzinfo=timezone.utc))


def test_every_living_project_has_its_cells_and_imports_their_component(space: Workspace) -> None:
    result = space.run()
    table = space.store.read(KEY, NEWEST)
    assert set(table["project_id"].to_pylist()) == {project.project_id for project in ALIVE}
    assert table.num_rows == sum(len(project.all_cells()) for project in ALIVE)
    imports = table.filter(pc.equal(table["cell_type"], "COMPONENT_IMPORT"))
    assert imports.num_rows == 2 and imports["component_id"].null_count == 0
    seen = metadata(result)
    assert (seen["fetched_count"], seen["skipped_count"], seen["failed_count"]) == (18, 2, 0)
    assert space.left_over() == []


def test_only_a_project_that_was_edited_is_asked_for_again(space: Workspace) -> None:
    space.run()
    before = space.store.read(KEY, NEWEST)
    assert space.run().success
    assert space.asked() == []
    assert space.store.read(KEY, NEWEST).equals(before)
    changed = edited(space.server.projects[2])
    gone = changed.cells[0]
    space.server.projects[2] = replace(changed, cells=changed.cells[1:])
    result = space.run()
    assert space.asked() == [changed.project_id]
    assert (metadata(result)["fetched_count"], metadata(result)["carried_count"]) == (1, 17)
    after = space.store.read(KEY, NEWEST)
    assert after.num_rows == before.num_rows - 1
    assert changed.static_id(gone) not in after["cell_id"].to_pylist()


def test_a_retry_of_the_step_goes_on_where_it_broke_off(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells_module, "NETWORK_RETRIES", dg.RetryPolicy(max_retries=1))
    space.server.faults = [Fault("/v1/cells", html=True, skip=7)]
    result = space.run()
    assert result.success
    assert len(space.asked()) == len(ALIVE) + 1  # the one that failed, again
    assert metadata(result)["resumed_count"] == 7
    assert space.store.read(KEY, NEWEST).num_rows == sum(len(p.all_cells()) for p in ALIVE)
    assert space.left_over() == []


def test_the_run_after_a_failed_one_goes_on_too_but_not_with_what_was_edited_since(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells_module, "NETWORK_RETRIES", dg.RetryPolicy(max_retries=0))
    space.server.faults = [Fault("/v1/cells", html=True, skip=7)]
    failed = space.run()
    assert not failed.success
    assert not space.store.has(KEY, NEWEST)
    asked = space.asked()[:7]
    assert len(space.left_over()) == 7
    place = next(n for n, p in enumerate(space.server.projects) if p.project_id == asked[0])
    space.server.projects[place] = edited(space.server.projects[place])
    result = space.run()
    assert result.success
    assert set(space.asked()) == {p.project_id for p in ALIVE} - set(asked[1:])
    assert metadata(result)["resumed_count"] == 6


def test_a_project_whose_cells_are_refused_is_named_and_keeps_what_was_known(
    space: Workspace,
) -> None:
    space.run()
    before = space.store.read(KEY, NEWEST)
    changed = space.server.projects[2] = edited(space.server.projects[2])
    space.server.faults = [Fault("/v1/cells", status=404)]
    result = space.run()
    assert result.success
    seen = metadata(result)
    assert seen["failed_count"] == 1
    assert changed.title in seen["failed"] and changed.project_id in seen["failed"]
    assert space.store.read(KEY, NEWEST).equals(before)
    assert space.run().success
    assert space.asked() == [changed.project_id]


def test_a_past_day_that_was_observed_is_kept_and_costs_nothing(space: Workspace) -> None:
    space.run(DAY_BEFORE, NEWEST)
    before = space.store.read(KEY, DAY_BEFORE)
    space.server.projects = [edited(project) for project in space.server.projects]
    assert space.run(DAY_BEFORE, DAY_BEFORE).success
    assert space.asked() == []
    assert space.store.read(KEY, DAY_BEFORE).equals(before)


def test_a_past_day_never_observed_has_the_projects_that_existed(space: Workspace) -> None:
    space.run("2026-01-01", "2026-01-02")
    created = {
        p.project_id
        for p in ALIVE
        if isinstance(p.created, datetime) and p.created.date() <= date(2026, 1, 1)
    }
    table = space.store.read(KEY, "2026-01-01")
    assert set(table["project_id"].to_pylist()) == created
    assert set(space.asked()) == created


def test_a_refresh_asks_for_everything_again(space: Workspace) -> None:
    space.run()
    result = space.run(refresh=True)
    assert len(space.asked()) == len(ALIVE)
    assert metadata(result)["carried_count"] == 0
    assert space.left_over() == []


def test_without_export_the_loss_is_counted(space: Workspace) -> None:
    space.server.enterprise = False
    seen = metadata(space.run())
    assert seen["unknown_component_count"] == 2
    assert len(seen["notes"]) == 2


def test_without_projects_the_run_says_what_to_do_first(space: Workspace) -> None:
    result = dg.materialize(
        [projects_asset(NAMES, DAYS), cells_asset(NAMES, DAYS)],
        selection=[NAMES.cells],
        partition_key=NEWEST,
        instance=space.instance,
        resources=space.resources,
        raise_on_error=False,
    )
    (failure,) = result.get_step_failure_events()
    text = failure.step_failure_data.user_failure_data
    assert text is not None and "materialize it before hex/cells" in str(text.description)


@pytest.mark.parametrize(
    ("calls", "text"),
    [(0, "under a minute"), (30, "under a minute"), (31, "about 1 min"), (1000, "about 33 min")],
)
def test_the_estimate_is_that_of_hex_limit(calls: int, text: str) -> None:
    assert estimate(calls, 30) == text


def test_a_project_without_cells_is_known_to_have_none(space: Workspace) -> None:
    bare = ALIVE[0].project_id
    space.server.projects = [
        replace(project, cells=()) if project.project_id == bare else project
        for project in space.server.projects
    ]
    assert space.run().success
    stored = space.store.read(KEY, NEWEST)
    assert bare not in stored["project_id"].to_pylist()
    assert complete_projects(stored) == {project.project_id for project in ALIVE}


def test_of_the_published_version_a_publication_alone_is_a_reason_to_ask_again(
    space: Workspace,
) -> None:
    settings = space.resources["hex_api"].settings | {"cellsOf": "published"}
    space.resources["hex_api"] = HexResource(settings=settings)
    assert space.run().success
    exports = [request for request in space.server.requests if "export" in request]
    assert len(exports) == sum(project.published is not None for project in ALIVE)
    assert space.run().success and space.asked() == []
    place = next(n for n, p in enumerate(space.server.projects) if p in ALIVE and p.published)
    project = space.server.projects[place]
    now = datetime(2026, 11, 21, tzinfo=timezone.utc)
    space.server.projects[place] = replace(project, published=now)
    assert space.run().success
    assert space.asked() == [project.project_id]
