"""Names meet the catalog by the dialect's rules, or are reported."""

from __future__ import annotations

from datetime import datetime, timezone

import pyarrow as pa
import pytest

from hex_assets.lineage.resolve import Catalog, CatalogSchema, Namespace, fold, fold_column
from hex_assets.tables import CATALOG_TABLES


def catalog_of(*names: str, service: str = "svc") -> pa.Table:
    return CATALOG_TABLES.from_rows(
        {
            "fqn": f"{service}.{name}",
            "table_id": name,
            "service": service,
            **dict(zip(("database", "schema", "name"), name.split("."), strict=True)),
            "columns": [{"name": column} for column in ("id", "addr", "addr.city")],
            "observed_at": datetime(2026, 1, 1, tzinfo=timezone.utc),
        }
        for name in names
    )


@pytest.mark.parametrize(
    ("dialect", "stored", "written", "fits"),
    [
        ("snowflake", "DB.S.ORDERS", "orders", True),
        ("snowflake", "DB.S.Orders", "orders", False),
        ("snowflake", "DB.S.Orders", "Orders", True),
        ("postgres", "DB.S.orders", "ORDERS", True),
        ("postgres", "DB.S.Orders", "orders", False),
        ("bigquery", "DB.S.Orders", "orders", False),
        ("bigquery", "DB.S.Orders", "Orders", True),
        ("clickhouse", "default.S.orders", "Orders", False),
        ("clickhouse", "default.S.orders", "orders", True),
        ("tsql", "DB.S.Orders", "ORDERS", True),
        ("databricks", "db.s.orders", "ORDERS", True),
        ("athena", "default.s.orders", "AwsDataCatalog.S.Orders", True),
        ("snowflake", "DB.S.ORDERS", "other.s.orders", False),
    ],
)
def test_case_rules(dialect: str, stored: str, written: str, fits: bool) -> None:
    where = Namespace(dialect, stored.split(".")[0], stored.split(".")[1])
    found = Catalog(catalog_of(stored)).resolve(tuple(written.split(".")), where)
    assert found.fqn == (f"svc.{stored}" if fits else None)
    assert found.problem == (None if fits else "not_in_catalog")


def test_two_tables_of_one_name_are_ambiguous_not_chosen() -> None:
    catalog = Catalog(catalog_of("DB.A.T", "DB.B.T", "DB.C.X", "DB.C.x"))
    assert catalog.resolve(("T",), Namespace("snowflake", "DB")).problem == "ambiguous"
    assert catalog.resolve(("x",), Namespace("snowflake", "DB", "C")).problem == "ambiguous"
    assert catalog.resolve(("T",), Namespace("snowflake", "DB", "B")).fqn == "svc.DB.B.T"


def test_services_separate_equal_names() -> None:
    both = Catalog(
        pa.concat_tables([catalog_of("d.s.t", service="one"), catalog_of("d.s.t", service="two")])
    )
    assert both.resolve(("s", "t"), Namespace("trino", "d")).problem == "ambiguous"
    found = both.resolve(("s", "t"), Namespace("trino", "d", services=("two",)))
    assert found.fqn == "two.d.s.t"


def test_without_a_catalog_names_are_qualified_and_no_loss() -> None:
    found = Catalog().resolve(("orders",), Namespace("snowflake", "db", "s"))
    assert (found.table, found.fqn, found.problem) == ("DB.S.ORDERS", None, None)


def test_the_schema_provider_gives_top_level_columns() -> None:
    schema = CatalogSchema(Catalog(catalog_of("DB.S.T")), Namespace("snowflake", "DB", "S"))
    assert schema.columns_of(("t",)) == ("id", "addr")
    assert schema.columns_of(("u",)) is None


@pytest.mark.parametrize(
    ("dialect", "written", "folded"),
    [
        ("snowflake", "Amount", "AMOUNT"),
        ("snowflake", "My Col", "My Col"),
        ("snowflake", "a.b", "a.b"),
        ("snowflake", "metadata$action", "METADATA$ACTION"),
        ("postgres", "Amount", "amount"),
        ("postgres", "A.b", "A.b"),
        ("redshift", "Größe", "größe"),
        ("bigquery", "Addr.City", "addr.city"),
        ("bigquery", "Addr.My City", "addr.My City"),
        ("databricks", "Addr.City", "addr.city"),
        ("mysql", "Amount", "amount"),
        ("clickhouse", "Amount", "Amount"),
        ("clickhouse", "N.a", "N.a"),
        ("oracle", "Amount", "Amount"),
        *((dialect, "*", "*") for dialect in ("snowflake", "postgres", "bigquery", "clickhouse")),
    ],
)
def test_columns_are_spelled_as_the_engine_stores_them(
    dialect: str, written: str, folded: str
) -> None:
    assert fold_column(written, dialect) == folded
    assert fold_column(folded, dialect) == folded
    assert Catalog().column(written, None, dialect) == folded


def test_a_dollar_sign_in_a_tables_name_needs_no_quotes() -> None:
    assert fold("Orders$Old", "snowflake") == "ORDERS$OLD"


def test_the_catalogs_spelling_of_a_column_comes_first() -> None:
    table = catalog_of("D.S.T").to_pylist()
    names = ("Id", "Addr", "Addr.City", "twice", "Twice")
    table[0]["columns"] = [{"name": name} for name in names]
    catalog = Catalog(pa.Table.from_pylist(table, schema=CATALOG_TABLES.schema))
    written = ("ID", "addr.CITY", "Twice", "TWICE", "New", "*")
    spelled = ["Id", "Addr.City", "Twice", "twice", "new", "*"]
    assert [catalog.column(name, 0, "postgres") for name in written] == spelled
    assert [catalog.column(name, 0, "clickhouse") for name in written] == list(written)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (["p.d.events_20260101", "p.d.events_20260102"], "svc.p.d.events_20260102"),
        (["p.d.events_*", "p.d.events_20260102"], "svc.p.d.events_*"),
        (["p.d.events_YYYYMMDD", "p.d.events_20260102"], "svc.p.d.events_YYYYMMDD"),
        (["p.d.events_intraday_20260101", "p.e.events_20260101"], "not_in_catalog"),
        (["p.d.events_v2", "p.d.events_"], "not_in_catalog"),
    ],
)
def test_date_sharded_tables_are_the_catalogs_one_or_newest(
    stored: list[str], expected: str
) -> None:
    catalog = Catalog(catalog_of(*stored))
    found = catalog.resolve(("d", "events_*"), Namespace("bigquery", "p"))
    assert (found.fqn or found.problem) == expected


def test_shards_in_two_projects_are_ambiguous() -> None:
    catalog = Catalog(catalog_of("p.d.events_20260101", "q.d.events_20260101"))
    assert catalog.resolve(("d", "events_*"), Namespace("bigquery")).problem == "ambiguous"
    assert catalog.resolve(("d", "events_*"), Namespace("snowflake", "p")).fqn is None
