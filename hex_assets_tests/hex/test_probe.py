"""A person who runs the doctor reads the cause of a broken set-up and what mends it."""

from datetime import datetime, timedelta, timezone

import pytest

from hex_assets.demo.hex_server import SCOPES, TOKEN, Fault, HexServer, Token
from hex_assets.hex.client import HexClient, TokenTypeWarning
from hex_assets.hex.probe import probe
from hex_assets.hex.transport import Limits
from hex_assets.probe import Finding
from hex_assets_tests.hex.conftest import client_of

WORKSPACE_TOKEN = "hxtw_" + "a1" * 48


def found_at(url: str, token: str = TOKEN, limits: Limits | None = None) -> dict[str, Finding]:
    with client_of(url, limits or Limits(), token) as client:
        found = probe(client)
    assert token not in repr(found)
    names = [finding.check for finding in found]
    assert len(set(names)) == len(names)
    assert all(finding.mend for finding in found if finding.status != "ok")
    return {finding.check: finding for finding in found}


def bad(found: dict[str, Finding]) -> dict[str, str]:
    return {name: each.status for name, each in found.items() if each.status != "ok"}


def test_a_good_set_up_has_nothing_to_mend(server: HexServer) -> None:
    found = found_at(server.url)
    assert bad(found) == {}
    assert "20 projects and components" in found["hex projects"].detail
    assert "2 components" in found["hex projects"].detail
    assert len(server.requests) <= 13


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("hxtp_" + "e1" * 48, "revoked"),
        ("hxtp_e1e1", "not shaped like one"),
        ("my-password", "not shaped like one"),
    ],
)
@pytest.mark.filterwarnings("ignore::hex_assets.hex.client.TokenTypeWarning")
def test_a_bad_token_is_told_from_one_that_was_not_copied_whole(
    server: HexServer, token: str, words: str
) -> None:
    found = found_at(server.url, token)
    assert found["hex"].status == "ok"
    assert found["hex token"].status == "failure"
    assert words in found["hex token"].detail


def test_an_expired_token_is_called_expired(server: HexServer) -> None:
    server.tokens = {TOKEN: Token(TOKEN, expires_at=datetime(2026, 1, 1, tzinfo=timezone.utc))}
    found = found_at(server.url)
    assert bad(found) == {"hex token": "failure"}
    assert "has expired" in found["hex token"].detail
    assert "new token" in str(found["hex token"].mend)


@pytest.mark.parametrize(("days", "status"), [(6, "warning"), (8, "ok")])
def test_a_token_is_warned_of_a_week_before_it_ends(
    server: HexServer, days: int, status: str
) -> None:
    end = datetime.now(timezone.utc) + timedelta(days=days, hours=1)
    server.tokens = {TOKEN: Token(TOKEN, expires_at=end)}
    finding = found_at(server.url)["hex token"]
    assert finding.status == status
    assert f"{end:%Y-%m-%d}" in finding.detail


def test_a_token_of_the_other_type_is_named(server: HexServer) -> None:
    with pytest.warns(TokenTypeWarning):
        client = HexClient(host=server.url, token=TOKEN, token_type="workspace")
    with client:
        found = {finding.check: finding for finding in probe(client)}
    assert bad(found) == {"hex token type": "warning"}
    assert "personal" in found["hex token type"].detail


@pytest.mark.parametrize(
    ("scope", "check", "lost"),
    [
        ("sharing", "hex sharing", "collections stay unknown"),
        ("queriedTables", "hex queried tables", None),
        ("users", "hex users", None),
        ("groups", "hex groups", None),
        ("collections", "hex collections", None),
        ("connections", "hex data connections", None),
    ],
)
def test_each_missing_scope_is_told_with_what_is_lost(
    server: HexServer, scope: str, check: str, lost: str | None
) -> None:
    server.tokens = {WORKSPACE_TOKEN: Token(WORKSPACE_TOKEN, SCOPES - {scope})}
    found = found_at(server.url, WORKSPACE_TOKEN)
    if lost is None:
        assert bad(found) == {}
        assert "not granted" in found[check].detail
    else:
        assert bad(found) == {check: "warning"}
        assert lost in found[check].detail


