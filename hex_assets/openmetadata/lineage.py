"""The edges that should be in the catalog: one fact, one path. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hex_assets.openmetadata.entities import EVIDENCE, Asset, Edge, Skip
from hex_assets.openmetadata.names import fqn
from hex_assets.openmetadata.queried import QueriedTables, TableNames

Row = Mapping[str, Any]


def desired_edges(
    edges: Sequence[Row],
    cells: Sequence[Row],
    dashboards: Sequence[Asset],
    models: Mapping[tuple[str, str], Asset],
    statements: Mapping[str, Row],
    columns: Mapping[str, Mapping[str, str | None]] | None,
    service: str,
    queried: QueriedTables,
    table_names: TableNames | None,
    *,
    include_queried: bool,
) -> tuple[list[Edge], list[Skip]]:
    """Edges of the published projects, and what could not become one.

    A read of a cell with a data model is table -> data model -> dashboard; any other read is
    table -> dashboard, unless that table already reaches the dashboard through a data model.
    """
    by_project = {asset.project_id: asset for asset in dashboards}
    groups: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    ends: dict[tuple[str, str], tuple[str, str, Asset]] = {}
    skipped: dict[tuple[str, str], Skip] = {}
    for row in edges:
        dashboard = by_project.get(row["project_id"])
        if dashboard is None:
            continue  # the project itself is skipped, with its reason, or is unknown to Hex
        table = row["table_fqn"]
        if not table or (columns is not None and table not in columns):
            name = f"{table or row['table']} -> {dashboard.fqn}"
            skipped.setdefault(
                ("lineage", name),
                Skip("lineage", name, "the catalog lacks the table", row["project_id"]),
            )
            continue
        if row["direction"] == "write":
            pair = (dashboard.fqn, table)
            ends[pair] = ("dashboard", "table", dashboard)
        else:
            target = models.get((row["project_id"], row["cell_id"]), dashboard)
            pair = (table, target.fqn)
            ends[pair] = ("table", target.kind, target)
        groups[pair].append(row)
    through_model = {
        (pair[0], target.project_id)
        for pair, (_, kind, target) in ends.items()
        if kind == "dashboardDataModel"
    }
    read: defaultdict[str, set[str]] = defaultdict(set)
    found: list[Edge] = []
    for pair in sorted(groups):
        from_kind, to_kind, asset = ends[pair]
        if from_kind == "table":
            read[asset.project_id].add(pair[0])
        if to_kind == "dashboard" and (pair[0], asset.project_id) in through_model:
            continue
        pairs, lost = _column_pairs(pair, groups[pair], asset, to_kind, columns)
        for name in lost:
            skip = Skip(
                "column", f"{name} -> {pair[1]}", "the catalog lacks the column", asset.project_id
            )
            skipped[skip.entity_type, skip.entity] = skip
        rows, reads = groups[pair], from_kind == "table"
        found.append(
            Edge(
                from_kind,
                pair[0],
                to_kind,
                pair[1],
                asset.project_id,
                _evidence(rows, queried.verdict(asset.project_id, pair[0]) if reads else None),
                _sql(rows, statements),
                pairs,
            )
        )
    found += [
        Edge(
            "dashboardDataModel", model.fqn, "dashboard", by_project[project].fqn, project,
            f"{EVIDENCE}an SQL cell of this project.",
        )
        for (project, _), model in models.items()
    ]  # fmt: skip
    imports = {
        (cell["component_id"], cell["project_id"])
        for cell in cells
        if cell["component_id"] in by_project and cell["project_id"] in by_project
    }
    found += [
        Edge(
            "dashboard", fqn(service, component), "dashboard", fqn(service, project), project,
            f"{EVIDENCE}this project imports the component.",
        )
        for component, project in sorted(imports)
    ]  # fmt: skip
    if table_names is not None:
        for extra in _only_queried(dashboards, read, queried, table_names, include_queried):
            if isinstance(extra, Edge):
                found.append(extra)
            else:
                skipped.setdefault((extra.entity_type, extra.entity), extra)
    return found, list(skipped.values())


def _only_queried(
    dashboards: Iterable[Asset],
    read: Mapping[str, set[str]],
    queried: QueriedTables,
    tables: TableNames,
    include: bool,
) -> Iterator[Edge | Skip]:
    """Tables that Hex lists and no query in the logs shows: edges by option, else reported."""
    for dashboard in dashboards:
        project = dashboard.project_id
        for name, parts in queried.beyond(project, read.get(project, ())):
            found = tables.find(parts)
            if len(found) != 1:
                why = f"fits {', '.join(found)}" if found else "is no table of the catalog"
                reason = f"Hex's list of queried tables names it, which {why}"
                yield Skip("lineage", f"{name} -> {dashboard.fqn}", reason, project)
            elif not include:
                reason = "only Hex's list of queried tables names it (includeQueriedTables is off)"
                yield Skip("lineage", f"{found[0]} -> {dashboard.fqn}", reason, project)
            else:
                text = f"{EVIDENCE}its list of queried tables; no query in the logs shows it."
                yield Edge("table", found[0], "dashboard", dashboard.fqn, project, text)


def _column_pairs(
    pair: tuple[str, str],
    rows: Iterable[Row],
    asset: Asset,
    to_kind: str,
    columns: Mapping[str, Mapping[str, str | None]] | None,
) -> tuple[tuple[tuple[tuple[str, ...], str], ...], list[str]]:
    if to_kind != "dashboardDataModel":
        return (), []  # a dashboard has no columns
    known = {column["name"] for column in asset.machine["columns"]}
    sources: defaultdict[str, set[str]] = defaultdict(set)
    lost = []
    for row in rows:
        if row["column"] is None:
            continue
        if columns is not None and row["column"] not in columns[pair[0]]:
            lost.append(f"{pair[0]}.{row['column']}")  # the server would drop it in silence
            continue
        for output in row["output_columns"]:
            if output in known:
                sources[f"{pair[1]}.{fqn(output)}"].add(f"{pair[0]}.{row['column']}")
    return tuple((tuple(sorted(sources[to])), to) for to in sorted(sources)), lost


def _evidence(rows: Sequence[Row], verdict: str | None) -> str:
    whole = [row for row in rows if row["column"] is None] or list(rows)
    first = min(row["first_seen_at"] for row in whole)
    last = max(row["last_seen_at"] for row in whole)
    latest = max(whole, key=lambda row: (row["last_seen_at"], row["sample_query_id"]))
    text = (
        f"{EVIDENCE}{sum(row['query_count'] for row in whole)} queries in "
        f"{_names(row['warehouse'] for row in whole)}, {first:%Y-%m-%d} to {last:%Y-%m-%d}; "
        f"known from {_names(e for row in whole for e in row['evidence'])}"
    )
    if contexts := _names(c for row in whole for c in row["contexts"]):
        text += f"; contexts {contexts}"
    if users := _names(u for row in whole for u in row["users"]):
        text += f"; people {users}"
    if any(row["partial"] for row in rows):
        text += "; some statements were understood in part only"
    if verdict:
        text += f"; {verdict}"
    return f"{text}; latest query {latest['sample_query_id']}."


def _names(values: Iterable[str]) -> str:
    return ", ".join(sorted(set(values)))


def _sql(rows: Sequence[Row], statements: Mapping[str, Row]) -> str | None:
    known = [
        (statements[s]["sample_query_id"] == row["sample_query_id"], row["last_seen_at"], s)
        for row in rows
        for s in row["statement_ids"]
        if s in statements
    ]
    return str(statements[max(known)[2]]["text"]) if known else None
