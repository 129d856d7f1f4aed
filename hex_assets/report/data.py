"""The stored frames as one frozen model of what reads and writes what. Pure: no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pyarrow as pa

USAGES = ("output", "filter", "join", "group", "order")
"""What a column is used for, in the order in which it is shown."""
MAX_COLUMNS = 200_000
"""Columns of unread tables are left out above this, and counted: some 2 MB of page."""


@dataclass(frozen=True)
class Project:
    """A Hex project or component; `known` is false when no snapshot has it."""

    project_id: str
    title: str
    kind: str = "PROJECT"
    known: bool = True
    description: str | None = None
    url: str | None = None
    owner: str | None = None
    creator: str | None = None
    status: str | None = None
    categories: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    views: int | None = None
    """Views of the app, all time; null when Hex did not tell."""
    views_30_days: int | None = None
    last_viewed_at: datetime | None = None
    last_edited_at: datetime | None = None
    last_published_at: datetime | None = None
    retired: str | None = None
    """`archived` or `in the trash`."""
    statement_count: int = 0
    """Distinct statements a day that it sent, summed over the window's days."""
    gap_count: int = 0
    """Those of them that were not understood whole."""

    def cell_url(self, cell_id: str) -> str | None:
        """Link that opens a cell, made as Hex's query comment makes it."""
        if self.url is None:
            return None
        for kind in ("hex", "app"):
            base, found, _ = self.url.partition(f"/{kind}/{self.project_id}")
            if found:
                return f"{base}/hex/{self.project_id}/draft/logic?selectedCellId={cell_id}"
        return self.url


@dataclass(frozen=True)
class Cell:
    """What Hex tells of a cell that a query names."""

    label: str | None
    url: str | None


@dataclass(frozen=True)
class TableEntry:
    """A table of the catalog, or one that a query named and the catalog lacks."""

    name: str
    """The catalog's fully qualified name, else the dotted name as resolved."""
    warehouse: str | None
    """The warehouse whose log names it; null when nothing read or wrote it."""
    in_catalog: bool
    columns: tuple[str, ...] = ()
    """Columns of the catalog in its order, then columns that only queries named."""

    @property
    def key(self) -> str:
        """Identifies a table: names outside the catalog are unique in a warehouse only."""
        return self.name if self.in_catalog else f"{self.warehouse}:{self.name}"


@dataclass(frozen=True)
class Edge:
    """One row of lineage/edges, with its project and table as positions in the report."""

    project: int
    table: int
    cell_id: str | None
    column: str | None
    """None on the row that counts the cell's queries of the table."""
    direction: str
    usage: tuple[str, ...]
    output_columns: tuple[str, ...]
    query_count: int
    first_seen_at: datetime
    last_seen_at: datetime
    users: tuple[str, ...]
    contexts: tuple[str, ...]
    sample_query_id: str
    evidence: tuple[str, ...]
    partial: bool


@dataclass(frozen=True)
class Links:
    """Where the page's links lead; None leaves them out."""

    openmetadata: str | None = None
    """The catalog's web address, without `/api`."""
    dashboard_service: str = "hex"


@dataclass(frozen=True)
class Window:
    """The days whose edges are in the report, both ends included."""

    first_day: date
    last_day: date
    stored_days: int
    """Days of edges that are stored; fewer than the window has means gaps."""

    @property
    def days(self) -> int:
        """Length in days."""
        return (self.last_day - self.first_day).days + 1


@dataclass(frozen=True)
class Gaps:
    """What the report cannot see, so that an empty list is not taken for certainty."""

    statement_count: int = 0
    not_whole_count: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    """Reason and statements, the commonest first."""
    ambiguous: tuple[str, ...] = ()
    """Names that fit two tables of the catalog."""
    hidden_column_count: int = 0
    """Columns of unread tables that were left out for size."""
    no_catalog: bool = False
    no_projects: bool = False


