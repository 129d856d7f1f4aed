"""Results kept across days: a daily run analyses only what is new."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import hex_assets
from hex_assets.lineage.model import ColumnUse, SchemaProvider, StatementLineage


def _engine_version() -> str:
    """A digest of this package's own modules and sqlglot's version: any change makes it another.

    A package that was installed without its source has its own version instead.
    """
    folder = Path(__file__).parent
    modules = sorted(folder.rglob("*.py"), key=lambda path: path.relative_to(folder).as_posix())
    digest = hashlib.sha256(b"" if modules else hex_assets.__version__.encode())
    for module in modules:
        digest.update(module.read_bytes())
    return f"{digest.hexdigest()[:16]}/sqlglot {version('sqlglot')}"


ENGINE_VERSION = _engine_version()
"""Results of another engine are never used."""


class CacheStore(Protocol):
    """Where results are kept, by key; a plain `dict` is one."""

    def get(self, key: str, /) -> str | None:
        """The stored result, or None."""
        ...

    def __setitem__(self, key: str, value: str, /) -> None: ...


@dataclass
class RecordingSchema:
    """Notes which tables an analysis asked for, and what it was told."""

    inner: SchemaProvider
    asked: dict[tuple[str, ...], str] = field(default_factory=dict)

    def columns_of(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """The catalog's columns."""
        columns = self.inner.columns_of(parts)
        self.asked[parts] = _digest(columns)
        return columns


def load(store: CacheStore, fingerprint: str, schema: SchemaProvider) -> StatementLineage | None:
    """A kept result, if the tables that it depends on still have the same columns."""
    kept = store.get(_key(fingerprint))
    if kept is None:
        return None
    value = json.loads(kept)
    for parts, digest in value["asked"]:
        if _digest(schema.columns_of(tuple(parts))) != digest:
            return None
    lineage: dict[str, Any] = {
        name: _tuples(item) if isinstance(item, list) else item
        for name, item in value["lineage"].items()
        if name != "uses"
    }
    uses = tuple(
        ColumnUse(table, column, tuple(usage)) for table, column, usage in value["lineage"]["uses"]
    )
    return StatementLineage(uses=uses, **lineage)


def keep(
    store: CacheStore, fingerprint: str, lineage: StatementLineage, asked: RecordingSchema
) -> None:
    """Store a result with what it depends on."""
    store[_key(fingerprint)] = json.dumps(
        {"lineage": vars(lineage), "asked": sorted((list(k), v) for k, v in asked.asked.items())}
    )


def _key(fingerprint: str) -> str:
    return f"{ENGINE_VERSION}/{fingerprint}"


def _digest(columns: tuple[str, ...] | None) -> str:
    return hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:16]


def _tuples(value: list[object]) -> tuple[object, ...]:
    return tuple(_tuples(item) if isinstance(item, list) else item for item in value)
