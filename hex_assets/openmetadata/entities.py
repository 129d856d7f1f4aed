"""What is published and what is found: frozen values that all steps share."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hex_assets.openmetadata.names import fqn

COLLECTIONS: Mapping[str, str] = {
    "dashboardService": "/services/dashboardServices",
    "classification": "/classifications",
    "tag": "/tags",
    "chart": "/charts",
    "dashboardDataModel": "/dashboard/datamodels",
    "dashboard": "/dashboards",
    "table": "/tables",
}
"""Route of each type of entity."""

CLASSIFICATIONS: Mapping[str, tuple[str, bool]] = {
    "HexStatus": ("Status of a project in Hex.", True),
    "HexCategory": ("Categories of a project in Hex.", False),
    "HexCollection": ("Collections of a Hex workspace that a project is in.", False),
}
"""Our classifications: description, and whether an entity has at most one of its tags."""

OUR_LABEL = "Automated"
"""labelType of the tags that we set; what a person sets in the UI is Manual."""

EVIDENCE = "From Hex: "
"""How the description of each edge of ours begins."""

EDGE_SOURCE = "DashboardLineage"

_PART = 7
_HEAD = "hx1:"
_NOBODY = "0" * _PART


def fingerprint(value: Any) -> str:
    """Seven characters (35 bits) that stand for a published value."""
    digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()
    return base64.b32encode(digest)[:_PART].decode().lower()


@dataclass(frozen=True)
class Marker:
    """What we published last in the fields that people may edit too, kept in `sourceHash`.

    The server only stores that field (32 characters). It goes with the entity, so that it is
    known whose a text is even when the receipts are lost: the text that still has our
    fingerprint is ours to refresh, any other is a person's. A part of zeros: not ours.
    """

    display_name: str = _NOBODY
    description: str = _NOBODY
    owner: str = _NOBODY
    tags: str = _NOBODY

    def __str__(self) -> str:
        return _HEAD + self.display_name + self.description + self.owner + self.tags

    @classmethod
    def parse(cls, text: str | None) -> Marker | None:
        """Read a sourceHash; None: not written by us."""
        if not text or not text.startswith(_HEAD) or len(text) != len(_HEAD) + 4 * _PART:
            return None
        body = text[len(_HEAD) :]
        return cls(*(body[at : at + _PART] for at in range(0, 4 * _PART, _PART)))


@dataclass(frozen=True)
class Ref:
    """A reference to an entity: a user or a team that owns something, a chart of a dashboard."""

    id: str
    type: str
    fqn: str = ""

    def body(self) -> dict[str, str]:
        """As requests want it."""
        return {"id": self.id, "type": self.type}


@dataclass(frozen=True)
class Tag:
    """A tag to exist before anything names it."""

    classification: str
    name: str
    display_name: str
    description: str

    @property
    def fqn(self) -> str:
        """Fully qualified name."""
        return fqn(self.classification, self.name)


@dataclass(frozen=True)
class Asset:
    """A dashboard, chart or data model as it should be."""

    kind: str
    name: str
    fqn: str
    service: str
    project_id: str
    display_name: str
    description: str = ""
    owner_email: str | None = None
    tags: tuple[str, ...] | None = None
    """Tags of our classifications; None: leave tags alone."""
    machine: Mapping[str, Any] = field(default_factory=dict)
    """Fields that only Hex knows, as in the create request."""
    charts: tuple[str, ...] = ()
    """FQNs of our charts on a dashboard."""
    data_models: tuple[str, ...] = ()
    """FQNs of our data models on a dashboard."""


@dataclass(frozen=True)
class Found:
    """A dashboard, chart or data model as the server has it."""

    kind: str
    id: str
    name: str
    fqn: str
    version: float
    display_name: str
    description: str
    owners: tuple[Ref, ...]
    tags: tuple[tuple[str, str], ...]
    """Pairs of tag FQN and labelType, in the server's order."""
    has_tag_list: bool
    machine: Mapping[str, Any]
    charts: tuple[Ref, ...]
    data_models: tuple[Ref, ...]
    deleted: bool
    updated_by: str
    marker: Marker | None
    usage_date: str = ""
    usage_count: int = 0


@dataclass(frozen=True)
class Edge:
    """An edge as it should be."""

    from_kind: str
    from_fqn: str
    to_kind: str
    to_fqn: str
    project_id: str
    description: str
    sql: str | None = None
    columns: tuple[tuple[tuple[str, ...], str], ...] = ()
    """Pairs of the columns read and the column that is made of them, all FQNs."""

    @property
    def name(self) -> str:
        """As receipts show it."""
        return f"{self.from_fqn} -> {self.to_fqn}"

    @property
    def pair(self) -> tuple[str, str]:
        """What identifies it: a pair has one edge."""
        return (self.from_fqn, self.to_fqn)


@dataclass(frozen=True)
class FoundEdge:
    """An edge as the server has it."""

    from_ref: Ref
    to_ref: Ref
    source: str
    description: str
    sql: str | None
    columns: frozenset[tuple[tuple[str, ...], str]]
    updated_by: str | None

    @property
    def pair(self) -> tuple[str, str]:
        """What identifies it."""
        return (self.from_ref.fqn, self.to_ref.fqn)

    def is_ours(self, bot: str) -> bool:
        """Made by us, and nobody changed it since."""
        return (
            self.source == EDGE_SOURCE
            and self.description.startswith(EVIDENCE)
            and self.updated_by in (None, bot)
        )


@dataclass(frozen=True)
class Usage:
    """Views of one dashboard on one day."""

    fqn: str
    day: str
    count: int
    project_id: str

    @property
    def name(self) -> str:
        """As receipts show it."""
        return f"{self.fqn} on {self.day}"


@dataclass(frozen=True)
class Skip:
    """Something of the input that is not published, and why."""

    entity_type: str
    entity: str
    reason: str
    project_id: str | None = None


@dataclass(frozen=True)
class Desired:
    """All that should be in the catalog."""

    service: str
    classifications: tuple[str, ...]
    tags: tuple[Tag, ...]
    assets: tuple[Asset, ...]
    edges: tuple[Edge, ...]
    cell_projects: frozenset[str]
    """Projects whose cells are known: their charts and data models may be cleaned up."""
    skipped: tuple[Skip, ...]
    usage: tuple[Usage, ...] = ()


@dataclass(frozen=True)
class Current:
    """All that matters of what the server has."""

    service: Mapping[str, Any] | None
    bot: str
    classifications: frozenset[str]
    tags: frozenset[str]
    assets: Mapping[tuple[str, str], Found]
    """By kind and FQN, soft-deleted ones too."""
    edges: Mapping[tuple[str, str], FoundEdge]
    tables: Mapping[str, str]
    """Ids of the tables that the edges name, by FQN."""
    usage: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Stored views by day, of the dashboards whose latest day does not tell enough, by FQN."""


Action = Literal["create", "update", "restore", "remove", "unchanged", "skip", "refuse"]


@dataclass(frozen=True)
class Operation:
    """One step of the plan; `put`, `patch` and `edge` say what is sent."""

    action: Action
    kind: str
    fqn: str
    project_id: str | None = None
    reason: str | None = None
    id: str | None = None
    version: float | None = None
    put: Mapping[str, Any] | None = None
    patch: tuple[Mapping[str, Any], ...] = ()
    edge: Edge | None = None
    found_edge: FoundEdge | None = None
    usage: Usage | None = None
