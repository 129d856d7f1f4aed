"""Days are UTC, half-open, and group into ranges without a hole."""

from __future__ import annotations

from datetime import date, datetime, timezone

from hex_assets.partitions import contiguous_ranges, day_bounds, days


def test_a_day_ends_where_the_next_begins() -> None:
    assert day_bounds("2026-02-28")[1] == day_bounds("2026-03-01")[0]
    assert day_bounds("2026-03-29")[0] == datetime(2026, 3, 29, tzinfo=timezone.utc)


def test_a_hole_splits_a_range_and_order_and_doubles_do_not_matter() -> None:
    keys = ["2026-01-03", "2026-01-01", "2026-01-02", "2026-01-02", "2026-01-05"]
    assert contiguous_ranges(keys) == [("2026-01-01", "2026-01-03"), ("2026-01-05", "2026-01-05")]
    assert contiguous_ranges([]) == []


def test_the_current_day_is_no_partition() -> None:
    now = datetime(2026, 5, 2, 0, 1, tzinfo=timezone.utc)
    keys = days(date(2026, 4, 30)).get_partition_keys(current_time=now)
    assert keys == ["2026-04-30", "2026-05-01"]
