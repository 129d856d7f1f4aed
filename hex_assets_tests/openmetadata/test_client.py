"""What the client makes of the server's answers."""

from __future__ import annotations

import pytest

from hex_assets.demo.openmetadata_server import BOT_TOKEN, WEAK_TOKEN
from hex_assets.openmetadata.capabilities import capabilities
from hex_assets.openmetadata.catalog import read_catalog
from hex_assets.openmetadata.client import OpenMetadataClient
from hex_assets.openmetadata.errors import NotAllowed, NotAuthenticated, NotFound, OpenMetadataError
from hex_assets.openmetadata.names import split_fqn, tag_name
from hex_assets.openmetadata.probe import probe
from hex_assets_tests.openmetadata.conftest import ORDERS, TABLES


def test_catalog_is_read_whole_or_not_at_all(server):
    client = OpenMetadataClient(server.url, BOT_TOKEN, retries=0)
    table = read_catalog(client, ["ch"])
    assert table["fqn"].to_pylist() == sorted(TABLES)
    orders = table.filter([name == ORDERS for name in table["fqn"].to_pylist()]).to_pylist()[0]
    assert (orders["database"], orders["schema"], orders["name"]) == ("default", "shop", "orders")
    assert [c["name"] for c in orders["columns"]] == ["id", "amount"]
    with pytest.raises(NotFound, match="no database service 'nope'; it has ch"):
        read_catalog(client, ["nope"])
    server.fail("GET", "^/tables$", 503)
    with pytest.raises(OpenMetadataError, match="503"):
        read_catalog(client, ["ch"])


def test_listing_goes_over_all_pages(server):
    client = OpenMetadataClient(server.url, BOT_TOKEN)
    assert len(list(client.listing("/tables", limit=1))) == 3


def test_errors_name_the_request_the_servers_words_and_the_mend_but_no_token(server):
    with pytest.raises(NotAuthenticated, match=r"Invalid token.*check the bot's token") as wrong:
        OpenMetadataClient(server.url, "sesame-123").get("/users")
    assert "sesame-123" not in str(wrong.value) + repr(wrong.value)
    weak = OpenMetadataClient(server.url, WEAK_TOKEN)
    with pytest.raises(NotAllowed, match=r"PUT /users: 403: Principal.*give the bot a role"):
        weak.put("/users", {"name": "x", "email": "x@example.org"})
    client = OpenMetadataClient(server.url, BOT_TOKEN, retries=0)
    with pytest.raises(OpenMetadataError, match="500: Invalid UUID string: x"):
        client.get("/users/x")
    with pytest.raises(OpenMetadataError, match='Unrecognized field "bogus"'):
        client.put("/charts", {"name": "a", "bogus": 1})


def test_probe_names_what_the_bot_lacks_and_writes_nothing(server):
    good = probe(OpenMetadataClient(server.url, BOT_TOKEN), ["ch"])
    assert {finding.status for finding in good} == {"ok"}
    server.search_up = False
    weak = {f.check: f for f in probe(OpenMetadataClient(server.url, WEAK_TOKEN), ["nope"])}
    assert "Create on dashboard" in weak["rights"].detail
    assert weak["search"].status == "warning"
    assert weak["database service nope"].status == "failure"
    nobody = probe(OpenMetadataClient("http://127.0.0.1:1", "t", retries=0))
    assert [finding.status for finding in nobody] == ["failure"]
    assert server.requests == []


@pytest.mark.parametrize(
    ("version", "service", "gauge", "link"),
    [
        ("1.9.0", "CustomDashboard", "Other", False),
        ("1.9.13", "CustomDashboard", "Gauge", True),
        ("1.10.1", "CustomDashboard", "Gauge", True),
        ("1.10.2", "Hex", "Gauge", True),
        ("2.0.7-SNAPSHOT", "Hex", "Gauge", True),
    ],
)
def test_capabilities_follow_the_version(version, service, gauge, link):
    known = capabilities(version)
    assert known.service_type == service
    assert known.chart_type("Gauge") == gauge
    assert known.data_model_source_url == link


def test_names_stay_legal_and_distinct():
    assert split_fqn('svc."my.db".public.t') == ["svc", "my.db", "public", "t"]
    assert tag_name("Über uns") == "Über uns"
    assert tag_name("a/b") != tag_name("a:b")
    assert "::" not in tag_name("a::b") and len(tag_name("x" * 300)) <= 64


def test_a_netrc_entry_never_replaces_the_bots_token(server, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert OpenMetadataClient(server.url, BOT_TOKEN, retries=0).user["name"]


def test_the_proxy_of_the_environment_is_used(monkeypatch, server):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url)
    client = OpenMetadataClient("http://catalog.example.com", BOT_TOKEN, retries=0)
    # There is no such host: only the stand-in, asked as a proxy, can have answered.
    assert client.get("/system/version")["version"]
