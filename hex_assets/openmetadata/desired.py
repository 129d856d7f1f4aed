"""What should be in the catalog, from projects, cells and edges. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hex_assets.openmetadata.capabilities import Capabilities
from hex_assets.openmetadata.entities import Asset, Desired, Skip, Tag
from hex_assets.openmetadata.lineage import desired_edges
from hex_assets.openmetadata.models import ColumnTypes, Models
from hex_assets.openmetadata.names import cell_name, fqn, tag_name
from hex_assets.openmetadata.queried import TableNames, queried_tables
from hex_assets.settings import OpenMetadataSettings

CHART_TYPES = {
    "DISPLAY_TABLE": "Table",
    "PIVOT": "Table",
    "METRIC": "Gauge",
    "MAP": "Map",
    "CHART": "Other",  # Hex's API does not tell what a chart cell draws
    "VEGA_CHART": "Other",
    "EXPLORE": "Other",
}
"""Cells that show something, and the chart type that fits."""

Row = Mapping[str, Any]


def desired(
    projects: pa.Table,
    edges: pa.Table,
    settings: OpenMetadataSettings,
    capabilities: Capabilities,
    *,
    cells: pa.Table | None = None,
    complete_cells: Collection[str] | None = None,
    statements: pa.Table | None = None,
    catalog: pa.Table | None = None,
    queried: pa.Table | None = None,
) -> Desired:
    """Everything that should be published.

    Args:
        projects: rows of hex/projects, each project once.
        edges: rows of lineage/edges of the look-back window.
        settings: what to include, filters, the service's name.
        capabilities: what the server knows.
        cells: rows of hex/cells; None: charts and data models are left alone.
        complete_cells: projects whose cells are known whole; None: those that `cells` names.
            Of any other project no chart, data model or import is taken away.
        statements: rows of lineage/statements, for SQL and output columns.
        catalog: rows of catalog/tables; edges to tables it lacks are skipped. None: not checked.
        queried: Hex's queriedTables, with columns project_id and table_name; None: not asked.
    """
    skipped: list[Skip] = []
    chosen: dict[str, Row] = {}
    for row in sorted(projects.to_pylist(), key=lambda row: str(row["project_id"])):
        if reason := left_out(row, settings):
            name = fqn(settings.serviceName, row["project_id"])
            skipped.append(Skip("dashboard", name, reason, row["project_id"]))
        else:
            chosen[row["project_id"]] = row
    cell_rows = cells.to_pylist() if cells is not None else []
    edge_rows = [row for row in edges.to_pylist() if row["project_id"] in chosen]
    texts = _texts(statements, {s for row in edge_rows for s in row["statement_ids"]})
    types = ColumnTypes(catalog, {row["table_fqn"] for row in edge_rows if row["table_fqn"]})
    builder = Models(settings, capabilities, edge_rows, texts, types)
    charts: defaultdict[str, list[Asset]] = defaultdict(list)
    models: defaultdict[str, dict[str, Asset]] = defaultdict(dict)
    for cell in sorted(cell_rows, key=lambda cell: (cell["project_id"], cell["position"])):
        if cell["project_id"] not in chosen:
            continue
        label = cell["label"] or f"{cell['cell_type']} {cell['position'] + 1}"
        if cell["cell_type"] in CHART_TYPES:
            chart = _chart(cell, label, settings, capabilities)
            if settings.chartFilterPattern.keeps(label):
                charts[cell["project_id"]].append(chart)
            else:
                skipped.append(_left_out_cell(chart, "chartFilterPattern"))
        if cell["cell_type"] == "SQL" and settings.includeDataModels:
            label = cell["label"] or cell["output_dataframe"] or label
            model = builder.model(cell, label)
            if settings.dataModelFilterPattern.keeps(label):
                models[cell["project_id"]][cell["cell_id"]] = model
            else:
                skipped.append(_left_out_cell(model, "dataModelFilterPattern"))
    dashboards, tags = [], {}
    for project_id, row in chosen.items():
        own_tags = _tags(row) if settings.includeTags else ()
        tags.update({tag.fqn: tag for tag in own_tags})
        own_charts = tuple(chart.fqn for chart in charts[project_id])
        own_models = tuple(model.fqn for model in models[project_id].values())
        dashboards.append(_dashboard(row, settings, own_tags, own_charts, own_models))
    lineage, lost = desired_edges(
        edge_rows,
        cell_rows,
        dashboards,
        {(project, cell): m for project, own in models.items() for cell, m in own.items()},
        texts,
        types.tables,
        settings.serviceName,
        queried_tables(queried),
        TableNames(catalog) if queried is not None else None,
        include_queried=settings.includeQueriedTables,
    )
    complete = {row["project_id"] for row in cell_rows}
    if complete_cells is not None:
        complete = set(complete_cells)
    return Desired(
        service=settings.serviceName,
        classifications=tuple(sorted({tag.classification for tag in tags.values()})),
        tags=tuple(tags[name] for name in sorted(tags)),
        assets=(
            *(chart for group in charts.values() for chart in group),
            *(model for group in models.values() for model in group.values()),
            *dashboards,
        ),
        edges=tuple(lineage),
        cell_projects=frozenset(complete & set(chosen)) if cells is not None else frozenset(),
        skipped=(*skipped, *lost),
    )


def _texts(statements: pa.Table | None, wanted: set[str]) -> dict[str, Row]:
    """The statements that edges name, the newest row of each; a ledger of 30 days is large."""
    if statements is None:
        return {}
    ids = pa.array(sorted(wanted), pa.string())
    rows = statements.select(["statement_id", "dialect", "text", "sample_query_id", "columns"])
    rows = rows.filter(pc.is_in(rows["statement_id"], value_set=ids))
    return {row["statement_id"]: row for batch in rows.to_batches() for row in batch.to_pylist()}


def _left_out_cell(asset: Asset, pattern: str) -> Skip:
    return Skip(asset.kind, asset.fqn, f"left out by {pattern}", asset.project_id)


def left_out(row: Row, settings: OpenMetadataSettings) -> str | None:
    """Why a project is not published; None: it is."""
    if row["trashed_at"]:
        return "in Hex's trash"
    if row["archived_at"] and not settings.includeArchived:
        return "archived in Hex (includeArchived is off)"
    if not row["last_published_at"] and not settings.includeDraftDashboard:
        return "never published in Hex (includeDraftDashboard is off)"
    if not settings.dashboardFilterPattern.keeps(row["title"] or ""):
        return "left out by dashboardFilterPattern"
    pattern = settings.projectFilterPattern
    collections = row["collections"] or []
    kept = any(map(pattern.keeps, collections)) if collections else not pattern.includes
    return None if kept else "left out by projectFilterPattern"


def _tags(row: Row) -> tuple[Tag, ...]:
    found = []
    if row["status"]:
        found.append(("HexStatus", row["status"], "Status in Hex."))
    for category in row["categories"]:
        found.append(
            ("HexCategory", category["name"], category["description"] or "Category in Hex.")
        )
    for name in row["collections"] or ():
        found.append(("HexCollection", name, "Collection in Hex."))
    return tuple(Tag(kind, tag_name(name), name, text) for kind, name, text in found)


def _dashboard(
    row: Row,
    settings: OpenMetadataSettings,
    tags: Iterable[Tag],
    charts: tuple[str, ...],
    models: tuple[str, ...],
) -> Asset:
    life = {
        "created": row["created_at"],
        "updated": row["last_edited_at"],
        "accessed": row["last_viewed_at"],
    }
    machine: dict[str, Any] = {
        "sourceUrl": row["url"],
        "lifeCycle": {key: {"timestamp": _millis(at)} for key, at in life.items() if at},
    }
    if row["collections"]:
        machine["project"] = min(row["collections"])
    lines = [(row["description"] or "").strip()]
    runs = [schedule["text"] for schedule in row["schedules"] if schedule["enabled"]]
    if runs:
        lines.append(f"Runs in Hex: {'; '.join(runs)}.")
    if refreshed := row["published_results_updated_at"]:
        # The day is enough: with the time, every scheduled run would be a new version here.
        lines.append(f"Last results in Hex: {refreshed:%Y-%m-%d}.")
    if (status := row["last_run_status"]) and (ran := row["last_run_at"]):
        said = status.replace("_", " ").lower()
        lines.append(f"Last run in Hex: {said} on {ran:%Y-%m-%d}.")
    return Asset(
        kind="dashboard",
        name=row["project_id"],
        fqn=fqn(settings.serviceName, row["project_id"]),
        service=settings.serviceName,
        project_id=row["project_id"],
        display_name=(row["title"] or "").strip() or row["project_id"],
        description="\n\n".join(line for line in lines if line),
        owner_email=row["owner_email"] if settings.includeOwners else None,
        tags=tuple(sorted(tag.fqn for tag in tags)) if settings.includeTags else None,
        machine=machine,
        charts=charts,
        data_models=models,
    )


def _chart(
    cell: Row, label: str, settings: OpenMetadataSettings, capabilities: Capabilities
) -> Asset:
    name = cell_name(cell["project_id"], cell["cell_id"])
    return Asset(
        kind="chart",
        name=name,
        fqn=fqn(settings.serviceName, name),
        service=settings.serviceName,
        project_id=cell["project_id"],
        display_name=label,
        machine={
            "sourceUrl": cell["url"],
            "chartType": capabilities.chart_type(CHART_TYPES[cell["cell_type"]]),
        },
    )


def _millis(at: datetime) -> int:
    return round(at.timestamp() * 1000)
