"""Names as written in a statement -> tables of the catalog, by the dialect's case rules.

Nothing is guessed: a name that fits two tables, or none, is reported as such.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import pyarrow as pa

# Date suffixes of BigQuery's sharded tables: a day, a month or a year.
_SHARD = re.compile(r"(.*\D)(\d{8}|\d{6}|\d{4})\Z")

NOT_IN_CATALOG, AMBIGUOUS = "not_in_catalog", "ambiguous"

# How an engine stores a name that is written without quotes.
_UPPER = frozenset({"snowflake"})
_LOWER = frozenset(
    {"postgres", "redshift", "trino", "presto", "athena", "databricks", "spark", "hive"}
)
_ANY_CASE = frozenset(
    {"tsql", "fabric", "duckdb", "mysql", "athena", "trino", "presto", "databricks"}
)
# Of some that tell tables apart by case, columns have none.
_LOWER_COLUMNS = frozenset(
    {*_LOWER, *_ANY_CASE, "bigquery", "mysql", "doris", "starrocks", "singlestore", "sqlite"}
)
# Their names have two levels; OpenMetadata's connectors put a database of their own above.
_TWO_LEVELS = frozenset({"clickhouse", "mysql", "doris", "starrocks"})
# Schema of unqualified names where the log tells none (DataHub's Hex source uses the same).
_DEFAULT_SCHEMA = {
    "postgres": "public",
    "redshift": "public",
    "tsql": "dbo",
    "databricks": "default",
    "duckdb": "main",
}


@dataclass(frozen=True)
class Namespace:
    """Where a statement's names are looked up."""

    dialect: str
    catalog: str | None = None
    schema: str | None = None
    services: tuple[str, ...] = ()
    """Database services of the catalog that may hold its tables; empty: all."""


class Resolved(NamedTuple):
    """A table's name, qualified; `fqn` where the catalog has it, `problem` where it should have."""

    table: str
    fqn: str | None = None
    problem: str | None = None
    row: int | None = None


class Catalog:
    """Tables of the catalog, indexed; each look-up costs the same whatever the catalog's size."""

    def __init__(self, tables: pa.Table | None = None) -> None:
        """Index a frame of `tables.CATALOG_TABLES`; None or no rows: no catalog is known."""
        self._tables = tables
        self._by_name: dict[str, list[int]] = defaultdict(list)
        self._by_schema: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._parts: list[tuple[str, str, str, str]] = []
        self._fqns: list[str] = []
        self._databases: set[str] = set()
        self._spellings: dict[int, dict[str, tuple[str, ...]]] = {}
        if tables is None:
            return
        self._fqns = tables["fqn"].to_pylist()
        columns = (tables[name].to_pylist() for name in ("service", "database", "schema", "name"))
        for row, parts in enumerate(zip(*columns, strict=True)):
            self._parts.append(parts)
            self._databases.add(parts[1].lower())
            self._by_name[parts[3].lower()].append(row)
            self._by_schema[parts[2].lower(), parts[3].lower()].append(row)
        self._columns = tables["columns"].combine_chunks()
        kinds = tables["table_type"].to_pylist() if "table_type" in tables.column_names else []
        self._views = {row for row, kind in enumerate(kinds) if kind and "view" in kind.lower()}

    @property
    def empty(self) -> bool:
        """Whether no catalog is known, so that a name which it lacks is no loss."""
        return not self._parts

    def is_view(self, row: int) -> bool:
        """Whether the catalog calls a table a view."""
        return row in self._views

    def resolve(self, parts: tuple[str, ...], where: Namespace) -> Resolved:
        """The table that a name means.

        Args:
            parts: the name as written, quotes removed; an empty part stands for the default.
            where: dialect, defaults and services.
        """
        database, schema, name = qualify(parts, where)
        dotted = ".".join(
            fold(part, where.dialect) for part in (database, schema, name) if part is not None
        )
        if self.empty:
            return Resolved(dotted)
        rows = self._candidates(database, schema, name, where)
        if not rows and where.dialect == "bigquery" and name.endswith("*"):
            rows = self._shards(database, schema, name[:-1], where)
        if len(rows) > 1:
            rows = self._exact(rows, database, schema, name, where.dialect) or rows
        if len(rows) == 1:
            row = rows[0]
            return Resolved(".".join(self._parts[row][1:]), self._fqns[row], None, row)
        return Resolved(dotted, None, AMBIGUOUS if rows else NOT_IN_CATALOG)

    def columns(self, row: int) -> tuple[str, ...]:
        """Names of a table's top-level columns, in order."""
        names: list[str] = []
        for column in self._columns[row].as_py():
            if column["name"].split(".", 1)[0] not in names:
                names.append(column["name"])
        return tuple(names)

    def column(self, name: str, row: int | None, dialect: str) -> str:
        """The one spelling of a column: the catalog's, else as the engine stores it.

        Args:
            name: the column as written, without quotes, or a path into it, or `*`.
            row: the catalog's row of its table, if it has one.
            dialect: of the statement.
        """
        folded = fold_column(name, dialect)
        if row is None or not (dialect in _UPPER or dialect in _LOWER_COLUMNS):
            return folded
        stored = self._stored(row).get(name.casefold(), ())
        return name if name in stored else (stored[0] if len(stored) == 1 else folded)

    def _stored(self, row: int) -> dict[str, tuple[str, ...]]:
        """A table's columns, nested ones too, by their names without case."""
        found = self._spellings.get(row)
        if found is None:
            found = self._spellings[row] = {}
            for column in self._columns[row].as_py():
                key = column["name"].casefold()
                found[key] = (*found.get(key, ()), column["name"])
        return found

    def _candidates(
        self, database: str | None, schema: str | None, name: str, where: Namespace
    ) -> list[int]:
        if schema is None:
            rows = self._by_name.get(name.lower(), [])
        else:
            rows = self._by_schema.get((schema.lower(), name.lower()), [])
        if database and where.dialect == "athena" and database.lower() not in self._databases:
            database = None  # OpenMetadata's Athena connector names the database itself
        return [row for row in rows if self._fits(row, (database, schema, name), where)]

    def _shards(
        self, database: str | None, schema: str | None, prefix: str, where: Namespace
    ) -> list[int]:
        """What stands in the catalog for date-sharded tables: `events_YYYYMMDD` or the newest.

        OpenMetadata lists each shard or, by a setting, one of them. One row for each dataset:
        more than one is ambiguous.
        """
        rows = self._candidates(database, schema, f"{prefix}YYYYMMDD", where)
        if rows:
            return rows
        newest: dict[tuple[str, ...], int] = {}
        for row in self._families.get(prefix, []):
            if self._fits(row, (database, schema, self._parts[row][3]), where):
                owner = self._parts[row][:3]
                if owner not in newest or self._parts[row][3] > self._parts[newest[owner]][3]:
                    newest[owner] = row
        return list(newest.values())

    @cached_property
    def _families(self) -> dict[str, list[int]]:
        """Rows of date-sharded tables by the prefix of their names."""
        families: dict[str, list[int]] = defaultdict(list)
        for row, parts in enumerate(self._parts):
            if shard := _SHARD.match(parts[3]):
                families[shard[1]].append(row)
        return families

    def _fits(self, row: int, written: tuple[str | None, ...], where: Namespace) -> bool:
        service, *actual = self._parts[row]
        if where.services and service not in where.services:
            return False
        return all(
            part is None or _same(part, stored, where.dialect)
            for part, stored in zip(written, actual, strict=True)
        )

    def _exact(
        self, rows: list[int], database: str | None, schema: str | None, name: str, dialect: str
    ) -> list[int]:
        """Those whose case is as written, where that is also how the engine stores the name."""
        written = (database, schema, name)
        foldable = dialect in _UPPER or (dialect in _LOWER and dialect not in _ANY_CASE)
        if foldable and any(part and fold(part, dialect) != part for part in written):
            return []
        return [
            row
            for row in rows
            if all(
                part is None or part == stored
                for part, stored in zip(written, self._parts[row][1:], strict=True)
            )
        ]


