"""The demo's way through the product, and what it prints."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from hex_assets.demo import workspace
from hex_assets.demo.servers import WAREHOUSE, Demo
from hex_assets.lineage import merge_edges
from hex_assets.openmetadata.client import OpenMetadataClient, by_name
from hex_assets.storage.store import TableStore
from hex_assets.tables import QUERY_LOG, STATEMENTS

PROJECTS, EDGES = ("hex", "projects"), ("lineage", "edges")
LOG, LEDGER = ("query_log", WAREHOUSE), ("lineage", "statements")
PUBLICATION = ("openmetadata", "publication")


def tour(demo: Demo, console: Console) -> None:
    """Materialize, let the sensor publish, publish again, and show what came of it."""
    started = time.monotonic()
    today = datetime.now(timezone.utc).date()
    first, last = ((today - timedelta(days=days)).isoformat() for days in (workspace.DAYS, 1))
    console.print(
        f"{len(workspace.PROJECTS)} projects and components in Hex; "
        f"{demo.executed_count} statements really ran in ClickHouse; "
        f"{len(workspace.CATALOG_TABLES)} tables in the catalog."
    )
    selection = "* and not group:publish"
    _step(
        console,
        f"dagster asset materialize -m hex_assets.definitions --select '{selection}' "
        f"--partition-range {first}...{last}",
    )
    _materialize(demo, selection, first, last)
    _step(console, "the publish sensor looks for days whose edges are not published")
    launched = _let_sensor_publish(console)
    if launched == 0:
        raise click.ClickException("the publish sensor launched nothing")
    writes = sum(demo.openmetadata.writes.values())

    store = TableStore(str(demo.folder / "tables"))
    _print_read(console, store)
    statements = _all(store, LEDGER, STATEMENTS.empty())
    edges = merge_edges(store.read(EDGES, day) for day in store.days(EDGES))
    _print_derived(console, statements, edges)
    receipts = store.read(PUBLICATION, last)
    _print_gaps(console, statements, receipts)
    _print_published(console, receipts, writes)
    _print_tree(console, demo, edges)

    _step(console, "the same once more: read again, derive again, publish again")
    _materialize(demo, "*", last, last)
    again = sum(demo.openmetadata.writes.values()) - writes
    console.print(f"[bold]The second run wrote {again} entities and edges to the catalog.[/bold]")
    if again:
        raise click.ClickException("a run with nothing new must write nothing")
    _print_next(console, demo, time.monotonic() - started)


def _step(console: Console, text: str) -> None:
    console.print(f"\n[bold cyan]>[/bold cyan] {text}", soft_wrap=True)


def _materialize(demo: Demo, selection: str, first: str, last: str) -> None:
    """The real command line, in a process of its own; its log goes to a file."""
    span = ["--partition", first] if first == last else ["--partition-range", f"{first}...{last}"]
    log = demo.folder / "materialize.log"
    with log.open("a") as file:
        code = subprocess.call(
            [
                *(sys.executable, "-m", "dagster", "asset", "materialize"),
                *("-m", "hex_assets.definitions", "--select", selection, *span),
            ],
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=demo.folder,
        )
    if code:
        raise click.ClickException(f"dagster ended with code {code}; its log is in {log}")


def _let_sensor_publish(console: Console) -> int:
    """Evaluate the real sensor on the instance and execute the runs that it asks for."""
    import dagster as dg

    from hex_assets.definitions import build_definitions
    from hex_assets.settings import load_settings

    definitions = build_definitions(load_settings())
    repository = definitions.get_repository_def()
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    launched = 0
    with dg.DagsterInstance.get() as instance:
        context = dg.build_sensor_context(instance=instance, repository_def=repository)
        tick = repository.get_sensor_def("publish_sensor").evaluate_tick(context)
        for request in tick.run_requests or []:
            result = repository.get_job("publish").execute_in_process(
                instance=instance, tags=request.tags, run_config=quiet, raise_on_error=False
            )
            if not result.success:
                raise click.ClickException(f"the publication failed: run {result.run_id}")
            launched += 1
            console.print(
                f"  launched run {result.run_id[:8]} for {str(request.run_key).split('@')[0]}"
            )
    return launched


def _all(store: TableStore, key: tuple[str, ...], empty: pa.Table) -> pa.Table:
    return pa.concat_tables([empty, *(store.read(key, day) for day in store.days(key))])


def _print_read(console: Console, store: TableStore) -> None:
    log = _all(store, LOG, QUERY_LOG.empty())
    newest = store.newest(PROJECTS)
    assert newest is not None  # the run that stored it ended well
    projects = newest[1].to_pylist()
    kinds = Counter(row["project_type"] for row in projects)
    comments = Counter(log["comment"].to_pylist())
    _facts(
        console,
        "Read",
        {
            "projects": kinds["PROJECT"],
            "components": kinds["COMPONENT"],
            "archived or trashed": sum(
                bool(row["archived_at"] or row["trashed_at"]) for row in projects
            ),
            f"queries of Hex, {len(store.days(LOG))} days": comments["found"],
            "texts that the log cut": pc.sum(log["truncated"]).as_py() or 0,
        },
    )


def _print_derived(console: Console, statements: pa.Table, edges: pa.Table) -> None:
    distinct = {row["statement_id"]: row["status"] for row in statements.to_pylist()}
    statuses = Counter(distinct.values())
    on_tables = [row for row in edges.to_pylist() if row["column"] is None]
    _facts(
        console,
        "Derived",
        {
            "distinct statements": len(distinct),
            **{f"  {status}": count for status, count in sorted(statuses.items())},
            "table edges, read": sum(row["direction"] == "read" for row in on_tables),
            "table edges, written": sum(row["direction"] == "write" for row in on_tables),
            "column edges": edges.num_rows - len(on_tables),
            "projects with lineage": len({row["project_id"] for row in on_tables}),
        },
    )


def _print_gaps(console: Console, statements: pa.Table, receipts: pa.Table) -> None:
    table = Table(title="Not resolved, and why", title_justify="left", title_style="bold")
    for header in ("what", "reason", "example"):
        table.add_column(header, overflow="fold", max_width=70)
    gaps: dict[str, dict[str, Any]] = {}
    for row in statements.to_pylist():
        if row["reason"] is not None:
            gaps.setdefault(row["reason"], row | {"ids": set()})["ids"].add(row["statement_id"])
    for reason, row in sorted(gaps.items()):
        table.add_row(_plural(len(row["ids"]), "statement"), reason, _shortly(row["detail"]))
    kinds = Counter(
        (row["entity_type"], row["operation"], row["reason"])
        for row in receipts.to_pylist()
        if row["operation"] in ("skipped", "failed")
    )
    for (kind, operation, reason), count in sorted(kinds.items()):
        table.add_row(_plural(count, kind), operation, _shortly(reason))
    console.print(table)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("s" if count > 1 and noun != "lineage" else "")


def _shortly(text: str | None) -> str:
    line = re.sub(r"\s+", " ", text or "")
    return line if len(line) <= 140 else f"{line[:137]}..."


def _print_published(console: Console, receipts: pa.Table, writes: int) -> None:
    table = Table(title="Published to OpenMetadata", title_justify="left", title_style="bold")
    operations = ("created", "updated", "unchanged", "removed", "skipped", "failed")
    table.add_column("entity type")
    for operation in operations:
        table.add_column(operation, justify="right")
    rows = receipts.to_pylist()
    for kind in dict.fromkeys(row["entity_type"] for row in rows):
        counts = Counter(row["operation"] for row in rows if row["entity_type"] == kind)
        table.add_row(kind, *(str(counts[name] or "") for name in operations))
    console.print(table)
    console.print(f"{writes} writes to the catalog.")


def _print_tree(console: Console, demo: Demo, edges: pa.Table) -> None:
    """One project's upstream tables, read back from the catalog."""
    reads = Counter(
        row["project_id"]
        for row in edges.to_pylist()
        if row["column"] is None and row["table_fqn"] and row["direction"] == "read"
    )
    project_id = max(sorted(reads), key=lambda found: reads[found])
    client = OpenMetadataClient(f"{demo.openmetadata.url}/api", _token(demo))
    dashboard = client.get(by_name("/dashboards", f"hex.{project_id}"))
    graph = client.get(f"/lineage/dashboard/{dashboard['id']}", upstreamDepth=3, downstreamDepth=1)
    names = {node["id"]: node for node in graph["nodes"]}
    upstream: dict[str, list[str]] = {}
    for edge in graph["upstreamEdges"]:
        upstream.setdefault(_id(edge["toEntity"]), []).append(_id(edge["fromEntity"]))
    tree = Tree(f"[bold]{dashboard['displayName']}[/bold]  (dashboard, as the catalog shows it)")
    _grow(tree, dashboard["id"], upstream, names, seen={dashboard["id"]})
    console.print(tree)


