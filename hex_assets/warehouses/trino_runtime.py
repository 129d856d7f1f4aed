"""Trino's `system.runtime.queries`: the last queries in the coordinator's memory, best effort.

Facts (Trino 476): the coordinator keeps 100 queries for 15 minutes by default and forgets all when
it restarts; the table has neither catalog and schema nor inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from hex_assets.probe import Finding
from hex_assets.secret import Secret
from hex_assets.warehouses.base import (
    CannotConnect,
    CannotRead,
    LogSourceError,
    Losses,
    Position,
    WarehouseSettings,
    Window,
)
from hex_assets.warehouses.reading import batches, without_secrets
from hex_assets.warehouses.trino_text import executed_text
from hex_assets.warehouses.vendor import as_utc, utc_text, vendor_module

# Hex's marker in two parts: a statement with the whole marker would find itself.
MARKED = "strpos(query, '-- Hex query ' || 'metadata:') > 0"
BEST_EFFORT = (
    "the coordinator keeps 100 queries for 15 minutes by default and forgets all on a restart"
)
MEND = "set up the MySQL event listener and `type: trino`, see docs/warehouses/trino.md"


class TrinoCoordinator(BaseModel):
    """A coordinator whose memory is asked for its last queries: best effort."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(description="host name, without scheme")
    port: int = Field(default=443, ge=1, le=65535)
    user: str = Field(description="user that may see Hex's queries")
    password: Secret | None = Field(default=None, description="its password; needs TLS")
    secure: bool = Field(default=True, description="TLS")
    caCert: str | None = Field(default=None, description="PEM file of the authority to trust")


class TrinoRuntimeSettings(WarehouseSettings):
    """A Trino cluster by its coordinator's memory: best effort, for a trial."""

    dialect: ClassVar[str] = "trino"

    type: Literal["trino_runtime"]
    coordinator: TrinoCoordinator = Field(description="it forgets queries in minutes")

    def source(self, name: str) -> TrinoRuntimeLog:
        """The log source of these settings; connects to nothing yet."""
        return TrinoRuntimeLog(name, self, self.coordinator)


@dataclass(frozen=True)
class TrinoRuntimeLog:
    """What one coordinator still remembers."""

    name: str
    settings: TrinoRuntimeSettings
    coordinator: TrinoCoordinator
    dialect: str = "trino"
    lag: timedelta = timedelta(0)
    retention: timedelta | None = None
    """Unknown: it depends on how many queries came since."""

    def read(self, window: Window, resume: Position | None = None) -> Iterator[pa.RecordBatch]:
        """Stream what is remembered of the window, ordered by (ended_at, query_id)."""
        end = '"end"'
        after = ""
        if resume:
            moment = _literal(resume.ended_at)
            query_id = resume.query_id.replace("'", "''")
            after = f" AND ({end} > {moment} OR ({end} = {moment} AND query_id > '{query_id}'))"
        statement = (
            f'SELECT query_id, query, "user", created, {end} FROM system.runtime.queries'
            f" WHERE state = 'FINISHED' AND {_in(window)} AND {MARKED}{after}"
            f" ORDER BY {end}, query_id"
        )
        with self._cursor() as cursor:
            cursor.execute(statement)
            yield from batches(self._row(*row) for row in iter(cursor.fetchone, None))

    def _row(
        self, query_id: str, text: str, user: str, created: datetime, ended: datetime
    ) -> dict[str, Any]:
        return {
            "warehouse": self.name,
            "dialect": self.dialect,
            "query_id": query_id,
            "text": executed_text(text),
            "started_at": as_utc(created),
            "ended_at": as_utc(ended),
            "user": user,
            "default_catalog": self.settings.defaultCatalog,
            "default_schema": self.settings.defaultSchema,
            "status": "success",
            "truncated": False,
        }

    def losses(self, window: Window) -> Losses:
        """Count the failed Hex queries that are remembered; what was forgotten is unknown."""
        with self._cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM system.runtime.queries WHERE state = 'FAILED'"
                f" AND {_in(window)} AND {MARKED}"
            )
            return Losses(failed_count=int(cursor.fetchone()[0]))

    def probe(self) -> list[Finding]:
        """Log in, count what is remembered, and say that this log loses queries."""
        try:
            with self._cursor() as cursor:
                cursor.execute(
                    f'SELECT count(*), count_if({MARKED}), count_if("user" <> current_user)'
                    " FROM system.runtime.queries"
                )
                count, tagged, others = cursor.fetchone()
        except CannotConnect as error:
            return [Finding("login", "failure", error.problem, error.mend)]
        except LogSourceError as error:
            return [Finding("log", "failure", error.problem, error.mend)]
        detail = f"best effort: {BEST_EFFORT}; {tagged} Hex queries among {count} now"
        findings = [Finding("login", "ok", self._place), Finding("log", "warning", detail, MEND)]
        if not others:
            user = self.coordinator.user
            findings.append(
                Finding(
                    "queries of others",
                    "warning",
                    f"{user} sees only its own: Trino hides the rest without an error",
                    f"allow {user} to view queries; in file-based access control by"
                    f' `{{"queries": [{{"user": "{user}", "allow": ["execute", "view"]}}, ...]}}`',
                )
            )
        return findings

    @property
    def _place(self) -> str:
        return f"Trino at {self.coordinator.host}:{self.coordinator.port}"

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        install = "hex-assets[trino]"
        trino = vendor_module("trino", warehouse=self.name, install=install)
        errors = vendor_module("trino.exceptions", warehouse=self.name, install=install)
        at, place = self.coordinator, f"warehouse {self.name}: {self._place}"
        password = at.password.value() if at.password else None
        if password and not at.secure:
            raise CannotConnect(f"{place}: a password needs TLS", "set `secure: true`")
        connection = trino.dbapi.connect(
            host=at.host,
            port=at.port,
            user=at.user,
            http_scheme="https" if at.secure else "http",
            auth=trino.auth.BasicAuthentication(at.user, password) if password else None,
            verify=at.caCert or True,
            source="hex_assets",
            request_timeout=60,
        )
        try:
            yield connection.cursor()
        except (errors.TrinoConnectionError, errors.HttpError, OSError) as error:
            said = without_secrets(" ".join(str(error).split()), at.password)
            mend = "check `host`, `port`, `secure`, `user` and `password`"
            raise CannotConnect(f"{place}: {said}", mend) from None
        except errors.Error as error:
            said = without_secrets(" ".join(str(error).split()), at.password)
            mend = f"allow {at.user} to select from system.runtime.queries"
            raise CannotRead(f"{place}: {said}", mend) from None
        finally:
            connection.close()


def _in(window: Window) -> str:
    return f'"end" >= {_literal(window.start)} AND "end" < {_literal(window.end)}'


def _literal(moment: datetime) -> str:
    return f"TIMESTAMP '{utc_text(moment.astimezone(timezone.utc))} UTC'"
