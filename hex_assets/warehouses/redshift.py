"""Redshift: `SYS_QUERY_HISTORY` and `SYS_QUERY_TEXT`, or STL_* where an old cluster lacks them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from hex_assets.probe import Finding
from hex_assets.secret import Secret, UnsetVariable
from hex_assets.warehouses.base import (
    MARKER,
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
from hex_assets.warehouses.reading import batches, without_secrets
from hex_assets.warehouses.vendor import as_utc, utc_text, vendor_module

MAX_RUNTIME = timedelta(days=1)
"""Redshift's default limit; start_time is taken to be at most this long before end_time."""
LAG = timedelta(minutes=5)
RETENTION = timedelta(days=7)
"""SYS_* and STL_* views keep seven days (Redshift's documentation)."""
PAGE_STATEMENTS = 500
"""The client holds a whole answer in memory, so the log is read in pages."""
PAGE_SEGMENTS = 4_000
"""Segments fetched in one statement: 16 MB of text."""
GRANT = "run ALTER USER <reader> WITH SYSLOG ACCESS UNRESTRICTED; or GRANT ROLE sys:monitor TO it"


@dataclass(frozen=True)
class Family:
    """The columns of SYS_* or STL_*; their ids differ, so a prefix keeps them apart."""

    history: str
    texts: str
    query_id: str
    started: str
    ended: str
    database: str
    user_id: str
    text: str
    succeeded: str
    text_started: str | None
    """The texts' own start time; without it their ids are looked up in the history."""
    segment: int
    prefix: str


SYS = Family(
    "sys_query_history", "sys_query_text", "query_id", "start_time", "end_time", "database_name",
    "user_id", "query_text", "h.status = 'success'", "start_time", 4000, "",
)  # fmt: skip
STL = Family(
    "stl_query", "stl_querytext", "query", "starttime", "endtime", "database",
    "userid", "querytxt", "h.aborted = 0", None, 200, "stl-",
)  # fmt: skip


class RedshiftSettings(WarehouseSettings):
    """A Redshift cluster or serverless workgroup."""

    dialect: ClassVar[str] = "redshift"

    type: Literal["redshift"]
    host: str
    port: int = Field(default=5439, ge=1, le=65535)
    database: str
    user: str
    password: Secret
    ssl: bool = True
    logTables: Literal["sys", "stl"] = Field(
        default="sys", description="stl only for an old cluster without SYS_QUERY_TEXT"
    )
    timeoutSeconds: int = Field(default=60, ge=1)

    def source(self, name: str) -> RedshiftLog:
        """The query log; connects to nothing yet."""
        return RedshiftLog(name, self)


