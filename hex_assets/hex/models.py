"""Documents of the Hex API as typed records; the keys on the wire are camelCase.

Unknown fields and unknown values of enumerations are accepted, missing required fields are not.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

UtcTime = Annotated[AwareDatetime, AfterValidator(lambda value: value.astimezone(timezone.utc))]
"""An ISO 8601 time with its zone, as UTC."""


COMPONENT_IMPORT = "COMPONENT_IMPORT"
"""Type of the cells that import a component."""


class ApiModel(BaseModel):
    """A document of the API."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True
    )


Item = TypeVar("Item", bound=ApiModel)


class Pagination(ApiModel):
    """Cursors of a page; `after` is null on the last one."""

    after: str | None
    before: str | None = None


class Page(ApiModel, Generic[Item]):
    """A page of a listing."""

    values: tuple[Item, ...]
    pagination: Pagination


class Named(ApiModel):
    """Something that Hex names only, such as a status."""

    name: str


class Account(ApiModel):
    """A person, by e-mail."""

    email: str | None = None


class Category(ApiModel):
    """A category of the workspace."""

    name: str
    description: str | None = None


class AppViews(ApiModel):
    """Views of the published app."""

    all_time: int
    last_seven_days: int
    last_fourteen_days: int
    last_thirty_days: int


class Analytics(ApiModel):
    """Use of the published app."""

    app_views: AppViews
    last_viewed_at: UtcTime | None = None
    published_results_updated_at: UtcTime | None = None


class ScheduleTime(ApiModel):
    """When a schedule runs; which fields are set depends on its cadence."""

    timezone: str = "UTC"
    minute: int = 0
    hour: int = 0
    day_of_week: str = ""
    day: int = 1
    cron: str = ""


class Schedule(ApiModel):
    """A schedule: its cadence names the one field that holds the time."""

    cadence: str
    enabled: bool
    hourly: ScheduleTime | None = None
    daily: ScheduleTime | None = None
    weekly: ScheduleTime | None = None
    monthly: ScheduleTime | None = None
    custom: ScheduleTime | None = None


class CollectionAccess(ApiModel):
    """A collection that a project is in; Hex gives its name only."""

    access: str
    collection: Named


class Sharing(ApiModel):
    """Who a project is shared with."""

    collections: tuple[CollectionAccess, ...]


class Project(ApiModel):
    """A project or component."""

    id: str
    title: str
    description: str | None = None
    type: str
    creator: Account | None = None
    owner: Account | None = None
    status: Named | None = None
    categories: tuple[Category, ...] = ()
    analytics: Analytics | None = None
    created_at: UtcTime
    last_edited_at: UtcTime | None = None
    last_published_at: UtcTime | None = None
    archived_at: UtcTime | None = None
    trashed_at: UtcTime | None = None
    schedules: tuple[Schedule, ...] = ()
    sharing: Sharing | None = None


class Source(ApiModel):
    """The source of a code or markdown cell."""

    source: str


class SqlSource(ApiModel):
    """The source of a SQL cell, with Hex's Jinja, and the name of its result."""

    source: str
    output_dataframe: str | None = None


class CellContents(ApiModel):
    """At most one of them is set; other kinds of cells have no contents."""

    code_cell: Source | None = None
    sql_cell: SqlSource | None = None
    markdown_cell: Source | None = None


class Cell(ApiModel):
    """A cell of a project's draft."""

    id: str
    static_id: str
    cell_type: str
    label: str | None = None
    data_connection_id: str | None = None
    contents: CellContents = CellContents()
    project_id: str


class QueriedTable(ApiModel):
    """A table that Hex says a project queried."""

    data_connection_id: str
    data_connection_name: str
    table_name: str


class DataConnection(ApiModel):
    """A data connection; `connection_details` only with the right to see it."""

    id: str
    name: str
    type: str
    description: str | None = None
    connection_details: dict[str, dict[str, Any]] | None = None


class Collection(ApiModel):
    """A collection."""

    id: str
    name: str
    description: str | None = None


class Group(ApiModel):
    """A group of users."""

    id: str
    name: str
    created_at: UtcTime


class User(ApiModel):
    """A user of the workspace."""

    id: str
    name: str | None = None
    email: str
    role: str


class Org(ApiModel):
    """The workspace."""

    id: str


def _expiry(value: object) -> object:
    # JWT counts seconds; a number this large can only be milliseconds.
    return value / 1000 if isinstance(value, int | float) and value > 1e11 else value


class Token(ApiModel):
    """The token in use."""

    exp: Annotated[datetime | None, BeforeValidator(_expiry)] = None


class Me(ApiModel):
    """Who the token is; a workspace token has neither id nor e-mail."""

    org: Org
    token: Token | None = None
    id: str | None = None
    email: str | None = None
    role: str | None = None


class Run(ApiModel):
    """A run of a project."""

    project_id: str
    project_version: int
    run_id: str
    run_url: str
    status: str
    run_trigger: str | None = None
    start_time: UtcTime | None = None
    end_time: UtcTime | None = None
    elapsed_time: float | None = None
    """Milliseconds."""


class RunsPage(ApiModel):
    """A page of runs, by offset."""

    runs: tuple[Run, ...]
    next_page: str | None = None


class Export(ApiModel):
    """A project in the `.hex.yaml` format."""

    filename: str
    content: str


class OldErrorBody(ApiModel):
    """The error envelope of Hex's older endpoints."""

    reason: str
    details: str | None = None
    trace_id: str | None = None


class Issue(ApiModel):
    """One reason of an error."""

    message: str


class NewErrorBody(ApiModel):
    """The error envelope of Hex's newer endpoints."""

    message: str
    code: str
    issues: tuple[Issue, ...] = ()
    trace_id: str | None = None
