"""MySQL 8 and MariaDB: `mysql.general_log` through PyMySQL, unbuffered.

Facts (MariaDB 10.11, MySQL 8.0.33): a statement is logged when it arrives, without status, id or
default database, so the database is rebuilt from each thread's connects. The table is CSV in the
order of arrival; a statement over it is a full scan, 7 s of the server's CPU for 1,000,000 rows.
MariaDB's `argument` is text of utf8mb3, MySQL's is bytes: both are compared as bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from hex_assets.probe import Finding
from hex_assets.secret import Secret
from hex_assets.warehouses.base import (
    MARKER,
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

LOOK_BACK = timedelta(days=1)
"""How far before a window a thread's last connect is looked for."""
OVERLAP = timedelta(seconds=1)
ENABLE = "SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 'ON'"
MARKED = "argument LIKE CAST(CONCAT('%%', %(m1)s, %(m2)s, '%%') AS BINARY)"
SHORT = 400
"""Bytes that a `USE` has at most, with room: a name is 64 characters. A length costs nothing to
ask, while the expression, asked of every text, was a third of the time beyond the bare scan."""
SELECT = f"""
SELECT event_time, thread_id, server_id, user_host, command_type, argument FROM {{table}}
WHERE event_time >= %(from)s AND event_time < %(end)s
  AND (command_type IN ('Connect', 'Init DB', 'Change user')
    OR (command_type IN ('Query', 'Execute')
        AND ((event_time >= %(start)s AND {MARKED})
             OR (LENGTH(argument) < {SHORT}
                 AND argument REGEXP '^[[:space:]]*[Uu][Ss][Ee][[:space:]`]'))))"""
# MariaDB logs a packet of many statements as one: what follows a `USE` runs in its database.
USE = re.compile(r"\s*use(?:\s*`((?:[^`]|``)+)`|\s+([^\s;`]+))\s*(?:;|$)", re.IGNORECASE)
CONNECT = re.compile(r"\S+ (?:on|as \S+ on) (\S*) ?(?:using .*)?$")
ESCAPED = re.compile(r"(?:\\x[0-9A-F]{2}){4}")


class MySQLSettings(WarehouseSettings):
    """A MySQL 8 or MariaDB server that writes its general log to a table."""

    dialect: ClassVar[str] = "mysql"

    type: Literal["mysql"]
    host: str = Field(description="host name")
    port: int = Field(default=3306, ge=1, le=65535)
    user: str = Field(description="user that reads the log")
    password: Secret | None = Field(default=None, description="its password")
    caCert: str | None = Field(default=None, description="PEM file of the authority to trust")
    logTable: str = Field(
        default="mysql.general_log",
        pattern=r"^[A-Za-z0-9_$]+\.[A-Za-z0-9_$]+$",
        description="the log, or a table of its columns that rotation keeps",
    )
    retentionDays: int | None = Field(
        default=None, ge=1, description="how long the log is kept before TRUNCATE or rotation"
    )

    def source(self, name: str) -> MySQLLog:
        """The log source of these settings; connects to nothing yet."""
        return MySQLLog(name, self)


