"""What the server has now, read whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hex_assets.openmetadata.client import CONNECTIONS, OpenMetadataClient, by_name
from hex_assets.openmetadata.entities import (
    CLASSIFICATIONS,
    COLLECTIONS,
    Current,
    Found,
    FoundEdge,
    Marker,
    Ref,
)

_FIELDS = {
    "dashboard": "owners,tags,charts,dataModels,lifeCycle,usageSummary,sourceHash",
    "chart": "owners,tags,sourceHash",
    "dashboardDataModel": "owners,tags,sourceHash",
}
_MACHINE = (
    "sourceUrl", "project", "dashboardType", "chartType", "dataModelType", "sql", "columns",
    "lifeCycle",
)  # fmt: skip


def read_current(client: OpenMetadataClient, service: str, tables: Iterable[str]) -> Current:
    """The service with all that is in it, our tags, the edges of its dashboards and models.

    Args:
        client: the server.
        service: name of the dashboard service.
        tables: FQNs of the tables that edges will name.

    Raises:
        OpenMetadataError: something could not be read whole; nothing may be planned on a part.
    """
    bot = str(client.user.get("name", ""))
    stored = client.find(by_name(COLLECTIONS["dashboardService"], service), include="all")
    assets: dict[tuple[str, str], Found] = {}
    if stored is not None:
        for kind, fields in _FIELDS.items():
            for entity in client.listing(
                COLLECTIONS[kind], service=service, include="all", fields=fields
            ):
                found = _found(kind, entity)
                assets[kind, found.fqn] = found
    existing, tags = set(), set()
    for name in CLASSIFICATIONS:
        if client.find(by_name("/classifications", name)) is not None:
            existing.add(name)
            tags |= {tag["fullyQualifiedName"] for tag in client.listing("/tags", parent=name)}
    edges, ids = _lineage(client, assets)
    for fqn, found_id in zip(
        missing := sorted(set(tables) - set(ids)),
        _parallel(lambda t: _table_id(client, t), missing),
        strict=False,
    ):
        if found_id:
            ids[fqn] = found_id
    return Current(stored, bot, frozenset(existing), frozenset(tags), assets, edges, ids)


def _table_id(client: OpenMetadataClient, fqn: str) -> str | None:
    table = client.find(by_name("/tables", fqn))
    return None if table is None else str(table["id"])


def _parallel(work: Any, items: Iterable[Any]) -> list[Any]:
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return list(pool.map(work, items))


def _lineage(
    client: OpenMetadataClient, assets: Mapping[tuple[str, str], Found]
) -> tuple[dict[tuple[str, str], FoundEdge], dict[str, str]]:
    """Edges into and out of what is ours; a dashboard's graph shows its models' tables too."""
    edges: dict[tuple[str, str], FoundEdge] = {}
    tables: dict[str, str] = {}
    seen: set[str] = set()

    def read(kind: str) -> None:
        ids = [
            found.id
            for (found_kind, _), found in assets.items()
            if found_kind == kind and not found.deleted and found.id not in seen
        ]
        seen.update(ids)
        for graph in _parallel(
            lambda i: client.get(f"/lineage/{kind}/{i}", upstreamDepth=2, downstreamDepth=1), ids
        ):
            nodes = {node["id"]: node for node in (*(graph.get("nodes") or ()), graph["entity"])}
            root = graph["entity"]["id"]
            # a direct neighbour's own upstream is in this graph too, a farther node's may not be
            seen.update(
                e["fromEntity"] for e in graph.get("upstreamEdges") or () if e["toEntity"] == root
            )
            tables.update(
                (node["fullyQualifiedName"], node["id"])
                for node in nodes.values()
                if node["type"] == "table" and not node.get("deleted")
            )
            for raw in (*(graph.get("upstreamEdges") or ()), *(graph.get("downstreamEdges") or ())):
                if raw["fromEntity"] in nodes and raw["toEntity"] in nodes:
                    edge = _edge(raw, nodes)
                    edges[edge.pair] = edge

    read("dashboard")
    read("dashboardDataModel")  # those that no dashboard's graph has shown
    return edges, tables


def _edge(raw: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> FoundEdge:
    details = raw.get("lineageDetails") or {}
    start, end = (
        Ref(nodes[i]["id"], nodes[i]["type"], nodes[i]["fullyQualifiedName"])
        for i in (raw["fromEntity"], raw["toEntity"])
    )
    return FoundEdge(
        start,
        end,
        details.get("source") or "Manual",
        details.get("description") or "",
        details.get("sqlQuery") or None,
        frozenset(
            (tuple(sorted(column.get("fromColumns") or ())), str(column.get("toColumn")))
            for column in details.get("columnsLineage") or ()
        ),
        details.get("updatedBy"),
    )


def _refs(entities: Iterable[Mapping[str, Any]] | None) -> tuple[Ref, ...]:
    return tuple(
        Ref(entity["id"], entity["type"], entity.get("fullyQualifiedName") or "")
        for entity in entities or ()
        if not entity.get("deleted") and not entity.get("inherited")
    )


def _found(kind: str, entity: Mapping[str, Any]) -> Found:
    usage = entity.get("usageSummary") or {}
    return Found(
        kind=kind,
        id=entity["id"],
        name=entity["name"],
        fqn=entity["fullyQualifiedName"],
        version=entity.get("version") or 0.1,
        display_name=entity.get("displayName") or "",
        description=entity.get("description") or "",
        owners=_refs(entity.get("owners")),
        tags=tuple((tag["tagFQN"], tag.get("labelType", "")) for tag in entity.get("tags") or ()),
        has_tag_list=entity.get("tags") is not None,
        machine={key: entity[key] for key in _MACHINE if entity.get(key) is not None},
        charts=_refs(entity.get("charts")),
        data_models=_refs(entity.get("dataModels")),
        deleted=bool(entity.get("deleted")),
        updated_by=entity.get("updatedBy") or "",
        marker=Marker.parse(entity.get("sourceHash")),
        usage_date=usage.get("date") or "",
        usage_count=int((usage.get("dailyStats") or {}).get("count") or 0),
    )
