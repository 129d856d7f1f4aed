"""What a change to one table or column touches. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from hex_assets.report.data import USAGES, Edge, Project, Report, TableEntry

_PART = re.compile(r'"((?:[^"]|"")*)"|`([^`]*)`|([^."`]+)')


class UnknownName(LookupError):
    """The report has no such table or column; the message suggests near names."""


class AmbiguousName(LookupError):
    """The name fits several; the message names them."""


@dataclass(frozen=True)
class Subject:
    """A table, or one of its columns."""

    table: TableEntry
    position: int
    column: str | None = None

    @property
    def name(self) -> str:
        """The dotted name."""
        return f"{self.table.name}.{self.column}" if self.column else self.table.name


@dataclass(frozen=True)
class CellUse:
    """One cell's use of the subject."""

    cell_id: str | None
    columns: tuple[str, ...]
    usage: tuple[str, ...]
    output_columns: tuple[str, ...]
    query_count: int
    last_seen_at: datetime
    users: tuple[str, ...]
    contexts: tuple[str, ...]
    evidence: tuple[str, ...]
    sample_query_id: str
    partial: bool


@dataclass(frozen=True)
class ProjectUse:
    """One project's use of the subject, with its cells, the busiest first."""

    project: Project
    cells: tuple[CellUse, ...]

    @property
    def query_count(self) -> int:
        """Executions, over all cells."""
        return sum(cell.query_count for cell in self.cells)

    @property
    def last_seen_at(self) -> datetime:
        """The last of them."""
        return max(cell.last_seen_at for cell in self.cells)

    @property
    def usage(self) -> tuple[str, ...]:
        """Any of output, filter, join, group, order, in this order."""
        return tuple(u for u in USAGES if any(u in cell.usage for cell in self.cells))

    @property
    def users(self) -> tuple[str, ...]:
        """People, by e-mail."""
        return tuple(sorted({user for cell in self.cells for user in cell.users}))


@dataclass(frozen=True)
class Impact:
    """Who reads and writes the subject."""

    subject: Subject
    readers: tuple[ProjectUse, ...]
    """Certain readers, the busiest first."""
    possible_readers: tuple[ProjectUse, ...]
    """They read the table by statements whose columns are not known whole."""
    writers: tuple[ProjectUse, ...]

    @property
    def owners(self) -> tuple[str, ...]:
        """Whom to write to."""
        found = (use.project.owner for use in (*self.readers, *self.possible_readers))
        return tuple(sorted({owner for owner in found if owner}))


def find(report: Report, text: str) -> Subject:
    """The table or column that a name means: its full name or a dotted end of it.

    Case does not count unless it alone tells two names apart.

    Raises:
        UnknownName: nothing fits.
        AmbiguousName: several do.
    """
    asked = split_name(text)
    if not asked:
        raise UnknownName("an empty name; write TABLE or TABLE.COLUMN")
    wanted = [part.lower() for part in asked]
    found = []
    for position, table in enumerate(report.tables):
        parts = split_name(table.name)
        found += [
            Subject(table, position, column)
            for column in _fits([part.lower() for part in parts], table.columns, wanted)
        ]
    if len(found) > 1:
        exact = [s for s in found if split_name(s.name) == asked]
        whole = [s for s in found if len(split_name(s.name)) == len(asked)]
        cased = [s for s in found if split_name(s.name)[-len(asked) :] == asked]
        found = next((some for some in (exact, whole, cased) if len(some) == 1), found)
    if len(found) > 1:
        named = "\n".join(f"  {_described(subject)}" for subject in found[:20])
        more = f"\n  and {len(found) - 20} more" if len(found) > 20 else ""
        raise AmbiguousName(f"{text} fits {len(found)} names; write one in full:\n{named}{more}")
    if not found:
        raise UnknownName(_unknown(report, text))
    return found[0]


def split_name(text: str) -> list[str]:
    """The parts of a dotted name; a part with a dot stands in double quotes or backticks."""
    return [
        double.replace('""', '"') or back or plain.strip()
        for double, back, plain in _PART.findall(text)
        if double or back or plain.strip()
    ]


