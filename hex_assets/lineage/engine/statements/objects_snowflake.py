"""What only Snowflake makes: tables of files, tables from templates, search services, models."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.callbacks import ReadText
from hex_assets.lineage.engine.names import parts_of_text
from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.words import STRINGS, closing, name_at, word_at

_BEFORE_KIND = frozenset(
    "OR REPLACE ALTER TRANSIENT TEMP TEMPORARY LOCAL GLOBAL VOLATILE ICEBERG EVENT EXTERNAL".split()
)
_QUERY = frozenset({"SELECT", "WITH"})


def read_snowflake_object(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """Reads CREATE of such an object; False for all other statements."""
    position = 1
    while word_at(chunk, position) in _BEFORE_KIND:
        position += 1
    kind = word_at(chunk, position)
    before = word_at(chunk, position - 1)
    if kind == "TABLE":
        return _table(sql, chunk, position + 1, before, text, read_text)
    if kind == "CORTEX" and word_at(chunk, position + 1) == "SEARCH":
        return _query_after_as(sql, chunk, position, text, read_text)
    if kind == "SNOWFLAKE" and word_at(chunk, position + 2) == "ML":
        return _model(chunk, position, text, read_text)
    return False


def _table(
    sql: str, chunk: list[Token], start: int, kind: str, text: Text, read_text: ReadText
) -> bool:
    while word_at(chunk, start) in ("IF", "NOT", "EXISTS"):
        start += 1
    target, after = name_at(chunk, start)
    if not target:
        return False
    if kind == "EVENT":
        text.add_created(target)
        return True
    if kind == "EXTERNAL":
        return _external(sql, chunk, after, target, text)
    while word_at(chunk, after) == "COPY" and word_at(chunk, after + 1) == "GRANTS":
        after += 2
    words = [word_at(chunk, after + n) for n in range(3)]
    if words != ["USING", "TEMPLATE", "("]:
        return False
    # The query gives names and types, no rows.
    end = closing(chunk, after + 2)
    before, text.condition = text.condition, True
    try:
        read_text(sql[chunk[after + 2].start : chunk[end - 1].end + 1], text)
    finally:
        text.condition = before
    text.add_created(target, temporary=kind in ("TEMP", "TEMPORARY"))
    return True


def _external(
    sql: str, chunk: list[Token], start: int, target: tuple[str, ...], text: Text
) -> bool:
    """CREATE EXTERNAL TABLE t [(c INT AS (value:c1))] ... LOCATION = @stage/path/ ..."""
    position = start
    while position < len(chunk) - 2 and word_at(chunk, position) != "LOCATION":
        opens = chunk[position].token_type == TokenType.L_PAREN
        position = closing(chunk, position) if opens else position + 1
    if position >= len(chunk) - 2 or word_at(chunk, position + 1) != "=":
        return False
    path = sql[chunk[position + 2].start : chunk[-1].end + 1].split(None, 1)[0]
    text.add_file(path.strip("'"))
    text.add_created(target)
    return True


def _query_after_as(
    sql: str, chunk: list[Token], start: int, text: Text, read_text: ReadText
) -> bool:
    """CREATE CORTEX SEARCH SERVICE s ON c ... AS query: the service is no table."""
    for position in range(start, len(chunk) - 1):
        following = word_at(chunk, position + 1)
        if word_at(chunk, position) == "AS" and following in {*_QUERY, "("}:
            read_text(sql[chunk[position + 1].start : chunk[-1].end + 1], text)
            return True
    return False


def _model(chunk: list[Token], start: int, text: Text, read_text: ReadText) -> bool:
    """CREATE SNOWFLAKE.ML.FORECAST m(INPUT_DATA => TABLE(v), ...): the table it learns from."""
    for position in range(start, len(chunk) - 2):
        if word_at(chunk, position + 1) != "(":
            continue
        word, given = word_at(chunk, position), chunk[position + 2]
        if word == "TABLE":
            source, _ = name_at(chunk, position + 2)
            if source:
                text.add_source(source)
        elif word == "SYSTEM$QUERY_REFERENCE" and given.token_type in STRINGS:
            read_text(given.text, text)
        elif word == "SYSTEM$REFERENCE" and word_at(chunk, position + 3) == ",":
            _reference(chunk, position + 4, text)
    text.understood()
    return True


def _reference(chunk: list[Token], position: int, text: Text) -> None:
    """The name of a table or view in SYSTEM$REFERENCE('TABLE', 'db.s.t')."""
    if position < len(chunk) and chunk[position].token_type in STRINGS:
        source = parts_of_text(chunk[position].text)
        if source:
            text.add_source(source)
