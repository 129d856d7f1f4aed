"""PostgreSQL: the server's own csvlog or jsonlog as a table, read by psycopg in one stream.

Facts (PostgreSQL 15): with `log_min_duration_statement = 0` a finished statement is one line,
`duration: 1.5 ms  statement: ...`, or `execute <name>: ...` of the extended protocol, written when
it ends and never cut. A failed one is a line of severity ERROR with its text in `query`. The key
is (session_id, session_line_num); search_path is not logged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from hex_assets.probe import Finding
from hex_assets.secret import Secret, UnsetVariable
from hex_assets.warehouses.base import (
    BrokenRead,
    CannotConnect,
    CannotRead,
    LogSourceError,
    Losses,
    Position,
    WarehouseSettings,
    Window,
)
from hex_assets.warehouses.reading import batches, secret_value, without_secrets
from hex_assets.warehouses.vendor import as_utc, vendor_module

STREAM_ROWS = 100
"""Rows of an answer held at once: 100 statements of 1 MB are still 100 MB."""
FINISHED = r"duration: ([0-9.]+) ms  (?:statement|execute [^:]*): "
FINISHED_LINE = re.compile(FINISHED)
ENABLE = "ALTER SYSTEM SET {name} = '{value}'; SELECT pg_reload_conf()"
DOCS = "docs/warehouses/postgres.md has the SQL that makes the table"

# Hex's marker in two parts: a statement with the whole marker would find itself the next day.
HAS_MARKER = "position('-- Hex query ' || 'metadata:' IN {column}) > 0"
MARKED = HAS_MARKER.format(column="message")
IN_WINDOW = "log_time >= %(start)s AND log_time < %(end)s"
# The cheap test comes first: PostgreSQL keeps the order of predicates of equal cost.
STATEMENT = (
    f"error_severity = 'LOG' AND starts_with(message, 'duration: ') AND message ~ '^{FINISHED}'"
)
KEY = "(session_id || ':' || session_line_num) COLLATE \"C\""


class PostgresSettings(WarehouseSettings):
    """A PostgreSQL server whose log is a table: by file_fdw, or by a provider's log_fdw."""

    dialect: ClassVar[str] = "postgres"

    type: Literal["postgres"]
    host: str = Field(description="host name")
    port: int = Field(default=5432, ge=1, le=65535)
    database: str = Field(description="database that holds the log table")
    user: str = Field(description="user that reads the log table")
    password: Secret | None = Field(default=None, description="its password")
    sslMode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = Field(
        default="prefer", description="as libpq's sslmode"
    )
    caCert: str | None = Field(default=None, description="PEM file of the authority to trust")
    logTable: str = Field(
        default="public.pglog",
        pattern=r"^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)?$",
        description="foreign table or view with the columns of csvlog",
    )
    defaultSchema: str | None = Field(
        default="public", description="first schema of Hex's search_path; the log does not tell it"
    )
    retentionDays: int | None = Field(
        default=None, ge=1, description="how long log files are kept: older windows are refused"
    )

    def source(self, name: str) -> PostgresLog:
        """The log source of these settings; connects to nothing yet."""
        return PostgresLog(name, self)


