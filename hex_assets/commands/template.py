"""The text of a commented `hex_assets.yaml` and of `.env.example`, from values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hex_assets.commands.schema import schema_text
from hex_assets.secret import Secret
from hex_assets.settings import HexSettings, OpenMetadataSettings
from hex_assets.warehouses.registry import settings_class

CHANGE_ME = "CHANGE-ME"
SCHEMA_FILE = "hex_assets.schema.json"
HEAD = f"""\
# yaml-language-server: $schema={SCHEMA_FILE}
# Settings of hex_assets. Check them with `hex-assets doctor`.
# A secret is only ever {{env: NAME}}, the name of an environment variable.
"""


@dataclass
class Draft:
    """A settings file in the making: what differs from the defaults, and remarks at its end."""

    hex: dict[str, Any] = field(default_factory=dict)
    openmetadata: dict[str, Any] | None = None
    warehouses: dict[str, dict[str, Any]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The YAML, with every key that is left at its default as a comment."""
        parts = [HEAD, *(f"# {line}\n" for line in self.remarks)]
        parts += ["\nhex:\n", *_lines(HexSettings, self.hex, 2)]
        if self.warehouses:
            parts.append("\n# A name of your choice -> a warehouse whose query log is read.\n")
            parts.append("warehouses:\n")
            for name, values in self.warehouses.items():
                parts.append(f"  {name}:\n")
                parts += _lines(settings_class(values["type"]), values, 4)
        else:
            parts.append("\n# Add a warehouse whose query log is read; see docs/settings.md.\n")
            parts.append("warehouses: {}\n")
        if self.openmetadata is not None:
            parts.append("\nopenmetadata:\n")
            parts += _lines(OpenMetadataSettings, self.openmetadata, 2)
        parts.append("\nstorage:\n  path: data  # a folder, or any fsspec URL\n")
        return "".join(parts)

    def variables(self) -> list[str]:
        """Names of the environment variables that the file asks for."""
        given = [self.hex, self.openmetadata or {}, *self.warehouses.values()]
        return list(dict.fromkeys(name for values in given for name in _env_names(values)))


def warehouse_values(kind: str) -> dict[str, Any]:
    """What a warehouse of a type needs at least, with `CHANGE-ME` for what only a person knows."""
    values: dict[str, Any] = {"type": kind}
    for name, info in settings_class(kind).model_fields.items():
        if name == "type":
            continue
        if info.is_required() or name == "password":
            values[name] = _placeholder(kind, name, info.annotation)
    return values


def _placeholder(kind: str, name: str, annotation: Any) -> Any:
    inner = [each for each in get_args(annotation) if each not in (type(None), Ellipsis)]
    if Secret in (annotation, *inner):
        return {"env": _variable(kind, name)}
    if inner:
        return [_placeholder(kind, name, inner[0])]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return {
            key: _placeholder(kind, key, info.annotation)
            for key, info in fields
            if info.is_required()
        }
    return CHANGE_ME


def _variable(kind: str, name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", f"{kind}_{name}").upper()


def _env_names(values: Mapping[str, Any]) -> Iterable[str]:
    for value in values.values():
        if isinstance(value, Mapping):
            if set(value) == {"env"}:
                yield value["env"]
            else:
                yield from _env_names(value)


def _lines(model: type[BaseModel], values: Mapping[str, Any], indent: int) -> list[str]:
    """A line for each key: set ones as they are, the others commented out with their default."""
    lines = []
    for name, info in model.model_fields.items():
        note = f"  # {info.description}" if info.description else ""
        if name in values:
            lines.append(f"{' ' * indent}{name}: {_flow(values[name])}{note}\n")
        elif not info.is_required():
            lines.append(f"{' ' * indent}# {name}: {_flow(_default(info))}{note}\n")
    return lines


def _default(info: FieldInfo) -> Any:
    value = info.get_default(call_default_factory=True)
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _flow(value: Any) -> str:
    """A value in YAML's flow style; JSON is a subset of it."""
    if isinstance(value, Mapping) and set(value) == {"env"}:
        return f"{{env: {value['env']}}}"
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w./-]*(?<!:)", value):
        plain = value.casefold() not in (
            "yes",
            "no",
            "on",
            "off",
            "true",
            "false",
            "null",
            "y",
            "n",
        )
        return value if plain else json.dumps(value)
    return json.dumps(value, ensure_ascii=False)


def write_files(folder: Path, draft: Draft, *, force: bool) -> list[Path]:
    """Write settings, `.env.example` and the schema for editors into a folder.

    Raises:
        click.ClickException: a file exists and `force` is off; nothing is written then.
    """
    variables = "".join(f"{name}=\n" for name in draft.variables())
    texts = {
        folder / "hex_assets.yaml": draft.text(),
        folder / ".env.example": "# Copy to .env, which must never be committed.\n" + variables,
        folder / SCHEMA_FILE: schema_text(),
    }
    there = [str(path) for path in texts if path.exists()]
    if there and not force:
        raise click.ClickException(f"{', '.join(there)} exists; --force overwrites it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
        return [*texts, *_write_dagster_files(folder)]
    except OSError as error:
        raise click.ClickException(f"{folder} cannot be written: {error.strerror}") from None


def _write_dagster_files(folder: Path) -> list[Path]:
    """The two files by which `dagster dev` finds definitions and keeps its history.

    A file that exists belongs to somebody's Dagster project and stays as it is.
    """
    written = []
    for name in ("workspace.yaml", "dagster.yaml"):
        if not (folder / name).exists():
            text = (resources.files(__package__) / name).read_text(encoding="utf-8")
            (folder / name).write_text(text, encoding="utf-8")
            written.append(folder / name)
    return written