def _grow(
    branch: Tree,
    entity_id: str,
    upstream: dict[str, list[str]],
    names: dict[str, Any],
    seen: set[str],
) -> None:
    for source in sorted(set(upstream.get(entity_id, ())), key=lambda i: _label(names, i)):
        twig = branch.add(f"<- {_label(names, source)}")
        if source not in seen:
            _grow(twig, source, upstream, names, seen | {source})


def _label(names: dict[str, Any], entity_id: str) -> str:
    node = names.get(entity_id, {})
    shown = node.get("displayName") if node.get("type") != "table" else None
    return (
        f"{shown or node.get('fullyQualifiedName', entity_id)}  [dim]{node.get('type', '')}[/dim]"
    )


def _id(end: Any) -> str:
    return str(end["id"] if isinstance(end, dict) else end)


def _token(demo: Demo) -> str:
    return demo.environment()["OPENMETADATA_JWT_TOKEN"]


def _facts(console: Console, title: str, facts: dict[str, int]) -> None:
    table = Table(title=title, show_header=False, title_justify="left", title_style="bold")
    table.add_column()
    table.add_column(justify="right")
    for name, value in facts.items():
        table.add_row(name, str(value))
    console.print(table)


def _print_next(console: Console, demo: Demo, seconds: float) -> None:
    console.print(f"\nDone in {seconds:.0f} s; tables and history are in {demo.folder.name}/.")
    console.print(
        "Next:\n"
        "  make ui      look at the graph, the partitions and the metadata in the Dagster UI\n"
        "  make serve   keep the servers running, and try the commands of the README\n"
        "  README.md    connect your own Hex workspace, warehouses and catalog"
    )
