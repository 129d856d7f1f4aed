"""`hex-assets schema`: the JSON schema of `hex_assets.yaml`, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hex_assets.commands.stored import stored_tables
from hex_assets.commands.tables import renewed, settings_tables
from hex_assets.settings import Settings
from hex_assets.warehouses.registry import MODULES, settings_class

REF = "#/$defs/{model}"


def settings_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of all settings, with every warehouse type."""
    kinds = {kind: settings_class(kind) for kind in sorted(MODULES)}
    classes = list(dict.fromkeys(kinds.values()))
    models: list[type[BaseModel]] = [Settings, *classes]
    places, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template=REF
    )
    schema: dict[str, Any] = definitions["$defs"].pop("Settings")
    refs = {kind: places[model, "validation"]["$ref"] for kind, model in kinds.items()}
    schema["properties"]["warehouses"]["additionalProperties"] = {
        "anyOf": [{"$ref": ref} for ref in dict.fromkeys(refs.values())],
        "discriminator": {"propertyName": "type", "mapping": refs},
    }
    used = {
        name: each
        for name, each in definitions["$defs"].items()
        if name in _used(schema, definitions["$defs"])
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hex_assets.yaml",
        **{key: value for key, value in schema.items() if key != "title"},
        "$defs": used,
    }


def _used(schema: Any, definitions: dict[str, Any]) -> set[str]:
    """Names of the definitions that are reached from a schema."""
    found: set[str] = set()
    pending = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(node)
        elif isinstance(node, dict):
            pending.extend(node.values())
            name = str(node.get("$ref", "")).removeprefix(REF.format(model=""))
            if name in definitions and name not in found:
                found.add(name)
                pending.append(definitions[name])
    return found


def schema_text() -> str:
    """The schema as it is committed: indented, keys in the order of the settings."""
    return json.dumps(settings_schema(), indent=2, ensure_ascii=False) + "\n"


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File to write.",
)
@click.option("--markdown", is_flag=True, help="All keys as tables; FILE is a page to renew.")
@click.option("--tables", is_flag=True, help="The columns of the stored tables instead.")
def schema(output: Path | None, markdown: bool, tables: bool) -> None:
    """Print the JSON schema of hex_assets.yaml, or write it to a file."""
    if markdown and tables:
        raise click.UsageError("--markdown and --tables are two pages: ask for one")
    if tables:
        text = stored_tables()
    else:
        text = settings_tables(settings_schema()) if markdown else schema_text()
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        if markdown and output.exists():
            text = renewed(output.read_text(encoding="utf-8"), text)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}") from None
    click.echo(f"wrote {output}", err=True)
