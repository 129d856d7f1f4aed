"""The one partitions definition of the graph: days in UTC."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone

import dagster as dg


def days(start: date) -> dg.DailyPartitionsDefinition:
    """Daily partitions in UTC from `start` on; a day exists once it is over."""
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone="UTC")


def day_bounds(day: str) -> tuple[datetime, datetime]:
    """The half-open span of a partition key such as `2026-11-22`, as aware UTC times."""
    start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=timezone.utc)
    return start, start + timedelta(days=1)


def contiguous_ranges(keys: Sequence[str]) -> list[tuple[str, str]]:
    """Group days into (first, last) ranges without a hole, in ascending order."""
    ranges: list[tuple[str, str]] = []
    for key in sorted(set(keys)):
        if ranges and day_bounds(ranges[-1][1])[1] == day_bounds(key)[0]:
            ranges[-1] = (ranges[-1][0], key)
        else:
            ranges.append((key, key))
    return ranges
