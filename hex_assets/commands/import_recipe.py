"""`hex-assets import`: an OpenMetadata Hex ingestion YAML becomes ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from hex_assets.commands.template import Draft, write_files
from hex_assets.settings import SettingsError, parse_settings

HEX_KEYS = ("hostPort", "tokenType")
PATTERNS = (
    "dashboardFilterPattern",
    "chartFilterPattern",
    "dataModelFilterPattern",
    "projectFilterPattern",
)
SAME = (
    *PATTERNS,
    "includeTags",
    "includeOwners",
    "includeDataModels",
    "includeDraftDashboard",
    "markDeletedDashboards",
    "overrideMetadata",
    "overrideLineage",
)
"""Options of sourceConfig that have the same name and meaning here."""
SILENT = {
    "source.type",
    "source.serviceName",
    "source.serviceConnection.config.type",
    "source.sourceConfig.config.type",
}
HEX_VARIABLE = "HEX_TOKEN"
CATALOG_VARIABLE = "OPENMETADATA_JWT_TOKEN"


@click.command("import")
@click.argument("recipe", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=Path("."), help="Where."
)
def import_recipe(recipe: Path, force: bool, folder: Path) -> None:
    """Read an OpenMetadata Hex ingestion YAML and write hex_assets.yaml and .env.example."""
    try:
        content = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        # The text of a YAML error quotes the line, which may hold a token.
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise click.ClickException(f"{recipe} is not readable YAML{where}") from None
    draft = convert(content)
    try:
        parse_settings(yaml.safe_load(draft.text()), str(recipe))
    except SettingsError as error:
        raise click.ClickException(error.format_message()) from None
    for path in write_files(folder, draft, force=force):
        click.echo(f"wrote {path}")
    for remark in draft.remarks:
        click.echo(f"- {remark}")


def convert(recipe: object) -> Draft:
    """Translate a recipe; what has no counterpart is named in the remarks. Copies no secret.

    Raises:
        click.ClickException: it is not a recipe of OpenMetadata's Hex connector.
    """
    source = _mapping(_mapping(recipe).get("source"))
    if str(source.get("type", "")).casefold() != "hex":
        raise click.ClickException("this is no Hex recipe: source.type is not hex")
    connection = _mapping(_mapping(source.get("serviceConnection")).get("config"))
    config = _mapping(_mapping(source.get("sourceConfig")).get("config"))
    server = _mapping(
        _mapping(_mapping(recipe).get("workflowConfig")).get("openMetadataServerConfig")
    )
    draft = Draft(hex={key: connection[key] for key in HEX_KEYS if key in connection})
    used = {*SILENT, *(f"source.serviceConnection.config.{key}" for key in HEX_KEYS)}
    draft.hex["token"] = _secret(connection.get("token"), HEX_VARIABLE, "Hex's token", draft)
    used.add("source.serviceConnection.config.token")

    place = "source.sourceConfig.config"
    catalog = {key: config[key] for key in SAME if config.get(key) is not None}
    for key in PATTERNS:
        # The connection has a default dashboard pattern; the pipeline's own goes first.
        if key in connection and key not in catalog:
            catalog[key] = connection[key]
            used.add(f"source.serviceConnection.config.{key}")
    if "includeTags" in connection and "includeTags" not in catalog:
        catalog["includeTags"] = connection["includeTags"]
        used.add("source.serviceConnection.config.includeTags")
    used |= {f"{place}.{key}" for key in SAME}
    services = _services(config, place, used)
    if services:
        catalog["dbServiceNames"] = services
    where = "workflowConfig.openMetadataServerConfig"
    if server.get("hostPort"):
        jwt = _mapping(server.get("securityConfig")).get("jwtToken")
        draft.openmetadata = {
            "hostPort": server["hostPort"],
            "token": _secret(jwt, CATALOG_VARIABLE, "OpenMetadata's token", draft),
            "serviceName": source.get("serviceName", "hex"),
            **catalog,
        }
        used |= {f"{where}.hostPort", f"{where}.securityConfig.jwtToken"}
        if server.get("authProvider", "openmetadata") == "openmetadata":
            used.add(f"{where}.authProvider")
    elif catalog:
        draft.remarks.append(f"{where}.hostPort is missing: no catalog is configured, add it")
    for path in _paths(recipe):
        if not any(path == each or path.startswith(f"{each}.") for each in used):
            draft.remarks.append(f"{path} has no counterpart and was left out")
    draft.remarks.append(
        "warehouses are not part of a recipe: add each database service's warehouse below "
        "`warehouses:` with openmetadataService"
    )
    return draft


def _services(config: Mapping[str, Any], place: str, used: set[str]) -> list[str]:
    """Database services from either spelling; a prefix is a service's name and more after a dot."""
    lineage = _mapping(config.get("lineageInformation"))
    names: list[str] = []
    for root, given in ((place, config), (f"{place}.lineageInformation", lineage)):
        for key in ("dbServiceNames", "dbServicePrefixes"):
            if isinstance(given.get(key), list):
                used.add(f"{root}.{key}")
                names += [str(each).split(".")[0] for each in given[key]]
    return list(dict.fromkeys(names))


def _secret(value: object, variable: str, what: str, draft: Draft) -> dict[str, str]:
    text = str(value or "")
    if text.startswith("${") and text.endswith("}") and text[2:-1].isidentifier():
        return {"env": text[2:-1]}
    if text:
        draft.remarks.append(f"{what} was not copied: put it into the variable {variable}")
    return {"env": variable}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _paths(value: object, prefix: str = "") -> Iterator[str]:
    """Dotted paths of the leaves; a list is a leaf. Paths only, so no secret can slip through."""
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from _paths(each, f"{prefix}.{key}" if prefix else str(key))
    elif prefix:
        yield prefix
