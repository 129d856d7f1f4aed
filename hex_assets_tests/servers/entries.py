"""The day that every vendor's stand-in log holds: one entry for each trap of a query log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from hex_assets.warehouses.base import MARKER, Window

_TODAY = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
# Three days ago: over for every source's lag, inside every source's retention, and beyond the
# last day that a probe looks at, which begins up to a day and a lag ago.
DAY = Window(_TODAY - timedelta(days=3), _TODAY - timedelta(days=2))
NOON = DAY.start + timedelta(hours=12)
COMMENT = f'{MARKER} {{"project_id": "p-1", "trace_id": "t"}}'


@dataclass(frozen=True)
class Entry:
    """One execution in a log."""

    query_id: str
    text: str
    started_at: datetime
    ended_at: datetime
    user: str = "HEX"
    succeeded: bool = True


def entry(
    query_id: str,
    text: str,
    ended_at: datetime = NOON,
    *,
    seconds: float = 1,
    user: str = "HEX",
    succeeded: bool = True,
) -> Entry:
    """An execution that took so many seconds."""
    started_at = ended_at - timedelta(seconds=seconds)
    return Entry(query_id, text, started_at, ended_at, user, succeeded)


def hex_day(long_text_characters: int = 1_200_000) -> list[Entry]:
    """Executions of `DAY` and beside it; `expected_ids` are those that a read must yield."""
    second = timedelta(seconds=1)
    return [
        entry("1001", f"select 1 {COMMENT}", NOON),
        entry("1002", f"select 2 {COMMENT}", NOON),
        entry("1003", f"select 3 {COMMENT}", NOON),
        entry("1011", f"select 'first microsecond' {COMMENT}", DAY.start),
        entry("1012", f"select 'next day' {COMMENT}", DAY.end),
        entry("1013", f"select 'day before' {COMMENT}", DAY.start - second),
        entry(
            "1014", f"select 'over midnight' {COMMENT}", DAY.start + 60 * second, seconds=3 * 3600
        ),
        entry("1015", f"select 'runs into next day' {COMMENT}", DAY.end + second, seconds=60),
        entry("1021", f"select '{MARKER} in a literal' from t", NOON + 1 * second),
        entry("1022", f"select '{'x' * long_text_characters}' {COMMENT}", NOON + 2 * second),
        entry("1023", f"select '\U0001f600 é 漢' from t {COMMENT}", NOON + 3 * second),
        entry("1024", f"select 1\r\nfrom t\r\n{COMMENT}\r\n", NOON + 4 * second),
        entry("1025", f"select 'a\\nb \\\\ c' from t\n{COMMENT}", NOON + 5 * second),
        entry("1031", f"select broken {COMMENT}", NOON + 6 * second, succeeded=False),
        entry("1032", "select 'no comment'", NOON + 7 * second),
        entry("1033", "select 'somebody else'", NOON + 8 * second, user="BOB"),
    ]


EXPECTED_IDS = ["1011", "1014", "1001", "1002", "1003", "1021", "1022", "1023", "1024", "1025"]
"""Ordered by (ended_at, query_id)."""
