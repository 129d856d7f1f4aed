"""Answers of other lineage parsers, for `benchmarks/lineage.py --with NAME=PYTHON`.

Runs under the Python of an environment that has the parser, so it imports nothing of this
package. It reads a JSON line `{"sql", "dialect"}` a case and writes a JSON line with `sources`,
`targets` and `columns`; the first line that it writes says whether the parser is there.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
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


def sqllineage() -> Run:
    """The sqllineage package."""
    from sqllineage.runner import LineageRunner  # type: ignore[import-not-found]

    dialects = {"spark": "sparksql", "presto": "trino", "": "ansi"}

    def run(sql: str, dialect: str) -> Answer:
        runner = LineageRunner(sql, dialect=dialects.get(dialect, dialect))
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
    other = {"spark": "sparksql", "presto": "trino", "": "ansi"}

    def run(sql: str, dialect: str) -> Answer:
        parser = LineageParser(sql, known.get(other.get(dialect, dialect), Dialect.ANSI))
        return {
            "sources": names_of(parser.source_tables),
            "targets": names_of(parser.target_tables),
            "columns": pairs_of(parser.column_lineage or ()),
        }

    return run


def datahub() -> Run:
    """DataHub's parser, from the package acryl-datahub with the extra sql-parser."""
    from datahub.sql_parsing.sqlglot_lineage import create_lineage_sql_parsed_result  # type: ignore[import-not-found]

    def name(urn: str) -> str:
        return urn.split(",")[1]

    def run(sql: str, dialect: str) -> Answer:
        platform = {"tsql": "mssql", "": "teradata"}.get(dialect, dialect)
        found = create_lineage_sql_parsed_result(
            query=sql,
            default_db=None,
            platform=platform,
            platform_instance=None,
            env="PROD",
            schema_aware=False,
        )
        columns = [
            (item.downstream.column, [f"{name(up.table)}.{up.column}" for up in item.upstreams])
            for item in found.column_lineage or ()
        ]
        return {
            "sources": [name(urn) for urn in found.in_tables],
            "targets": [name(urn) for urn in found.out_tables],
            "columns": columns,
        }

    return run


PARSERS = {"sqllineage": sqllineage, "openmetadata": openmetadata, "datahub": datahub}


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
    print(json.dumps({"ready": name}), file=answers, flush=True)
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
