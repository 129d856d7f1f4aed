"""Codes of `lineage/statements.reason`, with the sentence for a person."""

from __future__ import annotations

REASONS: dict[str, str] = {
    "comment_cut": "Hex's comment is cut: the log ended the text inside it; no project is known",
    "comment_malformed": "Hex's comment cannot be read or names no project",
    "comment_absent": "the label is not in comment position, or the log cut the text before it",
    "query_failed": "every execution failed in the warehouse, so it read nothing",
    "no_lineage": "nothing to say: no table is read or written (SHOW, SET, SELECT 1)",
    "not_in_catalog": "the catalog lacks a table of this name",
    "ambiguous": "a name fits two tables of the catalog",
    "engine_differs": "the engine's own log names other tables than the text",
    "internal_error": "the lineage engine failed on this text; please report it",
    "syntax": "the text could not be parsed",
    "partial": "the text was understood in part",
    "cut": "the text ends early: the log cut it, or a string or parenthesis is not closed",
    "jinja": "the text holds template expressions that were not rendered",
    "search_path": "a bare name may be in any of the schemas of search_path",
    "dynamic": "a table's name is known only when the statement runs",
    "too_large": "the statement is so large that only its keywords were read",
    "too_slow": "the text took so long that the rest of it was read by its keywords",
    "gave_up": "the parser did not end in time and was ended; the text was read by its keywords",
}
"""Codes of `lineage/statements.reason`, and of `StatementLineage.reason` where a text has one."""


def describe(code: str) -> str:
    """The sentence for a code; the code itself where the engine gives one of its own."""
    return REASONS.get(code, code)
