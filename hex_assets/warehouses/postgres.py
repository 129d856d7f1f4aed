"""PostgreSQL: the server's own csvlog or jsonlog as a table, read by psycopg in one stream.

Facts (PostgreSQL 15): with `log_min_duration_statement = 0` a finished statement is one line,
`duration: 1.5 ms  statement: ...`, or `execute <name>: ...` of the extended protocol, written when
it ends and never cut. A failed one is a line of severity ERROR with its text in `query`. The key
is (session_id, session_line_num); search_path is not logged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from hex_assets.probe import Finding
from hex_assets.warehouses.base import (
    CannotConnect,
    LogSourceError,
    Losses,
    Position,
    Window,
)
from hex_assets.warehouses.postgres_client import (
    PostgresServer,
    connected,
    one_row,
    place_of,
    probe_settings,
    reading_errors,
)
from hex_assets.warehouses.postgres_lines import (
    FINISHED,
    Clock,
    CsvLayout,
    JsonLayout,
    LogLine,
    TimeZone,
    statement_row,
)
from hex_assets.warehouses.postgres_server_files import PostgresServerFiles
from hex_assets.warehouses.reading import batches
from hex_assets.warehouses.vendor import as_utc

LAG = timedelta(minutes=1)
STREAM_ROWS = 100
"""Rows of an answer held at once: 100 statements of 1 MB are still 100 MB."""

# Hex's marker in two parts: a statement with the whole marker would find itself the next day.
HAS_MARKER = "position('-- Hex query ' || 'metadata:' IN {column}) > 0"
MARKED = HAS_MARKER.format(column="message")
IN_WINDOW = "log_time >= %(start)s AND log_time < %(end)s"
# The cheap test comes first: PostgreSQL keeps the order of predicates of equal cost.
STATEMENT = (
    f"error_severity = 'LOG' AND starts_with(message, 'duration: ') AND message ~ '^{FINISHED}'"
)
KEY = "(session_id || ':' || session_line_num) COLLATE \"C\""


class PostgresSettings(PostgresServer):
    """A PostgreSQL server whose log is a table: by file_fdw, or by a provider's log_fdw."""

    dialect: ClassVar[str] = "postgres"

    type: Literal["postgres"]
    logTable: str = Field(
        default="public.pglog",
        pattern=r"^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)?$",
        description="foreign table or view with the columns of csvlog",
    )
    logFiles: Literal["csvlog", "jsonlog"] | None = Field(
        default=None,
        description="instead of `logTable`: read the server's own files by pg_read_binary_file",
    )
    logTimezone: TimeZone = Field(
        default="UTC", description="the server's log_timezone, where `logFiles` is set"
    )
    defaultSchema: str | None = Field(
        default="public", description="first schema of Hex's search_path; the log does not tell it"
    )
    retentionDays: int | None = Field(
        default=None, ge=1, description="how long log files are kept: older windows are refused"
    )

    def source(self, name: str) -> PostgresLog | PostgresServerFiles:
        """The log source of these settings; connects to nothing yet."""
        if self.logFiles is None:
            return PostgresLog(name, self)
        clock = Clock(self.logTimezone)
        return PostgresServerFiles(
            name=name,
            settings=self,
            layout=CsvLayout(clock) if self.logFiles == "csvlog" else JsonLayout(clock),
            lag=LAG,
            retention_days=self.retentionDays,
            format=self.logFiles,
        )


