"""Lines of PostgreSQL's csvlog and jsonlog as records; pure, bytes in and values out.

Facts (PostgreSQL 15): a record of csvlog is one CSV row whose quoted texts hold newlines; one of
jsonlog is one line. Both begin with the time in `log_timezone` and the user, both have the key
(session_id, line number). Reading the head alone is enough for most records, and ten times
cheaper than reading the whole.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Annotated, Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator

from hex_assets.warehouses.vendor import as_utc

FINISHED = r"duration: ([0-9.]+) ms  (?:statement|execute [^:]*): "
FINISHED_LINE = re.compile(FINISHED)
"""How the message of a finished statement begins; the rest of it is the text."""

CSV_COLUMNS = (23, 24, 26)
"""Columns of csvlog in PostgreSQL 9 to 12, in 13, and from 14 on."""
MAX_LINE = 1 << 30
"""Bytes without a newline that are no log any more: a statement has less than 1 GiB."""
TIME = rb"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) ([A-Za-z0-9+-]+)"
CSV_HEAD = re.compile(TIME + rb',(?:"((?:[^"]|"")*)")?,')
# Within a quoted text the quotes are doubled, so that no text of a statement can look like this.
CSV_BEGIN = re.compile(TIME + rb',"[^"\n]+","[^"\n]+",\d+,')
JSON_HEAD = re.compile(rb'\{"timestamp":"' + TIME + rb'"(?:,"user":"((?:[^"\\]|\\.)*)")?')

# 131,072 characters by default; a statement may have more. The limit is the process's own.
csv.field_size_limit(sys.maxsize)


class Record(NamedTuple):
    """One record of a log as it stands in its file."""

    line: int
    """Number of its first line, from 1."""
    raw: bytes
    whole: bool = True
    """False: it was cut, by a crash, a full disk or because it is being written."""
    insert_id: str | None = None
    """Its key in Cloud Logging."""


class Head(NamedTuple):
    """What is read of every record."""

    ended_at: datetime
    user: str | None


@dataclass(frozen=True)
class LogLine:
    """What is read of a record that may be of Hex."""

    ended_at: datetime
    key: str
    user: str | None
    database: str | None
    severity: str
    message: str
    failed_text: str | None = None
    """The text of the statement that ended with this error."""
    engine_hash: str | None = None


class Layout(Protocol):
    """How a kind of log file is written."""

    in_order: bool
    """A file's records are in the order of time, but for moments."""
    unique_keys: bool
    """False: two records of a file may have the same key, and it needs a number."""

    def records(self, lines: Iterable[bytes]) -> Iterator[Record]:
        """Put the lines of one file together to records."""
        ...

    def head(self, record: Record) -> Head | None:
        """Time and user; None: it is no record of this layout."""
        ...

    def parse(self, record: Record) -> LogLine:
        """Read all of it.

        Raises:
            ValueError: it is no record of this layout.
        """
        ...


@dataclass(frozen=True)
class Clock:
    """The server's `log_timezone`."""

    zone: str = "UTC"

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def at(self, moment: bytes, abbreviation: bytes) -> datetime | None:
        """The moment in UTC; None where the zone's abbreviation is not one of `log_timezone`."""
        if abbreviation in (b"UTC", b"GMT", b"Z"):
            return datetime.fromisoformat(moment.decode() + "+00:00")
        naive = datetime.fromisoformat(moment.decode())
        for fold in (0, 1):
            local = naive.replace(tzinfo=self._zone, fold=fold)
            if local.tzname() == abbreviation.decode():
                return local.astimezone(timezone.utc)
        return None


UTC_CLOCK = Clock()


def known_zone(zone: str) -> str:
    """The name of a time zone; raises ValueError where this machine does not know it."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"no such time zone: {zone}; use one such as Europe/Berlin") from error
    return zone


TimeZone = Annotated[str, AfterValidator(known_zone)]
"""A time zone in the settings."""


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines with their newline, which only the last may lack; a carriage return ends no line."""
    rest: list[bytes] = []
    size = 0
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        rest.append(first)
        size += len(first)
        if others:
            yield b"".join(rest) + b"\n"
            for line in others[:-1]:
                yield line + b"\n"
            rest, size = [others[-1]], len(others[-1])
        elif size > MAX_LINE:
            yield b"".join(rest)
            rest, size = [], 0
    if last := b"".join(rest):
        yield last


def readable(raw: bytes) -> str:
    """The text; a byte that is not UTF-8, of a database in another encoding, stays in hex."""
    return raw.decode("utf-8", "backslashreplace")


