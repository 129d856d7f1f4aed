"""Statements that are read by their words: LOAD DATA, EXECUTE IMMEDIATE, CLONE, EXCHANGE, ..."""

from __future__ import annotations

import re

from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.callbacks import ReadText
from hex_assets.lineage.engine.dialects import tokenizer
from hex_assets.lineage.engine.statements.executed import read_executed
from hex_assets.lineage.engine.statements.scripts import name_of_call
from hex_assets.lineage.engine.statements.table_queries import table_queries
from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.words import STRINGS, closing, name_at, word_at

_SQL_LANGUAGES = frozenset({"SQL", "PLPGSQL"})
_QUERY_STARTS = frozenset({"SELECT", "WITH"})


def read_pattern(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """Reads a statement that no grammar has but whose words are plain; False for all others."""
    words = [token.text.upper() for token in chunk[:12]]
    first, second = words[0], words[1] if len(words) > 1 else ""
    if first == "LOAD" and second == "DATA":
        return _load_data(chunk, text)
    if first == "ASSERT" or first == "PREPARE":
        return _within(sql, chunk, text, read_text)
    if first == "ALTER" and second == "TABLE":
        return _moved_rows(chunk, text) or _mutated_rows(sql, chunk, text, read_text)
    if first == "ALTER" and "VIEW" in words:
        view = words.index("VIEW")
        named = view == 1 or text.dialect == "mysql"  # ALGORITHM = MERGE stands before
        if named and "AS" in [token.text.upper() for token in chunk[view : view + 12]]:
            read_text("CREATE " + sql[chunk[view].start : chunk[-1].end + 1], text)
            return True
    if first == "ALTER" and second in ("PROC", "PROCEDURE") and text.dialect == "tsql":
        read_text("CREATE" + sql[chunk[0].end + 1 : chunk[-1].end + 1], text)
        return True
    if first in ("EXECUTE", "EXEC"):
        return read_executed(sql, chunk, text, read_text)
    if first == "CREATE":
        if words[1:5].count("TABLE") and "FUNCTION" in words[2:6]:
            return _trained(sql, chunk, text, read_text)
        if "MODEL" in words[1:5]:
            return _trained(sql, chunk, text, read_text)
        if "PROCEDURE" in words[1:5] and any(t.token_type in STRINGS for t in chunk):
            return read_body(chunk, text, read_text)
        if text.dialect == "duckdb" and _pivoted_table(sql, chunk, text, read_text):
            return True
        if "RECURSIVE" in words[1:4] and "VIEW" in words[2:5]:
            return _recursive_view(sql, chunk, text, read_text)
        if _cloned(chunk, text):
            return True
    if (
        first == "INSERT"
        and text.dialect == "duckdb"
        and _pivoted_table(sql, chunk, text, read_text)
    ):
        return True
    if first == "INSERT" and text.dialect == "clickhouse" and _inserted_data(chunk, text):
        return True
    if first == "INSERT" and second == "OVERWRITE" and "DIRECTORY" in words[2:4]:
        return _directory(sql, chunk, text, read_text)
    rewritten = table_queries(sql, chunk, text.dialect)
    if rewritten is None:
        return False
    read_text(rewritten, text)
    return True


def _name_after(chunk: list[Token], start: int, *skipped: str) -> tuple[tuple[str, ...], int]:
    while word_at(chunk, start) in skipped:
        start += 1
    return name_at(chunk, start)


def _load_data(chunk: list[Token], text: Text) -> bool:
    """BigQuery's LOAD DATA INTO t FROM FILES (...), MySQL's and Hive's LOAD DATA ... INTO TABLE."""
    for position, token in enumerate(chunk):
        word = token.text.upper()
        if word in ("INTO", "OVERWRITE") and token.token_type not in STRINGS:
            skipped = ("INTO", "OVERWRITE", "TEMP", "TEMPORARY", "TABLE")
            parts, _ = _name_after(chunk, position, *skipped)
            if parts:
                text.add_target(parts)
                break
    else:
        return False
    for position, token in enumerate(chunk):
        if word_at(chunk, position) in ("INFILE", "INPATH") and token.token_type not in STRINGS:
            text.add_file(chunk[position + 1].text)
        if word_at(chunk, position) == "URIS":
            end = position
            while end < len(chunk) and chunk[end].token_type != TokenType.R_BRACKET:
                if chunk[end].token_type in STRINGS:
                    text.add_file(chunk[end].text)
                end += 1
    text.understood()
    return True


def _moved_rows(chunk: list[Token], text: Text) -> bool:
    """ALTER TABLE that takes rows of another table: EXCHANGE, ATTACH, REPLACE, MOVE, APPEND."""
    target, start = _name_after(chunk, 2, "IF", "EXISTS")
    for position in range(start, len(chunk)):
        word, following = word_at(chunk, position), word_at(chunk, position + 1)
        if word == "EXCHANGE" and following == "PARTITION":
            return _other_table(chunk, position, ("WITH", "TABLE"), target, text)
        if word == "APPEND" and following == "FROM":
            return _other_table(chunk, position, ("FROM",), target, text)
        if word in ("ATTACH", "REPLACE") and following == "PARTITION":
            if text.dialect == "postgres":  # ... FOR VALUES FROM (a) TO (b)
                return True
            return _other_table(chunk, position, ("FROM",), target, text)
        if word == "MOVE" and following == "PARTITION":
            return _other_table(chunk, position, ("TO", "TABLE"), target, text, moves=True)
        if word == "SWITCH" and text.dialect == "tsql":
            return _other_table(chunk, position, ("TO",), target, text, moves=True)
    return False


def _mutated_rows(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """ClickHouse's ALTER TABLE t UPDATE a = b WHERE c, and DELETE WHERE c."""
    if text.dialect != "clickhouse":
        return False
    target, after = name_at(chunk, 2)
    start = after + 3 if word_at(chunk, after) == "ON" else after
    word = word_at(chunk, start)
    if (
        target
        and word == "MODIFY"
        and word_at(chunk, start + 1) == "QUERY"
        and start + 2 < len(chunk)
    ):
        name = sql[chunk[2].start : chunk[after - 1].end + 1]
        read_text(f"CREATE VIEW {name} AS {sql[chunk[start + 2].start : chunk[-1].end + 1]}", text)
        return True
    if not target or word not in ("UPDATE", "DELETE") or start + 1 >= len(chunk):
        return False
    name = sql[chunk[2].start : chunk[after - 1].end + 1]
    for begin, end in _commands(chunk, start):
        rest = sql[chunk[begin + 1].start : chunk[end - 1].end + 1]
        is_update = word_at(chunk, begin) == "UPDATE"
        change = f"UPDATE {name} SET" if is_update else f"DELETE FROM {name}"
        read_text(f"{change} {rest}", text)
    return True


def _commands(chunk: list[Token], start: int) -> list[tuple[int, int]]:
    """Where each of `UPDATE a = 1 WHERE b, DELETE WHERE c` begins and ends."""
    begins, position = [start], start + 1
    while position < len(chunk) - 1:
        if word_at(chunk, position - 1) == "," and word_at(chunk, position) in ("UPDATE", "DELETE"):
            begins.append(position)
        position = closing(chunk, position) if word_at(chunk, position) == "(" else position + 1
    ends = [position - 1 for position in begins[1:]]
    return list(zip(begins, [*ends, len(chunk)], strict=True))


def _inserted_data(chunk: list[Token], text: Text) -> bool:
    """ClickHouse's INSERT INTO t [(a)] FROM INFILE 'x', and FORMAT with its data in the text."""
    target, position = _name_after(chunk, 1, "INTO", "TABLE")
    if not target:
        return False
    if word_at(chunk, position) == "(":
        while position < len(chunk) and word_at(chunk, position) != ")":
            position += 1
        position += 1
    loads = word_at(chunk, position) == "FROM" and word_at(chunk, position + 1) == "INFILE"
    if loads and position + 2 < len(chunk):
        text.add_file(chunk[position + 2].text)
    elif word_at(chunk, position) != "FORMAT":
        return False
    text.add_target(target)
    text.understood()
    return True


def _other_table(
    chunk: list[Token],
    start: int,
    phrase: tuple[str, ...],
    target: tuple[str, ...],
    text: Text,
    *,
    moves: bool = False,
) -> bool:
    for position in range(start, len(chunk)):
        found = tuple(word_at(chunk, position + n) for n in range(len(phrase)))
        if found == phrase:
            other, _ = name_at(chunk, position + len(phrase))
            if not other or not target:
                return False
            text.add_source(target if moves else other)
            text.add_target(other if moves else target)
            text.understood()
            return True
    return False


def read_body(chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """The SQL in the quoted body of a procedure or a block."""
    language = "SQL"
    for position, token in enumerate(chunk[:-1]):
        if token.text.upper() == "LANGUAGE" and token.token_type not in STRINGS:
            language = chunk[position + 1].text.upper()
    bodies = [token for token in chunk if token.token_type in STRINGS]
    if not bodies:
        return False
    if language in _SQL_LANGUAGES:
        read_text(max((token.text for token in bodies), key=len), text)
    else:
        text.miss("dynamic", f"what a procedure in {language} reads and writes is not known")
    return True


def _within(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """BigQuery's ASSERT condition [AS 'x'], and PREPARE p [(int)] AS | FROM query."""
    if len(chunk) == 2 and chunk[1].token_type in STRINGS:  # kept as a string by the tokenizer
        try:
            rest = tokenizer(text.dialect).tokenize(sql[chunk[0].end + 1 : chunk[-1].end + 1])
        except SqlglotError:
            return False
        base, chunk = sql[chunk[0].end + 1 : chunk[-1].end + 1], [chunk[0], *rest]
        return _asserted(base, chunk, text, read_text)
    return _asserted(sql, chunk, text, read_text)


def _asserted(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    if chunk[0].text.upper() == "PREPARE":
        for position in range(2, len(chunk) - 1):
            if word_at(chunk, position) in ("AS", "FROM"):
                if chunk[position + 1].token_type in STRINGS and position + 2 == len(chunk):
                    read_text(chunk[position + 1].text, text)  # MySQL's
                    return True
                if chunk[position + 1].token_type == TokenType.PARAMETER:
                    text.miss("dynamic", "the statement is made of strings when it runs")
                    return True
                read_text(sql[chunk[position + 1].start : chunk[-1].end + 1], text)
                return True
        return False
    told = len(chunk) > 3 and word_at(chunk, len(chunk) - 2) == "AS"
    end = chunk[-3].end if told and chunk[-1].token_type in STRINGS else chunk[-1].end
    if len(chunk) < 2 or text.dialect != "bigquery":
        return False
    before, text.condition = text.condition, True
    try:
        read_text(f"SELECT {sql[chunk[1].start : end + 1]}", text)
    finally:
        text.condition = before
    return True


def _trained(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """CREATE MODEL or TABLE FUNCTION ... AS SELECT reads its data; neither is itself a table."""
    for position, token in enumerate(chunk[:-1]):
        word, following = token.text.upper(), word_at(chunk, position + 1)
        if word == "FROM" and following == "(":  # Redshift: FROM (query) TARGET column
            end = closing(chunk, position + 1)
            read_text(sql[chunk[position + 1].end + 1 : chunk[end - 1].start], text)
            return True
        if word == "FROM" and text.dialect == "redshift":  # FROM table TARGET column
            parts, _ = name_at(chunk, position + 1)
            if parts:
                text.add_source(parts)
                text.understood()
            return bool(parts)
        if word == "AS" and following in {*_QUERY_STARTS, "("}:
            read_text(sql[chunk[position + 1].start : chunk[-1].end + 1], text)
            return True
    return False


def _cloned(chunk: list[Token], text: Text) -> bool:
    """CREATE [SNAPSHOT] TABLE a [DEEP | SHALLOW] CLONE b and what may follow it."""
    for position, token in enumerate(chunk[:-1]):
        word = token.text.upper()
        if word in ("AS", "SELECT") or token.token_type == TokenType.L_PAREN:
            return False
        if word == "CLONE" and position > 1:
            names = [n for n, t in enumerate(chunk[:position]) if t.text.upper() == "TABLE"]
            if not names:
                return False
            target, _ = _name_after(chunk, names[0] + 1, "IF", "NOT", "EXISTS")
            source = _cloned_name(chunk, position + 1, text)
            if not target or not source:
                return False
            temporary = any(word_at(chunk, n) in ("TEMP", "TEMPORARY") for n in range(names[0]))
            text.add_source(source)
            text.add_created(target, temporary=temporary, copied=source)
            return True
    return False


def _cloned_name(chunk: list[Token], start: int, text: Text) -> tuple[str, ...]:
    """The name after CLONE, which IDENTIFIER('a.b') may give."""
    start += word_at(chunk, start) == "AS"
    if word_at(chunk, start) == "IDENTIFIER" and word_at(chunk, start + 1) == "(":
        return name_at(name_of_call(chunk[start : closing(chunk, start + 1)], text), 0)[0]
    return name_at(chunk, start)[0]


def _pivoted_table(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """DuckDB's CREATE TABLE t AS PIVOT ..., which means CREATE TABLE t AS FROM (PIVOT ...)."""
    inserted = 0
    if word_at(chunk, 0) == "INSERT":
        into = next((n for n in range(1, 5) if word_at(chunk, n) == "INTO"), 0)
        _, inserted = name_at(chunk, into + 1)
        inserted = closing(chunk, inserted) if word_at(chunk, inserted) == "(" else inserted
        inserted += 2 if word_at(chunk, inserted) == "BY" else 0
    for position in range(2, min(len(chunk), max(12, inserted + 1))):
        starts = inserted == position if inserted else word_at(chunk, position - 1) == "AS"
        if starts and _pivots(chunk, position):
            start = chunk[position].start
            query = sql[start : chunk[-1].end + 1]
            read_text(f"{sql[chunk[0].start : start]} FROM ({query})", text)
            return True
    return False


def _pivots(chunk: list[Token], position: int) -> bool:
    """Whether a PIVOT or UNPIVOT statement begins here, maybe with CTEs before it."""
    if word_at(chunk, position) == "WITH":
        while position < len(chunk) and word_at(chunk, position) not in _AFTER_CTES:
            is_open = chunk[position].token_type == TokenType.L_PAREN
            position = closing(chunk, position) if is_open else position + 1
    return word_at(chunk, position) in ("PIVOT", "UNPIVOT")


_AFTER_CTES = frozenset({"SELECT", "FROM", "PIVOT", "UNPIVOT", "VALUES"})
_LIST = frozenset({TokenType.L_PAREN, TokenType.R_PAREN, TokenType.COMMA})


def _recursive_view(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """CREATE RECURSIVE VIEW v (a) AS q, which means WITH RECURSIVE v (a) AS (q) SELECT a FROM v."""
    for position, token in enumerate(chunk[:-1]):
        if token.text.upper() != "AS":
            continue
        start = next(n for n, t in enumerate(chunk) if t.text.upper() == "VIEW") + 1
        parts, after = name_at(chunk, start)
        if not parts or position < after:
            return False
        name = sql[chunk[start].start : chunk[after - 1].end + 1]
        own = sql[chunk[after - 1].start : chunk[after - 1].end + 1]
        listed = [t for t in chunk[after:position] if t.token_type not in _LIST]
        names = ", ".join(sql[t.start : t.end + 1] for t in listed)
        columns = f"({names})" if names else ""
        query = sql[chunk[position + 1].start : chunk[-1].end + 1]
        if after - start > 1:  # the view may name itself in full
            query = re.sub(rf'(?<![\w."]){re.escape(name)}(?![\w."])', own, query)
        read_text(
            f"CREATE VIEW {name} {columns} AS WITH RECURSIVE {own} {columns} AS ({query}) "
            f"SELECT {names or '*'} FROM {own}",
            text,
        )
        return True
    return False


def _directory(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    for position, token in enumerate(chunk):
        if token.token_type in STRINGS and position < 6:
            text.add_file(token.text)
        if token.text.upper() in _QUERY_STARTS and token.token_type not in STRINGS:
            if position + 1 < len(chunk) and chunk[position + 1].text == "(":
                continue
            read_text(sql[token.start : chunk[-1].end + 1], text)
            return True
    return False
