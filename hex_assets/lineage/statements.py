"""The ledger: every distinct statement of a log with what it reads and writes, or why not."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hex_assets.lineage import cache as kept
from hex_assets.lineage import frames
from hex_assets.lineage.cache import CacheStore
from hex_assets.lineage.comment import FOUND, without_comment
from hex_assets.lineage.fingerprint import Normaliser, Shape, fingerprint_of
from hex_assets.lineage.log import annotate
from hex_assets.lineage.logged import EngineTables
from hex_assets.lineage.model import StatementLineage
from hex_assets.lineage.outcome import Outcome, outcome
from hex_assets.lineage.reasons import describe
from hex_assets.lineage.resolve import Catalog, CatalogSchema, Namespace, services_of
from hex_assets.tables import STATEMENTS

Services: TypeAlias = "str | tuple[str, ...] | Mapping[str, str | tuple[str, ...]] | None"
Defaults = Mapping[str, tuple[str | None, str | None]]
"""Warehouse -> (default catalog, default schema) where the log has none."""


_OBJECTS_BETWEEN_COLLECTIONS = 50_000


@contextmanager
def collected_rarely() -> Iterator[None]:
    """Syntax trees are cycles, made by the thousand: Python's default of 700 costs a tenth."""
    usual = gc.get_threshold()
    if usual[0] == 0 or usual[0] >= _OBJECTS_BETWEEN_COLLECTIONS:  # off, or another thread's
        yield
        return
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@dataclass(eq=False)
class _Place:
    """What statements of one warehouse and namespace share."""

    where: Namespace
    normaliser: Normaliser


class _Asked(NamedTuple):
    """What a statement's result follows from."""

    place: _Place
    shape: Shape
    inputs: EngineTables | None
    outputs: EngineTables | None


@dataclass
class Analyst:
    """Analyses each fingerprint once, and resolves it once for each namespace and engine log."""

    catalog: Catalog
    services: Services = None
    defaults: Defaults = field(default_factory=dict)
    cache: CacheStore | None = None
    results: list[Outcome] = field(default_factory=list)
    prints: list[str] = field(default_factory=list)
    """The fingerprint of each result."""
    _places: dict[tuple[Any, ...], _Place] = field(default_factory=dict)
    _known: dict[_Asked, int] = field(default_factory=dict)
    _numbers: dict[tuple[Any, ...], int] = field(default_factory=dict)
    _lineages: dict[str, tuple[StatementLineage, float]] = field(default_factory=dict)

    def numbers(self, sample: pa.Table, texts: list[str]) -> list[int]:
        """The number of each statement's result.

        Args:
            sample: a log row for each statement.
            texts: its SQL without the comment.
        """
        names = ("warehouse", "dialect", "default_catalog", "default_schema")
        groups, count = frames.group([sample[name] for name in names])
        firsts = sample.select(names).take(pa.array(frames.first_rows(groups, count)))
        places = [self._place(*row.values()) for row in firsts.to_pylist()]
        comments, projects, statuses = (
            sample[name].to_pylist() for name in ("comment", "project_id", "status")
        )
        engine = (_engine_tables(sample[name]) for name in ("engine_inputs", "engine_outputs"))
        with collected_rarely():
            asked = [
                None
                if project is None or status == "failed"
                else _Asked(places[place], places[place].normaliser.shape(sql), inputs, outputs)
                for sql, place, project, status, inputs, outputs in zip(
                    texts, groups.tolist(), projects, statuses, *engine, strict=True
                )
            ]
            self._analyse(asked, texts)
        return [
            self._judged(comment, status) if one is None else self._known[one]
            for one, comment, status in zip(asked, comments, statuses, strict=True)
        ]

    def _analyse(self, asked: list[_Asked | None], texts: list[str]) -> None:
        """Analyses what is new, one kind of work after the other.

        Going round normaliser, parser and resolver for each text takes a quarter longer: each
        time the processor has lost the code of the next one from its cache.
        """
        new: dict[_Asked, str] = {}
        for one, sql in zip(asked, texts, strict=True):
            if one is not None and one not in self._known:
                new.setdefault(one, sql)
        prints = [_fingerprint(one) for one in new]
        lineages = [
            self._lineage(sql, print_, one.place.where)
            for (one, sql), print_ in zip(new.items(), prints, strict=True)
        ]
        for one, print_, (lineage, seconds) in zip(new, prints, lineages, strict=True):
            where = one.place.where
            key = (print_, where.services, one.inputs, one.outputs)
            number = self._numbers.get(key)
            if number is None:
                found = outcome(lineage, self.catalog, where, one.inputs, one.outputs, seconds)
                number = self._numbers[key] = self._add(print_, found)
            self._known[one] = number

    def _place(
        self, warehouse: str, dialect: str, catalog: str | None, schema: str | None
    ) -> _Place:
        key = (warehouse, dialect, catalog, schema)
        if key not in self._places:
            own = self.defaults.get(warehouse, (None, None))
            services = services_of(self.services, warehouse)
            where = Namespace(dialect, catalog or own[0], schema or own[1], services)
            self._places[key] = _Place(where, Normaliser(dialect))
        return self._places[key]

    def _judged(self, comment: str, status: str) -> int:
        """The result for statements that are not analysed."""
        if status == "failed" and comment == FOUND:
            known = "failed", "query_failed"
        else:
            known = "unresolved", f"comment_{'malformed' if comment == FOUND else comment}"
        number = self._numbers.get(known)
        if number is None:
            outcome_ = Outcome(*known, describe(known[1]))
            number = self._numbers[known] = self._add(known[1], outcome_)
        return number

    def _add(self, print_: str, result: Outcome) -> int:
        self.prints.append(print_)
        self.results.append(result)
        return len(self.results) - 1

    def _lineage(self, sql: str, print_: str, where: Namespace) -> tuple[StatementLineage, float]:
        key = f"{print_}/{','.join(where.services)}"
        if key not in self._lineages:
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
                if self.cache is not None and found.reason not in _NOT_KEPT:
                    kept.keep(self.cache, key, found, asked)
            self._lineages[key] = found, perf_counter() - started
        return self._lineages[key]


