"""Which executions there were: Athena's workgroups, or CloudTrail's events of their starts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Protocol

from hex_assets.warehouses.base import Window

PAGE_IDS = 50
"""Ids in a list page, events in a look-up and ids in a batch call, at most (API references)."""
MAX_RUNTIME = timedelta(days=1)
"""Well above Athena's default of 30 minutes for a DML statement, which may be raised."""
START_EVENT = "StartQueryExecution"


@dataclass(frozen=True)
class Started:
    """One execution, and what is known of its start; None: not told."""

    query_id: str
    started_at: datetime | None = None
    user: str | None = None
    """ARN of the user or of the role's session."""
    of_hex: bool = False
    """The user is the one that the setting `hexUser` names."""


class Finder(Protocol):
    """A way to the ids of executions."""

    tells_user: bool
    newest_first: bool
    """A list may be left at a page whose executions were all submitted too long ago."""

    def place(self) -> str:
        """Where it looks, for messages."""
        ...

    def begins_at(self, window: Window) -> datetime | None:
        """The first that this way knows, where that is inside the window.

        Raises:
            CannotRead: there is nothing at all, so the place must be wrong.
            WindowExpired: it begins after the window.
        """
        ...

    def lists(self, window: Window) -> Iterator[Iterator[list[Started]]]:
        """Lists of pages of the executions that may have ended in the window."""
        ...


class Workgroups:
    """The lists of Athena's workgroups, which know no time and no user."""

    tells_user = False
    newest_first = True  # though not documented

    def __init__(self, athena: Any, names: tuple[str, ...]) -> None:
        self._athena = athena
        self._names = names

    def place(self) -> str:
        """The workgroups' names."""
        return f"workgroups {', '.join(self.names())}"

    def begins_at(self, window: Window) -> datetime | None:
        """None: an execution that a workgroup no longer lists leaves no trace."""
        return None

    def lists(self, window: Window) -> Iterator[Iterator[list[Started]]]:
        """A list for each workgroup."""
        return (self._pages(name) for name in self.names())

    def names(self) -> list[str]:
        """The workgroups of the settings, or all."""
        if self._names:
            return list(self._names)
        names: list[str] = []
        token: dict[str, str] = {}
        while True:  # boto3 has no paginator for this call
            answer = self._athena.list_work_groups(**token)
            names += [group["Name"] for group in answer["WorkGroups"]]
            if not answer.get("NextToken"):
                return names
            token = {"NextToken": answer["NextToken"]}

    def _pages(self, workgroup: str) -> Iterator[list[Started]]:
        pages = self._athena.get_paginator("list_query_executions").paginate(
            WorkGroup=workgroup, PaginationConfig={"PageSize": PAGE_IDS}
        )
        for page in pages:
            yield [Started(query_id) for query_id in page["QueryExecutionIds"]]


class CloudTrailLookup:
    """CloudTrail's event history of the region: every start of the last 90 days, and by whom."""

    tells_user = True
    newest_first = False

    def __init__(self, cloudtrail: Any, workgroups: tuple[str, ...], hex_user: str | None) -> None:
        self._cloudtrail = cloudtrail
        self._workgroups = workgroups
        self._hex_user = hex_user

    def place(self) -> str:
        """CloudTrail's name for it."""
        return "CloudTrail's event history"

    def begins_at(self, window: Window) -> datetime | None:
        """None: the history of 90 days is longer than Athena's."""
        return None

    def lists(self, window: Window) -> Iterator[Iterator[list[Started]]]:
        """One list: the look-up is by the time of the start."""
        events = self._events(window)
        yield pages_of(cloudtrail_starts(events, window, self._workgroups, self._hex_user))

    def _events(self, window: Window) -> Iterator[Mapping[str, Any]]:
        pages = self._cloudtrail.get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": START_EVENT}],
            StartTime=window.start - MAX_RUNTIME,
            EndTime=window.end,
            PaginationConfig={"PageSize": PAGE_IDS},
        )
        for page in pages:
            for event in page["Events"]:
                yield json.loads(event["CloudTrailEvent"])


def cloudtrail_starts(
    events: Iterable[Mapping[str, Any]],
    window: Window,
    workgroups: tuple[str, ...],
    hex_user: str | None,
) -> Iterator[Started]:
    """Executions of CloudTrail's events that may have ended in the window.

    Args:
        events: records of CloudTrail, of any service.
        window: of completion; a start up to `MAX_RUNTIME` before it may end in it.
        workgroups: only these; empty: all.
        hex_user: an ARN or a name of the user or role.
    """
    for event in events:
        if event.get("eventName") != START_EVENT:
            continue
        query_id = (event.get("responseElements") or {}).get("queryExecutionId")
        started_at = moment(event["eventTime"])
        workgroup = (event.get("requestParameters") or {}).get("workGroup") or "primary"
        if (
            query_id  # a refused start has none: nothing ran
            and window.start - MAX_RUNTIME <= started_at < window.end
            and (not workgroups or workgroup in workgroups)
        ):
            identity = event.get("userIdentity") or {}
            yield Started(query_id, started_at, identity.get("arn"), hex_user in _names(identity))


def _names(identity: Mapping[str, Any]) -> tuple[str | None, ...]:
    """What a user may be called in the settings: ARN or name, of itself or of the role it took."""
    issuer = (identity.get("sessionContext") or {}).get("sessionIssuer") or {}
    found = (identity.get("arn"), identity.get("userName"), issuer.get("arn"))
    return tuple(name for name in (*found, issuer.get("userName")) if name)


def pages_of(starts: Iterable[Started]) -> Iterator[list[Started]]:
    """Pages of `PAGE_IDS`, each id once: a repeated call or file tells it again."""
    seen: set[str] = set()
    fresh = (
        start
        for start in starts
        if start.query_id not in seen and not seen.add(start.query_id)  # type: ignore[func-returns-value]
    )
    while page := list(islice(fresh, PAGE_IDS)):
        yield page


def moment(text: str) -> datetime:
    """A time of an AWS event, such as `2026-11-22T12:00:00Z`."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")
