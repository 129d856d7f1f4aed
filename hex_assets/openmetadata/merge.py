"""One entity: Hex's wish, the server's state and what we published last, merged. Pure.

What only Hex knows (links, types, SQL, columns, life cycle, charts, data models) goes by PUT.
What people may edit too (title, description, owners, tags) goes by a JSON patch with `test`
operations, and only where the stored value is still the one that we published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hex_assets.openmetadata.entities import (
    CLASSIFICATIONS,
    OUR_LABEL,
    Asset,
    Found,
    Marker,
    Operation,
    Ref,
    fingerprint,
)

Patch = list[dict[str, Any]]


def merge(asset: Asset, found: Found | None, owner: Ref | None, *, override: bool) -> Operation:
    """The operation that brings one entity to its desired state."""
    if found is None:
        return Operation(
            "create", asset.kind, asset.fqn, asset.project_id, put=create_body(asset, owner)
        )
    marker = found.marker or Marker()
    patch: Patch = []
    changed: list[str] = []
    for path, part, wanted, stored in (
        ("displayName", "display_name", asset.display_name, found.display_name),
        ("description", "description", asset.description, found.description),
    ):
        if wanted == stored:
            if wanted:
                marker = replace(marker, **{part: fingerprint(wanted)})
        elif (override and wanted) or _may_set(wanted, stored, getattr(marker, part)):
            patch += _set(path, stored, wanted)
            changed.append(path)
            marker = replace(marker, **{part: fingerprint(wanted)})
    if owner is not None:
        stored_ids = ",".join(sorted(ref.id for ref in found.owners))
        if stored_ids == owner.id:
            marker = replace(marker, owner=fingerprint(owner.id))
        elif override or _may_set(owner.id, stored_ids, marker.owner):
            if found.owners:
                patch.append({"op": "test", "path": "/owners/0/id", "value": found.owners[0].id})
            patch.append({"op": "add", "path": "/owners", "value": [owner.body()]})
            changed.append("owners")
            marker = replace(marker, owner=fingerprint(owner.id))
    if asset.tags is not None:
        mark = fingerprint(sorted(asset.tags))
        if marker.tags != mark:  # else a tag that a person took off would come back
            steps = _tag_steps(asset.tags, found)
            patch += steps
            changed += ["tags"] if steps else []
            marker = replace(marker, tags=mark)
    lists, machine = _machine(asset, found)
    put = _update_body(asset, found, lists, found.marker) if machine else None
    if found.marker is None or marker != found.marker:
        if patch:
            # After the PUT: a run killed in between must not claim what it did not write.
            patch.append({"op": "add", "path": "/sourceHash", "value": str(marker)})
        else:  # PUT is sure to store it, also where a PATCH of this field alone is no change
            put = _update_body(asset, found, lists, marker)
    if not patch and put is None:
        return Operation("unchanged", asset.kind, asset.fqn, asset.project_id)
    return Operation(
        "update",
        asset.kind,
        asset.fqn,
        asset.project_id,
        ", ".join([*changed, *machine]) or "marker",
        id=found.id,
        # a restored entity has another version than the one that was read
        version=None if found.deleted else found.version,
        put=put,
        patch=tuple(patch),
    )


def create_body(asset: Asset, owner: Ref | None) -> dict[str, Any]:
    """The create request of a new entity."""
    body: dict[str, Any] = {
        "name": asset.name,
        "service": asset.service,
        "displayName": asset.display_name,
        **asset.machine,
    }
    if asset.description:
        body["description"] = asset.description
    if owner is not None:
        body["owners"] = [owner.body()]
    if asset.tags:
        body["tags"] = [label(tag) for tag in asset.tags]
    if asset.kind == "dashboard":
        body["charts"] = list(asset.charts)
        body["dataModels"] = list(asset.data_models)
    body["sourceHash"] = str(
        Marker(
            fingerprint(asset.display_name),
            fingerprint(asset.description) if asset.description else Marker().description,
            fingerprint(owner.id) if owner else Marker().owner,
            fingerprint(sorted(asset.tags)) if asset.tags is not None else Marker().tags,
        )
    )
    return body


def label(tag: str) -> dict[str, str]:
    """A tag label of ours."""
    return {
        "tagFQN": tag,
        "source": "Classification",
        "labelType": OUR_LABEL,
        "state": "Confirmed",
    }


def _may_set(wanted: str, stored: str, mark: str) -> bool:
    """Ours to write: the stored value is what we published, or empty and Hex has something new."""
    if stored:
        return fingerprint(stored) == mark
    return bool(wanted) and fingerprint(wanted) != mark


def _set(path: str, stored: str, wanted: str) -> Patch:
    steps: Patch = []
    if stored:
        steps.append({"op": "test", "path": f"/{path}", "value": stored})
    if wanted:
        steps.append({"op": "add", "path": f"/{path}", "value": wanted})
    else:
        steps.append({"op": "remove", "path": f"/{path}"})
    return steps


def _tag_steps(wanted: tuple[str, ...], found: Found) -> Patch:
    stored = [tag for tag, _ in found.tags]
    # A status that a person chose excludes ours.
    chosen = {
        _classification(tag)
        for tag, kind in found.tags
        if kind != OUR_LABEL and CLASSIFICATIONS.get(_classification(tag), ("", False))[1]
    }
    steps: Patch = []
    left = len(stored)
    for index in reversed(range(len(stored))):
        tag, kind = found.tags[index]
        if kind == OUR_LABEL and _classification(tag) in CLASSIFICATIONS and tag not in wanted:
            steps.append({"op": "test", "path": f"/tags/{index}/tagFQN", "value": tag})
            steps.append({"op": "remove", "path": f"/tags/{index}"})
            left -= 1
    new = [tag for tag in wanted if tag not in stored and _classification(tag) not in chosen]
    if new and not found.has_tag_list:
        return [*steps, {"op": "add", "path": "/tags", "value": [label(tag) for tag in new]}]
    for offset, tag in enumerate(new):
        steps.append({"op": "add", "path": f"/tags/{left + offset}", "value": label(tag)})
    return steps


def _classification(tag: str) -> str:
    return tag.split(".", 1)[0]


def _machine(asset: Asset, found: Found) -> tuple[dict[str, list[str]], list[str]]:
    """A dashboard's lists as they should be, and the fields of the machine that differ."""
    changed = [
        key for key, value in asset.machine.items() if not _same(key, value, found.machine.get(key))
    ]
    lists: dict[str, list[str]] = {}
    for key, wanted, refs in (
        ("charts", asset.charts, found.charts),
        ("dataModels", asset.data_models, found.data_models),
    ):
        # Each PUT replaces these lists: what a person attached stays in, whatever else changes.
        if asset.kind == "dashboard":
            stored = {ref.fqn for ref in refs}
            names = {name for name in stored if f"{asset.name}_" not in name} | set(wanted)
            if names != stored:
                changed.append(key)
            lists[key] = sorted(names)
    return lists, changed


