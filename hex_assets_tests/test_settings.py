"""Settings that cannot be used are told with key, place and mend; a secret is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from hex_assets.doctor import diagnose
from hex_assets.secret import Secret, UnsetVariable
from hex_assets.settings import (
    FilterPattern,
    Settings,
    SettingsError,
    config_path,
    load_settings,
    parse_settings,
)

SECRET = "hxtp_do_not_show"
CATALOG = "openmetadata: {hostPort: 'https://om.example.com/api', "
CLICKHOUSE = "warehouses: {shop: {type: clickhouse, host: ch, "


def problem(tmp_path: Path, text: str) -> str:
    path = tmp_path / "hex_assets.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as raised:
        load_settings(path)
    assert raised.value.exit_code == 2
    message = raised.value.format_message()
    assert str(path) in message and SECRET not in message and "pydantic" not in message
    return message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hexx: {}", ["hexx: is not a known key", "spelling"]),
        ("hex: {hostport: 'https://x'}", ["hex.hostport: is not a known key"]),
        (CATALOG + "includeTag: true}", ["openmetadata.includeTag: is not a known key"]),
        (CLICKHOUSE + "prot: 1}}", ["warehouses.shop.prot: is not a known key"]),
        ("hex: {hostPort: app.hex.tech}", ["hex.hostPort: needs a scheme", "https://app.hex.tech"]),
        ("hex: {hostPort: 'ftp://x'}", ["hex.hostPort: needs a scheme"]),
        (f"hex: {{hostPort: 'https://u:{SECRET}@x'}}", ["hex.hostPort: must not hold a user"]),
        ("hex: {tokenType: robot}", ["hex.tokenType", "'personal' or 'workspace'"]),
        ("hex: {requestsPerMinute: many}", ["hex.requestsPerMinute", "integer"]),
        ("hex: {requestsPerMinute: 0}", ["hex.requestsPerMinute", "greater than or equal to 1"]),
        (f"hex: {{token: {SECRET}}}", ["hex.token: write a secret as {env: NAME}"]),
        (
            f"hex: {{token: {{env: '{SECRET}-x'}}}}",
            ["hex.token.env: write a secret as {env: NAME}"],
        ),
        (f"hex: {{token: {{value: {SECRET}}}}}", ["hex.token"]),
        (CATALOG + f"token: {SECRET}}}", ["openmetadata.token: write a secret as {env: NAME}"]),
        (CLICKHOUSE + f"password: {SECRET}}}}}", ["warehouses.shop.password: write a secret as"]),
        ("openmetadata: {serviceName: hex}", ["openmetadata.hostPort: is required"]),
        (CATALOG + "dashboardFilterPattern: {includes: ['(']}}", ["includes.0", "'('", "regular"]),
        (CATALOG + "dashboardFilterPattern: {includes: 'a'}}", ["dashboardFilterPattern.includes"]),
        (CATALOG + "maxDeletedShare: 20}", ["openmetadata.maxDeletedShare", "less than or equal"]),
        (
            "warehouses: {shop: {host: ch}}",
            ["warehouses.shop: type: None is not a known"],
        ),
        ("warehouses: {shop: {type: oracle}}", ["'oracle' is not a known warehouse", "snowflake"]),
        ("warehouses: {shop: clickhouse}", ["warehouses.shop: needs keys such as"]),
        ("warehouses: {my-shop: {type: clickhouse, host: x}}", ["'my-shop'", "letters, digits"]),
        ("startDate: soon", ["startDate", "date"]),
        ("schedule: {hour: 24}", ["schedule.hour"]),
        ("externalAssets: {tableKeyTemplate: '{schema}'}", ["tableKeyTemplate: needs {table}"]),
        ("externalAssets: {tableKeyTemplate: '{db}/{table}'}", ["{db} is not known", "{database}"]),
        ("externalAssets: {tableKeyTemplate: '{table'}", ["is no template"]),
        ("externalAssets: {tableKeyTemplate: '/{table}'}", ["empty part"]),
        ("- hex", ["must hold keys such as `hex:`", "list"]),
        ("hex: [", ["is not YAML", "line 1"]),
        (f"hex: {{token: {SECRET}\nopenmetadata: {{}}", ["is not YAML", "line 2"]),
        (f"hex: &{SECRET} *{SECRET}", ["is not YAML", "line 1"]),
        (f"hex:\n\ttoken: {SECRET}", ["is not YAML", "line 2"]),
    ],
)
def test_a_wrong_setting_is_told_with_its_place_and_the_mend(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    message = problem(tmp_path, text)
    for each in words:
        assert each in message


def test_all_wrong_keys_are_told_at_once(tmp_path: Path) -> None:
    message = problem(tmp_path, "hex: {hostPort: x, tokenTyp: y}\nstorrage: {}\n")
    assert [line.split(":")[0].strip() for line in message.splitlines()[1:]] == [
        "hex.hostPort",
        "hex.tokenTyp",
        "storrage",
    ]


def test_a_missing_file_says_how_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEX_ASSETS_CONFIG", str(tmp_path / "none.yaml"))
    assert config_path() == tmp_path / "none.yaml"
    with pytest.raises(SettingsError, match=r"none\.yaml; run `hex-assets init`, or set HEX"):
        load_settings()


@pytest.mark.parametrize("content", [b"hex: \xff\xfe", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "hex_assets.yaml"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"hex_assets\.yaml cannot be read"):
        load_settings(path)


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    assert load_settings(tmp_path / "empty.yaml") == Settings()


def test_an_unset_variable_is_told_when_it_is_used_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_TOKEN", raising=False)
    content = {"hex": {"token": {"env": "MY_TOKEN"}}, "storage": {"path": str(tmp_path)}}
    settings = parse_settings(content)
    with pytest.raises(UnsetVariable, match=r"MY_TOKEN is not set; export it or put it into \.env"):
        settings.hex.token.value()
    (found,) = [
        finding
        for section in diagnose(settings)
        for finding in section.findings
        if finding.status == "failure"
    ]
    assert "MY_TOKEN is not set" in found.detail and "export MY_TOKEN" in str(found.mend)


def test_a_secret_is_never_part_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", f" {SECRET}\n")
    settings = parse_settings({"hex": {"token": {"env": "MY_TOKEN"}}})
    assert settings.hex.token.value() == SECRET
    assert SECRET not in repr(settings) + settings.model_dump_json() + str(Secret(env="MY_TOKEN"))


@pytest.mark.parametrize(
    ("includes", "excludes", "name", "kept"),
    [
        ([], [], "Anything", True),
        (["Sales"], [], "Sales", True),
        (["Sales"], [], "sales of today", True),  # from the start, ignoring case, to any end
        (["Sales"], [], "Daily Sales", False),
        ([".*Sales"], [], "Daily Sales", True),
        (["Sales$"], [], "Sales today", False),
        (["A", "B"], [], "beta", True),
        ([], ["Test"], "testing", False),
        ([], ["Test"], "My test", True),
        (["Sales"], ["sales.*old"], "Sales, old", False),  # an exclude wins over an include
        (["Sales"], ["Test"], "Other", False),
        ([], [".*"], "", False),
        (["Ä"], [], "ärger", True),
    ],
)
def test_filters_keep_what_openmetadata_keeps(
    includes: list[str], excludes: list[str], name: str, kept: bool
) -> None:
    pattern = FilterPattern.model_validate({"includes": includes, "excludes": excludes})
    assert pattern.keeps(name) is kept


def test_database_services_are_those_of_the_warehouses_unless_named() -> None:
    warehouses = {
        name: {"type": "clickhouse", "host": "ch", "openmetadataService": service}
        for name, service in (("a", "one"), ("b", "two"), ("c", "one"), ("d", None))
    }
    assert parse_settings({"warehouses": warehouses}).database_services() == ("one", "two")
    catalog = {"hostPort": "https://om.example.com/api", "dbServiceNames": ["other"]}
    named = parse_settings({"warehouses": warehouses, "openmetadata": catalog})
    assert named.database_services() == ("other",)
