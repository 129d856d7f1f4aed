"""Which executions there were, by log files on S3: CloudTrail's, or EventBridge's by Firehose."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

from hex_assets.warehouses.athena_ids import (
    MAX_RUNTIME,
    START_EVENT,
    Started,
    cloudtrail_starts,
    moment,
    pages_of,
)
from hex_assets.warehouses.base import CannotRead, Window, WindowExpired

READERS = 4
"""Files read at a time: S3's latency is the cost, and a file of some MB is held for each."""
DELIVERY = timedelta(hours=6)
"""A day's folder holds what was delivered on it; so much later something may still come."""
EVENT_MARGIN = timedelta(hours=1)
"""A state event may tell a time beside Athena's `CompletionDateTime`, by seconds rather."""
DAY_FOLDER = re.compile(r"(\d{4})/(\d{2})/(\d{2})/")
CLOCK = r"{}-?{}-?{}[T-](\d{{2}})-?(\d{{2}})"
"""In a file's name, after its day: `..._20261122T0005Z_...` of CloudTrail, `...-2026-11-22-00-05-`
of Firehose."""
SPACE = re.compile(r"\s*")

T = TypeVar("T")


class DayFiles:
    """The objects below an `s3://` folder that has a folder `YYYY/MM/DD/` for each UTC day."""

    def __init__(self, s3: Any, folder: str, where: str) -> None:
        self._s3 = s3
        self.folder = folder.rstrip("/")
        self._bucket, _, prefix = self.folder.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._where = where

    def begins_at(self, window: Window) -> datetime | None:
        """The first file's time, where that is inside the window.

        Raises:
            CannotRead: there is no file in a folder of a day.
            WindowExpired: the first file is younger than the window.
        """
        answer = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=50)
        keys = [item["Key"].removeprefix(self._prefix) for item in answer.get("Contents", ())]
        # Digits come before letters: days are the first, but for an object for the folder itself.
        first = next(filter(None, map(_delivered_at, keys)), None)
        if first is None:
            raise CannotRead(
                f"{self._where}: no files under {self.folder}/YYYY/MM/DD/",
                "check the folder in the settings, and that files are delivered for this region",
            )
        if first >= window.end:
            raise WindowExpired(
                f"{self._where}: the files under {self.folder}/ begin at {first:%Y-%m-%d %H:%M} "
                f"UTC, after {window}; choose a later partition"
            )
        return first if first >= window.start else None

    def read(
        self, first: datetime, last: datetime, parse: Callable[[bytes], list[T]]
    ) -> Iterator[T]:
        """What `parse` finds in the files of the days of two times, both included.

        Args:
            first: any time of the first day.
            last: any time of the last day.
            parse: gets a file's content, unpacked; runs in a thread.

        Raises:
            CannotRead: a file is no gzip or no JSON; names it.
        """
        day = timedelta(days=1)
        for number in range((last.date() - first.date()).days + 1):
            keys = self._keys(f"{self._prefix}{first + number * day:%Y/%m/%d}/")
            with ThreadPoolExecutor(READERS) as pool:
                try:
                    for found in pool.map(lambda key: self._parsed(key, parse), keys):
                        yield from found
                finally:
                    pool.shutdown(cancel_futures=True)

    def _keys(self, prefix: str) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def _parsed(self, key: str, parse: Callable[[bytes], list[T]]) -> list[T]:
        body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        try:
            return parse(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
            raise CannotRead(
                f"{self._where}: s3://{self._bucket}/{key} is not a file of such events: {error}",
                "let the folder hold nothing else",
            ) from error


class CloudTrailFiles:
    """The files that a trail delivers, `<folder>/<region>/YYYY/MM/DD/*.json.gz`."""

    tells_user = True
    newest_first = False

    def __init__(self, files: DayFiles, workgroups: tuple[str, ...], hex_user: str | None) -> None:
        self._files = files
        self._workgroups = workgroups
        self._hex_user = hex_user

    def place(self) -> str:
        """The folder."""
        return f"CloudTrail's files under {self._files.folder}/"

    def begins_at(self, window: Window) -> datetime | None:
        """The first file's time; see `DayFiles.begins_at`."""
        return self._files.begins_at(window)

    def lists(self, window: Window) -> Iterator[Iterator[list[Started]]]:
        """One list, by the time of the start."""

        def parse(content: bytes) -> list[Started]:
            if START_EVENT.encode() not in content:  # most files of a large account
                return []
            records = json.loads(content)["Records"]
            return list(cloudtrail_starts(records, window, self._workgroups, self._hex_user))

        starts = self._files.read(window.start - MAX_RUNTIME, window.end + DELIVERY, parse)
        yield pages_of(starts)


class StateEventFiles:
    """`Athena Query State Change` events of EventBridge, which Firehose wrote to S3."""

    tells_user = False
    newest_first = False

    def __init__(self, files: DayFiles, region: str, workgroups: tuple[str, ...]) -> None:
        self._files = files
        self._region = region
        self._workgroups = workgroups

    def place(self) -> str:
        """The folder."""
        return f"state events under {self._files.folder}/"

    def begins_at(self, window: Window) -> datetime | None:
        """The first file's time; see `DayFiles.begins_at`."""
        return self._files.begins_at(window)

    def lists(self, window: Window) -> Iterator[Iterator[list[Started]]]:
        """One list, by the time of the end."""

        def parse(content: bytes) -> list[Started]:
            return [
                Started(event["detail"]["queryExecutionId"])
                for event in _json_values(content)
                if self._is_end(event, window)
            ]

        yield pages_of(self._files.read(window.start, window.end + DELIVERY, parse))

    def _is_end(self, event: Mapping[str, Any], window: Window) -> bool:
        if event.get("source") != "aws.athena" or event.get("region") != self._region:
            return False
        detail = event["detail"]
        return (
            detail.get("currentState") in ("SUCCEEDED", "FAILED", "CANCELLED")
            and (not self._workgroups or detail.get("workgroupName") in self._workgroups)
            and window.start - EVENT_MARGIN <= moment(event["time"]) < window.end + EVENT_MARGIN
        )


def _json_values(content: bytes) -> Iterator[Any]:
    """JSON values one after another: Firehose puts nothing between them, unless told to."""
    decoder = json.JSONDecoder()
    text = content.decode()
    at = 0
    while (at := SPACE.match(text, at).end()) < len(text):  # type: ignore[union-attr]
        value, at = decoder.raw_decode(text, at)
        yield value


def _delivered_at(key: str) -> datetime | None:
    """When a file `YYYY/MM/DD/...` came: its day, with the time in its name if there is one."""
    folder = DAY_FOLDER.match(key)
    if not folder:
        return None
    year, month, day = folder.groups()
    clock = re.search(CLOCK.format(year, month, day), key[folder.end() :])
    hour, minute = map(int, clock.groups()) if clock else (0, 0)
    return datetime(int(year), int(month), int(day), hour, minute, tzinfo=timezone.utc)
