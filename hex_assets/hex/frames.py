"""Projects and cells of Hex as Arrow tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa

from hex_assets.hex.client import HexClient
from hex_assets.hex.links import cell_url, project_url
from hex_assets.hex.models import Cell, Project, Schedule
from hex_assets.tables import CELLS, PROJECTS


def projects_table(client: HexClient, observed_at: datetime) -> pa.Table:
    """Everything that the token can see now, archived and trashed included, as `PROJECTS`.

    Raises:
        HexError: the listing is not complete.
    """
    org_id = client.me().org.id
    return PROJECTS.from_rows(
        project_rows(client.list_projects(), client.host, org_id, observed_at)
    )


def cells_table(client: HexClient, project_id: str, observed_at: datetime) -> pa.Table:
    """The draft cells of one project as `CELLS`.

    Raises:
        HexError: the listing is not complete.
    """
    cells = client.list_cells(project_id)
    return CELLS.from_rows(cell_rows(cells, client.host, client.me().org.id, observed_at))


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
) -> Iterator[dict[str, Any]]:
    """Draft cells of one project, in order, in the shape of `CELLS`.

    `component_id` stays null: the listing does not tell it, only the export does.
    """
    for position, cell in enumerate(cells):
        contents = cell.contents
        holder = contents.sql_cell or contents.code_cell or contents.markdown_cell
        yield {
            "project_id": cell.project_id,
            "cell_id": cell.static_id,
            "cell_type": cell.cell_type,
            "label": cell.label,
            "connection_id": cell.data_connection_id,
            "source": holder and holder.source,
            "output_dataframe": contents.sql_cell and contents.sql_cell.output_dataframe,
            "url": cell_url(host, org_id, cell.project_id, cell.static_id),
            "position": position,
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