@dataclass(frozen=True)
class MySQLLog:
    """The general log of one server."""

    name: str
    settings: MySQLSettings
    dialect: str = "mysql"
    lag: timedelta = timedelta(minutes=1)

    @property
    def retention(self) -> timedelta | None:
        """As given in the settings; the log itself has none."""
        days = self.settings.retentionDays
        return timedelta(days=days) if days else None

    def read(self, window: Window, resume: Position | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the window's Hex statements in the order of arrival."""
        # Concurrent threads write a little out of order: the second before comes again.
        start = max(window.start, resume.ended_at - OVERLAP) if resume else window.start
        with self._connection() as connection:
            cursor = connection.cursor()  # closing it would read all rows to the end
            statement = SELECT.format(table=self.settings.logTable)
            cursor.execute(statement, _span(Window(start, window.end)))
            yield from batches(self._rows(cursor))

    def _rows(self, cursor: Any) -> Iterator[dict[str, Any]]:
        databases: dict[int, str | None] = {}
        moment = None
        seen: dict[tuple[int, int, str], int] = {}
        for at, thread, server, user_host, command, argument in cursor:
            text = _text(argument)
            if command in ("Connect", "Change user"):
                found = CONNECT.match(text)
                databases[thread] = (found.group(1) or None) if found else None
            elif command == "Init DB":
                databases[thread] = text
            elif used := USE.match(text):
                databases[thread] = (used.group(1) or used.group(2)).replace("``", "`")
            if command not in ("Query", "Execute") or MARKER not in text:
                continue
            if at != moment:
                moment, seen = at, {}
            # The log has no id: equal rows of one microsecond are told apart by their order.
            row = (server, thread, text)
            seen[row] = ordinal = seen.get(row, -1) + 1
            digest = hashlib.sha256(f"{server}|{at}|{thread}|{text}|{ordinal}".encode())
            yield {
                "warehouse": self.name,
                "dialect": self.dialect,
                "query_id": digest.hexdigest(),
                "text": text,
                "ended_at": at.replace(tzinfo=timezone.utc),
                "user": user_host.partition("[")[0],
                "default_schema": databases.get(thread),
                "default_catalog": self.settings.defaultCatalog,
                "status": "unknown",
                "truncated": False,
            }

    def losses(self, window: Window) -> Losses:
        """Count statements of Hex's user without the comment; the log knows no failures."""
        user, untagged = self.settings.hexUser, None
        with self._connection() as connection, connection.cursor() as cursor:
            first = self._first(cursor)
            if user:
                cursor.execute(
                    f"SELECT COUNT(*) FROM {self.settings.logTable} WHERE event_time >= %(start)s"
                    " AND event_time < %(end)s AND command_type IN ('Query', 'Execute')"
                    " AND SUBSTRING_INDEX(user_host, '[', 1) = %(user)s AND LENGTH(argument) > 0"
                    f" AND NOT ({MARKED})",
                    {**_span(window), "user": user},
                )
                untagged = cursor.fetchall()[0][0]
        begins = first if first and window.start < first < window.end else None
        return Losses(untagged_count=untagged, log_begins_at=begins)

    def _first(self, cursor: Any) -> datetime | None:
        """The log's first row, which is its oldest; no scan."""
        cursor.execute(f"SELECT event_time FROM {self.settings.logTable} LIMIT 1")
        found = cursor.fetchall()
        return found[0][0].replace(tzinfo=timezone.utc) if found else None

    def probe(self) -> list[Finding]:
        """Log in, read the log, see whether it is written, count the last day."""
        findings = []
        try:
            with self._connection() as connection, connection.cursor() as cursor:
                findings.append(Finding("login", "ok", self._server.place))
                cursor.execute("SELECT @@global.general_log, @@global.log_output")
                enabled, output = cursor.fetchall()[0]
                fine = enabled and "TABLE" in output
                detail = f"general_log = {enabled}, log_output = {output}"
                status: Literal["ok", "failure"] = "ok" if fine else "failure"
                mend = None if fine else ENABLE
                findings.append(Finding("log enabled", status, detail, mend))
                now = datetime.now(timezone.utc)
                cursor.execute(
                    f"SELECT COUNT(*) FROM {self.settings.logTable}"
                    " WHERE event_time >= %(start)s"
                    f" AND command_type IN ('Query', 'Execute') AND {MARKED}",
                    _span(Window(now - timedelta(days=1), now)),
                )
                count = cursor.fetchall()[0][0]
                first = self._first(cursor)
                since = f"the log begins at {first:%Y-%m-%d %H:%M} UTC" if first else "it is empty"
                detail = f"{count} Hex queries in the last day; {since}"
                findings.append(Finding("hex queries", "ok" if count else "warning", detail))
        except CannotConnect as error:
            findings.append(Finding("login", "failure", error.problem, error.mend))
        except LogSourceError as error:
            findings.append(Finding("log", "failure", error.problem, error.mend))
        return findings

    @property
    def _server(self) -> MySQLServer:
        wanted = set(MySQLServer.model_fields)
        return MySQLServer.model_validate(self.settings.model_dump(include=wanted))

    def _connection(self) -> AbstractContextManager[Any]:
        return mysql_connection(
            self.name,
            self._server,
            table=self.settings.logTable,
            install="hex-assets[mysql]",
        )


def _span(window: Window) -> dict[str, str]:
    def moment(value: datetime) -> str:
        return f"{value.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S.%f}"

    first, second = MARKER_HALVES
    return {
        "from": moment(window.start - LOOK_BACK),
        "start": moment(window.start),
        "end": moment(window.end),
        "m1": first,
        "m2": second,
    }


def _text(argument: str | bytes) -> str:
    r"""MySQL gives bytes; MariaDB's utf8mb3 log spells a 4-byte character as `\xF0\x9F\x98\x80`."""
    if isinstance(argument, bytes):
        return argument.decode("utf-8", "replace")
    if "\\x" not in argument:  # a search is ten times quicker than the expression
        return argument

    def decoded(found: re.Match[str]) -> str:
        try:
            return bytes.fromhex(found.group().replace("\\x", "")).decode()
        except UnicodeDecodeError:
            return found.group()

    return ESCAPED.sub(decoded, argument)
