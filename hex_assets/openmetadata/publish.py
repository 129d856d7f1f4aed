"""The one entry point: bring the catalog to the state that Hex and the logs show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pyarrow as pa

from hex_assets.openmetadata.apply import Receipt, apply
from hex_assets.openmetadata.client import OpenMetadataClient
from hex_assets.openmetadata.current import read_current
from hex_assets.openmetadata.desired import desired
from hex_assets.openmetadata.entities import Current
from hex_assets.openmetadata.errors import PublicationFailed, PublicationRefused
from hex_assets.openmetadata.owners import find_owners
from hex_assets.openmetadata.plan import plan
from hex_assets.openmetadata.usage import daily_usage, stored_usage
from hex_assets.openmetadata.vanished import retirement
from hex_assets.settings import OpenMetadataSettings
from hex_assets.tables import RECEIPTS


@dataclass(frozen=True)
class Publication:
    """What a publication did."""

    receipts: pa.Table
    """Rows of `hex_assets.tables.RECEIPTS`."""
    counts: Mapping[str, int]
    """Receipts by operation."""
    notes: tuple[str, ...] = ()
    """What went another way than usual, such as a search that is down."""
    failures: tuple[tuple[str, str, str], ...] = field(default=())
    """Type, name and reason of each failed receipt."""

    @property
    def written_count(self) -> int:
        """Entities and edges that were written."""
        return sum(self.counts.get(name, 0) for name in ("created", "updated", "removed"))

    def raise_failures(self) -> None:
        """End the run with all failures named.

        Raises:
            PublicationFailed: there is a failure.
        """
        if self.failures:
            raise PublicationFailed(self.failures)


def publish(
    client: OpenMetadataClient,
    settings: OpenMetadataSettings,
    *,
    projects: pa.Table,
    edges: pa.Table,
    cells: pa.Table | None = None,
    complete_cells: Collection[str] | None = None,
    statements: pa.Table | None = None,
    catalog: pa.Table | None = None,
    queried_tables: pa.Table | None = None,
    earlier_projects: pa.Table | None = None,
    snapshots: Mapping[date, pa.Table] | None = None,
    previous: pa.Table | None = None,
    listing_complete: bool,
    day: date,
) -> Publication:
    """Publish everything; call `raise_failures()` on the result once its receipts are stored.

    Args:
        client: the server.
        settings: what to publish and how.
        projects: latest rows of hex/projects, each project once.
        edges: rows of lineage/edges of the look-back window.
        cells: rows of hex/cells; None: charts and data models are left alone.
        complete_cells: ids of the projects whose cells are known whole; None: those with rows in
            `cells`. Of any other project no chart, data model or import is taken away.
        statements: rows of lineage/statements, for SQL and output columns.
        catalog: rows of catalog/tables; None: tables are looked up one by one.
        queried_tables: Hex's queriedTables with columns project_id and table_name, a row a table;
            None: Hex was not asked, and edges don't say whether it agrees.
        earlier_projects: the projects as observed the day before, the basis of the day's views.
        snapshots: the projects as observed on several days, by day, the basis of the views of each
            of these days but the first; instead of `earlier_projects`.
        previous: receipts of earlier runs; not needed, as the entities carry what we set.
        listing_complete: `projects` is the whole workspace; else nothing is deleted.
        day: the day that usage is reported for.

    Raises:
        PublicationRefused: a person deleted the service; nothing was written.
        OpenMetadataError: the server's state could not be read whole; nothing was written.
    """
    capabilities = client.capabilities
    wanted = desired(
        projects, edges, settings, capabilities,
        cells=cells, complete_cells=complete_cells, statements=statements, catalog=catalog,
        queried=queried_tables,
    )  # fmt: skip
    if snapshots is None and earlier_projects is not None:
        snapshots = {day - timedelta(days=1): earlier_projects, day: projects}
    if snapshots:
        names = {
            asset.project_id: asset.fqn for asset in wanted.assets if asset.kind == "dashboard"
        }
        wanted = replace(wanted, usage=daily_usage(snapshots, names))
    owners = find_owners(
        client, (asset.owner_email for asset in wanted.assets if asset.owner_email)
    )
    tables = {
        name
        for edge in wanted.edges
        for kind, name in ((edge.from_kind, edge.from_fqn), (edge.to_kind, edge.to_fqn))
        if kind == "table"
    }
    current = read_current(client, wanted.service, tables)
    _check_service(current, wanted.service)
    current = replace(current, usage=stored_usage(client, wanted.usage, current))
    operations = plan(
        wanted, current, settings, capabilities, owners, listing_complete=listing_complete
    )
    return _publication(apply(client, operations, current, dry_run=settings.dryRun), owners.notes)


def retire(client: OpenMetadataClient, settings: OpenMetadataSettings) -> Publication:
    """Take everything of ours out of the catalog: our edges, and softly dashboards and cells."""
    current = read_current(client, settings.serviceName, ())
    return _publication(apply(client, retirement(current), current, dry_run=settings.dryRun), ())


def _check_service(current: Current, name: str) -> None:
    service = current.service
    if service and service.get("deleted") and service.get("updatedBy") != current.bot:
        raise PublicationRefused(
            f"the dashboard service {name} was deleted in the catalog by "
            f"{service.get('updatedBy')}; restore it there, or set another serviceName"
        )


def _publication(rows: Iterable[Receipt], notes: tuple[str, ...]) -> Publication:
    kept: dict[tuple[str, str], Receipt] = {}
    for row in rows:
        # restore and update of one entity are two steps and one receipt; a failure is kept
        key = (row["entity_type"], row["entity"])
        before = kept.get(key)
        if before is None or (
            before["operation"] != "failed" and row["operation"] not in ("unchanged", "skipped")
        ):
            kept[key] = row
    receipts = RECEIPTS.from_rows(kept.values())
    return Publication(
        receipts=receipts,
        counts=dict(Counter(row["operation"] for row in kept.values())),
        notes=notes,
        failures=tuple(
            (row["entity_type"], row["entity"], row["reason"] or "")
            for row in kept.values()
            if row["operation"] == "failed"
        ),
    )
