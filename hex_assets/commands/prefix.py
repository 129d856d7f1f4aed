"""The option of the commands that read stored tables of another Dagster project."""

from __future__ import annotations

import click


def _parts(_: click.Context, __: click.Parameter, value: str) -> tuple[str, ...]:
    parts = tuple(value.split("/")) if value else ()
    if not all(parts):
        raise click.BadParameter("an empty part between two slashes; write it like `team/hex`")
    return parts


key_prefix = click.option(
    "--key-prefix",
    callback=_parts,
    default="",
    metavar="A/B",
    help="The key_prefix of build_definitions, where these assets are part of another project.",
)
