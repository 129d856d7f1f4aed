"""What a statement writes, by columns, and the ledger's rows."""

from __future__ import annotations

import pyarrow as pa
import pytest

from benchmarks.fuzz import fuzz_comments, fuzz_statements
from hex_assets.lineage import derive_edges, derive_statements, edges_of
from hex_assets.lineage.sql import extract
from hex_assets_tests.lineage.test_edges import log_of, row
from hex_assets_tests.lineage.test_resolve import catalog_of


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "INSERT INTO o (x, y) SELECT t.a, max(u.b) FROM t JOIN u ON t.i = u.i GROUP BY t.a",
            {"x": ["shop.t.a"], "y": ["shop.u.b"]},
        ),
        ("CREATE TABLE o AS SELECT a AS x, 1 AS y FROM t", {"x": ["shop.t.a"], "y": []}),
        ("UPDATE o SET x = t.a FROM t WHERE t.i = o.i", {"x": ["shop.t.a"]}),
        (
            "MERGE INTO o USING t ON o.i = t.i WHEN MATCHED THEN UPDATE SET x = t.a "
            "WHEN NOT MATCHED THEN INSERT (x, y) VALUES (t.a, t.b)",
            {"x": ["shop.t.a"], "y": ["shop.t.b"]},
        ),
        ("INSERT INTO o SELECT a FROM t", {}),
        ("INSERT INTO o (x, y) SELECT * FROM t", {}),
        ("DELETE FROM o USING t WHERE t.i = o.i", {}),
        ("SELECT a FROM t", {}),
    ],
)
def test_written_columns_have_rows_with_what_they_come_from(
    sql: str, expected: dict[str, list[str]]
) -> None:
    log = log_of(row(1, sql, dialect="postgres"))
    statements = derive_statements(log)
    edges = edges_of(log, statements)
    written = {
        edge["column"]: (edge["table"], edge["source_columns"])
        for edge in edges.to_pylist()
        if edge["direction"] == "write" and edge["column"] is not None
    }
    assert written == {name: ("shop.o", sources) for name, sources in expected.items()}
    assert derive_edges(log).sort_by("column").equals(edges.sort_by("column"))


def test_an_insert_without_column_list_is_matched_by_the_catalogs_columns() -> None:
    log = log_of(row(1, "INSERT INTO o SELECT b, a FROM t", dialect="trino", default_catalog="d"))
    catalog = catalog_of("d.shop.o", "d.shop.t")
    edges = edges_of(log, derive_statements(log, catalog)).to_pylist()
    written = {e["column"]: e["source_columns"] for e in edges if e["direction"] == "write"}
    assert written == {None: [], "id": ["d.shop.t.b"], "addr": ["d.shop.t.a"]}


@pytest.mark.parametrize("catalog", [None, catalog_of("d.other.x")])
@pytest.mark.parametrize(
    ("dialect", "column", "sources"),
    [
        ("snowflake", "AMT", ["SHOP.T.VALUE"]),
        ("postgres", "amt", ["shop.t.value"]),
        ("mysql", "amt", ["shop.t.value"]),
        ("bigquery", "amt", ["shop.t.value"]),
        ("tsql", "amt", ["shop.t.value"]),
    ],
)
def test_a_written_column_and_what_it_comes_from_have_one_spelling(
    dialect: str, column: str, sources: list[str], catalog: pa.Table | None
) -> None:
    log = log_of(
        row(1, "INSERT INTO o (Amt) SELECT Value FROM t", dialect=dialect),
        row(2, "INSERT INTO o (AMT) SELECT value FROM t", dialect=dialect),
    )
    statements = derive_statements(log, catalog)
    assert [item[0]["column"] for item in statements["written_columns"].to_pylist()] == [column] * 2
    edges = edges_of(log, statements)
    assert derive_edges(log, catalog).sort_by("column").equals(edges.sort_by("column"))
    written = [e for e in edges.to_pylist() if e["direction"] == "write" and e["column"]]
    assert [(e["column"], e["source_columns"], e["query_count"]) for e in written] == [
        (column, sources, 2)
    ]


def test_a_written_column_has_the_catalogs_spelling() -> None:
    texts = (
        "INSERT INTO o (ID, NEW) SELECT ADDR, ID FROM t",
        "INSERT INTO o (Id) SELECT Id FROM t",
    )
    log = log_of(
        *(row(n, t, dialect="tsql", default_catalog="d") for n, t in enumerate(texts)),
    )
    catalog = catalog_of("d.shop.o", "d.shop.t")
    edges = edges_of(log, derive_statements(log, catalog)).to_pylist()
    written = {e["column"]: e["source_columns"] for e in edges if e["direction"] == "write"}
    assert written == {None: [], "id": ["d.shop.t.addr", "d.shop.t.id"], "new": ["d.shop.t.id"]}


@pytest.mark.parametrize(
    ("values", "known", "unknown"),
    [
        ("s.id, s.qty + 1", {"id": ["d.shop.s.id"], "addr": ["d.shop.s.qty"]}, ["id"]),
        ("s.id, 7", {"id": ["d.shop.s.id"], "addr": []}, ["id"]),
        ("s.id, DEFAULT", {"id": ["d.shop.s.id"], "addr": []}, ["id"]),
        ("s.id, s.qty + 1, 7", {}, ["id"]),  # the catalog's columns are of another time
    ],
)
@pytest.mark.parametrize(
    "dialect", ["snowflake", "databricks", "bigquery", "redshift", "postgres", "tsql", "duckdb"]
)
def test_a_merge_without_column_list_goes_by_the_catalogs_positions(
    dialect: str, values: str, known: dict[str, list[str]], unknown: list[str]
) -> None:
    sql = f"MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES ({values})"
    log = log_of(row(1, sql, dialect=dialect, default_catalog="d"))
    found = derive_statements(log, catalog_of("d.shop.t", "d.shop.s")).to_pylist()[0]
    written = {item["column"]: item["sources"] for item in found["written_columns"]}
    if dialect == "snowflake":
        known = {name: [s.replace("qty", "QTY") for s in known[name]] for name in known}
    assert written == known
    bare = derive_statements(log).to_pylist()[0]
    assert (bare["written_columns"], [c["output"] for c in bare["columns"]]) == ([], unknown)
    columns = {use["column"].lower() for use in bare["uses"]}
    assert columns == {"id", "qty"} if "qty" in values else columns == {"id"}


def test_a_text_that_drops_its_table_again_writes_no_columns() -> None:
    text = "CREATE TABLE o AS SELECT a AS x FROM t; DROP TABLE o"
    assert extract(text, "postgres").target_columns == ()


def test_the_engines_columns_go_to_the_table_that_it_logged_them_for() -> None:
    logged = [
        {"table": "shop.big_orders", "columns": ["size"]},
        {"table": "Shop.orders", "columns": ["id"]},
    ]
    sql = "SELECT * FROM big_orders CROSS JOIN orders"
    log = log_of(row(1, sql, engine_inputs=logged, dialect="snowflake"))
    edges = edges_of(log, derive_statements(log)).to_pylist()
    columns = {(edge["table"], edge["column"]) for edge in edges if edge["column"]}
    assert columns == {("SHOP.BIG_ORDERS", "SIZE"), ("SHOP.ORDERS", "ID")}


def test_no_fuzzed_comment_or_statement_is_misread() -> None:
    assert fuzz_comments(3_000, seed=3)[1] == []
    assert not fuzz_comments(3_000, seed=4)[0]
    assert fuzz_statements(300, seed=3, limit_seconds=10.0)[1] == []
