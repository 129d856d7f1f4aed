"""What an edge and a column say about how they are known."""

from __future__ import annotations

import pytest

from hex_assets_tests.openmetadata.conftest import (
    COPY,
    ORDERS,
    TABLES,
    USERS,
    P,
    edge,
    run_publish,
    statement,
    world,
)
from hex_assets_tests.openmetadata.looking import edges, writes_of

MODEL = f"hex.model.{P[0]}_c1"


def listed(*pairs):
    return [
        {"project_id": P[n], "data_connection_id": "c", "table_name": name} for n, name in pairs
    ]


def test_edges_say_whether_hex_agrees_and_silence_stays_silence(server):
    rows = world(queried=listed((0, "SHOP.Orders"), (1, "other.users")), catalog=True)
    writes_of(server, rows)
    found = edges(server)
    assert "; Hex agrees;" in found[ORDERS, MODEL]["description"]
    assert "; Hex does not list it;" in found[USERS, f"hex.{P[1]}"]["description"]
    written = found[f"hex.{P[2]}", COPY]["description"]
    assert "Hex agrees" not in written and "not list" not in written
    assert writes_of(server, rows) == []


def test_tables_that_only_hex_lists_are_told_and_become_edges_by_option(server):
    names = ("`default`.shop.users", "default.shop.nowhere")
    rows = world(queried=listed(*((0, name) for name in names)), catalog=True)
    done = run_publish(server.url, rows)
    reasons = {r["entity"]: r["reason"] for r in done.receipts.to_pylist()}
    assert "includeQueriedTables is off" in reasons[f"{USERS} -> hex.{P[0]}"]
    assert "no table of the catalog" in reasons[f"default.shop.nowhere -> hex.{P[0]}"]
    assert (USERS, f"hex.{P[0]}") not in edges(server)
    [(method, path, body)] = writes_of(server, rows, includeQueriedTables=True)
    assert (method, path) == ("PUT", "/lineage")
    details = body["edge"]["lineageDetails"]
    assert details["description"].startswith("From Hex: its list of queried tables")
    assert writes_of(server, rows, includeQueriedTables=True) == []
    assert [w[0] for w in writes_of(server, rows)] == ["DELETE"]


def test_a_name_that_fits_two_tables_becomes_no_edge(server):
    server.seed({"ch.default.archive.users": TABLES[USERS]})
    rows = world(queried=listed((0, "users")), catalog=True)
    done = run_publish(server.url, rows, includeQueriedTables=True)
    [reason] = [
        r["reason"] for r in done.receipts.to_pylist() if r["entity"] == f"users -> hex.{P[0]}"
    ]
    assert "ch.default.archive.users" in reason and USERS in reason


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select amount from shop.orders", "DOUBLE"),
        ("select o.amount from shop.orders o where id > 1", "DOUBLE"),
        ("select * from shop.orders", "DOUBLE"),
        ("select sum(amount) as amount from shop.orders", "UNKNOWN"),
        ("select cast(amount as String) as amount from shop.orders", "STRING"),
        ("select amount from (select sum(amount) as amount from shop.orders)", "UNKNOWN"),
        ("with a as (select 1 as amount) select amount from a", "UNKNOWN"),
        ("select amount from shop.orders union all select 1", "UNKNOWN"),
        ("select amount from broken (", "UNKNOWN"),
    ],
)
def test_a_column_has_a_type_only_where_it_is_certain(server, sql, expected):
    rows = world(catalog=True)
    rows.statements = [
        statement() | {"text": sql, "columns": [{"output": "amount", "sources": ["x.amount"]}]}
    ]
    rows.edges[1] = edge(0, ORDERS, "amount", cell_id="c1", output_columns=["amount"])
    writes_of(server, rows)
    model = server.entity("dashboardDataModel", MODEL)
    assert model["columns"] == [{"name": "amount", "dataType": expected}]
    assert writes_of(server, rows) == []


def test_types_that_need_more_than_a_name_are_sent_so_that_the_server_takes_them(server):
    server.seed({"ch.default.shop.odd": [("text", "STRING"), ("items", "STRING")]})
    columns = server.entity("table", "ch.default.shop.odd")["columns"]
    columns[0] |= {"dataType": "VARCHAR", "dataLength": 20}
    columns[1] |= {"dataType": "ARRAY", "arrayDataType": "INT"}
    odd = "ch.default.shop.odd"
    rows = world(catalog=True)
    rows.edges = [
        edge(0, odd, name, cell_id="c1", output_columns=[name]) for name in ("text", "items")
    ]
    outputs = [{"output": name, "sources": [f"odd.{name}"]} for name in ("text", "items")]
    rows.statements = [statement() | {"text": "select text, items from odd", "columns": outputs}]
    run_publish(server.url, rows).raise_failures()
    assert server.entity("dashboardDataModel", MODEL)["columns"] == [
        {"name": "text", "dataType": "STRING"},
        {"name": "items", "dataType": "ARRAY", "arrayDataType": "UNKNOWN"},
    ]
    assert writes_of(server, rows) == []


def test_columns_that_the_catalog_lacks_are_told_and_not_sent(server):
    rows = world(catalog=True)
    rows.edges.append(edge(0, ORDERS, "lost", cell_id="c1", output_columns=["total"]))
    done = run_publish(server.url, rows)
    assert edges(server)[ORDERS, MODEL]["columnsLineage"] == [
        {"fromColumns": [f"{ORDERS}.amount"], "toColumn": f"{MODEL}.total"}
    ]
    [row] = [r for r in done.receipts.to_pylist() if r["entity_type"] == "column"]
    assert row["entity"].startswith(f"{ORDERS}.lost") and row["operation"] == "skipped"
