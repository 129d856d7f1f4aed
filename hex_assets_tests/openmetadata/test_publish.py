"""Publications over the wire to the strict local server: converge, and overwrite nobody's work."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from hex_assets.demo.openmetadata_server import BOT_TOKEN, PERSON_TOKEN, OpenMetadataServer
from hex_assets.openmetadata.client import OpenMetadataClient
from hex_assets.openmetadata.errors import NotOpenMetadata, PublicationFailed
from hex_assets.openmetadata.publish import retire
from hex_assets_tests.openmetadata.conftest import (
    COPY,
    ORDERS,
    TABLES,
    USERS,
    P,
    edge,
    run_publish,
    settings_for,
    world,
)
from hex_assets_tests.openmetadata.looking import (
    as_person,
    dashboard,
    edges,
    killed_world,
    publish_killed_world,
    state,
    writes_of,
)


def test_first_publication_shows_projects_cells_owners_tags_and_one_path_a_fact(server):
    done = run_publish(server.url, world())
    done.raise_failures()
    shown = dashboard(server, 0)
    assert shown["displayName"] == "Project 0"
    assert shown["description"] == "About 0\n\nRuns in Hex: daily at 07:30 UTC."
    assert shown["project"] == "Finance"
    owner = server.store.entities[shown["owners"][0]["id"]]
    assert owner["email"] == "ann@example.org"
    tags = [tag["tagFQN"] for tag in shown["tags"]]
    assert tags[1:] == ["HexCollection.Finance", "HexStatus.Approved"]
    assert server.entity("tag", tags[0])["displayName"] == "Sales / EU"
    assert "connection" not in server.entity("dashboardService", "hex")
    model = f"hex.model.{P[0]}_c1"
    found = edges(server)
    assert set(found) == {
        (ORDERS, model),  # and not ORDERS -> dashboard as well
        (model, f"hex.{P[0]}"),
        (USERS, f"hex.{P[1]}"),
        (f"hex.{P[2]}", COPY),
        (f"hex.{P[3]}", f"hex.{P[1]}"),  # the component
    }
    details = found[ORDERS, model]
    assert details["source"] == "DashboardLineage"
    assert details["sqlQuery"].startswith("select sum(amount)")
    assert details["columnsLineage"] == [
        {"fromColumns": [f"{ORDERS}.amount"], "toColumn": f"{model}.total"}
    ]
    assert set(server.store.usage[shown["id"]].values()) == {3}


def test_second_run_writes_nothing_and_one_change_is_one_write(server):
    rows = world()
    writes_of(server, rows)
    assert writes_of(server, rows) == []
    rows.projects[1]["title"] = "Renamed"
    [(method, path, _)] = writes_of(server, rows)
    assert (method, path) == ("PATCH", f"/dashboards/{dashboard(server, 1)['id']}")
    assert dashboard(server, 1)["displayName"] == "Renamed"
    rows.edges.append(edge(4, USERS))
    [(method, path, _)] = writes_of(server, rows)
    assert (method, path) == ("PUT", "/lineage")
    rows.edges.pop()
    [(method, path, _)] = writes_of(server, rows)
    assert method == "DELETE" and path.startswith("/lineage/table/")
    assert writes_of(server, rows) == []


def test_description_is_refreshed_while_it_is_ours(server):
    rows = world()
    writes_of(server, rows)
    rows.projects[0]["description"] = "New words"
    assert len(writes_of(server, rows)) == 1
    assert dashboard(server, 0)["description"].startswith("New words")


@pytest.mark.parametrize("version", ["1.9.0", "1.10.14", "1.13.0", "2.0.7"])
def test_what_people_set_survives_three_runs_with_changes_in_hex(version):
    with OpenMetadataServer(version) as server:
        server.seed(TABLES, users=["ann@example.org", "bob@example.org", "eve@example.org"])
        rows = world()
        writes_of(server, rows)
        eve = server.entity("user", "eve")
        tag = dict(dashboard(server, 0)["tags"][0], labelType="Manual", tagFQN="HexStatus.Mine")
        client = OpenMetadataClient(server.url, BOT_TOKEN)
        body = {"name": "Mine", "classification": "HexStatus", "description": "x"}
        client.put("/tags", body)
        as_person(
            server,
            0,
            {"op": "replace", "path": "/displayName", "value": "Anna's name"},
            {"op": "replace", "path": "/description", "value": "Anna's words"},
            {"op": "add", "path": "/owners", "value": [{"id": eve["id"], "type": "user"}]},
            {"op": "remove", "path": "/tags/2"},
            {"op": "add", "path": "/tags/2", "value": tag},
        )
        table = server.entity("table", USERS)
        requests.put(
            f"{server.url}/api/v1/lineage",
            json={
                "edge": {
                    "fromEntity": {"id": table["id"], "type": "table"},
                    "toEntity": {"id": dashboard(server, 0)["id"], "type": "dashboard"},
                    "lineageDetails": {"description": "Anna knows", "source": "Manual"},
                }
            },
            headers={"Authorization": f"Bearer {PERSON_TOKEN}"},
            timeout=10,
        ).raise_for_status()
        for n in range(3):
            rows.projects[0] |= {
                "title": f"Hex {n}",
                "description": f"Hex says {n}",
                "status": f"Status {n}",
                "owner_email": "bob@example.org",
            }
            rows.edges = [*world().edges, edge(0, USERS, query_count=n + 1)]
            rows.cells[1]["label"] = f"chart {n}"
            writes_of(server, rows)
            shown = dashboard(server, 0)
            assert shown["displayName"] == "Anna's name"
            assert shown["description"] == "Anna's words"
            assert [owner["id"] for owner in shown["owners"]] == [eve["id"]]
            status = [t for t in shown["tags"] if t["tagFQN"].startswith("HexStatus")]
            assert [(t["tagFQN"], t["labelType"]) for t in status] == [("HexStatus.Mine", "Manual")]
            manual = edges(server)[USERS, f"hex.{P[0]}"]
            assert (manual["source"], manual["description"]) == ("Manual", "Anna knows")
        assert writes_of(server, rows) == []
        writes_of(server, rows, overrideMetadata=True)
        assert dashboard(server, 0)["displayName"] == "Hex 2"
        assert edges(server)[USERS, f"hex.{P[0]}"]["source"] == "Manual"
        writes_of(server, rows, overrideLineage=True)
        assert edges(server)[USERS, f"hex.{P[0]}"]["source"] == "DashboardLineage"


PERSONS_FIELDS = {
    "domains": [{"id": "6a5f5c5e-0000-4000-8000-000000000001", "type": "domain"}],
    "dataProducts": [{"id": "6a5f5c5e-0000-4000-8000-000000000002", "type": "dataProduct"}],
    "reviewers": [{"id": "6a5f5c5e-0000-4000-8000-000000000003", "type": "user"}],
    "followers": [{"id": "6a5f5c5e-0000-4000-8000-000000000003", "type": "user"}],
    "votes": {"upVotes": 3, "downVotes": 1},
    "certification": {"tagLabel": {"tagFQN": "Certification.Gold"}},
    "extension": {"costCentre": "4711"},
}


@pytest.mark.parametrize("version", ["1.9.0", "1.13.0", "2.0.7"])
def test_fields_that_hex_knows_nothing_of_are_never_sent_and_stay(version):
    with OpenMetadataServer(version) as server:
        server.seed(TABLES, users=["ann@example.org", "bob@example.org"])
        rows = world()
        writes_of(server, rows)
        client = OpenMetadataClient(server.url, BOT_TOKEN)
        client.put("/classifications", {"name": "Tier", "description": "x"})
        client.put("/tags", {"name": "Tier1", "classification": "Tier", "description": "x"})
        tier = dict(dashboard(server, 0)["tags"][0], tagFQN="Tier.Tier1", labelType="Manual")
        as_person(
            server,
            0,
            *({"op": "add", "path": f"/{k}", "value": v} for k, v in PERSONS_FIELDS.items()),
            {"op": "add", "path": "/tags/-", "value": tier},
        )
        for n in range(3):
            rows.projects[0] |= {"title": f"Hex {n}", "status": f"Status {n}"}
            rows.projects[0] |= {"categories": [{"name": f"C{n}", "description": None}]}
            sent = writes_of(server, rows)
            assert any(path.startswith("/dashboards") for _, path, _ in sent)
            named = {
                step["path"].split("/")[1] if isinstance(step, dict) else step
                for _, _, body in sent
                for step in body or ()
            }
            assert not named & PERSONS_FIELDS.keys()
            shown = dashboard(server, 0)
            assert {name: shown[name] for name in PERSONS_FIELDS} == PERSONS_FIELDS
            assert ("Tier.Tier1", "Manual") in [
                (tag["tagFQN"], tag["labelType"]) for tag in shown["tags"]
            ]
        assert writes_of(server, rows) == []


def test_a_server_whose_patch_ignores_the_marker_converges_all_the_same(server):
    rows = world()
    writes_of(server, rows)
    server.store.patch_drops = frozenset({"sourceHash"})
    rows.projects[0]["description"] = "New words"
    assert [method for method, _, _ in writes_of(server, rows)] == ["PATCH"]
    assert [method for method, _, _ in writes_of(server, rows)] == ["PUT"]
    assert writes_of(server, rows) == []
    assert dashboard(server, 0)["description"].startswith("New words")


def test_half_a_listing_deletes_nothing(server):
    rows = world()
    writes_of(server, rows)
    rows.projects, rows.complete = rows.projects[:4], False
    assert writes_of(server, rows) == []
    assert not dashboard(server, 4)["deleted"]


def test_too_many_gone_is_refused_by_name_then_removed_then_restored(server):
    rows = world()
    writes_of(server, rows)
    everything = rows.projects
    rows.projects = everything[:3]
    done = run_publish(server.url, rows)
    with pytest.raises(PublicationFailed, match=f"(?s)hex.{P[3]}.*maxDeletedShare.*hex.{P[4]}"):
        done.raise_failures()
    assert not dashboard(server, 3)["deleted"]
    writes_of(server, rows, maxDeletedShare=0.5)
    assert dashboard(server, 3)["deleted"] and dashboard(server, 4)["deleted"]
    rows.projects = everything
    writes_of(server, rows)
    assert not dashboard(server, 3)["deleted"] and not dashboard(server, 4)["deleted"]
    assert writes_of(server, rows) == []


def test_wiped_server_gets_everything_back(server):
    writes_of(server, world())
    before = state(server)
    server.store.wipe("dashboardService", "dashboard", "chart", "dashboardDataModel", "tag")
    server.store.wipe("classification")
    writes_of(server, world())
    assert state(server) == before


def test_one_bad_entity_is_named_and_stops_no_other(server):
    server.fail("PUT", "^/charts$", 400)
    done = run_publish(server.url, world())
    with pytest.raises(PublicationFailed, match="injected fault"):
        done.raise_failures()
    assert len(done.failures) == 1
    assert len([k for k in server.store.names if k[0] == "dashboard"]) == 5
    writes_of(server, world())
    assert writes_of(server, world()) == []


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [(200, "text/html", "<html>Welcome</html>"), (200, "text/plain", "ok"), (302, "", "")],
)
def test_a_wrong_host_is_named_and_nothing_is_planned(status, kind, body):
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Location", "https://login.example.com")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as page:
        thread = threading.Thread(target=page.serve_forever, args=(0.02,))
        thread.start()
        with pytest.raises(NotOpenMetadata, match=r"GET /system/version.*check .*hostPort"):
            run_publish(f"http://127.0.0.1:{page.server_port}", world())
        page.shutdown()
        thread.join()


def test_busy_server_is_asked_again(server):
    server.fail("PUT", "/dashboards", 500)
    server.fail("PUT", "/lineage", 429, Retry_After="0")
    server.fail("GET", "/charts", 503)
    run_publish(server.url, world()).raise_failures()


def test_an_entity_that_another_client_creates_at_the_same_time_is_no_failure(server):
    server.creations_collide = True
    run_publish(server.url, world()).raise_failures()
    with OpenMetadataServer() as calm:
        calm.seed(TABLES, users=["ann@example.org", "bob@example.org"])
        run_publish(calm.url, world()).raise_failures()
        assert state(server).keys() == state(calm).keys()
        assert edges(server).keys() == edges(calm).keys()
    assert writes_of(server, world()) == []


def test_search_that_is_down_is_said_and_owners_still_found(server):
    server.search_up = False
    done = run_publish(server.url, world())
    assert "search is not available" in done.notes[0]
    assert dashboard(server, 0)["owners"]


def test_losses_are_receipts(server):
    rows = world()
    rows.projects[0]["owner_email"] = "nobody@example.org"
    rows.projects[1]["trashed_at"] = rows.projects[1]["created_at"]
    rows.edges.append(edge(2, "ch.default.shop.lost"))
    done = run_publish(server.url, rows)
    reasons = {r["reason"] for r in done.receipts.to_pylist() if r["operation"] == "skipped"}
    assert "no user or team of the catalog has the e-mail nobody@example.org" in reasons
    assert "in Hex's trash" in reasons
    assert "the catalog lacks the table ch.default.shop.lost" in reasons


def test_dry_run_and_retirement(server):
    run_publish(server.url, world(), dryRun=True)
    assert server.requests == []
    writes_of(server, world())
    client = OpenMetadataClient(server.url, BOT_TOKEN)
    retire(client, settings_for(server)).raise_failures()
    assert edges(server) == {}
    assert dashboard(server, 0)["deleted"]
    writes_of(server, world())
    assert not dashboard(server, 0)["deleted"] and len(edges(server)) == 5


@pytest.mark.slow
@pytest.mark.parametrize("later", [False, True], ids=["first publication", "changes"])
def test_killed_after_each_write_the_next_run_converges(later):
    # forkserver: a fresh process for each run, without importing everything each time
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["hex_assets_tests.openmetadata.looking"])
    with prepared(later) as server:
        count = len(writes_of(server, killed_world(later), maxDeletedShare=1))
        wanted = state(server)
    assert count > 12
    for n in range(1, count):
        with prepared(later) as fresh:
            before = len(fresh.requests)
            child = processes.Process(target=publish_killed_world, args=(fresh.url, later))
            fresh.on_write = lambda done, child=child, last=before + n: (
                child.kill() if done == last else None
            )
            child.start()
            child.join(60)
            assert child.exitcode == -9, f"ended before write {n}"
            fresh.on_write = None
            writes_of(fresh, killed_world(later), maxDeletedShare=1)
            assert state(fresh) == wanted, f"killed after write {n}"


@contextmanager
def prepared(later: bool) -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer() as server:
        server.seed(TABLES, users=["ann@example.org", "bob@example.org"])
        if later:
            writes_of(server, world())
        yield server
