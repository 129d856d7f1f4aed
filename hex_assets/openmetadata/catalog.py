"""The catalog's tables with their columns, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa

from hex_assets.openmetadata.client import OpenMetadataClient, by_name
from hex_assets.openmetadata.errors import NotFound, OpenMetadataError
from hex_assets.openmetadata.names import split_fqn
from hex_assets.tables import CATALOG_TABLES

DATABASE_SERVICES = "/services/databaseServices"


def read_catalog(client: OpenMetadataClient, services: Sequence[str]) -> pa.Table:
    """All tables of the given database services.

    Returns:
        Rows of `hex_assets.tables.CATALOG_TABLES`, ordered by FQN.

    Raises:
        NotFound: a service does not exist; names those that do.
        OpenMetadataError: a listing could not be completed; nothing is returned in part.
    """
    observed_at = datetime.now(timezone.utc)
    rows: dict[str, dict[str, Any]] = {}
    for service in services:
        if client.find(by_name(DATABASE_SERVICES, service)) is None:
            known = sorted(found["name"] for found in client.listing(DATABASE_SERVICES))
            raise NotFound(
                f"OpenMetadata has no database service {service!r}; it has "
                f"{', '.join(known) or 'none'}; correct dbServiceNames or openmetadataService",
                status=404,
            )
        for database in client.listing("/databases", service=service):
            name = database["fullyQualifiedName"]
            for table in client.listing("/tables", database=name, fields="columns"):
                row = _row(table, observed_at)
                rows[row["fqn"]] = row
    return CATALOG_TABLES.from_rows(rows[fqn] for fqn in sorted(rows))


def _row(table: Mapping[str, Any], observed_at: datetime) -> dict[str, Any]:
    fqn = str(table["fullyQualifiedName"])
    parts = split_fqn(fqn)
    if len(parts) != 4:
        raise OpenMetadataError(
            f"GET /tables: {fqn!r} is no name of service, database, schema and table"
        )
    return {
        "fqn": fqn,
        "table_id": table["id"],
        "service": parts[0],
        "database": parts[1],
        "schema": parts[2],
        "name": table["name"],
        "table_type": table.get("tableType"),
        "columns": list(flat_columns(table.get("columns") or (), "")),
        "observed_at": observed_at,
    }


def flat_columns(columns: Sequence[Mapping[str, Any]], above: str) -> Iterator[dict[str, Any]]:
    """Columns in order, nested ones after their parent by dotted names."""
    for column in columns:
        name = f"{above}{column['name']}"
        yield {"name": name, "data_type": column.get("dataType")}
        yield from flat_columns(column.get("children") or (), f"{name}.")