def impact_of(report: Report, subject: Subject) -> Impact:
    """Fold the edges of a subject by project and cell."""
    edges = [edge for edge in report.edges if edge.table == subject.position]
    cells: dict[tuple[str, int, str | None], list[Edge]] = {}
    for edge in edges:
        cells.setdefault((edge.direction, edge.project, edge.cell_id), []).append(edge)
    readers: dict[int, list[CellUse]] = {}
    possible: dict[int, list[CellUse]] = {}
    writers: dict[int, list[CellUse]] = {}
    for (direction, project, _), rows in cells.items():
        use = _cell_use(rows, subject.column)
        if direction == "write":
            # Dropping a column breaks who writes the table as well, whatever columns it names.
            writers.setdefault(project, []).append(use or _whole_use(rows))
        elif use is not None:
            readers.setdefault(project, []).append(use)
        elif _columns_unknown(rows):
            possible.setdefault(project, []).append(_whole_use(rows))
    return Impact(
        subject,
        _uses(report, readers),
        _uses(report, {p: uses for p, uses in possible.items() if p not in readers}),
        _uses(report, writers),
    )


def _fits(parts: list[str], columns: Iterable[str], wanted: list[str]) -> list[str | None]:
    """None for the table itself, a name for each column, where the wanted parts are their end."""
    found: list[str | None] = [None] if parts[-len(wanted) :] == wanted else []
    for column in columns:
        full = [*parts, *column.lower().split(".")]
        own = len(full) - len(parts)
        # A column's own name alone means nothing: the table must be named.
        if len(wanted) > own and full[-len(wanted) :] == wanted:
            found.append(column)
    return found


def _described(subject: Subject) -> str:
    kind = "column" if subject.column else "table"
    where = f" in {subject.table.warehouse}" if subject.table.warehouse else ""
    return f"{subject.name} ({kind}{where})"


def _unknown(report: Report, text: str) -> str:
    names: dict[str, str] = {}
    tail = len(split_name(text))
    for table in report.tables:
        for full in (table.name, *(f"{table.name}.{column}" for column in table.columns)):
            names.setdefault(".".join(split_name(full)[-tail:]).lower(), full)
    near = difflib.get_close_matches(text.lower(), names, n=5, cutoff=0.6)
    if near:
        listed = "\n".join(f"  {names[name]}" for name in near)
        return f"no table or column is called {text}. Near names:\n{listed}"
    known = "the catalog and the queries" if not report.gaps.no_catalog else "the queries"
    return (
        f"no table or column is called {text} in {known} of {report.window.first_day} to "
        f"{report.window.last_day} ({len(report.tables)} tables are known)"
    )


def _cell_use(rows: list[Edge], column: str | None) -> CellUse | None:
    """A cell's use of the table, or of one column if it has any."""
    if column is None:
        return _whole_use(rows)
    columns = [row for row in rows if row.column == column]
    return _folded(columns, columns) if columns else None


def _whole_use(rows: list[Edge]) -> CellUse:
    # The table's own row counts every query once; column rows of one query never add up.
    columns = [row for row in rows if row.column is not None]
    return _folded([row for row in rows if row.column is None] or columns, columns)


def _folded(counted: list[Edge], columns: list[Edge]) -> CellUse:
    return CellUse(
        cell_id=counted[0].cell_id,
        columns=tuple(sorted({row.column for row in columns if row.column is not None})),
        usage=tuple(usage for usage in USAGES if any(usage in row.usage for row in columns)),
        output_columns=tuple(sorted({name for row in columns for name in row.output_columns})),
        query_count=max(row.query_count for row in counted),
        last_seen_at=max(row.last_seen_at for row in counted),
        users=tuple(sorted({user for row in counted for user in row.users})),
        contexts=tuple(sorted({context for row in counted for context in row.contexts})),
        evidence=tuple(sorted({kind for row in counted for kind in row.evidence})),
        sample_query_id=counted[0].sample_query_id,
        partial=any(row.partial for row in counted),
    )


def _columns_unknown(rows: list[Edge]) -> bool:
    """Whether columns may be missing: understood in part, or known by an engine that names none."""
    if any(row.partial for row in rows):
        return True
    return all(row.column is None and "parsed" not in row.evidence for row in rows)


def _uses(report: Report, cells: dict[int, list[CellUse]]) -> tuple[ProjectUse, ...]:
    uses = [
        ProjectUse(
            report.projects[project],
            tuple(sorted(found, key=lambda cell: (-cell.query_count, cell.cell_id or ""))),
        )
        for project, found in cells.items()
    ]
    return tuple(sorted(uses, key=lambda use: (-use.query_count, use.project.project_id)))
