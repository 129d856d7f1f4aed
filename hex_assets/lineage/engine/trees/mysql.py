"""What MySQL's changes have that no other dialect has."""

from __future__ import annotations

from sqlglot import exp


def read_for_others(node: exp.Update) -> frozenset[str]:
    """The names of tables whose columns are assigned to columns of other tables."""
    found: set[str] = set()
    for item in node.expressions:
        if isinstance(item, exp.EQ) and isinstance(item.this, exp.Column):
            names = {column.table.casefold() for column in item.expression.find_all(exp.Column)}
            found |= names - {item.this.table.casefold()}
    return frozenset(found)


_CLOCKS = frozenset({"utc_date", "utc_time", "utc_timestamp"})


def is_clock(column: exp.Column) -> bool:
    """Whether a name is a function that needs no parentheses."""
    return column.name.casefold() in _CLOCKS and not column.this.args.get("quoted")
