"""`hex-assets impact TABLE[.COLUMN]`: who reads it, for a person and for CI."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from hex_assets.commands import output
from hex_assets.commands.prefix import key_prefix
from hex_assets.settings import load_settings
from hex_assets.storage.store import TableStore

if TYPE_CHECKING:
    from hex_assets.report.data import Report
    from hex_assets.report.impact import CellUse, Impact, ProjectUse

IN_USE = 3
"""Exit code when something reads it, so that a pull request can be stopped."""
SHAPE = 1
"""Version of the JSON's shape: keys may be added; a change of meaning raises it."""


@click.command()
@click.argument("name", metavar="TABLE[.COLUMN]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON of a stable shape, for CI.")
@click.option(
    "--days",
    type=click.IntRange(min=1),
    help="Days of lineage, back from the newest stored one.  [default: lookBackDays]",
)
@click.option(
    "--certain-only",
    is_flag=True,
    help="Exit 0 when the only readers are possible ones, whose columns are not known whole.",
)
@key_prefix
@click.pass_context
def impact(
    ctx: click.Context,
    name: str,
    as_json: bool,
    days: int | None,
    certain_only: bool,
    key_prefix: tuple[str, ...],
) -> None:
    """Who reads a table or column: projects, cells, how, how often, owners to write to.

    NAME is the full name in the catalog or a dotted end of it; case does not count. Exit code: 3
    when something reads it, 0 when nothing does, 2 when the name or the settings are wrong.
    """
    from hex_assets.report.impact import AmbiguousName, UnknownName, find, impact_of
    from hex_assets.report.read import Keys, NothingStored, read_report

    settings = load_settings()
    try:
        report = read_report(
            TableStore(settings.storage.path), Keys.below(key_prefix), settings, days=days
        )
        found = impact_of(report, find(report, name))
    except (NothingStored, UnknownName, AmbiguousName) as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        click.echo(json.dumps(as_document(report, found), indent=2, ensure_ascii=False))
    else:
        _print(report, found)
    if found.readers or (found.possible_readers and not certain_only):
        ctx.exit(IN_USE)


def as_document(report: Report, impact: Impact) -> dict[str, Any]:
    """The answer as JSON values; times are ISO 8601 in UTC.

    Keys: shape (version of this shape), name, table, warehouse, column (null for a table),
    in_catalog, in_use, window {first_day, last_day, days, stored_days}, readers, possible_readers
    and writers (lists of projects, the busiest first), owners, statements {count, not_whole}.
    A project: project_id, title, url, owner, status, retired, views_30_days (null: unknown),
    last_viewed_at, query_count, last_seen_at, usage, users, cells. A cell: cell_id (null: not
    named), label, url, columns, usage, output_columns, query_count, last_seen_at, users, contexts,
    evidence, sample_query_id, partial.
    """
    subject, window = impact.subject, report.window
    return {
        "shape": SHAPE,
        "name": subject.name,
        "table": subject.table.name,
        "warehouse": subject.table.warehouse,
        "column": subject.column,
        "in_catalog": subject.table.in_catalog,
        "in_use": bool(impact.readers),
        "window": {
            "first_day": window.first_day.isoformat(),
            "last_day": window.last_day.isoformat(),
            "days": window.days,
            "stored_days": window.stored_days,
        },
        "readers": [_project(report, use) for use in impact.readers],
        "possible_readers": [_project(report, use) for use in impact.possible_readers],
        "writers": [_project(report, use) for use in impact.writers],
        "owners": list(impact.owners),
        "statements": {
            "count": report.gaps.statement_count,
            "not_whole": report.gaps.not_whole_count,
        },
    }


def _project(report: Report, use: ProjectUse) -> dict[str, Any]:
    project = use.project
    return {
        "project_id": project.project_id,
        "title": project.title,
        "url": project.url,
        "owner": project.owner,
        "status": project.status,
        "retired": project.retired,
        "views_30_days": project.views_30_days,
        "last_viewed_at": _time(project.last_viewed_at),
        "query_count": use.query_count,
        "last_seen_at": _time(use.last_seen_at),
        "usage": list(use.usage),
        "users": list(use.users),
        "cells": [
            {
                "cell_id": cell.cell_id,
                "label": report.cell(project, cell.cell_id).label if cell.cell_id else None,
                "url": report.cell(project, cell.cell_id).url if cell.cell_id else None,
                "columns": list(cell.columns),
                "usage": list(cell.usage),
                "output_columns": list(cell.output_columns),
                "query_count": cell.query_count,
                "last_seen_at": _time(cell.last_seen_at),
                "users": list(cell.users),
                "contexts": list(cell.contexts),
                "evidence": list(cell.evidence),
                "sample_query_id": cell.sample_query_id,
                "partial": cell.partial,
            }
            for cell in use.cells
        ],
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _print(report: Report, impact: Impact) -> None:
    from rich.text import Text

    console = output.console()
    window = report.window
    if impact.readers:
        verb = f"read by {_counted(len(impact.readers), 'project')}"
    elif impact.possible_readers:
        verb = f"no certain reader, {_counted(len(impact.possible_readers), 'project')} may read it"
    else:
        verb = "nothing reads it"
    heading = Text(_plain(f"{impact.subject.name}: {verb}"), style="bold")
    console.print(heading)
    console.print(
        Text(
            f"{window.first_day} to {window.last_day}, {_counted(window.stored_days, 'day')} stored"
        ),
        style="dim",
    )
    _table(console, report, "Read by", impact.readers)
    _table(console, report, "May read it: columns not known whole", impact.possible_readers)
    _table(console, report, "Written by", impact.writers)
    if impact.owners:
        console.print(Text("Write to: " + ", ".join(impact.owners)))
    if report.gaps.not_whole_count:
        console.print(
            Text(
                f"{report.gaps.not_whole_count} of {report.gaps.statement_count} statements could "
                "not be read whole: some reads may be missing."
            ),
            style="yellow",
        )


def _plain(text: str) -> str:
    """Without control characters: a title must not steer the terminal."""
    return "".join(
        char if char == "\n" or (ord(char) >= 32 and char != "\x7f") else "?" for char in text
    )


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _cell_name(report: Report, use: ProjectUse, cell: CellUse) -> str:
    if cell.cell_id is None:
        return "not named"
    return report.cell(use.project, cell.cell_id).label or cell.cell_id


def _table(console: Any, report: Report, title: str, uses: tuple[ProjectUse, ...]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not uses:
        return
    table = Table(
        title=title, title_justify="left", title_style="bold", header_style="", show_lines=True
    )
    for name in ("Project", "How", "Cells"):
        table.add_column(name, overflow="fold")
    table.add_column("Queries", justify="right")
    table.add_column("People", justify="right")
    table.add_column("Last", no_wrap=True)
    table.add_column("Views 30 d", justify="right")
    table.add_column("Owner", overflow="fold")
    for use in uses:
        views = use.project.views_30_days
        values = (
            use.project.title,
            " ".join(use.usage),
            "\n".join(_cell_name(report, use, cell) for cell in use.cells[:5])
            + (f"\nand {len(use.cells) - 5} more" if len(use.cells) > 5 else ""),
            f"{use.query_count:,}",
            str(len(use.users)),
            use.last_seen_at.date().isoformat(),
            "?" if views is None else f"{views:,}",
            use.project.owner or "unknown",
        )
        # Text, not markup: a title may hold brackets.
        table.add_row(*(Text(_plain(value)) for value in values))
    console.print(table)
