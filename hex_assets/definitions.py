"""The code location, wired in the order in which the data goes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from hex_assets.assets.catalog import catalog_tables_asset
from hex_assets.assets.cells import cells_asset
from hex_assets.assets.hex import projects_asset
from hex_assets.assets.lineage import edges_asset, statements_asset
from hex_assets.assets.names import Names
from hex_assets.assets.operation import operated
from hex_assets.assets.publication import publication_asset
from hex_assets.assets.queried_tables import queried_tables_asset
from hex_assets.assets.query_log import query_log_asset, resource_key
from hex_assets.assets.report import report_asset, report_key
from hex_assets.automation import (
    daily_schedule,
    derive_job,
    doctor_job,
    lineage_sensor,
    publish_job,
    publish_sensor,
    trailing_schedule,
)
from hex_assets.checks import asset_checks
from hex_assets.partitions import days as daily_partitions
from hex_assets.resources import (
    HexResource,
    OpenMetadataResource,
    TableStoreResource,
    WarehouseResource,
)
from hex_assets.settings import Settings, config_path, load_settings
from hex_assets.storage.io_manager import ParquetIOManager

# Backfill policies are beta and partitioned checks a preview in Dagster 1.13; a warning for each
# asset would bury the log.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


def build_definitions(
    settings: Settings,
    key_prefix: Sequence[str] = (),
    *,
    executor: dg.ExecutorDefinition | None = dg.in_process_executor,
    resources: Mapping[str, Any] | None = None,
) -> dg.Definitions:
    """The assets, checks, jobs, schedules, sensors and resources for the given settings.

    Args:
        settings: validated settings, see `hex_assets.settings.load_settings`.
        key_prefix: put in front of every asset key, and of the names of jobs, schedules and
            sensors (joined by `_`), to merge into another Dagster project.
        executor: one process by default, because each step of the multiprocess executor pays all
            imports again; None leaves it to the project that these are merged into.
        resources: put in place of ours by key, such as an IO manager of your own under `tables`.
    """
    names = Names(tuple(key_prefix))
    days = daily_partitions(settings.startDate)
    assets = [
        projects_asset(names, days),
        cells_asset(names, days),
        *([queried_tables_asset(names, days)] if settings.hex.queriedTables else []),
        *(
            query_log_asset(names, days, warehouse, found.type)
            for warehouse, found in settings.warehouses.items()
        ),
        catalog_tables_asset(names, days, settings.database_services()),
        statements_asset(names, days, settings),
        edges_asset(names, days, settings),
        report_asset(names, days, settings),
    ]
    derive, publish = derive_job(names, [asset.key for asset in assets]), publish_job(names)
    logs = [names.query_log(warehouse) for warehouse in settings.warehouses]
    of_lineage = [names.statements, names.edges, report_key(names)]
    publishing = settings.openmetadata is not None
    if publishing:
        assets.append(publication_asset(names, days, settings))
    return dg.Definitions(
        assets=[
            *(operated(asset, names, settings) for asset in assets),
            *_external(names, settings),
        ],
        asset_checks=asset_checks(names, days, settings),
        jobs=[derive, doctor_job(names, settings), *([publish] if publishing else [])],
        schedules=[
            daily_schedule(names, settings, derive),
            trailing_schedule(names, settings, derive),
        ],
        sensors=[
            *([lineage_sensor(names, derive, logs, of_lineage)] if logs else []),
            *([publish_sensor(names, publish)] if publishing else []),
        ],
        resources=_resources(settings) | dict(resources or {}),
        executor=executor,
    )


def _external(names: Names, settings: Settings) -> Sequence[dg.AssetSpec]:
    if not settings.externalAssets.enabled:
        return ()
    from hex_assets.assets.external import project_specs

    return project_specs(names, settings)


def _resources(settings: Settings) -> dict[str, Any]:
    catalog = settings.openmetadata
    return {
        "hex_api": HexResource(settings=settings.hex.model_dump(mode="json", exclude_none=True)),
        "openmetadata": OpenMetadataResource(
            settings=catalog.model_dump(mode="json", exclude_none=True) if catalog else {}
        ),
        "table_store": TableStoreResource(path=settings.storage.path),
        "tables": ParquetIOManager(path=settings.storage.path),
    } | {
        resource_key(name): WarehouseResource(
            name=name, settings=found.model_dump(mode="json", exclude_none=True)
        )
        for name, found in settings.warehouses.items()
    }


def _settings_or_none() -> Settings:
    if config_path().is_file():
        return load_settings()
    logging.getLogger("hex_assets").warning(
        "no settings file at %s: no warehouse and no catalog is configured. "
        "Run `hex-assets init` to write one, or `make demo` to see what it does.",
        config_path(),
    )
    return Settings()


def __getattr__(name: str) -> Any:
    """`defs`, made when it is asked for.

    Whoever merges `build_definitions(settings)` into a project of their own imports this module
    too, and must need no settings file for that.
    """
    if name != "defs":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["defs"] = build_definitions(_settings_or_none())
    return globals()["defs"]


def __dir__() -> list[str]:
    """With `defs`, which Dagster looks for here."""
    return sorted({*globals(), "defs"})
