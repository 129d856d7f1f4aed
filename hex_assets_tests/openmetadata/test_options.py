"""Each filter and option does what it says over the wire, and no more."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from hex_assets.demo.openmetadata_server import PERSON_TOKEN, OpenMetadataServer
from hex_assets.openmetadata.errors import PublicationFailed
from hex_assets_tests.openmetadata.conftest import ORDERS, TABLES, P, cell, run_publish, world
from hex_assets_tests.openmetadata.looking import as_person, dashboard, edges, writes_of

CHART, TABLE_CHART = f"hex.{P[0]}_c2", f"hex.{P[1]}_c3"
MODEL = f"hex.model.{P[0]}_c1"


def live(server: OpenMetadataServer, kind: str) -> set[str]:
    return {
        entity["fullyQualifiedName"]
        for entity in server.store.entities.values()
        if entity["_type"] == kind and not entity["deleted"]
    }


def linked(server: OpenMetadataServer, number: int, name: str) -> set[str]:
    found = (server.store.entities[i] for i in dashboard(server, number)[name])
    return {entity["fullyQualifiedName"] for entity in found}


def skipped(done: Any) -> dict[str, str]:
    rows = done.receipts.to_pylist()
    return {row["entity"]: row["reason"] for row in rows if row["operation"] == "skipped"}


def varied() -> Any:
    rows = world()
    rows.projects[0]["collections"] = ["Finance", "Board"]
    rows.projects[1]["collections"] = ["Private"]
    rows.projects[2] |= {"collections": [], "last_published_at": None}
    rows.projects[3]["archived_at"] = rows.projects[3]["created_at"]
    return rows


@pytest.mark.parametrize(
    ("options", "shown", "reason"),
    [
        ({}, {0, 1, 2, 4}, "archived in Hex (includeArchived is off)"),
        ({"includeArchived": True}, {0, 1, 2, 3, 4}, None),
        (
            {"includeDraftDashboard": False},
            {0, 1, 4},
            "never published in Hex (includeDraftDashboard is off)",
        ),
        (
            {"dashboardFilterPattern": {"includes": ["project [0-2]"], "excludes": ["PROJECT 1"]}},
            {0, 2},
            "left out by dashboardFilterPattern",
        ),
        (
            {"projectFilterPattern": {"includes": ["fin"]}},
            {0, 4},
            "left out by projectFilterPattern",
        ),
        (
            {"projectFilterPattern": {"excludes": ["private"]}},
            {0, 2, 4},
            "left out by projectFilterPattern",
        ),
    ],
)
def test_projects_are_left_out_by_the_filter_that_says_so(server, options, shown, reason):
    done = run_publish(server.url, varied(), **options)
    done.raise_failures()
    assert live(server, "dashboard") == {f"hex.{P[n]}" for n in shown}
    reasons = set(skipped(done).values())
    assert (reason in reasons) if reason else not reasons


def test_charts_and_data_models_are_left_out_by_label(server):
    done = run_publish(
        server.url,
        world(),
        chartFilterPattern={"includes": ["display"]},
        dataModelFilterPattern={"excludes": ["sql c1"]},
    )
    assert live(server, "chart") == {TABLE_CHART}
    assert live(server, "dashboardDataModel") == set()
    assert skipped(done)[CHART] == "left out by chartFilterPattern"
    assert skipped(done)[MODEL] == "left out by dataModelFilterPattern"
    assert (ORDERS, f"hex.{P[0]}") in edges(server), "the fact stays, without the model"


def test_a_pattern_set_later_takes_away_what_it_leaves_out(server):
    rows = world()
    rows.cells += [cell(2, f"d{n}", "CHART", n) for n in range(8)]
    writes_of(server, rows)
    options = {"chartFilterPattern": {"excludes": ["display"]}}
    writes_of(server, rows, **options)
    assert TABLE_CHART not in live(server, "chart")
    assert linked(server, 1, "charts") == set()
    assert writes_of(server, rows, **options) == []


def test_without_tags_and_owners_both_are_left_alone(server):
    off = {"includeTags": False, "includeOwners": False}
    writes_of(server, world(), **off)
    assert dashboard(server, 0)["tags"] == [] and dashboard(server, 0)["owners"] == []
    assert not live(server, "tag") and not live(server, "classification")
    writes_of(server, world())
    kept = [dashboard(server, 0)[name] for name in ("tags", "owners")]
    assert all(kept)
    assert writes_of(server, world(), **off) == []
    assert [dashboard(server, 0)[name] for name in ("tags", "owners")] == kept


def test_without_data_models_tables_lead_to_the_dashboard_and_earlier_models_go(server):
    off = {"includeDataModels": False}
    writes_of(server, world())
    assert (ORDERS, MODEL) in edges(server)
    writes_of(server, world(), **off)
    assert live(server, "dashboardDataModel") == set()
    assert linked(server, 0, "dataModels") == set()
    assert not any(MODEL in pair for pair in edges(server))
    assert (ORDERS, f"hex.{P[0]}") in edges(server)
    assert writes_of(server, world(), **off) == []
    writes_of(server, world())
    assert (ORDERS, MODEL) in edges(server) and (ORDERS, f"hex.{P[0]}") not in edges(server)
    assert writes_of(server, world()) == []


def test_gone_projects_and_cells_stay_when_marking_is_off(server):
    rows = world()
    writes_of(server, rows)
    rows.projects, rows.cells = rows.projects[:4], [rows.cells[0], rows.cells[3]]
    rows.complete_cells = P
    done = run_publish(server.url, rows, markDeletedDashboards=False)
    done.raise_failures()
    assert done.written_count == 0
    assert not dashboard(server, 4)["deleted"]
    assert linked(server, 0, "charts") == {CHART}
    assert "markDeletedDashboards is off" in skipped(done)[CHART]


def test_a_team_becomes_an_owner():
    with OpenMetadataServer() as server:
        server.seed(TABLES, teams=[("finance", "Ann@example.org")])
        writes_of(server, world())
        [owner] = dashboard(server, 0)["owners"]
        assert owner == {"id": server.entity("team", "finance")["id"], "type": "team"}
        assert writes_of(server, world()) == []


@pytest.mark.parametrize("version", ["1.9.0", "1.10.14", "2.0.7"])
def test_override_metadata_takes_title_description_and_owner_and_nothing_else(version):
    with OpenMetadataServer(version) as server:
        server.seed(TABLES, users=["ann@example.org", "eve@example.org"])
        writes_of(server, world())
        eve = {"id": server.entity("user", "eve")["id"], "type": "user"}
        chart = {"name": "hand", "service": "hex"}
        answer = requests.put(
            f"{server.url}/api/v1/charts",
            json=chart,
            headers={"Authorization": f"Bearer {PERSON_TOKEN}"},
            timeout=10,
        )
        hand = answer.json()["id"]
        as_person(
            server,
            0,
            {"op": "replace", "path": "/displayName", "value": "Anna's name"},
            {"op": "replace", "path": "/description", "value": "Anna's words"},
            {"op": "add", "path": "/owners", "value": [eve]},
            {"op": "remove", "path": "/tags/0"},
            {"op": "add", "path": "/charts/0", "value": hand},
        )
        tags = dashboard(server, 0)["tags"]
        writes_of(server, world(), overrideMetadata=True)
        shown = dashboard(server, 0)
        assert (shown["displayName"], shown["description"][:7]) == ("Project 0", "About 0")
        assert shown["owners"] == [{"id": server.entity("user", "ann")["id"], "type": "user"}]
        assert shown["tags"] == tags, "a tag that a person took off stays off"
        assert "hex.hand" in linked(server, 0, "charts")
        assert writes_of(server, world(), overrideMetadata=True) == []


def test_cells_that_are_not_known_whole_lose_nothing(server):
    writes_of(server, world())
    before = edges(server)
    for cells, complete in ((None, None), ([], None), (world().cells[:1], [])):
        assert writes_of(server, world(cells=cells, complete_cells=complete)) == []
    assert edges(server) == before
    assert {CHART, TABLE_CHART} == live(server, "chart")


def test_gone_cells_above_the_share_are_refused_by_name_and_stay_linked(server):
    rows = world()
    writes_of(server, rows)
    before = edges(server)
    rows.cells, rows.complete_cells = rows.cells[2:], P
    done = run_publish(server.url, rows)
    with pytest.raises(PublicationFailed, match=rf"(?s){CHART}.*1 of 2 charts \(50%\).*{MODEL}"):
        done.raise_failures()
    assert done.written_count == 0
    assert edges(server) == before and linked(server, 0, "dataModels") == {MODEL}
    writes_of(server, rows, maxDeletedShare=1)
    assert live(server, "chart") == {TABLE_CHART} and live(server, "dashboardDataModel") == set()
    assert not any(MODEL in pair for pair in edges(server))
    assert writes_of(server, rows) == []
    writes_of(server, world())
    assert live(server, "chart") == {CHART, TABLE_CHART} and edges(server) == before
    assert writes_of(server, world()) == []


@pytest.mark.parametrize("kind", ["charts", "dashboard/datamodels", "dashboards"])
def test_what_a_person_deleted_stays_deleted_and_fails_nothing(server, kind):
    writes_of(server, world())
    type_, name = {
        "charts": ("chart", CHART),
        "dashboard/datamodels": ("dashboardDataModel", MODEL),
        "dashboards": ("dashboard", f"hex.{P[0]}"),
    }[kind]
    requests.delete(
        f"{server.url}/api/v1/{kind}/{server.entity(type_, name)['id']}",
        headers={"Authorization": f"Bearer {PERSON_TOKEN}"},
        timeout=10,
    ).raise_for_status()
    rows = world()
    rows.projects[0]["title"] = "Another"
    rows.edges[0]["query_count"] += 1
    done = run_publish(server.url, rows)
    done.raise_failures()
    assert "deleted in the catalog by anna" in skipped(done)[name]
    assert name not in live(server, type_)
    assert writes_of(server, rows) == []
