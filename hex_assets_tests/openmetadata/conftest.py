"""A small workspace, its edges and a local server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timezone
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from hex_assets.demo.openmetadata_server import BOT_TOKEN, OpenMetadataServer
from hex_assets.openmetadata.catalog import read_catalog
from hex_assets.openmetadata.client import OpenMetadataClient
from hex_assets.openmetadata.publish import Publication, publish
from hex_assets.settings import OpenMetadataSettings
from hex_assets.tables import CELLS, EDGES, PROJECTS, STATEMENTS, TableSpec

NOW = datetime(2026, 11, 20, 8, 30, tzinfo=timezone.utc)
ORDERS, USERS, COPY = "ch.default.shop.orders", "ch.default.shop.users", "ch.default.shop.copy"
TABLES = {
    ORDERS: [("id", "INT"), ("amount", "DOUBLE")],
    USERS: [("id", "INT"), ("name", "STRING")],
    COPY: [("id", "INT")],
}
P = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(6)]


def project(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "project_id": P[number],
        "project_type": "PROJECT",
        "title": f"Project {number}",
        "description": f"About {number}",
        "url": f"https://app.hex.tech/w/hex/{P[number]}",
        "owner_email": "Ann@Example.org",
        "status": "Approved",
        "categories": [{"name": "Sales / EU", "description": "Selling"}],
        "collections": ["Finance"],
        "schedules": [{"cadence": "DAILY", "enabled": True, "text": "daily at 07:30 UTC"}],
        "app_view_count": 10,
        "created_at": NOW,
        "last_edited_at": NOW,
        "last_published_at": NOW,
        "observed_at": NOW,
        **changes,
    }


def edge(number: int, table: str, column: str | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "project_id": P[number],
        "cell_id": None,
        "warehouse": "main",
        "table": table,
        "table_fqn": table,
        "column": column,
        "direction": "read",
        "usage": [],
        "output_columns": [],
        "query_count": 2,
        "first_seen_at": NOW,
        "last_seen_at": NOW,
        "users": ["ann@example.org"],
        "contexts": ["APP_VIEW"],
        "sample_query_id": "q1",
        "statement_ids": ["s1"],
        "evidence": ["parsed"],
        "partial": False,
        **changes,
    }


def cell(number: int, cell_id: str, kind: str, position: int, **changes: Any) -> dict[str, Any]:
    return {
        "project_id": P[number],
        "cell_id": cell_id,
        "cell_type": kind,
        "label": f"{kind} {cell_id}",
        "source": "select sum(amount) as total from shop.orders" if kind == "SQL" else None,
        "url": f"https://app.hex.tech/w/hex/{P[number]}/draft/logic?selectedCellId={cell_id}",
        "position": position,
        "observed_at": NOW,
        **changes,
    }


def statement() -> dict[str, Any]:
    return {
        "warehouse": "main",
        "statement_id": "s1",
        "dialect": "clickhouse",
        "text": "select sum(amount) as total from shop.orders",
        "query_count": 2,
        "sample_query_id": "q1",
        "project_ids": [P[0]],
        "status": "resolved",
        "sources": ["shop.orders"],
        "targets": [],
        "columns": [{"output": "total", "sources": ["shop.orders.amount"]}],
        "source_fqns": [ORDERS],
        "target_fqns": [],
        "not_in_catalog": [],
        "ambiguous": [],
        "seconds": 0.0,
    }


def world(**changes: Any) -> SimpleNamespace:
    """The workspace as rows, ready to be changed by a test."""
    rows = SimpleNamespace(
        projects=[project(n) for n in range(5)],
        edges=[
            edge(0, ORDERS, cell_id="c1"),
            edge(0, ORDERS, "amount", cell_id="c1", output_columns=["total"], usage=["output"]),
            edge(0, ORDERS),  # another cell that the comment did not name
            edge(1, USERS),
            edge(2, COPY, direction="write"),
        ],
        cells=[
            cell(0, "c1", "SQL", 0),
            cell(0, "c2", "CHART", 1),
            cell(1, "c3", "DISPLAY_TABLE", 0),
            cell(1, "c4", "COMPONENT_IMPORT", 1, component_id=P[3]),
        ],
        statements=[statement()],
        complete=True,
    )
    rows.__dict__.update(changes)
    return rows


Run = Callable[..., Publication]


def settings_for(server: OpenMetadataServer, **options: Any) -> OpenMetadataSettings:
    return OpenMetadataSettings(hostPort=server.url, **options)


def frame(spec: TableSpec, rows: list[dict[str, Any]] | None) -> pa.Table | None:
    return None if rows is None else spec.from_rows(rows)


def run_publish(url: str, rows: SimpleNamespace, **options: Any) -> Publication:
    client = OpenMetadataClient(url, BOT_TOKEN, backoff_seconds=0.01)
    earlier = [{**row, "app_view_count": 7} for row in rows.projects]
    days = {date(2026, 11, 19): earlier, date(2026, 11, 20): rows.projects}
    days = getattr(rows, "days", days)
    queried = getattr(rows, "queried", None)
    try:
        return publish(
            client,
            OpenMetadataSettings(hostPort=url, **options),
            projects=PROJECTS.from_rows(rows.projects),
            edges=EDGES.from_rows(rows.edges),
            cells=frame(CELLS, rows.cells),
            complete_cells=getattr(rows, "complete_cells", None),
            statements=STATEMENTS.from_rows(rows.statements),
            catalog=read_catalog(client, ["ch"]) if getattr(rows, "catalog", False) else None,
            queried_tables=None if queried is None else pa.Table.from_pylist(queried),
            snapshots={day: PROJECTS.from_rows(found) for day, found in days.items()},
            listing_complete=rows.complete,
            day=date(2026, 11, 20),
        )
    finally:
        client.close()


@pytest.fixture
def server() -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer() as running:
        running.seed(TABLES, users=["ann@example.org", "bob@example.org"])
        yield running
