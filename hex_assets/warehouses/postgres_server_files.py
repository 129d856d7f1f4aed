"""PostgreSQL's own log files through its connection: pg_ls_logdir and pg_read_binary_file.

For a server without file_fdw. A read asks for one chunk after the other up to the size that the
file had when it was listed; rows are put in order here, as of files that are copied off.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from hex_assets.probe import Finding
from hex_assets.warehouses.base import CannotConnect, CannotRead, LogSourceError
from hex_assets.warehouses.postgres_client import (
    ENABLE,
    PostgresServer,
    connected,
    place_of,
    probe_settings,
    reading_errors,
)
from hex_assets.warehouses.postgres_scan import FileLog, LogFile
from hex_assets.warehouses.vendor import as_utc

CHUNK = 4 * 1024 * 1024
"""Bytes of an answer."""
SUFFIXES = {"csvlog": ".csv", "jsonlog": ".json"}
"""What the collector puts in place of `.log` in log_filename."""
GRANT = (
    "GRANT pg_monitor TO {user}; "
    "GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint) TO {user}"
)
LIST = """
SELECT name, current_setting('log_directory') || '/' || name, size, modification
FROM pg_ls_logdir() WHERE right(name, %(length)s) = %(suffix)s"""


@dataclass(frozen=True, kw_only=True)
class PostgresServerFiles(FileLog):
    """The log files of one PostgreSQL server, read by itself."""

    settings: PostgresServer
    format: Literal["csvlog", "jsonlog"]

    def place(self) -> str:
        """The server."""
        return place_of(self.settings)

    @contextmanager
    def listed(self) -> Iterator[list[LogFile]]:
        """All files of the format in the server's log directory."""
        settings = self.settings
        grant = GRANT.format(user=settings.user)
        suffix = SUFFIXES[self.format]
        parameters = {"suffix": suffix, "length": len(suffix)}
        with (
            connected(self.name, settings) as connection,
            reading_errors(self.name, settings, connection, None, grant),
        ):
            found = connection.execute(LIST, parameters).fetchall()
            if not found:
                raise CannotRead(
                    f"warehouse {self.name}: {self.place()}: no {suffix} in its log directory",
                    ENABLE.format(name="log_destination", value=self.format),
                )
            yield [
                LogFile(name, as_utc(modified), partial(_chunks, connection, path, size))
                for name, path, size, modified in sorted(found)
            ]

    def probe(self) -> list[Finding]:
        """Log in, look at the server's settings, then as of every log in files."""
        grant = GRANT.format(user=self.settings.user)
        findings = []
        try:
            with (
                connected(self.name, self.settings) as connection,
                reading_errors(self.name, self.settings, connection, None, grant),
            ):
                findings.append(Finding("login", "ok", self.place()))
                findings.extend(probe_settings(connection, (self.format,)))
        except CannotConnect as error:
            return [*findings, Finding("login", "failure", error.problem, error.mend)]
        except LogSourceError as error:
            return [*findings, Finding("log", "failure", error.problem, error.mend)]
        return [*findings, *super().probe()]


def _chunks(connection: Any, path: str, size: int) -> Iterator[bytes]:
    cursor = connection.cursor(binary=True)  # bytea as text has twice the bytes
    for offset in range(0, size, CHUNK):
        length = min(CHUNK, size - offset)
        cursor.execute(
            "SELECT pg_read_binary_file(%s, %s::bigint, %s::bigint)", [path, offset, length]
        )
        ((chunk,),) = cursor.fetchall()
        yield bytes(chunk)
