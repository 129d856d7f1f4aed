"""PostgreSQL's plain log as records: `log_line_prefix`, severity, text; and what wraps it.

Facts (PostgreSQL 15): a line is the prefix, `LOG:  ` or another severity with two blanks, and the
message; each further line of a message begins with a tab that the server has put there. A failed
statement is an ERROR line, followed by its text as a STATEMENT line. Cloud SQL and AlloyDB give
these lines to Cloud Logging as the `textPayload` of an entry.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from typing import Any

from hex_assets.warehouses.postgres_lines import (
    TIME,
    UTC_CLOCK,
    Clock,
    Head,
    LogLine,
    Record,
    readable,
)

RDS_PREFIX = "%t:%r:%u@%d:[%p]:"
"""The default of Amazon RDS and Aurora; RDS lets nobody change it before PostgreSQL 17."""
CLOUD_SQL_PREFIX = "%m [%p]: [%l-1] db=%d,user=%u "
"""The default of Cloud SQL and AlloyDB."""

ANY = rb"[^\n]*?"
PARTS = {
    "a": ANY,
    "b": ANY,
    "c": rb"(?P<session>[0-9a-f]*\.[0-9a-f]*)",
    "d": rb"(?P<database>" + ANY + rb")",
    "e": rb"[0-9A-Z]{5}",
    "h": rb"(?:\[local\]|[0-9A-Fa-f:.]+|[\w.-]*)",
    "i": ANY,
    "l": rb"(?P<number>\d+)",
    "m": rb"(?P<time>" + TIME + rb")",
    "n": rb"(?P<epoch>\d+\.\d+)",
    "p": rb"(?P<process>\d+)",
    "P": rb"\d*",
    "Q": rb"(?P<hash>-?\d*)",
    # An IPv6 address has colons, and RDS's prefix parts with colons: the port's brackets tell.
    "r": rb"(?:[^\s()]*\(\d+\)|\[local\]|)",
    "s": TIME.replace(b"(", b"(?:").replace(b"(?:?:", b"(?:"),
    "t": rb"(?P<time>" + TIME + rb")",
    "u": rb"(?P<user>" + ANY + rb")",
    "v": rb"[0-9/]*",
    "x": rb"\d*",
    "%": rb"%",
}
SEVERITY = rb" *(?P<severity>[A-Z]+[1-5]?):  "


def prefix_pattern(prefix: str) -> re.Pattern[bytes]:
    """The beginning of a line, up to its message, of a `log_line_prefix`.

    Raises:
        ValueError: the prefix has no time, or an escape that PostgreSQL does not have.
    """
    pattern, names, optional = b"", list[str](), 0
    for found in re.finditer(r"%-?\d*([A-Za-z%])|[^%]+|%", prefix.rstrip(" ")):
        name = found[1]
        if name is None:
            pattern += re.escape(found[0].encode())
        elif name == "q":
            pattern += b"(?:"
            optional += 1
        elif name not in PARTS or (name in names and b"(?P" in PARTS[name]):
            raise ValueError(f"log_line_prefix: {found[0]} cannot be read, or comes twice")
        else:
            padded = b" *" if found[0] != f"%{name}" else b""
            pattern += padded + PARTS[name] + padded
            names.append(name)
    if names.count("t") + names.count("m") + names.count("n") != 1:
        raise ValueError("log_line_prefix: needs the time, once: %m, %t or %n")
    return re.compile(pattern + b")?" * optional + SEVERITY)


@dataclass(frozen=True)
class PrefixLayout:
    """The plain log, as a file."""

    prefix: str = RDS_PREFIX
    clock: Clock = UTC_CLOCK
    in_order = True
    unique_keys = False

    @cached_property
    def pattern(self) -> re.Pattern[bytes]:
        """How a record begins."""
        return prefix_pattern(self.prefix)

    def records(self, lines: Iterable[bytes]) -> Iterator[Record]:
        """A line that begins with a tab goes on with the one before."""
        begin, parts = 0, list[bytes]()
        for number, line in enumerate(lines, 1):
            if line.startswith(b"\t"):
                begin = begin or number
                parts.append(line)
            elif line not in (b"\n", b"\r\n"):
                if parts:
                    yield Record(begin, b"".join(parts))
                begin, parts = number, [line]
        if parts:
            yield Record(begin, b"".join(parts), whole=parts[-1].endswith(b"\n"))

    def head(self, record: Record) -> Head | None:
        """Time and user of the prefix."""
        found = self.pattern.match(record.raw)
        ended_at = self._time(found) if found else None
        if found is None or ended_at is None:
            return None
        user = found.groupdict().get("user")
        return Head(ended_at, readable(user) if user else None)

    def parse(self, record: Record) -> LogLine:
        """Prefix, severity and message; raises ValueError."""
        head, found = self.head(record), self.pattern.match(record.raw)
        if head is None or found is None:
            raise ValueError("no prefix")
        parts = {name: readable(value) for name, value in found.groupdict().items() if value}
        text = readable(record.raw[found.end() :].removesuffix(b"\n").replace(b"\n\t", b"\n"))
        # Only an error has a STATEMENT line, unless log_min_error_statement was lowered.
        failed = parts["severity"] == "STATEMENT"
        return LogLine(
            ended_at=head.ended_at,
            key=self._key(record, head, parts),
            user=head.user,
            database=parts.get("database"),
            severity="ERROR" if failed else parts["severity"],
            message="" if failed else text,
            failed_text=text if failed else None,
            engine_hash=parts["hash"] if parts.get("hash") not in (None, "0") else None,
        )

    def _time(self, found: re.Match[bytes]) -> datetime | None:
        parts = found.groupdict()
        if "epoch" in parts:
            return datetime.fromtimestamp(float(parts["epoch"]), timezone.utc)
        moment, _, abbreviation = parts["time"].rpartition(b" ")
        return self.clock.at(moment, abbreviation)

    def _key(self, record: Record, head: Head, parts: dict[str, str]) -> str:
        if "session" in parts and "number" in parts:
            return f"{parts['session']}:{parts['number']}"
        # The same wherever the file is copied to: nothing of its name or place is in it.
        digest = hashlib.sha256(record.raw.rstrip(b"\n")).hexdigest()[:16]
        return f"{head.ended_at:%Y%m%dT%H%M%S.%f}:{parts.get('process', '')}:{digest}"


@dataclass(frozen=True)
class CloudLayout:
    """Entries of Cloud Logging, one JSON object a line, as a sink to Cloud Storage writes them."""

    inner: PrefixLayout = PrefixLayout(CLOUD_SQL_PREFIX)
    # A sink writes what it received in an hour; late entries have a file of their own.
    in_order = False
    unique_keys = True

    def records(self, lines: Iterable[bytes]) -> Iterator[Record]:
        """The entries' lines of the log; parts of a long one are put together."""
        last: Record | None = None
        splits: dict[str, dict[int, Record]] = {}
        for number, line in enumerate(lines, 1):
            if line.isspace():
                continue
            record, split = _entry(number, line)
            if record is None:
                continue  # an entry of another kind, such as an audit record
            if split:
                parts = splits.setdefault(str(split.get("uid")), {})
                parts[int(split.get("index", 0))] = record
                if len(parts) == split.get("totalSplits"):
                    del splits[str(split.get("uid"))]
                    yield _joined(parts)
            elif last and record.whole and record.raw.startswith(b"\t"):
                last = last._replace(raw=last.raw.rstrip(b"\n") + b"\n" + record.raw)
            else:
                if last:
                    yield last
                last = record
        if last:
            yield last
        for parts in splits.values():
            yield _joined(parts)._replace(whole=False)

    def head(self, record: Record) -> Head | None:
        """Time and user of the line."""
        return self.inner.head(record) if record.insert_id else None

    def parse(self, record: Record) -> LogLine:
        """As the plain line, by the entry's own key; raises ValueError."""
        line = self.inner.parse(record)
        return LogLine(**vars(line) | {"key": record.insert_id})


def _entry(number: int, line: bytes) -> tuple[Record | None, dict[str, Any] | None]:
    try:
        entry = json.loads(line)
    except ValueError:
        return Record(number, line, whole=False), None
    if not isinstance(entry, dict) or "insertId" not in entry:
        return Record(number, line, whole=False), None
    text = entry.get("textPayload")
    if not isinstance(text, str):
        return None, None
    return Record(number, text.encode(), insert_id=entry["insertId"]), entry.get("split")


def _joined(parts: dict[int, Record]) -> Record:
    first = parts[min(parts)]
    return first._replace(raw=b"".join(parts[index].raw for index in sorted(parts)))