def test_without_read_projects_nothing_works(server: HexServer) -> None:
    server.tokens = {WORKSPACE_TOKEN: Token(WORKSPACE_TOKEN, SCOPES - {"projects"})}
    found = found_at(server.url, WORKSPACE_TOKEN)
    assert bad(found) == {"hex projects": "failure"}
    assert "Read projects" in str(found["hex projects"].mend)


@pytest.mark.parametrize(
    ("path", "check", "lost"),
    [
        ("/v1/cells", "hex cells", "no charts"),
        ("/v1/projects/export", "hex export", "which component"),
    ],
)
def test_an_endpoint_that_the_plan_lacks_is_a_warning(
    server: HexServer, path: str, check: str, lost: str
) -> None:
    server.faults = [Fault(path, status=403)]
    found = found_at(server.url)
    assert bad(found) == {check: "warning"}
    assert lost in found[check].detail


def test_a_workspace_without_projects_is_told(server: HexServer) -> None:
    server.projects = []
    found = found_at(server.url)
    assert bad(found) == {"hex projects": "warning"}
    assert "not tried" in found["hex cells"].detail


def test_a_rate_limit_is_told_at_once_and_not_waited_for(server: HexServer) -> None:
    server.faults = [Fault(status=429, times=99)]
    found = found_at(server.url)
    assert bad(found) == {"hex rate limit": "failure"}
    assert "requestsPerMinute" in str(found["hex rate limit"].mend)


def test_what_hex_says_of_its_limit_is_shown(server: HexServer) -> None:
    remaining = (("X-RateLimit-Remaining", "41"),)
    server.faults = [Fault("/v1/data-connections", status=404, headers=remaining)]
    assert "x-ratelimit-remaining: 41" in found_at(server.url)["hex rate limit"].detail


def test_a_web_page_in_place_of_the_api_is_the_wrong_host(server: HexServer) -> None:
    server.faults = [Fault(html=True, times=9)]
    found = found_at(server.url)
    assert bad(found) == {"hex": "failure"}
    assert "HTML" in found["hex"].detail
    assert "hostPort" in str(found["hex"].mend)


@pytest.mark.parametrize(
    ("host", "detail", "mend"),
    [
        ("http://127.0.0.1:9", "does not accept connections", "port"),
        ("http://hex.invalid", "there is no host", "spelling"),
    ],
)
@pytest.mark.usefixtures("no_proxy")
def test_a_host_that_is_not_there_is_told_by_its_cause(host: str, detail: str, mend: str) -> None:
    found = found_at(host)
    assert bad(found) == {"hex": "failure"}
    assert detail in found["hex"].detail
    assert mend in str(found["hex"].mend)


def test_a_host_without_tls_is_told(server: HexServer) -> None:
    assert "TLS" in found_at(server.url.replace("http:", "https:"))["hex"].detail


def test_a_host_that_is_silent_is_told(server: HexServer) -> None:
    server.faults = [Fault(delay_seconds=1, times=9)]
    found = found_at(server.url, limits=Limits(read_seconds=0.3))
    assert "no answer in time" in found["hex"].detail


@pytest.mark.usefixtures("no_proxy")
def test_a_proxy_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    found = found_at("http://hex.example")
    assert "proxy" in found["hex"].detail
    assert "HTTPS_PROXY" in str(found["hex"].mend)


def test_a_plan_without_queried_tables_is_told_and_is_no_warning(server: HexServer) -> None:
    server.tokens = {WORKSPACE_TOKEN: Token(WORKSPACE_TOKEN, SCOPES - {"queriedTables"})}
    told = found_at(server.url, WORKSPACE_TOKEN)["hex queried tables"]
    assert told.status == "ok"
    assert "edges do not say whether Hex lists the table" in told.detail
    assert "hex.queriedTables" in told.detail
