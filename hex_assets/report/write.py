"""Writes the impact page from the stored tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import fsspec

from hex_assets.report.page import render_page
from hex_assets.report.read import Keys, read_report
from hex_assets.settings import Settings
from hex_assets.storage.store import TableStore, replacing


@dataclass(frozen=True)
class Summary:
    """What a written page holds."""

    path: str
    byte_count: int
    project_count: int
    table_count: int
    edge_count: int
    dead_project_count: int
    not_in_catalog_count: int
    statement_count: int
    not_whole_count: int
    """Statements that were not understood whole: the page may lack their reads."""
    first_day: date
    last_day: date
    stored_days: int


def write_report(
    store: TableStore, keys: Keys, settings: Settings, path: str, *, days: int | None = None
) -> Summary:
    """Write the page; what is at `path` is replaced when the page is complete.

    Args:
        store: where the tables are.
        keys: their keys; `Keys()` without a prefix, `Keys.below(prefix)` with one.
        settings: for the look-back window and the catalog's address.
        path: a file, or any fsspec URL.
        days: length of the window; the settings' by default.

    Raises:
        NothingStored: no day of lineage is stored.
        OSError: the file cannot be written.
    """
    report = read_report(store, keys, settings, days=days)
    content = render_page(report).encode()
    files, place = fsspec.core.url_to_fs(path)
    with replacing(files, place) as file:
        file.write(content)
    return Summary(
        path=path,
        byte_count=len(content),
        project_count=len(report.projects),
        table_count=len(report.tables),
        edge_count=len(report.edges),
        dead_project_count=len(report.dead_projects()),
        not_in_catalog_count=len(report.not_in_catalog()),
        statement_count=report.gaps.statement_count,
        not_whole_count=report.gaps.not_whole_count,
        first_day=report.window.first_day,
        last_day=report.window.last_day,
        stored_days=report.window.stored_days,
    )
