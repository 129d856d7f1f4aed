"""Send a plan's operations, eight at a time within a stage; a bad one stops no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import groupby
from typing import Any

from hex_assets.openmetadata.client import CONNECTIONS, OpenMetadataClient
from hex_assets.openmetadata.entities import (
    COLLECTIONS,
    EDGE_SOURCE,
    Current,
    Marker,
    Operation,
    Usage,
)
from hex_assets.openmetadata.errors import ChangedMeanwhile, OpenMetadataError

Receipt = dict[str, Any]

_DONE = {
    "create": "created",
    "update": "updated",
    "restore": "updated",
    "remove": "removed",
    "unchanged": "unchanged",
    "skip": "skipped",
    "refuse": "failed",
}

_STAGES = (
    "dashboardService", "classification", "tag",
    "chart", "dashboardDataModel", "dashboard",
    "lineage", "usage",
)  # fmt: skip
"""Tags before what names them, charts before dashboards, both ends before an edge."""


def _stage(operation: Operation) -> tuple[int, int, str]:
    at = _STAGES.index(operation.kind) if operation.kind in _STAGES else len(_STAGES)
    if operation.action == "remove":
        # First edges, then what they hang on: dashboards before their charts, so that a killed
        # run leaves no dashboard without them.
        return (1, 0 if operation.kind == "lineage" else 10 - at, "")
    if operation.kind == "usage" and operation.usage:
        return (0, at, operation.usage.day)  # ascending days: weekly figures sum stored days
    return (0, at, "0" if operation.action == "restore" else "1")


@dataclass
class _Run:
    client: OpenMetadataClient
    ids: dict[tuple[str, str], str]
    failed: set[str] = field(default_factory=set)
    usage_failed: set[str] = field(default_factory=set)


def apply(
    client: OpenMetadataClient,
    operations: Iterable[Operation],
    current: Current,
    *,
    dry_run: bool = False,
) -> Iterator[Receipt]:
    """Carry out a plan; yields a row of `hex_assets.tables.RECEIPTS` for each operation.

    A failed operation is a receipt `failed` with the server's message. Only what cannot be an
    entity's fault ends the run: no answer at all, or a refused token.
    """
    ids = {key: found.id for key, found in current.assets.items()}
    ids.update({("table", fqn): table_id for fqn, table_id in current.tables.items()})
    run = _Run(client, ids)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for _, group in groupby(sorted(operations, key=_stage), key=_stage):
            if dry_run:
                yield from (_dry(operation) for operation in group)
            else:
                yield from pool.map(lambda operation: _one(run, operation), list(group))


def _dry(operation: Operation) -> Receipt:
    if operation.action in ("unchanged", "skip", "refuse"):
        return _receipt(operation, _DONE[operation.action], operation.reason)
    text = f"dry run: would {operation.action}"
    return _receipt(
        operation, "skipped", f"{text}: {operation.reason}" if operation.reason else text
    )


def _one(run: _Run, operation: Operation) -> Receipt:
    if operation.action in ("unchanged", "skip", "refuse"):
        return _receipt(operation, _DONE[operation.action], operation.reason)
    try:
        _send(run, operation)
    except OpenMetadataError as error:
        run.failed.add(operation.fqn)
        return _receipt(operation, "failed", str(error))
    return _receipt(operation, _DONE[operation.action], operation.reason)


def _receipt(operation: Operation, done: str, reason: str | None) -> Receipt:
    return {
        "entity_type": operation.kind,
        "entity": operation.fqn,
        "operation": done,
        "reason": reason,
        "project_id": operation.project_id,
        "at": datetime.now(timezone.utc),
    }


def _send(run: _Run, operation: Operation) -> None:
    client = run.client
    if operation.kind == "lineage":
        _send_edge(run, operation)
    elif operation.kind == "usage" and operation.usage:
        _send_usage(run, operation.usage)
    elif operation.action == "remove":
        client.delete(f"{COLLECTIONS[operation.kind]}/{operation.id}", hardDelete=False)
    elif operation.action == "restore" and operation.id:
        client.put(f"{COLLECTIONS[operation.kind]}/restore", {"id": operation.id})
    else:
        _send_entity(run, operation)


def _send_usage(run: _Run, usage: Usage) -> None:
    if usage.fqn in run.usage_failed:
        raise OpenMetadataError("an earlier day failed, and days must arrive in ascending order")
    try:
        dashboard = _id(run, "dashboard", usage.fqn)
        # POST sets the day, PUT would add to it
        body = {"date": usage.day, "count": usage.count}
        run.client.post(f"/usage/dashboard/{dashboard}", body)
    except OpenMetadataError:
        run.usage_failed.add(usage.fqn)
        raise


def _send_entity(run: _Run, operation: Operation) -> None:
    route = COLLECTIONS[operation.kind]
    version = operation.version
    if operation.put is not None:
        if operation.action == "update" and version is not None:
            now = run.client.get(f"{route}/{operation.id}")
            if now.get("version") != version:
                raise ChangedMeanwhile(
                    f"{operation.fqn} has version {now.get('version')} instead of {version}: "
                    f"{now.get('updatedBy')} changed it while it was being published; the next "
                    "run takes that change into account"
                )
        answer = run.client.put(route, _without_failed(run, operation.put))
        if operation.kind not in ("classification", "tag"):
            run.ids[operation.kind, operation.fqn] = answer["id"]
        version = answer.get("version")
    if operation.patch:
        run.client.patch(
            f"{route}/{operation.id}", [dict(s) for s in operation.patch], version=version
        )


def _without_failed(run: _Run, body: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out charts, models and tags that could not be made; the next run adds them.

    On some servers a PUT that names an unknown tag loses the stored ones.
    """
    kept = dict(body)
    for key in ("charts", "dataModels"):
        if key in kept:
            kept[key] = [name for name in kept[key] if name not in run.failed]
    if any(tag["tagFQN"] in run.failed for tag in kept.get("tags", ())):
        kept["tags"] = [tag for tag in kept["tags"] if tag["tagFQN"] not in run.failed]
        marker = Marker.parse(kept.get("sourceHash"))
        if marker:
            kept["sourceHash"] = str(Marker(marker.display_name, marker.description, marker.owner))
    return kept


def _send_edge(run: _Run, operation: Operation) -> None:
    if operation.found_edge is not None:
        start, end = operation.found_edge.from_ref, operation.found_edge.to_ref
        run.client.delete(f"/lineage/{start.type}/{start.id}/{end.type}/{end.id}")
        return
    edge = operation.edge
    if edge is None:
        raise ValueError(f"operation {operation.fqn} holds no edge")
    details: dict[str, Any] = {"source": EDGE_SOURCE, "description": edge.description}
    if edge.sql:
        details["sqlQuery"] = edge.sql
    if edge.columns:
        details["columnsLineage"] = [
            {"fromColumns": list(sources), "toColumn": target} for sources, target in edge.columns
        ]
    body = {
        "edge": {
            "fromEntity": {"id": _id(run, edge.from_kind, edge.from_fqn), "type": edge.from_kind},
            "toEntity": {"id": _id(run, edge.to_kind, edge.to_fqn), "type": edge.to_kind},
            "lineageDetails": details,
        }
    }
    run.client.put("/lineage", body)


def _id(run: _Run, kind: str, fqn: str) -> str:
    try:
        return run.ids[kind, fqn]
    except KeyError:
        raise OpenMetadataError(
            f"the {kind} {fqn} is not in the catalog, see its own receipt"
        ) from None
