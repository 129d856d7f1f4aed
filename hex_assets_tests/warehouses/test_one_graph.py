"""Two Snowflake accounts, BigQuery in two regions and ClickHouse in one graph, one of them down."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest

from hex_assets.definitions import build_definitions
from hex_assets.settings import parse_settings
from hex_assets_tests.servers.entries import COMMENT, DAY, EXPECTED_IDS, entry, hex_day
from hex_assets_tests.warehouses.conformance import free_port

pytest.importorskip("fakesnow")
pytest.importorskip("chdb")

from hex_assets.demo.clickhouse_server import ClickHouseServer
from hex_assets_tests.servers import clickhouse
from hex_assets_tests.servers.bigquery import running_bigquery
from hex_assets_tests.servers.snowflake import running_snowflake

pytestmark = pytest.mark.slow


@pytest.fixture
def day() -> datetime:
    """Three days ago, so that every log is complete and kept."""
    today = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=3)


@pytest.fixture
def warehouses(
    day: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, object]]:
    shift = day - DAY.start
    entries = [
        replace(item, started_at=item.started_at + shift, ended_at=item.ended_at + shift)
        for item in hex_day(1000)
    ]
    with (
        running_snowflake() as snowflake,
        running_bigquery() as bigquery,
        ClickHouseServer(tmp_path / "clickhouse", "right-password") as server,
    ):
        snowflake.fill(entries)
        bigquery.fill(entries, "proj", "us")
        noon = day + timedelta(hours=12)
        bigquery.fill([entry("77", f"select 'eu' {COMMENT}", noon)], "proj", "eu")
        server.run("CREATE DATABASE shop")
        clickhouse.fill(server, entries)
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
        monkeypatch.setenv("BIGQUERY_KEY", json.dumps(bigquery.service_account()))
        monkeypatch.setenv("SNOWFLAKE_PASSWORD", snowflake.password)
        monkeypatch.setenv("CLICKHOUSE_PASSWORD", "right-password")

        def account(name: str, port: int) -> dict[str, object]:
            return {
                "type": "snowflake",
                "account": name,
                "user": "READER",
                "password": {"env": "SNOWFLAKE_PASSWORD"},
                "loginTimeoutSeconds": 1,
                "connectionArguments": {"host": "127.0.0.1", "port": port, "protocol": "http"},
            }

        yield {
            "sales": account("org-sales", snowflake.port),
            "finance": account("org-finance", free_port()),
            "marketing": {
                "type": "bigquery",
                "places": [
                    {"project": "proj", "region": "us"},
                    {"project": "proj", "region": "eu"},
                ],
                "credentials": {"env": "BIGQUERY_KEY"},
            },
            "events": {
                "type": "clickhouse",
                "host": "127.0.0.1",
                "port": server.port,
                "secure": False,
                "password": {"env": "CLICKHOUSE_PASSWORD"},
                "queryLogTable": "shop.day_log",
            },
        }


def test_a_warehouse_that_is_down_fails_only_its_own_asset(
    warehouses: dict[str, object], day: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The failed asset is tried again after minutes; that is not what is tested.
    monkeypatch.setattr("hex_assets.assets.query_log.NETWORK_RETRIES", None)
    settings = parse_settings(
        {
            "startDate": f"{day:%Y-%m-%d}",
            "storage": {"path": str(tmp_path / "tables")},
            "warehouses": warehouses,
        }
    )
    definitions = build_definitions(settings)
    keys = [dg.AssetKey(["query_log", name]) for name in warehouses]
    others = [dg.AssetKey(["catalog", "tables"])]
    job = definitions.resolve_implicit_global_asset_job_def()
    with dg.instance_for_test() as instance:
        result = job.execute_in_process(
            asset_selection=[*keys, *others],
            partition_key=f"{day:%Y-%m-%d}",
            instance=instance,
            raise_on_error=False,
        )
        counts = {}
        for key in keys:
            event = instance.get_latest_materialization_event(key)
            if event and event.asset_materialization:
                found = event.asset_materialization.metadata["hex_query_count"].value
                counts[key.path[-1]] = found
        derived, warehouses_seen = lineage_without_it(definitions, instance, tmp_path / "tables")
    tagged = len(EXPECTED_IDS) - 1  # one has the marker in a literal only
    assert counts == {"sales": tagged, "marketing": tagged + 1, "events": tagged}
    (failure,) = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    assert failure.step_key and "finance" in failure.step_key
    told = str(failure.event_specific_data)
    assert "org-finance" in told and os.environ["SNOWFLAKE_PASSWORD"] not in told
    assert derived == ["finance"]
    assert warehouses_seen == {"sales", "marketing", "events"}


def lineage_without_it(
    definitions: dg.Definitions, instance: dg.DagsterInstance, tables: Path
) -> tuple[object, set[str]]:
    """Runs what the sensor asks for: the ledger's missing logs, the edges' warehouses."""
    repository = definitions.get_repository_def()
    context = dg.build_sensor_context(instance=instance, definitions=definitions)
    tick = repository.get_sensor_def("lineage_sensor").evaluate_tick(context)
    (request,) = tick.run_requests or []
    ledger, edges = (dg.AssetKey(["lineage", name]) for name in ("statements", "edges"))
    assert request.asset_selection is not None and {ledger, edges} < set(request.asset_selection)
    job = definitions.resolve_job_def("derive_lineage")
    done = job.execute_in_process(
        asset_selection=[ledger, edges], tags=request.tags, instance=instance
    )
    assert done.success
    event = instance.get_latest_materialization_event(ledger)
    assert event and event.asset_materialization
    (check,) = (e for e in done.get_asset_check_evaluations() if e.check_name == "every_query_log")
    assert not check.passed and "without finance" in str(check.description)
    missing = event.asset_materialization.metadata["missing_query_logs"].value
    (file,) = (tables / "lineage" / "edges").glob("*.parquet")
    return missing, set(pq.read_table(file)["warehouse"].to_pylist())
