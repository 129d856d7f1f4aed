"""Athena's query history over HTTP: moto with paged listing and the batch call that it lacks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.athena.responses import AthenaResponse
from moto.server import ThreadedMotoServer

from hex_assets_tests.servers.entries import Entry

PAGE_IDS = 4


class AthenaServer:
    """A running stand-in; `denied` actions are refused, `unprocessed` ids left out once each."""

    def __init__(self) -> None:
        self.workgroups: dict[str, list[Entry]] = {"primary": []}
        self.denied: set[str] = set()
        self.refused_login = False
        self.unprocessed: set[str] = set()
        self.calls: list[str] = []
        self.calls_left: int | None = None
        """After so many calls each is refused."""
        self.url = ""

    def fill(self, entries: Iterable[Entry], workgroup: str = "primary") -> None:
        """Put executions into a workgroup."""
        self.workgroups.setdefault(workgroup, []).extend(entries)

    def answer(self, response: AthenaResponse, action: str) -> Any:
        """One call of the API."""
        self.calls.append(action)
        if self.refused_login:
            return _refusal("UnrecognizedClientException", "The security token is invalid.")
        if self.calls_left is not None:
            self.calls_left -= 1
        if action in self.denied or self.calls_left == -1:
            self.calls_left = 0 if self.calls_left == -1 else self.calls_left
            return _refusal("AccessDeniedException", f"not authorized to perform athena:{action}")
        if action == "ListWorkGroups":
            return json.dumps({"WorkGroups": [{"Name": name} for name in self.workgroups]})
        if action == "ListQueryExecutions":
            entries = self.workgroups[response._get_param("WorkGroup")]
            newest = sorted(entries, key=lambda item: item.started_at, reverse=True)
            start = int(response._get_param("NextToken") or 0)
            page = [item.query_id for item in newest[start : start + PAGE_IDS]]
            more = {"NextToken": str(start + PAGE_IDS)} if start + PAGE_IDS < len(newest) else {}
            return json.dumps({"QueryExecutionIds": page} | more)
        ids = response._get_param("QueryExecutionIds")
        left = [item for item in ids if item in self.unprocessed]
        self.unprocessed -= set(left)
        found = [
            _execution(entry, name)
            for name, entries in self.workgroups.items()
            for entry in entries
            if entry.query_id in ids and entry.query_id not in left
        ]
        missing = [{"QueryExecutionId": item, "ErrorCode": "THROTTLED"} for item in left]
        return json.dumps({"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing})


def _execution(entry: Entry, workgroup: str) -> dict[str, Any]:
    return {
        "QueryExecutionId": entry.query_id,
        "Query": entry.text,
        "StatementType": "DML",
        "WorkGroup": workgroup,
        "QueryExecutionContext": {"Catalog": "awsdatacatalog", "Database": "shop"},
        "Status": {
            "State": "SUCCEEDED" if entry.succeeded else "FAILED",
            "SubmissionDateTime": entry.started_at.timestamp(),
            "CompletionDateTime": entry.ended_at.timestamp(),
        },
    }


def _refusal(code: str, message: str) -> tuple[int, dict[str, Any], str]:
    return 400, {"status": 400}, json.dumps({"__type": code, "message": message})


@contextmanager
def running_athena() -> Iterator[AthenaServer]:
    """Serve on a free port of loopback until the block ends."""
    athena = AthenaServer()
    calls = {
        "list_work_groups": "ListWorkGroups",
        "list_query_executions": "ListQueryExecutions",
        "batch_get_query_execution": "BatchGetQueryExecution",
    }
    kept = {name: getattr(AthenaResponse, name, None) for name in calls}
    for name, action in calls.items():
        setattr(AthenaResponse, name, lambda self, action=action: athena.answer(self, action))
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    athena.url = f"http://{host}:{port}"
    try:
        yield athena
    finally:
        server.stop()
        for name, method in kept.items():
            if method is None:
                delattr(AthenaResponse, name)
            else:
                setattr(AthenaResponse, name, method)
