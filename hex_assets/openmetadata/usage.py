"""Views of a day, from two successive totals. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pyarrow as pa

from hex_assets.openmetadata.entities import Usage


def daily_usage(
    projects: pa.Table, earlier: pa.Table, names: Mapping[str, str], day: date
) -> tuple[Usage, ...]:
    """Views per published project on a day; zero where nobody looked.

    Hex tells totals only, so a project without an earlier total has no figure. A total that went
    down (an app was unpublished) counts as zero.

    Args:
        projects: hex/projects as observed at the end of the day.
        earlier: the same a day before.
        names: dashboard FQN by project id.
        day: the day.
    """
    before = _totals(earlier)
    return tuple(
        Usage(names[project], day.isoformat(), max(0, total - before[project]), project)
        for project, total in sorted(_totals(projects).items())
        if project in names and project in before
    )


def _totals(projects: pa.Table) -> dict[str, int]:
    rows = projects.select(["project_id", "app_view_count"]).to_pylist()
    return {r["project_id"]: r["app_view_count"] for r in rows if r["app_view_count"] is not None}
