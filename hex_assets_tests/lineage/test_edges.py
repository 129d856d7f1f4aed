"""From log rows to the ledger and the edges."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.day_log import day, differences
from hex_assets.lineage import annotate, derive_edges, derive_statements, edges_of, merge_edges
from hex_assets.tables import EDGES, QUERY_LOG, STATEMENTS
from hex_assets_tests.lineage.test_resolve import catalog_of

AT = datetime(2026, 11, 1, tzinfo=timezone.utc)


def row(number: int, sql: str, project: str = "p1", **more: Any) -> dict[str, Any]:
    tag = {"project_id": project, "user_email": f"u{number}@x.y", "context": "APP_VIEW"}
    return {
        "warehouse": "wh",
        "dialect": "clickhouse",
        "query_id": f"q{number}",
        "text": f"{sql}\n-- Hex query metadata: {json.dumps(tag)}",
        "ended_at": AT + timedelta(minutes=number),
        "status": "success",
        "truncated": False,
        "default_schema": "shop",
        **more,
    }


def log_of(*rows: dict[str, Any]) -> pa.Table:
    return annotate(pa.Table.from_pylist(list(rows), schema=QUERY_LOG.schema))


def tables_of(edges: pa.Table) -> dict[tuple[str, str, str], int]:
    return {
        (edge["project_id"], edge["table"], edge["direction"]): edge["query_count"]
        for edge in edges.to_pylist()
        if edge["column"] is None
    }


def test_a_generated_day_equals_its_truth() -> None:
    log, truth = day(2_000, 100)
    assert len(truth) > 100
    assert differences(derive_edges(log, dialect="clickhouse"), truth) == []


def test_edges_count_executions_and_keep_the_latest() -> None:
    log = log_of(
        row(1, "SELECT o.a FROM orders o WHERE o.k = 1"),
        row(9, "SELECT o.a FROM orders o WHERE o.k = 2"),
        row(5, "SELECT o.a FROM orders o WHERE o.k = 1"),
    )
    statements = derive_statements(log)
    assert statements.schema.equals(STATEMENTS.schema)
    assert sorted(statements["query_count"].to_pylist()) == [1, 2]
    edges = edges_of(log, statements)
    assert edges.schema.equals(EDGES.schema)
    by_column = {edge["column"]: edge for edge in edges.to_pylist()}
    assert by_column.keys() == {None, "a", "k"}
    assert by_column["a"]["usage"] == ["output"] and by_column["a"]["output_columns"] == ["a"]
    assert by_column["k"]["usage"] == ["filter"] and by_column["k"]["output_columns"] == []
    table = by_column[None]
    assert (table["table"], table["query_count"], table["sample_query_id"]) == (
        "shop.orders",
        3,
        "q9",
    )
    assert table["first_seen_at"] == AT + timedelta(minutes=1)
    assert table["users"] == ["u1@x.y", "u5@x.y", "u9@x.y"]
    assert len(table["statement_ids"]) == 2


@pytest.mark.parametrize(
    ("dialect", "table", "columns"),
    [
        ("snowflake", "SHOP.ORDERS", {"AMOUNT": 2}),
        *((name, "shop.orders", {"amount": 2}) for name in ("postgres", "redshift", "databricks")),
        *((name, "shop.orders", {"amount": 2}) for name in ("trino", "presto", "athena", "tsql")),
        *((name, "shop.orders", {"amount": 2}) for name in ("duckdb", "mysql", "bigquery")),
        ("clickhouse", "shop.orders", {"Amount": 1, "AMOUNT": 1}),
    ],
)
@pytest.mark.parametrize("catalog", [None, catalog_of("d.other.x")])
def test_spellings_of_a_column_are_one_edge_where_the_engine_takes_them_for_one(
    dialect: str, table: str, columns: dict[str, int], catalog: pa.Table | None
) -> None:
    log = log_of(
        row(1, "select Amount from orders", dialect=dialect),
        row(2, "SELECT AMOUNT FROM orders", dialect=dialect),
    )
    statements = derive_statements(log, catalog)
    edges = edges_of(log, statements)
    rows = edges.to_pylist()
    assert {edge["table"] for edge in rows} == {table}
    assert {e["column"]: e["query_count"] for e in rows if e["column"]} == columns
    uses = {use["column"] for uses in statements["uses"].to_pylist() for use in uses}
    assert uses == columns.keys()
    keys = [(name, "ascending") for name in EDGES.key]
    assert derive_edges(log, catalog).sort_by(keys).equals(edges.sort_by(keys))


def test_the_spellings_within_a_text_flow_to_all_of_their_outputs() -> None:
    sql = "SELECT Amount, amount AS x, sum(AMOUNT) OVER () AS y FROM orders"
    edges = edges_of(log := log_of(row(1, sql, dialect="snowflake")), derive_statements(log))
    flows = {edge["column"]: edge["output_columns"] for edge in edges.to_pylist()}
    assert flows == {None: [], "AMOUNT": ["Amount", "x", "y"]}


def test_a_kept_result_gets_the_same_spelling() -> None:
    cache: dict[str, str] = {}
    log = log_of(row(1, "SELECT Amount FROM orders", dialect="snowflake"))
    first, again = (derive_edges(log, cache=cache) for _ in range(2))
    assert len(cache) == 1
    assert again.equals(first)
    assert again["column"].to_pylist() == [None, "AMOUNT"]


def test_every_gap_is_in_the_ledger_with_its_reason() -> None:
    cut = row(1, "SELECT a FROM t")
    cut["text"] = cut["text"][:40]
    log = log_of(
        cut,
        row(2, "SELECT 2", text="SELECT '-- Hex query metadata: {}' AS x"),
        row(3, "SELECT 3", text="SELECT 3 FROM t", truncated=True),
        row(4, "SELECT 4", text="SELECT 4\n-- Hex query metadata: {}"),
        row(5, "SELECT c FROM broken", status="failed"),
        row(6, "SHOW TABLES"),
        row(7, "SELECT a FROM missing"),
    )
    statements = derive_statements(log, catalog_of("default.shop.orders"))
    reasons = dict(
        zip(
            statements["sample_query_id"].to_pylist(), statements["reason"].to_pylist(), strict=True
        )
    )
    assert reasons == {
        "q1": "comment_cut",
        "q2": "comment_absent",
        "q3": "comment_cut",
        "q4": "comment_malformed",
        "q5": "query_failed",
        "q6": "no_lineage",
        "q7": "not_in_catalog",
    }
    assert None not in statements["detail"].to_pylist()
    assert tables_of(edges_of(log, statements)) == {("p1", "shop.missing", "read"): 1}


def test_the_engines_log_gives_names_and_the_text_direction_and_directness() -> None:
    logged = [{"table": name, "columns": []} for name in ("mart.agg", "raw.v", "raw.base")]
    log = log_of(row(1, "INSERT INTO agg SELECT a FROM v", engine_inputs=logged))
    edges = edges_of(log, derive_statements(log))
    assert tables_of(edges) == {("p1", "mart.agg", "write"): 1, ("p1", "raw.v", "read"): 1}
    assert edges["evidence"].to_pylist()[0] == ["engine_log", "parsed"]


def test_where_engine_and_text_differ_the_ledger_says_so() -> None:
    logged = [{"table": "DB.S.OTHER", "columns": []}]
    log = log_of(
        row(
            1,
            "SELECT a FROM orders",
            dialect="snowflake",
            default_catalog="DB",
            engine_inputs=logged,
        )
    )
    statement = derive_statements(log).to_pylist()[0]
    assert statement["reason"] == "engine_differs"
    assert "DB.S.OTHER" in statement["detail"]


def test_a_cached_result_is_used_until_its_tables_change(monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_of(row(1, "SELECT * FROM orders"))
    cache: dict[str, str] = {}
    catalog = catalog_of("default.shop.orders")
    first = derive_statements(log, catalog, cache=cache)
    assert len(cache) == 1
    calls = []

    def counted(sql: str, *rest: Any) -> Any:
        calls.append(sql)
        return real(sql, *rest)

    from hex_assets.lineage import sql as engine

    real = engine.extract
    monkeypatch.setattr(engine, "extract", counted)
    again = derive_statements(log, catalog, cache=cache)
    assert calls == []
    drop = ["seconds"]
    assert again.drop_columns(drop).equals(first.drop_columns(drop))
    changed = catalog_of("default.shop.orders").to_pylist()
    changed[0]["columns"] = [{"name": "new"}]
    derive_statements(log, pa.Table.from_pylist(changed, schema=catalog.schema), cache=cache)
    assert len(calls) == 1


def test_merging_days_equals_deriving_them_together() -> None:
    log, _ = day(1_000, 20)
    halves = [
        derive_edges(log.slice(0, 500), dialect="clickhouse"),
        derive_edges(log.slice(500), dialect="clickhouse"),
    ]
    keys = [(name, "ascending") for name in EDGES.key]
    merged = merge_edges(halves).sort_by(keys)
    assert merged.drop_columns(["statement_ids"]).equals(
        derive_edges(log, dialect="clickhouse").sort_by(keys).drop_columns(["statement_ids"])
    )
    assert merge_edges([]).schema.equals(EDGES.schema)


def test_frames_files_and_tables_give_the_same_edges(tmp_path: Path) -> None:
    texts = [row(1, "SELECT a FROM s.t")["text"], "SELECT 1"]
    table = pa.table({"text": texts, "other": [1, 2], "query_id": ["q1", "q2"]})
    pq.write_table(table, tmp_path / "log.parquet")
    expected = {("p1", "s.t", "read"): 1}
    for queries in (table, table.to_pandas(), tmp_path, str(tmp_path / "log.parquet")):
        assert tables_of(derive_edges(queries, dialect="trino")) == expected


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`text`"):
        derive_edges(pd.DataFrame({"sql": ["SELECT 1"]}), dialect="trino")
    pq.write_table(pa.table({"sql": ["SELECT 1"]}), tmp_path / "log.parquet")
    with pytest.raises(ValueError, match="`text`"):
        derive_edges(tmp_path, dialect="trino")
    with pytest.raises(ValueError, match="`dialect`"):
        derive_edges(pd.DataFrame({"text": ["SELECT 1"]}))


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("snowflake", "CREATE TEMP TABLE orders AS SELECT e.id FROM raw.events e"),
        ("postgres", "CREATE TABLE pg_temp.orders AS SELECT e.id FROM raw.events e"),
        ("tsql", "SELECT e.id INTO #orders FROM raw.events e"),
        ("databricks", "CREATE TEMP VIEW orders AS SELECT e.id FROM raw.events e"),
        ("tsql", "SELECT e.id, o.x FROM raw.events e JOIN #orders o ON o.id = e.id"),
    ],
)
def test_what_ends_with_the_session_is_no_edge(dialect: str, sql: str) -> None:
    catalog = catalog_of("db.shop.orders", "db.raw.events")
    edges = derive_edges(
        log_of(row(1, sql, dialect=dialect, default_catalog="db")), catalog=catalog
    )
    assert tables_of(edges) == {("p1", "db.raw.events", "read"): 1}
    assert {edge["table"] for edge in edges.to_pylist()} == {"db.raw.events"}


@pytest.mark.parametrize(
    ("made", "read"), [("db.shop.x", "x"), ("x", "db.shop.x"), ("shop.x", "db.shop.x")]
)
def test_a_made_table_is_known_by_all_its_names(made: str, read: str) -> None:
    sql = f"CREATE TEMP TABLE {made} AS SELECT e.id FROM raw.events e; SELECT id FROM {read}"
    edges = derive_edges(log_of(row(1, sql, dialect="snowflake", default_catalog="db")))
    assert tables_of(edges) == {("p1", "DB.RAW.EVENTS", "read"): 1}


@pytest.mark.parametrize(
    ("dialect", "database", "table"),
    [
        ("snowflake", "USE DATABASE dwh", "DWH.PUBLIC.ORDERS"),
        ("tsql", "USE dwh", "dwh.shop.orders"),
        ("databricks", "USE CATALOG dwh", "dwh.default.orders"),
        ("redshift", "USE dwh", "dwh.public.orders"),
    ],
)
def test_after_use_of_a_database_the_logs_default_is_no_longer(
    dialect: str, database: str, table: str
) -> None:
    sql = f"{database}; SELECT o.id FROM orders o"
    edges = derive_edges(log_of(row(1, sql, dialect=dialect, default_catalog="db")))
    assert tables_of(edges) == {("p1", table, "read"): 1}
