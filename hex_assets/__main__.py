"""The command line, `hex-assets` or `python -m hex_assets`."""

from __future__ import annotations

from importlib import import_module

import click

from hex_assets import __version__
from hex_assets.commands.environment import load_env_files

COMMANDS = {
    "demo": "hex_assets.demo.command:demo",
    "doctor": "hex_assets.commands.doctor:doctor",
    "impact": "hex_assets.commands.impact:impact",
    "import": "hex_assets.commands.import_recipe:import_recipe",
    "init": "hex_assets.commands.init:init",
    "projects": "hex_assets.commands.projects:projects",
    "report": "hex_assets.commands.report:report",
    "retire": "hex_assets.commands.retire:retire",
    "schema": "hex_assets.commands.schema:schema",
}
"""Name -> module and function; imported when called, so that `--help` of one costs only it."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hex-assets")
def main() -> None:
    """Lineage of Hex from the warehouses' query logs, kept true in OpenMetadata."""
    load_env_files()


if __name__ == "__main__":
    main(prog_name="hex-assets")
