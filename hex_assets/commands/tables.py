"""The keys of `hex_assets.yaml` as Markdown tables, from the JSON schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from hex_assets.warehouses.registry import MODULES, settings_class

SECRET = "Secret"
TOP = "top level"
BEGIN, END = "<!-- keys -->\n", "<!-- end of keys -->"
"""Between these lines a page has the tables."""


def settings_tables(schema: Mapping[str, Any]) -> str:
    """A section with a table for each group of keys; every key of the schema is in one.

    Args:
        schema: as `hex_assets.commands.schema.settings_schema` makes it.
    """
    definitions: Mapping[str, Any] = schema["$defs"]
    titles = {TOP: schema, **_groups(schema, definitions)}
    return "\n".join(
        line for title, model in titles.items() for line in _section(title, model, definitions)
    )


def renewed(page: str, tables: str) -> str:
    """A page with its tables replaced.

    Raises:
        click.ClickException: it has not the two lines that the tables stand between.
    """
    begin, end = page.find(BEGIN), page.find(END)
    if not 0 <= begin < end:
        raise click.ClickException(f"the page has no lines {BEGIN.strip()} and {END}")
    return page[: begin + len(BEGIN)] + tables + page[end:]


def _groups(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Heading -> object: the groups of the top level, the warehouses, then what they hold."""
    found: dict[str, str] = {}
    for key, value in schema["properties"].items():
        for name in _references(value):
            found.setdefault(name, f"`{key}`")
    for kind in sorted(MODULES):
        found[settings_class(kind).__name__] = f"`warehouses`, type `{kind}`"
    pending = list(found)
    while pending:
        holder = pending.pop(0)
        for key, value in definitions[holder].get("properties", {}).items():
            for name in _references(value):
                if name != SECRET and name not in found:
                    found[name] = f"{found[holder]}, `{key}`"
                    pending.append(name)
    return {
        title: definitions[name]
        for name, title in found.items()
        if "properties" in definitions[name]
    }


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rsplit("/", 1)[-1]
        for key, each in value.items():
            if key not in ("discriminator", "default"):
                yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def _section(title: str, model: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {title}"
    yield ""
    yield "| Key | Value | Default | Meaning |"
    yield "|---|---|---|---|"
    for key, value in model["properties"].items():
        required = key in model.get("required", ())
        cells = (
            f"`{key}`",
            _type(value, definitions),
            "required" if required else _default(value),
            value.get("description") or _described(value, definitions),
        )
        yield "| " + " | ".join(_escaped(cell) for cell in cells) + " |"
    yield ""


def _type(value: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[-1]
        if name == SECRET:
            return "`{env: NAME}`"
        return "keys" if "properties" in definitions[name] else _type(definitions[name], {})
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return " or ".join(f"`{each}`" for each in value["enum"])
    if "anyOf" in value or "allOf" in value or "oneOf" in value:
        each = value.get("anyOf") or value.get("allOf") or value["oneOf"]
        kinds = [_type(one, definitions) for one in each if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    kind = value.get("type", "any")
    if kind == "array":
        return f"list of {_type(value.get('items', {}), definitions)}"
    if kind == "object":
        return "name -> keys"
    bounds = [
        f"{word} {value[name]}"
        for name, word in (
            ("minimum", "from"),
            ("exclusiveMinimum", "above"),
            ("maximum", "to"),
            ("exclusiveMaximum", "below"),
        )
        if name in value
    ]
    names = {"string": "text", "integer": "number", "boolean": "`true` or `false`"}
    if value.get("format") == "date":
        return "date"
    return " ".join([names.get(kind, kind), *bounds])


def _default(value: Mapping[str, Any]) -> str:
    default = value.get("default")
    if default is None or default in ([], {}, ""):
        return ""
    if isinstance(default, dict):
        return f"`{{env: {default['env']}}}`" if set(default) == {"env"} else ""
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _described(value: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What the object behind a key says of itself, its first line."""
    for name in _references(value):
        text = definitions[name].get("description", "")
        if text and name != SECRET:
            return str(text).splitlines()[0].rstrip(".")
    return ""


def _escaped(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")
