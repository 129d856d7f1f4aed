"""`hex/cells`: the cells of the workspace's projects, asked for where a project was edited."""

import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from hex_assets.assets.failures import told_plainly
from hex_assets.assets.metadata import definition_metadata, markdown_table, row_count, sample
from hex_assets.assets.names import Names
from hex_assets.assets.retries import NETWORK_RETRIES
from hex_assets.hex.errors import HexForbidden, HexNotFound
from hex_assets.hex.models import COMPONENT_IMPORT
from hex_assets.partitions import day_bounds
from hex_assets.resources import HexResource, TableStoreResource
from hex_assets.storage.io_manager import BatchStream
from hex_assets.storage.store import KeyPath, TableStore
from hex_assets.tables import CELLS

if TYPE_CHECKING:
    from hex_assets.hex.client import HexClient

PROGRESS_SECONDS = 15.0
"""A long fetch tells how far it is this often; Hex's limit makes it one project in two seconds."""
SHOWN = 50
"""Failed projects and notes that the metadata shows; all of them are counted and logged."""

COMPLETE = b"hex_assets.complete_projects"
"""Metadata of a stored table: ids of the projects whose cells it has whole, those without any too.
A project without cells has no row that could tell so."""

Row = Mapping[str, Any]


class CellsConfig(dg.Config):
    """Options of a run."""

    refresh: bool = False
    """Ask for the cells of every project again, and overwrite days that were observed before."""


@dataclass
class Harvest:
    """The cells of a run and where they come from."""

    tables: list[pa.Table] = field(default_factory=lambda: [CELLS.empty()])
    fetched: int = 0
    carried: int = 0
    resumed: int = 0
    skipped: int = 0
    failed: list[tuple[str, str, str]] = field(default_factory=list)
    """Title, id and reason of each project whose cells Hex does not give."""
    complete: set[str] = field(default_factory=set)
    """Ids of the projects whose cells are here whole."""
    notes: list[str] = field(default_factory=list)

    def table(self) -> pa.Table:
        """All cells, by project and position."""
        joined = pa.concat_tables(self.tables)
        return joined.sort_by([("project_id", "ascending"), ("position", "ascending")])


