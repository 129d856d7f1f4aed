import threading
import time
import warnings
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from hex_assets.demo import workspace
from hex_assets.demo.hex_server import TOKEN, Fault, HexServer, Token
from hex_assets.demo.workspace_model import Cell, stable_id
from hex_assets.hex import errors
from hex_assets.hex.client import HexClient, TokenTypeWarning
from hex_assets.hex.export import UnreadableExport, component_ids
from hex_assets.hex.frames import cells_table, projects_table, read_cells, read_projects
from hex_assets.hex.runs import with_latest_runs
from hex_assets.hex.transport import Limits
from hex_assets_tests.hex.conftest import QUICK, client_of

NOW = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


def test_every_project_of_the_workspace_comes_with_its_facts(client: HexClient) -> None:
    rows = {row["project_id"]: row for row in projects_table(client, NOW).to_pylist()}
    assert set(rows) == {project.project_id for project in workspace.PROJECTS}
    board = next(project for project in workspace.PROJECTS if project.key == "board_pack")
    row = rows[board.project_id]
    assert row["title"] == 'Weekly KPIs "board pack" — Q3/Q4'
    assert row["collections"] == ["Finance", "Operations / Leipzig"]
    assert [each["text"] for each in row["schedules"]] == [
        "weekly on Monday at 06:00 Europe/Berlin",
        "cron 15 5 1 */3 * UTC",
    ]
    assert row["created_at"] == datetime(2025, 2, 3, 10, 15, 30, 123_000, timezone.utc)
    assert (row["app_view_count"], row["app_view_count_7_days"]) == (910, 21)
    assert row["url"] == f"{client.host}/{workspace.ORG_ID}/app/{board.project_id}/latest"
    ownerless = next(project for project in workspace.PROJECTS if project.key == "untitled")
    assert rows[ownerless.project_id]["owner_email"] is None


def test_cells_keep_their_order_kind_and_sql(client: HexClient) -> None:
    project = workspace.PROJECTS[0]
    rows = cells_table(client, project.project_id, NOW).to_pylist()
    assert [row["cell_type"] for row in rows] == [cell.cell_type for cell in project.cells]
    top = next(row for row in rows if row["label"] == "Top months")
    assert top["connection_id"] is None and top["output_dataframe"] == "top_months"


def test_a_listing_of_many_pages_is_whole(server: HexServer) -> None:
    server.projects = [replace(workspace.PROJECTS[0], key=f"p{n}") for n in range(250)]
    with client_of(server.url) as client:
        assert len(client.list_projects()) == 250
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(html=True, skip=1), errors.HexProtocolError),
        (
            Fault(status=302, headers=(("Location", "https://x.example/login"),)),
            errors.HexProtocolError,
        ),
        (Fault(cut=True, skip=1), errors.HexUnreachable),
        (Fault(repeat_cursor=True, times=9), errors.HexProtocolError),
        (Fault(status=401), errors.HexAuthError),
        (Fault(status=403, skip=1), errors.HexForbidden),
        (Fault(status=500, times=9, skip=1), errors.HexServerError),
        (Fault(status=429, times=9, skip=1), errors.HexRateLimited),
        (Fault(delay_seconds=1, times=9, skip=1), errors.HexUnreachable),
    ],
)
def test_half_a_listing_is_never_returned(
    server: HexServer, fault: Fault, error: type[errors.HexError]
) -> None:
    server.projects = [replace(workspace.PROJECTS[0], key=f"p{n}") for n in range(150)]
    server.faults = [fault]
    quick = replace(QUICK, read_seconds=0.5, window_seconds=0.05)
    with client_of(server.url, quick) as client, pytest.raises(error) as raised:
        client.list_projects()
    assert TOKEN not in str(raised.value) + repr(raised.value)
    assert "/v1/projects" in str(raised.value)


def test_a_limit_without_a_time_is_waited_out(server: HexServer, client: HexClient) -> None:
    server.faults = [Fault(status=429), Fault(status=429, headers=(("Retry-After", "soon"),))]
    began = datetime.now()
    client.list_collections()
    assert (datetime.now() - began).total_seconds() >= 0.4


def test_a_named_waiting_time_is_obeyed(server: HexServer, client: HexClient) -> None:
    server.faults = [Fault(status=429, headers=(("Retry-After", "1"),))]
    began = datetime.now()
    assert len(client.list_collections()) == 3
    assert (datetime.now() - began).total_seconds() >= 1


