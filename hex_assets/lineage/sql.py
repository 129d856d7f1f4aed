"""The lineage of one SQL text: tables and columns it reads and writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hex_assets.lineage.engine import bounds, dialects, tokens
from hex_assets.lineage.engine.read_text import TIME_LIMIT_SECONDS, read_keywords, read_text
from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.worker import WORKER, GivenUp
from hex_assets.lineage.model import SchemaProvider, StatementLineage
from hex_assets.lineage.schema import provider


def extract(
    sql: str,
    dialect: str,
    default_catalog: str | None = None,
    default_schema: str | None = None,
    catalog: SchemaProvider | Mapping[str, Any] | None = None,
) -> StatementLineage:
    """Derives what a text reads and writes, down to columns. Never raises for any text.

    A text that may cost a parser long is read in a process of its own (see `worker`), which is
    ended after 1.3 s of processor time; then its names are read off its tokens.

    Args:
        sql: one or more statements; Hex's comment may still be in it.
        dialect: sqlglot's name or a usual one (mariadb, motherduck, mssql, postgresql, ...).
        default_catalog: database that unqualified names are in. It is not put before them: it helps
            to look up columns, and to know a table that the text makes by another of its names.
        default_schema: schema that unqualified names are in, likewise.
        catalog: the columns of tables, for stars and unqualified columns.

    Returns:
        Names as written; `partial` with `reason` and `error` where something is missing.

    Raises:
        ValueError: the dialect is not known.
    """
    asked = dialects.canonical(dialect)
    schema = provider(catalog, default_catalog, default_schema)
    sql = tokens.without_leading_comment(tokens.without_invisible(sql))
    home = tuple(part for part in (default_catalog, default_schema) if part)
    text = Text(asked, schema, bounds.Deadline(TIME_LIMIT_SECONDS), home=home)
    try:
        read_text(sql, text)
    except bounds.TooLarge as error:
        text = Text(asked, schema, bounds.Deadline(0.0))
        text.miss("too_large", f"a text of {error} was read by its keywords only")
        read_keywords(sql, text)
    except (bounds.Heavy, RecursionError):
        try:
            return WORKER.read(sql, asked, schema, home)
        except GivenUp as error:
            text = Text(asked, schema, bounds.Deadline(0.0))
            text.miss("gave_up", f"the text was given up and read by its keywords: {error}")
            read_keywords(sql, text)
    return text.result()