def cells_asset(names: Names, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset of cells."""

    @dg.asset(
        key=names.cells,
        group_name="hex",
        kinds={"hex", "parquet"},
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=NETWORK_RETRIES,
        io_manager_key="tables",
        deps=[names.projects],
        metadata=definition_metadata(CELLS),
        description=(
            "The cells of each project's draft, or, by the setting cellsOf, of its published "
            "version. Hex allows 30 requests a minute, so only projects "
            "edited since the newest snapshot are asked for, and a run that broke off is taken up "
            "where it stopped. Archived and trashed projects are left out. Like hex/projects this "
            "is the current state: a day that was observed is kept."
        ),
    )
    def cells(
        context: dg.AssetExecutionContext,
        config: CellsConfig,
        hex_api: HexResource,
        table_store: TableStoreResource,
    ) -> dict[str, BatchStream]:
        store, key = table_store.store, names.cells.path
        newest = days.get_last_partition_key()
        kept = {
            day: _kept(store.read(key, day))
            for day in context.partition_keys
            if day != newest and not config.refresh and store.has(key, day)
        }
        for day, table in kept.items():
            context.add_asset_metadata(_described(table) | {"kept": True}, partition_key=day)
        if not (to_write := [day for day in context.partition_keys if day not in kept]):
            context.log.info("every day of the run was observed before and is kept")
            return {day: _stream(table) for day, table in kept.items()}
        projects = _newest_projects(store, names)
        published = hex_api.parsed().cellsOf == "published"
        stored = store.newest(key)
        # A refresh must not take up what an earlier run left behind, only its own tries.
        pieces = [*key, "fetched", *([context.run.run_id] if config.refresh else [])]
        with told_plainly(), hex_api.client() as client:
            harvest = _harvest(
                context.log,
                client,
                _as_of_publication(projects) if published else projects,
                CELLS.empty() if config.refresh or stored is None else CELLS.conform(stored[1]),
                store,
                pieces,
                published,
            )
        created = {row["project_id"]: row["created_at"] for row in projects}
        snapshots = {day: _existing(harvest, created, day) for day in to_write}
        for day, table in snapshots.items():
            context.add_asset_metadata(_described(table) | _summary(harvest), partition_key=day)
        streams = {day: _stream(table) for day, table in (kept | snapshots).items()}
        # The pieces go when the last day of the run is written, not before.
        last = context.partition_keys[-1]
        done = _then_delete(streams[last].batches, store, [*key, "fetched"])
        return streams | {last: BatchStream(streams[last].schema, done)}

    return cells


def _newest_projects(store: TableStore, names: Names) -> list[Row]:
    newest = store.newest(names.projects.path)
    if newest is None:
        raise dg.Failure(
            description=(
                f"no snapshot of {names.projects.to_user_string()} is stored: materialize it "
                f"before {names.cells.to_user_string()}"
            ),
            allow_retries=False,
        )
    columns = ["project_id", "title", "last_edited_at", "created_at", "archived_at", "trashed_at"]
    rows: list[Row] = newest[1].select([*columns, "last_published_at"]).to_pylist()
    return rows


def _as_of_publication(projects: Sequence[Row]) -> list[Row]:
    """A publication changes the published cells without an edit: the later of both counts."""
    return [
        {**row, "last_edited_at": max(row["last_edited_at"], row["last_published_at"])}
        if row["last_edited_at"] and row["last_published_at"]
        else row
        for row in projects
    ]


def _harvest(
    log: Any,
    client: "HexClient",
    projects: Sequence[Row],
    stored: pa.Table,
    store: TableStore,
    pieces: KeyPath,
    published: bool,
) -> Harvest:
    """Take what is up to date from the pieces and the stored rows, and ask Hex for the rest."""
    from hex_assets.hex.frames import read_cells

    alive = [row for row in projects if row["archived_at"] is None and row["trashed_at"] is None]
    resumed = pa.concat_tables(
        [CELLS.empty(), *(CELLS.conform(store.read(pieces, name)) for name in store.days(pieces))]
    )
    from_pieces = up_to_date(alive, resumed)
    from_stored = up_to_date(alive, stored) - from_pieces
    harvest = Harvest(
        [CELLS.empty(), _of(resumed, from_pieces), _of(stored, from_stored)],
        carried=len(from_stored),
        resumed=len(from_pieces),
        complete=from_pieces | from_stored,
        skipped=len(projects) - len(alive),
    )
    missing = [row for row in alive if row["project_id"] not in from_pieces | from_stored]
    # The published version takes two calls.
    rate = client.api_group_requests_per_minute / (2 if published else 1)
    log.info(
        f"cells of {len(missing)} projects to fetch, {estimate(len(missing), rate)} at {rate:g} "
        f"requests a minute; {len(from_stored)} projects were not edited since, "
        f"{len(from_pieces)} were fetched by a try that broke off, {harvest.skipped} archived or "
        "in the trash"
    )
    began = told = time.monotonic()
    for number, row in enumerate(missing, start=1):
        project_id = row["project_id"]
        try:
            found = read_cells(
                client,
                project_id,
                datetime.now(timezone.utc),
                row["last_edited_at"],
                published=published and row["last_published_at"] is not None,
            )
        except (HexForbidden, HexNotFound) as error:
            harvest.failed.append((row["title"], project_id, str(error)))
            # Hex shows the project and not its cells: what was known of it is not taken away.
            harvest.tables.append(_of(stored, {project_id}))
            log.warning(f"no cells of {row['title']!r} ({project_id}): {error}")
            continue
        store.write(pieces, quote(project_id, safe=""), found.table.to_batches(), CELLS.schema)
        harvest.fetched += 1
        harvest.complete.add(project_id)
        harvest.tables.append(found.table)
        for note in found.notes:
            harvest.notes.append(note)
            log.warning(note)
        if (now := time.monotonic()) - told >= PROGRESS_SECONDS:
            told = now
            left = max(
                (len(missing) - number) / rate, (len(missing) / number - 1) * (now - began) / 60
            )
            log.info(f"cells of {number} of {len(missing)} projects, about {left:.0f} min to go")
    log.info(
        f"cells of {harvest.fetched} projects fetched in {time.monotonic() - began:.0f} s, "
        f"{len(harvest.failed)} refused"
    )
    return harvest


def up_to_date(projects: Sequence[Row], cells: pa.Table) -> set[str]:
    """Projects whose known cells were asked for after the project's last edit.

    A project without cells has no row to tell, so it is asked for again: one call.
    """
    known = cells.select(["project_id", "project_last_edited_at"])
    edits = dict(zip(*(column.to_pylist() for column in known.columns), strict=True))
    return {
        row["project_id"]
        for row in projects
        if row["last_edited_at"] is not None
        and edits.get(row["project_id"]) == row["last_edited_at"]
    }


def estimate(calls: int, per_minute: float) -> str:
    """How long that many calls take; the first minute's calls need not wait."""
    minutes = math.ceil(calls / per_minute) - 1
    return "under a minute" if minutes < 1 else f"about {minutes} min"


def _of(cells: pa.Table, projects: set[str]) -> pa.Table:
    return cells.filter(pc.is_in(cells["project_id"], pa.array(sorted(projects), pa.string())))


def complete_projects(cells: pa.Table) -> frozenset[str] | None:
    """Ids of the projects whose cells a stored table has whole; None: it was stored without."""
    told = (cells.schema.metadata or {}).get(COMPLETE)
    return None if told is None else frozenset(json.loads(told))


def _with_complete(cells: pa.Table, projects: Iterable[str] | None) -> pa.Table:
    if projects is None:
        return cells
    return cells.replace_schema_metadata({COMPLETE: json.dumps(sorted(projects)).encode()})


def _kept(stored: pa.Table) -> pa.Table:
    return _with_complete(CELLS.conform(stored), complete_projects(stored))


def _existing(harvest: Harvest, created: Mapping[str, datetime], day: str) -> pa.Table:
    """The cells of projects that existed by the end of a day."""
    end = day_bounds(day)[1]
    there = {project for project, at in created.items() if at < end}
    return _with_complete(_of(harvest.table(), there), harvest.complete & there)


def _stream(table: pa.Table) -> BatchStream:
    return BatchStream(table.schema, table.to_batches())


def _then_delete(batches: Any, store: TableStore, pieces: KeyPath) -> Iterator[pa.RecordBatch]:
    yield from batches
    store.delete_all(pieces)


def _described(table: pa.Table) -> dict[str, Any]:
    kinds = Counter(table["cell_type"].to_pylist())
    imports = table.filter(pc.equal(table["cell_type"], COMPONENT_IMPORT))
    return row_count(table) | {
        "project_count": pc.count_distinct(table["project_id"]).as_py(),
        "unknown_component_count": imports["component_id"].null_count,
        "cells_by_type": markdown_table(("cell type", "cells"), kinds.most_common()),
        "sample": sample(table, ["project_id", "cell_type", "label", "url"]),
    }


def _summary(harvest: Harvest) -> dict[str, Any]:
    return {
        "fetched_count": harvest.fetched,
        "carried_count": harvest.carried,
        "resumed_count": harvest.resumed,
        "skipped_count": harvest.skipped,
        "failed_count": len(harvest.failed),
        "failed": markdown_table(("project", "id", "reason"), harvest.failed[:SHOWN]),
        "notes": harvest.notes[:SHOWN],
    }
