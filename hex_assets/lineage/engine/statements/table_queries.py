"""`TABLE t` as a query or as an argument of a function."""

from __future__ import annotations

import re

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.words import STRINGS, name_at, word_at

# A name after TABLE that stands where a query or an argument may stand.
_BEFORE_TABLE_QUERY = frozenset({"UNION", "ALL", "EXCEPT", "INTERSECT", "DISTINCT"})


_OF_TRINO = frozenset({"athena", "trino", "presto"})
_TABLE_QUERIES = _OF_TRINO | {"postgres", "mysql", "duckdb", "redshift", "spark", "databricks"}


_TABLE_ARGUMENTS = _OF_TRINO | {"bigquery", "databricks", "snowflake", "redshift", "postgres"}


_HAS_TABLE = re.compile(r"\btable\b", re.IGNORECASE)


def table_queries(sql: str, chunk: list[Token], dialect: str) -> str | None:
    """`TABLE t` as a query, or as an argument of a function, in words that every grammar has."""
    if dialect not in _TABLE_QUERIES and dialect not in _TABLE_ARGUMENTS:
        return None
    if not _HAS_TABLE.search(sql, chunk[0].start, chunk[-1].end + 1):
        return None
    openers: list[str] = []
    pieces: list[str] = []
    done = chunk[0].start
    for position, token in enumerate(chunk):
        if token.token_type == TokenType.L_PAREN:
            openers.append(chunk[position - 1].text.upper() if position else "")
            continue
        if token.token_type == TokenType.R_PAREN:
            del openers[-1:]
            continue
        if token.text.upper() != "TABLE" or token.token_type in STRINGS:
            continue
        before = chunk[position - 1].text.upper() if position else ""
        call = openers[-1] if openers and before in ("(", ",") else ""
        is_call = call.translate(_IN_NAMES).isalnum() and call not in _NO_CALLS
        alone = before == "" or before in _BEFORE_TABLE_QUERY or (before == "(" and not is_call)
        if chunk[0].text.upper() == "INSERT" and before not in ("INSERT", "INTO", "OVERWRITE", "("):
            alone = alone or not is_call
        alone = alone or (before == ")" and not openers and word_at(chunk, 0) == "WITH")
        alone = alone or (before == "AS" and chunk[0].text.upper() == "CREATE")
        is_call = is_call or (before == "=>" and bool(openers))
        parts, after = name_at(chunk, position + 1)
        if not parts and is_call and word_at(chunk, position + 1) == "(" and dialect in _OF_TRINO:
            parts, after = name_at(chunk, position + 2)
            if parts and word_at(chunk, after) == ")":
                pieces += [sql[done : token.start], "(SELECT * FROM "]
                done = chunk[position + 2].start
            continue
        is_cut = bool(openers) and after == len(chunk)
        if not parts or is_cut or word_at(chunk, after) == "(":
            continue
        if alone and dialect in _TABLE_QUERIES:
            pieces += [sql[done : token.start], "SELECT * FROM "]
            done = chunk[position + 1].start
        elif is_call and dialect in _TABLE_ARGUMENTS and call not in OWN_GRAMMAR:
            end = chunk[after - 1].end + 1
            pieces += [sql[done : token.start], "(SELECT * FROM "]
            pieces += [sql[chunk[position + 1].start : end], ")"]
            done = end
    if not pieces:
        return None
    return "".join([*pieces, sql[done : chunk[-1].end + 1]])


_IN_NAMES = dict.fromkeys(map(ord, "_.-"))
"""What a name may have beside letters: BigQuery's backticks take in dots and dashes."""
_NO_CALLS = frozenset({"AS", "IN", "FROM", "JOIN", "EXISTS", "ANY", "SOME", "ALL", "MATERIALIZED"})


# The parser has a grammar of its own for these.
OWN_GRAMMAR = frozenset(
    {"PREDICT", "FORECAST", "GENERATE_EMBEDDING", "GENERATE_TEXT_EMBEDDING", "TRANSLATE"}
    | {"VECTOR_SEARCH", "GENERATE_TEXT", "GENERATE_TABLE"}
)
