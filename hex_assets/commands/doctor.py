"""`hex-assets doctor`: what works, what does not, and what mends it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.markup import escape
from rich.table import Table

from hex_assets.commands import output
from hex_assets.doctor import Section, diagnose
from hex_assets.probe import Finding
from hex_assets.settings import SettingsError, load_settings

COLOURS = {"ok": "green", "warning": "yellow", "failure": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Try settings, Hex, every warehouse, OpenMetadata and the storage.

    Exit code 0: all well (warnings count as well). 1: something must be mended. 2: the settings
    cannot be used.
    """
    try:
        sections: Sequence[Section] = diagnose(load_settings())
    except SettingsError as error:
        if as_json:
            mend = "correct the settings file"
            found = Finding("settings", "failure", error.format_message(), mend)
            click.echo(_json([Section("settings", (found,))]))
            raise SystemExit(error.exit_code) from None
        raise
    if as_json:
        click.echo(_json(sections))
    else:
        _print(sections)
    if any(section.failed for section in sections):
        raise SystemExit(1)


def _json(sections: Sequence[Section]) -> str:
    rows = [
        {"system": section.system, **asdict(finding)}
        for section in sections
        for finding in section.findings
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def _print(sections: Sequence[Section]) -> None:
    console = output.console()
    table = Table(show_lines=False)
    table.add_column("system", no_wrap=True)
    table.add_column("check")
    table.add_column("result", no_wrap=True)
    table.add_column("found, and the mend", overflow="fold", ratio=1)
    for section in sections:
        for place, finding in enumerate(section.findings):
            text = escape(finding.detail)
            if finding.status != "ok" and finding.mend:
                text += f"\n[bold]mend:[/bold] {escape(finding.mend)}"
            colour = COLOURS[finding.status]
            table.add_row(
                "" if place else escape(section.system),
                escape(finding.check),
                f"[{colour}]{finding.status}[/{colour}]",
                text,
            )
        table.add_section()
    console.print(table)
    counts = {
        status: sum(each.status == status for section in sections for each in section.findings)
        for status in COLOURS
    }
    console.print(", ".join(f"{count} {status}" for status, count in counts.items()))