class RedshiftLog:
    """The query log of one cluster or workgroup."""

    dialect = "redshift"
    lag = LAG
    retention: timedelta | None = RETENTION

    def __init__(self, name: str, settings: RedshiftSettings) -> None:
        self.name = name
        self.settings = settings
        self.family = SYS if settings.logTables == "sys" else STL

    def read(self, window: Window, resume: Position | None = None) -> Iterator[pa.RecordBatch]:
        """Read the window in pages by key; see `LogSource.read`."""
        yield from batches(self._rows(window, resume))

    def _rows(self, window: Window, resume: Position | None) -> Iterator[dict[str, Any]]:
        with self._cursor() as cursor:
            found = self._all(cursor, "SELECT usesysid, usename FROM pg_user", ())
            users: dict[int, str] = {int(row[0]): str(row[1]) for row in found}
            if self.family is STL:
                self._refuse_if_gone(window, self._begins_at(cursor))
            started = False
            while True:
                heads = self._heads(cursor, window, resume, started)
                for part in _parts(heads):
                    texts = self._texts(cursor, [int(head[0]) for head in part])
                    for head in part:
                        started = True
                        row = self._row(head, texts.get(int(head[0]), {}), users)
                        if MARKER in row["text"] or row["truncated"]:
                            yield row
                if len(heads) < PAGE_STATEMENTS:
                    return
                last = heads[-1]
                ended_at = as_utc(last[2])
                assert ended_at is not None
                resume = Position(ended_at, f"{self.family.prefix}{last[0]}")

    def _begins_at(self, cursor: Any) -> datetime | None:
        """When the oldest statement of the log ended."""
        log = self.family
        ((oldest,),) = self._all(cursor, f"SELECT MIN({log.ended}) FROM {log.history}", ())
        return as_utc(oldest)

    def _refuse_if_gone(self, window: Window, oldest: datetime | None) -> None:
        """STL_* keeps less than its documented week where the disk is full or the load is high."""
        if oldest and oldest >= window.end:
            raise WindowExpired(
                f"{self._place()}: {self.family.history} begins at {oldest:%Y-%m-%d %H:%M} UTC, "
                f"after {window}",
                f"choose a later partition; or the reader sees only its own statements: {GRANT}",
            )

    def _heads(
        self, cursor: Any, window: Window, resume: Position | None, started: bool
    ) -> list[Sequence[Any]]:
        """A page of (id, start, end, database, user id, first text, segment count)."""
        log = self.family
        after = ""
        parameters = list(_bounds(window))
        if resume:
            ended_at = utc_text(resume.ended_at)
            parameters += [ended_at, ended_at, resume.query_id.removeprefix(log.prefix)]
            after = f"""
  AND (h.{log.ended} > CAST(%s AS timestamp) OR (h.{log.ended} = CAST(%s AS timestamp)
       AND CAST(h.{log.query_id} AS varchar) > %s))"""
        return self._all(
            cursor,
            f"""
SELECT h.{log.query_id}, h.{log.started}, h.{log.ended}, h.{log.database}, h.{log.user_id},
  h.{log.text}, t.segments
FROM {log.history} h JOIN ({self._tagged(window)}) t ON t.id = h.{log.query_id}
WHERE {self._window()} AND {log.succeeded} AND t.tagged > 0{after}
ORDER BY h.{log.ended}, CAST(h.{log.query_id} AS varchar) LIMIT {PAGE_STATEMENTS}""",
            parameters,
            started,
        )

    def _tagged(self, window: Window) -> str:
        """Ids with their count of segments, and whether Hex's marker is in the text.

        The marker may lie over the border of two segments, and a segment has lost the blanks at
        its end: neighbours are joined and compared without blanks. The marker is split here, or
        the extractor would find itself.
        """
        log = self.family
        # Literals and not parameters: their place in the statement is not that of the others.
        span = (
            f">= CAST('{utc_text(window.start - MAX_RUNTIME)}' AS timestamp)",
            f"< CAST('{utc_text(window.end)}' AS timestamp)",
        )
        if log.text_started:
            bound = " AND ".join(f"a.{log.text_started} {side}" for side in span)
        else:
            started = " AND ".join(f"{log.started} {side}" for side in span)
            bound = (
                f"a.{log.query_id} IN (SELECT {log.query_id} FROM {log.history} WHERE {started})"
            )
        return f"""
  SELECT a.{log.query_id} AS id, COUNT(*) AS segments, MAX(CASE WHEN POSITION('--Hexquery' ||
    'metadata:' IN REPLACE(a.text || COALESCE(LEFT(b.text, 40), ''), ' ', '')) > 0
    THEN 1 ELSE 0 END) AS tagged
  FROM {log.texts} a LEFT JOIN {log.texts} b
    ON b.{log.query_id} = a.{log.query_id} AND b.sequence = a.sequence + 1
  WHERE {bound}
  GROUP BY a.{log.query_id}"""

    def _window(self) -> str:
        log = self.family
        return (
            f"h.{log.started} >= CAST(%s AS timestamp) AND h.{log.started} < CAST(%s AS timestamp)"
            f" AND h.{log.ended} >= CAST(%s AS timestamp) AND h.{log.ended} < CAST(%s AS timestamp)"
        )

    def _texts(self, cursor: Any, ids: list[int]) -> dict[int, dict[int, str]]:
        log = self.family
        listed = ", ".join(str(number) for number in ids)
        texts: dict[int, dict[int, str]] = {}
        for query_id, sequence, text in self._all(
            cursor,
            f"SELECT {log.query_id}, sequence, text FROM {log.texts} "
            f"WHERE {log.query_id} IN ({listed})",
            (),
            True,
        ):
            texts.setdefault(int(query_id), {})[int(sequence)] = text
        return texts

    def _row(
        self, head: Sequence[Any], segments: dict[int, str], users: dict[int, str]
    ) -> dict[str, Any]:
        query_id, started_at, ended_at, database, user_id, _, _ = head
        text = whole_text(segments, self.family.segment)
        return {
            "warehouse": self.name,
            "dialect": self.dialect,
            "query_id": f"{self.family.prefix}{query_id}",
            "text": text,
            "started_at": as_utc(started_at),
            "ended_at": as_utc(ended_at),
            "user": users.get(user_id, str(user_id)),
            "role": None,
            "default_catalog": database.strip() if database else None,
            "default_schema": None,
            "status": "success",
            "engine_hash": None,
            "engine_inputs": None,
            "engine_outputs": None,
            "truncated": sorted(segments) != list(range(len(segments))),
        }

    def losses(self, window: Window) -> Losses:
        """Count failed, empty and untagged statements of the window in one statement."""
        log, user = self.family, self.settings.hexUser
        of_hex = f"h.{log.user_id} IN (SELECT usesysid FROM pg_user WHERE usename = %s)"
        mine = of_hex if user else "TRUE"
        statement = f"""
SELECT SUM(CASE WHEN NOT ({log.succeeded}) AND t.tagged > 0 THEN 1 ELSE 0 END),
  SUM(CASE WHEN COALESCE(h.{log.text}, '') = '' AND t.id IS NULL THEN 1 ELSE 0 END),
  SUM(CASE WHEN {log.succeeded} AND COALESCE(t.tagged, 0) = 0 AND {mine} THEN 1 ELSE 0 END)
FROM {log.history} h LEFT JOIN ({self._tagged(window)}) t ON t.id = h.{log.query_id}
WHERE {self._window()}"""
        with self._cursor() as cursor:
            parameters = [*([user] if user else []), *_bounds(window)]
            ((failed, emptied, untagged),) = self._all(cursor, statement, parameters)
            oldest = self._begins_at(cursor)
        return Losses(
            failed_count=int(failed or 0),
            empty_text_count=int(emptied or 0),
            untagged_count=int(untagged or 0) if user else None,
            log_begins_at=oldest if oldest and window.start < oldest < window.end else None,
        )

    def probe(self) -> list[Finding]:
        """Log in and count Hex's statements of the last day."""
        end = datetime.now(timezone.utc) - self.lag
        window = Window(end - timedelta(days=1), end)
        log = self.family
        findings: list[Finding] = []
        try:
            with self._cursor() as cursor:
                findings.append(Finding("login", "ok", self._place()))
                statement = f"""SELECT COUNT(*), SUM(t.tagged) FROM {log.history} h
LEFT JOIN ({self._tagged(window)}) t ON t.id = h.{log.query_id} WHERE {self._window()}"""
                ((count, tagged),) = self._all(cursor, statement, _bounds(window))
        except (CannotConnect, UnsetVariable) as error:
            mend = "check host, port, security group, user and password"
            return [*findings, Finding("login", "failure", str(error), mend)]
        except LogSourceError as error:
            return [*findings, Finding("query log", "failure", str(error), GRANT)]
        detail = (
            f"{tagged or 0} Hex queries in a day of {count}; kept {RETENTION.days} days, "
            "complete after 5 minutes"
        )
        if tagged:
            return [*findings, Finding("query log", "ok", detail)]
        mend = f"without the grant only the reader's own statements are seen: {GRANT}"
        return [*findings, Finding("query log", "warning", detail, mend)]

    def _all(
        self, cursor: Any, statement: str, parameters: Sequence[str], started: bool = False
    ) -> list[Sequence[Any]]:
        with self._errors(started=started):
            cursor.execute(statement, list(parameters))
            rows: list[Sequence[Any]] = list(cursor.fetchall())
            return rows

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        module = vendor_module(
            "redshift_connector", warehouse=self.name, install="hex-assets[redshift]"
        )
        settings = self.settings
        password = settings.password.value()
        with self._errors(connecting=True):
            connection = module.connect(
                host=settings.host,
                port=settings.port,
                database=settings.database,
                user=settings.user,
                password=password,
                ssl=settings.ssl,
                timeout=settings.timeoutSeconds,
                application_name="hex_assets",
            )
        try:
            yield connection.cursor()
        finally:
            try:
                connection.close()
            except (module.Error, OSError):
                pass  # the connection broke; what broke it is being told

    @contextmanager
    def _errors(self, *, connecting: bool = False, started: bool = False) -> Iterator[None]:
        from redshift_connector.error import Error, InterfaceError, OperationalError

        try:
            yield
        except (Error, OSError) as error:
            text = without_secrets(" ".join(str(error).split()), self.settings.password)
            detail = f"{self._place()}: {text}"
            if connecting:
                mend = "check host, port, security group, user and password"
                raise CannotConnect(f"{detail}; {mend}") from None
            if isinstance(error, (InterfaceError, OperationalError, OSError)):
                kind = BrokenRead if started else CannotConnect
                raise kind(f"{detail}; the connection broke while the log was read") from None
            raise CannotRead(f"{detail}; {GRANT}") from None

    def _place(self) -> str:
        return f"warehouse {self.name}: Redshift at {self.settings.host}:{self.settings.port}"


