"""Data models of SQL cells: their output columns, with types where a type is certain. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hex_assets.openmetadata.capabilities import Capabilities
from hex_assets.openmetadata.entities import Asset
from hex_assets.openmetadata.names import cell_name, fqn
from hex_assets.openmetadata.outputs import COLUMN, outputs
from hex_assets.settings import OpenMetadataSettings

Row = Mapping[str, Any]

_WITHOUT_LENGTH = {"VARCHAR": "STRING", "CHAR": "STRING", "BINARY": "BYTES", "VARBINARY": "BYTES"}
"""Types that the server takes with a length only; a result has none."""


class ColumnTypes:
    """The catalog's columns and their types, of the tables that edges name."""

    def __init__(self, catalog: pa.Table | None, tables: set[str]) -> None:
        self.tables: dict[str, dict[str, str | None]] | None = None
        if catalog is not None:
            wanted = pa.array(sorted(tables), pa.string())
            rows = catalog.filter(pc.is_in(catalog["fqn"], value_set=wanted))
            self.tables = {
                row["fqn"]: {column["name"]: column["data_type"] for column in row["columns"]}
                for row in rows.select(["fqn", "columns"]).to_pylist()
            }

    def of(self, table: str, column: str) -> str | None:
        """A column's type; None: not known."""
        return (self.tables or {}).get(table, {}).get(column)


class Models:
    """Builds the data models of one publication; edges are grouped by cell once."""

    def __init__(
        self,
        settings: OpenMetadataSettings,
        capabilities: Capabilities,
        edges: Sequence[Row],
        statements: Mapping[str, Row],
        types: ColumnTypes,
    ) -> None:
        self._settings = settings
        self._capabilities = capabilities
        self._statements = statements
        self._types = types
        self._edges: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in edges:
            if row["cell_id"] is not None and row["direction"] == "read":
                self._edges[row["project_id"], row["cell_id"]].append(row)

    def model(self, cell: Row, label: str) -> Asset:
        """The data model of an SQL cell."""
        name = cell_name(cell["project_id"], cell["cell_id"])
        machine: dict[str, Any] = {
            "dataModelType": self._settings.dataModelType,
            "columns": list(self._columns(self._edges[cell["project_id"], cell["cell_id"]])),
        }
        if cell["source"]:
            machine["sql"] = cell["source"]
        if self._capabilities.data_model_source_url:
            machine["sourceUrl"] = cell["url"]
        return Asset(
            kind="dashboardDataModel",
            name=name,
            fqn=fqn(self._settings.serviceName, "model", name),
            service=self._settings.serviceName,
            project_id=cell["project_id"],
            display_name=label,
            machine=machine,
        )

    def _columns(self, edges: Sequence[Row]) -> Iterator[dict[str, Any]]:
        """Output columns, those of the newest statement first."""
        order = dict.fromkeys(
            statement
            for row in sorted(edges, key=lambda row: row["last_seen_at"], reverse=True)
            for statement in row["statement_ids"]
            if statement in self._statements
        )
        statements = [self._statements[statement] for statement in order]
        names = dict.fromkeys(c["output"] for row in statements for c in row["columns"])
        names |= dict.fromkeys(name for row in edges for name in row["output_columns"])
        sources: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        for row in edges:
            for name in row["output_columns"]:
                if row["column"] is not None:
                    sources[name].add((row["table_fqn"] or row["table"], row["column"]))
        for name in names:
            if name and name != "*" and "::" not in name and len(name) <= 256:
                yield {"name": name, **self._type(name, sources[name], statements)}

    def _type(
        self, output: str, sources: set[tuple[str, str]], statements: Sequence[Row]
    ) -> dict[str, str]:
        """A type that all statements agree on: that of a table's column, or of the expression."""
        kinds = {
            outputs(row["text"], row["dialect"]).kind(output)
            for row in statements
            if any(column["output"] == output for column in row["columns"])
        }
        found = kinds.pop() if len(kinds) == 1 else None
        if found == COLUMN:
            found = self._types.of(*next(iter(sources))) if len(sources) == 1 else None
        if found is None:
            return {"dataType": "UNKNOWN"}
        if found == "ARRAY":  # refused without the type of its items, which frames don't hold
            return {"dataType": found, "arrayDataType": "UNKNOWN"}
        return {"dataType": _WITHOUT_LENGTH.get(found, found)}
