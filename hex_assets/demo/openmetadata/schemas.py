"""Which fields and values requests may hold, by server version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class ApiError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str, *, plain: bool = False) -> None:
        super().__init__(message)
        self.status, self.message, self.plain = status, message, plain


@dataclass(frozen=True)
class Kind:
    """One type of entity: its route, its parent, what a create request may hold."""

    type: str
    route: str
    parent: str | None
    fields: frozenset[str]
    required: tuple[str, ...]
    machine: tuple[str, ...] = ()
    """Fields that any PUT overwrites."""
    relations: tuple[str, ...] = ()
    """Fields that an answer holds only on request."""


_COMMON = "name displayName description tags owners domains"


def _kind(
    type_: str, route: str, parent: str | None, more: str, required: str, machine: str = ""
) -> Kind:
    fields = frozenset(f"{_COMMON} {more} {parent or ''}".split())
    relations = ("owners", "tags", "charts", "dataModels", "usageSummary", "lifeCycle", "domains")
    return Kind(
        type_, route, parent, fields, tuple(required.split()), tuple(machine.split()), relations
    )


KINDS = {
    kind.type: kind
    for kind in (
        _kind("databaseService", "services/databaseServices", None, "serviceType connection",
              "name serviceType"),
        _kind("dashboardService", "services/dashboardServices", None,
              "serviceType connection dataProducts ingestionRunner", "name serviceType"),
        _kind("database", "databases", "service", "", "name service"),
        _kind("databaseSchema", "databaseSchemas", "database", "", "name database"),
        _kind("table", "tables", "databaseSchema", "tableType columns",
              "name databaseSchema columns", "tableType columns"),
        _kind("dashboard", "dashboards", "service",
              "dashboardType sourceUrl project charts dataModels extension dataProducts lifeCycle "
              "sourceHash", "name service", "dashboardType sourceUrl project sourceHash"),
        _kind("chart", "charts", "service",
              "chartType sourceUrl dataProducts lifeCycle sourceHash extension dashboards",
              "name service", "chartType sourceUrl sourceHash"),
        _kind("dashboardDataModel", "dashboard/datamodels", "service",
              "dataModelType columns sql project dataProducts lifeCycle sourceHash extension "
              "serviceType sourceUrl", "name service dataModelType columns",
              "dataModelType columns sql project sourceHash sourceUrl"),
        _kind("classification", "classifications", None, "provider mutuallyExclusive",
              "name description", "mutuallyExclusive"),
        _kind("tag", "tags", "classification",
              "parent style associatedTags provider mutuallyExclusive", "name description"),
        _kind("user", "users", None, "email isBot isAdmin teams roles", "name email"),
        _kind("team", "teams", None, "email teamType", "name teamType"),
    )
}  # fmt: skip

ROUTES = {kind.route: kind for kind in KINDS.values()}

_SERVICES = (
    "Superset Looker Tableau Redash Metabase PowerBI PowerBIReportServer Mode CustomDashboard "
    "DomoDashboard QuickSight QlikSense Lightdash MicroStrategy QlikCloud Sigma ThoughtSpot"
)
_MODELS = (
    "TableauDataModel TableauPublishedDatasource TableauEmbeddedDatasource SupersetDataModel "
    "MetabaseDataModel LookMlView LookMlExplore PowerBIDataModel QlikDataModel "
    "QuickSightDataModel SigmaDataModel PowerBIDataFlow MicroStrategyDataset ThoughtSpotDataModel"
)
_CHARTS = "Line Table Bar Area Pie Histogram Scatter Text BoxPlot Other"
EDGE_SOURCES = frozenset(
    "Manual ViewLineage QueryLineage PipelineLineage DashboardLineage DbtLineage SparkLineage "
    "OpenLineage ExternalTableLineage CrossDatabaseLineage ChildAssets".split()
)
EDGE_DETAILS = frozenset(
    "sqlQuery columnsLineage pipeline description source createdAt createdBy updatedAt updatedBy "
    "assetEdges".split()
)


def enums(kind: Kind, version: tuple[int, ...]) -> Mapping[str, frozenset[str]]:
    """Allowed values of a kind's fields on a server of this version."""
    if kind.type == "dashboardService":
        later = " Grafana" * (version >= (1, 9, 13)) + " Hex" * (version >= (1, 10, 2))
        return {"serviceType": frozenset((_SERVICES + later).split())}
    if kind.type == "chart":
        later = " Gauge Map Graph Heatmap Timeline" * (version >= (1, 9, 13))
        return {
            "chartType": frozenset((_CHARTS + later + " SanKey" * (version >= (1, 10))).split())
        }
    if kind.type == "dashboardDataModel":
        return {"dataModelType": frozenset(_MODELS.split())}
    return {}


def check(kind: Kind, body: Any, version: tuple[int, ...]) -> dict[str, Any]:
    """Validate a create request.

    Raises:
        ApiError: 400 with the server's kind of words.
    """
    if not isinstance(body, dict):
        raise ApiError(400, "Unable to process JSON", plain=True)
    allowed = kind.fields
    if kind.type == "dashboardDataModel" and version < (1, 9, 13):
        allowed = allowed - {"sourceUrl"}
    for name in body:
        if name not in allowed:
            raise ApiError(400, f'Unrecognized field "{name}" (class Create{kind.type})')
    for name in kind.required:
        if body.get(name) is None:
            raise ApiError(400, f"[query param {name} must not be null]")
    name = body["name"]
    if not isinstance(name, str) or not 1 <= len(name) <= 256 or "::" in name or '"' in name:
        raise ApiError(400, "[query param name must match ^((?!::).)*$]")
    for field, values in enums(kind, version).items():
        if body.get(field) is not None and body[field] not in values:
            raise ApiError(400, f"Cannot deserialize value `{body[field]}` for {field}")
    mark = body.get("sourceHash")
    if mark is not None and not 1 <= len(mark) <= 32:
        raise ApiError(400, "[query param sourceHash size must be between 1 and 32]")
    for column in body.get("columns") or ():
        if unknown := set(column) - {
            "name", "dataType", "dataLength", "dataTypeDisplay", "description", "children",
            "displayName", "tags", "ordinalPosition", "arrayDataType",
        }:  # fmt: skip
            raise ApiError(400, f'Unrecognized field "{min(unknown)}" (class Column)')
        if "name" not in column or "dataType" not in column:
            raise ApiError(400, "[column name and dataType must not be null]")
        if column["dataType"] in ("VARCHAR", "CHAR", "BINARY") and "dataLength" not in column:
            raise ApiError(
                400, f"For column data type {column['dataType']}, dataLength is required"
            )
        if column["dataType"] == "ARRAY" and "arrayDataType" not in column:
            raise ApiError(400, "For column data type array, arrayDataType is required")
    for tag in body.get("tags") or ():
        if unknown := set(tag) - {
            "tagFQN", "source", "labelType", "state", "name", "displayName", "description",
            "style", "href",
        }:  # fmt: skip
            raise ApiError(400, f'Unrecognized field "{min(unknown)}" (class TagLabel)')
    return body
