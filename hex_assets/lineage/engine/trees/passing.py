"""BigQuery's table functions that pass on the columns of the tables that they are given."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from hex_assets.lineage.engine.relations import (
    NO,
    NOTHING,
    SURE,
    WEAK,
    Answer,
    Derived,
    Origins,
    Produced,
    Relation,
    Rest,
    merged,
)
from hex_assets.lineage.engine.trees.functions import call_name

# Every column of the input is a column of the output, beside the ones that the function makes.
PASSES_ON = frozenset(
    "appends changes range_sessionize gapfill gap_fill predict generatetext generate_text "
    "generateembedding generate_embedding generatetable generate_table mltranslate translate "
    "detect_anomalies explain_predict understand_text annotate_image transcribe process_document "
    "featuresattime generatebool generateint generatedouble".split()
)
"""Every column of the input is one of the output, beside the ones that the function makes."""
_MADE = ("predicted_", "ml_", "is_anomaly", "nearest_centroids", "probability", "_change_")


def tables_given(call: exp.Expr) -> list[exp.Expr]:
    """The tables and queries that such a function is given; nothing for other functions."""
    if isinstance(call, exp.VectorSearch):
        return [item for key in ("this", "query_table") if (item := call.args.get(key)) is not None]
    if call_name(call) not in PASSES_ON:
        return []
    given = [*call.expressions, call.args.get("expression"), call.args.get("this")]
    tables: list[exp.Expr] = [
        item for item in given if isinstance(item, (exp.Table, exp.Subquery, exp.Select))
    ]
    return tables[:1]


def passed_on(call: exp.Expr, given: list[Relation]) -> Relation:
    """The columns that the function gives for its tables."""
    if isinstance(call, exp.VectorSearch):
        found = Derived()
        for name, relation in zip(("base", "query"), given, strict=False):
            found.add(name, relation.row())
            found.structs[name] = relation
        found.add("distance", merged(relation.row() for relation in given))
        return found
    made = NOTHING if call_name(call) in ("appends", "changes") else given[0].row()
    passed = _Passed(made=made)
    passed.pass_on(Rest(given[0]))
    return passed


@dataclass(eq=False)
class _Passed(Derived):
    """The input's columns; what is not among them comes from the input as a whole."""

    made: Origins = NOTHING

    def lookup(self, key: str, name: str) -> Answer:
        """How certain the column is here, and its origins."""
        answer = super().lookup(key, name)
        if answer[0] == SURE:
            return answer
        if key.startswith(_MADE):
            return SURE, self.made
        return answer if answer[0] != NO else (WEAK, self.made)

    def fields_of(self, key: str) -> Relation | None:
        """The fields of a column that is a struct; of one that the function makes, all alike."""
        if key.startswith(_MADE):
            return Produced(self.made, [], WEAK)
        return super().fields_of(key)
