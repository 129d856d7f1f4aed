"""`hex-assets report`: the impact page as one file."""

from __future__ import annotations

import click

from hex_assets.commands.prefix import key_prefix
from hex_assets.settings import load_settings
from hex_assets.storage.store import TableStore


@click.command()
@click.option("--output", "-o", default="hex_impact.html", show_default=True, help="File or URL.")
@click.option(
    "--days",
    type=click.IntRange(min=1),
    help="Days of lineage, back from the newest stored one.  [default: lookBackDays]",
)
@key_prefix
def report(output: str, days: int | None, key_prefix: tuple[str, ...]) -> None:
    """Write the impact page: one HTML file that needs no network."""
    from hex_assets.report.read import Keys, NothingStored
    from hex_assets.report.write import write_report

    settings = load_settings()
    store = TableStore(settings.storage.path)
    try:
        done = write_report(store, Keys.below(key_prefix), settings, output, days=days)
    except NothingStored as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error}") from None
    click.echo(
        f"{done.path}: {done.project_count} projects, {done.table_count} tables, "
        f"{done.edge_count} edges of {done.first_day} to {done.last_day} "
        f"({done.stored_days} days stored), {done.byte_count / 1e6:.1f} MB"
    )
    if done.not_whole_count:
        click.echo(
            f"{done.not_whole_count} of {done.statement_count} statements could not be read "
            "whole: some reads may be missing (the page says which reasons)",
            err=True,
        )
