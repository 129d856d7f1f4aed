"""ClickHouse: `system.query_log` through clickhouse-connect.

Facts (ClickHouse 26.9): a statement is logged when it ends, so `event_time` is its completion.
Texts are cut to `log_queries_cut_to_length` bytes; newer servers cut a little earlier and add
`... (truncated 20048 characters)`. `tables` lists what a statement reads and writes, a view
together with its base tables; `columns` lists what it reads only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from hex_assets.probe import Finding
from hex_assets.warehouses.base import (
    BATCH_ROWS,
    LOG_SCHEMA,
    MARKER_HALVES,
    BrokenRead,
    CannotConnect,
    LogSourceError,
    Losses,
    Position,
    Window,
    WindowExpired,
)
from hex_assets.warehouses.clickhouse_client import (
    ENABLE,
    ClickHouseServer,
    connected,
    is_transport,
)

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

MARKED = "position(query, concat({m1:String}, {m2:String})) > 0"
CUT = (
    "(length(query) >= {cut:UInt64} OR (endsWith(query, ' characters)')"
    " AND match(right(query, 60), '\\.\\.\\. \\(truncated [0-9]+ characters\\)$')))"
)
IN_WINDOW = (
    # event_date is in the server's time zone: a day more on both sides.
    "event_date BETWEEN toDate({start:DateTime64(6, 'UTC')}) - 1"
    " AND toDate({end:DateTime64(6, 'UTC')}) + 1"
    " AND event_time_microseconds >= {start:DateTime64(6, 'UTC')}"
    " AND event_time_microseconds < {end:DateTime64(6, 'UTC')}"
    " AND is_initial_query"
)
# `columns` has `database.table.column`. Of a statement that also writes, the tables with read
# columns are known inputs; which of the others it reads is for the SQL to say.
TABLES = (
    "arrayFilter(t -> NOT startsWith(t, '_table_function.'), arrayMap(t -> toString(t), tables))"
)
INPUTS = f"""CAST(
    arrayFilter(
        i -> query_kind = 'Select' OR notEmpty(i.2),
        arrayMap(
            t -> tuple(t, arrayMap(
                c -> substring(toString(c), length(t) + 2),
                arrayFilter(c -> startsWith(toString(c), concat(t, '.')), columns))),
            {TABLES})),
    'Array(Tuple(table String, columns Array(String)))')"""


class ClickHouseSettings(ClickHouseServer):
    """A ClickHouse server, cluster or Cloud service."""

    dialect: ClassVar[str] = "clickhouse"

    type: Literal["clickhouse"]
    retentionDays: int | None = Field(
        default=None, ge=1, description="the log's TTL, if it has one: older windows are refused"
    )

    def source(self, name: str) -> ClickHouseLog:
        """The log source of these settings; connects to nothing yet."""
        return ClickHouseLog(name, self)


@dataclass(frozen=True)
class ClickHouseLog:
    """The query log of one ClickHouse."""

    name: str
    settings: ClickHouseSettings
    dialect: str = "clickhouse"
    lag: timedelta = timedelta(seconds=30)
    """The log is flushed every 7.5 s by default."""

    @property
    def retention(self) -> timedelta | None:
        """The table's TTL as given in the settings; ClickHouse has none by default."""
        days = self.settings.retentionDays
        return timedelta(days=days) if days else None

    def read(self, window: Window, resume: Position | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the window's finished Hex statements, ordered by (ended_at, query_id)."""
        with connected(self.name, self.settings, "read") as client:
            first = self._first_day(client)
            if first and first > window.end:
                raise WindowExpired(
                    f"warehouse {self.name}: {self.settings.queryLogTable} begins at "
                    f"{first:%Y-%m-%d} UTC, after {window}; choose a later partition"
                )
            parameters = {
                **_span(window),
                "user": self.settings.hexUser or "",
                "any_user": int(self.settings.hexUser is None),
                "cut": _text_limit(client),
                "after": _moment(resume.ended_at if resume else EPOCH),
                "after_id": resume.query_id if resume else "",
            }
            row_count = 0
            try:
                with client.query_arrow_stream(
                    self._select(client), parameters, use_strings=True
                ) as stream:
                    for batch in stream:
                        if batch.num_rows:
                            yield self._conform(batch)
                            row_count += batch.num_rows
            except LogSourceError:
                raise
            except Exception as error:
                if not is_transport(error):
                    raise
                raise BrokenRead(
                    f"warehouse {self.name}: the connection to {self.settings.place} broke after "
                    f"{row_count} rows of {window} ({type(error).__name__}); run it again"
                ) from None

    def losses(self, window: Window) -> Losses:
        """Count failed Hex statements, empty texts and statements of Hex's user without comment."""
        statement = f"""
            SELECT countIf(type IN ('ExceptionBeforeStart', 'ExceptionWhileProcessing')
                           AND {MARKED}),
                   countIf(type = 'QueryFinish' AND empty(query)),
                   countIf(type = 'QueryFinish' AND user = {{user:String}} AND notEmpty(query)
                           AND NOT {CUT} AND NOT {MARKED})
            FROM {self.settings.log_table} WHERE {IN_WINDOW}"""
        user = self.settings.hexUser
        with connected(self.name, self.settings, "read") as client:
            parameters = {**_span(window), "user": user or "", "cut": _text_limit(client)}
            failed, empty, untagged = client.query(statement, parameters).result_rows[0]
            first = self._first_row(client)
        return Losses(
            failed_count=failed,
            empty_text_count=empty,
            untagged_count=untagged if user else None,
            log_begins_at=first if first and window.start < first < window.end else None,
        )

    def probe(self) -> list[Finding]:
        """Log in, read the log, look at its settings and at the last day."""
        findings: list[Finding] = []
        try:
            with connected(self.name, self.settings, "probe") as client:
                findings.append(
                    Finding(
                        "login", "ok", f"{self.settings.place}, ClickHouse {client.server_version}"
                    )
                )
                findings.extend(self._probe_log(client))
        except CannotConnect as error:
            findings.append(Finding("login", "failure", error.problem, error.mend))
        except LogSourceError as error:
            findings.append(Finding("log", "failure", error.problem, error.mend))
        return findings

    def _probe_log(self, client: Client) -> Iterator[Finding]:
        first = self._first_row(client)
        if first is None:
            yield Finding(
                "log", "warning", f"{self.settings.queryLogTable} is readable and empty", ENABLE
            )
        else:
            yield Finding(
                "log",
                "ok",
                f"{self.settings.queryLogTable} is readable, from {first:%Y-%m-%d %H:%M} UTC",
            )
        yield from _probe_settings(client)
        kept = f"{self.retention.days} days" if self.retention else "no limit in the settings"
        yield Finding("retention", "ok", f"{kept}; lag {self.lag.seconds} s")
        now = datetime.now(timezone.utc)
        parameters = {**_span(Window(now - timedelta(days=1), now)), "cut": _text_limit(client)}
        statement = f"""
            SELECT countIf({MARKED}), countIf({CUT})
            FROM {self.settings.log_table} WHERE {IN_WINDOW} AND type = 'QueryFinish'"""
        hex_count, cut_count = client.query(statement, parameters).result_rows[0]
        yield Finding(
            "hex queries",
            "ok" if hex_count else "warning",
            f"{hex_count} in the last day; {cut_count} texts cut at the log's limit",
            None if hex_count else "run a SQL cell in Hex, or check that this is Hex's warehouse",
        )

    def _select(self, client: Client) -> str:
        limit = client.server_settings.get("max_block_size")
        # Blocks become batches; a user of a read-only profile gets the server's larger ones.
        small = f"SETTINGS max_block_size = {BATCH_ROWS}" if limit and not limit.readonly else ""
        return f"""
            SELECT query_id,
                   toValidUTF8(query) AS text,  -- a cut may split a character
                   toTimeZone(query_start_time_microseconds, 'UTC') AS started_at,
                   toTimeZone(event_time_microseconds, 'UTC') AS ended_at,
                   toString(user) AS "user",
                   current_database AS default_schema,
                   toString(normalized_query_hash) AS engine_hash,
                   {INPUTS} AS engine_inputs,
                   {CUT}::Bool AS truncated
            FROM {self.settings.log_table}
            WHERE {IN_WINDOW} AND type = 'QueryFinish'
              AND ({MARKED} OR ({CUT} AND ({{any_user:UInt8}} OR user = {{user:String}})))
              AND (event_time_microseconds > {{after:DateTime64(6, 'UTC')}}
                   OR (event_time_microseconds = {{after:DateTime64(6, 'UTC')}}
                       AND query_id > {{after_id:String}}))
            ORDER BY event_time_microseconds, query_id {small}"""

    def _conform(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        constant = {
            "warehouse": self.name,
            "dialect": self.dialect,
            "status": "success",
            "default_catalog": self.settings.defaultCatalog,
        }
        arrays = []
        for field in LOG_SCHEMA:
            if field.name in batch.schema.names:
                arrays.append(batch[field.name].cast(field.type))
            else:
                value = pa.scalar(constant.get(field.name), field.type)
                arrays.append(pa.repeat(value, batch.num_rows))
        return pa.record_batch(arrays, schema=LOG_SCHEMA)

    def _first_day(self, client: Client) -> datetime | None:
        """The day of the oldest row, to a day: cheap, the log is partitioned by date."""
        statement = f"SELECT toInt32(min(event_date)), count() > 0 FROM {self.settings.log_table}"
        days, any_row = client.query(statement).result_rows[0]
        # A day of grace: the date is in the server's time zone.
        return EPOCH + timedelta(days=days - 1) if any_row else None

    def _first_row(self, client: Client) -> datetime | None:
        first_day = self._first_day(client)
        if first_day is None:
            return None
        statement = f"""
            SELECT toUnixTimestamp64Micro(min(event_time_microseconds))
            FROM {self.settings.log_table}
            WHERE event_date <= toDate({{day:Date}})"""
        day = f"{first_day + timedelta(days=2):%Y-%m-%d}"
        micros = client.query(statement, {"day": day}).result_rows[0][0]
        return EPOCH + timedelta(microseconds=micros)


def _probe_settings(client: Client) -> Iterator[Finding]:
    """Whether the server thins the log, as far as the reader's own profile shows."""
    wanted = {
        "log_queries": "1",
        "log_queries_probability": "1",
        "log_queries_min_type": "QUERY_START",
        "log_queries_min_query_duration_ms": "0",
    }
    values = {
        name: setting.value
        for name, setting in client.server_settings.items()
        if name in wanted and setting.value != wanted[name]
    }
    # QUERY_FINISH leaves out the start rows only, which nobody reads.
    if values.get("log_queries_min_type") == "QUERY_FINISH":
        del values["log_queries_min_type"]
    for name, value in values.items():
        mend = f"ALTER USER <Hex's user> SETTINGS {name} = {wanted[name]!r}"
        yield Finding("log enabled", "failure", f"{name} is {value}: the log is not whole", mend)
    if not values:
        yield Finding("log enabled", "ok", "every statement is logged in this user's profile")


def _text_limit(client: Client) -> int:
    """Bytes at which the log cuts a text."""
    return int(client.server_settings["log_queries_cut_to_length"].value)


def _span(window: Window) -> dict[str, Any]:
    first, second = MARKER_HALVES
    return {
        "start": _moment(window.start),
        "end": _moment(window.end),
        "m1": first,
        "m2": second,
    }


def _moment(moment: datetime) -> str:
    """A time as a typed UTC parameter wants it; the driver's own would drop microseconds."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S.%f}"
