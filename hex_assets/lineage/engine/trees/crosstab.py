"""PostgreSQL's functions in FROM that are given a query in a string."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.errors import SqlglotError

from hex_assets.lineage.engine import bounds, dialects
from hex_assets.lineage.engine.relations import NOTHING, Derived, Relation
from hex_assets.lineage.engine.trees.functions import arguments, call_name


def query_in_string(call: exp.Expr, dialect: str) -> exp.Expr | None:
    """The query that crosstab('select ...') or ts_stat('select ...') runs; None for all others."""
    name = call_name(call)
    if dialect != "postgres" or not (name.startswith("crosstab") or name == "ts_stat"):
        return None
    given = arguments(call)
    if not given or not isinstance(given[0], (exp.Literal, exp.RawString)):
        return None
    try:
        tokens = dialects.tokenizer(dialect).tokenize(given[0].name)
        if not bounds.is_light(tokens):
            return None
        trees = dialects.parser(dialect).parse(tokens, given[0].name)
    except SqlglotError:
        return None
    return trees[0] if trees and isinstance(trees[0], exp.Query) else None


def crossed(rows: Relation, count: int) -> Derived:
    """The columns of a crosstab: the query's last one is spread, the one before names them."""
    columns = rows.star()
    kept = columns[:-2] if not rows.is_open() else []
    value = columns[-1][1] if columns and not rows.is_open() else NOTHING
    result = Derived()
    for position in range(count):
        known = position < len(kept)
        result.add(str(position), kept[position][1] if known else value)
    return result
