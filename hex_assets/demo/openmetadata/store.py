"""The entities of the local OpenMetadata: PUT, PATCH, delete, lineage and usage rules."""

from __future__ import annotations

import copy
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from hex_assets.demo.openmetadata.schemas import (
    EDGE_DETAILS,
    EDGE_SOURCES,
    KINDS,
    ApiError,
    Kind,
    check,
)

Entity = dict[str, Any]


@dataclass(frozen=True)
class Principal:
    """Who calls."""

    name: str
    is_bot: bool = False
    may_write: bool = True


def _quoted(part: str) -> str:
    return f'"{part}"' if "." in part else part


class Store:
    """Everything that the server remembers. All methods are called under `lock`."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.parsed = tuple(int(part) for part in version.split("."))
        self.lock = threading.RLock()
        self.entities: dict[str, Entity] = {}
        self.names: dict[tuple[str, str], str] = {}
        self.edges: dict[tuple[str, str], Entity] = {}
        self.usage: dict[str, dict[str, int]] = {}
        self.patch_drops: frozenset[str] = frozenset()
        """Fields whose change by PATCH is ignored, for servers that do so."""
        self._ends: tuple[dict[str, set[tuple[str, str]]], ...] = ({}, {})

    def wipe(self, *types: str) -> None:
        """Forget all entities of these types, and the lineage."""
        for key in [key for key in self.names if key[0] in types]:
            del self.entities[self.names.pop(key)]
        for pair in [pair for pair in self.edges if not set(pair) <= set(self.entities)]:
            self.delete_edge(pair)
        self.usage = {i: days for i, days in self.usage.items() if i in self.entities}

    def by_name(self, type_: str, fqn: str, include: str = "non-deleted") -> Entity:
        """An entity by name, or 404."""
        entity = self.entities.get(self.names.get((type_, fqn), ""))
        return self._visible(entity, type_, fqn, include)

    def by_id(self, type_: str, id_: str, include: str = "non-deleted") -> Entity:
        """An entity by id, or 404; an id that is no UUID is a 500."""
        try:
            uuid.UUID(id_)
        except ValueError:
            raise ApiError(500, f"responseMessage:Invalid UUID string: {id_}") from None
        entity = self.entities.get(id_)
        if entity is not None and entity["_type"] != type_:
            entity = None
        return self._visible(entity, type_, id_, include)

    def _visible(self, entity: Entity | None, type_: str, name: str, include: str) -> Entity:
        if entity is None or (entity["deleted"] and include == "non-deleted"):
            raise ApiError(404, f"{type_} instance for {name} not found")
        return entity

    def ref(self, entity: Entity) -> Entity:
        """An entity reference."""
        reference = {
            "id": entity["id"],
            "type": entity["_type"],
            "name": entity["name"],
            "fullyQualifiedName": entity["fullyQualifiedName"],
            "deleted": entity["deleted"],
        }
        if entity.get("displayName"):
            reference["displayName"] = entity["displayName"]
        return reference

    def view(self, entity: Entity, fields: str | None) -> Entity:
        """As the API shows it: relations only if asked for."""
        kind = KINDS[entity["_type"]]
        asked = set((fields or "").split(",")) - {""}
        known = kind.fields | set(kind.relations) | {"columns", "sourceHash"}
        for name in sorted(asked):
            if name not in known:
                raise ApiError(400, f"Invalid field name {name}")
        shown = {
            key: value
            for key, value in entity.items()
            if not key.startswith("_") and (key not in kind.relations or key in asked)
        }
        for name in ("charts", "dataModels"):
            if name in shown:
                shown[name] = [
                    self.ref(self.entities[i]) for i in shown[name] if i in self.entities
                ]
        if "usageSummary" in asked:
            shown["usageSummary"] = self.usage_of(entity["id"])
        return copy.deepcopy(shown)

    def usage_of(self, id_: str) -> Entity:
        """The latest day's row; of a server that has none: zero, today."""
        days = self.usage.get(id_)
        day = max(days) if days else f"{datetime.now(timezone.utc):%Y-%m-%d}"
        return {"dailyStats": {"count": days[day] if days else 0}, "date": day}

    def put(self, kind: Kind, body: Any, who: Principal) -> tuple[int, str, Entity]:
        """Create or update: status, X-OpenMetadata-Change and entity."""
        body = check(kind, body, self.parsed)
        fqn = self._fqn(kind, body)
        self._references(body)
        known = self.names.get((kind.type, fqn))
        if known is None:
            entity = self._new(kind, body, fqn, who)
            return 201, "entityCreated", entity
        entity = self.entities[known]
        before = copy.deepcopy(entity)
        if kind.type.endswith("Service") and body["serviceType"] != entity["serviceType"]:
            raise ApiError(400, "serviceType cannot be changed")
        entity["deleted"] = False
        for name in ("description", "displayName"):
            keep = who.is_bot and name == "description" and entity.get(name)
            if not keep:
                entity[name] = body.get(name)
        for name in kind.machine:
            if name == "columns":
                entity[name] = self._columns(entity.get(name) or [], body.get(name) or [], who)
            else:
                entity[name] = body.get(name)
        if body.get("owners"):
            entity["owners"] = body["owners"]
        self._add_tags(entity, body.get("tags") or [])
        for name in ("charts", "dataModels"):
            if kind.type == "dashboard":
                entity[name] = self._children(name, body.get(name) or [])
        life = entity.setdefault("lifeCycle", {})
        for event, value in (body.get("lifeCycle") or {}).items():
            if value["timestamp"] > life.get(event, {}).get("timestamp", 0):
                life[event] = value
        return 200, self._close(before, entity, who), entity

    def _new(self, kind: Kind, body: Entity, fqn: str, who: Principal) -> Entity:
        entity: Entity = {"owners": [], "tags": [], "lifeCycle": {}} | copy.deepcopy(body)
        entity |= {
            "_type": kind.type,
            "id": str(uuid.uuid4()),
            "fullyQualifiedName": fqn,
            "version": 0.1,
            "deleted": False,
            "updatedBy": who.name,
            "updatedAt": int(time.time() * 1000),
        }
        entity["tags"] = []
        self._add_tags(entity, body.get("tags") or [])
        if kind.type == "dashboard":
            for name in ("charts", "dataModels"):
                entity[name] = self._children(name, body.get(name) or [])
        entity["_parent"] = body.get(kind.parent) if kind.parent else None
        self.entities[entity["id"]] = entity
        self.names[kind.type, fqn] = entity["id"]
        return entity

    def _close(self, before: Entity, entity: Entity, who: Principal) -> str:
        if before == entity:
            return "entityNoChange"
        entity["version"] = round(entity["version"] + 0.1, 1)
        entity["updatedBy"] = who.name
        entity["updatedAt"] = int(time.time() * 1000)
        return "entityUpdated"

    def _fqn(self, kind: Kind, body: Entity) -> str:
        name = _quoted(body["name"])
        if kind.parent is None:
            return name
        parent_types = {
            "service": "databaseService" if kind.type == "database" else "dashboardService"
        }
        parent = self.by_name(parent_types.get(kind.parent, kind.parent), body[kind.parent])
        middle = ".model" if kind.type == "dashboardDataModel" else ""
        return f"{parent['fullyQualifiedName']}{middle}.{name}"

    def _references(self, body: Entity) -> None:
        for owner in body.get("owners") or ():
            self.by_id(owner["type"], owner["id"])
        for tag in body.get("tags") or ():
            if tag.get("source") != "Classification" or tag.get("state") not in (
                "Suggested", "Confirmed",
            ):  # fmt: skip
                raise ApiError(400, f"bad tag label {tag}")
            self.by_name("tag", tag["tagFQN"])

    def _children(self, name: str, fqns: list[str]) -> list[str]:
        type_ = "chart" if name == "charts" else "dashboardDataModel"
        return [self.by_name(type_, fqn)["id"] for fqn in fqns]

    def _add_tags(self, entity: Entity, tags: list[Entity]) -> None:
        stored = {tag["tagFQN"]: tag for tag in entity["tags"]}
        stored.update({tag["tagFQN"]: dict(tag) for tag in tags})
        self.check_exclusive(list(stored))
        entity["tags"] = [stored[name] for name in sorted(stored)]

    def check_exclusive(self, tags: list[str]) -> None:
        """Two tags of a mutually exclusive classification are a 400."""
        seen = set()
        for name in tags:
            group = name.split(".")[0]
            found = self.names.get(("classification", group))
            if found and self.entities[found].get("mutuallyExclusive"):
                if group in seen:
                    raise ApiError(400, f"Tag labels of {group} are mutually exclusive")
                seen.add(group)

    @staticmethod
    def _columns(stored: list[Entity], sent: list[Entity], who: Principal) -> list[Entity]:
        texts = {c["name"]: c.get("description") for c in stored if c.get("description")}
        return [
            {**column, "description": texts[column["name"]]}
            if who.is_bot and column["name"] in texts
            else dict(column)
            for column in sent
        ]

    def patch(self, entity: Entity, operations: Any, who: Principal) -> Entity:
        """Apply a JSON patch."""
        draft = copy.deepcopy({k: v for k, v in entity.items() if not k.startswith("_")})
        if not isinstance(operations, list):
            raise ApiError(400, "Unable to process JSON", plain=True)
        for step in operations:
            if step["path"][1:] not in self.patch_drops:
                _patch_step(draft, step)
        self._references({"owners": draft.get("owners"), "tags": draft.get("tags")})
        self.check_exclusive([tag["tagFQN"] for tag in draft.get("tags") or ()])
        before = copy.deepcopy(entity)
        for key in [key for key in entity if not key.startswith("_")]:
            entity.pop(key)
        entity.update(draft)
        self._close(before, entity, who)
        return entity

    def delete(self, entity: Entity, who: Principal) -> None:
        """Soft-delete; charts of no other live dashboard go too."""
        entity["deleted"] = True
        entity["updatedBy"] = who.name
        entity["version"] = round(entity["version"] + 0.1, 1)
        if entity["_type"] == "dashboard":
            used = {
                chart
                for other in self.entities.values()
                if other["_type"] == "dashboard" and not other["deleted"]
                for chart in other["charts"]
            }
            for chart in set(entity["charts"]) - used:
                if not self.entities[chart]["deleted"]:
                    self.delete(self.entities[chart], who)

    def put_edge(self, body: Any, who: Principal) -> None:
        """Store an edge; its details are replaced whole."""
        edge = body.get("edge") if isinstance(body, dict) else None
        if not edge or set(body) != {"edge"}:
            raise ApiError(400, "[edge must not be null]")
        if unknown := set(edge) - {"fromEntity", "toEntity", "description", "lineageDetails"}:
            raise ApiError(400, f'Unrecognized field "{min(unknown)}" (class EntitiesEdge)')
        ends = []
        for name in ("fromEntity", "toEntity"):
            if not edge.get(name, {}).get("id"):
                raise ApiError(400, "[id must not be null]")
            ends.append(self.by_id(edge[name]["type"], edge[name]["id"]))
        details = dict(edge.get("lineageDetails") or {})
        if unknown := set(details) - EDGE_DETAILS:
            raise ApiError(400, f'Unrecognized field "{min(unknown)}" (class LineageDetails)')
        if details.setdefault("source", "Manual") not in EDGE_SOURCES:
            raise ApiError(400, f"Cannot deserialize source {details['source']}")
        known = [self._column_names(end) for end in ends]
        details["columnsLineage"] = [
            column  # columns that nobody knows are dropped in silence, as the real one does
            for column in details.get("columnsLineage") or ()
            if set(column["fromColumns"]) <= known[0] and column["toColumn"] in known[1]
        ]
        details |= {"createdBy": who.name, "updatedBy": who.name}
        pair = (ends[0]["id"], ends[1]["id"])
        self.edges[pair] = details
        for index, end in zip(self._ends, pair, strict=True):
            index.setdefault(end, set()).add(pair)

    def delete_edge(self, pair: tuple[str, str]) -> None:
        """Forget an edge, or 404."""
        if self.edges.pop(pair, None) is None:
            raise ApiError(404, "Lineage edge not found")
        for index, end in zip(self._ends, pair, strict=True):
            index[end].discard(pair)

    def _column_names(self, entity: Entity) -> set[str]:
        if entity["_type"] == "dashboard":
            return {self.entities[i]["fullyQualifiedName"] for i in entity["charts"]}

        def walk(columns: list[Entity], above: str) -> set[str]:
            found = set()
            for column in columns:
                name = f"{above}.{_quoted(column['name'])}"
                found |= {name} | walk(column.get("children") or [], name)
            return found

        return walk(entity.get("columns") or [], entity["fullyQualifiedName"])

    def graph(self, entity: Entity, up: int, down: int) -> Entity:
        """EntityLineage around an entity."""
        nodes: dict[str, Entity] = {}
        found: Mapping[str, list[Entity]] = {"upstreamEdges": [], "downstreamEdges": []}
        for side, depth, near, far in (
            ("upstreamEdges", up, 1, 0),
            ("downstreamEdges", down, 0, 1),
        ):
            level = {entity["id"]}
            for _ in range(depth):
                hits = [(pair, details) for pair, details in self._edges_of(near, level)]
                for pair, details in hits:
                    found[side].append(
                        {"fromEntity": pair[0], "toEntity": pair[1], "lineageDetails": details}
                    )
                    nodes[pair[far]] = self.ref(self.entities[pair[far]])
                level = {pair[far] for pair, _ in hits}
        nodes.pop(entity["id"], None)
        return copy.deepcopy({"entity": self.ref(entity), "nodes": list(nodes.values()), **found})

    def _edges_of(self, end: int, ids: set[str]) -> list[tuple[tuple[str, str], Entity]]:
        pairs = (pair for id_ in sorted(ids) for pair in sorted(self._ends[end].get(id_, ())))
        return [(pair, self.edges[pair]) for pair in pairs]


def _patch_step(document: Any, step: Mapping[str, Any]) -> None:
    parts = [p.replace("~1", "/").replace("~0", "~") for p in step["path"].split("/")[1:]]
    try:
        for part in parts[:-1]:
            document = document[int(part)] if isinstance(document, list) else document[part]
        last: Any = parts[-1]
        if isinstance(document, list):
            last = len(document) if last == "-" else int(last)
        if step["op"] == "test":
            if document[last] != step["value"]:
                raise ApiError(400, f"The JSON Patch operation 'test' failed for {step['path']}")
        elif step["op"] == "remove":
            del document[last]
        elif step["op"] == "add" and isinstance(document, list):
            if last > len(document):
                raise IndexError(last)
            document.insert(last, step["value"])
        elif step["op"] in ("add", "replace"):
            document[last] = step["value"]
        else:
            raise ApiError(400, f"unknown operation {step['op']}")
    except (KeyError, IndexError, TypeError):
        raise ApiError(500, f"responseMessage:Non-existing path {step['path']}") from None