def whole_text(segments: dict[int, str], width: int) -> str:
    r"""Put a text together from its segments: blanks that CHAR lost, then `\n` and `\\`.

    An escape may lie over a border, so it is undone after joining. Whether a width counts bytes
    or characters is not documented: bytes first, characters if only they bring the marker back.
    """
    if not segments:
        return ""
    parts = [segments[number] for number in sorted(segments)]
    parts[-1] = parts[-1].rstrip(" ")  # a driver may fill a CHAR up to its width
    by_bytes = [part + " " * (width - len(part.encode())) for part in parts[:-1]]
    text = _unescaped("".join([*by_bytes, parts[-1]]))
    if MARKER in text:
        return text
    by_characters = _unescaped("".join([*(part.ljust(width) for part in parts[:-1]), parts[-1]]))
    return by_characters if MARKER in by_characters else text


def _unescaped(text: str) -> str:
    return "\\".join(part.replace("\\n", "\n") for part in text.split("\\\\"))


def _parts(heads: list[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    """Heads in groups whose segments fit into memory."""
    part: list[Sequence[Any]] = []
    segments = 0
    for head in heads:
        part.append(head)
        segments += int(head[6])
        if segments >= PAGE_SEGMENTS:
            yield part
            part, segments = [], 0
    if part:
        yield part


def _bounds(window: Window) -> tuple[str, str, str, str]:
    end = utc_text(window.end)
    return utc_text(window.start - MAX_RUNTIME), end, utc_text(window.start), end
