"""Every check passes on a good day, fails on the day that it is for, and says what to do."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest

from hex_assets.checks import unpublished
from hex_assets.definitions import build_definitions
from hex_assets.demo.openmetadata_server import BOT_TOKEN, OpenMetadataServer
from hex_assets.settings import Settings, parse_settings
from hex_assets.storage.store import TableStore
from hex_assets.tables import EDGES, PROJECTS, RECEIPTS
from hex_assets.warehouses import registry
from hex_assets_tests.assets.memory_log import Log
from hex_assets_tests.assets.test_query_log import COMMENT, DAY, NOON, row

PROJECT = "11111111-2222-3333-4444-555555555555"
DERIVE = ("query_log/memory", "catalog/tables", "lineage/statements", "lineage/edges")
Evaluations = dict[str, dg.AssetCheckEvaluation]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setitem(
        registry.MODULES, "memory", "hex_assets_tests.assets.memory_log:MemorySettings"
    )
    monkeypatch.setenv("OPENMETADATA_JWT_TOKEN", BOT_TOKEN)
    Log.reset()
    with OpenMetadataServer() as server:
        server.seed({f"pg.app.public.{name}": [("id", "INT")] for name in ("orders", "users")})
        yield parse_settings(
            {
                "startDate": "2026-01-01",
                "warehouses": {
                    "memory": {
                        "type": "memory",
                        "defaultCatalog": "app",
                        "defaultSchema": "public",
                        "openmetadataService": "pg",
                    }
                },
                "openmetadata": {"hostPort": f"{server.url}/api"},
                "storage": {"path": str(tmp_path / "tables")},
            }
        )
    Log.reset()


def run(settings: Settings, *keys: str, success: bool = True) -> Evaluations:
    repository = build_definitions(settings).get_repository_def()
    job = repository.get_job("publish" if "publication" in keys[0] else "derive_lineage")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance,
            partition_key=DAY,
            asset_selection=[dg.AssetKey.from_user_string(key) for key in keys],
            raise_on_error=success,
        )
    assert result.success == success
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def texts(*statements: str) -> None:
    Log.rows = [row(f"q{n}", n, text + COMMENT) for n, text in enumerate(statements)]


def test_a_good_day_passes_every_check(settings: Settings) -> None:
    texts("select id from orders", "select count(*) from users")
    evaluations = run(settings, *DERIVE)
    assert set(evaluations) == {
        "every_query_log",
        "hex_comment_found",
        "no_cut_texts",
        "parsed_share",
        "resolved_share",
    }
    assert all(found.passed for found in evaluations.values())


def no_query() -> None:
    Log.rows = []


def a_cut_text() -> None:
    Log.rows = [row("cut", 1, "select 'aaaa", truncated=True), row("ok")]


def not_sql() -> None:
    texts("select id from orders", "select ((( from where", "selekt banana split,,, from")


def unknown_tables() -> None:
    texts("select id from orders", "select 1 from nowhere", "select 2 from nothing")


@pytest.mark.parametrize(
    ("arrange", "check", "told"),
    [
        (no_query, "hex_comment_found", "doctor"),
        (a_cut_text, "no_cut_texts", "limit"),
        (not_sql, "parsed_share", "lineage/statements"),
        (unknown_tables, "resolved_share", "not_in_catalog"),
    ],
)
def test_a_bad_day_fails_its_check_and_the_mend_is_told(
    settings: Settings, arrange: Callable[[], None], check: str, told: str
) -> None:
    arrange()
    found = run(settings, *DERIVE)[check]
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.WARN
    assert DAY in (found.description or "")
    assert told in str(found.metadata["what_to_do"].value)


def snapshot(settings: Settings) -> TableStore:
    """One project, and a day of edges by a run of the real assets."""
    texts("select id from orders")
    run(settings, *DERIVE)
    store = TableStore(settings.storage.path)
    project = {
        "project_id": PROJECT,
        "project_type": "PROJECT",
        "title": "Orders",
        "url": "https://app.hex.tech/x/app/y/latest",
        "categories": [],
        "schedules": [],
        "created_at": NOON - timedelta(days=30),
        "last_published_at": NOON,
        "observed_at": datetime.now(timezone.utc),
    }
    projects = PROJECTS.from_rows([project])
    store.write(("hex", "projects"), DAY, projects.to_batches(), PROJECTS.schema)
    return store


def test_what_is_derived_is_published_and_the_check_sees_what_is_not(settings: Settings) -> None:
    store = snapshot(settings)
    assert run(settings, "openmetadata/publication")["published_equals_derived"].passed
    receipts = store.read(("openmetadata", "publication"), DAY).to_pylist()
    assert {row["operation"] for row in receipts} == {"created"}
    # An edge that no receipt knows, as if the publication had lost it.
    edge = store.read(("lineage", "edges"), DAY).to_pylist()[0]
    lost = EDGES.from_rows([edge | {"column": None, "table_fqn": "pg.app.public.users"}])
    table = store.read(("openmetadata", "publication"), DAY)
    assert unpublished(store.read(("lineage", "edges"), DAY), table) == []
    assert unpublished(lost, table) == [(PROJECT, "pg.app.public.users")]
    skipped = {"entity_type": "dashboard", "entity": "d", "operation": "skipped"}
    left_out = RECEIPTS.from_rows([skipped | {"project_id": PROJECT}])
    assert unpublished(lost, left_out) == []


def test_a_failed_entity_ends_the_run_with_its_name_and_leaves_a_receipt(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = snapshot(settings)
    broken = settings.model_copy(
        update={
            "openmetadata": settings.openmetadata.model_copy(update={"serviceName": "x" * 300})  # type: ignore[union-attr]
        }
    )
    monkeypatch.setattr(
        "hex_assets.assets.publication.NETWORK_RETRIES", dg.RetryPolicy(max_retries=0)
    )
    run(broken, "openmetadata/publication", success=False)
    receipts = store.read(("openmetadata", "publication"), DAY)
    assert receipts.schema.equals(RECEIPTS.schema)
    failed = [row for row in receipts.to_pylist() if row["operation"] == "failed"]
    assert failed and all(row["reason"] for row in failed)


def test_publishing_without_a_snapshot_names_the_asset_to_materialize(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    run(settings, "openmetadata/publication", success=False)
    assert "no snapshot of hex/projects is stored" in capsys.readouterr().err
