"""Frames to make reports of: a small workspace with nasty names, and a large one."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa

from hex_assets.tables import CATALOG_TABLES, CELLS, EDGES, PROJECTS, STATEMENTS

NOW = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
NASTY = 'Ünï "quoted" 🫖 </script><img src=x onerror=alert(1)>'
ORDERS, CUSTOMERS, UNREAD = (
    "wh.shop.public.orders",
    "wh.shop.public.customers",
    "wh.shop.public.attic",
)


def project(key: str, **changes: Any) -> dict[str, Any]:
    return {
        "project_id": key, "project_type": "PROJECT", "title": key.title(),
        "url": f"https://app.hex.tech/fern/hex/{key}", "owner_email": f"{key}@fernhill.test",
        "categories": [], "schedules": [], "collections": ["Tea"], "app_view_count": 9,
        "app_view_count_7_days": 1, "app_view_count_30_days": 4,
        "created_at": NOW - timedelta(days=200), "last_edited_at": NOW - timedelta(days=9),
        "last_viewed_at": NOW, "observed_at": NOW,
    } | changes  # fmt: skip


def edge(key: str, table: str, column: str | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "project_id": key, "cell_id": f"{key}-cell", "warehouse": "main",
        "table": table.removeprefix("wh."), "table_fqn": table if table.startswith("wh.") else None,
        "column": column, "direction": "read", "usage": ["output"] if column else [],
        "output_columns": [], "query_count": 5, "first_seen_at": NOW - timedelta(days=3),
        "last_seen_at": NOW - timedelta(days=1), "users": ["ada@fernhill.test"],
        "contexts": ["APP_VIEW"], "sample_query_id": "q-1", "statement_ids": ["s-1"],
        "evidence": ["parsed"], "partial": False,
    } | changes  # fmt: skip


def table(fqn: str, *columns: str) -> dict[str, Any]:
    service, database, schema, name = fqn.split(".")
    return {
        "fqn": fqn, "table_id": fqn, "service": service, "database": database, "schema": schema,
        "name": name, "columns": [{"name": c, "data_type": "INT"} for c in columns],
        "observed_at": NOW,
    }  # fmt: skip


def statement(projects: list[str], status: str = "resolved", **changes: Any) -> dict[str, Any]:
    return {
        "warehouse": "main", "statement_id": "s-1", "lineage_id": "l-1",
        "dialect": "clickhouse", "text": "SELECT 1",
        "query_count": 1, "sample_query_id": "q-1", "project_ids": projects, "status": status,
        "sources": [], "targets": [], "columns": [], "source_fqns": [], "target_fqns": [],
        "not_in_catalog": [], "ambiguous": [], "seconds": 0.0,
    } | changes  # fmt: skip


def small_frames() -> dict[str, Any]:
    """Two readers of orders, one of them of `amount` as a filter; a dead project; a lost table."""
    return {
        "projects": PROJECTS.from_rows([
            project("sales", title=NASTY), project("growth", title="=Growth"),
            project("dead", app_view_count_30_days=0),
            project("unsure", app_view_count_30_days=None),
            project("puzzled", app_view_count_30_days=0),
            project("old", app_view_count_30_days=0, archived_at=NOW),
            project("part", app_view_count_30_days=0, project_type="COMPONENT"),
        ]),
        "edges": EDGES.from_rows([
            edge("sales", ORDERS, query_count=40), edge("sales", ORDERS, "amount", query_count=30),
            edge("sales", ORDERS, "Id", query_count=40, usage=["join", "filter"]),
            edge("growth", ORDERS, users=["bo@fernhill.test"]),
            edge("growth", ORDERS, "amount", usage=["filter"], users=["bo@fernhill.test"]),
            edge("growth", CUSTOMERS), edge("growth", CUSTOMERS, "name"),
            edge("growth", "lost.table"), edge("ghost", ORDERS, partial=True),
            edge("sales", CUSTOMERS, direction="write"),
        ]),
        "catalog": CATALOG_TABLES.from_rows([
            table(ORDERS, "Id", "amount", "note"), table(CUSTOMERS, "name"), table(UNREAD, "x"),
        ]),
        "cells": CELLS.from_rows([
            {"project_id": "growth", "cell_id": key, "cell_type": "SQL", "label": "<b>Sums</b>",
             "url": "https://eu.hex.tech/x", "position": 0, "observed_at": NOW}
            for key in ("growth-cell", "no-query")
        ]),
        "statements": [STATEMENTS.from_rows([
            statement(["sales", "growth"]),
            statement(["puzzled"], "failed", reason="syntax"),
        ])],
    }  # fmt: skip


def large_frames(projects: int, edges: int) -> dict[str, Any]:
    """A workspace of a given size; the same at every call."""
    pick = random.Random(7)
    columns = ["id", "customer_id", "amount", "created_at", "status", "revenue", "country", "note"]
    names = [
        f"wh.shop.{pick.choice(['sales', 'core', 'ops'])}.{kind}_{n}"
        for n in range(600)
        for kind in ("fact_orders", "dim_customer", "stg_events", "revenue")
    ]
    rows = []
    while len(rows) < edges:
        key, name = f"p{pick.randrange(projects)}", pick.choice(names[: pick.choice([40, 2400])])
        base = {
            "cell_id": f"{key}-{pick.randrange(9)}",
            "users": [f"u{pick.randrange(400)}@x.test"],
        }
        rows.append(edge(key, name, query_count=pick.randrange(1, 400), **base))
        for column in pick.sample(columns, 4):
            rows.append(edge(key, name, column, usage=[pick.choice(["output", "filter"])], **base))
    return {
        "projects": PROJECTS.from_rows(
            project(f"p{n}", title=f"Report {n} of team {n % 97}", owner_email=f"o{n % 300}@x.test")
            for n in range(projects)
        ),
        "edges": EDGES.from_rows(rows[:edges]),
        "catalog": CATALOG_TABLES.from_rows(table(name, *columns) for name in names),
        "statements": list[pa.Table](),
    }
