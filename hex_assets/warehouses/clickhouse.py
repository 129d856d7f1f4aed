"""ClickHouse: `system.query_log` through clickhouse-connect.

Facts (ClickHouse 26.9): a statement is logged when it ends, so `event_time` is its completion.
Texts are cut to `log_queries_cut_to_length` bytes; newer servers cut a little earlier and add
`... (truncated 20048 characters)`. `tables` lists what a statement reads and writes, a view
together with its base tables; `columns` lists what it reads only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field, model_validator

from hex_assets.probe import Finding
from hex_assets.secret import Secret, UnsetVariable
from hex_assets.warehouses.base import (
    BATCH_ROWS,
    LOG_SCHEMA,
    MARKER_HALVES,
    BrokenRead,
    CannotConnect,
    CannotRead,
    LogSourceError,
    Losses,
    Position,
    WarehouseSettings,
    Window,
    WindowExpired,
)
from hex_assets.warehouses.reading import secret_value, without_secrets

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

DEFAULT_TABLE = "system.query_log"
CONNECT_SECONDS = 10
READ_SECONDS = 600
"""Silence that is accepted while the server sorts a large window."""

LOGIN_CODES = {192, 193, 194, 516}
"""UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, AUTHENTICATION_FAILED."""
NO_GRANT = 497
NO_TABLE = 60
NO_DATABASE = 81
NO_CLUSTER = 701
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


class ClickHouseSettings(WarehouseSettings):
    """A ClickHouse server, cluster or Cloud service."""

    dialect: ClassVar[str] = "clickhouse"

    type: Literal["clickhouse"]
    host: str = Field(description="host name, without scheme")
    port: int = Field(default=8443, ge=1, le=65535, description="HTTP port")
    secure: bool = Field(default=True, description="TLS")
    verify: bool = Field(default=True, description="check the server's certificate")
    caCert: str | None = Field(default=None, description="PEM file of the authority to trust")
    user: str = Field(default="default", description="user that reads the log")
    password: Secret | None = Field(default=None, description="its password")
    database: str | None = Field(
        default=None, description="database of the session; the log names its tables in full"
    )
    cluster: str | None = Field(
        default=None, description="read all replicas of this cluster; `default` on Cloud"
    )
    queryLogTable: str = Field(
        default=DEFAULT_TABLE,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$",
        description="the log, or a view of it that the user may read",
    )
    rotatedTables: bool = Field(
        default=False,
        description="also read <table>_0, <table>_1, ..., which an upgrade leaves behind",
    )
    retentionDays: int | None = Field(
        default=None, ge=1, description="the log's TTL, if it has one: older windows are refused"
    )

    @model_validator(mode="after")
    def _certificate_needs_tls(self) -> ClickHouseSettings:
        if self.caCert and not self.secure:
            raise ValueError("caCert has no effect with secure: false; remove one of them")
        return self

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
        with self._client("read") as client:
            first = self._first_day(client)
            if first and first > window.end:
                raise WindowExpired(
                    f"warehouse {self.name}: {self._log} begins at {first:%Y-%m-%d} UTC, "
                    f"after {window}; choose a later partition"
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
                if not _is_transport(error):
                    raise
                raise BrokenRead(
                    f"warehouse {self.name}: the connection to {self._place} broke after "
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
            FROM {self._table} WHERE {IN_WINDOW}"""
        user = self.settings.hexUser
        with self._client("read") as client:
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
            with self._client("probe") as client:
                findings.append(
                    Finding("login", "ok", f"{self._place}, ClickHouse {client.server_version}")
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
            yield Finding("log", "warning", f"{self._log} is readable and empty", ENABLE)
        else:
            yield Finding("log", "ok", f"{self._log} is readable, from {first:%Y-%m-%d %H:%M} UTC")
        yield from _probe_settings(client)
        kept = f"{self.retention.days} days" if self.retention else "no limit in the settings"
        yield Finding("retention", "ok", f"{kept}; lag {self.lag.seconds} s")
        now = datetime.now(timezone.utc)
        parameters = {**_span(Window(now - timedelta(days=1), now)), "cut": _text_limit(client)}
        statement = f"""
            SELECT countIf({MARKED}), countIf({CUT})
            FROM {self._table} WHERE {IN_WINDOW} AND type = 'QueryFinish'"""
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
            FROM {self._table}
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

    @property
    def _place(self) -> str:
        scheme = "https" if self.settings.secure else "http"
        return f"{scheme}://{self.settings.host}:{self.settings.port}"

    @property
    def _log(self) -> str:
        return self.settings.queryLogTable

    @property
    def _table(self) -> str:
        """The log as a table expression. Its names were checked with the settings."""
        database, _, table = self._log.partition(".")
        source = f"{database}.{table}"
        if self.settings.rotatedTables:
            source = f"merge('{database}', '^{table}(_[0-9]+)?$')"
        if self.settings.cluster:
            cluster = self.settings.cluster.replace("\\", "\\\\").replace("'", "\\'")
            source = f"clusterAllReplicas('{cluster}', {source})"
        return source

    def _first_day(self, client: Client) -> datetime | None:
        """The day of the oldest row, to a day: cheap, the log is partitioned by date."""
        statement = f"SELECT toInt32(min(event_date)), count() > 0 FROM {self._table}"
        days, any_row = client.query(statement).result_rows[0]
        # A day of grace: the date is in the server's time zone.
        return EPOCH + timedelta(days=days - 1) if any_row else None

    def _first_row(self, client: Client) -> datetime | None:
        first_day = self._first_day(client)
        if first_day is None:
            return None
        statement = f"""
            SELECT toUnixTimestamp64Micro(min(event_time_microseconds)) FROM {self._table}
            WHERE event_date <= toDate({{day:Date}})"""
        day = f"{first_day + timedelta(days=2):%Y-%m-%d}"
        micros = client.query(statement, {"day": day}).result_rows[0][0]
        return EPOCH + timedelta(microseconds=micros)

    @contextmanager
    def _client(self, purpose: str) -> Iterator[Client]:
        """A logged-in client; every failure of it as a `LogSourceError` with the mend."""
        import clickhouse_connect
        from clickhouse_connect.driver.exceptions import ClickHouseError

        settings = self.settings
        try:
            client = clickhouse_connect.get_client(
                host=settings.host,
                port=settings.port,
                interface="https" if settings.secure else "http",
                verify=settings.verify,
                ca_cert=settings.caCert,
                username=settings.user,
                password=secret_value(settings.password),
                database=settings.database or "__default__",
                client_name=f"hex_assets/{purpose}",
                connect_timeout=CONNECT_SECONDS,
                send_receive_timeout=READ_SECONDS,
                # One session would forbid a second statement while a stream is open.
                autogenerate_session_id=False,
            )
        except UnsetVariable as error:
            unset = f"warehouse {self.name}: environment variable {error.name} is not set"
            raise CannotConnect(unset, f"export {error.name}, or put it into .env") from None
        except ClickHouseError as error:
            raise self._explain(error) from None
        try:
            yield client
        except ClickHouseError as error:
            raise self._explain(error) from None
        finally:
            client.close()

    def _explain(self, error: Exception) -> LogSourceError:
        code = getattr(error, "code", None)
        said = without_secrets(_first_line(error), self.settings.password)
        user = self.settings.user
        if code in LOGIN_CODES:
            variable = self.settings.password.env if self.settings.password else None
            mend = f"check `user` ({user}) and " + (
                f"the environment variable {variable}" if variable else "set `password`"
            )
            return CannotConnect(f"warehouse {self.name}: {self._place} refused the login", mend)
        if code == NO_GRANT:
            return CannotRead(f"warehouse {self.name}: {said}", self._grants())
        if code in (NO_TABLE, NO_DATABASE):
            mend = f"check `queryLogTable`; {ENABLE}"
            return CannotRead(f"warehouse {self.name}: there is no {self._log}", mend)
        if code == NO_CLUSTER:
            mend = "take a name from `SELECT DISTINCT cluster FROM system.clusters`"
            return CannotRead(
                f"warehouse {self.name}: there is no cluster {self.settings.cluster}", mend
            )
        if code is None:
            mend = "check `host`, `port`, `secure` and the network; `port` is the HTTP port"
            return CannotConnect(f"warehouse {self.name}: no answer from {self._place}", mend)
        return CannotRead(f"warehouse {self.name}: {self._place} said: {said}", None)

    def _grants(self) -> str:
        database, _, table = self._log.partition(".")
        log = f"{database}.{table}*" if self.settings.rotatedTables else self._log
        grants = [f"GRANT SELECT ON {log} TO {self.settings.user}"]
        if self.settings.cluster:
            grants.append(f"GRANT REMOTE ON *.* TO {self.settings.user}")
        return "; ".join(grants)


ENABLE = "enable `query_log` in the server's config.xml and `log_queries = 1` in Hex's profile"


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


def _first_line(error: Exception) -> str:
    text = str(error)
    found = re.search(r"DB::Exception: (.+)", text)
    return (found.group(1) if found else text).split("\n")[0].strip()


def _is_transport(error: Exception) -> bool:
    """Whether a stream broke, rather than that our own reading of it is wrong."""
    from clickhouse_connect.driver.exceptions import OperationalError
    from urllib3.exceptions import HTTPError

    if isinstance(error, OperationalError):
        return getattr(error, "code", None) is None
    return isinstance(error, (HTTPError, OSError, pa.ArrowInvalid))
