"""`hex-assets init`: asks for the least and writes a commented settings file."""

from __future__ import annotations

from pathlib import Path

import click
import yaml

from hex_assets.commands.template import CHANGE_ME, Draft, warehouse_values, write_files
from hex_assets.settings import SettingsError, parse_settings
from hex_assets.warehouses.registry import MODULES

DEFAULT_HOST = "https://app.hex.tech"


@click.command()
@click.option("--hex-host", help=f"Hex's URL [{DEFAULT_HOST}].")
@click.option("--token-type", type=click.Choice(["personal", "workspace"]), help="Of Hex.")
@click.option("--warehouse", type=click.Choice([*sorted(MODULES), "none"]), help="Its type.")
@click.option("--catalog-host", help="OpenMetadata's URL; empty for none.")
@click.option("--defaults", is_flag=True, help="Ask nothing; take the defaults.")
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=Path("."), help="Where."
)
def init(
    hex_host: str | None,
    token_type: str | None,
    warehouse: str | None,
    catalog_host: str | None,
    defaults: bool,
    force: bool,
    folder: Path,
) -> None:
    """Write a commented hex_assets.yaml, .env.example and the schema for editors."""

    def ask(given: str | None, question: str, default: str, kind: click.Choice[str] | None) -> str:
        if given is not None or defaults:
            return default if given is None else given
        answer: str = click.prompt(question, default=default, type=kind)
        return answer

    host = ask(hex_host, "Hex's URL", DEFAULT_HOST, None)
    token = ask(token_type, "Hex token", "personal", click.Choice(["personal", "workspace"]))
    kinds = click.Choice([*sorted(MODULES), "none"])
    kind = ask(warehouse, "Warehouse that Hex queries", "none", kinds)
    catalog = ask(catalog_host, "OpenMetadata's URL (empty: none)", "", None)

    draft = Draft(hex={"hostPort": host, "tokenType": token, "token": {"env": "HEX_TOKEN"}})
    if kind != "none":
        draft.warehouses[kind] = warehouse_values(kind)
    if catalog:
        variable = {"env": "OPENMETADATA_JWT_TOKEN"}
        draft.openmetadata = {"hostPort": catalog, "token": variable, "serviceName": "hex"}
    text = draft.text()
    try:
        parse_settings(yaml.safe_load(text), "what was given")
    except SettingsError as error:
        raise click.ClickException(error.format_message()) from None
    for path in write_files(folder, draft, force=force):
        click.echo(f"wrote {path}")
    if CHANGE_ME in text:
        click.echo(f"Now replace {CHANGE_ME} in hex_assets.yaml.")
    click.echo("Then copy .env.example to .env, fill it in, and run `hex-assets doctor`.")
    click.echo("All well? DAGSTER_HOME=$PWD dagster dev  (http://127.0.0.1:3000)")
