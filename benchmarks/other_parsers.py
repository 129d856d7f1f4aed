"""Answers of other lineage parsers, for `benchmarks/lineage.py --with NAME=PYTHON`.

Runs under the Python of an environment that has the parser, so it imports nothing of this
package. It reads a JSON line `{"sql", "dialect"}` a case and writes a JSON line with `sources`,
`targets` and `columns`; the first line that it writes says whether the parser is there, and in
which version. Dialects that a parser lacks are put as the nearest that it has.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

Answer = dict[str, Any]
Run = Callable[[str, str], Answer]


def names_of(tables: Any) -> list[str]:
    """Dotted names without the placeholder that sqllineage puts for an unknown schema."""
    given = tables() if callable(tables) else tables  # a method or a property, by version
    return sorted({str(table).replace("<default>.", "") for table in given})


def pairs_of(paths: Any) -> list[tuple[str, list[str]]]:
    """Output columns with their first sources, from sqllineage's paths of columns."""
    found: dict[str, set[str]] = {}
    for path in paths:
        source = str(path[0]).replace("<default>.", "")
        found.setdefault(path[-1].raw_name, set()).add(source)
    return [(name, sorted(sources)) for name, sources in found.items()]


NEAREST = {
    "": "ansi",
    "non-validating": "ansi",
    "spark": "sparksql",
    "presto": "trino",
    "motherduck": "duckdb",
}
"""sqlfluff's names, which sqllineage and OpenMetadata use, for those of the cases."""


def sqllineage() -> Run:
    """The sqllineage package."""
    from sqllineage.runner import LineageRunner  # type: ignore[import-not-found]

    def run(sql: str, dialect: str) -> Answer:
        runner = LineageRunner(sql, dialect=NEAREST.get(dialect, dialect))
        return {
            "sources": names_of(runner.source_tables),
            "targets": names_of(runner.target_tables),
            "columns": pairs_of(runner.get_column_lineage()),
        }

    return run


def openmetadata() -> Run:
    """OpenMetadata's ingestion parser, from the package openmetadata-ingestion."""
    from metadata.ingestion.lineage.models import Dialect  # type: ignore[import-not-found]
    from metadata.ingestion.lineage.parser import LineageParser  # type: ignore[import-not-found]

    known = {item.value: item for item in Dialect}

    def run(sql: str, dialect: str) -> Answer:
        parser = LineageParser(sql, known.get(NEAREST.get(dialect, dialect), Dialect.ANSI))
        return {
            "sources": names_of(parser.source_tables),
            "targets": names_of(parser.target_tables),
            "columns": pairs_of(parser.column_lineage or ()),
        }

    return run


def datahub() -> Run:
    """DataHub's parser, from the package acryl-datahub with the extra sql-parser."""
    import sqlglot
    from datahub.sql_parsing.schema_resolver import SchemaResolver  # type: ignore[import-not-found]
    from datahub.sql_parsing.split_statements import split_statements  # type: ignore[import-not-found]
    from datahub.sql_parsing.sqlglot_lineage import sqlglot_lineage  # type: ignore[import-not-found]

    platforms = {"tsql": "mssql", "mariadb": "mysql", "motherduck": "duckdb", "sparksql": "spark"}
    platforms |= {"greenplum": "postgres", "presto": "trino"}

    @cache
    def resolver(dialect: str) -> Any:
        return SchemaResolver(platform=platforms.get(dialect, dialect) or "ansi", env="PROD")

    @cache
    def override(dialect: str) -> Any:
        """The basic dialect where neither of them knows that of the case."""
        try:
            sqlglot.Dialect.get_or_raise(platforms.get(dialect, dialect).replace("mssql", "tsql"))
        except ValueError:
            return sqlglot.Dialect.get_or_raise("")
        return None if dialect else sqlglot.Dialect.get_or_raise("")

    def name(urn: str) -> str:
        return urn.split(",")[1]

    def one(sql: str, dialect: str) -> Answer:
        found = sqlglot_lineage(
            sql, schema_resolver=resolver(dialect), override_dialect=override(dialect)
        )
        if found.debug_info.table_error is not None:
            raise found.debug_info.table_error
        columns = [
            (item.downstream.column, [f"{name(up.table)}.{up.column}" for up in item.upstreams])
            for item in found.column_lineage or ()
        ]
        return {
            "sources": [name(urn) for urn in found.in_tables],
            "targets": [name(urn) for urn in found.out_tables],
            "columns": columns,
        }

    def run(sql: str, dialect: str) -> Answer:
        """It takes one statement at a time; where it cannot read a text, its own splitter may."""
        try:
            return one(sql, dialect)
        except Exception:
            parts = list(split_statements(sql))
            if len(parts) < 2:
                raise
        joined: Answer = {"sources": [], "targets": [], "columns": []}
        for part in parts:
            for key, found in one(part, dialect).items():
                joined[key] += [item for item in found if item not in joined[key]]
        return joined

    return run


PARSERS = {"sqllineage": sqllineage, "openmetadata": openmetadata, "datahub": datahub}
PACKAGES = {
    "sqllineage": "sqllineage",
    "openmetadata": "openmetadata-ingestion",
    "datahub": "acryl-datahub",
}


def main() -> int:
    """Answers line by line until the input ends."""
    logging.disable(logging.CRITICAL)
    answers = sys.stdout
    sys.stdout = sys.stderr  # what a parser prints must not mix with the answers
    name = sys.argv[1]
    if name not in PARSERS:
        print(json.dumps({"absent": f"known parsers: {sorted(PARSERS)}"}), file=answers)
        return 2
    try:
        run = PARSERS[name]()
    except ImportError as error:
        print(json.dumps({"absent": f"{sys.executable} lacks it: {error}"}), file=answers)
        return 3
    version = f"{PACKAGES[name]} {importlib.metadata.version(PACKAGES[name])}"
    print(json.dumps({"ready": name, "version": version}), file=answers, flush=True)
    for line in sys.stdin:
        case = json.loads(line)
        try:
            answer = run(case["sql"], case["dialect"])
        except Exception as error:  # an error of the parser is its answer: nothing found
            raised = repr(error)[:300]
            answer = {"sources": [], "targets": [], "columns": [], "raised": raised}
        print(json.dumps(answer), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
