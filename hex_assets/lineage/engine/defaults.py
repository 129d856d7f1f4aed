"""The database and schema that USE gives to the bare names after it."""

from __future__ import annotations

from typing import NamedTuple

from sqlglot import exp

from hex_assets.lineage.engine.names import named
from hex_assets.lineage.engine.trees.functions import table_of

_OF_SESSION = frozenset({"WAREHOUSE", "ROLE", "SECONDARY ROLES"})
_SPARK = frozenset({"databricks", "spark"})
_BARE_SCHEMA = _SPARK | {"trino", "presto"}
"""Dialects in which USE of one name means a schema of the catalog at hand."""
_BARE_CATALOG = frozenset({"snowflake", "tsql", "redshift"})


class Default(NamedTuple):
    """What stands before a bare name: a schema with or without its catalog, or a catalog."""

    parts: tuple[str, ...] = ()
    is_catalog: bool = False
    others: tuple[str, ...] = ()
    """Further schemas of a search path: a bare name may be in any of them."""

    def after(self, tree: exp.Use, dialect: str) -> Default:
        """The default after a USE."""
        kind = str(tree.args.get("kind") or "").upper()
        target = tree.this
        if kind in _OF_SESSION or not isinstance(target, exp.Table):
            return self
        parts = named(target, dialect).parts
        if isinstance(target.this, exp.Func) and not parts:  # Spark's IDENTIFIER('c.s')
            parts = table_of(target.this, dialect)
        if not parts:
            return self
        if dialect in _SPARK and kind == "DATABASE":
            kind = "SCHEMA"
        bare = kind == "" and len(parts) == 1
        is_schema = kind == "SCHEMA" or (bare and dialect in _BARE_SCHEMA)
        if is_schema and len(parts) == 1 and (self.is_catalog or len(self.parts) == 2):
            parts = (self.parts[0], *parts)
        in_catalog = kind in ("DATABASE", "CATALOG") or (bare and dialect in _BARE_CATALOG)
        return Default(parts, in_catalog)