@dataclass(frozen=True)
class PostgresLog:
    """The log of one PostgreSQL server, all its databases."""

    name: str
    settings: PostgresSettings
    dialect: str = "postgres"
    lag: timedelta = timedelta(minutes=1)

    @property
    def retention(self) -> timedelta | None:
        """As given in the settings; the server removes nothing by itself."""
        days = self.settings.retentionDays
        return timedelta(days=days) if days else None

    def read(self, window: Window, resume: Position | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the window's finished Hex statements, ordered by (ended_at, query_id)."""
        yield from batches(self._rows(window, resume))

    def _rows(self, window: Window, resume: Position | None) -> Iterator[dict[str, Any]]:
        parameters: dict[str, Any] = {"start": window.start, "end": window.end}
        after = ""
        if resume:
            parameters |= {"after": resume.ended_at, "after_id": resume.query_id}
            after = f"AND (log_time > %(after)s OR (log_time = %(after)s AND {KEY} > %(after_id)s))"
        with self._connection() as connection, self._errors(connection, window):
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
    ) -> dict[str, Any]:
        head = FINISHED_LINE.match(message)
        assert head  # the statement asks for this very pattern
        return {
            "warehouse": self.name,
            "dialect": self.dialect,
            "query_id": key,
            "text": message[head.end() :],
            "started_at": as_utc(ended_at - timedelta(milliseconds=float(head.group(1)))),
            "ended_at": as_utc(ended_at),
            "user": user,
            "default_catalog": database or self.settings.defaultCatalog,
            "default_schema": self.settings.defaultSchema,
            "status": "success",
            "engine_hash": str(query_hash) if query_hash else None,
            "truncated": False,
        }

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
        with self._connection() as connection, self._errors(connection, window):
            failed_count, untagged, first = self._one(connection, statement, bounds)
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
            with self._connection() as connection, self._errors(connection, window):
                findings.append(Finding("login", "ok", self._place))
                findings.extend(self._probe_settings(connection))
                statement = f"""
SELECT count(*) FILTER (WHERE {IN_WINDOW} AND {MARKED} AND {STATEMENT}),
  count(*) FILTER (WHERE {IN_WINDOW} AND {STATEMENT}), min(log_time)
FROM {self.settings.logTable}"""
                bounds = {"start": window.start, "end": window.end}
                tagged, count, first = self._one(connection, statement, bounds)
        except CannotConnect as error:
            return [*findings, Finding("login", "failure", error.problem, error.mend)]
        except LogSourceError as error:
            return [*findings, Finding("log", "failure", error.problem, error.mend)]
        since = f"from {as_utc(first):%Y-%m-%d %H:%M} UTC on" if first else "empty"
        detail = f"{tagged} Hex queries in a day of {count}; the log is {since}, lag 1 minute"
        mend = None if tagged else "check that Hex uses this server and the table reads all files"
        return [*findings, Finding("hex queries", "ok" if tagged else "warning", detail, mend)]

    def _probe_settings(self, connection: Any) -> Iterator[Finding]:
        wanted = {
            "logging_collector": (("on",), "on"),
            "log_destination": (("csvlog", "jsonlog"), "csvlog"),
            "log_min_duration_statement": (("0",), "0"),
        }
        for name, (right, mending) in wanted.items():
            (value,) = self._one(connection, "SELECT current_setting(%(name)s)", {"name": name})
            fits = any(part.strip() in right for part in value.split(","))
            mend = ENABLE.format(name=name, value=mending)
            if name == "logging_collector":
                mend += ", then restart the server"
            # Managed servers collect their log in ways of their own.
            status: Literal["ok", "warning"] = "ok" if fits else "warning"
            yield Finding(name, status, f"is {value}", None if fits else mend)

    def _one(self, connection: Any, statement: str, parameters: Mapping[str, Any]) -> Any:
        return connection.execute(statement, parameters).fetchone()

    @property
    def _place(self) -> str:
        return f"PostgreSQL at {self.settings.host}:{self.settings.port}"

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        psycopg = vendor_module("psycopg", warehouse=self.name, install="hex-assets[postgres]")
        settings = self.settings
        try:
            connection = psycopg.connect(
                host=settings.host,
                port=settings.port,
                dbname=settings.database,
                user=settings.user,
                password=secret_value(settings.password) or None,
                sslmode=settings.sslMode,
                sslrootcert=settings.caCert,
                connect_timeout=10,
                application_name="hex_assets",
                options="-c timezone=UTC -c work_mem=64MB",  # the day is sorted by time
                autocommit=True,
            )
        except UnsetVariable as error:
            raise CannotConnect(f"warehouse {self.name}: {error}") from None
        except psycopg.Error as error:
            said = self._clean(error)
            variable = settings.password.env if settings.password else "`password`"
            mend = f"check `user` ({settings.user}), {variable} and pg_hba.conf"
            if not re.search("authentication|password|pg_hba", said):
                mend = "check `host`, `port`, `database` and the network"
            raise CannotConnect(f"warehouse {self.name}: {self._place}: {said}", mend) from None
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _errors(self, connection: Any, window: Window) -> Iterator[None]:
        from psycopg import Error, errors

        place, settings = f"warehouse {self.name}: {self._place}", self.settings
        try:
            yield
        except errors.InsufficientPrivilege as error:
            schema = settings.logTable.rpartition(".")[0] or "public"
            mend = (
                f"GRANT USAGE ON SCHEMA {schema} TO {settings.user}; "
                f"GRANT SELECT ON {settings.logTable} TO {settings.user}"
            )
            raise CannotRead(f"{place}: {self._clean(error)}", mend) from None
        except (errors.UndefinedTable, errors.UndefinedColumn) as error:
            mend = f"check `logTable`; {DOCS}"
            raise CannotRead(f"{place}: {self._clean(error)}", mend) from None
        except errors.BadCopyFileFormat as error:
            mend = (
                "the server may have been writing this line: run again; if it stays, the table's "
                f"columns are those of another PostgreSQL version, {DOCS}"
            )
            raise CannotRead(f"{place}: {self._clean(error)}", mend) from None
        except Error as error:
            if connection.broken or connection.closed:
                raise BrokenRead(
                    f"{place}: the connection broke while {window} was read: "
                    f"{self._clean(error)}; run it again"
                ) from None
            raise CannotRead(f"{place}: {self._clean(error)}", DOCS) from None

    def _clean(self, error: Exception) -> str:
        return without_secrets(" ".join(str(error).split()), self.settings.password)