def statement_row(
    line: LogLine, *, warehouse: str, default_catalog: str | None, default_schema: str | None
) -> Mapping[str, Any] | None:
    """A finished statement as a row of the query log; None: it is another message."""
    found = FINISHED_LINE.match(line.message)
    if found is None or line.severity != "LOG":
        return None
    return {
        "warehouse": warehouse,
        "dialect": "postgres",
        "query_id": line.key,
        "text": line.message[found.end() :],
        "started_at": as_utc(line.ended_at - timedelta(milliseconds=float(found.group(1)))),
        "ended_at": as_utc(line.ended_at),
        "user": line.user,
        "default_catalog": line.database or default_catalog,
        "default_schema": default_schema,
        "status": "success",
        "engine_hash": line.engine_hash,
        "truncated": False,
    }


@dataclass(frozen=True)
class CsvLayout:
    """csvlog."""

    clock: Clock = UTC_CLOCK
    in_order = True
    unique_keys = True

    def records(self, lines: Iterable[bytes]) -> Iterator[Record]:
        """A row ends where its quotes are even; a cut one where the next begins."""
        begin, parts, odd = 0, list[bytes](), False
        for number, line in enumerate(lines, 1):
            if parts and CSV_BEGIN.match(line):
                yield Record(begin, b"".join(parts), whole=False)
                parts, odd = [], False
            if not parts:
                if line in (b"\n", b"\r\n"):
                    continue
                begin = number
            parts.append(line)
            odd ^= line.count(b'"') % 2 == 1
            if not odd:
                yield Record(begin, b"".join(parts), whole=line.endswith(b"\n"))
                parts = []
        if parts:
            yield Record(begin, b"".join(parts), whole=False)

    def head(self, record: Record) -> Head | None:
        """The first two columns."""
        return _head(CSV_HEAD.match(record.raw), self.clock, lambda user: user.replace('""', '"'))

    def parse(self, record: Record) -> LogLine:
        """All columns; raises ValueError."""
        head = self.head(record)
        try:
            # The lines of a text stand in one item: the reader leaves the newlines as they are.
            (row,) = csv.reader([readable(record.raw).removesuffix("\n")], strict=True)
        except csv.Error as error:
            raise ValueError(str(error)) from None
        if head is None or len(row) not in CSV_COLUMNS:
            raise ValueError(f"{len(row)} columns")
        query_hash = row[25] if len(row) > 25 else ""
        return LogLine(
            ended_at=head.ended_at,
            key=f"{row[5]}:{row[6]}",
            user=row[1] or None,
            database=row[2] or None,
            severity=row[11],
            message=row[13],
            failed_text=row[19] or None,
            engine_hash=query_hash if query_hash not in ("", "0") else None,
        )


@dataclass(frozen=True)
class JsonLayout:
    """jsonlog, from PostgreSQL 15 on."""

    clock: Clock = UTC_CLOCK
    in_order = True
    unique_keys = True

    def records(self, lines: Iterable[bytes]) -> Iterator[Record]:
        """A record is a line."""
        for number, line in enumerate(lines, 1):
            if not line.isspace():
                yield Record(number, line, whole=line.rstrip().endswith(b"}"))

    def head(self, record: Record) -> Head | None:
        """The first two keys."""
        return _head(
            JSON_HEAD.match(record.raw),
            self.clock,
            lambda user: str(json.loads(f'"{user}"')) if "\\" in user else user,
        )

    def parse(self, record: Record) -> LogLine:
        """The whole object; raises ValueError."""
        head = self.head(record)
        entry = json.loads(readable(record.raw))
        try:
            key = f"{entry['session_id']}:{entry['line_num']}"
            severity, message = entry["error_severity"], entry.get("message", "")
        except (KeyError, TypeError) as error:
            raise ValueError(f"no {error}") from None
        if head is None:
            raise ValueError("no time")
        return LogLine(
            ended_at=head.ended_at,
            key=key,
            user=entry.get("user"),
            database=entry.get("dbname"),
            severity=severity,
            message=message,
            failed_text=entry.get("statement"),
            engine_hash=str(entry["query_id"]) if entry.get("query_id") else None,
        )


def _head(found: re.Match[bytes] | None, clock: Clock, plain: Any) -> Head | None:
    ended_at = clock.at(found[1], found[2]) if found else None
    if found is None or ended_at is None:
        return None
    return Head(ended_at, plain(readable(found[3])) if found[3] else None)
