"""`hex/queried_tables`: Hex's own list of what a project queried, where the plan has it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from hex_assets.assets.cells import PROGRESS_SECONDS, estimate
from hex_assets.assets.failures import told_plainly
from hex_assets.assets.metadata import definition_metadata, row_count, sample
from hex_assets.assets.names import Names
from hex_assets.assets.retries import NETWORK_RETRIES
from hex_assets.hex.errors import HexForbidden, HexNotFound, HexUnprocessable
from hex_assets.partitions import day_bounds
from hex_assets.resources import HexResource, TableStoreResource
from hex_assets.storage.store import KeyPath, TableStore
from hex_assets.tables import QUERIED_TABLES

if TYPE_CHECKING:
    from hex_assets.hex.client import HexClient

Row = Mapping[str, Any]
CHANGES = ("last_edited_at", "last_published_at")
"""A project is asked for again when one of these has changed."""


@dataclass
class Listed:
    """What Hex lists, and what it does not."""

    tables: list[pa.Table] = field(default_factory=lambda: [QUERIED_TABLES.empty()])
    asked: int = 0
    carried: int = 0
    not_told: list[str] = field(default_factory=list)
    """Why Hex tells nothing, for one project or, by plan and token, for all."""

    def table(self) -> pa.Table:
        """All rows, by project and name."""
        joined = pa.concat_tables(self.tables)
        return joined.sort_by([("project_id", "ascending"), ("table_name", "ascending")])


def queried_tables_asset(names: Names, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset of Hex's lists."""

    @dg.asset(
        key=names.queried_tables,
        group_name="hex",
        kinds={"hex", "parquet"},
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=NETWORK_RETRIES,
        io_manager_key="tables",
        deps=[names.projects],
        metadata=definition_metadata(QUERIED_TABLES),
        description=(
            "Hex's own list of the tables that each published project queried, a cross-check of "
            "what the logs show. Hex gives it to the Enterprise plan only; without it this table "
            "is empty and the run says so. A project is asked for again when it was edited or "
            "published. This is the current state: a day that was observed is kept."
        ),
    )
    def queried_tables(
        context: dg.AssetExecutionContext,
        hex_api: HexResource,
        table_store: TableStoreResource,
    ) -> dict[str, pa.Table]:
        store, key = table_store.store, names.queried_tables.path
        newest_day = days.get_last_partition_key()
        found = {
            day: QUERIED_TABLES.conform(store.read(key, day))
            for day in context.partition_keys
            if day != newest_day and store.has(key, day)
        }
        if set(found) == set(context.partition_keys):
            context.log.info("every day of the run was observed before and is kept")
        else:
            projects = _published(store, names)
            stored = store.newest(key)
            known = QUERIED_TABLES.conform(stored[1]) if stored else QUERIED_TABLES.empty()
            pieces = [*key, "fetched"]
            with told_plainly(), hex_api.client() as client:
                listed = _list(context.log, client, projects, known, store, pieces)
            created = {row["project_id"]: row["created_at"] for row in projects}
            for day in context.partition_keys:
                if day not in found:
                    found[day] = _existing(listed.table(), created, day)
                    context.add_asset_metadata(_counts(listed), partition_key=day)
            store.delete_all(pieces)
        for day, table in found.items():
            context.add_asset_metadata(_described(table), partition_key=day)
        return found

    return queried_tables


def _published(store: TableStore, names: Names) -> list[Row]:
    """The newest snapshot's projects that may have a list: published, neither archived nor gone."""
    newest = store.newest(names.projects.path)
    if newest is None:
        raise dg.Failure(
            description=(
                f"no snapshot of {names.projects.to_user_string()} is stored: materialize it "
                f"before {names.queried_tables.to_user_string()}"
            ),
            allow_retries=False,
        )
    columns = ["project_id", "title", "created_at", "archived_at", "trashed_at", *CHANGES]
    rows: list[Row] = newest[1].select(columns).to_pylist()
    return [
        row
        for row in rows
        if row["last_published_at"] and not row["archived_at"] and not row["trashed_at"]
    ]


