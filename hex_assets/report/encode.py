"""The model as compact text for the page: dictionary-coded columns, deflated, in base64."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from hex_assets.report.data import USAGES, Report

EVIDENCE = ("engine_log", "parsed")


class _Pool:
    """Each distinct string once; rows hold its position, -1 for null."""

    def __init__(self) -> None:
        self.strings: dict[str, int] = {}

    def one(self, value: str | None) -> int:
        return -1 if value is None else self.strings.setdefault(value, len(self.strings))

    def many(self, values: Iterable[str]) -> list[int]:
        return [self.one(value) for value in values]


def encoded(report: Report) -> str:
    """Base64 of the gzipped JSON that `static/model.js` decodes."""
    text = json.dumps(payload(report), ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode()


def payload(report: Report) -> dict[str, Any]:
    """The model by columns; times are whole seconds since 1970, UTC."""
    pool = _Pool()
    tables = {
        "name": [table.name for table in report.tables],
        "key": [table.key for table in report.tables],
        "warehouse": [pool.one(table.warehouse) for table in report.tables],
        "inCatalog": [int(table.in_catalog) for table in report.tables],
        "columns": [pool.many(table.columns) for table in report.tables],
    }
    dead = {project.project_id for project in report.dead_projects()}
    projects = {
        "id": [project.project_id for project in report.projects],
        "title": [project.title for project in report.projects],
        "kind": [pool.one(project.kind) for project in report.projects],
        "known": [int(project.known) for project in report.projects],
        "description": [project.description for project in report.projects],
        "url": [project.url for project in report.projects],
        "owner": [pool.one(project.owner) for project in report.projects],
        "creator": [pool.one(project.creator) for project in report.projects],
        "status": [pool.one(project.status) for project in report.projects],
        "categories": [pool.many(project.categories) for project in report.projects],
        "collections": [pool.many(project.collections) for project in report.projects],
        "views": [project.views for project in report.projects],
        "views30": [project.views_30_days for project in report.projects],
        "viewedAt": [_seconds(project.last_viewed_at) for project in report.projects],
        "editedAt": [_seconds(project.last_edited_at) for project in report.projects],
        "publishedAt": [_seconds(project.last_published_at) for project in report.projects],
        "retired": [pool.one(project.retired) for project in report.projects],
        "statements": [project.statement_count for project in report.projects],
        "gaps": [project.gap_count for project in report.projects],
        "dead": [int(project.project_id in dead) for project in report.projects],
    }
    edges = {
        "project": [edge.project for edge in report.edges],
        "table": [edge.table for edge in report.edges],
        "cell": [pool.one(edge.cell_id) for edge in report.edges],
        "column": [pool.one(edge.column) for edge in report.edges],
        "write": [int(edge.direction == "write") for edge in report.edges],
        "usage": [_bits(edge.usage, USAGES) for edge in report.edges],
        "outputs": [pool.many(edge.output_columns) for edge in report.edges],
        "queries": [edge.query_count for edge in report.edges],
        "first": [_seconds(edge.first_seen_at) for edge in report.edges],
        "last": [_seconds(edge.last_seen_at) for edge in report.edges],
        "users": [pool.many(edge.users) for edge in report.edges],
        "contexts": [pool.many(edge.contexts) for edge in report.edges],
        "sample": [pool.one(edge.sample_query_id) for edge in report.edges],
        "evidence": [_bits(edge.evidence, EVIDENCE) for edge in report.edges],
        "partial": [int(edge.partial) for edge in report.edges],
    }
    return {
        "meta": _meta(report),
        "tables": tables,
        "projects": projects,
        "edges": edges,
        "cells": [
            [project, pool.one(cell_id), cell.label, cell.url]
            for (project, cell_id), cell in report.cells.items()
        ],
        "strings": list(pool.strings),
    }


def _meta(report: Report) -> dict[str, Any]:
    gaps = report.gaps
    return {
        "generatedAt": _seconds(report.generated_at),
        "firstDay": report.window.first_day.isoformat(),
        "lastDay": report.window.last_day.isoformat(),
        "days": report.window.days,
        "storedDays": report.window.stored_days,
        "openmetadata": report.links.openmetadata,
        "dashboardService": report.links.dashboard_service,
        "statements": gaps.statement_count,
        "notWhole": gaps.not_whole_count,
        "reasons": [list(pair) for pair in gaps.reasons],
        "ambiguous": list(gaps.ambiguous),
        "hiddenColumns": gaps.hidden_column_count,
        "noCatalog": gaps.no_catalog,
        "noProjects": gaps.no_projects,
    }


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _bits(values: Iterable[str], names: tuple[str, ...]) -> int:
    return sum(1 << names.index(value) for value in values if value in names)
