"""MySQL 8 and MariaDB: `mysql.general_log` through PyMySQL, unbuffered.

Facts (MariaDB 10.11, MySQL 8.0.33): a statement is logged when it arrives, without status, id or
default database, so the database is rebuilt from each thread's connects. The table is CSV in the
order of arrival; a statement over it is a full scan.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
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
MARKED = "argument LIKE CONCAT('%%', %(m1)s, %(m2)s, '%%')"
SELECT = f"""
SELECT event_time, thread_id, server_id, user_host, command_type, argument FROM {{table}}
WHERE event_time >= %(from)s AND event_time < %(end)s
  AND (command_type IN ('Connect', 'Init DB')
    OR (command_type IN ('Query', 'Execute')
        AND (({MARKED} AND event_time >= %(start)s)
             OR argument REGEXP '^[[:space:]]*[Uu][Ss][Ee][[:space:]]')))"""
USE = re.compile(r"\s*use\s+(?:`((?:[^`]|``)+)`|([^\s;]+))\s*;?\s*$", re.IGNORECASE)
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
        moment, seen = None, Counter[bytes]()
        for at, thread, server, user_host, command, argument in cursor:
            text = _text(argument)
            if command == "Connect":
                found = CONNECT.match(text)
                databases[thread] = (found.group(1) or None) if found else None
            elif command == "Init DB":
                databases[thread] = text
            elif used := USE.match(text):
                databases[thread] = (used.group(1) or used.group(2)).replace("``", "`")
            if command not in ("Query", "Execute") or MARKER not in text:
                continue
            if at != moment:
                moment, seen = at, Counter()
            # The log has no id: equal rows of one microsecond are told apart by their order.
            digest = hashlib.sha256(f"{server}|{at}|{thread}|{text}".encode())
            ordinal = seen[digest.digest()]
            seen[digest.digest()] += 1
            digest.update(f"|{ordinal}".encode())
            ended = at.replace(tzinfo=timezone.utc)
            yield {
                "warehouse": self.name,
                "dialect": self.dialect,
                "query_id": digest.hexdigest(),
                "text": text,
                "ended_at": ended,
                "user": user_host.partition("[")[0],
                "default_schema": databases.get(thread),
                "default_catalog": self.settings.defaultCatalog,
                "status": "unknown",
                "truncated": False,
            }

    def losses(self, window: Window) -> Losses:
        """Count statements of Hex's user without the comment; the log knows no failures."""
        user = self.settings.hexUser
        if not user:
            return Losses()
        statement = (
            f"SELECT COUNT(*) FROM {self.settings.logTable} WHERE event_time >= %(start)s"
            " AND event_time < %(end)s AND command_type IN ('Query', 'Execute')"
            f" AND user_host LIKE CONCAT(%(user)s, '[%%') AND NOT {MARKED}"
        )
        with self._connection() as connection, connection.cursor() as cursor:
            cursor.execute(statement, {**_span(window), "user": user})
            return Losses(untagged_count=cursor.fetchall()[0][0])

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
                findings.append(
                    Finding("hex queries", "ok" if count else "warning", f"{count} in a day")
                )
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

    def decoded(found: re.Match[str]) -> str:
        try:
            return bytes.fromhex(found.group().replace("\\x", "")).decode()
        except UnicodeDecodeError:
            return found.group()

    return ESCAPED.sub(decoded, argument)