def _list(
    log: Any,
    client: "HexClient",
    projects: Sequence[Row],
    known: pa.Table,
    store: TableStore,
    pieces: KeyPath,
) -> Listed:
    """Take over what is up to date, stored or fetched by a try that broke off, and ask the rest."""
    fetched = [QUERIED_TABLES.conform(store.read(pieces, name)) for name in store.days(pieces)]
    known = pa.concat_tables([*fetched, _of(known, exclude=_ids(fetched))])
    current = {row["project_id"] for row in projects} & _unchanged(projects, known)
    listed = Listed([QUERIED_TABLES.empty(), _of(known, current)], carried=len(current))
    missing = [row for row in projects if row["project_id"] not in current]
    rate = client.requests_per_minute
    log.info(
        f"queried tables of {len(missing)} projects to ask for, {estimate(len(missing), rate)} at "
        f"{rate:g} requests a minute; {len(current)} projects have not changed since"
    )
    told = time.monotonic()
    for number, row in enumerate(missing, start=1):
        project_id = row["project_id"]
        try:
            tables = client.list_queried_tables(project_id)
        except HexForbidden as error:
            # Plan and scope hold for all projects: no second call is needed to know.
            listed.not_told.append(str(error))
            log.warning(f"Hex does not tell which tables its projects queried: {error}")
            listed.tables.append(_of(known, {row["project_id"] for row in missing[number - 1 :]}))
            break
        except (HexNotFound, HexUnprocessable) as error:
            listed.not_told.append(str(error))
            log.warning(f"no list of queried tables of {row['title']!r} ({project_id}): {error}")
            listed.tables.append(_of(known, {project_id}))
            continue
        # A project with an empty list has one row without a table: that is an answer, too.
        answers: list[tuple[str | None, str | None]] = [
            (each.table_name, each.data_connection_id) for each in tables
        ]
        made = QUERIED_TABLES.from_rows(
            {
                "project_id": project_id,
                "table_name": table_name,
                "connection_id": connection_id,
                "project_last_edited_at": row["last_edited_at"],
                "project_last_published_at": row["last_published_at"],
                "observed_at": datetime.now(timezone.utc),
            }
            for table_name, connection_id in dict.fromkeys(answers or [(None, None)])
        )
        store.write(pieces, quote(project_id, safe=""), made.to_batches(), made.schema)
        listed.asked += 1
        listed.tables.append(made)
        if time.monotonic() - told >= PROGRESS_SECONDS:
            told = time.monotonic()
            log.info(f"queried tables of {number} of {len(missing)} projects")
    return listed


def _unchanged(projects: Sequence[Row], known: pa.Table) -> set[str]:
    """Projects that were asked for since their last edit and publication."""
    columns = ["project_id", *(f"project_{name}" for name in CHANGES)]
    answers = {tuple(row.values()) for row in known.select(columns).to_pylist()}
    return {
        row["project_id"]
        for row in projects
        if (row["project_id"], *(row[name] for name in CHANGES)) in answers
    }


def _ids(tables: Sequence[pa.Table]) -> set[str]:
    return {project for table in tables for project in table["project_id"].to_pylist()}


def _of(
    table: pa.Table, projects: set[str] | None = None, *, exclude: set[str] | None = None
) -> pa.Table:
    chosen = pc.is_in(table["project_id"], pa.array(sorted(projects or exclude or ()), pa.string()))
    return table.filter(chosen if exclude is None else pc.invert(chosen))


def _existing(table: pa.Table, created: Mapping[str, datetime], day: str) -> pa.Table:
    end = day_bounds(day)[1]
    return _of(table, {project for project, at in created.items() if at < end})


def _counts(listed: Listed) -> dict[str, Any]:
    counts: dict[str, Any] = {"asked_count": listed.asked, "carried_count": listed.carried}
    return counts | {"not_told_count": len(listed.not_told), "not_told": listed.not_told[:50]}


def _described(table: pa.Table) -> dict[str, Any]:
    return row_count(table) | {
        "project_count": pc.count_distinct(table["project_id"]).as_py(),
        "table_count": pc.count_distinct(table["table_name"]).as_py(),
        "sample": sample(table, ["project_id", "table_name"]),
    }
