"""What the metadata of `lineage/statements` tells of its gaps."""

from __future__ import annotations

from hex_assets.assets.lineage import TOP_REASONS, top_reasons
from hex_assets.lineage import derive_statements
from hex_assets.tables import STATEMENTS
from hex_assets_tests.lineage.test_edges import log_of, row


def test_the_commonest_gaps_come_first_with_a_bar_and_an_example() -> None:
    log = log_of(
        row(1, "SELECT a FROM t"),
        row(2, "SELECT a FROM t WHERE ((("),
        *(row(number, "SELECT a FROM broken", status="failed") for number in range(3, 7)),
    )
    table = top_reasons(derive_statements(log)).value
    lines = table.splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["query_failed", "cut"]
    assert [line.count("█") for line in lines[2:]] == [10, 2]
    assert "q6" in lines[2] and "q2" in lines[3]


def test_a_ledger_without_gaps_has_no_reasons() -> None:
    log = log_of(row(1, "SELECT a FROM t"))
    assert "█" not in top_reasons(derive_statements(log)).value
    assert "█" not in top_reasons(STATEMENTS.empty()).value


def test_only_the_top_of_many_gaps_is_shown() -> None:
    statements = derive_statements(log_of(row(1, "SELECT a FROM t WHERE (((")))
    rows = statements.to_pylist()
    many = [rows[0] | {"reason": f"reason_{number}"} for number in range(TOP_REASONS + 5)]
    table = top_reasons(statements.from_pylist(many, schema=statements.schema)).value
    assert table.count("reason_") == TOP_REASONS
