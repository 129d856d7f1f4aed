"""The difference between what should be and what is, as operations in their order. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hex_assets.openmetadata.capabilities import Capabilities
from hex_assets.openmetadata.entities import (
    CLASSIFICATIONS,
    Asset,
    Current,
    Desired,
    Edge,
    Found,
    Operation,
)
from hex_assets.openmetadata.merge import merge
from hex_assets.openmetadata.owners import Owners
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
    return [
        *_service(desired, current, capabilities),
        *_tags(desired, current),
        *(step for asset in desired.assets for step in _asset(asset, current, settings, owners)),
        *_edges(desired, current, settings),
        *_stale_edges(desired, current),
        *_vanished(desired, current, settings, listing_complete),
        *_usage(desired, current),
        *(
            Operation("skip", skip.entity_type, skip.entity, skip.project_id, skip.reason)
            for skip in desired.skipped
        ),
    ]


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
    asset: Asset, current: Current, settings: OpenMetadataSettings, owners: Owners
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
    if found is not None and found.deleted:
        if found.updated_by != current.bot or found.marker is None:
            yield Operation(
                "skip",
                asset.kind,
                asset.fqn,
                asset.project_id,
                f"deleted in the catalog by {found.updated_by or 'somebody'}; restore it there "
                "to have it published again",
            )
            return
        yield Operation(
            "restore", asset.kind, asset.fqn, asset.project_id, "it is back in Hex", id=found.id
        )
    yield merge(asset, found, owners.ref(asset.owner_email), override=settings.overrideMetadata)


def _edges(
    desired: Desired, current: Current, settings: OpenMetadataSettings
) -> Iterator[Operation]:
    for edge in desired.edges:
        found = current.edges.get(edge.pair)
        if missing := [
            name
            for kind, name in ((edge.from_kind, edge.from_fqn), (edge.to_kind, edge.to_fqn))
            if kind == "table" and name not in current.tables
        ]:
            reason = f"the catalog lacks the table {missing[0]}"
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


def _edge_changes(edge: Edge, found: Any) -> list[str]:
    changes = {
        "description": edge.description != found.description,
        "sqlQuery": (edge.sql or None) != found.sql,
        "columnsLineage": frozenset(edge.columns) != found.columns,
        "source": found.source != "DashboardLineage",
    }
    return [name for name, changed in changes.items() if changed]


def _stale_edges(desired: Desired, current: Current) -> Iterator[Operation]:
    """Our own edges of what is still published, that no query shows any more."""
    wanted = {edge.pair for edge in desired.edges}
    published = {asset.fqn: asset.project_id for asset in desired.assets}
    for pair, found in sorted(current.edges.items()):
        owner = published.get(pair[1]) or published.get(pair[0])
        if pair not in wanted and owner and found.is_ours(current.bot):
            yield Operation(
                "remove",
                "lineage",
                f"{pair[0]} -> {pair[1]}",
                owner,
                "no query shows it any more",
                found_edge=found,
            )


def _vanished(
    desired: Desired,
    current: Current,
    settings: OpenMetadataSettings,
    listing_complete: bool,
) -> Iterator[Operation]:
    wanted = {(asset.kind, asset.fqn) for asset in desired.assets}
    # With no cells at hand nothing is known of charts and models; they are left alone.
    ours = {
        key: found
        for key, found in current.assets.items()
        if found.marker is not None and not found.deleted
    }
    live = [found for found in ours.values() if found.kind == "dashboard"]
    gone = [found for found in live if ("dashboard", found.fqn) not in wanted]
    gone_projects = {found.name for found in gone}
    cells = [
        found
        for key, found in ours.items()
        if found.kind != "dashboard"
        and key not in wanted
        and found.name.split("_", 1)[0] in desired.cell_projects
    ]
    why = {
        skip.project_id: skip.reason for skip in desired.skipped if skip.entity_type == "dashboard"
    }
    refusal = None
    if not settings.markDeletedDashboards:
        refusal = ("skip", "gone from Hex; kept, as markDeletedDashboards is off")
    elif not listing_complete:
        refusal = ("skip", "not in Hex's listing, which is not complete; kept")
    elif live and len(gone) / len(live) > settings.maxDeletedShare:
        refusal = (
            "refuse",
            f"would delete {len(gone)} of {len(live)} dashboards ({len(gone) / len(live):.0%}), "
            f"more than maxDeletedShare ({settings.maxDeletedShare:.0%}); nothing was deleted; "
            "if this is right, raise maxDeletedShare for one run",
        )
    if refusal is None:
        # What hangs on a dashboard goes with it.
        cells += [
            found
            for found in ours.values()
            if found.kind != "dashboard" and found.name.split("_", 1)[0] in gone_projects
        ]
    for found in sorted(gone, key=lambda found: found.fqn):
        reason = why.get(found.name, "gone from Hex")
        if refusal is not None:
            action: Any = refusal[0]
            yield Operation(action, found.kind, found.fqn, found.name, refusal[1])
        else:
            yield _remove(found, reason)
    if listing_complete and settings.markDeletedDashboards:
        for found in sorted(cells, key=lambda found: (found.kind, found.fqn)):
            yield _remove(found, "its cell is gone from Hex")


def _remove(found: Found, reason: str) -> Operation:
    project_id = found.name.split("_", 1)[0]
    return Operation("remove", found.kind, found.fqn, project_id, reason, id=found.id)


def _usage(desired: Desired, current: Current) -> Iterator[Operation]:
    for usage in desired.usage:
        found = current.assets.get(("dashboard", usage.fqn))
        if found is not None and (found.usage_date, found.usage_count) == (usage.day, usage.count):
            yield Operation("unchanged", "usage", usage.fqn, usage.project_id)
        else:
            yield Operation("update", "usage", usage.fqn, usage.project_id, usage.day, usage=usage)


def retirement(current: Current) -> list[Operation]:
    """Remove everything of ours: edges, charts, data models and dashboards (soft), nothing else."""
    edges = [
        Operation("remove", "lineage", " -> ".join(pair), None, "retired", found_edge=found)
        for pair, found in sorted(current.edges.items())
        if found.is_ours(current.bot)
    ]
    assets: Mapping[tuple[str, str], Found] = current.assets
    return edges + [
        _remove(found, "retired")
        for _, found in sorted(assets.items())
        if found.marker is not None and not found.deleted
    ]
