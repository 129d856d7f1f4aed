"""Athena's details of executions, in batches, and the count of what is left behind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from urllib3.exceptions import MaxRetryError
from urllib3.util import Retry

from hex_assets.warehouses.athena_client import mend_of
from hex_assets.warehouses.athena_ids import MAX_RUNTIME, Finder, Started
from hex_assets.warehouses.base import MARKER, CannotRead, Losses, Window
from hex_assets.warehouses.vendor import as_utc

CALL = "BatchGetQueryExecution"
ATTEMPTS = Retry(total=5, backoff_factor=1)
"""For ids that a call left out: at once, then after 2, 4, 8 and 16 s."""
UNKNOWN = re.compile(r"INVALID_INPUT|NOT_FOUND|ResourceNotFound|was not found|does not exist", re.I)
"""Athena has forgotten the execution, or never had it. Its codes are not documented."""
REFUSED = re.compile(r"denied|not authorized|unauthorized", re.I)


@dataclass
class Tally:
    """What a walk over a window leaves behind, counted on the way."""

    pages: int = 0
    failed: int = 0
    empty: int = 0
    untagged: int = 0
    gone: int = 0
    begins_at: datetime | None = None

    def count(self, start: Started, execution: Mapping[str, Any]) -> None:
        """Count one execution that ended in the window."""
        text = text_of(execution)
        self.empty += not text
        self.failed += MARKER in text and not succeeded(execution)
        self.untagged += start.of_hex and MARKER not in text

    def losses(self, *, with_untagged: bool) -> Losses:
        """The counts; untagged statements only where the user is known and asked for."""
        untagged = self.untagged if with_untagged else None
        return Losses(self.failed, self.empty, untagged, self.begins_at, self.gone)


def executions(
    athena: Any, finder: Finder, window: Window, tally: Tally, place: str
) -> Iterator[tuple[Started, Mapping[str, Any]]]:
    """Executions that ended in the window, in no order; the tally counts on the way.

    Raises:
        CannotRead: no details of an execution that Athena knows.
    """
    tally.begins_at = finder.begins_at(window)
    for pages in finder.lists(window):
        for page in pages:
            found = _details(athena, page, window, tally, place)
            tally.pages += 1
            for start in page:
                execution = found.get(start.query_id)
                ended_at = ended(execution) if execution else None
                if execution and ended_at and window.start <= ended_at < window.end:
                    tally.count(start, execution)
                    yield start, execution
            if finder.newest_first and found and _all_before(found, window):
                break


def _details(
    athena: Any, page: list[Started], window: Window, tally: Tally, place: str
) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    ids = [start.query_id for start in page]
    attempts = ATTEMPTS
    while ids:
        answer = athena.batch_get_query_execution(QueryExecutionIds=ids)
        found |= {item["QueryExecutionId"]: item for item in answer["QueryExecutions"]}
        ids = []
        for item in answer.get("UnprocessedQueryExecutionIds") or ():
            query_id = item["QueryExecutionId"]
            reason = f"{item.get('ErrorCode', '')} {item.get('ErrorMessage', '')}".strip()
            if REFUSED.search(reason):
                raise CannotRead(f"{place}: no details of {query_id}: {reason}", mend_of(CALL))
            if not UNKNOWN.search(reason):
                ids.append(query_id)
        if ids:
            try:
                attempts = attempts.increment()
            except MaxRetryError:
                raise CannotRead(
                    f"{place}: no details of {len(ids)} executions, such as {ids[0]}: {reason}",
                    "run the partition again",
                ) from None
            attempts.sleep()
    # By the day of the start, where it is known, so that two windows don't count one execution.
    tally.gone += sum(
        start.query_id not in found
        and (start.started_at is None or window.start <= start.started_at < window.end)
        for start in page
    )
    return found


def _all_before(found: Mapping[str, Mapping[str, Any]], window: Window) -> bool:
    oldest = window.start - MAX_RUNTIME
    return all(item["Status"]["SubmissionDateTime"] < oldest for item in found.values())


def text_of(execution: Mapping[str, Any]) -> str:
    """The statement; empty where there is none."""
    return str(execution.get("Query") or "")


def succeeded(execution: Mapping[str, Any]) -> bool:
    """Whether it ended well."""
    return bool(execution["Status"]["State"] == "SUCCEEDED")


def ended(execution: Mapping[str, Any]) -> datetime | None:
    """When it ended; None: it still runs."""
    return as_utc(execution["Status"].get("CompletionDateTime"))
