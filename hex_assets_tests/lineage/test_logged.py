"""What the engine logged beside what the text says."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from hex_assets.lineage import derive_statements
from hex_assets.lineage.logged import Match, logged_as, parts_of
from hex_assets.warehouses.vendor import unquoted
from hex_assets_tests.lineage.test_edges import log_of, row
from hex_assets_tests.lineage.test_resolve import catalog_of


def derived(
    sql: str, dialect: str, catalog: pa.Table | None, logged: dict[str, list[str]], **more: Any
) -> tuple[str | None, dict[str, list[str]]]:
    """Reason, and the evidence of each table that is read."""
    inputs = [{"table": table, "columns": columns} for table, columns in logged.items()]
    log = log_of(row(1, sql, dialect=dialect, engine_inputs=inputs, **more))
    found = derive_statements(log, catalog).to_pylist()[0]
    reads = [item for item in found["tables"] if item["direction"] == "read"]
    return found["reason"], {item["table"]: item["evidence"] for item in reads}


def with_views(catalog: pa.Table, *views: str) -> pa.Table:
    position = catalog.column_names.index("table_type")
    kinds = ["View" if name in views else "Regular" for name in catalog["table_id"].to_pylist()]
    return catalog.set_column(position, catalog.schema.field("table_type"), pa.array(kinds))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.b.c", ("a", "b", "c")),
        ('A.B."has.dot"', ("A", "B", "has.dot")),
        ('"a"."b""c"', ("a", 'b"c')),
        ("`my.project`.d.t", ("my.project", "d", "t")),
        ('a."b', ("a", '"b')),
    ],
)
def test_a_logged_name_is_split_outside_of_quotes(name: str, parts: tuple[str, ...]) -> None:
    assert parts_of(name) == parts


@pytest.mark.parametrize(
    ("parts", "logged", "expected"),
    [
        (("b", "C"), ["a.b.c", "a.bb.c"], ("a", "b", "c")),
        (("c",), ["a.b.c", "a.b.C"], ("a", "b", "c")),
        (("c",), ["a.b.c", "a.d.c"], None),
        (("dot",), ['a."has.dot"'], None),
        (("has.dot",), ['a."has.dot"'], ("a", "has.dot")),
        (("B", "has.dot"), ["a.b.has.dot"], ("a", "b", "has.dot")),
    ],
)
def test_the_logged_name_ends_with_the_parts(
    parts: tuple[str, ...], logged: list[str], expected: tuple[str, ...] | None
) -> None:
    found = logged_as(parts, [(name, ()) for name in logged], "snowflake")
    assert (found and found.parts) == expected


def test_all_shards_of_one_dataset_are_one_table() -> None:
    days = [("p.d.e_20260101", ()), ("p.d.e_20260102", ()), ("p.d.f", ())]
    shards = Match(("p.d.e_20260101", "p.d.e_20260102"), ("p", "d", "e_*"))
    assert logged_as(("d", "e_*"), days, "bigquery") == shards
    assert logged_as(("e_*",), [*days, ("p.x.e_20260101", ())], "bigquery") is None
    assert logged_as(("d", "e_*"), days, "snowflake") is None


@pytest.mark.parametrize("table", ["events_20260101", "events_*", "events_2026*"])
@pytest.mark.parametrize(
    ("known", "named"), [([], "events_*"), (["p.ga.events_20260101"], "events_20260101")]
)
def test_bigquerys_shards_agree_with_its_log(table: str, known: list[str], named: str) -> None:
    logged: dict[str, list[str]] = {"p.ga.events_20260101": []}
    if "*" in table:
        logged["p.ga.events_20260102"] = []
    found = derived(f"SELECT a FROM `p.ga.{table}`", "bigquery", catalog_of(*known), logged)
    assert found == (None, {f"p.ga.{named}": ["engine_log", "parsed"]})


@pytest.mark.parametrize("dialect", ["databricks", "bigquery", "trino", "clickhouse"])
def test_the_engines_tables_stand_for_a_name_that_nobody_knows(dialect: str) -> None:
    catalog = with_views(catalog_of("default.s.t", "default.s.w"), "default.s.w")
    where = {"default_schema": "s", "default_catalog": "default"}
    base = "s.t" if dialect == "clickhouse" else "default.s.t"
    own, view = base.removesuffix("t") + "v", base.removesuffix("t") + "w"
    logged = {base: ["fare"]}
    reason, reads = derived("SELECT fare FROM v", dialect, catalog, logged, **where)
    assert (reason, reads) == ("not_in_catalog", {own: ["parsed"], "default.s.t": ["engine_log"]})
    _, reads = derived("SELECT fare FROM v", dialect, None, logged, **where)
    assert reads == {own: ["parsed"]}
    _, reads = derived("SELECT fare FROM v", dialect, catalog, {own: [], **logged}, **where)
    assert reads == {own: ["engine_log", "parsed"]}
    _, reads = derived("SELECT w.a FROM w", dialect, catalog, {view: [], **logged}, **where)
    assert reads == {"default.s.w": ["engine_log", "parsed"]}
    _, reads = derived("SELECT w.a FROM w, v", dialect, catalog, {view: [], **logged}, **where)
    assert reads == {"default.s.w": ["engine_log", "parsed"], own: ["parsed"]}
    new = own + "2"  # may be a view: the catalog does not have it yet
    _, reads = derived("SELECT v2.a FROM v2, v", dialect, catalog, {new: [], **logged}, **where)
    assert reads == {new: ["engine_log", "parsed"], own: ["parsed"]}


def test_a_write_of_clickhouse_takes_only_tables_with_columns_for_an_unknown_name() -> None:
    logged = {"s.o": [], "s.also_written": [], "s.t": ["a"]}
    sql = "INSERT INTO s.o SELECT a FROM s.v"
    _, reads = derived(sql, "clickhouse", catalog_of("default.s.o", "default.s.t"), logged)
    assert reads == {"s.v": ["parsed"], "default.s.t": ["engine_log"]}


@pytest.mark.parametrize("logged", ['PROD.SALES."has.dot"', "PROD.SALES.has.dot"])
def test_a_name_with_a_dot_is_one_table(logged: str) -> None:
    sql = 'SELECT a FROM prod.sales."has.dot"'
    found = derived(sql, "snowflake", None, {logged: ["A"]})
    assert found == (None, {"PROD.SALES.has.dot": ["engine_log", "parsed"]})
    assert unquoted('"PROD".SALES."has.dot"', "snowflake") == 'PROD.SALES."has.dot"'
