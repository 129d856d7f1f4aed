"""What should be in the catalog, from projects, cells and edges. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from hex_assets.openmetadata.capabilities import DATA_MODEL_TYPE, Capabilities
from hex_assets.openmetadata.entities import Asset, Desired, Skip, Tag
from hex_assets.openmetadata.lineage import desired_edges
from hex_assets.openmetadata.names import fqn, tag_name
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
    statements: pa.Table | None = None,
    catalog: pa.Table | None = None,
) -> Desired:
    """Everything that should be published.

    Args:
        projects: rows of hex/projects, each project once.
        edges: rows of lineage/edges of the look-back window.
        settings: what to include, filters, the service's name.
        capabilities: what the server knows.
        cells: rows of hex/cells; None: charts and data models are left alone.
        statements: rows of lineage/statements, for SQL and output columns.
        catalog: rows of catalog/tables; edges to tables it lacks are skipped. None: not checked.
    """
    skipped: list[Skip] = []
    chosen: dict[str, Row] = {}
    for row in sorted(projects.to_pylist(), key=lambda row: str(row["project_id"])):
        if reason := left_out(row, settings):
            name = fqn(settings.serviceName, row["project_id"])
            skipped.append(Skip("dashboard", name, reason, row["project_id"]))
        else:
            chosen[row["project_id"]] = row
    cell_rows = [row for row in (cells.to_pylist() if cells is not None else ())]
    texts = {row["statement_id"]: row for row in (statements.to_pylist() if statements else ())}
    edge_rows = edges.to_pylist()
    charts: defaultdict[str, list[Asset]] = defaultdict(list)
    models: dict[tuple[str, str], Asset] = {}
    for cell in sorted(cell_rows, key=lambda cell: (cell["project_id"], cell["position"])):
        if cell["project_id"] not in chosen:
            continue
        label = cell["label"] or f"{cell['cell_type']} {cell['position'] + 1}"
        if cell["cell_type"] in CHART_TYPES and settings.chartFilterPattern.keeps(label):
            charts[cell["project_id"]].append(_chart(cell, label, settings, capabilities))
        if cell["cell_type"] == "SQL" and settings.includeDataModels:
            label = cell["label"] or cell["output_dataframe"] or label
            if settings.dataModelFilterPattern.keeps(label):
                model = _model(cell, label, settings, capabilities, edge_rows, texts)
                models[cell["project_id"], cell["cell_id"]] = model
    dashboards, tags = [], {}
    for project_id, row in chosen.items():
        own_tags = _tags(row) if settings.includeTags else ()
        tags.update({tag.fqn: tag for tag in own_tags})
        dashboards.append(
            _dashboard(
                row,
                settings,
                own_tags,
                None if cells is None else tuple(chart.fqn for chart in charts[project_id]),
                None
                if cells is None or not settings.includeDataModels
                else tuple(m.fqn for (owner, _), m in models.items() if owner == project_id),
            )
        )
    lineage, lost = desired_edges(
        edge_rows, cell_rows, dashboards, models, texts, catalog, settings.serviceName
    )
    return Desired(
        service=settings.serviceName,
        classifications=tuple(sorted({tag.classification for tag in tags.values()})),
        tags=tuple(tags[name] for name in sorted(tags)),
        assets=(*(c for group in charts.values() for c in group), *models.values(), *dashboards),
        edges=tuple(lineage),
        cell_projects=frozenset(row["project_id"] for row in cell_rows) & frozenset(chosen),
        skipped=(*skipped, *lost),
    )


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
    charts: tuple[str, ...] | None,
    models: tuple[str, ...] | None,
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


def _model(
    cell: Row,
    label: str,
    settings: OpenMetadataSettings,
    capabilities: Capabilities,
    edges: Sequence[Row],
    texts: Mapping[str, Row],
) -> Asset:
    name = cell_name(cell["project_id"], cell["cell_id"])
    own = [
        row
        for row in edges
        if row["cell_id"] == cell["cell_id"] and row["project_id"] == cell["project_id"]
    ]
    outputs: dict[str, None] = {}
    for row in sorted(own, key=lambda row: row["last_seen_at"], reverse=True):
        for statement_id in row["statement_ids"]:
            for pair in (texts.get(statement_id) or {"columns": ()})["columns"]:
                outputs.setdefault(pair["output"])
    for row in own:
        outputs.update(dict.fromkeys(row["output_columns"]))
    machine: dict[str, Any] = {
        "dataModelType": DATA_MODEL_TYPE,
        "sql": cell["source"] or "",
        # The log tells names of results, not their types.
        "columns": [
            {"name": column, "dataType": "UNKNOWN"}
            for column in outputs
            if column and column != "*" and "::" not in column and len(column) <= 256
        ],
    }
    if not machine["sql"]:
        del machine["sql"]
    if capabilities.data_model_source_url:
        machine["sourceUrl"] = cell["url"]
    return Asset(
        kind="dashboardDataModel",
        name=name,
        fqn=fqn(settings.serviceName, "model", name),
        service=settings.serviceName,
        project_id=cell["project_id"],
        display_name=label,
        machine=machine,
    )


def cell_name(project_id: str, cell_id: str) -> str:
    """Name of a cell's chart or data model: legal everywhere, and tells its project."""
    return f"{project_id}_{cell_id}"


def _millis(at: datetime) -> int:
    return round(at.timestamp() * 1000)
