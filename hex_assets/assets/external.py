"""Hex's projects in Dagster's own graph: external assets below the tables that they read.

Built from what is stored, never from the network: loading a code location must not wait for Hex.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from hex_assets.assets.names import Names
from hex_assets.openmetadata.names import split_fqn
from hex_assets.settings import ExternalAssetsSettings, Settings
from hex_assets.storage.store import TableStore

logger = logging.getLogger("hex_assets.external")

PROJECT_COLUMNS = (
    "project_id",
    "project_type",
    "title",
    "description",
    "url",
    "owner_email",
    "status",
    "app_view_count_30_days",
    "last_viewed_at",
    "last_published_at",
    "archived_at",
    "trashed_at",
)
EDGE_COLUMNS = ("project_id", "warehouse", "direction", "table", "table_fqn")
NEVER = datetime.min.replace(tzinfo=timezone.utc)


def project_specs(names: Names, settings: Settings) -> list[dg.AssetSpec]:
    """The published projects as external assets with the tables that they read as `deps`.

    The latest stored snapshot of the projects and all stored edges of the look-back window are
    read; at most `externalAssets.cap` projects are given, the last viewed first. Without stored
    tables, or where they cannot be read (which is logged), there are none: the code location
    must load, so that a run can mend them.

    Args:
        names: keys of the graph.
        settings: for the storage, the look-back window and `externalAssets`.
    """
    options = settings.externalAssets
    if not options.enabled:
        return []
    store = TableStore(settings.storage.path)
    try:
        newest = store.newest(names.projects.path)
        if newest is None:
            logger.info("no snapshot of the Hex projects is stored yet: none is shown")
            return []
        edges = _table_edges(store, names, settings)
    except (OSError, pa.ArrowException) as error:
        logger.error(
            "the stored tables in %s cannot be read, so no Hex project is shown: %s: %s. "
            "Check storage.path, and materialize the day that is named again",
            settings.storage.path,
            type(error).__name__,
            error,
        )
        return []
    published = [row for row in newest[1].select(PROJECT_COLUMNS).to_pylist() if _published(row)]
    published.sort(key=lambda row: (row["last_viewed_at"] or NEVER, row["title"]), reverse=True)
    shown = published[: options.cap]
    if len(shown) < len(published):
        logger.info(
            "%d of %d published Hex projects are shown, the last viewed first "
            "(externalAssets.cap is %d)",
            len(shown),
            len(published),
            options.cap,
        )
    keys = _project_keys(names, shown)
    return [
        _spec(keys[row["project_id"]], row, edges[row["project_id"]], settings) for row in shown
    ]


def table_key(edge: Mapping[str, Any], options: ExternalAssetsSettings) -> dg.AssetKey | None:
    """The asset key of an edge's table; None where its name lacks a part of the template."""
    parts = split_fqn(edge["table_fqn"] or edge["table"])
    known = dict(zip(("table", "schema", "database", "service"), reversed(parts), strict=False))
    known["warehouse"] = edge["warehouse"]
    try:
        # Split before it is filled: a table's own name may hold a slash.
        path = [part.format_map(known) for part in options.tableKeyTemplate.split("/")]
    except KeyError:
        return None
    return dg.AssetKey([part.lower() for part in path] if options.lowerCaseKeys else path)


def _table_edges(
    store: TableStore, names: Names, settings: Settings
) -> Mapping[str, list[dict[str, Any]]]:
    """Distinct (project, table, direction) of the look-back window, by project."""
    stored = store.days(names.edges.path)
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    if not stored:
        return found
    first = (date.fromisoformat(stored[-1]) - settings.look_back + timedelta(days=1)).isoformat()
    days = []
    for day in stored:
        if day >= first:
            edges = store.read(names.edges.path, day)
            days.append(edges.filter(pc.is_null(edges["column"])).select(EDGE_COLUMNS))
    distinct = pa.concat_tables(days).group_by(list(EDGE_COLUMNS)).aggregate([])
    for row in distinct.to_pylist():
        found[row["project_id"]].append(row)
    return found


def _published(row: Mapping[str, Any]) -> bool:
    return bool(
        row["project_type"] == "PROJECT"
        and row["last_published_at"]
        and not row["archived_at"]
        and not row["trashed_at"]
    )


def _project_keys(names: Names, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, dg.AssetKey]:
    """A key that a person can read for each project; titles are not unique, ids are."""
    short = {row["project_id"]: f"{_slug(row['title'])}_{row['project_id'][:8]}" for row in rows}
    taken = list(short.values())
    return {
        project_id: names.key(
            "hex", "project", name if taken.count(name) == 1 else f"{name}_{project_id}"
        )
        for project_id, name in short.items()
    }


def _slug(title: str) -> str:
    return re.sub(r"\W+", "_", title.casefold()).strip("_")[:60] or "untitled"


def _spec(
    key: dg.AssetKey,
    row: Mapping[str, Any],
    edges: Iterable[Mapping[str, Any]],
    settings: Settings,
) -> dg.AssetSpec:
    reads: dict[dg.AssetKey, None] = {}
    nameless, writes = [], []
    for edge in sorted(edges, key=lambda edge: (edge["table"], edge["warehouse"])):
        if edge["direction"] == "write":
            writes.append(edge["table"])
        elif found := table_key(edge, settings.externalAssets):
            reads[found] = None
        else:
            nameless.append(edge["table"])
    viewed, views = row["last_viewed_at"], row["app_view_count_30_days"]
    metadata: dict[str, Any] = {
        "url": dg.MetadataValue.url(row["url"]),
        "project_id": row["project_id"],
        "owner": row["owner_email"] or "unknown",
        "read_table_count": len(reads) + len(nameless),
    }
    if row["status"]:
        metadata["status"] = row["status"]
    if viewed:
        metadata["last_viewed_at"] = dg.MetadataValue.timestamp(viewed)
    if views is not None:
        metadata["views_30_days"] = views
    if writes:
        metadata["writes"] = sorted(set(writes))
    if nameless:
        metadata["tables_without_key"] = sorted(set(nameless))
    description = f"{row['title']}\n\n{row['description']}" if row["description"] else row["title"]
    return dg.AssetSpec(
        key=key,
        deps=list(reads),
        description=description,
        group_name="hex_projects",
        kinds={"hex"},
        owners=_owners(row["owner_email"]),
        metadata=metadata,
    )


def _owners(email: str | None) -> list[str]:
    """The owner where Dagster accepts the address; the metadata has it in any case."""
    if not email:
        return []
    try:
        dg.AssetSpec(key="probe", owners=[email])
    except dg.DagsterInvalidDefinitionError:
        return []
    return [email]
