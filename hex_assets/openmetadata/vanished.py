"""What of ours has left Hex: what is removed, what is kept and why. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from hex_assets.openmetadata.entities import Current, Desired, Found, Operation
from hex_assets.settings import OpenMetadataSettings

_NAMES = {"dashboard": "dashboards", "chart": "charts", "dashboardDataModel": "data models"}


@dataclass
class Vanished:
    """Ours in the catalog, but not in what should be published."""

    operations: list[Operation] = field(default_factory=list)
    kept: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    """Charts and data models that stay for now: FQNs by project and kind."""
    removed_models: frozenset[str] = frozenset()
    """Data models that go although their dashboard stays; their edges go first."""

    @property
    def kept_names(self) -> frozenset[str]:
        """FQNs of all charts and data models that stay for now."""
        return frozenset(name for names in self.kept.values() for name in names)


@dataclass(frozen=True)
class _Verdict:
    action: Literal["remove", "skip", "refuse"]
    reason: str = ""


def vanished(
    desired: Desired, current: Current, settings: OpenMetadataSettings, listing_complete: bool
) -> Vanished:
    """Judge all that is ours, alive and not wanted.

    Nothing goes on an incomplete listing, nothing of a project whose cells are not known whole,
    and no more of a kind than `maxDeletedShare`. What a setting of its own switches off goes
    without that guard: a person asked for it.
    """
    wanted = {(asset.kind, asset.fqn) for asset in desired.assets}
    ours = [f for f in current.assets.values() if f.marker is not None and not f.deleted]
    gone = sorted(
        (found for found in ours if (found.kind, found.fqn) not in wanted),
        key=lambda found: (found.kind, found.fqn),
    )
    projects = [found for found in gone if found.kind == "dashboard"]
    gone_projects = {found.name for found in projects}
    why = {skip.entity: skip.reason for skip in desired.skipped}
    result = Vanished()
    verdict = _verdict("dashboard", projects, ours, settings, listing_complete)
    for found in projects:
        result.operations.append(_step(found, verdict, why.get(found.fqn, "gone from Hex")))
    removed_models = set()
    for kind in ("chart", "dashboardDataModel"):
        of_kind = [found for found in gone if found.kind == kind]
        of_gone = [found for found in of_kind if project_of(found) in gone_projects]
        switched_off = kind == "dashboardDataModel" and not settings.includeDataModels
        of_cells = [
            found
            for found in of_kind
            if project_of(found) not in gone_projects
            and (switched_off or project_of(found) in desired.cell_projects)
        ]
        known = {found.fqn for found in (*of_gone, *of_cells)}
        own = _verdict(kind, of_cells, ours, settings, listing_complete, switched_off)
        reason = "includeDataModels is off" if switched_off else "its cell is gone from Hex"
        for found in of_cells:
            result.operations.append(_step(found, own, why.get(found.fqn, reason)))
            if own.action != "remove":
                result.kept[project_of(found), kind].append(found.fqn)
            elif kind == "dashboardDataModel":
                removed_models.add(found.fqn)
        if verdict.action == "remove":  # what hangs on a dashboard goes with it
            result.operations += [
                _step(found, verdict, "its project is not published any more") for found in of_gone
            ]
        for found in of_kind:
            if found.fqn not in known:
                result.kept[project_of(found), kind].append(found.fqn)
    result.removed_models = frozenset(removed_models)
    return result


def project_of(found: Found) -> str:
    """The Hex project of an entity of ours, by its name."""
    return found.name.split("_", 1)[0]


def removal(found: Found, reason: str) -> Operation:
    """Softly delete an entity of ours."""
    return Operation("remove", found.kind, found.fqn, project_of(found), reason, id=found.id)


def _step(found: Found, verdict: _Verdict, reason: str) -> Operation:
    if verdict.action == "remove":
        return removal(found, reason)
    return Operation(verdict.action, found.kind, found.fqn, project_of(found), verdict.reason)


def _verdict(
    kind: str,
    gone: Iterable[Found],
    ours: Iterable[Found],
    settings: OpenMetadataSettings,
    listing_complete: bool,
    switched_off: bool = False,
) -> _Verdict:
    if not settings.markDeletedDashboards:
        return _Verdict("skip", "gone from Hex; kept, as markDeletedDashboards is off")
    if not listing_complete:
        return _Verdict("skip", "not in Hex's listing, which is not complete; kept")
    count = sum(1 for _ in gone)
    live = sum(found.kind == kind for found in ours)
    if live and not switched_off and count / live > settings.maxDeletedShare:
        return _Verdict(
            "refuse",
            f"would delete {count} of {live} {_NAMES[kind]} ({count / live:.0%}), more than "
            f"maxDeletedShare ({settings.maxDeletedShare:.0%}); none of them was deleted; if this "
            "is right, raise maxDeletedShare for one run",
        )
    return _Verdict("remove")


def retirement(current: Current) -> list[Operation]:
    """Remove everything of ours: edges, charts, data models and dashboards (soft), nothing else."""
    edges = [
        Operation("remove", "lineage", " -> ".join(pair), None, "retired", found_edge=found)
        for pair, found in sorted(current.edges.items())
        if found.is_ours(current.bot)
    ]
    assets: Mapping[tuple[str, str], Found] = current.assets
    return edges + [
        removal(found, "retired")
        for _, found in sorted(assets.items())
        if found.marker is not None and not found.deleted
    ]
