"""What a MERGE takes from its source where it names no columns."""

from __future__ import annotations

from enum import Enum, auto

from sqlglot import exp

_BY_POSITION = frozenset({"duckdb"})
"""Dialects in which the star of INSERT * and UPDATE SET * goes by position, not by name."""


class Given(Enum):
    """How the source's columns become the target's."""

    BY_NAME = auto()
    BY_POSITION = auto()
    NOTHING = auto()


def given_row(action: exp.Expr | None, dialect: str) -> Given | None:
    """How UPDATE *, INSERT BY NAME and the like take the source's row; None of other actions."""
    star = Given.BY_POSITION if dialect in _BY_POSITION else Given.BY_NAME
    if isinstance(action, exp.Update):
        assigned = action.args["expressions"]
        if not isinstance(assigned, list) or any(isinstance(i, exp.Star) for i in assigned):
            return star
        by_name = any(isinstance(item, exp.Columns) for item in assigned)
        return Given.BY_NAME if by_name else None
    if not isinstance(action, exp.Insert) or action.args.get("expression"):
        return None
    columns = action.this
    if isinstance(columns, exp.Star):
        return star
    only = next(iter(columns.expressions), None) if isinstance(columns, exp.Tuple) else None
    if isinstance(only, exp.Alias) and only.this.name.upper() == "BY":
        return Given.BY_NAME if only.alias.upper() == "NAME" else Given.BY_POSITION
    if isinstance(only, exp.Column) and only.name.upper() == "DEFAULT":
        return Given.NOTHING  # INSERT DEFAULT VALUES
    return None


def by_position(cells: list[exp.Expr], columns: list[str]) -> list[str]:
    """The columns that VALUES without a list fills; none where positions do not tell."""
    has_star = any(isinstance(cell, exp.Star) or cell.is_star for cell in cells)
    return [] if has_star or len(cells) > len(columns) else columns


def is_default(cell: exp.Expr) -> bool:
    """Whether a value is the word DEFAULT, which is parsed as a column."""
    if not isinstance(cell, exp.Column) or len(cell.parts) > 1:
        return False
    return cell.name.upper() == "DEFAULT" and not cell.this.args.get("quoted")
