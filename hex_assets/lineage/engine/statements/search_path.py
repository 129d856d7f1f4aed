"""Settings that change which schema a bare name is in, as USE does in other dialects."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.words import STRINGS, word_at

_WITH_PATH = frozenset({"postgres", "redshift", "duckdb"})
_SETTINGS = frozenset({"SEARCH_PATH", "SCHEMA"})
_OWN = frozenset({"$user", "pg_catalog", "pg_temp", ""})
"""Of the user, of the system, of the session: no place for a team's tables."""


def read_search_path(chunk: list[Token], text: Text) -> bool:
    """`SET search_path TO a, b`, `SET SCHEMA 'a'`, BigQuery's `SET @@dataset_id = 'a'`."""
    if word_at(chunk, 0) != "SET":
        return False
    if text.dialect == "bigquery":
        return _dataset(chunk, text)
    if text.dialect not in _WITH_PATH:
        return False
    start = 1 + (word_at(chunk, 1) in ("SESSION", "LOCAL"))
    if word_at(chunk, start) not in _SETTINGS:
        return False
    start += 1 + (word_at(chunk, start + 1) in ("TO", "="))
    schemas = [
        name.strip().strip('"')
        for token in chunk[start:]
        if token.token_type != TokenType.COMMA
        # DuckDB's list is one string; PostgreSQL takes a string for one name.
        for name in (token.text.split(",") if text.dialect == "duckdb" else [token.text])
    ]
    searched = [name for name in schemas if name not in _OWN and name.upper() != "DEFAULT"]
    text.search(tuple(searched))
    return True


def _dataset(chunk: list[Token], text: Text) -> bool:
    named = word_at(chunk, 3) == "DATASET_ID" and word_at(chunk, 4) == "="
    if not named or len(chunk) != 6 or chunk[5].token_type not in STRINGS:
        return False
    text.use_named(tuple(chunk[5].text.split(".")))
    return True
