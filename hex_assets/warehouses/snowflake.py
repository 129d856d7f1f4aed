"""Snowflake: `ACCOUNT_USAGE.QUERY_HISTORY` and `ACCESS_HISTORY` through Dagster's resource."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field, model_validator
from typing_extensions import Self

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
from hex_assets.warehouses.reading import batches, without_secrets
from hex_assets.warehouses.vendor import (
    as_utc,
    engine_tables,
    unquoted,
    utc_text,
    vendor_module,
)

log = logging.getLogger(__name__)

TEXT_LIMIT = 100_000
"""Characters that QUERY_TEXT keeps (Snowflake's documentation of QUERY_HISTORY)."""
MAX_RUNTIME = timedelta(days=2)
"""Snowflake ends a statement after STATEMENT_TIMEOUT_IN_SECONDS, two days by default; START_TIME,
on which the view is pruned, is at most this long before END_TIME."""
HISTORY_LAG = timedelta(hours=1)
"""QUERY_HISTORY is documented to be up to 45 minutes behind."""
ACCESS_LAG = timedelta(hours=4)
"""ACCESS_HISTORY is documented to be up to 3 hours behind."""
RETENTION = timedelta(days=365)

NOT_FOUND_OR_GRANTED = (2003, 3001, 2043)
"""Snowflake's errors for an object that does not exist or is not granted: one message for both."""
NO_WAREHOUSE = 606

TABLE_DOMAINS = frozenset(
    f"{kind} table".strip() for kind in ("", "external", "dynamic", "event", "hybrid", "iceberg")
) | {"view", "materialized view"}
"""Values of objectDomain that are tables; stages, functions and streams are listed beside them."""

# Hex's marker in two parts: a statement with the whole marker would find itself the next day.
HAS_MARKER = "CONTAINS(q.query_text, CONCAT('-- Hex query ', 'metadata:'))"
BOUNDS = """q.start_time >= %(pruned)s::timestamp_ltz AND q.start_time < %(end)s::timestamp_ltz
  AND q.end_time >= %(start)s::timestamp_ltz AND q.end_time < %(end)s::timestamp_ltz"""


class SnowflakeSettings(WarehouseSettings):
    """A Snowflake account. The ways to log in are those of `dagster_snowflake`."""

    dialect: ClassVar[str] = "snowflake"

    type: Literal["snowflake"]
    account: str = Field(description="account identifier, such as myorg-myaccount")
    user: str = Field(description="user that reads the log")
    password: Secret | None = Field(default=None)
    privateKey: Secret | None = Field(default=None, description="PEM key, as text or base64")
    privateKeyPath: str | None = Field(default=None, description="file of a PEM key")
    privateKeyPassword: Secret | None = Field(default=None, description="passphrase of the key")
    token: Secret | None = Field(default=None, description="OAuth or programmatic access token")
    authenticator: str | None = Field(
        default=None, description="such as oauth or programmatic_access_token; oauth for a token"
    )
    role: str | None = Field(default=None, description="role with GOVERNANCE_VIEWER")
    warehouse: str | None = Field(default=None, description="XS is enough")
    accountUsage: str = Field(
        default="SNOWFLAKE.ACCOUNT_USAGE",
        pattern=r'^[A-Za-z_"][\w$"]*\.[A-Za-z_"][\w$"]*$',
        description="database.schema of the log, for those who grant views of it instead",
    )
    accessHistory: bool | None = Field(
        default=None, description="join ACCESS_HISTORY (Enterprise); unset: if it can be read"
    )
    loginTimeoutSeconds: int = Field(default=60, ge=1)
    connectionArguments: dict[str, str | int | bool] = Field(
        default={}, description="more arguments of the connector, such as host; no secrets"
    )

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> Self:
        ways = (self.password, self.privateKey, self.privateKeyPath, self.token)
        given = sum(way is not None for way in ways)
        if given > 1 or (given == 0 and self.authenticator is None):
            raise ValueError(
                "set one of password, privateKey, privateKeyPath or token (or authenticator alone)"
            )
        return self

    def source(self, name: str) -> SnowflakeLog:
        """The account's query log; connects to nothing yet."""
        return SnowflakeLog(name, self)


class SnowflakeLog:
    """The query log of one Snowflake account."""

    dialect = "snowflake"
    retention: timedelta | None = RETENTION

    def __init__(self, name: str, settings: SnowflakeSettings) -> None:
        self.name = name
        self.settings = settings
        # Unset means that ACCESS_HISTORY is joined if it is there, so its lag is awaited.
        self.lag = HISTORY_LAG if settings.accessHistory is False else ACCESS_LAG

    def read(self, window: Window, resume: Position | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the window in one statement; see `LogSource.read`."""
        yield from batches(self._rows(window, resume))

    def _rows(self, window: Window, resume: Position | None) -> Iterator[dict[str, Any]]:
        with self._cursor() as cursor:
            joined = self._access_history(cursor)
            statement, parameters = self._read_statement(window, resume, joined)
            started = False
            with self._errors():
                cursor.execute(statement, parameters)
            try:
                for table in cursor.fetch_arrow_batches():
                    started = True
                    for row in table.to_pylist():
                        yield self._row({name.lower(): value for name, value in row.items()})
            except self._driver_errors() as error:
                kind = BrokenRead if started else CannotRead
                raise kind(
                    f"{self._place()}: the connection broke while the log was read: "
                    f"{self._clean(error)}; run the partition again"
                ) from None

    def _read_statement(
        self, window: Window, resume: Position | None, joined: bool
    ) -> tuple[str, dict[str, str]]:
        parameters = self._bounds(window)
        columns, join, after, whose = "", "", "", ""
        if joined:
            columns = ", a.direct_objects_accessed, a.objects_modified"
            join = f"""
LEFT JOIN {self.settings.accountUsage}.access_history a ON a.query_id = q.query_id
  AND a.query_start_time >= %(pruned)s::timestamp_ltz
  AND a.query_start_time < %(end)s::timestamp_ltz"""
        if self.settings.hexUser:
            whose = " AND UPPER(q.user_name) = UPPER(%(hex_user)s)"
        if resume:
            parameters |= {"after": _ltz(resume.ended_at), "after_id": resume.query_id}
            after = """
  AND (q.end_time > %(after)s::timestamp_ltz
       OR (q.end_time = %(after)s::timestamp_ltz AND q.query_id > %(after_id)s))"""
        statement = f"""
SELECT q.query_id, q.query_text, q.database_name, q.schema_name, q.user_name, q.role_name,
  q.start_time, q.end_time, q.query_parameterized_hash{columns}
FROM {self.settings.accountUsage}.query_history q{join}
WHERE {BOUNDS}
  AND q.execution_status = 'SUCCESS'
  AND ({HAS_MARKER} OR (LENGTH(q.query_text) >= {TEXT_LIMIT}{whose})){after}
ORDER BY q.end_time, q.query_id"""
        return statement, parameters

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "warehouse": self.name,
            "dialect": self.dialect,
            "query_id": row["query_id"],
            "text": row["query_text"],
            "started_at": as_utc(row["start_time"]),
            "ended_at": as_utc(row["end_time"]),
            "user": row["user_name"],
            "role": row["role_name"],
            "default_catalog": row["database_name"],
            "default_schema": row["schema_name"],
            "status": "success",
            "engine_hash": row["query_parameterized_hash"],
            "engine_inputs": access_objects(row.get("direct_objects_accessed")),
            "engine_outputs": access_objects(row.get("objects_modified")),
            "truncated": len(row["query_text"]) >= TEXT_LIMIT,
        }

    def losses(self, window: Window) -> Losses:
        """Count failed, empty and untagged statements of the window in one statement."""
        of_hex = "UPPER(q.user_name) = UPPER(%(hex_user)s)" if self.settings.hexUser else "TRUE"
        statement = f"""
SELECT COUNT_IF(q.execution_status <> 'SUCCESS' AND {HAS_MARKER}) AS failed,
  COUNT_IF(COALESCE(q.query_text, '') = '' AND {of_hex}) AS emptied,
  COUNT_IF(q.execution_status = 'SUCCESS' AND {of_hex} AND COALESCE(q.query_text, '') <> ''
    AND LENGTH(q.query_text) < {TEXT_LIMIT} AND NOT {HAS_MARKER}
    AND NOT COALESCE(q.is_client_generated_statement, FALSE)) AS untagged
FROM {self.settings.accountUsage}.query_history q
WHERE {BOUNDS}"""
        with self._cursor() as cursor:
            failed, emptied, untagged = self._one(cursor, statement, self._bounds(window))
        return Losses(failed, emptied, untagged if self.settings.hexUser else None)

    def probe(self) -> list[Finding]:
        """Log in, count Hex's statements of the last day, and try ACCESS_HISTORY."""
        end = datetime.now(timezone.utc) - self.lag
        window = Window(end - timedelta(days=1), end)
        findings: list[Finding] = []
        try:
            with self._cursor() as cursor:
                findings.append(Finding("login", "ok", f"{self._place()} as {self.settings.user}"))
                count, tagged = self._one(
                    cursor,
                    f"""SELECT COUNT(*) AS statements, COUNT_IF({HAS_MARKER}) AS tagged
FROM {self.settings.accountUsage}.query_history q WHERE {BOUNDS}""",
                    self._bounds(window),
                )
                findings.append(_count_finding(count, tagged, self.lag))
                if self.settings.accessHistory is not False:
                    findings.append(self._access_finding(cursor))
        except (CannotConnect, UnsetVariable) as error:
            mend = "check account, user, secret, network policy; see docs/warehouses/snowflake.md"
            findings.append(Finding("login", "failure", str(error), mend))
        except LogSourceError as error:
            findings.append(Finding("query log", "failure", str(error), self._grant()))
        return findings

    def _access_finding(self, cursor: Any) -> Finding:
        if self._can_read(cursor, "access_history"):
            return Finding("access history", "ok", "tables and columns come from ACCESS_HISTORY")
        return Finding(
            "access history",
            "failure" if self.settings.accessHistory else "warning",
            "ACCESS_HISTORY cannot be read; tables are parsed from the SQL text instead",
            f"on Enterprise Edition: {self._grant()} On Standard: set accessHistory: false, "
            "which also lowers the lag from 4 hours to 1",
        )

    def _access_history(self, cursor: Any) -> bool:
        if self.settings.accessHistory is not None:
            return self.settings.accessHistory
        if self._can_read(cursor, "access_history"):
            return True
        log.warning(
            "warehouse %s: ACCESS_HISTORY cannot be read; tables are parsed from the SQL. %s",
            self.name,
            self._grant(),
        )
        return False

    def _can_read(self, cursor: Any, view: str) -> bool:
        from snowflake.connector.errors import ProgrammingError

        try:
            cursor.execute(f"SELECT query_id FROM {self.settings.accountUsage}.{view} LIMIT 0")
        except ProgrammingError as error:
            if error.errno in NOT_FOUND_OR_GRANTED:
                return False
            raise CannotRead(f"{self._place()}: {view}: {self._clean(error)}") from None
        return True

    def _bounds(self, window: Window) -> dict[str, str]:
        bounds = {
            "pruned": _ltz(window.start - MAX_RUNTIME),
            "start": _ltz(window.start),
            "end": _ltz(window.end),
        }
        return bounds | ({"hex_user": self.settings.hexUser} if self.settings.hexUser else {})

    def _one(self, cursor: Any, statement: str, parameters: Mapping[str, str]) -> tuple[Any, ...]:
        with self._errors():
            cursor.execute(statement, parameters)
            return tuple(cursor.fetchone())

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        resource = self._resource()
        with self._errors(connecting=True):
            scope = resource.get_connection()
            connection = scope.__enter__()
        try:
            yield connection.cursor()
        finally:
            scope.__exit__(None, None, None)

    def _resource(self) -> Any:
        module = vendor_module(
            "dagster_snowflake", warehouse=self.name, install="dagster-snowflake"
        )
        settings = self.settings
        arguments: dict[str, Any] = {"session_parameters": {"QUERY_TAG": "hex_assets"}}
        authenticator = settings.authenticator
        if settings.token:
            authenticator = authenticator or "oauth"
            arguments["token"] = settings.token.value()
        return module.SnowflakeResource(
            account=settings.account,
            user=settings.user,
            password=_value(settings.password),
            private_key=_value(settings.privateKey),
            private_key_path=settings.privateKeyPath,
            private_key_password=_value(settings.privateKeyPassword),
            authenticator=authenticator,
            role=settings.role,
            warehouse=settings.warehouse,
            timezone="UTC",
            login_timeout=settings.loginTimeoutSeconds,
            additional_snowflake_connection_args=arguments | settings.connectionArguments,
        )

    @contextmanager
    def _errors(self, *, connecting: bool = False) -> Iterator[None]:
        # ValueError and TypeError: a private key that is none.
        beside = (ValueError, TypeError) if connecting else ()
        try:
            yield
        except (*self._driver_errors(), *beside) as error:
            detail = f"{self._place()}: {self._clean(error)}"
            if connecting:
                raise CannotConnect(
                    f"{detail}; check account, user, secret and network policy"
                ) from None
            number = getattr(error, "errno", None)
            if number in NOT_FOUND_OR_GRANTED:
                raise CannotRead(f"{detail}; {self._grant()}") from None
            if number == NO_WAREHOUSE:
                raise CannotRead(
                    f"{detail}; set `warehouse:` or run GRANT USAGE ON WAREHOUSE <name> "
                    f"TO ROLE {self._role()};"
                ) from None
            raise CannotRead(detail) from None

    def _driver_errors(self) -> tuple[type[Exception], ...]:
        from snowflake.connector.errors import Error

        # OSError: what the HTTP layer raises.
        return (Error, OSError)

    def _clean(self, error: Exception) -> str:
        settings = self.settings
        text = " ".join(str(error).split())
        return without_secrets(
            text,
            settings.password,
            settings.privateKey,
            settings.privateKeyPassword,
            settings.token,
        )

    def _place(self) -> str:
        host = self.settings.connectionArguments.get("host")
        at = f" at {host}" if host else ""
        return f"warehouse {self.name}: Snowflake account {self.settings.account}{at}"

    def _role(self) -> str:
        return self.settings.role or "<the reader's role>"

    def _grant(self) -> str:
        return f"run GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE {self._role()};"


def access_objects(logged: str | None) -> list[Mapping[str, Any]] | None:
    """Tables with columns of `direct_objects_accessed` or `objects_modified`.

    Args:
        logged: the JSON array as Snowflake returns a variant; None where it is null.
    """
    objects = json.loads(logged) if logged else None
    return engine_tables(
        (
            unquoted(item["objectName"], "snowflake"),
            [column["columnName"] for column in item.get("columns") or ()] or None,
        )
        for item in objects or ()
        if str(item.get("objectDomain", "")).lower() in TABLE_DOMAINS and item.get("objectName")
    )


def _count_finding(count: int, tagged: int, lag: timedelta) -> Finding:
    known = f"kept {RETENTION.days} days, complete after {lag.total_seconds() / 3600:.0f} h"
    if tagged:
        return Finding("query log", "ok", f"{tagged} Hex queries in a day of {count}; {known}")
    return Finding(
        "query log",
        "warning",
        f"no Hex query among {count} statements of a day; {known}",
        "check that Hex uses this account, and that its connection keeps the metadata comment on",
    )


def _value(secret: Secret | None) -> str | None:
    return secret.value() if secret else None


def _ltz(moment: datetime) -> str:
    return f"{utc_text(moment)} +0000"