def _update_body(
    asset: Asset, found: Found, lists: Mapping[str, list[str]], marker: Marker | None
) -> dict[str, Any]:
    """The PUT of a stored entity: what people may edit is sent back as it is stored."""
    body: dict[str, Any] = {
        "name": asset.name,
        "service": asset.service,
        **{
            key: value
            for key, value in found.machine.items()
            if key not in ("columns", "lifeCycle")
        },
        **asset.machine,
        **lists,
    }
    if found.display_name:
        body["displayName"] = found.display_name
    if found.description:
        body["description"] = found.description
    if found.owners:
        body["owners"] = [ref.body() for ref in found.owners]
    if marker is not None:
        body["sourceHash"] = str(marker)
    return body


def _same(key: str, wanted: Any, stored: Any) -> bool:
    if key == "lifeCycle":  # the server never goes back in time, so an older wish is no wish
        return all(_time(stored, event) >= value["timestamp"] for event, value in wanted.items())
    if key == "columns":
        return [_column(c) for c in wanted] == [_column(c) for c in stored or ()]
    return bool(wanted == stored)


def _time(life: Mapping[str, Any] | None, event: str) -> int:
    return int(((life or {}).get(event) or {}).get("timestamp") or 0)


def _column(column: Mapping[str, Any]) -> tuple[Any, Any]:
    return column["name"], column["dataType"]
