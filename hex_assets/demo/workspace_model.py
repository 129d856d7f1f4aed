"""What the sample workspace is made of: plain frozen records, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

Moment = datetime | int
"""A fixed time, or days before today."""

CommentForm = Literal["full", "legacy", "none"]
"""Hex's comment as of 2026, its older form without ids, or no comment at all."""


def stable_id(*parts: str) -> str:
    """A UUID that is the same in every run."""
    return str(uuid5(UUID(str(uuid5(NAMESPACE_URL, "hex-assets-demo"))), "/".join(parts)))


def moment_at(moment: Moment | None, today: datetime) -> datetime | None:
    """Fix a moment in time; one given in days falls on 09:30 UTC of that day."""
    if isinstance(moment, int):
        midnight = today.astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=moment) + timedelta(hours=9, minutes=30)
    return moment


@dataclass(frozen=True)
class WarehouseTable:
    """A table or view of the sample warehouse."""

    database: str
    name: str
    columns: tuple[tuple[str, str], ...]
    """Names and ClickHouse types."""
    rows: str = ""
    """What follows INSERT INTO: `VALUES ...` or a SELECT."""
    order_by: str = ""
    view: str | None = None
    """The SELECT, for a view."""
    in_catalog: bool = True

    @property
    def full_name(self) -> str:
        """`database.table`."""
        return f"{self.database}.{self.name}"

    def ddl(self) -> tuple[str, ...]:
        """The statements that create and fill it."""
        if self.view is not None:
            return (f"CREATE VIEW {self.full_name} AS {self.view}",)
        columns = ", ".join(f"`{name}` {kind}" for name, kind in self.columns)
        engine = f"ENGINE = MergeTree ORDER BY ({self.order_by})"
        create = f"CREATE TABLE {self.full_name} ({columns}) {engine}"
        return (create, f"INSERT INTO {self.full_name} {self.rows}") if self.rows else (create,)


@dataclass(frozen=True)
class Person:
    """A user of the Hex workspace."""

    name: str
    email: str
    role: str = "EDITOR"
    in_catalog: bool = True

    @property
    def user_id(self) -> str:
        """Hex's id of the user."""
        return stable_id("user", self.email)


@dataclass(frozen=True)
class Connection:
    """A data connection of the Hex workspace; `details` as Hex's API gives them."""

    key: str
    name: str
    kind: str
    details: tuple[tuple[str, str | int | bool | None], ...] | None = None

    @property
    def connection_id(self) -> str:
        """Hex's id of the connection."""
        return stable_id("connection", self.key)


@dataclass(frozen=True)
class Collection:
    """A collection of projects."""

    name: str
    description: str | None
    creator_email: str

    @property
    def collection_id(self) -> str:
        """Hex's id of the collection."""
        return stable_id("collection", self.name)


@dataclass(frozen=True)
class Category:
    """A category that the workspace's admins made."""

    name: str
    description: str | None = None


@dataclass(frozen=True)
class Schedule:
    """A schedule of a project; only the fields of its cadence count."""

    cadence: Literal["HOURLY", "DAILY", "WEEKLY", "MONTHLY", "CUSTOM"]
    minute: int = 0
    hour: int = 0
    day_of_week: str = "MONDAY"
    day: int = 1
    cron: str = ""
    timezone: str = "UTC"
    enabled: bool = True


@dataclass(frozen=True)
class Run:
    """How a cell is executed: why, by whom, when and how often."""

    context: str
    user_email: str
    days_ago: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)
    times: int = 1
    """Executions on each of these days."""
    inputs: tuple[tuple[str, str], ...] = ()
    """Values of the cell's `{{ name }}` placeholders."""
    comment: CommentForm = "full"


@dataclass(frozen=True)
class Cell:
    """A cell of a project, with the runs of its SQL."""

    key: str
    cell_type: str
    label: str | None = None
    source: str | None = None
    output_dataframe: str | None = None
    connection: str | None = None
    """Key of the data connection; None for a dataframe SQL cell."""
    component: str | None = None
    """Key of the component that a COMPONENT_IMPORT cell brings in."""
    runs: tuple[Run, ...] = ()
    executed: str | None = None
    """What reaches the warehouse, where it is not `source` with its inputs filled in."""
    database: str = "shop"
    """Default database of the connection's session."""
    fails: bool = False
    """The warehouse refuses it."""
    children: tuple[Cell, ...] = ()
    """Cells in a collapsible section."""


@dataclass(frozen=True)
class Project:
    """A Hex project or component."""

    key: str
    title: str
    owner_email: str | None
    creator_email: str | None
    created: Moment
    edited: Moment
    published: Moment | None = None
    archived: Moment | None = None
    trashed: Moment | None = None
    viewed: Moment | None = None
    description: str | None = None
    component: bool = False
    status: str | None = None
    categories: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    views: tuple[int, int, int, int] = (0, 0, 0, 0)
    """App views: all time, last seven, fourteen and thirty days."""
    cells: tuple[Cell, ...] = ()
    versions: int = 1
    """Number of the latest saved version."""
    selects_version_id: bool = False
    """Its comments' links name a cell's version id; others its static id. Hex tells neither."""

    @property
    def project_id(self) -> str:
        """Hex's id of the project."""
        return stable_id("project", self.key)

    def static_id(self, cell: Cell) -> str:
        """The id of a cell that survives edits."""
        return stable_id("cell", self.key, cell.key)

    def cell_id(self, cell: Cell) -> str:
        """The id of a cell in the draft version."""
        return stable_id("cell", self.key, cell.key, "draft")

    def all_cells(self) -> tuple[Cell, ...]:
        """Its cells in order, those of collapsible sections after their section."""
        return tuple(each for cell in self.cells for each in (cell, *cell.children))


@dataclass(frozen=True)
class Execution:
    """One statement to run in the sample warehouse."""

    query_id: str
    """`demo-<days ago>-<n>`: a view over the query log moves its times back by these days."""
    days_ago: int
    text: str
    """The SQL as Hex sends it, with its comment."""
    statement: str
    """The SQL without the comment."""
    database: str
    """Default database of the session."""
    user_email: str
    context: str
    project_id: str
    static_id: str
    comment: CommentForm
    fails: bool
    """The warehouse refuses it."""
    by_hex: bool = True
    """False: sent by another client, whose text merely mentions Hex."""
