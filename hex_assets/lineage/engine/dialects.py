"""The dialects that the engine knows: their names, their neighbours and their peculiarities."""

from __future__ import annotations

from functools import lru_cache
from threading import local
from typing import TYPE_CHECKING, cast

from sqlglot.errors import TokenError

if TYPE_CHECKING:
    from sqlglot.dialects.dialect import Dialect
    from sqlglot.parser import Parser
    from sqlglot.tokenizer_core import Token
    from sqlglot.tokens import Tokenizer

ALIASES = {
    "": "",
    "alloydb": "postgres",
    "amazon_athena": "athena",
    "ansi": "",
    "azure_synapse": "tsql",
    "bigquery": "bigquery",
    "cloudsql_mysql": "mysql",
    "cloudsql_postgres": "postgres",
    "cloudsql_sqlserver": "tsql",
    "cockroachdb": "postgres",
    "db2": "",
    "generic": "",
    "greenplum": "postgres",
    "mariadb": "mysql",
    "motherduck": "duckdb",
    "mssql": "tsql",
    "netezza": "postgres",
    "postgresql": "postgres",
    "prestodb": "presto",
    "spark_sql": "spark",
    "sparksql": "spark",
    "sqlserver": "tsql",
    "starburst": "trino",
    "synapse": "tsql",
    "vertica": "postgres",
}
"""Names that Hex, warehouses and other tools use, to sqlglot's."""

FALLBACKS = {
    "athena": ("trino", "hive", "presto"),
    "bigquery": ("databricks", ""),
    "clickhouse": ("postgres", ""),
    "databricks": ("spark", "snowflake", "bigquery"),
    "duckdb": ("postgres", "snowflake", ""),
    "hive": ("spark", "databricks", ""),
    "mysql": ("", "postgres"),
    "postgres": ("redshift", "duckdb", ""),
    "presto": ("trino", "athena", ""),
    "redshift": ("postgres", "snowflake", ""),
    "snowflake": ("databricks", "redshift", ""),
    "spark": ("databricks", "hive", ""),
    "trino": ("presto", "athena", "postgres"),
    "tsql": ("", "snowflake", "postgres"),
    "": ("postgres", "snowflake", "mysql", "tsql", "oracle"),
}
"""Dialects to try, nearest first, on a statement that the asked one cannot parse."""

LATERAL_ALIASES = frozenset(
    {"snowflake", "redshift", "databricks", "spark", "clickhouse", "duckdb", "teradata"}
)
"""Dialects in which a SELECT may use its own earlier aliases, also in WHERE."""

ROW_VALUES = frozenset({"bigquery", "postgres", "duckdb"})
"""Dialects in which a table's alias alone is the whole row."""

INPUT_ONLY = frozenset({"postgres", "trino", "presto", "athena", "tsql"})
"""Dialects in which HAVING, and an expression in GROUP BY, cannot use the SELECT's aliases."""

BARE_ORDER = frozenset({"postgres", "tsql"})
"""Dialects in which ORDER BY knows an alias only alone: in an expression it is a column."""

ORDERS_BY_ALL = frozenset({"duckdb", "snowflake", "databricks", "spark", "clickhouse"})
"""Dialects with ORDER BY ALL."""

EXPLICIT_LATERAL = frozenset(
    {"postgres", "mysql", "tsql", "snowflake", "trino", "presto", "athena"}
)
"""Dialects in which a subquery in FROM sees what stands before it only after LATERAL or APPLY."""

APART_IN_FROM = EXPLICIT_LATERAL | {"bigquery"}
"""Dialects in which a subquery in FROM does not see what stands beside it."""

STAR_IN_PLACE = frozenset({"duckdb", "clickhouse"})
"""Dialects whose star leaves the columns of USING in their places; others put them first."""

FIELD_STARS = frozenset(
    {"bigquery", "databricks", "spark", "duckdb", "clickhouse", "trino", "presto", "athena"}
)
"""Dialects in which `column.*` is the fields of a struct."""

IMPLICIT_RECURSION = frozenset({"tsql", "oracle", "snowflake", "db2"})
"""Dialects in which a recursive CTE needs no keyword."""

PIPES = frozenset({"bigquery", "databricks", "spark"})
"""Dialects with pipe syntax."""

ANY_ORDER = frozenset({"clickhouse"})
"""Dialects in which a CTE may read one that is defined after it."""

UNNESTED_PATHS = frozenset({"bigquery", "redshift"})
"""Dialects in which `FROM t, t.items` unnests a column."""

SENSITIVE_TABLES = frozenset({"bigquery", "clickhouse", "mysql"})
"""Dialects in which two table names that differ in case are two tables."""

HAS_DUAL = frozenset({"snowflake", "mysql", "oracle"})
"""Dialects in which `FROM dual` stands for one row of no table."""

THREE_LEVELS = frozenset({"snowflake", "databricks", "tsql", "trino", "presto", "athena"})
"""Dialects in which `a.b` is a table `b` of a schema `a` in the current database or catalog."""


class _Tools(local):
    """A thread's own tokenizers and parsers: each use resets them, making one costs more."""

    def __init__(self) -> None:
        self.tokenizers: dict[str, Tokenizer] = {}
        self.parsers: dict[str, Parser] = {}


_TOOLS = _Tools()


class _AthenaTokenizer:
    """Athena's, which tells Hive's statements by tokens in which a backslash escapes a quote.

    In Trino's statements it does not: a backslash between two quotes is a whole string.
    """

    def __init__(self, own: Tokenizer, plain: Tokenizer) -> None:
        self.own = own
        self.plain = plain

    def tokenize(self, sql: str) -> list[Token]:
        """The tokens of a text."""
        try:
            return self.own.tokenize(sql)
        except TokenError:
            return self.plain.tokenize(sql)


def tokenizer(name: str) -> Tokenizer:
    """Sqlglot's tokenizer of a canonical name, for this thread."""
    found = _TOOLS.tokenizers.get(name)
    if found is None:
        found = _grammar(name).tokenizer()
        if name == "athena":
            found = cast("Tokenizer", _AthenaTokenizer(found, tokenizer("trino")))
        _TOOLS.tokenizers[name] = found
    return found


def parser(name: str) -> Parser:
    """Sqlglot's parser of a canonical name, for this thread."""
    found = _TOOLS.parsers.get(name)
    if found is None:
        found = _TOOLS.parsers[name] = _grammar(name).parser()
    return found


def _grammar(name: str) -> Dialect:
    from sqlglot.dialects.dialect import Dialect

    return Dialect.get_or_raise(name or None)


@lru_cache(maxsize=256)
def canonical(dialect: str | None) -> str:
    """Sqlglot's name of a dialect; raises ValueError for one that nobody knows."""
    from sqlglot.dialects.dialect import Dialect

    name = (dialect or "").strip().lower().replace("-", "_")
    name = ALIASES.get(name, name)
    if name and Dialect.get(name) is None:
        raise ValueError(
            f"unknown SQL dialect {dialect!r}; known: sqlglot's names and {sorted(ALIASES)}"
        )
    return name


def fallbacks(dialect: str) -> tuple[str, ...]:
    """The next sensible dialects after a parse error."""
    return FALLBACKS.get(dialect, ("", "postgres"))
