"""The lineage engine's answer of all columns that a text names, also where nobody needs them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlglot import exp

from hex_assets.lineage.engine.bounds import Deadline
from hex_assets.lineage.engine.read_text import read_text
from hex_assets.lineage.engine.reading import Env
from hex_assets.lineage.engine.relations import Relation
from hex_assets.lineage.engine.scopes import Scope
from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.trees.queries import QueryReader
from hex_assets.lineage.model import SchemaProvider, StatementLineage

Read = Callable[[QueryReader, exp.Expr, Env, Scope | None], Relation]


def extract_with_every_output(sql: str, dialect: str, schema: SchemaProvider) -> StatementLineage:
    """The lineage of a text with the outputs of every SELECT in `uses`.

    A database stores a view's dependencies so. The engine leaves out what a subquery gives and
    nobody takes: the statement does not need it. The text is read in this process however heavy
    it is, since the worker's would not know of it.
    """
    text = Text(dialect, schema, Deadline(10), isolated=True)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("select", "values"):
            patch.setattr(QueryReader, name, _using_all(getattr(QueryReader, name)))
        read_text(sql, text)
    return text.result()


def _using_all(read: Read) -> Read:
    def using_all(self: QueryReader, node: exp.Expr, env: Env, outer: Scope | None) -> Relation:
        relation = read(self, node, env, outer)
        self.reading.use(relation.row(), "output")
        return relation

    return using_all
