"""Names in FROM that only DuckDB has and that are no tables."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from hex_assets.lineage.engine.reading import Cte, Env
from hex_assets.lineage.engine.relations import MAYBE, NOTHING, Produced, Relation
from hex_assets.lineage.engine.scopes import Scope


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
