import warnings
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from hex_assets.demo import workspace
from hex_assets.demo.hex_server import TOKEN, Fault, HexServer, Token
from hex_assets.hex import errors
from hex_assets.hex.client import HexClient, TokenTypeWarning
from hex_assets.hex.frames import cells_table, projects_table
from hex_assets.hex.transport import Limits

QUICK = Limits(connect_seconds=2, read_seconds=2, retries=2, backoff_seconds=0, window_seconds=0.2)
NOW = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


def client_of(url: str, limits: Limits = QUICK, token: str = TOKEN) -> HexClient:
    return HexClient(
        host=url,
        token=token,
        token_type="workspace" if token.startswith("hxtw_") else "personal",
        requests_per_minute=60_000,
        api_group_requests_per_minute=60_000,
        limits=limits,
    )


@pytest.fixture
def server() -> Iterator[HexServer]:
    with HexServer() as running:
        yield running


@pytest.fixture
def client(server: HexServer) -> Iterator[HexClient]:
    with client_of(server.url) as made:
        yield made


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
    from dataclasses import replace

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
    from dataclasses import replace

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


def test_a_closed_port_is_told_from_an_unknown_host(server: HexServer) -> None:
    url = server.url
    for host, kind in (("http://127.0.0.1:9", "refused"), (url.replace("http:", "https:"), "tls")):
        with (
            client_of(host, Limits(retries=0)) as client,
            pytest.raises(errors.HexUnreachable) as raised,
        ):
            client.me()
        assert raised.value.kind == kind


def test_a_token_of_another_type_is_warned_of_without_showing_it() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        client = HexClient(host="https://app.hex.tech", token=TOKEN, token_type="workspace")
    client.close()
    assert [each.category for each in seen] == [TokenTypeWarning]
    assert TOKEN not in str(seen[0].message) + repr(client) + repr(vars(client))