@dataclass(frozen=True)
class Report:
    """All that the page and the command line show."""

    projects: tuple[Project, ...]
    tables: tuple[TableEntry, ...]
    edges: tuple[Edge, ...]
    window: Window
    generated_at: datetime
    links: Links = Links()
    gaps: Gaps = field(default_factory=Gaps)
    cells: Mapping[tuple[str, str], Cell] = field(default_factory=dict)
    """By project and cell id; only cells that an edge names, and that Hex listed."""

    def cell(self, project: Project, cell_id: str) -> Cell:
        """A cell's label and link; the link is made from the project's when Hex told none."""
        found = self.cells.get((project.project_id, cell_id))
        return found or Cell(None, project.cell_url(cell_id))

    def dead_projects(self) -> tuple[Project, ...]:
        """Projects that sent no query in the window and have no view in 30 days.

        Unknown views count as unknown, not as none; components have no views of their own;
        archived and trashed projects are retired already.
        """
        active = {edge.project for edge in self.edges}
        return tuple(
            project
            for position, project in enumerate(self.projects)
            if project.known
            and project.kind == "PROJECT"
            and project.retired is None
            and project.views_30_days == 0
            and not project.statement_count
            and position not in active
        )

    def readers(self) -> dict[int, set[int]]:
        """Position of a table -> positions of the projects that read it."""
        found: dict[int, set[int]] = {}
        for edge in self.edges:
            if edge.direction == "read":
                found.setdefault(edge.table, set()).add(edge.project)
        return found

    def read_by_one(self) -> tuple[TableEntry, ...]:
        """Tables that a single project reads."""
        return tuple(self.tables[at] for at, by in self.readers().items() if len(by) == 1)

    def not_in_catalog(self) -> tuple[TableEntry, ...]:
        """Tables that queries name and the catalog lacks; empty without a catalog."""
        if self.gaps.no_catalog:
            return ()
        return tuple(table for table in self.tables if not table.in_catalog)


def build_report(
    *,
    projects: pa.Table,
    edges: pa.Table,
    catalog: pa.Table,
    statements: Iterable[pa.Table],
    window: Window,
    generated_at: datetime,
    links: Links = Links(),
    cells: pa.Table | None = None,
    max_columns: int = MAX_COLUMNS,
) -> Report:
    """Join the frames into one model.

    Args:
        projects: the newest snapshot, as `tables.PROJECTS`.
        edges: the window's edges folded into one table, as `tables.EDGES`.
        catalog: the newest snapshot, as `tables.CATALOG_TABLES`.
        statements: the window's days, as `tables.STATEMENTS`.
        window: the days that edges and statements are of.
        generated_at: when.
        links: where links lead.
        cells: the newest snapshot, as `tables.CELLS`, for labels and links; None: not read.
        max_columns: columns to hold; those of tables that nothing touched are left out first.
    """
    sent, not_whole, gaps = _statement_counts(statements)
    found = _projects(projects, sent, not_whole)
    rows = edges.to_pylist()
    for row in rows:
        if row["project_id"] not in found:
            found[row["project_id"]] = _unknown(row["project_id"], sent, not_whole)
    tables, hidden = _tables(catalog, rows, max_columns)
    project_at = {key: position for position, key in enumerate(found)}
    table_at = {table.key: position for position, table in enumerate(tables)}
    return Report(
        projects=tuple(found.values()),
        tables=tables,
        edges=tuple(
            _edge(row, project_at[row["project_id"]], table_at[_table_key(row)]) for row in rows
        ),
        window=window,
        generated_at=generated_at,
        links=links,
        gaps=Gaps(
            statement_count=gaps.statement_count,
            not_whole_count=gaps.not_whole_count,
            reasons=gaps.reasons,
            ambiguous=gaps.ambiguous,
            hidden_column_count=hidden,
            no_catalog=catalog.num_rows == 0,
            no_projects=projects.num_rows == 0,
        ),
        cells=_cells(cells, rows),
    )


