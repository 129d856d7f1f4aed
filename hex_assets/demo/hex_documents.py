"""The sample workspace as documents of the Hex API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import yaml

from hex_assets.demo import workspace
from hex_assets.demo.workspace_model import Cell, Project, Schedule, moment_at, stable_id

Document = dict[str, Any]
ENDED_AT = (("COMPLETED", 1), ("ERRORED", 2), ("COMPLETED", 3))


def stamp(moment: datetime | None) -> str | None:
    """A time as Hex writes it: milliseconds and Z."""
    if moment is None:
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def project_document(project: Project, today: datetime, sharing: bool) -> Document:
    """A project; `owner` and `creator` are null where nobody is known."""
    views = dict(
        zip(
            ("allTime", "lastSevenDays", "lastFourteenDays", "lastThirtyDays"),
            project.views,
            strict=True,
        )
    )
    described = {each.name: each.description for each in workspace.CATEGORIES}
    document: Document = {
        "id": project.project_id,
        "title": project.title,
        "description": project.description,
        "type": "COMPONENT" if project.component else "PROJECT",
        "creator": project.creator_email and {"email": project.creator_email},
        "owner": project.owner_email and {"email": project.owner_email},
        "status": project.status and {"name": project.status},
        "categories": [
            {"name": name, "description": described[name]} for name in project.categories
        ],
        "reviews": {"required": False},
        "analytics": {
            "appViews": views,
            "lastViewedAt": stamp(moment_at(project.viewed, today)),
            "publishedResultsUpdatedAt": stamp(
                moment_at(1 if project.schedules else project.published, today)
            ),
        },
        "createdAt": stamp(moment_at(project.created, today)),
        "lastEditedAt": stamp(moment_at(project.edited, today)),
        "lastPublishedAt": stamp(moment_at(project.published, today)),
        "archivedAt": stamp(moment_at(project.archived, today)),
        "trashedAt": stamp(moment_at(project.trashed, today)),
        "schedules": [_schedule(each) for each in project.schedules],
    }
    if sharing:
        document["sharing"] = {
            "users": [],
            "collections": [
                {"access": "CAN_VIEW", "collection": {"name": name}} for name in project.collections
            ],
            "groups": [],
            "workspace": {"access": "APP_ONLY"},
            "publicWeb": {"access": "NONE"},
            "support": {"access": "NONE"},
        }
    return document


def _schedule(schedule: Schedule) -> Document:
    fields: dict[str, Document] = {
        "HOURLY": {"minute": schedule.minute},
        "DAILY": {"minute": schedule.minute, "hour": schedule.hour},
        "WEEKLY": {
            "minute": schedule.minute,
            "hour": schedule.hour,
            "dayOfWeek": schedule.day_of_week,
        },
        "MONTHLY": {"minute": schedule.minute, "hour": schedule.hour, "day": schedule.day},
        "CUSTOM": {"cron": schedule.cron},
    }
    times: dict[str, Document | None] = {
        name.lower(): {"timezone": schedule.timezone, **values}
        if name == schedule.cadence
        else None
        for name, values in fields.items()
    }
    return {"cadence": schedule.cadence, "enabled": schedule.enabled, **times}


def cell_document(project: Project, cell: Cell) -> Document:
    """A cell of the draft."""
    source = {"source": cell.source}
    return {
        "id": project.cell_id(cell),
        "staticId": project.static_id(cell),
        "cellType": cell.cell_type,
        "label": cell.label,
        "dataConnectionId": cell.connection and stable_id("connection", cell.connection),
        "contents": {
            "codeCell": source if cell.cell_type == "CODE" else None,
            "sqlCell": {**source, "outputDataframe": cell.output_dataframe}
            if cell.cell_type == "SQL"
            else None,
            "markdownCell": source if cell.cell_type == "MARKDOWN" else None,
        },
        "projectId": project.project_id,
    }


def connection_documents(details: bool) -> list[Document]:
    """Data connections; with details for a token that may see them."""
    documents = []
    for each in workspace.CONNECTIONS:
        # The API's list of types is shorter than the UI's: what it lacks is not shown.
        if each.kind == "motherduck":
            continue
        document: Document = {"id": each.connection_id, "name": each.name, "type": each.kind}
        if details:
            document |= {
                "connectionDetails": each.details and {each.kind: dict(each.details)},
                "connectViaSsh": False,
                "includeMagic": True,
                "allowWritebackCells": True,
                "schemaRefreshAccess": "ADMINS",
                "sharing": {},
            }
        documents.append(document)
    return documents


def collection_documents() -> list[Document]:
    """Collections, by name."""
    return [
        {
            "id": each.collection_id,
            "name": each.name,
            "creator": {"email": each.creator_email, "id": stable_id("user", each.creator_email)},
            "sharing": {},
            **({"description": each.description} if each.description else {}),
        }
        for each in sorted(workspace.COLLECTIONS, key=lambda each: each.name)
    ]


def user_documents() -> list[Document]:
    """Users, by name."""
    return [
        {
            "id": each.user_id,
            "name": each.name,
            "email": each.email,
            "role": each.role,
            "lastLoginDate": None,
        }
        for each in sorted(workspace.PEOPLE, key=lambda each: each.name)
    ]


def queried_table_documents(project: Project) -> list[Document]:
    """Tables of the sample warehouse that a project's cells name."""
    texts = " ".join(cell.executed or cell.source or "" for cell in project.all_cells())
    connection = workspace.CONNECTIONS[0]
    return [
        {
            "dataConnectionId": connection.connection_id,
            "dataConnectionName": connection.name,
            "tableName": table.full_name,
        }
        for table in workspace.TABLES
        if table.full_name in texts
    ]


def run_documents(project: Project, today: datetime, url: str) -> list[Document]:
    """The latest scheduled runs, the newest first."""
    documents = []
    for status, days_ago in ENDED_AT if project.schedules else ():
        started = moment_at(days_ago, today)
        run_id = stable_id("run", project.key, str(days_ago))
        documents.append(
            {
                "projectId": project.project_id,
                "projectVersion": project.versions,
                "runId": run_id,
                "runUrl": f"{url}/{workspace.ORG_ID}/app/{project.project_id}/run/{run_id}",
                "status": status,
                "runTrigger": "SCHEDULED",
                "startTime": stamp(started),
                "endTime": stamp(started and started + timedelta(seconds=42)),
                "elapsedTime": 42_000,
                "traceId": stable_id("trace", run_id),
            }
        )
    return documents


def export_document(project: Project) -> Document:
    """A project in the `.hex.yaml` format: the parts of it that are publicly known."""
    content = {
        "schemaVersion": 3,
        "meta": {
            "projectId": project.project_id,
            "title": project.title,
            "hexType": "COMPONENT" if project.component else "PROJECT",
        },
        "cells": [_exported(project, cell) for cell in project.cells],
    }
    return {
        "filename": f"{project.key}.hex.yaml",
        "content": yaml.safe_dump(content, sort_keys=False, allow_unicode=True),
    }


def _exported(project: Project, cell: Cell) -> Document:
    config: Document = {"source": cell.source} if cell.source is not None else {}
    if cell.connection:
        config["dataConnectionId"] = stable_id("connection", cell.connection)
    if cell.output_dataframe:
        config["resultVariableName"] = cell.output_dataframe
    if cell.component:
        config["component"] = {"id": stable_id("project", cell.component), "version": "1"}
    if cell.children:
        config["cells"] = [_exported(project, child) for child in cell.children]
    return {
        "cellType": cell.cell_type,
        "cellId": project.static_id(cell),
        "cellLabel": cell.label,
        "config": config,
    }
