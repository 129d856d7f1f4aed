"""Validate request bodies with OpenMetadata's own generated models; runs in a process of its own.

Usage: validate_bodies.py FOLDER BODIES.json, where FOLDER holds `metadata/generated` of one
release. The packages above the generated ones import the whole ingestion framework; they are
replaced by empty ones, and the models then need nothing but pydantic.
"""

import importlib
import json
import sys
import types
from pathlib import Path

MODELS = {
    "/services/dashboardServices": (
        "api.services.createDashboardService", "CreateDashboardServiceRequest",
    ),
    "/dashboards": ("api.data.createDashboard", "CreateDashboardRequest"),
    "/charts": ("api.data.createChart", "CreateChartRequest"),
    "/dashboard/datamodels": (
        "api.data.createDashboardDataModel", "CreateDashboardDataModelRequest",
    ),
    "/classifications": ("api.classification.createClassification", "CreateClassificationRequest"),
    "/tags": ("api.classification.createTag", "CreateTagRequest"),
    "/usage": ("type.dailyCount", "DailyCountOfSomeMeasurement"),
    "/restore": ("api.data.restoreEntity", "RestoreEntity"),
    "/lineage": ("api.lineage.addLineage", "AddLineageRequest"),
}  # fmt: skip


def main() -> None:
    folder, bodies = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    for name in ("metadata", "metadata.ingestion", "metadata.ingestion.models"):
        module = types.ModuleType(name)
        module.__path__ = [str(folder / name.replace(".", "/"))]
        sys.modules[name] = module
    sys.path.insert(0, str(folder))
    counts: dict[str, int] = {}
    for path, body in bodies:
        module_name, model_name = MODELS[path]
        module = importlib.import_module(f"metadata.generated.schema.{module_name}")
        getattr(module, model_name).model_validate(body)
        counts[path] = counts.get(path, 0) + 1
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
