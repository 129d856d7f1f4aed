"""What only Snowflake makes: a table whose columns a query of files tells."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot.tokenizer_core import Token

from hex_assets.lineage.engine.result import Text
from hex_assets.lineage.engine.words import closing, name_at, word_at

ReadText = Callable[[str, Text], None]

_BEFORE_NAME = frozenset(
    "OR REPLACE TRANSIENT TEMP TEMPORARY LOCAL GLOBAL VOLATILE ICEBERG".split()
)


def read_template(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """CREATE TABLE t USING TEMPLATE (query): the query gives names and types, no rows."""
    position = 1
    while word_at(chunk, position) in _BEFORE_NAME:
        position += 1
    if word_at(chunk, position) != "TABLE":
        return False
    position += 1
    while word_at(chunk, position) in ("IF", "NOT", "EXISTS"):
        position += 1
    target, after = name_at(chunk, position)
    while word_at(chunk, after) == "COPY" and word_at(chunk, after + 1) == "GRANTS":
        after += 2
    words = [word_at(chunk, after + n) for n in range(3)]
    if not target or words != ["USING", "TEMPLATE", "("]:
        return False
    end = closing(chunk, after + 2)
    before, text.condition = text.condition, True
    try:
        read_text(sql[chunk[after + 2].start : chunk[end - 1].end + 1], text)
    finally:
        text.condition = before
    text.add_created(target)
    return True
