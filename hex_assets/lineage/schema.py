"""A plain mapping of tables to columns, as a schema provider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hex_assets.lineage.model import SchemaProvider


class MappingSchema:
    """Columns from `{"db.table": ["a", ...]}`; columns may be a mapping to types, and nested."""

    def __init__(self, tables: Mapping[str, Any]) -> None:
        self._exact: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._by_name: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
        for path, columns in _flat(tables, ()):
            folded = tuple(part.casefold() for part in path)
            self._exact[folded] = columns
            self._by_name.setdefault(folded[-1], []).append((folded, columns))

    def columns_of(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """The columns of the only table whose name ends with `parts`."""
        folded = tuple(part.casefold() for part in parts if part)
        if not folded:
            return None
        exact = self._exact.get(folded)
        if exact is not None:
            return exact
        fitting = [
            columns
            for path, columns in self._by_name.get(folded[-1], ())
            if path[-len(folded) :] == folded or folded[-len(path) :] == path
        ]
        return fitting[0] if len(fitting) == 1 else None


class WithDefaults:
    """A schema provider that completes short names by the query's default database and schema."""

    def __init__(self, schema: SchemaProvider, defaults: tuple[str, ...]) -> None:
        self._schema = schema
        self._defaults = defaults

    def columns_of(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """The columns under the full name, or else under the name as written."""
        depth = len(self._defaults) + 1
        if len(parts) < depth:
            full = (*self._defaults[: depth - len(parts)], *parts)
            found = self._schema.columns_of(full)
            if found is not None:
                return found
        return self._schema.columns_of(parts)


def provider(
    catalog: SchemaProvider | Mapping[str, Any] | None, *defaults: str | None
) -> SchemaProvider | None:
    """The schema provider for what a caller gave as a catalog."""
    if catalog is None:
        return None
    schema = MappingSchema(catalog) if isinstance(catalog, Mapping) else catalog
    given = tuple(part for part in defaults if part)
    return WithDefaults(schema, given) if given else schema


def _flat(
    tables: Mapping[str, Any], prefix: tuple[str, ...]
) -> Iterable[tuple[tuple[str, ...], tuple[str, ...]]]:
    for name, value in tables.items():
        path = (*prefix, *name.split("."))
        if isinstance(value, Mapping) and any(
            isinstance(v, (Mapping, list)) for v in value.values()
        ):
            yield from _flat(value, path)
        else:
            yield path, tuple(value)
