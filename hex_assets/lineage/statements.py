"""The ledger: every distinct statement of a log with what it reads and writes, or why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hex_assets.lineage import cache as kept
from hex_assets.lineage import frames
from hex_assets.lineage.cache import CacheStore
from hex_assets.lineage.comment import FOUND, parse_comment
from hex_assets.lineage.fingerprint import fingerprint
from hex_assets.lineage.log import annotate
from hex_assets.lineage.model import StatementLineage
from hex_assets.lineage.outcome import EngineTables, Outcome, outcome
from hex_assets.lineage.reasons import describe
from hex_assets.lineage.resolve import Catalog, CatalogSchema, Namespace, services_of
from hex_assets.tables import STATEMENTS

Services: TypeAlias = "str | tuple[str, ...] | Mapping[str, str | tuple[str, ...]] | None"
Defaults = Mapping[str, tuple[str | None, str | None]]
"""Warehouse -> (default catalog, default schema) where the log has none."""


@dataclass
class _Analyst:
    """Analyses each fingerprint once, and resolves it once for each namespace and engine log."""

    catalog: Catalog
    cache: CacheStore | None
    lineages: dict[str, tuple[StatementLineage, float]] = field(default_factory=dict)
    outcomes: dict[tuple[Any, ...], int] = field(default_factory=dict)
    results: list[tuple[str, Outcome]] = field(default_factory=list)

    def judged(self, status: str, reason: str) -> int:
        """The result for statements that are not analysed."""
        known = Outcome(status, reason, describe(reason))
        return self._add((status, reason), reason, lambda: known)

    def analysed(
        self, sql: str, where: Namespace, inputs: EngineTables | None, outputs: EngineTables | None
    ) -> int:
        """The result for a text: analysed once for each fingerprint."""
        print_ = fingerprint(sql, where.dialect, where.catalog, where.schema)

        def make() -> Outcome:
            lineage, seconds = self._lineage(sql, print_, where)
            return outcome(lineage, self.catalog, where, inputs, outputs, seconds)

        return self._add((print_, where, inputs, outputs), print_, make)

    def _add(self, key: tuple[Any, ...], print_: str, make: Any) -> int:
        if key not in self.outcomes:
            self.outcomes[key] = len(self.results)
            self.results.append((f"{print_}-{len(self.results)}", make()))
        return self.outcomes[key]

    def _lineage(self, sql: str, print_: str, where: Namespace) -> tuple[StatementLineage, float]:
        key = f"{print_}/{','.join(where.services)}"
        if key not in self.lineages:
            from hex_assets.lineage.sql import extract

            started = perf_counter()
            schema = None if self.catalog.empty else CatalogSchema(self.catalog, where)
            found = None
            if self.cache is not None:
                found = kept.load(self.cache, key, schema or _NoSchema())
            if found is None:
                asked = kept.RecordingSchema(schema or _NoSchema())
                try:
                    found = extract(
                        sql, where.dialect, where.catalog, where.schema, asked if schema else None
                    )
                except Exception as error:  # one text never stops a day; the ledger shows it
                    message = f"{type(error).__name__}: {error}"
                    found = StatementLineage(partial=True, reason="internal_error", error=message)
                if self.cache is not None and found.reason != "internal_error":
                    kept.keep(self.cache, key, found, asked)
            self.lineages[key] = found, perf_counter() - started
        return self.lineages[key]


class _NoSchema:
    def columns_of(self, parts: tuple[str, ...]) -> None:
        return None


def derive_statements(
    log: pa.Table,
    catalog: pa.Table | Catalog | None = None,
    *,
    services: Services = None,
    defaults: Defaults | None = None,
    cache: CacheStore | None = None,
    sql: pa.Array | None = None,
) -> pa.Table:
    """One row for each distinct statement of a log, as `tables.STATEMENTS`.

    Args:
        log: rows of `tables.QUERY_LOG`; rows without its tag columns are annotated first.
        catalog: frame of `tables.CATALOG_TABLES`; empty or None: names stay as qualified.
        services: database services to resolve in, for all warehouses or by warehouse.
        defaults: namespace of unqualified names where the log tells none, by warehouse.
        cache: results of other days; what is new is added.
        sql: each row's text without the comment, where the caller has it already.
    """
    if "comment" not in log.column_names or log["comment"].null_count:
        log = annotate(log)
    if log.num_rows == 0:
        return STATEMENTS.empty()
    analyst = _Analyst(catalog if isinstance(catalog, Catalog) else Catalog(catalog), cache)
    groups, count = frames.group([log["warehouse"], log["statement_id"]])
    # Of a statement's rows, one with a project and without failure tells most; then the latest.
    tagged = pc.is_valid(log["project_id"]).to_numpy(zero_copy_only=False)
    failed = pc.equal(log["status"], "failed").to_numpy(zero_copy_only=False)
    ended = log["ended_at"].cast(pa.int64()).to_numpy()
    latest = frames.last_rows(groups, count, np.argsort(ended, kind="stable"))
    telling = frames.last_rows(groups, count, np.lexsort((ended, ~failed, tagged)))
    sample = log.take(pa.array(telling))
    texts = _without_comment(sample) if sql is None else sql.take(pa.array(telling)).to_pylist()
    choice = _analyse(sample, texts, analyst, defaults or {}, services)

    results = _results(analyst).take(pa.array(choice))
    columns: dict[str, Any] = {
        name: sample[name]
        for name in ("warehouse", "statement_id", "dialect", "default_catalog", "default_schema")
    }
    columns["text"] = pa.array(texts, pa.string())
    columns["query_count"] = pa.array(np.bincount(groups, minlength=count))
    columns["sample_query_id"] = log["query_id"].take(pa.array(latest))
    columns["project_ids"] = frames.lists(groups, log["project_id"], count)
    columns.update({name: results[name] for name in results.column_names})
    return pa.table(
        [columns[field.name] for field in STATEMENTS.schema], names=STATEMENTS.schema.names
    ).cast(STATEMENTS.schema)


def _without_comment(sample: pa.Table) -> list[str]:
    return [
        parse_comment(text, dialect).sql
        for text, dialect in zip(
            sample["text"].to_pylist(), sample["dialect"].to_pylist(), strict=True
        )
    ]


def _analyse(
    sample: pa.Table, texts: list[str], analyst: _Analyst, defaults: Defaults, services: Services
) -> list[int]:
    choice = []
    names = ["warehouse", "dialect", "comment", "project_id", "status"]
    names += ["default_catalog", "default_schema", "engine_inputs", "engine_outputs"]
    columns = (sample[name].to_pylist() for name in names)
    for sql, row in zip(texts, zip(*columns, strict=True), strict=True):
        warehouse, dialect, comment, project, status, database, schema, *engine = row
        if project is None:
            code = "malformed" if comment == FOUND else comment
            choice.append(analyst.judged("unresolved", f"comment_{code}"))
        elif status == "failed":
            choice.append(analyst.judged("failed", "query_failed"))
        else:
            own = defaults.get(warehouse, (None, None))
            where = Namespace(
                dialect, database or own[0], schema or own[1], services_of(services, warehouse)
            )
            choice.append(analyst.analysed(sql, where, _engine(engine[0]), _engine(engine[1])))
    return choice


def _engine(value: list[dict[str, Any]] | None) -> EngineTables | None:
    if not value:
        return None
    return tuple((item["table"], tuple(item["columns"] or ())) for item in value)


def _results(analyst: _Analyst) -> pa.Table:
    rows = []
    for identity, result in analyst.results:
        lineage = result.lineage
        rows.append(
            {
                "lineage_id": identity,
                "status": result.status,
                "reason": result.reason,
                "detail": result.detail,
                "sources": lineage.sources,
                "targets": lineage.targets,
                "columns": [{"output": o, "sources": s} for o, s in lineage.columns],
                "source_fqns": result.fqns("read"),
                "target_fqns": result.fqns("write"),
                "not_in_catalog": result.not_in_catalog,
                "ambiguous": result.ambiguous,
                "evidence": result.evidence,
                "seconds": result.seconds,
                "tables": [vars(table) for table in result.tables],
                "uses": [vars(use) for use in result.uses],
            }
        )
    schema = pa.schema([STATEMENTS.schema.field(name) for name in rows[0]])
    return pa.Table.from_pylist(rows, schema=schema)
