"""Trino and Presto: the table of Trino's MySQL event listener, through PyMySQL.

Facts (Trino 476): the listener writes a row when a query ends, with its catalog, schema, inputs and
outputs, and no time but how long it took, `wall_time_millis`. A `query_id` is
`yyyyMMdd_HHmmss_NNNNN_xxxxx` in UTC, the second of submission; both together give the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from hex_assets.probe import Finding
from hex_assets.warehouses.base import (
    MARKER_HALVES,
    CannotConnect,
    LogSourceError,
    Losses,
    Position,
    WarehouseSettings,
    Window,
)
from hex_assets.warehouses.mysql_client import MySQLServer, mysql_connection
from hex_assets.warehouses.reading import batches
from hex_assets.warehouses.trino_text import executed_text
from hex_assets.warehouses.vendor import engine_tables, utc_text

MARKED = "LOCATE(CONCAT(%(m1)s, %(m2)s), query) > 0"
ENDED = (
    "(STR_TO_DATE(LEFT(query_id, 15), '%%Y%%m%%d_%%H%%i%%s')"
    " + INTERVAL wall_time_millis * 1000 MICROSECOND)"
)
OWN = (
    "prepared_query IS NULL AND COALESCE(update_type, '') <> 'DEALLOCATE'"
    " AND query <> 'EXECUTE IMMEDIATE ''SELECT 1'''"
)
"""Not what a client adds around a statement with parameters; its `PREPARE` is a row as well."""
# The primary key prunes by submission; what counts is the end.
IN_WINDOW = (
    "query_id >= %(oldest)s AND query_id < %(newest)s"
    f" AND {ENDED} >= %(start)s AND {ENDED} < %(end)s"
)


class TrinoListener(MySQLServer):
    """The MySQL or MariaDB database of Trino's event listener."""

    database: str = Field(pattern=r"^[A-Za-z0-9_$-]+$", description="such as trino_log")
    table: str = Field(default="trino_queries", pattern=r"^[A-Za-z0-9_$-]+$")


class TrinoSettings(WarehouseSettings):
    """A Trino cluster by its MySQL event listener's table: the complete log."""

    dialect: ClassVar[str] = "trino"

    type: Literal["trino"]
    listener: TrinoListener = Field(description="where the event listener writes")
    maxRuntimeMinutes: int = Field(
        default=1440,
        ge=1,
        description="how long a query runs at most: so far before a window its start is looked for",
    )

    def source(self, name: str) -> TrinoListenerLog:
        """The log source of these settings; connects to nothing yet."""
        return TrinoListenerLog(name, self, self.listener, self.dialect)


class PrestoSettings(TrinoSettings):
    """Presto: a listener's table of the same columns."""

    dialect: ClassVar[str] = "presto"

    type: Literal["presto"]  # type: ignore[assignment]


