"""Databricks: `system.query.history` with the lineage of `system.access`, by the SQL connector."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from hex_assets.probe import Finding
from hex_assets.secret import Secret, UnsetVariable
from hex_assets.warehouses.base import (
    BATCH_ROWS,
    MARKER,
    BrokenRead,
    CannotConnect,
    CannotRead,
    Losses,
    Position,
    WarehouseSettings,
    Window,
)
from hex_assets.warehouses.reading import batches, without_secrets
from hex_assets.warehouses.vendor import as_utc, engine_tables, utc_text, vendor_module

log = logging.getLogger(__name__)

MAX_RUNTIME = timedelta(days=2)
"""STATEMENT_TIMEOUT is two days by default; start_time is at most this long before end_time."""
LINEAGE_DELAY = timedelta(hours=2)
"""A lineage event may be written after its statement ended."""
LAG = timedelta(minutes=75)
"""The table is documented as "typically within one hour"."""
RETENTION = timedelta(days=365)
LONG_TEXT = 4_000
"""Characters; shorter texts are of one length by chance."""

# Hex's marker in two parts: a statement with the whole marker would find itself the next day.
HAS_MARKER = "contains(h.statement_text, concat('-- Hex query ', 'metadata:'))"
BOUNDS = """h.start_time >= CAST(:pruned AS TIMESTAMP) AND h.start_time < CAST(:end AS TIMESTAMP)
  AND h.end_time >= CAST(:start AS TIMESTAMP) AND h.end_time < CAST(:end AS TIMESTAMP)"""
# A slash cannot be part of a Unity Catalog name: it parts the table from its column.
LINEAGE = """
LEFT JOIN (
  SELECT statement_id, collect_set(source_table_full_name) AS sources,
    collect_set(target_table_full_name) AS targets
  FROM system.access.table_lineage
  WHERE event_time >= CAST(:pruned AS TIMESTAMP) AND event_time < CAST(:events_end AS TIMESTAMP)
  GROUP BY statement_id
) t ON t.statement_id = coalesce(h.cache_origin_statement_id, h.statement_id)
LEFT JOIN (
  SELECT statement_id,
    collect_set(concat(source_table_full_name, '/', source_column_name)) AS source_columns
  FROM system.access.column_lineage
  WHERE event_time >= CAST(:pruned AS TIMESTAMP) AND event_time < CAST(:events_end AS TIMESTAMP)
  GROUP BY statement_id
) c ON c.statement_id = coalesce(h.cache_origin_statement_id, h.statement_id)"""


class DatabricksSettings(WarehouseSettings):
    """A Databricks SQL warehouse that reads the system tables."""

    dialect: ClassVar[str] = "databricks"

    type: Literal["databricks"]
    host: str = Field(description="workspace host, without scheme")
    httpPath: str = Field(description="such as /sql/1.0/warehouses/abc; of a SQL warehouse")
    token: Secret = Field(description="access token of a user or service principal")
    lineageTables: bool | None = Field(
        default=None, description="join system.access lineage; unset: if it can be read"
    )
    textLimit: int | None = Field(
        default=None,
        ge=1,
        description="characters at which Databricks cuts texts, which it does not tell; see probe",
    )
    connectionArguments: dict[str, str | int | float | bool] = Field(
        default={}, description="more arguments of the connector; no secrets"
    )

    def source(self, name: str) -> DatabricksLog:
        """The query log of the region; connects to nothing yet."""
        return DatabricksLog(name, self)


class DatabricksLog:
    """The query log of all workspaces of a Databricks account in one region."""

    dialect = "databricks"
    lag = LAG
    retention: timedelta | None = RETENTION

    def __init__(self, name: str, settings: DatabricksSettings) -> None:
        self.name = name
        self.settings = settings

    def read(self, window: Window, resume: Position | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the window in one statement; see `LogSource.read`."""
        yield from batches(self._rows(window, resume))

    def _rows(self, window: Window, resume: Position | None) -> Iterator[dict[str, Any]]:
        with self._cursor() as cursor:
            joined = self._has_lineage(cursor)
            parameters = self._bounds(window, hex_user=self.settings.textLimit is not None)
            columns, after = "", ""
            if joined:
                columns = ", t.sources, t.targets, c.source_columns"
                parameters["events_end"] = utc_text(window.end + LINEAGE_DELAY)
            if resume:
                parameters |= {"after": utc_text(resume.ended_at), "after_id": resume.query_id}
                after = """
  AND (h.end_time > CAST(:after AS TIMESTAMP)
       OR (h.end_time = CAST(:after AS TIMESTAMP) AND h.statement_id > :after_id))"""
            with self._errors():
                cursor.execute(
                    f"""
SELECT h.statement_id, h.statement_text, h.executed_by, h.start_time, h.end_time{columns}
FROM system.query.history h{LINEAGE if joined else ""}
WHERE {BOUNDS}
  AND h.execution_status = 'FINISHED' AND ({HAS_MARKER} OR {self._is_cut()}){after}
ORDER BY h.end_time, h.statement_id""",
                    parameters,
                )
            started = False
            while True:
                with self._errors(started=started):
                    table = cursor.fetchmany_arrow(BATCH_ROWS)
                if not table.num_rows:
                    return
                started = True
                for row in table.to_pylist():
                    yield self._row(row)

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        targets = row.get("targets") or ()
        return {
            "warehouse": self.name,
            "dialect": self.dialect,
            "query_id": row["statement_id"],
            "text": row["statement_text"],
            "started_at": as_utc(row["start_time"]),
            "ended_at": as_utc(row["end_time"]),
            "user": row["executed_by"],
            "role": None,
            # The log has no current catalog and schema; the settings' defaults stand in.
            "default_catalog": None,
            "default_schema": None,
            "status": "success",
            "engine_hash": None,
            "engine_inputs": lineage_inputs(row.get("sources"), row.get("source_columns")),
            "engine_outputs": engine_tables((name, None) for name in sorted(targets) if name),
            "truncated": MARKER not in row["statement_text"],  # it came by its length
        }

    def _is_cut(self) -> str:
        """Whether a text has the length at which Databricks cuts, and no marker, as SQL."""
        if self.settings.textLimit is None:
            return "FALSE"
        of_hex = " AND h.executed_by = :hex_user" if self.settings.hexUser else ""
        return (
            f"(length(h.statement_text) >= {self.settings.textLimit} AND NOT {HAS_MARKER}{of_hex})"
        )

    def losses(self, window: Window) -> Losses:
        """Count failed, empty and untagged statements of the window in one statement."""
        of_hex = "h.executed_by = :hex_user" if self.settings.hexUser else "TRUE"
        with self._cursor() as cursor, self._errors():
            cursor.execute(
                f"""
SELECT count_if(h.execution_status <> 'FINISHED' AND {HAS_MARKER}) AS failed,
  count_if(coalesce(h.statement_text, '') = '' AND {of_hex}) AS emptied,
  count_if(h.execution_status = 'FINISHED' AND coalesce(h.statement_text, '') <> '' AND {of_hex}
    AND NOT {HAS_MARKER} AND NOT {self._is_cut()}) AS untagged
FROM system.query.history h WHERE {BOUNDS}""",
                self._bounds(window, hex_user=True),
            )
            failed, emptied, untagged = (int(value) for value in cursor.fetchone())
        return Losses(failed, emptied, untagged if self.settings.hexUser else None)

    def probe(self) -> list[Finding]:
        """Log in, count Hex's statements of the last day, and try the lineage tables."""
        end = datetime.now(timezone.utc) - self.lag
        window = Window(end - timedelta(days=1), end)
        findings: list[Finding] = []
        try:
            with self._cursor() as cursor:
                findings.append(Finding("login", "ok", self._place()))
                with self._errors():
                    cursor.execute(
                        f"""SELECT count(*) AS statements, count_if({HAS_MARKER}) AS tagged,
  count_if(coalesce(h.statement_text, '') = '') AS emptied
FROM system.query.history h WHERE {BOUNDS}""",
                        self._bounds(window),
                    )
                    count, tagged, emptied = (int(value) for value in cursor.fetchone())
                findings.append(_count_finding(count, tagged, emptied))
                findings += self._limit_findings(cursor, window)
                if self.settings.lineageTables is not False:
                    findings.append(self._lineage_finding(cursor))
        except (CannotConnect, UnsetVariable) as error:
            mend = "check host, httpPath and token; see docs/warehouses/databricks.md"
            findings.append(Finding("login", "failure", str(error), mend))
        except CannotRead as error:
            findings.append(Finding("query log", "failure", str(error), _grant("query")))
        return findings

    def _limit_findings(self, cursor: Any, window: Window) -> list[Finding]:
        """A warning where several long texts share the greatest length: they were cut there."""
        if self.settings.textLimit is not None:
            return []
        with self._errors():
            cursor.execute(
                f"""SELECT length(h.statement_text) AS size,
  count(DISTINCT h.statement_text) AS texts
FROM system.query.history h
WHERE {BOUNDS} AND length(h.statement_text) >= {LONG_TEXT} AND NOT {HAS_MARKER}
GROUP BY length(h.statement_text) ORDER BY size DESC LIMIT 1""",
                self._bounds(window),
            )
            longest = cursor.fetchone()
        if longest is None or int(longest[1]) < 2:
            return []
        size, texts = int(longest[0]), int(longest[1])
        detail = f"{texts} texts of the last day share the greatest length, {size} characters"
        mend = f"they were probably cut there: set textLimit: {size}, to have such texts counted"
        return [Finding("text limit", "warning", detail, mend)]

    def _lineage_finding(self, cursor: Any) -> Finding:
        if self._can_read_lineage(cursor):
            return Finding("lineage tables", "ok", "tables and columns come from system.access")
        status: Literal["failure", "warning"]
        status = "failure" if self.settings.lineageTables else "warning"
        detail = "system.access cannot be read; tables are parsed from the SQL text instead"
        return Finding("lineage tables", status, detail, _grant("access"))

    def _has_lineage(self, cursor: Any) -> bool:
        if self.settings.lineageTables is not None:
            return self.settings.lineageTables
        if self._can_read_lineage(cursor):
            return True
        log.warning(
            "warehouse %s: system.access cannot be read; tables are parsed from the SQL. %s",
            self.name,
            _grant("access"),
        )
        return False

    def _can_read_lineage(self, cursor: Any) -> bool:
        from databricks.sql.exc import DatabaseError

        try:
            for table in ("table_lineage", "column_lineage"):
                cursor.execute(f"SELECT statement_id FROM system.access.{table} LIMIT 0")
        except DatabaseError as error:
            log.info("warehouse %s: system.access: %s", self.name, self._clean(error))
            return False
        return True

    def _bounds(self, window: Window, *, hex_user: bool = False) -> dict[str, str]:
        bounds = {
            "pruned": utc_text(window.start - MAX_RUNTIME),
            "start": utc_text(window.start),
            "end": utc_text(window.end),
        }
        if hex_user and self.settings.hexUser:
            bounds["hex_user"] = self.settings.hexUser
        return bounds

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        module = vendor_module(
            "databricks.sql", warehouse=self.name, install="hex-assets[databricks]"
        )
        settings = self.settings
        arguments: dict[str, Any] = {
            "server_hostname": settings.host,
            "http_path": settings.httpPath,
            "access_token": settings.token.value(),
            "session_configuration": {"timezone": "UTC"},
            "user_agent_entry": "hex_assets",
        }
        with self._errors(connecting=True):
            connection = module.connect(**(arguments | settings.connectionArguments))
        try:
            yield connection.cursor()
        finally:
            connection.close()

    @contextmanager
    def _errors(self, *, connecting: bool = False, started: bool = False) -> Iterator[None]:
        from databricks.sql.exc import Error, RequestError
        from urllib3.exceptions import HTTPError

        try:
            yield
        except (Error, HTTPError, OSError) as error:
            detail = f"{self._place()}: {self._clean(error)}"
            if connecting:
                raise CannotConnect(
                    f"{detail}; check host, httpPath, token, and that the SQL warehouse can start"
                ) from None
            if started:
                raise BrokenRead(f"{detail}; the connection broke while the log was read") from None
            if isinstance(error, (RequestError, HTTPError, OSError)):
                raise CannotConnect(f"{detail}; check the network") from None
            raise CannotRead(f"{detail}; {_grant('query')}") from None

    def _clean(self, error: Exception) -> str:
        return without_secrets(" ".join(str(error).split()), self.settings.token)

    def _place(self) -> str:
        return f"warehouse {self.name}: Databricks at {self.settings.host}"