@dataclass(frozen=True)
class PostgresLog:
    """The log of one PostgreSQL server, all its databases."""

    name: str
    settings: PostgresSettings
    dialect: str = "postgres"
    lag: timedelta = LAG

    @property
    def retention(self) -> timedelta | None:
        """As given in the settings; the server removes nothing by itself."""
        days = self.settings.retentionDays
        return timedelta(days=days) if days else None

    def read(self, window: Window, resume: Position | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the window's finished Hex statements, ordered by (ended_at, query_id)."""
        yield from batches(self._rows(window, resume))

    def _rows(self, window: Window, resume: Position | None) -> Iterator[Mapping[str, Any]]:
        parameters: dict[str, Any] = {"start": window.start, "end": window.end}
        after = ""
        if resume:
            parameters |= {"after": resume.ended_at, "after_id": resume.query_id}
            after = f"AND (log_time > %(after)s OR (log_time = %(after)s AND {KEY} > %(after_id)s))"
        with connected(self.name, self.settings) as connection, self._errors(connection, window):
            cursor = connection.cursor()
            for row in cursor.stream(self._select(after), parameters, size=STREAM_ROWS):
                yield self._row(*row)

    def _select(self, after: str = "") -> str:
        return f"""
SELECT {KEY} AS id, log_time, database_name, user_name, query_id, message
FROM {self.settings.logTable}
WHERE {IN_WINDOW} AND {MARKED} AND {STATEMENT} {after}
ORDER BY log_time, id"""

    def _row(
        self,
        key: str,
        ended_at: datetime,
        database: str | None,
        user: str | None,
        query_hash: int | None,
        message: str,
    ) -> Mapping[str, Any]:
        row = statement_row(
            LogLine(
                ended_at=ended_at,
                key=key,
                user=user,
                database=database,
                severity="LOG",
                message=message,
                engine_hash=str(query_hash) if query_hash else None,
            ),
            warehouse=self.name,
            default_catalog=self.settings.defaultCatalog,
            default_schema=self.settings.defaultSchema,
        )
        assert row  # the statement asks for this very form
        return row

    def losses(self, window: Window) -> Losses:
        """Count failed statements and those of Hex's user without comment, in one scan."""
        user = self.settings.hexUser
        of_hex = "user_name = %(user)s" if user else "FALSE"
        failed = HAS_MARKER.format(column="query")
        statement = f"""
SELECT count(*) FILTER (WHERE {IN_WINDOW} AND error_severity = 'ERROR' AND {failed}),
  count(*) FILTER (WHERE {IN_WINDOW} AND {of_hex} AND NOT {MARKED} AND {STATEMENT}),
  min(log_time)
FROM {self.settings.logTable}"""
        bounds = {"start": window.start, "end": window.end} | ({"user": user} if user else {})
        with connected(self.name, self.settings) as connection, self._errors(connection, window):
            failed_count, untagged, first = one_row(connection, statement, bounds)
        return Losses(
            failed_count=failed_count,
            empty_text_count=0,
            untagged_count=untagged if user else None,
            log_begins_at=as_utc(first) if first and window.start < first < window.end else None,
        )

    def probe(self) -> list[Finding]:
        """Log in, look at the server's log settings, read the log, count the last day."""
        now = datetime.now(timezone.utc)
        window = Window(now - timedelta(days=1), now)
        findings = []
        try:
            with (
                connected(self.name, self.settings) as connection,
                self._errors(connection, window),
            ):
                findings.append(Finding("login", "ok", place_of(self.settings)))
                findings.extend(probe_settings(connection, ("csvlog", "jsonlog")))
                statement = f"""
SELECT count(*) FILTER (WHERE {IN_WINDOW} AND {MARKED} AND {STATEMENT}),
  count(*) FILTER (WHERE {IN_WINDOW} AND {STATEMENT}), min(log_time)
FROM {self.settings.logTable}"""
                bounds = {"start": window.start, "end": window.end}
                tagged, count, first = one_row(connection, statement, bounds)
        except CannotConnect as error:
            return [*findings, Finding("login", "failure", error.problem, error.mend)]
        except LogSourceError as error:
            return [*findings, Finding("log", "failure", error.problem, error.mend)]
        since = f"from {as_utc(first):%Y-%m-%d %H:%M} UTC on" if first else "empty"
        detail = f"{tagged} Hex queries in a day of {count}; the log is {since}, lag 1 minute"
        mend = None if tagged else "check that Hex uses this server and the table reads all files"
        return [*findings, Finding("hex queries", "ok" if tagged else "warning", detail, mend)]

    def _errors(self, connection: Any, window: Window) -> AbstractContextManager[None]:
        settings = self.settings
        schema = settings.logTable.rpartition(".")[0] or "public"
        grant = (
            f"GRANT USAGE ON SCHEMA {schema} TO {settings.user}; "
            f"GRANT SELECT ON {settings.logTable} TO {settings.user}"
        )
        return reading_errors(self.name, settings, connection, window, grant)