@dataclass(frozen=True)
class CatalogSchema:
    """The engine's view of the catalog: columns by a name as written."""

    catalog: Catalog
    where: Namespace

    def columns_of(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """Column names of a table; None if the catalog lacks it or the name fits two tables."""
        row = self.catalog.resolve(parts, self.where).row
        return None if row is None else (self.catalog.columns(row) or None)


def qualify(parts: tuple[str, ...], where: Namespace) -> tuple[str | None, str | None, str]:
    """Database, schema and name of a written name; None where neither text nor defaults tell."""
    name = parts[-1]
    schema = (parts[-2] if len(parts) > 1 else None) or None
    database = (".".join(parts[:-2]) if len(parts) > 2 else None) or None
    if where.dialect in _TWO_LEVELS:
        return None, schema or where.schema or where.catalog, name
    if schema is None and len(parts) > 2 and where.dialect == "snowflake":
        schema = "PUBLIC"  # of db..t, by Snowflake's documentation of object names
    if schema is None:
        schema = where.schema or _DEFAULT_SCHEMA.get(where.dialect)
    return database or where.catalog, schema, name


def fold(part: str, dialect: str) -> str:
    """A name's case as the engine stores it; a name that needs quotes keeps its own.

    Names come without their quotes, so `"Orders"` and `Orders` are one here. A quoted name in
    mixed case still finds its table by its exact case; two tables of the catalog that differ in
    case only are reported as ambiguous unless the name as written can mean just one of them.
    """
    if not _is_plain(part):
        return part
    if dialect in _UPPER:
        return part.upper()
    if dialect == "mysql":
        return part  # depends on the server's file system
    return part.lower() if dialect in _LOWER or dialect in _ANY_CASE else part


def fold_column(name: str, dialect: str) -> str:
    """`fold` for a column: in fewer engines its case matters than that of a table.

    A dot leads into a struct; in Snowflake and PostgreSQL only a name in quotes has one.
    """
    if dialect in _UPPER:
        return fold(name, dialect)
    if dialect not in _LOWER_COLUMNS:
        return name
    if _is_plain(name):
        return name.lower()
    if dialect == "postgres":
        return name
    return ".".join(part.lower() if _is_plain(part) else part for part in name.split("."))


def _is_plain(part: str) -> bool:
    """Whether a name needs no quotes; a dollar sign may stand in it."""
    return part.replace("$", "_").isidentifier()


def _same(written: str, stored: str, dialect: str) -> bool:
    if dialect in _ANY_CASE:
        return written.lower() == stored.lower()
    if dialect in _UPPER or dialect in _LOWER:
        # Mixed case exists only in quotes; catalogs that store one case throughout are common.
        return stored in (written, written.upper(), written.lower())
    return written == stored


def services_of(value: object, warehouse: str) -> tuple[str, ...]:
    """The services of a warehouse from a name, several names, or a mapping by warehouse."""
    if isinstance(value, dict):
        value = value.get(warehouse)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, Collection) else ()
