"""The code location loads in every state of the settings, and has the graph of the design."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.freshness import CronFreshnessPolicy

from hex_assets.assets.operation import EDGE_SOURCES, STATEMENT_SOURCES
from hex_assets.definitions import build_definitions
from hex_assets.settings import Settings, SettingsError, parse_settings
from hex_assets.tables import CATALOG_TABLES, EDGES, QUERY_LOG, STATEMENTS, TableSpec
from hex_assets_tests.conftest import command_line

CATALOG = {"hostPort": "https://catalog.example.com/api"}
TWO_WAREHOUSES = {
    "warehouses": {
        "shop": {"type": "clickhouse", "host": "ch", "openmetadataService": "ch_prod"},
        "finance": {"type": "clickhouse", "host": "ch2"},
    },
    "openmetadata": CATALOG,
}


def asset_keys(settings: Settings, **options: object) -> set[str]:
    graph = build_definitions(settings, **options).resolve_asset_graph()  # type: ignore[arg-type]
    return {key.to_user_string() for key in graph.get_all_asset_keys()}


def test_the_graph_has_an_asset_for_each_configured_warehouse() -> None:
    assert asset_keys(parse_settings(TWO_WAREHOUSES)) >= {
        "hex/projects",
        "query_log/shop",
        "query_log/finance",
        "catalog/tables",
        "lineage/statements",
        "lineage/edges",
        "openmetadata/publication",
    }


def test_without_a_catalog_there_is_no_publication_and_no_sensor() -> None:
    definitions = build_definitions(Settings())
    assert "openmetadata/publication" not in asset_keys(Settings())
    assert not definitions.get_repository_def().sensor_defs


def test_a_prefix_is_put_before_every_key() -> None:
    keys = asset_keys(parse_settings(TWO_WAREHOUSES), key_prefix=["analytics", "bi"])
    assert keys and all(key.startswith("analytics/bi/") for key in keys)


def test_with_a_prefix_no_name_meets_one_of_the_project_that_it_is_merged_into() -> None:
    @dg.op
    def try_every_system() -> None: ...

    @dg.job(name="doctor")
    def doctor() -> None:
        try_every_system()

    @dg.job(name="publish")
    def publish() -> None:
        try_every_system()

    @dg.schedule(name="daily", cron_schedule="0 1 * * *", job=publish)
    def daily() -> dict[str, object]:
        return {}

    @dg.sensor(name="publish_sensor", job=publish)
    def sensor() -> None: ...

    own = dg.Definitions(jobs=[doctor, publish], schedules=[daily], sensors=[sensor])
    ours = build_definitions(parse_settings(TWO_WAREHOUSES), ["my", "bi"], executor=None)
    merged = dg.Definitions.merge(own, ours)
    dg.Definitions.validate_loadable(merged)
    repository = merged.get_repository_def()
    assert {job.name for job in repository.get_all_jobs()} >= {
        "doctor",
        "publish",
        "my_bi_doctor",
        "my_bi_publish",
        "my_bi_derive_lineage",
    }
    schedules = {found.name for found in repository.schedule_defs}
    assert schedules == {"daily", "my_bi_daily", "my_bi_trailing_days"}
    assert {found.name for found in repository.sensor_defs} == {
        "publish_sensor",
        "my_bi_publish_sensor",
        "my_bi_lineage_sensor",
    }


def test_all_assets_share_one_partitioning_and_run_a_range_as_one_run() -> None:
    graph = build_definitions(parse_settings(TWO_WAREHOUSES)).resolve_asset_graph()
    nodes = [graph.get(key) for key in graph.get_all_asset_keys()]
    assert len({node.partitions_def for node in nodes}) == 1
    assert {node.backfill_policy for node in nodes} == {dg.BackfillPolicy.single_run()}


def test_every_asset_tells_what_it_is() -> None:
    definitions = build_definitions(parse_settings(TWO_WAREHOUSES))
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description and node.group_name != "default" and node.kinds, key
        is_table = "html" not in node.kinds
        assert is_table == ("dagster/column_schema" in node.metadata), key


def test_definitions_hold_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEX_TOKEN", "hxtp_do_not_show")
    monkeypatch.setenv("CH_PASSWORD", "do-not-show-either")
    settings = parse_settings(
        {
            "warehouses": {
                "shop": {"type": "clickhouse", "host": "ch", "password": {"env": "CH_PASSWORD"}}
            },
            "openmetadata": CATALOG,
        }
    )
    definitions = build_definitions(settings)
    shown = repr(definitions) + repr(definitions.resources) + settings.model_dump_json()
    assert "do_not_show" not in shown and "do-not-show" not in shown


def test_loading_says_how_to_begin_when_there_is_no_settings_file(tmp_path: Path) -> None:
    code = "import hex_assets.definitions as d; d.defs.get_repository_def()"
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "hex-assets init" in result.stderr and "hex_assets.yaml" in result.stderr


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("hexx: {}", "hexx: is not a known key"),
        ("hex: {hostPort: app.hex.tech}", "hex.hostPort: needs a scheme and a host"),
        ("hex: {token: hxtp_0123}", "hex.token: write a secret as {env: NAME}"),
        (
            "warehouses: {a: {type: oracle}}",
            "warehouses.a: type: 'oracle' is not a known warehouse",
        ),
        ("hex: [", "is not YAML"),
    ],
)
@pytest.mark.slow
def test_unusable_settings_end_the_command_line_with_code_2_and_no_traceback(
    tmp_path: Path, content: str, named: str
) -> None:
    (tmp_path / "hex_assets.yaml").write_text(content)
    dagster = command_line(tmp_path, {"DAGSTER_HOME": str(tmp_path)})
    result = dagster("asset", "list", "-m", "hex_assets.definitions")
    assert result.returncode == 2, result.stdout
    assert named in result.stdout
    assert "Traceback" not in result.stdout and "hxtp_0123" not in result.stdout


def test_every_asset_has_its_owners_its_due_time_and_its_place() -> None:
    settings = parse_settings(TWO_WAREHOUSES | {"owners": ["team:bi", "ada@example.com"]})
    graph = build_definitions(settings).resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert list(node.owners) == ["team:bi", "ada@example.com"], key
        policy = node.freshness_policy_or_from_metadata
        assert isinstance(policy, CronFreshnessPolicy) and policy.deadline_cron == "15 11 * * *"
        assert str(node.metadata["dagster/uri"]).endswith("/".join(key.path))
    page = graph.get(dg.AssetKey(["openmetadata", "publication"])).metadata["openmetadata"]
    assert page.value == "https://catalog.example.com/service/dashboardServices/hex"


def test_an_owner_that_dagster_would_refuse_is_refused_in_the_settings() -> None:
    with pytest.raises(SettingsError, match="neither an e-mail nor team:NAME"):
        parse_settings({"owners": ["bi"]})


@pytest.mark.parametrize(
    ("sources", "spec"), [(STATEMENT_SOURCES, STATEMENTS), (EDGE_SOURCES, EDGES)]
)
def test_the_column_lineage_of_our_own_tables_names_columns_that_exist(
    sources: dict[str, tuple[tuple[str, str], ...]], spec: TableSpec
) -> None:
    upstream = {"query_log": QUERY_LOG, "catalog": CATALOG_TABLES, "statements": STATEMENTS}
    assert set(sources) <= set(spec.schema.names)
    for found in sources.values():
        for table, column in found:
            assert column in upstream[table].schema.names, (table, column)
