"""`openmetadata/publication` by a real Dagster run: it takes cells and edges as they are stored."""

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from hex_assets.assets.cells import COMPLETE
from hex_assets.assets.names import Names
from hex_assets.assets.publication import publication_asset
from hex_assets.automation import range_tags
from hex_assets.demo.openmetadata_server import BOT_TOKEN, OpenMetadataServer
from hex_assets.partitions import days as daily
from hex_assets.resources import OpenMetadataResource, TableStoreResource
from hex_assets.settings import Settings
from hex_assets.storage.io_manager import ParquetIOManager
from hex_assets.storage.store import TableStore
from hex_assets.tables import (
    CELLS,
    EDGES,
    PROJECTS,
    QUERIED_TABLES,
    STATEMENTS,
    TableSpec,
)

NAMES = Names()
DAYS = daily(date(2026, 11, 1))
DAY = "2026-11-10"
AT = datetime(2026, 11, 10, 9, tzinfo=timezone.utc)
TABLE = "ch.default.shop.orders"
MODEL = "hex.model.p_static"


@pytest.fixture
def store(tmp_path: Path) -> TableStore:
    made = TableStore(str(tmp_path))
    put(made, NAMES.projects, PROJECTS, DAY, project())
    for day in ("2026-11-09", DAY):
        put(made, NAMES.statements, STATEMENTS, day)
    return made


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenMetadataServer]:
    monkeypatch.setenv("BOT", BOT_TOKEN)
    with OpenMetadataServer() as running:
        running.seed({TABLE: [("id", "INT")]})
        yield running


def put(store: TableStore, key: dg.AssetKey, spec: TableSpec, day: str, *rows: Any) -> None:
    store.write(key.path, day, spec.from_rows(rows).to_batches(), spec.schema)


def project() -> dict[str, Any]:
    return {
        "project_id": "p",
        "project_type": "PROJECT",
        "title": "P",
        "url": "https://app.hex.tech/w/hex/p",
        "categories": [],
        "schedules": [],
        "created_at": AT,
        "last_published_at": AT,
        "observed_at": AT,
    }


def cell(version: str) -> dict[str, Any]:
    return {
        "project_id": "p",
        "cell_id": "static",
        "version_id": version,
        "cell_type": "SQL",
        "source": "SELECT id FROM shop.orders",
        "url": "https://app.hex.tech/w/hex/p/draft/logic?selectedCellId=static",
        "position": 0,
        "observed_at": AT,
    }


def edge(cell_id: str) -> dict[str, Any]:
    return {
        "project_id": "p",
        "cell_id": cell_id,
        "warehouse": "w",
        "table": "default.shop.orders",
        "table_fqn": TABLE,
        "direction": "read",
        "usage": [],
        "output_columns": [],
        "query_count": 1,
        "first_seen_at": AT,
        "last_seen_at": AT,
        "users": [],
        "contexts": [],
        "sample_query_id": "q",
        "statement_ids": [],
        "evidence": ["parsed"],
        "partial": False,
    }


def publish(
    store: TableStore, server: OpenMetadataServer, first: str = DAY, **settings: Any
) -> list[dict[str, Any]]:
    """Publish the days up to `DAY`; gives the receipts."""
    keys = {"hostPort": f"{server.url}/api", "token": {"env": "BOT"}} | settings
    result = dg.materialize(
        [publication_asset(NAMES, DAYS, Settings())],
        tags=range_tags(first, DAY),
        resources={
            "openmetadata": OpenMetadataResource(settings=keys),
            "table_store": TableStoreResource(path=store.base),
            "tables": ParquetIOManager(path=store.base),
        },
    )
    assert result.success
    rows: list[dict[str, Any]] = store.read(NAMES.publication.path, DAY).to_pylist()
    return rows


def published(store: TableStore, server: OpenMetadataServer) -> set[str]:
    """Publish the day; gives the lineage that was written."""
    rows = publish(store, server)
    return {row["entity"] for row in rows if row["entity_type"] == "lineage"}


def test_a_query_that_names_a_version_of_a_cell_reaches_the_cell(
    store: TableStore, server: OpenMetadataServer
) -> None:
    # The older version is only in an older snapshot.
    put(store, NAMES.cells, CELLS, "2026-11-09", cell("v1"))
    put(store, NAMES.cells, CELLS, DAY, cell("v2"))
    put(store, NAMES.edges, EDGES, "2026-11-09", edge("v1"))
    put(store, NAMES.edges, EDGES, DAY, edge("v2"), edge("static"))
    assert published(store, server) == {f"{TABLE} -> {MODEL}", f"{MODEL} -> hex.p"}


def test_without_cells_the_project_itself_has_the_lineage(
    store: TableStore, server: OpenMetadataServer
) -> None:
    put(store, NAMES.edges, EDGES, DAY, edge("v1"))
    assert published(store, server) == {f"{TABLE} -> hex.p"}


def test_the_chart_of_a_project_that_lost_its_last_cell_goes(
    store: TableStore, server: OpenMetadataServer
) -> None:
    chart = cell("v1") | {"cell_type": "CHART", "cell_id": "shown", "label": "Orders"}
    found = []
    for day, rows in (("2026-11-08", [chart]), ("2026-11-09", [])):
        schema = CELLS.schema.with_metadata({COMPLETE: json.dumps(["p"]).encode()})
        store.write(NAMES.cells.path, day, CELLS.from_rows(rows).to_batches(), schema)
        receipts = publish(store, server, maxDeletedShare=1)
        found += [row["operation"] for row in receipts if row["entity_type"] == "chart"]
    assert found == ["created", "removed"]


def test_days_that_were_not_published_get_their_views_with_the_next_run(
    store: TableStore, server: OpenMetadataServer
) -> None:
    # Of the 8th nothing was observed until the 11th: its totals are not those of its day.
    observed = (("2026-11-07", 8, 5), ("2026-11-08", 11, 10), ("2026-11-09", 10, 9), (DAY, 11, 10))
    for day, seen, views in observed:
        old = project() | {"created_at": AT - timedelta(days=9), "app_view_count": views}
        row = old | {"observed_at": datetime(2026, 11, seen, 4, tzinfo=timezone.utc)}
        put(store, NAMES.projects, PROJECTS, day, row)
    publish(store, server, first="2026-11-08")
    (days,) = server.store.usage.values()
    assert days == {"2026-11-09": 4, DAY: 1}


@pytest.mark.parametrize(
    ("table_name", "verdict"), [("SHOP.ORDERS", "Hex agrees"), (None, "Hex does not list it")]
)
def test_an_edge_says_whether_hex_lists_the_table_too(
    store: TableStore, server: OpenMetadataServer, table_name: str | None, verdict: str
) -> None:
    put(store, NAMES.edges, EDGES, DAY, edge("v1"))
    row = {"project_id": "p", "table_name": table_name, "observed_at": AT}
    put(store, NAMES.queried_tables, QUERIED_TABLES, DAY, row)
    publish(store, server)
    (details,) = server.store.edges.values()
    assert verdict in details["description"]


def test_the_latest_run_is_told_to_the_day_and_an_old_snapshot_knows_none(
    store: TableStore, server: OpenMetadataServer
) -> None:
    publish(store, server)
    assert "Last run" not in server.entity("dashboard", "hex.p").get("description", "")
    put(
        store, NAMES.projects, PROJECTS, DAY,
        project() | {"last_run_status": "ERRORED", "last_run_at": AT},
    )  # fmt: skip
    publish(store, server)
    shown = server.entity("dashboard", "hex.p")["description"]
    assert "Last run in Hex: errored on 2026-11-10." in shown
