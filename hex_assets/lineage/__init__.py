"""Lineage from SQL that Hex sent. Pure: no Dagster, no network."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hex_assets.lineage.cache import CacheStore as CacheStore
    from hex_assets.lineage.comment import HexComment as HexComment
    from hex_assets.lineage.comment import parse_comment as parse_comment
    from hex_assets.lineage.edges import derive_edges as derive_edges
    from hex_assets.lineage.edges import edges_of as edges_of
    from hex_assets.lineage.edges import merge_edges as merge_edges
    from hex_assets.lineage.fingerprint import statement_id as statement_id
    from hex_assets.lineage.log import annotate as annotate
    from hex_assets.lineage.model import ColumnUse as ColumnUse
    from hex_assets.lineage.model import StatementLineage as StatementLineage
    from hex_assets.lineage.reasons import REASONS as REASONS
    from hex_assets.lineage.resolve import Catalog as Catalog
    from hex_assets.lineage.sql import extract as extract
    from hex_assets.lineage.statements import derive_statements as derive_statements

_HOMES = {
    "CacheStore": "cache",
    "Catalog": "resolve",
    "ColumnUse": "model",
    "HexComment": "comment",
    "REASONS": "reasons",
    "StatementLineage": "model",
    "annotate": "log",
    "derive_edges": "edges",
    "derive_statements": "statements",
    "edges_of": "edges",
    "extract": "sql",
    "merge_edges": "edges",
    "parse_comment": "comment",
    "statement_id": "fingerprint",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: sqlglot and pyarrow cost at definition time."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_HOMES[name]}")
    globals()[name] = value = getattr(home, name)
    return value