def test_a_waiting_time_given_as_a_date_is_obeyed(server: HexServer, client: HexClient) -> None:
    # An HTTP date has whole seconds: two seconds ahead is more than one second of waiting.
    until = datetime.now(timezone.utc) + timedelta(seconds=2)
    server.faults = [Fault(status=429, headers=(("Retry-After", format_datetime(until, True)),))]
    began = time.monotonic()
    assert len(client.list_collections()) == 3
    assert 0.9 <= time.monotonic() - began < 5


def test_no_more_requests_are_sent_than_the_settings_allow(server: HexServer) -> None:
    # Below the limit nothing waits; above it we wait for the window and not for a 429. The newer
    # endpoints have a limit of their own.
    with HexClient(host=server.url, token=TOKEN, requests_per_minute=4, limits=QUICK) as client:
        for _ in range(4):
            client.list_collections()

        def fifth() -> None:
            with suppress(errors.HexError):  # it wakes when the server is long gone
                client.list_collections()

        late = threading.Thread(target=fifth, daemon=True)
        late.start()
        late.join(1)
        assert late.is_alive()
        assert len(server.requests) == 4
        began = time.monotonic()
        client.me()
        assert time.monotonic() - began < 1


def test_closing_a_client_ends_its_threads(server: HexServer) -> None:
    before = set(threading.enumerate())
    for _ in range(5):
        with client_of(server.url) as client:
            client.me()
            client.list_collections()
    for thread in (left := set(threading.enumerate()) - before):
        thread.join(3)
    assert not [thread.name for thread in left if thread.is_alive()]


def test_without_the_right_to_see_sharing_the_listing_is_whole_and_says_what_it_lacks(
    server: HexServer,
) -> None:
    token = "hxtw_" + "a1" * 48
    server.tokens = {token: Token(token, frozenset({"projects"}))}
    with client_of(server.url, token=token) as client:
        seen = read_projects(client, NOW)
    assert seen.table.num_rows == len(workspace.PROJECTS)
    assert seen.table["collections"].null_count == seen.table.num_rows
    assert len(seen.notes) == 1 and "collections" in seen.notes[0] and "403" in seen.notes[0]


def test_without_the_right_to_read_projects_the_listing_fails(server: HexServer) -> None:
    token = "hxtw_" + "a1" * 48
    server.tokens = {token: Token(token, frozenset({"users"}))}
    with client_of(server.url, token=token) as client, pytest.raises(errors.HexForbidden):
        read_projects(client, NOW)


def test_an_import_names_its_component_also_within_a_section(server: HexServer) -> None:
    inner = Cell("inner", "COMPONENT_IMPORT", "Dates", component="date_range")
    section = Cell("section", "COLLAPSIBLE", "Section", children=(inner,))
    project = replace(workspace.PROJECTS[0], cells=(*workspace.PROJECTS[0].cells, section))
    server.projects = [project]
    with client_of(server.url) as client:
        seen = read_cells(client, project.project_id, NOW)
    named = [row["component_id"] for row in seen.table.to_pylist() if row["component_id"]]
    assert named == [stable_id("project", "date_range")] * 2
    assert seen.notes == ()


def test_the_export_is_asked_for_only_where_a_component_is_imported(
    server: HexServer, client: HexClient
) -> None:
    plain = next(project for project in workspace.PROJECTS if project.key == "stock")
    read_cells(client, plain.project_id, NOW)
    assert not [request for request in server.requests if "export" in request]


@pytest.mark.parametrize("status", [403, 404])
def test_without_export_the_component_is_unknown_and_said_to_be(
    server: HexServer, client: HexClient, status: int
) -> None:
    server.faults = [Fault("/v1/projects/export", status=status)]
    seen = read_cells(client, workspace.PROJECTS[0].project_id, NOW)
    assert seen.table["component_id"].null_count == seen.table.num_rows
    assert seen.table.num_rows == len(workspace.PROJECTS[0].all_cells())
    assert len(seen.notes) == 1 and str(status) in seen.notes[0]


@pytest.mark.parametrize("text", ["cells: [", "no: cells", "- a list", "cells: {}"])
def test_an_export_in_another_form_is_unreadable_and_not_empty(text: str) -> None:
    with pytest.raises(UnreadableExport):
        component_ids(text)


def test_a_cell_has_the_id_of_its_version_beside_its_stable_one(client: HexClient) -> None:
    project = next(project for project in workspace.PROJECTS if project.selects_version_id)
    ids = {
        (row["cell_id"], row["version_id"])
        for row in cells_table(client, project.project_id, NOW).to_pylist()
    }
    assert ids == {(project.static_id(c), project.cell_id(c)) for c in project.all_cells()}


