from __future__ import annotations

from datetime import date

import pytest

from hex_assets.report.data import Report, Window, build_report
from hex_assets.report.encode import payload
from hex_assets.report.impact import AmbiguousName, UnknownName, find, impact_of, split_name
from hex_assets.tables import CATALOG_TABLES, EDGES
from hex_assets_tests.report.frames import CUSTOMERS, NOW, ORDERS, UNREAD, edge, small_frames, table

WINDOW = Window(date(2026, 11, 1), date(2026, 11, 20), 18)


def report_of(**changes: object) -> Report:
    return build_report(**(small_frames() | changes), window=WINDOW, generated_at=NOW)


def test_a_dead_project_has_neither_queries_nor_views_and_unknown_views_are_not_none() -> None:
    # puzzled sent a query that nobody understood: it is alive, though it has no edge.
    assert [project.project_id for project in report_of().dead_projects()] == ["dead"]


def test_a_project_that_hex_does_not_list_is_kept_and_marked() -> None:
    ghost = next(p for p in report_of().projects if p.project_id == "ghost")
    assert not ghost.known


def test_tables_that_only_queries_name_are_missing_but_not_without_a_catalog() -> None:
    assert [t.name for t in report_of().not_in_catalog()] == ["lost.table"]
    assert report_of(catalog=CATALOG_TABLES.empty()).not_in_catalog() == ()


def test_read_by_one_counts_projects_and_not_cells_or_writers() -> None:
    assert {t.name for t in report_of().read_by_one()} == {CUSTOMERS, "lost.table"}


def test_one_name_in_two_warehouses_stays_two_tables() -> None:
    rows = [edge("sales", "a.b"), edge("sales", "a.b", warehouse="other")]
    report = report_of(edges=EDGES.from_rows(rows))
    assert sorted(t.key for t in report.tables if t.name == "a.b") == ["main:a.b", "other:a.b"]


def test_columns_of_unread_tables_go_first_and_are_counted() -> None:
    report = build_report(**small_frames(), window=WINDOW, generated_at=NOW, max_columns=4)
    columns = {t.name: t.columns for t in report.tables}
    assert columns[ORDERS] == ("Id", "amount", "note") and columns[UNREAD] == ()
    assert report.gaps.hidden_column_count == 1


def test_a_statement_that_was_not_understood_is_counted_with_its_reason() -> None:
    gaps = report_of().gaps
    assert (gaps.statement_count, gaps.not_whole_count, gaps.reasons) == (2, 1, (("syntax", 1),))


def test_every_row_of_the_edges_reaches_the_page() -> None:
    report = report_of()
    page = payload(report)
    edges, strings = page["edges"], page["strings"]
    named = [
        (
            page["projects"]["id"][p],
            page["tables"]["name"][t],
            strings[c] if c >= 0 else None,
            n,
        )
        for p, t, c, n in zip(
            edges["project"], edges["table"], edges["column"], edges["queries"], strict=True
        )
    ]
    frame = small_frames()["edges"].to_pylist()
    assert named == [
        (r["project_id"], r["table_fqn"] or r["table"], r["column"], r["query_count"])
        for r in frame
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("orders", ORDERS),
        ("PUBLIC.Orders", ORDERS),
        (ORDERS, ORDERS),
        ("orders.AMOUNT", f"{ORDERS}.amount"),
        ("orders.id", f"{ORDERS}.Id"),
        ('"orders".`note`', f"{ORDERS}.note"),
        ("lost.table", "lost.table"),
    ],
)
def test_a_name_is_found_by_its_dotted_end_in_any_case(asked: str, found: str) -> None:
    assert find(report_of(), asked).name == found


def test_an_unknown_name_suggests_near_ones() -> None:
    with pytest.raises(UnknownName, match=r"public\.orders\.amount"):
        find(report_of(), "orders.ammount")
    with pytest.raises(UnknownName, match=r"public\.customers"):
        find(report_of(), "custmers")


def test_a_columns_name_alone_is_no_table() -> None:
    with pytest.raises(UnknownName):
        find(report_of(), "amount")


def test_a_name_that_fits_two_tables_names_both() -> None:
    catalog = CATALOG_TABLES.from_rows([table("wh.a.b.orders", "x"), table("wh.c.d.orders", "x")])
    report = report_of(catalog=catalog, edges=EDGES.empty())
    with pytest.raises(AmbiguousName, match=r"(?s)wh\.a\.b\.orders .*wh\.c\.d\.orders "):
        find(report, "orders")
    assert find(report, "b.orders").name == "wh.a.b.orders"


def test_a_part_with_a_dot_stays_one_part() -> None:
    assert split_name('wh."my.db".`a b`.t') == ["wh", "my.db", "a b", "t"]


def test_the_queries_of_a_table_are_not_the_sum_of_its_columns() -> None:
    report = report_of()
    found = impact_of(report, find(report, "orders"))
    assert {u.project.project_id: u.query_count for u in found.readers} == {
        "sales": 40, "growth": 5, "ghost": 5,
    }  # fmt: skip
    assert found.readers[0].usage == ("output", "filter", "join")


def test_a_column_has_its_own_readers_and_names_who_may_read_it() -> None:
    report = report_of()
    found = impact_of(report, find(report, "orders.amount"))
    assert [(u.project.project_id, u.query_count, u.usage) for u in found.readers] == [
        ("sales", 30, ("output",)),
        ("growth", 5, ("filter",)),
    ]
    assert [u.project.project_id for u in found.possible_readers] == ["ghost"]
    assert found.owners == ("growth@fernhill.test", "sales@fernhill.test")


def test_an_engines_log_without_columns_makes_a_possible_reader() -> None:
    rows = EDGES.from_rows([edge("sales", ORDERS, evidence=["engine_log"])])
    report = report_of(edges=rows)
    found = impact_of(report, find(report, "orders.note"))
    assert (len(found.readers), len(found.possible_readers)) == (0, 1)


def test_a_writer_of_the_table_is_no_reader() -> None:
    report = report_of()
    found = impact_of(report, find(report, "customers"))
    assert [u.project.project_id for u in found.readers] == ["growth"]
    assert [u.project.project_id for u in found.writers] == ["sales"]
