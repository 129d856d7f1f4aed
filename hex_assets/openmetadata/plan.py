"""The difference between what should be and what is, as operations in their order. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hex_assets.openmetadata.capabilities import Capabilities
from hex_assets.openmetadata.entities import (
    CLASSIFICATIONS,
    EDGE_SOURCE,
    Asset,
    Current,
    Desired,
    Edge,
    FoundEdge,
    Operation,
)
from hex_assets.openmetadata.merge import merge
from hex_assets.openmetadata.owners import Owners
from hex_assets.openmetadata.usage import plan_usage
from hex_assets.openmetadata.vanished import Vanished, vanished
from hex_assets.settings import OpenMetadataSettings


def plan(
    desired: Desired,
    current: Current,
    settings: OpenMetadataSettings,
    capabilities: Capabilities,
    owners: Owners,
    *,
    listing_complete: bool,
) -> list[Operation]:
    """All operations, in the order of their dependencies; none that would change nothing.

    Unchanged, skipped and refused things are operations too, so that each gets a receipt.
    """
    gone = vanished(desired, current, settings, listing_complete)
    withheld = _withheld(desired, current)
    assets = [_with_kept(asset, gone, withheld) for asset in desired.assets]
    return [
        *_service(desired, current, capabilities),
        *_tags(desired, current),
        *(step for asset in assets for step in _asset(asset, current, settings, owners, withheld)),
        *_edges(desired, current, settings, gone, withheld),
        *_stale_edges(desired, current, gone),
        *gone.operations,
        *plan_usage((usage for usage in desired.usage if usage.fqn not in withheld), current),
        *(
            Operation("skip", skip.entity_type, skip.entity, skip.project_id, skip.reason)
            for skip in desired.skipped
        ),
    ]


def _withheld(desired: Desired, current: Current) -> Mapping[str, str]:
    """What a person deleted in the catalog, with the reason why it stays so.

    The cells of such a dashboard stay away too.
    """
    reasons: dict[str, str] = {}
    projects = set()
    for asset in desired.assets:
        found = current.assets.get((asset.kind, asset.fqn))
        if (
            found is not None
            and found.deleted
            and (found.updated_by != current.bot or found.marker is None)
        ):
            reasons[asset.fqn] = (
                f"deleted in the catalog by {found.updated_by or 'somebody'}; restore it there "
                "to have it published again"
            )
            if asset.kind == "dashboard":
                projects.add(asset.project_id)
    for asset in desired.assets:
        if asset.project_id in projects and asset.kind != "dashboard":
            reasons.setdefault(asset.fqn, "its dashboard was deleted in the catalog")
    return reasons


def _with_kept(asset: Asset, gone: Vanished, withheld: Mapping[str, str]) -> Asset:
    """A dashboard without cells that stay deleted, with those that stay for now."""
    if asset.kind != "dashboard":
        return asset
    lists = [
        (
            *(name for name in wanted if name not in withheld),
            *gone.kept.get((asset.project_id, kind), ()),
        )
        for kind, wanted in (("chart", asset.charts), ("dashboardDataModel", asset.data_models))
    ]
    return replace(asset, charts=lists[0], data_models=lists[1])


def _service(desired: Desired, current: Current, capabilities: Capabilities) -> Iterator[Operation]:
    body = {"name": desired.service, "serviceType": capabilities.service_type}
    if current.service is None:
        # No connection: no token of Hex is stored in the catalog.
        yield Operation("create", "dashboardService", desired.service, put=body)
    elif current.service.get("deleted"):
        body["serviceType"] = current.service["serviceType"]  # a stored service keeps its type
        yield Operation("restore", "dashboardService", desired.service, put=body)
    else:
        yield Operation("unchanged", "dashboardService", desired.service)


def _tags(desired: Desired, current: Current) -> Iterator[Operation]:
    for name in desired.classifications:
        description, exclusive = CLASSIFICATIONS[name]
        body: dict[str, Any] = {
            "name": name,
            "description": description,
            "mutuallyExclusive": exclusive,
        }
        there = name in current.classifications
        yield Operation("unchanged" if there else "create", "classification", name, put=body)
    for tag in desired.tags:
        body = {
            "name": tag.name,
            "displayName": tag.display_name,
            "description": tag.description,
            "classification": tag.classification,
        }
        there = tag.fqn in current.tags
        yield Operation("unchanged" if there else "create", "tag", tag.fqn, put=body)


def _asset(
    asset: Asset,
    current: Current,
    settings: OpenMetadataSettings,
    owners: Owners,
    withheld: Mapping[str, str],
) -> Iterator[Operation]:
    found = current.assets.get((asset.kind, asset.fqn))
    if asset.owner_email and owners.ref(asset.owner_email) is None:
        yield Operation(
            "skip",
            "owner",
            f"{asset.owner_email.casefold()} of {asset.fqn}",
            asset.project_id,
            owners.unknown.get(asset.owner_email.casefold(), "not looked up"),
        )
    if reason := withheld.get(asset.fqn):
        yield Operation("skip", asset.kind, asset.fqn, asset.project_id, reason)
        return
    if found is not None and found.deleted:
        yield Operation(
            "restore", asset.kind, asset.fqn, asset.project_id, "it is back in Hex", id=found.id
        )
    yield merge(asset, found, owners.ref(asset.owner_email), override=settings.overrideMetadata)


def _edges(
    desired: Desired,
    current: Current,
    settings: OpenMetadataSettings,
    gone: Vanished,
    withheld: Mapping[str, str],
) -> Iterator[Operation]:
    through_kept = _through_kept(current, gone)
    for edge in desired.edges:
        found = current.edges.get(edge.pair)
        if reason := _no_edge(edge, current, withheld, through_kept):
            yield Operation("skip", "lineage", edge.name, edge.project_id, reason)
        elif found is None:
            yield Operation("create", "lineage", edge.name, edge.project_id, edge=edge)
        elif not found.is_ours(current.bot) and not settings.overrideLineage:
            by = f" by {found.updated_by}" if found.updated_by else ""
            yield Operation(
                "skip",
                "lineage",
                edge.name,
                edge.project_id,
                f"the catalog has an edge of source {found.source}{by}, which stays "
                "(overrideLineage is off)",
            )
        elif changed := _edge_changes(edge, found):
            yield Operation(
                "update", "lineage", edge.name, edge.project_id, ", ".join(changed), edge=edge
            )
        else:
            yield Operation("unchanged", "lineage", edge.name, edge.project_id)


def _no_edge(
    edge: Edge,
    current: Current,
    withheld: Mapping[str, str],
    through_kept: Mapping[tuple[str, str], str],
) -> str | None:
    """Why an edge cannot be, or must not be, published; None: it can."""
    for kind, name in ((edge.from_kind, edge.from_fqn), (edge.to_kind, edge.to_fqn)):
        if kind == "table" and name not in current.tables:
            return f"the catalog lacks the table {name}"
        if name in withheld:
            return f"{name}: {withheld[name]}"
    if edge.to_kind == "dashboard" and (model := through_kept.get((edge.from_fqn, edge.to_fqn))):
        return f"the catalog shows it through {model}, whose cell could not be looked at"
    return None


def _through_kept(current: Current, gone: Vanished) -> Mapping[tuple[str, str], str]:
    """Tables that reach a dashboard through a data model that stays for now: one fact, one path."""
    kept = gone.kept_names
    dashboards = {
        pair[0]: pair[1]
        for pair, found in current.edges.items()
        if pair[0] in kept and found.to_ref.type == "dashboard"
    }
    return {
        (pair[0], dashboards[pair[1]]): pair[1]
        for pair, found in current.edges.items()
        if pair[1] in dashboards and found.from_ref.type == "table"
    }


def _edge_changes(edge: Edge, found: FoundEdge) -> list[str]:
    changes = {
        "description": edge.description != found.description,
        "sqlQuery": (edge.sql or None) != found.sql,
        "columnsLineage": frozenset(edge.columns) != found.columns,
        "source": found.source != EDGE_SOURCE,
    }
    return [name for name, changed in changes.items() if changed]


def _stale_edges(desired: Desired, current: Current, gone: Vanished) -> Iterator[Operation]:
    """Our own edges of what is still published, that nothing shows any more."""
    wanted = {edge.pair for edge in desired.edges}
    published = {asset.fqn: asset.project_id for asset in desired.assets}
    kept = gone.kept_names
    for pair, found in sorted(current.edges.items()):
        owner = published.get(pair[1]) or published.get(pair[0])
        leaving = not gone.removed_models.isdisjoint(pair)
        if pair in wanted or not (owner or leaving) or not found.is_ours(current.bot):
            continue
        imports = found.from_ref.type == found.to_ref.type == "dashboard"
        if not kept.isdisjoint(pair) or (imports and owner not in desired.cell_projects):
            continue  # what it shows could not be looked at this time
        yield Operation(
            "remove",
            "lineage",
            f"{pair[0]} -> {pair[1]}",
            owner,
            "nothing in Hex or in the logs shows it any more",
            found_edge=found,
        )
