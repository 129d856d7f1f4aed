"""Views of a day, from successive totals, and which of them the catalog lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timezone
from itertools import pairwise
from typing import Any

import pyarrow as pa

from hex_assets.openmetadata.client import CONNECTIONS, OpenMetadataClient
from hex_assets.openmetadata.entities import Current, Found, Operation, Usage

LONGEST_DAYS = 30
"""Days of usage that one request of the server tells."""


def daily_usage(snapshots: Mapping[date, pa.Table], names: Mapping[str, str]) -> tuple[Usage, ...]:
    """Views per published project and day, in ascending order of days; zero where nobody looked.

    Hex tells totals only, so a day's figure needs the snapshot before it, or that the project was
    created on that day. Where days lie between two snapshots the later day gets all their views,
    so that the sums stay right. A total that went down (an app was unpublished) counts as zero.

    Args:
        snapshots: hex/projects as observed at the end of a day, by day.
        names: dashboard FQN by project id.
    """
    found = []
    for before, day in pairwise(sorted(snapshots)):
        earlier = _totals(snapshots[before], before)
        for project, total in sorted(_totals(snapshots[day], day, earlier).items()):
            if project in names and project in earlier:
                count = max(0, total - earlier[project])
                found.append(Usage(names[project], day.isoformat(), count, project))
    return tuple(found)


def _totals(projects: pa.Table, day: date, earlier: dict[str, int] | None = None) -> dict[str, int]:
    """Views of all time by project; a project that is new on the day began at zero."""
    totals = {}
    rows = projects.select(["project_id", "app_view_count", "created_at"]).to_pylist()
    for row in rows:
        if row["app_view_count"] is None:
            continue
        totals[row["project_id"]] = row["app_view_count"]
        if earlier is not None and row["created_at"].date() == day:
            earlier.setdefault(row["project_id"], 0)
    return totals


def plan_usage(wanted: Iterable[Usage], current: Current) -> Iterator[Operation]:
    """Operations for the days that the catalog lacks.

    The server computes weekly figures when a day arrives and never again, so a day before the
    latest reported one is not sent any more.
    """
    for usage in wanted:
        found = current.assets.get(("dashboard", usage.fqn))
        stored = current.usage.get(usage.fqn)
        if stored is None and found is not None:
            stored = {found.usage_date: found.usage_count}
        latest = max(stored, default="") if stored else ""
        if usage.day < latest or (stored and stored.get(usage.day) == usage.count):
            yield Operation("unchanged", "usage", usage.name, usage.project_id)
        else:
            yield Operation("update", "usage", usage.name, usage.project_id, usage=usage)


def stored_usage(
    client: OpenMetadataClient, wanted: Iterable[Usage], current: Current
) -> dict[str, Mapping[str, int]]:
    """Stored days of those dashboards whose latest figure may be no figure at all.

    For a dashboard that was never reported the server answers zero views today, which looks as
    if that had been reported.
    """
    wanted = list(wanted)
    if not wanted:
        return {}
    today = datetime.now(timezone.utc).date().isoformat()
    asked = [
        found
        for name in sorted({usage.fqn for usage in wanted})
        if (found := current.assets.get(("dashboard", name))) is not None
        and found.usage_count == 0
        and (not found.usage_date or found.usage_date >= today)
    ]
    last = max(today, *(usage.day for usage in wanted))
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return dict(
            zip(
                (found.fqn for found in asked),
                pool.map(lambda found: _days(client, found, last), asked),
                strict=True,
            )
        )


def _days(client: OpenMetadataClient, found: Found, last: str) -> Mapping[str, int]:
    answer = client.get(f"/usage/dashboard/{found.id}", date=last, days=LONGEST_DAYS)
    rows: list[dict[str, Any]] = (answer or {}).get("usage") or []
    return {row["date"]: int((row.get("dailyStats") or {}).get("count") or 0) for row in rows}
