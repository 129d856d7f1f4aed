"""`hex-assets retire`: take everything that was published out of the catalog again."""

from __future__ import annotations

from collections import Counter

import click
import pyarrow as pa
from rich.markup import escape
from rich.table import Table

from hex_assets.commands import output
from hex_assets.openmetadata.client import OpenMetadataClient
from hex_assets.openmetadata.errors import OpenMetadataError
from hex_assets.openmetadata.publish import Publication
from hex_assets.openmetadata.publish import retire as retire_from
from hex_assets.secret import UnsetVariable
from hex_assets.settings import OpenMetadataSettings, load_settings

STAYS = (
    "The dashboard service, the classifications and tags, and edges that people or other tools "
    "made stay."
)


@click.command()
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed; remove nothing.")
def retire(yes: bool, dry_run: bool) -> None:
    """Remove what was published: our edges, and softly our charts, data models, dashboards.

    Exit code 0: done, or nothing to do. 1: something could not be removed. 2: the settings
    cannot be used.
    """
    settings = load_settings().openmetadata
    if settings is None:
        raise click.ClickException("the settings have no `openmetadata:`, nothing was published")
    try:
        client = OpenMetadataClient(settings.hostPort, settings.token.value())
        try:
            _retire(client, settings, yes=yes, dry_run=dry_run or settings.dryRun)
        finally:
            client.close()
    except (OpenMetadataError, UnsetVariable) as error:
        raise click.ClickException(f"{error}; `hex-assets doctor` looks closer") from None


def _retire(
    client: OpenMetadataClient, settings: OpenMetadataSettings, *, yes: bool, dry_run: bool
) -> None:
    planned = retire_from(client, settings.model_copy(update={"dryRun": True}))
    where = f"{settings.serviceName} at {settings.hostPort}"
    if planned.receipts.num_rows == 0:
        output.console().print(escape(f"nothing of ours is in {where}"))
        return
    if dry_run or not yes:
        _print(planned.receipts, f"would be removed from {where}")
    if dry_run:
        return
    if not yes:
        kinds = Counter(planned.receipts["entity_type"].to_pylist())
        counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        click.confirm(f"Remove {counted} from {where}? {STAYS}", abort=True)
    done = retire_from(client, settings.model_copy(update={"dryRun": False}))
    _print(done.receipts, f"removed from {where}")
    _report(done)


def _print(receipts: pa.Table, title: str) -> None:
    table = Table(title=escape(title))
    for name in ("type", "entity", "operation", "reason"):
        table.add_column(name, overflow="fold")
    for row in receipts.to_pylist():
        cells = (row["entity_type"], row["entity"], row["operation"], row["reason"] or "")
        table.add_row(*map(escape, cells))
    output.console().print(table)


def _report(done: Publication) -> None:
    if done.failures:
        raise click.ClickException(
            f"{len(done.failures)} could not be removed, see their reasons above; run it again"
        )
    click.echo(f"{done.written_count} removed. {STAYS}")
