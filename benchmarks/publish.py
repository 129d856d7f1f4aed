"""Publish a large workspace to the local OpenMetadata: first time, unchanged, one change.

    python benchmarks/publish.py [--projects N] [--cells N] [--edges N]

The server runs in a process of its own. For comparison a bare loop of PUTs of charts, 8 threads
side by side with nothing but `requests`, shows what server and machine give.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime, timezone
from uuid import UUID

import pyarrow as pa
import requests

from hex_assets.demo.openmetadata_server import BOT_TOKEN
from hex_assets.openmetadata.catalog import read_catalog
from hex_assets.openmetadata.client import OpenMetadataClient
from hex_assets.openmetadata.outputs import outputs
from hex_assets.openmetadata.publish import Publication, publish
from hex_assets.settings import OpenMetadataSettings
from hex_assets.tables import CELLS, EDGES, PROJECTS, STATEMENTS

NOW = datetime(2026, 11, 20, 8, 30, tzinfo=timezone.utc)
TABLES = 500
COLUMNS = ("id", "amount", "name", "created_at")


@contextmanager
def running_server() -> Iterator[str]:
    """The local OpenMetadata in a process of its own; gives its address."""
    command = [sys.executable, "-m", "hex_assets.demo.openmetadata_server"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait(10)


def seed(client: OpenMetadataClient) -> None:
    """Tables for the edges."""
    client.put("/services/databaseServices", {"name": "wh", "serviceType": "Snowflake"})
    client.put("/databases", {"name": "db", "service": "wh"})
    client.put("/databaseSchemas", {"name": "s", "database": "wh.db"})
    columns = [{"name": name, "dataType": "STRING"} for name in COLUMNS]
    for number in range(TABLES):
        body = {"name": f"t{number}", "databaseSchema": "wh.db.s", "columns": columns}
        client.put("/tables", body)


def workspace(projects: int, cells: int, edges: int) -> dict[str, pa.Table]:
    """Frames of a workspace; every second cell is an SQL cell, edges are spread over those."""
    ids = [str(UUID(int=number + 1)) for number in range(projects)]
    cell_rows, sql_cells = [], []
    for number in range(cells):
        project, sql = ids[number % projects], (number // projects) % 2 == 0
        cell = f"c{number}"
        sql_cells += [(project, cell)] if sql else []
        cell_rows.append(
            {
                "project_id": project,
                "cell_id": cell,
                "cell_type": "SQL" if sql else "CHART",
                "label": f"Cell {number}",
                "source": f"select id, amount from t{number % TABLES}" if sql else None,
                "url": f"https://app.hex.tech/w/hex/{project}?selectedCellId={cell}",
                "position": number // projects,
                "observed_at": NOW,
            }
        )
    # Each SQL cell has an edge to its dashboard; the rest are edges of a table and a cell.
    edge_rows, statements = [], []
    for number in range(edges - len(sql_cells)):
        project, cell = sql_cells[number % len(sql_cells)]
        table = f"wh.db.s.t{(number // len(sql_cells) * 7 + number) % TABLES}"
        statements.append(_statement(number, project, table))
        for column in (None, "id", "amount"):
            edge_rows.append(_edge(project, cell, table, column, f"s{number}"))
    return {
        "projects": PROJECTS.from_rows(_project(n, i) for n, i in enumerate(ids)),
        "cells": CELLS.from_rows(cell_rows),
        "edges": EDGES.from_rows(edge_rows),
        "statements": STATEMENTS.from_rows(statements),
    }


def _project(number: int, project: str) -> dict[str, object]:
    return {
        "project_id": project,
        "project_type": "PROJECT",
        "title": f"Project {number}",
        "description": f"What number {number} is for.",
        "url": f"https://app.hex.tech/w/hex/{project}",
        "status": "Approved",
        "categories": [{"name": f"Area {number % 20}", "description": None}],
        "collections": [f"Team {number % 30}"],
        "schedules": [],
        "created_at": NOW,
        "last_edited_at": NOW,
        "last_published_at": NOW,
        "observed_at": NOW,
    }


def _edge(
    project: str, cell: str, table: str, column: str | None, statement: str
) -> dict[str, object]:
    return {
        "project_id": project,
        "cell_id": cell,
        "warehouse": "main",
        "table": table.removeprefix("wh."),
        "table_fqn": table,
        "column": column,
        "direction": "read",
        "usage": ["output"] if column else [],
        "output_columns": [column] if column else [],
        "query_count": 3,
        "first_seen_at": NOW,
        "last_seen_at": NOW,
        "users": ["ann@example.org"],
        "contexts": ["APP_VIEW"],
        "sample_query_id": f"q-{statement}",
        "statement_ids": [statement],
        "evidence": ["parsed"],
        "partial": False,
    }


def _statement(number: int, project: str, table: str) -> dict[str, object]:
    name = table.rsplit(".", 1)[1]
    return {
        "warehouse": "main",
        "statement_id": f"s{number}",
        "dialect": "snowflake",
        "text": f"select id, amount from {name} where {number} = {number}",
        "query_count": 3,
        "sample_query_id": f"q-s{number}",
        "project_ids": [project],
        "status": "resolved",
        "sources": [name],
        "targets": [],
        "columns": [{"output": c, "sources": [f"{name}.{c}"]} for c in ("id", "amount")],
        "source_fqns": [table],
        "target_fqns": [],
        "not_in_catalog": [],
        "ambiguous": [],
        "seconds": 0.0,
        "lineage_id": name,
        "tables": [],
        "uses": [],
    }


def bare_puts(url: str, count: int) -> float:
    """PUTs of charts a second by 8 threads with a session each: no plan, no reading."""
    local = threading.local()

    def put(number: int) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.headers["Authorization"] = f"Bearer {BOT_TOKEN}"
        body = {"name": f"bare{number}", "service": "bare", "chartType": "Other"}
        answer = local.session.put(f"{url}/api/v1/charts", json=body, timeout=60)
        answer.raise_for_status()

    with ThreadPoolExecutor(8) as pool:
        start = time.perf_counter()
        list(pool.map(put, range(count)))
        return count / (time.perf_counter() - start)


def timed(title: str, url: str, frames: dict[str, pa.Table]) -> Publication:
    """Publish once and print what it took."""
    settings = OpenMetadataSettings(hostPort=url)
    client = OpenMetadataClient(url, BOT_TOKEN)
    outputs.cache_clear()  # a run of its own would not have it
    start = time.perf_counter()
    done = publish(
        client,
        settings,
        catalog=read_catalog(client, ["wh"]),
        listing_complete=True,
        day=date(2026, 11, 20),
        **frames,
    )
    seconds = time.perf_counter() - start
    done.raise_failures()
    writes = done.written_count
    print(f"{title:<20} {seconds:7.1f} s {writes:7} writes {writes / seconds:7.0f} writes/s")
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=1_000)
    parser.add_argument("--cells", type=int, default=8_000)
    parser.add_argument("--edges", type=int, default=10_000)
    options = parser.parse_args()
    with running_server() as url:
        client = OpenMetadataClient(url, BOT_TOKEN)
        seed(client)
        service = {"name": "bare", "serviceType": "CustomDashboard"}
        client.put("/services/dashboardServices", service)
        print(f"{'bare PUTs, 8 threads':<20} {bare_puts(url, 3_000):38.0f} writes/s")
        frames = workspace(options.projects, options.cells, options.edges)
        first = timed("first publication", url, frames)
        edges = sum(r["entity_type"] == "lineage" for r in first.receipts.to_pylist())
        print(f"  of which edges {edges}")
        unchanged = timed("unchanged", url, frames)
        assert unchanged.written_count == 0, unchanged.counts
        changed = frames["projects"].to_pylist()
        changed[0]["title"] = "Renamed"
        one = timed("one title changed", url, {**frames, "projects": PROJECTS.from_rows(changed)})
        assert one.written_count == 1, one.counts
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the publisher {peak:.0f} MB")


if __name__ == "__main__":
    main()
