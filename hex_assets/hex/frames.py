"""Projects and cells of Hex as Arrow tables."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from hex_assets.hex.client import HexClient
from hex_assets.hex.errors import HexForbidden, HexInvalidRequest, HexNotFound
from hex_assets.hex.export import (
    ExportedCell,
    UnreadableExport,
    component_ids,
    exported_cells,
)
from hex_assets.hex.links import cell_url, project_url
from hex_assets.hex.models import COMPONENT_IMPORT, Cell, Project, Schedule
from hex_assets.tables import CELLS, PROJECTS

logger = logging.getLogger("hex_assets.hex")

EXPORT_FAILURES = (HexForbidden, HexNotFound, HexInvalidRequest, UnreadableExport)
"""An organisation without export, a version that is not there, a format that has changed."""


@dataclass(frozen=True)
class Observation:
    """What Hex told, and what it did not tell."""

    table: pa.Table
    notes: tuple[str, ...] = ()
    """For a person: what is unknown and why."""


def read_projects(client: HexClient, observed_at: datetime) -> Observation:
    """Everything that the token can see now, archived and trashed included, as `PROJECTS`.

    Without the right to see sharing the collections are null: unknown.

    Raises:
        HexError: the listing is not complete.
    """
    org_id = client.me().org.id
    notes: tuple[str, ...] = ()
    try:
        projects = client.list_projects()
    except HexForbidden as error:
        # If it is not for sharing that Hex refuses, it refuses this one as well.
        projects = client.list_projects(include_sharing=False)
        notes = (f"the collections of all projects are unknown: {error}",)
        logger.warning(notes[0])
    rows = project_rows(projects, client.host, org_id, observed_at)
    return Observation(PROJECTS.from_rows(rows), notes)


def projects_table(client: HexClient, observed_at: datetime) -> pa.Table:
    """The table of `read_projects`."""
    return read_projects(client, observed_at).table


def read_cells(
    client: HexClient,
    project_id: str,
    observed_at: datetime,
    project_last_edited_at: datetime | None = None,
    *,
    published: bool = False,
) -> Observation:
    """The cells of one project as `CELLS`.

    Of the draft it takes one call, two if the project imports components. Of the published
    version always two: only the export has it, only the listing has the ids that queries may name.

    Args:
        client: the API.
        project_id: whose cells.
        observed_at: when Hex is asked.
        project_last_edited_at: the project's last edit as known before; stored with each cell.
        published: of the published version; of the draft, with a note, if Hex does not export it.

    Raises:
        HexError: the listing is not complete. An export that fails is a note.
    """
    cells = client.list_cells(project_id)
    if published:
        try:
            exported = exported_cells(client.export(project_id, "latest").content)
        except EXPORT_FAILURES as error:
            draft = read_cells(client, project_id, observed_at, project_last_edited_at)
            text = f"the cells of project {project_id} are those of its draft: {error}"
            return Observation(draft.table, (text, *draft.notes))
        rows = published_rows(
            exported, cells, client.host, client.me().org.id, project_id, observed_at,
            project_last_edited_at,
        )  # fmt: skip
        return Observation(CELLS.from_rows(rows))
    imports = [cell.static_id for cell in cells if cell.cell_type == COMPONENT_IMPORT]
    components, notes = _components(client, project_id, imports) if imports else ({}, ())
    rows = cell_rows(
        cells,
        client.host,
        client.me().org.id,
        observed_at,
        components=components,
        project_last_edited_at=project_last_edited_at,
    )
    return Observation(CELLS.from_rows(rows), notes)


def cells_table(client: HexClient, project_id: str, observed_at: datetime) -> pa.Table:
    """The table of `read_cells`."""
    return read_cells(client, project_id, observed_at).table


def _components(
    client: HexClient, project_id: str, imports: Sequence[str]
) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Component by importing cell, from the export: the listing does not tell it."""
    try:
        components = component_ids(client.export(project_id, "draft").content)
    except EXPORT_FAILURES as error:
        return {}, (f"the components that project {project_id} imports are unknown: {error}",)
    if unknown := [cell for cell in imports if cell not in components]:
        text = f"the export of project {project_id} names no component for {len(unknown)} imports"
        return components, (text,)
    return components, ()


