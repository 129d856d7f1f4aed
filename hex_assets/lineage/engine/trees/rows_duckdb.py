"""What stands in FROM in DuckDB only: recurring CTEs, (SHOW t), query() and query_table()."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from hex_assets.lineage.engine import bounds, dialects
from hex_assets.lineage.engine.names import constant_text, parts_of_text
from hex_assets.lineage.engine.reading import Cte, Env, Reading
from hex_assets.lineage.engine.relations import (
    MAYBE,
    NOTHING,
    BaseTable,
    Produced,
    Relation,
)
from hex_assets.lineage.engine.scopes import Scope
from hex_assets.lineage.engine.trees.functions import arguments, call_name
from hex_assets.lineage.engine.trees.unions import united


def rows_of_duckdb(
    node: exp.Table,
    parts: tuple[str, ...],
    env: Env,
    read_cte: Callable[[Cte, Scope | None], Relation],
) -> Relation | None:
    """`recurring.c`, all rows that the CTE c has given, and (SHOW t), which tells of tables."""
    if len(parts) == 2 and parts[0].casefold() == "recurring":
        cte = env.get(parts[1].casefold())
        return read_cte(cte, None) if cte is not None else None
    if len(parts) == 1 and parts[0].casefold() == "show" and not node.this.args.get("quoted"):
        return Produced(NOTHING, [], MAYBE)
    return None


def function_of_duckdb(
    call: exp.Expr, reading: Reading, query: Callable[[exp.Expr, Env, Scope | None], Relation]
) -> Relation | None:
    """query('SELECT ...') with a constant text, and query_table(['a', 'b']) with constant names."""
    name, given = call_name(call), arguments(call)
    if name == "query" and len(given) == 1:
        tree = _parsed(constant_text(given[0]) or "")
        if tree is not None:
            return query(tree, {}, None)
    elif name != "query_table" or not given:
        return None
    listed = given[0].expressions if isinstance(given[0], (exp.Array, exp.List)) else given[:1]
    names = [constant_text(item) for item in listed]
    if name == "query" or not all(names):
        reading.dynamic = True
        return Produced(NOTHING, [], MAYBE)
    tables = [BaseTable(reading.source(parts_of_text(text))) for text in names if text]
    result: Relation = tables[0]
    for table in tables[1:]:
        result = united(result, table, True)
    return result


def _parsed(text: str) -> exp.Expr | None:
    try:
        tokens = dialects.tokenizer("duckdb").tokenize(text)
        if not tokens or not bounds.is_light(tokens):
            return None
        tree = dialects.parser("duckdb").parse(tokens, text)[0]
    except RecursionError:
        raise
    except Exception:  # its compiled parser raises TypeError and more on broken SQL
        return None
    return tree if isinstance(tree, exp.Query) else None
