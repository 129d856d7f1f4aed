"""The sample workspace of Fernhill Tea: the one truth that the demo's servers are filled from.

The Hex server shows its projects, the warehouse runs its executions, the catalog knows its tables
and people. Nothing here does I/O.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from hex_assets.demo.workspace_model import Cell, Execution, Person, Project, Run, stable_id
from hex_assets.demo.workspace_projects import (
    ADA,
    CATEGORIES,
    COLLECTIONS,
    CONNECTIONS,
    DEV,
    PEOPLE,
    PROJECTS,
    STATUSES,
)
from hex_assets.demo.workspace_tables import (
    CATALOG_TABLES,
    DATABASES,
    TABLES,
    WAREHOUSE_DDL,
)

__all__ = [
    "CATALOG_TABLES",
    "CATALOG_USERS",
    "CATEGORIES",
    "COLLECTIONS",
    "CONNECTIONS",
    "DATABASES",
    "DAYS",
    "HEX_URL",
    "ORG_ID",
    "PEOPLE",
    "PROJECTS",
    "STATUSES",
    "TABLES",
    "WAREHOUSE_DDL",
    "executions",
    "hex_comment",
    "project_by_id",
]

ORG_ID = stable_id("org", "fernhill-tea")
"""The workspace's id, the first part of its deep links."""

HEX_URL = "https://app.hex.tech"
"""The host that Hex's comments link to."""

DAYS = 7
"""Executions happened 1 to 7 days ago."""

CATALOG_USERS: tuple[Person, ...] = tuple(person for person in PEOPLE if person.in_catalog)
"""Users of the catalog, by e-mail; it writes them in lower case."""

DBA_STATEMENT = (
    "SELECT count() AS orders FROM shop.orders "
    'WHERE note LIKE \'%-- Hex query metadata: {"project_id": "copied from a ticket"}%\''
)
"""Mentions Hex's comment in a literal; no query of Hex."""


def hex_comment(
    project: Project,
    cell: Cell,
    *,
    context: str,
    user_email: str,
    trace_id: str,
    legacy: bool = False,
    hex_url: str = HEX_URL,
) -> str:
    """Hex's query comment: the label and JSON with its keys in order, on one line.

    Source: the format observed by other tools on Snowflake; Hex documents its parts only. The
    legacy form lacks project_id, status and trace_id.
    """
    cell_id = project.cell_id(cell) if project.selects_version_id else project.static_id(cell)
    link = f"{hex_url}/{ORG_ID}/hex/{project.project_id}/draft/logic?selectedCellId={cell_id}"
    connection = next(each for each in CONNECTIONS if each.key == cell.connection)
    tag: dict[str, object] = {
        "categories": list(project.categories),
        "cell_type": cell.cell_type,
        "connection": connection.name,
        "context": context,
        "project_name": project.title,
        "project_url": link,
        "user_email": user_email,
    }
    if not legacy:
        tag |= {"project_id": project.project_id, "status": project.status, "trace_id": trace_id}
    return f"-- Hex query metadata: {json.dumps(tag, sort_keys=True, ensure_ascii=False)}"


def project_by_id(project_id: str) -> Project | None:
    """The project of an id, if there is one."""
    return next((project for project in PROJECTS if project.project_id == project_id), None)


def executions(hex_url: str = HEX_URL) -> tuple[Execution, ...]:
    """Every statement to run, the oldest day first, with Hex's comment where Hex sets one."""
    planned = sorted(_planned(), key=lambda item: -item[0])
    counts: dict[int, int] = {}
    result = []
    for days_ago, project, cell, run in planned:
        counts[days_ago] = counts.get(days_ago, 0) + 1
        query_id = f"demo-{days_ago}-{counts[days_ago]}"
        statement = _statement(cell, run)
        comment = hex_comment(
            project,
            cell,
            context=run.context,
            user_email=run.user_email,
            trace_id=stable_id("trace", query_id).replace("-", ""),
            legacy=run.comment == "legacy",
            hex_url=hex_url,
        )
        result.append(
            Execution(
                query_id=query_id,
                days_ago=days_ago,
                text=statement if run.comment == "none" else f"{statement}\n{comment}",
                statement=statement,
                database=cell.database,
                user_email=run.user_email,
                context=run.context,
                project_id=project.project_id,
                static_id=project.static_id(cell),
                comment=run.comment,
                fails=cell.fails,
            )
        )
    return (*result, *(_dba_execution(day, counts[day] + 1) for day in (2, 1)))


def _planned() -> Iterator[tuple[int, Project, Cell, Run]]:
    for project in PROJECTS:
        for cell in project.all_cells():
            for run in cell.runs:
                for days_ago in run.days_ago:
                    for _ in range(run.times):
                        yield days_ago, project, cell, run


def _statement(cell: Cell, run: Run) -> str:
    text = cell.executed or cell.source or ""
    for name, value in run.inputs:
        text = text.replace(f"{{{{ {name} }}}}", value)
    return text


def _dba_execution(days_ago: int, number: int) -> Execution:
    return Execution(
        query_id=f"demo-{days_ago}-{number}",
        days_ago=days_ago,
        text=DBA_STATEMENT,
        statement=DBA_STATEMENT,
        database="shop",
        user_email=DEV if days_ago == 1 else ADA,
        context="",
        project_id="",
        static_id="",
        comment="none",
        fails=False,
        by_hex=False,
    )
