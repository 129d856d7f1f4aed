"""`hex-assets projects`: the workspace's projects, and which filter keeps or drops each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from hex_assets.commands import output
from hex_assets.hex.client import HexClient
from hex_assets.hex.errors import HexError
from hex_assets.hex.frames import projects_table
from hex_assets.openmetadata.desired import left_out
from hex_assets.secret import UnsetVariable
from hex_assets.settings import HexSettings, OpenMetadataSettings, Settings, load_settings

COLUMNS = ("title", "project_type", "status", "owner_email", "last_viewed_at")


@click.command()
@click.option(
    "--match",
    "pattern",
    help="Try this regular expression on titles, as dashboardFilterPattern would; show matches.",
)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def projects(pattern: str | None, as_json: bool) -> None:
    """List the projects and components, and which filter keeps or drops each."""
    settings = load_settings()
    rows = _matching(_listed(settings.hex), pattern)
    catalog = settings.openmetadata
    shown = [_shown(row, catalog) for row in rows]
    if as_json:
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    _print(shown, settings)


def _listed(settings: HexSettings) -> list[Mapping[str, Any]]:
    try:
        with HexClient(
            host=settings.hostPort,
            token=settings.token.value(),
            token_type=settings.tokenType,
            requests_per_minute=settings.requestsPerMinute,
            api_group_requests_per_minute=settings.apiGroupRequestsPerMinute,
        ) as client:
            rows = projects_table(client, datetime.now(timezone.utc)).to_pylist()
    except (HexError, UnsetVariable) as error:
        raise click.ClickException(f"{error}; `hex-assets doctor` looks closer") from None
    return sorted(rows, key=lambda row: str(row["title"]).casefold())


def _matching(rows: list[Mapping[str, Any]], pattern: str | None) -> list[Mapping[str, Any]]:
    if pattern is None:
        return rows
    try:
        found = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise click.BadParameter(f"no regular expression: {error}", param_hint="--match") from None
    return [row for row in rows if found.match(row["title"])]


def _shown(row: Mapping[str, Any], settings: OpenMetadataSettings | None) -> dict[str, Any]:
    reason = left_out(row, settings) if settings else None
    viewed = row["last_viewed_at"]
    return {column: row[column] for column in COLUMNS} | {
        "last_viewed_at": viewed.isoformat() if viewed else None,
        "published": reason is None,
        "reason": reason,
    }


def _print(shown: list[dict[str, Any]], settings: Settings) -> None:
    table = Table()
    for name in ("title", "type", "status", "owner", "last viewed", "filters"):
        table.add_column(name, overflow="fold")
    for row in shown:
        cells = [escape(str(row[column] or "")) for column in COLUMNS[:-1]]
        viewed = (row["last_viewed_at"] or "never")[:10]
        verdict = (
            "[green]kept[/green]" if row["published"] else f"[red]{escape(row['reason'])}[/red]"
        )
        table.add_row(*cells, viewed, verdict)
    console = output.console()
    console.print(table)
    kept = sum(row["published"] for row in shown)
    note = "" if settings.openmetadata else "; no catalog is configured, so no filter applies"
    console.print(f"{len(shown)} projects and components, {kept} kept{note}")
