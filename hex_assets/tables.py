"""The Arrow schema of every table: the one place for columns, their meaning and empty frames.

Times are `timestamp[us, UTC]` and end in `_at`; counts end in `_count`; a duration has its unit
in its name. A column that may be unknown is nullable, and null means unknown, never "no".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

UTC_TIME = pa.timestamp("us", tz="UTC")
STRINGS = pa.list_(pa.string())
TABLE_COLUMNS = pa.list_(pa.struct([("table", pa.string()), ("columns", STRINGS)]))
"""What an engine's own log says was touched: a table's dotted name and the columns, if it tells."""
COLUMN_SOURCES = pa.list_(pa.struct([("output", pa.string()), ("sources", STRINGS)]))
"""An output column and the `table.column` names that it is computed from."""


@dataclass(frozen=True)
class TableSpec:
    """One stored table: what a row is, its columns and the columns that identify a row."""

    name: str
    row: str
    schema: pa.Schema
    key: tuple[str, ...]

    def empty(self) -> pa.Table:
        """A table of this schema without rows."""
        return self.schema.empty_table()

    def from_rows(self, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
        """Build a table from mappings; a column that a mapping lacks is null.

        Raises:
            pyarrow.ArrowInvalid: a value does not fit its column.
            KeyError: a mapping has a column that the schema lacks.
        """
        names = set(self.schema.names)
        checked = []
        for row in rows:
            if unknown := set(row) - names:
                raise KeyError(f"table {self.name} has no column {', '.join(sorted(unknown))}")
            checked.append(row)
        return pa.Table.from_pylist(checked, schema=self.schema)

    def conform(self, table: pa.Table) -> pa.Table:
        """Give a table this schema: order, types, and nulls for columns that it lacks.

        Raises:
            KeyError: the table has a column that the schema lacks.
            pyarrow.ArrowInvalid: a value does not fit its column.
        """
        if unknown := set(table.column_names) - set(self.schema.names):
            raise KeyError(f"table {self.name} has no column {', '.join(sorted(unknown))}")
        arrays = [
            table[field.name].cast(field.type)
            if field.name in table.column_names
            else pa.nulls(table.num_rows, field.type)
            for field in self.schema
        ]
        return pa.table(arrays, schema=self.schema)


def column(name: str, kind: pa.DataType, doc: str, *, nullable: bool = True) -> pa.Field:
    """A column with its description."""
    return pa.field(name, kind, nullable=nullable, metadata={"description": doc})


def required(name: str, kind: pa.DataType, doc: str) -> pa.Field:
    """A column that is never null."""
    return column(name, kind, doc, nullable=False)


PROJECTS = TableSpec(
    "hex/projects",
    "a project or component as observed",
    pa.schema(
        [
            required("project_id", pa.string(), "Hex's id of the project, a UUID"),
            required("project_type", pa.string(), "PROJECT or COMPONENT"),
            required("title", pa.string(), "title; not unique in a workspace"),
            column("description", pa.string(), "description as written in Hex"),
            required("url", pa.string(), "link that opens the project in Hex"),
            column("owner_email", pa.string(), "e-mail of the owner"),
            column("creator_email", pa.string(), "e-mail of the creator"),
            column("status", pa.string(), "name of the workspace's status, such as Approved"),
            required(
                "categories",
                pa.list_(pa.struct([("name", pa.string()), ("description", pa.string())])),
                "the workspace's categories of this project",
            ),
            column("collections", STRINGS, "names of collections; null when Hex did not tell"),
            required(
                "schedules",
                pa.list_(
                    pa.struct(
                        [("cadence", pa.string()), ("enabled", pa.bool_()), ("text", pa.string())]
                    )
                ),
                "scheduled runs; text reads like `daily at 07:30 Europe/Berlin`",
            ),
            column("app_view_count", pa.int64(), "views of the published app, all time"),
            column("app_view_count_7_days", pa.int64(), "views in the last seven days"),
            column("app_view_count_30_days", pa.int64(), "views in the last thirty days"),
            column("last_viewed_at", UTC_TIME, "last view of the app"),
            column("published_results_updated_at", UTC_TIME, "last refresh of the app's results"),
            column("last_run_status", pa.string(), "such as COMPLETED, if a schedule is on"),
            column("last_run_at", UTC_TIME, "end of the latest run, or its start"),
            required("created_at", UTC_TIME, "creation"),
            column("last_edited_at", UTC_TIME, "last edit"),
            column("last_published_at", UTC_TIME, "last publication; null: never published"),
            column("archived_at", UTC_TIME, "archival; null: not archived"),
            column("trashed_at", UTC_TIME, "move to the trash; null: not in the trash"),
            required("observed_at", UTC_TIME, "when Hex was asked"),
        ]
    ),
    ("project_id",),
)

CELLS = TableSpec(
    "hex/cells",
    "a cell of a project",
    pa.schema(
        [
            required("project_id", pa.string(), "Hex project"),
            required("cell_id", pa.string(), "Hex's stable id of the cell"),
            column("version_id", pa.string(), "its id in this draft; queries may name either"),
            required("cell_type", pa.string(), "SQL, CHART, DISPLAY_TABLE, COMPONENT_IMPORT, ..."),
            column("label", pa.string(), "label as written in Hex"),
            column("connection_id", pa.string(), "data connection; null: a dataframe query"),
            column("source", pa.string(), "SQL, code or Markdown"),
            column("output_dataframe", pa.string(), "name of an SQL cell's result"),
            column("component_id", pa.string(), "component that a COMPONENT_IMPORT imports"),
            required("url", pa.string(), "link that opens the cell in Hex"),
            required("position", pa.int64(), "place in the project, from 0"),
            column("project_last_edited_at", UTC_TIME, "the project's last edit when it was asked"),
            required("observed_at", UTC_TIME, "when Hex was asked"),
        ]
    ),
    ("project_id", "cell_id"),
)

QUERIED_TABLES = TableSpec(
    "hex/queried_tables",
    "a table that Hex itself lists for a project; without a table: Hex lists none",
    pa.schema(
        [
            required("project_id", pa.string(), "Hex project"),
            column("table_name", pa.string(), "name as Hex writes it; null: the list is empty"),
            column("connection_id", pa.string(), "data connection"),
            column("project_last_edited_at", UTC_TIME, "the project's last edit when it was asked"),
            column("project_last_published_at", UTC_TIME, "its last publication at that time"),
            required("observed_at", UTC_TIME, "when Hex was asked"),
        ]
    ),
    ("project_id", "table_name", "connection_id"),
)

QUERY_LOG = TableSpec(
    "query_log",
    "one execution that Hex sent to a warehouse",
    pa.schema(
        [
            required("warehouse", pa.string(), "the warehouse's name in the settings"),
            required("dialect", pa.string(), "sqlglot's name of the warehouse's SQL dialect"),
            required("query_id", pa.string(), "the engine's id of the execution"),
            required("text", pa.string(), "the SQL as logged, with Hex's comment"),
            column("started_at", UTC_TIME, "start of the execution"),
            required("ended_at", UTC_TIME, "completion; arrival where the engine logs that"),
            column("user", pa.string(), "the warehouse's user"),
            column("role", pa.string(), "the warehouse's role"),
            column("default_catalog", pa.string(), "database of unqualified names, if logged"),
            column("default_schema", pa.string(), "schema of unqualified names, if logged"),
            required("status", pa.string(), "success, failed, or unknown if the log does not say"),
            column("engine_hash", pa.string(), "the engine's own fingerprint of the statement"),
            column("engine_inputs", TABLE_COLUMNS, "tables read as the engine logged them"),
            column("engine_outputs", TABLE_COLUMNS, "tables written as the engine logged them"),
            required("truncated", pa.bool_(), "the log cut the text at its limit"),
            required("comment", pa.string(), "Hex's comment: found, cut, malformed or absent"),
            column("project_id", pa.string(), "Hex project, from the comment"),
            column("project_name", pa.string(), "its title when the query ran"),
            column("cell_id", pa.string(), "the cell that ran, from the comment's link"),
            column("context", pa.string(), "why it ran, such as APP_VIEW or SCHEDULED_RUN"),
            column("user_email", pa.string(), "the person in Hex"),
            column("connection", pa.string(), "Hex's name of the data connection"),
            column("trace_id", pa.string(), "Hex's trace id"),
            column("statement_id", pa.string(), "fingerprint; joins lineage/statements"),
        ]
    ),
    ("warehouse", "query_id"),
)

CATALOG_TABLES = TableSpec(
    "catalog/tables",
    "a table of the catalog with its columns",
    pa.schema(
        [
            required("fqn", pa.string(), "fully qualified name, service.database.schema.table"),
            required("table_id", pa.string(), "OpenMetadata's id"),
            required("service", pa.string(), "database service"),
            required("database", pa.string(), "database, in the catalog's case"),
            required("schema", pa.string(), "schema, in the catalog's case"),
            required("name", pa.string(), "table, in the catalog's case"),
            column("table_type", pa.string(), "such as Regular, View, External"),
            required(
                "columns",
                pa.list_(pa.struct([("name", pa.string()), ("data_type", pa.string())])),
                "columns in order; nested ones by dotted names",
            ),
            required("observed_at", UTC_TIME, "when the catalog was asked"),
        ]
    ),
    ("fqn",),
)

STATEMENTS = TableSpec(
    "lineage/statements",
    "a distinct statement of a day: what it reads and writes, or why that is not known",
    pa.schema(
        [
            required("warehouse", pa.string(), "the warehouse's name in the settings"),
            required("statement_id", pa.string(), "fingerprint of text, dialect and defaults"),
            required("dialect", pa.string(), "sqlglot's name of the SQL dialect"),
            required("text", pa.string(), "the SQL without Hex's comment"),
            column("default_catalog", pa.string(), "database of unqualified names"),
            column("default_schema", pa.string(), "schema of unqualified names"),
            required("query_count", pa.int64(), "executions on this day"),
            required("sample_query_id", pa.string(), "the latest of them"),
            required("project_ids", STRINGS, "Hex projects that sent it"),
            required("status", pa.string(), "resolved, partial, unresolved, empty or failed"),
            column("reason", pa.string(), "why not resolved whole: a code, see lineage.reasons"),
            column("detail", pa.string(), "the same for a person: names, position, message"),
            required("sources", STRINGS, "tables read, dotted, as written"),
            required("targets", STRINGS, "tables written, dotted, as written"),
            required("columns", COLUMN_SOURCES, "output columns with the columns they come from"),
            required("source_fqns", STRINGS, "tables read, as the catalog names them"),
            required("target_fqns", STRINGS, "tables written, as the catalog names them"),
            required("not_in_catalog", STRINGS, "names that the catalog lacks"),
            required("ambiguous", STRINGS, "names that fit two tables of the catalog"),
            column("evidence", pa.string(), "engine_log or parsed; null when nothing is known"),
            required("seconds", pa.float64(), "time that the analysis took"),
            required("lineage_id", pa.string(), "equal for statements of a frame with one lineage"),
            required(
                "tables",
                pa.list_(
                    pa.struct(
                        [
                            ("name", pa.string()),
                            ("table", pa.string()),
                            ("fqn", pa.string()),
                            ("direction", pa.string()),
                            ("evidence", STRINGS),
                        ]
                    )
                ),
                "tables: as written, as in lineage/edges, the catalog's FQN, read or write",
            ),
            required(
                "uses",
                pa.list_(
                    pa.struct(
                        [
                            ("table", pa.string()),
                            ("column", pa.string()),
                            ("usage", STRINGS),
                            ("output_columns", STRINGS),
                        ]
                    )
                ),
                "columns that it needs, what for, and the output columns they flow to",
            ),
            column(
                "written_columns",
                pa.list_(
                    pa.struct(
                        [("table", pa.string()), ("column", pa.string()), ("sources", STRINGS)]
                    )
                ),
                "columns that it writes, and the `table.column` names that they come from",
            ),
        ]
    ),
    ("warehouse", "statement_id"),
)

EDGES = TableSpec(
    "lineage/edges",
    "project x cell x table x column x direction",
    pa.schema(
        [
            required("project_id", pa.string(), "Hex project"),
            column("cell_id", pa.string(), "cell; null when the comment names none"),
            required("warehouse", pa.string(), "the warehouse's name in the settings"),
            required("table", pa.string(), "dotted name: the catalog's, else as resolved"),
            column("table_fqn", pa.string(), "name in the catalog; null when it lacks the table"),
            column("column", pa.string(), "column: the catalog's, else as stored; null: the table"),
            required("direction", pa.string(), "read or write"),
            required("usage", STRINGS, "output, filter, join, group, order; empty on table rows"),
            required("output_columns", STRINGS, "output columns of the cell that it flows to"),
            column("source_columns", STRINGS, "what a written column comes from: `table.column`"),
            required("query_count", pa.int64(), "executions"),
            required("first_seen_at", UTC_TIME, "completion of the first of them"),
            required("last_seen_at", UTC_TIME, "completion of the last of them"),
            required("users", STRINGS, "people in Hex, by e-mail"),
            required("contexts", STRINGS, "why they ran"),
            required("sample_query_id", pa.string(), "the latest execution"),
            required("statement_ids", STRINGS, "statements that show it, at most 20"),
            required("evidence", STRINGS, "engine_log, parsed, or both"),
            required("partial", pa.bool_(), "some statement was understood in part only"),
        ]
    ),
    ("project_id", "cell_id", "warehouse", "table", "column", "direction"),
)

RECEIPTS = TableSpec(
    "openmetadata/publication",
    "what was done to one entity or edge of the catalog",
    pa.schema(
        [
            required("entity_type", pa.string(), "OpenMetadata's type, or lineage"),
            required("entity", pa.string(), "FQN; `from -> to` for lineage"),
            required(
                "operation", pa.string(), "created, updated, unchanged, removed, skipped, failed"
            ),
            column("reason", pa.string(), "why skipped or failed, or which fields changed"),
            column("project_id", pa.string(), "the Hex project it belongs to"),
            column("at", UTC_TIME, "when"),
        ]
    ),
    ("entity_type", "entity"),
)

ALL = (
    PROJECTS, CELLS, QUERIED_TABLES, QUERY_LOG, CATALOG_TABLES, STATEMENTS, EDGES, RECEIPTS,
)  # fmt: skip
