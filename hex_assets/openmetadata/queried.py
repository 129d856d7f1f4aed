"""Hex's own list of the tables that a project queried, beside what the logs show. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from hex_assets.openmetadata.names import split_fqn

Row = Mapping[str, Any]
Parts = tuple[str, ...]

AGREES = "Hex agrees"
NOT_LISTED = "Hex does not list it"


@dataclass(frozen=True)
class QueriedTables:
    """Names by project, as Hex writes them, and their parts without case.

    Hex's names are dotted, with as many parts as the warehouse has, in no certain case; so a
    name fits a table whose last parts are equal.
    """

    projects: Mapping[str, Mapping[str, Parts]]

    def verdict(self, project_id: str, table_fqn: str) -> str | None:
        """Whether Hex lists the table too; None: Hex told nothing about this project."""
        names = self.projects.get(project_id)
        if names is None:
            return None
        known = _table_parts(table_fqn)
        return AGREES if any(_fits(name, known) for name in names.values()) else NOT_LISTED

    def beyond(self, project_id: str, known: Iterable[str]) -> Iterator[tuple[str, Parts]]:
        """Names and parts of what Hex lists and none of the given tables is."""
        found = [_table_parts(table) for table in known]
        for name, parts in sorted(self.projects.get(project_id, {}).items()):
            if not any(_fits(parts, table) for table in found):
                yield name, parts


def queried_tables(frame: pa.Table | None) -> QueriedTables:
    """Read a frame with columns project_id and table_name; None: Hex was not asked.

    A row without a table is an answer too: Hex lists none for that project.
    """
    projects: defaultdict[str, dict[str, Parts]] = defaultdict(dict)
    for row in frame.select(["project_id", "table_name"]).to_pylist() if frame is not None else ():
        if row["table_name"] is None:
            projects[row["project_id"]] = {}
            continue
        parts = tuple(part.casefold() for part in split_fqn(row["table_name"].replace("`", '"')))
        if parts:
            projects[row["project_id"]][row["table_name"]] = parts
    return QueriedTables(dict(projects))


class TableNames:
    """The catalog's tables by their last name part, to find what Hex's names mean."""

    def __init__(self, catalog: pa.Table | None) -> None:
        self._by_name: defaultdict[str, list[tuple[Parts, str]]] = defaultdict(list)
        for fqn in catalog["fqn"].to_pylist() if catalog is not None else ():
            parts = _table_parts(fqn)
            self._by_name[parts[-1]].append((parts, fqn))

    def find(self, parts: Parts) -> list[str]:
        """FQNs of the tables that a name fits."""
        return [fqn for known, fqn in self._by_name.get(parts[-1], ()) if _fits(parts, known)]


def _table_parts(table_fqn: str) -> Parts:
    """Database, schema and table without case; the service is the catalog's own word."""
    return tuple(part.casefold() for part in split_fqn(table_fqn)[1:])


def _fits(name: Parts, table: Parts) -> bool:
    shared = min(len(name), len(table))
    return shared > 0 and name[-shared:] == table[-shared:]