def lineage_inputs(
    sources: list[str | None] | None, source_columns: list[str | None] | None
) -> list[Mapping[str, Any]] | None:
    """Tables read, with the columns where column lineage has them.

    Args:
        sources: full names of tables; null for a path.
        source_columns: `catalog.schema.table/column`.
    """
    pairs = [name.split("/", 1) for name in sorted(filter(None, source_columns or ()))]
    return engine_tables(
        [
            *((name, None) for name in sorted(filter(None, sources or ()))),
            *((table, [column]) for table, column in pairs),
        ]
    )


def _count_finding(count: int, tagged: int, emptied: int) -> Finding:
    detail = (
        f"{tagged} Hex queries in a day of {count}, {emptied} with an empty text; kept "
        f"{RETENTION.days} days, complete after 75 minutes"
    )
    if tagged:
        return Finding("query log", "ok", detail)
    if count and emptied == count:
        mend = "texts are empty with customer-managed keys: this source cannot see Hex's queries"
    else:
        mend = "check that Hex uses a SQL warehouse: classic clusters are not in the log"
    return Finding("query log", "warning", detail, mend)


def _grant(schema: str) -> str:
    return (
        f"as a metastore admin run GRANT USE CATALOG ON CATALOG system TO `<reader>`; GRANT USE "
        f"SCHEMA ON SCHEMA system.{schema} TO `<reader>`; GRANT SELECT ON SCHEMA system.{schema} "
        "TO `<reader>`;"
    )
