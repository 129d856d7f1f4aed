"""Metadata of the assets: column schemas from the table specs, small tables, shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from hex_assets.tables import TableSpec

SAMPLE_ROWS = 5
"""Rows of a table that are shown with a materialization."""


def column_schema(spec: TableSpec) -> dg.TableSchema:
    """The columns of a table with types and descriptions, as the Dagster UI shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=field.name,
                type=str(field.type),
                description=(field.metadata or {}).get(b"description", b"").decode() or None,
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field in spec.schema
        ]
    )


def definition_metadata(spec: TableSpec) -> dict[str, Any]:
    """What is known of a table before it is materialized."""
    return {"dagster/column_schema": column_schema(spec), "row": spec.row, "key": list(spec.key)}


def row_count(table: pa.Table) -> dict[str, Any]:
    """The rows of one partition, under the key that Dagster plots."""
    return {"dagster/partition_row_count": table.num_rows}


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> dg.MetadataValue:
    """A small table that the UI renders; `|` and line breaks inside a cell are kept harmless."""
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    for row in rows:
        lines.append(" | ".join(_cell(value) for value in row))
    return dg.MetadataValue.md("\n".join(f"| {line} |" for line in lines))


def sample(table: pa.Table, columns: Sequence[str]) -> dg.MetadataValue:
    """The first rows of a table, some columns."""
    rows = table.select(list(columns)).slice(0, SAMPLE_ROWS).to_pylist()
    return markdown_table(columns, ([row[name] for name in columns] for row in rows))


def shares(counts: Mapping[str, int], total: int) -> dict[str, Any]:
    """Counts with their share of a total, such as `resolved_count` and `resolved_share`."""
    metadata: dict[str, Any] = {f"{name}_count": count for name, count in counts.items()}
    if total:
        metadata |= {f"{name}_share": round(count / total, 4) for name, count in counts.items()}
    return metadata


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        value = ", ".join(str(part) for part in value)
    text = "" if value is None else str(value)
    text = " ".join(text.split()).replace("|", "\\|")
    return text if len(text) <= 160 else f"{text[:157]}..."
