"""Clauses that a warehouse takes and sqlglot's grammar lacks: dropped after a parse error.

None of them changes which tables and columns a statement reads or writes, but for a file that a
query is written to, which is given back.
"""

from __future__ import annotations

from hex_assets.lineage.engine.clauses.bigquery import OF_BIGQUERY
from hex_assets.lineage.engine.clauses.clickhouse import OF_CLICKHOUSE
from hex_assets.lineage.engine.clauses.duckdb import OF_DUCKDB
from hex_assets.lineage.engine.clauses.general import OF_ALL
from hex_assets.lineage.engine.clauses.lakehouse import OF_HIVE, OF_SPARK
from hex_assets.lineage.engine.clauses.mysql import OF_MYSQL
from hex_assets.lineage.engine.clauses.postgres import OF_POSTGRES
from hex_assets.lineage.engine.clauses.redshift import OF_REDSHIFT
from hex_assets.lineage.engine.clauses.rewriting import Rewrite, Tokens
from hex_assets.lineage.engine.clauses.snowflake import OF_SNOWFLAKE
from hex_assets.lineage.engine.clauses.trino import OF_TRINO
from hex_assets.lineage.engine.clauses.tsql import OF_TSQL

_OF_DIALECT: dict[str, tuple[Rewrite, ...]] = {
    "athena": OF_TRINO,
    "bigquery": OF_BIGQUERY,
    "clickhouse": OF_CLICKHOUSE,
    "databricks": OF_SPARK,
    "duckdb": OF_DUCKDB,
    "hive": OF_HIVE,
    "mysql": OF_MYSQL,
    "postgres": OF_POSTGRES,
    "presto": OF_TRINO,
    "redshift": OF_REDSHIFT,
    "snowflake": OF_SNOWFLAKE,
    "spark": OF_SPARK,
    "trino": OF_TRINO,
    "tsql": OF_TSQL,
}


def without_rare_clauses(tokens: Tokens, dialect: str) -> tuple[Tokens, list[str]]:
    """The statement without such clauses, and files that they name; the same list if none."""
    files: list[str] = []
    kept = tokens
    for rewrite in (*OF_ALL, *_OF_DIALECT.get(dialect, ())):
        kept = rewrite(kept, files)
    return kept, files