def _statement_counts(
    tables: Iterable[pa.Table],
) -> tuple[Counter[str], Counter[str], Gaps]:
    sent: Counter[str] = Counter()
    not_whole: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    ambiguous: set[str] = set()
    count = 0
    for table in tables:
        for row in table.select(["project_ids", "status", "reason", "ambiguous"]).to_pylist():
            count += 1
            sent.update(row["project_ids"])
            ambiguous.update(row["ambiguous"])
            if row["status"] not in ("resolved", "empty"):
                not_whole.update(row["project_ids"])
                reasons[row["reason"] or row["status"]] += 1
    gaps = Gaps(
        statement_count=count,
        not_whole_count=sum(reasons.values()),
        reasons=tuple(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        ambiguous=tuple(sorted(ambiguous)),
    )
    return sent, not_whole, gaps


def _projects(
    frame: pa.Table, sent: Mapping[str, int], not_whole: Mapping[str, int]
) -> dict[str, Project]:
    found = {}
    for row in frame.to_pylist():
        key = row["project_id"]
        found[key] = Project(
            project_id=key,
            title=row["title"] or key,
            kind=row["project_type"],
            description=row["description"],
            url=row["url"],
            owner=row["owner_email"],
            creator=row["creator_email"],
            status=row["status"],
            categories=tuple(category["name"] for category in row["categories"]),
            collections=tuple(row["collections"] or ()),
            views=row["app_view_count"],
            views_30_days=row["app_view_count_30_days"],
            last_viewed_at=row["last_viewed_at"],
            last_edited_at=row["last_edited_at"],
            last_published_at=row["last_published_at"],
            retired="in the trash"
            if row["trashed_at"]
            else "archived"
            if row["archived_at"]
            else None,
            statement_count=sent.get(key, 0),
            gap_count=not_whole.get(key, 0),
        )
    for key in sent:
        if key not in found:
            found[key] = _unknown(key, sent, not_whole)
    return found


def _unknown(key: str, sent: Mapping[str, int], not_whole: Mapping[str, int]) -> Project:
    """A project that queries name and the snapshot lacks: deleted, or hidden from the token."""
    return Project(
        project_id=key,
        title=key,
        known=False,
        statement_count=sent.get(key, 0),
        gap_count=not_whole.get(key, 0),
    )


def _cells(
    frame: pa.Table | None, rows: Iterable[Mapping[str, Any]]
) -> dict[tuple[str, str], Cell]:
    if frame is None:
        return {}
    named = {(row["project_id"], row["cell_id"]) for row in rows}
    return {
        (row["project_id"], row["cell_id"]): Cell(row["label"], row["url"])
        for row in frame.select(["project_id", "cell_id", "label", "url"]).to_pylist()
        if (row["project_id"], row["cell_id"]) in named
    }


def _table_key(row: Mapping[str, Any]) -> str:
    fqn: str | None = row["table_fqn"]
    return fqn if fqn is not None else f"{row['warehouse']}:{row['table']}"


def _tables(
    catalog: pa.Table, rows: Iterable[Mapping[str, Any]], max_columns: int
) -> tuple[tuple[TableEntry, ...], int]:
    columns: dict[str, dict[str, None]] = {
        row["fqn"]: dict.fromkeys(column["name"] for column in row["columns"])
        for row in catalog.select(["fqn", "columns"]).to_pylist()
    }
    names: dict[str, str] = {fqn: fqn for fqn in columns}
    warehouses: dict[str, str] = {}
    in_catalog = set(columns)
    for row in rows:
        key = _table_key(row)
        names.setdefault(key, row["table_fqn"] or row["table"])
        warehouses.setdefault(key, row["warehouse"])
        named = columns.setdefault(key, {})
        if row["table_fqn"] is not None:
            in_catalog.add(key)
        if row["column"] is not None:
            named.setdefault(row["column"])
    room = max_columns - sum(len(columns[key]) for key in warehouses)
    hidden = 0
    tables = []
    # Touched tables first: their columns always stay.
    for key in sorted(names, key=lambda key: (key not in warehouses, key)):
        kept = tuple(columns[key])
        if key not in warehouses:
            room -= len(kept)
            if room < 0:
                hidden += len(kept)
                kept = ()
        tables.append(TableEntry(names[key], warehouses.get(key), key in in_catalog, kept))
    return tuple(tables), hidden


def _edge(row: Mapping[str, Any], project: int, table: int) -> Edge:
    return Edge(
        project=project,
        table=table,
        cell_id=row["cell_id"],
        column=row["column"],
        direction=row["direction"],
        usage=tuple(usage for usage in USAGES if usage in row["usage"]),
        output_columns=tuple(row["output_columns"]),
        query_count=row["query_count"],
        first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"],
        users=tuple(row["users"]),
        contexts=tuple(row["contexts"]),
        sample_query_id=row["sample_query_id"],
        evidence=tuple(row["evidence"]),
        partial=row["partial"],
    )
