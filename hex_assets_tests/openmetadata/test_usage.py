"""Views a day arrive once, in the order of days, and idle projects are told to be idle."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from hex_assets.openmetadata.errors import PublicationFailed
from hex_assets_tests.openmetadata.conftest import NOW, P, project, run_publish, world
from hex_assets_tests.openmetadata.looking import dashboard, writes_of

FIRST = date(2026, 11, 16)


def snapshots(*totals: tuple[int | None, ...], first: date = FIRST) -> dict[date, Any]:
    """Days in sequence; for each the totals of project 0, 1, ..."""
    return {
        first + timedelta(days=n): [
            project(number, app_view_count=total) for number, total in enumerate(day)
        ]
        for n, day in enumerate(totals)
    }


def quiet(days: dict[date, Any]) -> SimpleNamespace:
    return world(days=days)


def usage(server: Any, number: int) -> dict[str, int]:
    return server.store.usage.get(dashboard(server, number)["id"], {})


def test_days_are_differences_in_ascending_order_and_idle_projects_get_zero(server):
    rows = quiet(snapshots((5, 3), (9, 3), (8, 3), (20, 4)))
    posts = [(p, b) for m, p, b in writes_of(server, rows) if m == "POST"]
    days = [body["date"] for _, body in posts]
    assert days == sorted(days) and len(posts) == 6
    assert usage(server, 0) == {"2026-11-17": 4, "2026-11-18": 0, "2026-11-19": 12}
    assert usage(server, 1) == {"2026-11-17": 0, "2026-11-18": 0, "2026-11-19": 1}
    assert usage(server, 2) == {}
    assert writes_of(server, rows) == []


def test_a_later_run_sends_only_the_day_that_is_new(server):
    days = snapshots((5, 3), (9, 3), (8, 3), (20, 4))
    writes_of(server, quiet(dict(list(days.items())[:3])))
    bodies = [body for _, _, body in writes_of(server, quiet(days))]
    # Two dashboards are written at the same time: either may come first.
    bodies.sort(key=lambda body: body["count"])
    assert bodies == [{"date": "2026-11-19", "count": 1}, {"date": "2026-11-19", "count": 12}]


def test_figures_of_today_are_sent_once_although_the_server_shows_a_zero_for_today(server):
    today = datetime.now(timezone.utc).date()
    rows = quiet(snapshots((5, 3), (9, 3), (9, 3), first=today - timedelta(days=2)))
    assert sum(m == "POST" for m, _, _ in writes_of(server, rows)) == 4
    assert writes_of(server, rows) == []
    assert usage(server, 1) == {f"{today - timedelta(days=1)}": 0, f"{today}": 0}


def test_unknown_totals_give_no_figure_and_a_project_made_that_day_began_at_zero(server):
    days = snapshots((5, None), (9, 7))
    days[FIRST + timedelta(days=1)].append(
        project(2, app_view_count=6, created_at=datetime(2026, 11, 17, 9, tzinfo=timezone.utc))
    )
    days[FIRST + timedelta(days=1)].append(project(3, app_view_count=6, created_at=NOW))
    writes_of(server, quiet(days))
    assert [usage(server, n) for n in range(4)] == [{"2026-11-17": 4}, {}, {"2026-11-17": 6}, {}]


def test_after_a_failed_day_the_later_ones_wait_for_the_next_run(server):
    rows = quiet(snapshots((5,), (9,), (10,)))
    server.fail("POST", "^/usage", 400)
    with pytest.raises(PublicationFailed, match=r"(?s)2026-11-17: .*injected.*an earlier day"):
        run_publish(server.url, rows).raise_failures()
    assert usage(server, 0) == {}
    writes_of(server, rows)
    assert usage(server, 0) == {"2026-11-17": 4, "2026-11-18": 1}
    assert P[0] in dashboard(server, 0)["name"]
