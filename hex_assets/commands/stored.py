"""The columns of the stored Parquet tables as a Markdown page."""

from __future__ import annotations

from collections.abc import Iterator

from hex_assets import tables
from hex_assets.tables import TableSpec

HEAD = """\
# Tables

One Parquet file a table and day (UTC) below `storage.path`: read them with DuckDB, pandas or any
engine. A row that is stored again replaces the one with the same key. Null means unknown, never
"no". This page is written by `hex-assets schema --tables --output docs/tables.md`.
"""


def stored_tables() -> str:
    """The page: a section a table, in the order in which data goes through them."""
    specs = [value for value in vars(tables).values() if isinstance(value, TableSpec)]
    return "\n".join([HEAD, *(line for spec in specs for line in _section(spec))])


def _section(spec: TableSpec) -> Iterator[str]:
    yield f"## {spec.name}"
    yield ""
    yield f"One row is {spec.row}. Key: {', '.join(f'`{name}`' for name in spec.key)}."
    yield ""
    yield "| Column | Type | Null | Meaning |"
    yield "|---|---|---|---|"
    for field in spec.schema:
        meaning = (field.metadata or {}).get(b"description", b"").decode().replace("|", "\\|")
        yield f"| `{field.name}` | `{field.type}` | {'yes' if field.nullable else ''} | {meaning} |"
    yield ""
