"""Each broken set-up, over the wire: the doctor names the cause and the mend, and no secret."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from hex_assets.commands.doctor import doctor
from hex_assets.demo import workspace
from hex_assets.demo.clickhouse_server import ClickHouseServer
from hex_assets.demo.hex_server import SCOPES, TOKEN, HexServer, Token
from hex_assets.demo.openmetadata_server import PRINCIPALS, OpenMetadataServer
from hex_assets.doctor import diagnose
from hex_assets.settings import parse_settings

BOT = next(token for token, who in PRINCIPALS.items() if who.is_bot and who.may_write)
POWERLESS = next(token for token, who in PRINCIPALS.items() if not who.may_write)
OWNERS = {project.owner_email for project in workspace.PROJECTS} - {None}
NARROW = "hxtw_" + "a1" * 48
BLIND = "hxtw_" + "b2" * 48
EXPIRED = "hxtp_" + "c3" * 48
PASSWORD = "pass-of-the-log"


@dataclass
class Setup:
    """A set-up that works, for a case to break."""

    hex: HexServer
    catalog: OpenMetadataServer
    settings: dict[str, Any]
    environment: pytest.MonkeyPatch
    request: pytest.FixtureRequest
    folder: Path

    def at_hex(self, host: str) -> None:
        self.settings["hex"]["hostPort"] = host

    def at_catalog(self, host: str) -> None:
        self.settings["openmetadata"]["hostPort"] = host

    def filters(self, *excludes: str) -> None:
        self.settings["openmetadata"]["dashboardFilterPattern"] = {"excludes": list(excludes)}

    def has(self, fixture: str) -> Any:
        return self.request.getfixturevalue(fixture)

    def warehouse(self, **changes: Any) -> None:
        server = self.has("clickhouse")
        self.environment.setenv("LOG_PASSWORD", PASSWORD)
        self.settings["warehouses"] = {
            "shop": {
                "type": "clickhouse",
                "host": "127.0.0.1",
                "port": server.port,
                "secure": False,
                "password": {"env": "LOG_PASSWORD"},
                "openmetadataService": "demo",
                **changes,
            }
        }


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with ClickHouseServer(tmp_path_factory.mktemp("log"), password=PASSWORD) as server:
        yield server


@pytest.fixture
def setup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Setup]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HEX_TOKEN", TOKEN)
    monkeypatch.setenv("OPENMETADATA_JWT_TOKEN", BOT)
    late = datetime.now(timezone.utc) - timedelta(days=1)
    tokens = (
        Token(TOKEN),
        Token(NARROW, scopes=SCOPES - {"sharing"}),
        Token(BLIND, scopes=frozenset({"users"})),
        Token(EXPIRED, expires_at=late),
    )
    with HexServer(tokens=tokens) as hex_server, OpenMetadataServer() as catalog:
        catalog.seed({"demo.db.shop.t": [("a", "INT")]}, users=OWNERS)
        settings = {
            "hex": {"hostPort": hex_server.url},
            "openmetadata": {"hostPort": catalog.url, "dbServiceNames": ["demo"]},
            "storage": {"path": str(tmp_path / "data")},
        }
        yield Setup(hex_server, catalog, settings, monkeypatch, request, tmp_path)


def _html(setup: Setup) -> str:
    return str(setup.has("answering")(200, "text/html", "<html>Sign in</html>"))


def _proxy(setup: Setup) -> None:
    setup.environment.setenv("HTTP_PROXY", f"http://127.0.0.1:{setup.has('closed_port')}")
    setup.environment.setenv("NO_PROXY", "127.0.0.1")
    setup.at_hex("http://hex.example.com")


def _tls(setup: Setup) -> None:
    certificate = setup.has("certificate")
    setup.at_hex(setup.has("answering")(401, "application/json", "{}", certificate=certificate))


def _redirect(setup: Setup) -> None:
    login = "https://sso.example.com/login"
    setup.at_hex(setup.has("answering")(302, "text/plain", "", location=login))


def _no_rights(setup: Setup) -> None:
    setup.environment.setenv("OPENMETADATA_JWT_TOKEN", POWERLESS)


def _search_down(setup: Setup) -> None:
    setup.catalog.search_up = False


def _storage_below_a_file(setup: Setup) -> None:
    (setup.folder / "file").write_text("")
    setup.settings["storage"]["path"] = str(setup.folder / "file" / "data")


def _rate_limited(setup: Setup) -> None:
    setup.hex.limits = {False: 0, True: 0}


def _set(key: str, value: str) -> Callable[[Setup], None]:
    return lambda setup: setup.environment.setenv(key, value)


def _unset(key: str) -> Callable[[Setup], None]:
    return lambda setup: setup.environment.delenv(key)


Case = tuple[str, Callable[[Setup], Any], str, str, str, str]
# name, what breaks it, system, status, words of the cause, words of the mend
CASES: list[Case] = [
    ("unset Hex token", _unset("HEX_TOKEN"), "Hex", "failure", "HEX_TOKEN is not set", "export"),
    ("bad Hex token", _set("HEX_TOKEN", "hxtp_" + "e" * 96), "Hex", "failure", "token", "token"),
    ("expired Hex token", _set("HEX_TOKEN", EXPIRED), "Hex", "failure", "expired", "token"),
    (
        "wrong token type",
        lambda s: s.settings["hex"].update(tokenType="workspace"),
        "Hex",
        "warning",
        "tokenType is workspace",
        "tokenType",
    ),
    ("sharing missing", _set("HEX_TOKEN", NARROW), "Hex", "warning", "collections stay", "sharing"),
    ("projects not readable", _set("HEX_TOKEN", BLIND), "Hex", "failure", "projects", "scope"),
    (
        "filters drop all",
        lambda s: s.filters(".*"),
        "Hex",
        "failure",
        "0 of",
        "hex-assets projects",
    ),
    (
        "filters drop some",
        lambda s: s.filters("R.*"),
        "Hex",
        "warning",
        "dashboardFilterPattern",
        "hex-assets projects",
    ),
    ("rate limited", _rate_limited, "Hex", "failure", "limit", "requestsPerMinute"),
    ("HTML", lambda s: s.at_hex(_html(s)), "Hex", "failure", "HTML", "hostPort"),
    ("redirect", _redirect, "Hex", "failure", "redirects to https://sso", "hostPort"),
    ("DNS", lambda s: s.at_hex("https://hex.invalid"), "Hex", "failure", "DNS", "spelling"),
    (
        "refused",
        lambda s: s.at_hex(f"http://127.0.0.1:{s.has('closed_port')}"),
        "Hex",
        "failure",
        "refused",
        "host and port",
    ),
    ("TLS untrusted", _tls, "Hex", "failure", "certificate", "REQUESTS_CA_BUNDLE"),
    (
        "TLS to a plain port",
        lambda s: s.at_hex(s.hex.url.replace("http:", "https:")),
        "Hex",
        "failure",
        "does not speak TLS",
        "http://",
    ),
    (
        "time-out",
        lambda s: s.at_hex(f"http://127.0.0.1:{s.has('silent_port')}"),
        "Hex",
        "failure",
        "time-out",
        "hex.hostPort",
    ),
    ("proxy", _proxy, "Hex", "failure", "proxy", "HTTP_PROXY"),
    (
        "catalog is another server",
        lambda s: s.at_catalog(s.hex.url),
        "OpenMetadata",
        "failure",
        "404",
        "openmetadata.hostPort",
    ),
    (
        "catalog is a web page",
        lambda s: s.at_catalog(_html(s)),
        "OpenMetadata",
        "failure",
        "HTML",
        "openmetadata.hostPort",
    ),
    (
        "catalog refused",
        lambda s: s.at_catalog(f"http://127.0.0.1:{s.has('closed_port')}/api"),
        "OpenMetadata",
        "failure",
        "refused",
        "openmetadata.hostPort",
    ),
    (
        "unset catalog token",
        _unset("OPENMETADATA_JWT_TOKEN"),
        "OpenMetadata",
        "failure",
        "OPENMETADATA_JWT_TOKEN is not set",
        "export",
    ),
    (
        "bad catalog token",
        _set("OPENMETADATA_JWT_TOKEN", "not-a-known-token"),
        "OpenMetadata",
        "failure",
        "Invalid token",
        "token",
    ),
    ("bot without rights", _no_rights, "OpenMetadata", "failure", "lacks Create", "role"),
    ("search down", _search_down, "OpenMetadata", "warning", "refused", "listing"),
    (
        "database service absent",
        lambda s: s.settings["openmetadata"].update(dbServiceNames=["nowhere"]),
        "OpenMetadata",
        "failure",
        "nowhere",
        "",
    ),
    (
        "warehouse refused",
        lambda s: s.warehouse(port=s.has("closed_port")),
        "warehouse shop",
        "failure",
        "no answer from",
        "port",
    ),
    (
        "warehouse wrong password",
        lambda s: (s.warehouse(), s.environment.setenv("LOG_PASSWORD", "other")),
        "warehouse shop",
        "failure",
        "refused the login",
        "LOG_PASSWORD",
    ),
    (
        "log missing",
        lambda s: s.warehouse(queryLogTable="system.no_such_log"),
        "warehouse shop",
        "failure",
        "no_such_log",
        "queryLogTable",
    ),
    (
        "unset password",
        lambda s: (s.warehouse(), s.environment.delenv("LOG_PASSWORD")),
        "warehouse shop",
        "failure",
        "LOG_PASSWORD is not set",
        "export",
    ),
    (
        "warehouse without service",
        lambda s: s.warehouse(openmetadataService=None),
        "OpenMetadata",
        "warning",
        "names no database service",
        "openmetadataService",
    ),
    (
        "storage not writable",
        _storage_below_a_file,
        "storage",
        "failure",
        "not writable",
        "storage.path",
    ),
    (
        "storage protocol unknown",
        lambda s: s.settings["storage"].update(path="nope://bucket"),
        "storage",
        "failure",
        "nope",
        "storage.path",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_the_doctor_names_cause_and_mend(case: Case, setup: Setup) -> None:
    _, breaks, system, status, cause, mend = case
    breaks(setup)
    sections = diagnose(parse_settings(setup.settings), connect_seconds=1, read_seconds=1)
    every = [(s.system, f) for s in sections for f in s.findings]
    named = [
        f
        for s, f in every
        if s == system and f.status == status and cause in f.detail and mend in (f.mend or "")
    ]
    assert named, "\n".join(f"{s}: {f}" for s, f in every)
    assert {"settings", "Hex", "OpenMetadata", "storage"} <= {s.system for s in sections}
    text = repr(sections)
    for secret in (TOKEN, NARROW, BLIND, EXPIRED, BOT, POWERLESS, PASSWORD):
        assert secret not in text


def _run(setup: Setup, *arguments: str) -> Any:
    path = setup.folder / "hex_assets.yaml"
    path.write_text(yaml.safe_dump(setup.settings))
    setup.environment.setenv("HEX_ASSETS_CONFIG", str(path))
    setup.environment.setenv("COLUMNS", "200")
    return CliRunner().invoke(doctor, list(arguments))


def test_a_healthy_set_up_ends_with_0(setup: Setup) -> None:
    result = _run(setup)
    assert result.exit_code == 0, result.output
    assert "0 failure" in result.output


def test_a_failure_ends_with_1_and_json_tells_the_same(setup: Setup) -> None:
    _storage_below_a_file(setup)
    result = _run(setup, "--json")
    assert result.exit_code == 1
    (failure,) = [row for row in json.loads(result.output) if row["status"] == "failure"]
    assert failure["system"] == "storage" and failure["mend"]


def test_unusable_settings_end_with_2(setup: Setup) -> None:
    setup.settings["hxe"] = {}
    assert _run(setup).exit_code == 2
    result = _run(setup, "--json")
    assert result.exit_code == 2 and "hxe" in json.loads(result.output)[0]["detail"]


def test_the_job_shows_the_findings_and_fails_when_something_failed(setup: Setup) -> None:
    from hex_assets.assets.names import Names
    from hex_assets.automation import doctor_job

    job = doctor_job(Names(), parse_settings(setup.settings))
    good = job.execute_in_process()
    (event,) = [e for e in good.all_events if e.event_type_value == "STEP_OUTPUT"]
    metadata = event.step_output_data.metadata
    assert metadata["failure_count"].value == 0 and metadata["ok_count"].value > 9
    assert "| Hex | hex token |" in str(metadata["findings"].value)

    _storage_below_a_file(setup)
    bad = doctor_job(Names(), parse_settings(setup.settings)).execute_in_process(
        raise_on_error=False
    )
    assert not bad.success
    (failure,) = bad.get_step_failure_events()
    told = failure.step_failure_data.user_failure_data
    assert told is not None and "storage.path" in str(told.description)
    assert "| storage |" in str(told.metadata["findings"].value)
    assert TOKEN not in repr(bad.all_events)
