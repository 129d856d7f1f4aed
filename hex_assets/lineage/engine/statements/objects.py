"""Objects of a warehouse that read or write tables: streams, tasks, pipes, alerts, flows, CDC."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.callbacks import ReadText
from hex_assets.lineage.engine.statements import plpgsql
from hex_assets.lineage.engine.statements.macros import read_macro
from hex_assets.lineage.engine.statements.metric_views import read_metric_view
from hex_assets.lineage.engine.statements.objects_snowflake import read_snowflake_object
from hex_assets.lineage.engine.statements.patterns import read_body
from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.words import STRINGS, closing, name_at, word_at

_LAKEHOUSES = frozenset({"snowflake", "databricks", "spark"})
_WITH_STATEMENT = frozenset({"TASK", "PIPE", "FLOW"})
_KINDS = _WITH_STATEMENT | {"STREAM", "ALERT", "SEMANTIC VIEW", "FUNCTION", "STREAMING"}
_STATEMENTS = frozenset(
    "SELECT WITH INSERT UPDATE DELETE MERGE COPY BEGIN DECLARE EXECUTE CALL AUTO APPLY".split()
)
_QUERY = frozenset({"SELECT", "WITH", "FROM", "VALUES"})
_FUNCTIONS = {
    "postgres": ("FUNCTION",),
    "redshift": ("FUNCTION",),
    "duckdb": ("MACRO", "FUNCTION", "TYPE"),
    "tsql": ("FUNCTION",),
}
"""What a function is called where it may be a query."""


def read_object(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """Reads CREATE of such an object, and CDC into a table; False for all other statements."""
    first = chunk[0].text.upper()
    if text.dialect in plpgsql.DIALECTS and first in ("CREATE", "DO"):
        if plpgsql.read_routine(sql, chunk, text, read_text):
            return True
    if first == "CREATE" and word_at(chunk, 2) == "TABLE":
        if word_at(chunk, 1) in _ELSEWHERE.get(text.dialect, ()):
            return _foreign_table(chunk, text)
    if text.dialect not in _LAKEHOUSES:
        kinds = _FUNCTIONS.get(text.dialect, ()) if first == "CREATE" else ()
        if not any(word_at(chunk, position) in kinds for position in range(1, 5)):
            return False
        if text.dialect == "duckdb":
            return read_macro(sql, chunk, text, read_text)
        return _function(sql, chunk, 2, text, read_text)
    if first in ("CREATE", "ALTER") and chunk[-1].token_type in STRINGS:
        if read_metric_view(sql, chunk, text, read_text):
            return True
    if first == "CREATE" and _view_of_files(chunk, text):
        return True
    if first == "CREATE":
        if text.dialect == "snowflake" and read_snowflake_object(sql, chunk, text, read_text):
            return True
        return _created(sql, chunk, text, read_text)
    if first in ("APPLY", "AUTO"):
        return _captured(sql, chunk, text, read_text)
    if first == "WITH" and word_at(chunk, 2) == "AS" and word_at(chunk, 3) == "PROCEDURE":
        return read_body(chunk, text, read_text)
    return False


_ELSEWHERE = {"postgres": ("FOREIGN",), "redshift": ("EXTERNAL",)}
"""How a table is called whose rows are elsewhere."""


def _foreign_table(chunk: list[Token], text: Text) -> bool:
    """CREATE FOREIGN TABLE t (a int) SERVER s, CREATE EXTERNAL TABLE t (a int) LOCATION 's3://x'.

    Not one that is made of a query.
    """
    words = [word_at(chunk, position) for position in range(len(chunk))]
    if any(words[n] == "AS" and words[n + 1] in (*_QUERY, "(") for n in range(len(words) - 1)):
        return False
    for position in range(len(chunk) - 1):
        if words[position] == "LOCATION" and chunk[position + 1].token_type in STRINGS:
            text.add_file(chunk[position + 1].text)
    start = 3
    while word_at(chunk, start) in ("IF", "NOT", "EXISTS"):
        start += 1
    target, _ = name_at(chunk, start)
    if target:
        text.add_created(target)
    return bool(target)


def _rest(sql: str, chunk: list[Token], start: int) -> str:
    return sql[chunk[start].start : chunk[-1].end + 1]


def _created(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    position = 1
    while position < 6 and word_at(chunk, position) not in _KINDS:
        if word_at(chunk, position) in ("TABLE", "VIEW", "", "AS"):
            return False
        position += 1
    kind = word_at(chunk, position)
    if kind not in _KINDS:
        return False
    start = position + 2 if kind == "STREAMING" else position + 1
    while word_at(chunk, start) in ("IF", "NOT", "EXISTS"):
        start += 1
    target, after = name_at(chunk, start)
    if not target:
        return False
    if kind == "STREAM":
        return _stream(chunk, after, target, text)
    if kind == "ALERT":
        return _alert(sql, chunk, after, text, read_text)
    if kind == "SEMANTIC VIEW":
        return _semantic_view(chunk, after, target, text)
    if kind == "FUNCTION":
        return _function(sql, chunk, after, text, read_text)
    if kind == "STREAMING" and after >= len(chunk):  # a flow that stands elsewhere fills it
        text.add_created(target)
        return True
    if kind == "STREAMING":
        return _captured(sql, chunk, text, read_text, sql[chunk[start].start : chunk[after].start])
    for position in range(after, len(chunk) - 1):
        if word_at(chunk, position) == "AS" and word_at(chunk, position + 1) in _STATEMENTS:
            read_text(_rest(sql, chunk, position + 1), text)
            return True
    return False


def _view_of_files(chunk: list[Token], text: Text) -> bool:
    """CREATE TEMPORARY VIEW v [(a INT)] USING csv OPTIONS (path '/x', ...)."""
    kind = next((n for n in range(1, 6) if word_at(chunk, n) == "VIEW"), 0)
    if not kind or word_at(chunk, kind - 1) not in ("TEMP", "TEMPORARY"):
        return False
    while word_at(chunk, kind + 1) in ("IF", "NOT", "EXISTS"):
        kind += 1
    target, after = name_at(chunk, kind + 1)
    if word_at(chunk, after) == "(":
        after = closing(chunk, after)
    if not target or word_at(chunk, after) != "USING":
        return False
    for position in range(after, len(chunk) - 1):
        if chunk[position].text.upper() == "PATH":
            value = next((t for t in chunk[position + 1 : position + 3] if t.text != "="), None)
            if value is not None and value.token_type in STRINGS:
                text.add_file(value.text)
    text.add_created(target, temporary=True)
    return True


def _stream(chunk: list[Token], start: int, target: tuple[str, ...], text: Text) -> bool:
    """CREATE STREAM s ON TABLE t: the changes of a table, read like one."""
    for position in range(start, len(chunk) - 2):
        if word_at(chunk, position) != "ON":
            continue
        while word_at(chunk, position + 1) in ("EXTERNAL", "EVENT", "DYNAMIC", "ICEBERG"):
            position += 1
        source, _ = name_at(chunk, position + 2)
        if word_at(chunk, position + 1) not in ("TABLE", "VIEW") or not source:
            return False
        text.add_source(source)
        text.add_created(target)
        return True
    return False


def _alert(sql: str, chunk: list[Token], start: int, text: Text, read_text: ReadText) -> bool:
    """CREATE ALERT a ... IF (EXISTS (query)) THEN statement."""
    for position in range(start, len(chunk) - 1):
        if word_at(chunk, position) != "IF" or word_at(chunk, position + 1) != "(":
            continue
        end = closing(chunk, position + 1)
        if word_at(chunk, end) != "THEN" or end + 1 >= len(chunk):
            return False
        before, text.condition = text.condition, True
        try:
            condition = sql[chunk[position + 1].start : chunk[end - 1].end + 1]
            read_text(f"SELECT {condition}", text)
        finally:
            text.condition = before
        read_text(_rest(sql, chunk, end + 1), text)
        return True
    return False


def _semantic_view(chunk: list[Token], start: int, target: tuple[str, ...], text: Text) -> bool:
    """CREATE SEMANTIC VIEW v TABLES (a AS db.s.t PRIMARY KEY (id), db.s.u) ..."""
    if word_at(chunk, start) != "TABLES" or word_at(chunk, start + 1) != "(":
        return False
    end = closing(chunk, start + 1) - 1
    position = start + 2
    while position < end:
        named = 2 if word_at(chunk, position + 1) == "AS" else 0
        source, after = name_at(chunk, position + named)
        if source:
            text.add_source(source)
        position = max(after, position + 1)
        while position < end and chunk[position].token_type != TokenType.COMMA:
            opens = chunk[position].token_type == TokenType.L_PAREN
            position = closing(chunk, position) if opens else position + 1
        position += 1
    text.add_created(target)
    return True


def _function(sql: str, chunk: list[Token], start: int, text: Text, read_text: ReadText) -> bool:
    """A function in SQL reads what its query reads; it is no table itself."""
    for position in range(start, len(chunk) - 1):
        if word_at(chunk, position) == "LANGUAGE" and word_at(chunk, position + 1) != "SQL":
            return False
        if word_at(chunk, position) in ("RETURN", "AS") and word_at(chunk, position + 1) in _QUERY:
            read_text(_rest(sql, chunk, position + 1), text)
            return True
        opens_body = word_at(chunk, position) == "AS" and word_at(chunk, position + 1) == "BEGIN"
        if opens_body and position + 2 < len(chunk) and text.dialect == "tsql":
            read_text(_rest(sql, chunk, position + 2), text)
            return True
        if word_at(chunk, position) == "RETURN" and text.dialect in ("databricks", "spark"):
            return _value_of_function(sql, chunk, position + 1, text, read_text)
        if word_at(chunk, position) == "BEGIN" and word_at(chunk, position + 1) == "ATOMIC":
            if position + 2 < len(chunk):
                read_text(_rest(sql, chunk, position + 2), text)
            return True
        opens = word_at(chunk, position) in ("AS", "RETURN") and word_at(chunk, position + 1) == "("
        if opens and word_at(chunk, position + 2) in _QUERY and text.dialect not in _LAKEHOUSES:
            end = closing(chunk, position + 1) - 1
            read_text(sql[chunk[position + 2].start : chunk[end].start], text)
            return True
    for position in range(start, len(chunk) - 1):
        body = chunk[position + 1]
        if word_at(chunk, position) == "AS" and body.token_type in STRINGS:
            if body.text.lstrip(" \t\r\n(").upper().startswith(("SELECT", "WITH")):
                read_text(body.text, text)
                return True
    return False


def _value_of_function(
    sql: str, chunk: list[Token], position: int, text: Text, read_text: ReadText
) -> bool:
    """The queries within the expression that a function gives."""
    found = False
    before, text.condition = text.condition, True
    try:
        while position < len(chunk) - 1:
            if word_at(chunk, position) == "(" and word_at(chunk, position + 1) in _QUERY:
                end = closing(chunk, position)
                read_text(sql[chunk[position + 1].start : chunk[end - 1].start], text)
                position, found = end, True
            else:
                position += 1
    finally:
        text.condition = before
    return found


_AFTER_SOURCE = frozenset("KEYS IGNORE APPLY SEQUENCE COLUMNS STORED TRACK WHERE".split())


def _captured(
    sql: str, chunk: list[Token], text: Text, read_text: ReadText, target: str = ""
) -> bool:
    """Databricks' APPLY CHANGES INTO t FROM s KEYS ..., and AUTO CDC [INTO t] FROM s KEYS ..."""
    starts = [
        position
        for position in range(len(chunk) - 2)
        if (word_at(chunk, position), word_at(chunk, position + 1))
        in (("APPLY", "CHANGES"), ("AUTO", "CDC"))
    ]
    if not starts:
        return False
    position = starts[0] + 2
    while position < len(chunk) - 1 and word_at(chunk, position) != "FROM":
        if word_at(chunk, position) == "INTO":
            _, after = name_at(chunk, position + 1)
            target = sql[chunk[position + 1].start : chunk[after - 1].end + 1]
        position += 1
    end = position + 1
    while end < len(chunk) and word_at(chunk, end) not in _AFTER_SOURCE:
        end = closing(chunk, end) if word_at(chunk, end) == "(" else end + 1
    if not target or end == position + 1 or end > len(chunk):
        return False
    source = sql[chunk[position + 1].start : chunk[end - 1].end + 1]
    read_text(f"INSERT INTO {target} SELECT * FROM {source}", text)
    return True