def project_rows(
    projects: Iterable[Project], host: str, org_id: str, observed_at: datetime
) -> Iterator[dict[str, Any]]:
    """Projects in the shape of `PROJECTS`."""
    for project in projects:
        views = project.analytics.app_views if project.analytics else None
        yield {
            "project_id": project.id,
            "project_type": project.type,
            "title": project.title,
            "description": project.description,
            "url": project_url(host, org_id, project),
            "owner_email": (project.owner and project.owner.email) or None,
            "creator_email": (project.creator and project.creator.email) or None,
            "status": project.status and project.status.name,
            "categories": [
                {"name": each.name, "description": each.description} for each in project.categories
            ],
            "collections": _collections(project),
            "schedules": [
                {"cadence": each.cadence, "enabled": each.enabled, "text": schedule_text(each)}
                for each in project.schedules
            ],
            "app_view_count": views and views.all_time,
            "app_view_count_7_days": views and views.last_seven_days,
            "app_view_count_30_days": views and views.last_thirty_days,
            "last_viewed_at": project.analytics and project.analytics.last_viewed_at,
            "published_results_updated_at": (
                project.analytics and project.analytics.published_results_updated_at
            ),
            "created_at": project.created_at,
            "last_edited_at": project.last_edited_at,
            "last_published_at": project.last_published_at,
            "archived_at": project.archived_at,
            "trashed_at": project.trashed_at,
            "observed_at": observed_at,
        }


def cell_rows(
    cells: Iterable[Cell],
    host: str,
    org_id: str,
    observed_at: datetime,
    components: Mapping[str, str] | None = None,
    project_last_edited_at: datetime | None = None,
) -> Iterator[dict[str, Any]]:
    """Draft cells of one project, in order, in the shape of `CELLS`.

    Args:
        cells: of one project.
        host: scheme and host of Hex.
        org_id: the workspace.
        observed_at: when Hex was asked.
        components: component by static id of the importing cell; the listing does not tell it.
        project_last_edited_at: the project's last edit as known before the cells were asked for.
    """
    components = components or {}
    for position, cell in enumerate(cells):
        contents = cell.contents
        holder = contents.sql_cell or contents.code_cell or contents.markdown_cell
        yield {
            "project_id": cell.project_id,
            "cell_id": cell.static_id,
            "version_id": cell.id,
            "cell_type": cell.cell_type,
            "label": cell.label,
            "connection_id": cell.data_connection_id,
            "source": holder and holder.source,
            "output_dataframe": contents.sql_cell and contents.sql_cell.output_dataframe,
            "url": cell_url(host, org_id, cell.project_id, cell.static_id),
            "component_id": components.get(cell.static_id),
            "position": position,
            "project_last_edited_at": project_last_edited_at,
            "observed_at": observed_at,
        }


def published_rows(
    exported: Iterable[ExportedCell],
    draft: Iterable[Cell],
    host: str,
    org_id: str,
    project_id: str,
    observed_at: datetime,
    project_last_edited_at: datetime | None,
) -> Iterator[dict[str, Any]]:
    """Cells of the published version in the shape of `CELLS`, with the ids of the draft."""
    versions = {cell.static_id: cell.id for cell in draft}
    for position, cell in enumerate(exported):
        yield {
            "project_id": project_id,
            "cell_id": cell.static_id,
            "version_id": versions.get(cell.static_id),
            "cell_type": cell.cell_type,
            "label": cell.label,
            "connection_id": cell.connection_id,
            "source": cell.source,
            "output_dataframe": cell.output_dataframe,
            "url": cell_url(host, org_id, project_id, cell.static_id),
            "component_id": cell.component_id,
            "position": position,
            "project_last_edited_at": project_last_edited_at,
            "observed_at": observed_at,
        }


def schedule_text(schedule: Schedule) -> str:
    """A schedule for a person, such as `daily at 07:30 Europe/Berlin`."""
    if (at := schedule.hourly) is not None:
        return f"hourly at minute {at.minute:02d} {at.timezone}"
    if (at := schedule.daily) is not None:
        return f"daily at {at.hour:02d}:{at.minute:02d} {at.timezone}"
    if (at := schedule.weekly) is not None:
        day = at.day_of_week.capitalize()
        return f"weekly on {day} at {at.hour:02d}:{at.minute:02d} {at.timezone}"
    if (at := schedule.monthly) is not None:
        return f"monthly on day {at.day} at {at.hour:02d}:{at.minute:02d} {at.timezone}"
    if (at := schedule.custom) is not None:
        return f"cron {at.cron} {at.timezone}"
    return schedule.cadence.lower()


def _collections(project: Project) -> list[str] | None:
    if project.sharing is None:
        return None
    return [each.collection.name for each in project.sharing.collections if each.access != "NONE"]