@dataclass(frozen=True)
class TrinoListenerLog:
    """The event listener's table of one cluster."""

    name: str
    settings: TrinoSettings
    listener: TrinoListener
    dialect: str
    lag: timedelta = timedelta(minutes=5)
    """A row is written when its query ends; the end is known to a second."""
    retention: timedelta | None = None

    def read(self, window: Window, resume: Position | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the Hex queries that finished in the window, by (ended_at, query_id)."""
        after, parameters = "", self._span(window)
        if resume:
            after = f" AND ({ENDED} > %(done)s OR ({ENDED} = %(done)s AND query_id > %(done_id)s))"
            parameters |= {"done": utc_text(resume.ended_at), "done_id": resume.query_id}
        statement = (
            f"SELECT query_id, wall_time_millis, query, catalog, `schema`, `user`, inputs_json,"
            f" output_json FROM {self._quoted} WHERE {IN_WINDOW} AND query_state = 'FINISHED'"
            f" AND {MARKED}{after} ORDER BY {ENDED}, query_id"
        )
        with self._connection() as connection:
            cursor = connection.cursor()  # closing it would read all rows to the end
            cursor.execute(statement, parameters)
            yield from batches(self._row(*row) for row in cursor)

    def _row(
        self,
        query_id: str,
        milliseconds: int,
        text: str,
        catalog: str | None,
        schema: str | None,
        user: str,
        inputs: str | None,
        output: str | None,
    ) -> dict[str, Any]:
        submitted = _submitted(query_id)
        return {
            "warehouse": self.name,
            "dialect": self.dialect,
            "query_id": query_id,
            "text": executed_text(text),
            "started_at": submitted,
            "ended_at": submitted + timedelta(milliseconds=milliseconds),
            "user": user,
            "default_catalog": catalog,
            "default_schema": schema,
            "status": "success",
            "engine_inputs": engine_tables(map(_table_columns, json.loads(inputs or "[]"))),
            "engine_outputs": engine_tables(map(_table_columns, _as_list(output))),
            "truncated": False,
        }

    def losses(self, window: Window) -> Losses:
        """Count failed, empty and untagged queries of the window in one statement."""
        user = self.settings.hexUser
        mine = "`user` = %(user)s" if user else "TRUE"
        statement = (
            f"SELECT COUNT(CASE WHEN query_state = 'FAILED' AND {MARKED} THEN 1 END),"
            f" COUNT(CASE WHEN query = '' AND {mine} THEN 1 END),"
            f" COUNT(CASE WHEN query_state = 'FINISHED' AND query <> '' AND {mine}"
            f" AND NOT {MARKED} AND {OWN} THEN 1 END) FROM {self._quoted} WHERE {IN_WINDOW}"
        )
        failed, empty, untagged = self._one(statement, self._span(window) | {"user": user or ""})
        first = self._first()
        begins = first if first and window.start < first < window.end else None
        return Losses(failed, empty, untagged if user else None, begins)

    def _first(self) -> datetime | None:
        """Submission of the log's oldest row; by the primary key, no scan."""
        (query_id,) = self._one(f"SELECT MIN(query_id) FROM {self._quoted}", {})
        return _submitted(query_id) if query_id else None

    def probe(self) -> list[Finding]:
        """Log in, see whether emoji can be stored, count the last day."""
        now = datetime.now(timezone.utc)
        findings = []
        place = f"event listener's database at {self.listener.place}"
        try:
            (charset,) = self._one(
                "SELECT MAX(character_set_name) FROM information_schema.columns WHERE"
                " table_schema = %(database)s AND table_name = %(table)s"
                " AND column_name = 'query'",
                self.listener.model_dump(include={"database", "table"}),
            )
            findings.append(Finding("login", "ok", place))
            (count,) = self._one(
                f"SELECT COUNT(*) FROM {self._quoted} WHERE {IN_WINDOW} AND {MARKED}",
                self._span(Window(now - timedelta(days=1), now)),
            )
            first = self._first()
        except CannotConnect as error:
            return [*findings, Finding("login", "failure", error.problem, error.mend)]
        except LogSourceError as error:
            return [*findings, Finding("log", "failure", error.problem, error.mend)]
        if charset != "utf8mb4":
            mend = f"ALTER TABLE {self._table} CONVERT TO CHARACTER SET utf8mb4"
            detail = f"{self._table} is {charset}: Trino stores no query with an emoji"
            findings.append(Finding("character set", "warning", detail, mend))
        since = f"the log begins at {first:%Y-%m-%d %H:%M} UTC" if first else "it is empty"
        detail = f"{count} Hex queries in the last day; {since}; kept until rows are deleted"
        return [*findings, Finding("hex queries", "ok" if count else "warning", detail)]

    def _span(self, window: Window) -> dict[str, Any]:
        first, second = MARKER_HALVES
        oldest = window.start - timedelta(minutes=self.settings.maxRuntimeMinutes)
        return {
            "oldest": _id_from(oldest),
            "newest": _id_from(window.end + timedelta(seconds=1)),
            "start": utc_text(window.start),
            "end": utc_text(window.end),
            "m1": first,
            "m2": second,
        }

    def _one(self, statement: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        with self._connection() as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            (row,) = cursor.fetchall()
            return tuple(row)

    @property
    def _table(self) -> str:
        return f"{self.listener.database}.{self.listener.table}"

    @property
    def _quoted(self) -> str:
        return f"`{self.listener.database}`.`{self.listener.table}`"

    def _connection(self) -> AbstractContextManager[Any]:
        return mysql_connection(
            self.name, self.listener, table=self._table, install="hex-assets[mysql]"
        )


def _table_columns(logged: Mapping[str, Any]) -> tuple[str, list[str] | None]:
    """A table of `inputs_json` or `output_json` with its columns, which are names or objects."""
    catalog = logged.get("catalogName") or logged.get("catalog")
    columns = [
        column if isinstance(column, str) else column.get("name") or column["columnName"]
        for column in logged.get("columns") or ()
    ]
    return f"{catalog}.{logged['schema']}.{logged['table']}", columns or None


def _as_list(output: str | None) -> list[Mapping[str, Any]]:
    found = json.loads(output) if output else None
    return [found] if found and found.get("table") else []


def _submitted(query_id: str) -> datetime:
    return datetime.strptime(query_id[:15], "%Y%m%d_%H%M%S").replace(tzinfo=timezone.utc)


def _id_from(moment: datetime) -> str:
    """The beginning of the identifiers of a second."""
    return moment.astimezone(timezone.utc).strftime("%Y%m%d_%H%M%S")
