"""The latest run of the projects that Hex runs on a schedule."""

from __future__ import annotations

import logging
from typing import Any

import pyarrow as pa

from hex_assets.hex.client import HexClient
from hex_assets.hex.errors import HexForbidden, HexNotFound, HexUnprocessable
from hex_assets.hex.frames import Observation
from hex_assets.tables import PROJECTS

logger = logging.getLogger("hex_assets.hex")


def with_latest_runs(client: HexClient, projects: pa.Table) -> Observation:
    """Projects with the status and time of their latest run, where a schedule is on.

    One call for each such project that is published and neither archived nor in the trash. What
    Hex does not tell stays null, with a note.

    Raises:
        HexError: a call failed for another reason than rights.
    """
    rows: list[dict[str, Any]] = projects.to_pylist()
    notes: list[str] = []
    for row in filter(_runs, rows):
        try:
            runs = client.latest_runs(row["project_id"], count=1)
        except HexForbidden as error:
            # Rights hold for all projects: no second call is needed to know.
            notes.append(f"the latest runs of all projects are unknown: {error}")
            break
        except (HexNotFound, HexUnprocessable) as error:
            notes.append(f"the latest run of {row['title']!r} is unknown: {error}")
            continue
        if runs:
            row["last_run_status"] = runs[0].status
            row["last_run_at"] = runs[0].end_time or runs[0].start_time
    for note in notes:
        logger.warning(note)
    return Observation(PROJECTS.from_rows(rows), tuple(notes))


def _runs(row: dict[str, Any]) -> bool:
    return (
        any(schedule["enabled"] for schedule in row["schedules"])
        and row["last_published_at"] is not None
        and row["archived_at"] is None
        and row["trashed_at"] is None
    )
