"""What the sources with heavy vendor clients share: late imports, names, and their own errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from functools import lru_cache
from importlib import import_module
from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError

from hex_assets.warehouses.base import CannotConnect


def vendor_module(name: str, *, warehouse: str, install: str) -> Any:
    """Import a vendor's client when it is needed, not before.

    Raises:
        CannotConnect: the package is not installed; names `install`, which brings it.
    """
    try:
        return import_module(name)
    except ImportError as error:
        missing = error.name or name
        raise CannotConnect(
            f"warehouse {warehouse}: the Python package {missing!r} is not installed; "
            f"run `pip install '{install}'`"
        ) from error


def engine_tables(
    tables: Iterable[tuple[str, Iterable[str] | None]],
) -> list[Mapping[str, Any]] | None:
    """Tables of an engine's own log as the query log stores them; None where there are none.

    A table that comes twice is one entry with the columns of both. None and not an empty list:
    an engine that names no table does not prove that the statement reads none.
    """
    merged: dict[str, list[str] | None] = {}
    for table, columns in tables:
        known = merged.setdefault(table, None)
        if columns is not None:
            merged[table] = list(dict.fromkeys([*(known or ()), *columns]))
    return [{"table": table, "columns": columns} for table, columns in merged.items()] or None


@lru_cache(maxsize=20_000)
def unquoted(name: str, dialect: str) -> str:
    """A dotted name without quotes but for a part with a dot; as it is if it is no name."""
    if '"' not in name and "`" not in name:
        return name
    try:
        parts = [part.name for part in exp.to_table(name, dialect=dialect).parts]
    except SqlglotError:
        return name
    quoted = ('"' + part.replace('"', '""') + '"' if "." in part else part for part in parts)
    return ".".join(quoted)


def utc_text(moment: datetime) -> str:
    """A time for a bound parameter: UTC with microseconds, no zone, `2026-11-22 00:00:00.000000`.

    The statement says that it is UTC; each engine spells a zone in its own way.
    """
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")


def as_utc(moment: datetime | None) -> datetime | None:
    """A time from a log as aware UTC; a naive one is UTC already."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc)
