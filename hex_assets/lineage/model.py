"""What is known of one statement: the value that the lineage engine returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol


class SchemaProvider(Protocol):
    """What the engine asks a catalog for: the columns of a table."""

    def columns_of(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """Column names of the table with a name as written; None if unknown or ambiguous."""
        ...


class ColumnUse(NamedTuple):
    """How a statement uses one column of a table that it reads."""

    table: str
    """Dotted name of the table as in `StatementLineage.sources`."""
    column: str
    """Column as written, or as the catalog spells it where a star was expanded."""
    usage: tuple[str, ...]
    """Any of output, filter, join, group, order; sorted in this order."""


@dataclass(frozen=True)
class StatementLineage:
    """Tables and columns that one SQL text reads and writes.

    Names are dotted, as written, without quotes; a part that itself has a dot keeps it (use
    `source_parts` where that matters). Nothing here is a guess: what is not certain is left out
    and `partial` says so, with the reason.
    """

    sources: tuple[str, ...] = ()
    """Tables read, in order of appearance; never CTEs, table functions or files."""
    targets: tuple[str, ...] = ()
    """Tables written."""
    columns: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Pairs of output column and the `table.column` names that it comes from."""
    uses: tuple[ColumnUse, ...] = ()
    """Every column of a source table that the statement needs, and what for."""
    files: tuple[str, ...] = ()
    """Stages, paths and URLs that are read or written: no tables."""
    source_parts: tuple[tuple[str, ...], ...] = ()
    """`sources`, split into name parts."""
    target_parts: tuple[tuple[str, ...], ...] = ()
    """`targets`, split into name parts."""
    partial: bool = False
    """Something of the text was not understood; what is given is still certain."""
    reason: str | None = None
    """A code for what is missing, such as no_lineage, syntax, cut, jinja, too_large, dynamic."""
    error: str | None = None
    """The message for a person, when nothing or not all could be known."""
    unresolved_columns: tuple[str, ...] = ()
    """Columns, as written, that fit several tables or none: left out of `columns` and `uses`."""
    target_columns: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """Written columns, where the text or the catalog names them: the table as in `targets`, its
    column, and the `table.column` names that this comes from."""
    temporary_sources: tuple[str, ...] = ()
    """Those of `sources` that the session has made before, such as T-SQL's `#t`."""
    temporary_targets: tuple[str, ...] = ()
    """Those of `targets` that end with the session."""
    dialect: str | None = None
    """The dialect that parsed the text, if it was not the one asked for."""