# What another run may do better: a mended bug, a machine that is less busy.
_NOT_KEPT = frozenset({"internal_error", "internal", "too_slow", "gave_up"})


def _fingerprint(asked: _Asked) -> str:
    where = asked.place.where
    text = asked.place.normaliser.text_of(asked.shape)
    return fingerprint_of(text, where.dialect, where.catalog, where.schema)


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
    known = catalog if isinstance(catalog, Catalog) else Catalog(catalog)
    analyst = Analyst(known, services, defaults or {}, cache)
    groups, sample, texts = distinct(log, sql)
    count = sample.num_rows
    choice = analyst.numbers(sample, texts)
    latest = frames.last_rows(groups, count, np.argsort(_ended(log), kind="stable"))

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


def distinct(log: pa.Table, sql: pa.Array | None) -> tuple[frames.Numbers, pa.Table, list[str]]:
    """The statement of each row of a log, and of each statement a row and its SQL.

    Of a statement's rows, one with a project, without failure and with the engine's own tables
    tells most; then the latest.
    """
    groups, count = frames.group([log["warehouse"], log["statement_id"]])
    tagged = pc.is_valid(log["project_id"]).to_numpy(zero_copy_only=False)
    failed = pc.equal(log["status"], "failed").to_numpy(zero_copy_only=False)
    logged = pc.or_(pc.is_valid(log["engine_inputs"]), pc.is_valid(log["engine_outputs"]))
    order = np.lexsort((_ended(log), logged.to_numpy(zero_copy_only=False), ~failed, tagged))
    telling = pa.array(frames.last_rows(groups, count, order))
    sample = log.select([*_SAMPLED, *(["text"] if sql is None else [])]).take(telling)
    texts = _without_comment(sample) if sql is None else sql.take(telling).to_pylist()
    return groups, sample, texts


_SAMPLED = (
    *("warehouse", "statement_id", "dialect", "default_catalog", "default_schema"),
    *("comment", "project_id", "status", "engine_inputs", "engine_outputs"),
)


def _ended(log: pa.Table) -> frames.Numbers:
    ended: frames.Numbers = log["ended_at"].cast(pa.int64()).to_numpy()
    return ended


def _without_comment(sample: pa.Table) -> list[str]:
    return [
        without_comment(text, dialect)
        for text, dialect in zip(
            sample["text"].to_pylist(), sample["dialect"].to_pylist(), strict=True
        )
    ]


def _engine_tables(column: pa.ChunkedArray) -> list[EngineTables | None]:
    if column.null_count == len(column):
        return [None] * len(column)
    return [
        tuple((item["table"], tuple(item["columns"] or ())) for item in value) if value else None
        for value in column.to_pylist()
    ]


def _results(analyst: Analyst) -> pa.Table:
    rows = []
    for number, (print_, result) in enumerate(zip(analyst.prints, analyst.results, strict=True)):
        lineage = result.lineage
        rows.append(
            {
                "lineage_id": f"{print_}-{number}",
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
                "tables": [table._asdict() for table in result.tables],
                "uses": [use._asdict() for use in result.uses],
                "written_columns": [written._asdict() for written in result.written],
            }
        )
    schema = pa.schema([STATEMENTS.schema.field(name) for name in rows[0]])
    return pa.Table.from_pylist(rows, schema=schema)