def test_both_error_envelopes_give_message_and_trace_id(server: HexServer) -> None:
    token = "hxtw_" + "a1" * 48
    server.tokens = {token: Token(token, frozenset({"projects"}))}
    with client_of(server.url, token=token) as client:
        for call in (client.list_users, client.list_groups):
            with pytest.raises(errors.HexForbidden, match="lacks the scope") as raised:
                call()
            assert raised.value.trace_id
        assert client.me().id is None and client.me().org.id == workspace.ORG_ID


def test_a_project_never_published_has_no_queried_tables(client: HexClient) -> None:
    draft = next(project for project in workspace.PROJECTS if project.key == "untitled")
    with pytest.raises(errors.HexUnprocessable):
        client.list_queried_tables(draft.project_id)


def test_a_closed_port_is_told_from_a_host_without_tls(server: HexServer) -> None:
    url = server.url
    for host, kind in (("http://127.0.0.1:9", "refused"), (url.replace("http:", "https:"), "tls")):
        with (
            client_of(host, Limits(retries=0)) as client,
            pytest.raises(errors.HexUnreachable) as raised,
        ):
            client.me()
        assert raised.value.kind == kind


def test_an_unknown_host_is_told_from_a_closed_port(no_proxy: None) -> None:
    # The domain `invalid` never exists (RFC 2606).
    with client_of("http://hex.invalid", Limits(retries=0)) as client:
        with pytest.raises(errors.HexUnreachable, match=r"there is no host hex\.invalid") as raised:
            client.me()
    assert raised.value.kind == "dns"


def test_a_proxy_that_fails_is_not_blamed_on_hex(
    no_proxy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with client_of("http://hex.example", Limits(retries=0)) as client:
        with pytest.raises(errors.HexUnreachable, match="proxy") as raised:
            client.me()
    assert raised.value.kind == "proxy"
    assert "NO_PROXY" in str(raised.value)


def test_a_token_of_another_type_is_warned_of_without_showing_it() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        client = HexClient(host="https://app.hex.tech", token=TOKEN, token_type="workspace")
    client.close()
    assert [each.category for each in seen] == [TokenTypeWarning]
    assert TOKEN not in str(seen[0].message) + repr(client) + repr(vars(client))


def test_only_projects_with_a_schedule_are_asked_for_their_latest_run(
    server: HexServer, client: HexClient
) -> None:
    listed = projects_table(client, NOW)
    server.requests.clear()
    found = with_latest_runs(client, listed)
    runs = {
        row["title"]: (row["last_run_status"], row["last_run_at"])
        for row in found.table.to_pylist()
        if row["last_run_status"]
    }
    scheduled = [
        row["title"]
        for row in listed.to_pylist()
        if any(each["enabled"] for each in row["schedules"])
    ]
    assert 0 < len(server.requests) <= len(scheduled) and set(runs) <= set(scheduled)
    assert {status for status, _ in runs.values()} <= {"COMPLETED", "ERRORED", "RUNNING", "PENDING"}
    assert all(at is not None for _, at in runs.values())


def test_runs_that_the_token_may_not_see_cost_one_call_and_a_note(
    server: HexServer, client: HexClient
) -> None:
    listed = projects_table(client, NOW)
    server.requests.clear()
    server.faults = [Fault("/v1/projects/.*/runs", status=403, times=9)]
    found = with_latest_runs(client, listed)
    assert len(server.requests) == 1 and len(found.notes) == 1
    assert found.table.equals(listed)


def test_published_cells_are_those_of_the_export_with_the_ids_of_the_draft(
    server: HexServer, client: HexClient
) -> None:
    for project in server.projects:
        if project.published is None:
            continue
        draft = cells_table(client, project.project_id, NOW)
        found = read_cells(client, project.project_id, NOW, published=True)
        assert found.notes == ()
        drafted = {row["cell_id"]: row for row in draft.to_pylist()}
        for row in found.table.to_pylist():
            wanted = drafted.pop(row["cell_id"])
            same = ("version_id", "cell_type", "label", "source", "connection_id", "url")
            assert {name: row[name] for name in same} == {name: wanted[name] for name in same}
        assert not drafted


@pytest.mark.parametrize("status", [400, 403])
def test_without_export_the_draft_stands_in_and_the_note_says_so(
    server: HexServer, client: HexClient, status: int
) -> None:
    project = next(p for p in server.projects if p.published is not None)
    server.faults = [Fault("/v1/projects/export", status=status, times=9)]
    found = read_cells(client, project.project_id, NOW, published=True)
    assert found.table.equals(cells_table(client, project.project_id, NOW))
    assert project.project_id in found.notes[0] and "draft" in found.notes[0]
