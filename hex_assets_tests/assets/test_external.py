"""Hex's projects stand in Dagster's graph below the tables that they read, without any network."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from hex_assets.assets.external import project_specs, table_key
from hex_assets.assets.names import Names
from hex_assets.definitions import build_definitions
from hex_assets.settings import ExternalAssetsSettings, Settings, parse_settings
from hex_assets.storage.store import TableStore
from hex_assets.tables import EDGES, PROJECTS
from hex_assets_tests.report.frames import CUSTOMERS, NOW, ORDERS, edge, project

DAY = "2026-11-19"


def stored(folder: Path, projects: list[dict[str, Any]], edges: list[dict[str, Any]]) -> None:
    store = TableStore(str(folder))
    for key, spec, rows in (
        (("hex", "projects"), PROJECTS, projects),
        (("lineage", "edges"), EDGES, edges),
    ):
        store.write(key, DAY, spec.from_rows(rows).to_batches(), spec.schema)


def settings(folder: Path, **options: Any) -> Settings:
    return parse_settings(
        {"storage": {"path": str(folder)}, "externalAssets": {"enabled": True, **options}}
    )


def published(key: str, **changes: Any) -> dict[str, Any]:
    return project(key, last_published_at=NOW - timedelta(days=5), **changes)


def test_a_project_hangs_below_the_tables_that_it_reads(tmp_path: Path) -> None:
    rows = [
        edge("sales", ORDERS),
        edge("sales", ORDERS, "amount"),
        edge("sales", CUSTOMERS, direction="write"),
        edge("sales", "lake.raw.events"),
        edge("sales", "nameless"),
        edge("other", CUSTOMERS),
    ]
    project_row = published(
        "sales", title="Täglicher Umsatz!", description="All sales.", status="Approved"
    )
    stored(tmp_path, [project_row], rows)
    (spec,) = project_specs(Names(), settings(tmp_path))
    assert spec.key.path == ["hex", "project", "täglicher_umsatz_sales"]
    assert {dep.asset_key.to_user_string() for dep in spec.deps} == {
        "public/orders",
        "raw/events",
    }
    assert spec.kinds == {"hex"} and spec.owners == ["sales@fernhill.test"]
    assert spec.metadata["url"].value == project_row["url"]
    assert spec.metadata["writes"] == [CUSTOMERS.removeprefix("wh.")]
    assert spec.metadata["tables_without_key"] == ["nameless"]
    assert spec.metadata["read_table_count"] == 3
    assert spec.description == "Täglicher Umsatz!\n\nAll sales."


def test_only_published_projects_are_shown_and_the_cap_keeps_the_last_viewed(
    tmp_path: Path,
) -> None:
    rows = [
        published("old", last_viewed_at=NOW - timedelta(days=90)),
        published("new", last_viewed_at=NOW),
        published("never", last_viewed_at=None),
        published("archived", archived_at=NOW),
        published("trashed", trashed_at=NOW),
        published("component", project_type="COMPONENT"),
        project("draft"),
    ]
    stored(tmp_path, rows, [])
    shown = [spec.metadata["project_id"] for spec in project_specs(Names(), settings(tmp_path))]
    assert shown == ["new", "old", "never"]
    capped = project_specs(Names(), settings(tmp_path, cap=1))
    assert [spec.metadata["project_id"] for spec in capped] == ["new"]


def test_projects_of_one_title_and_owners_that_dagster_refuses_do_not_break_the_graph(
    tmp_path: Path,
) -> None:
    ids = ["0123456789-a", "0123456789-b"]
    rows = [published(key, title="Same", owner_email="not an address") for key in ids]
    stored(tmp_path, rows, [])
    specs = project_specs(Names(), settings(tmp_path))
    assert len({spec.key for spec in specs}) == 2
    assert all(not spec.owners and spec.metadata["owner"] == "not an address" for spec in specs)


@pytest.mark.parametrize(
    ("options", "table", "fqn", "key"),
    [
        ({}, "DB.PUBLIC.Orders", "snow.DB.PUBLIC.Orders", ["PUBLIC", "Orders"]),
        ({"lowerCaseKeys": True}, "x", "snow.DB.PUBLIC.Orders", ["public", "orders"]),
        ({"tableKeyTemplate": "{service}/{table}"}, "x", "snow.d.s.t", ["snow", "t"]),
        ({"tableKeyTemplate": "{warehouse}/{schema}_{table}"}, "s.t", None, ["main", "s_t"]),
        ({}, "x", 'svc.db."my.schema"."a/b"', ["my.schema", "a/b"]),
        ({"tableKeyTemplate": "{database}/{table}"}, "s.t", None, None),
    ],
)
def test_the_template_meets_other_peoples_keys(
    options: dict[str, Any], table: str, fqn: str | None, key: list[str] | None
) -> None:
    row = {"warehouse": "main", "table": table, "table_fqn": fqn}
    found = table_key(row, ExternalAssetsSettings.model_validate(options))
    assert (list(found.path) if found else None) == key


def test_it_joins_other_assets_of_the_same_code_location(tmp_path: Path) -> None:
    @dg.asset(key=["public", "orders"])
    def orders() -> None: ...

    stored(tmp_path / "bi", [published("sales")], [edge("sales", ORDERS)])
    ours = build_definitions(settings(tmp_path), ["bi"], executor=None)
    graph = dg.Definitions.merge(ours, dg.Definitions(assets=[orders])).resolve_asset_graph()
    (below,) = graph.get(dg.AssetKey(["public", "orders"])).child_keys
    assert below.path == ["bi", "hex", "project", "sales_sales"]
    assert not graph.get(below).is_materializable
    assert graph.get(dg.AssetKey(["public", "orders"])).is_materializable


def test_loading_asks_no_network_and_survives_unreadable_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("loading must not open a connection")

    stored(tmp_path, [published("sales")], [edge("sales", ORDERS)])
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert len(project_specs(Names(), settings(tmp_path))) == 1
    (tmp_path / "lineage" / "edges" / f"{DAY}.parquet").write_text("no parquet")
    assert project_specs(Names(), settings(tmp_path)) == []
    assert str(tmp_path) in caplog.text and "materialize" in caplog.text


def test_nothing_is_shown_unless_asked_for_or_before_the_first_run(tmp_path: Path) -> None:
    assert project_specs(Names(), settings(tmp_path)) == []
    stored(tmp_path, [published("sales")], [])
    off = parse_settings({"storage": {"path": str(tmp_path)}})
    assert project_specs(Names(), off) == []
