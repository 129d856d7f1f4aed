"""Clauses of Trino and its relatives that sqlglot's grammar lacks."""

from __future__ import annotations

import re

from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.clauses.json import json_defaults
from hex_assets.lineage.engine.clauses.match import subset
from hex_assets.lineage.engine.clauses.rewriting import Tokens, dropping, like, opens
from hex_assets.lineage.engine.dialects import tokenizer
from hex_assets.lineage.engine.words import closing, word_at

_HEAD = re.compile(r"\b(?:session|function)\b", re.IGNORECASE)
_HEADS = frozenset({("WITH", "SESSION"), ("WITH", "FUNCTION"), ("USING", "EXTERNAL")})
_BODY_QUOTES = re.compile(r"\$\$[\s\S]*?\$\$")
_QUERY = frozenset({"SELECT", "VALUES", "TABLE"})


def without_head(sql: str, dialect: str) -> str:
    """The query after WITH SESSION p = v, ... and WITH FUNCTION ..., whose bodies hold no query.

    A body may have semicolons, so that this comes before a text is split at them. Athena's
    USING EXTERNAL FUNCTION ... has none.
    """
    if dialect not in ("trino", "athena") or not _HEAD.search(sql):
        return sql
    plain = _BODY_QUOTES.sub(lambda match: " " * len(match.group()), sql).replace(";", ",")
    try:
        tokens = tokenizer(dialect).tokenize(plain)
    except SqlglotError:
        return sql
    if (word_at(tokens, 0), word_at(tokens, 1)) not in _HEADS:
        return sql
    position = 1
    while position < len(tokens):
        word, following = word_at(tokens, position), word_at(tokens, position + 1)
        if word == "," and word_at(tokens, position + 2) == "AS" and opens(tokens, position + 3):
            return "WITH " + sql[tokens[position + 1].start :]  # a CTE after a function
        begins = word == "WITH" and following not in ("(", "FUNCTION", "SESSION")
        if begins or word in _QUERY:
            return sql[tokens[position].start :]
        position = closing(tokens, position) if opens(tokens, position) else position + 1
    return sql


_VERSIONS = frozenset({"SYSTEM_VERSION", "SYSTEM_TIME", "VERSION", "TIMESTAMP"})
_FOR_VERSIONS = frozenset({"FOR VERSION", "FOR TIMESTAMP"})


def version(tokens: Tokens, position: int, files: list[str]) -> int:
    """FOR SYSTEM_VERSION AS OF 1 and FOR TIMESTAMP BEFORE now() - INTERVAL '1' DAY."""
    word = word_at(tokens, position)
    start = position + 1
    if word == "FOR" and word_at(tokens, start) in _VERSIONS:
        start += 1
    elif word not in _FOR_VERSIONS:
        return 0
    if word_at(tokens, start) == "BEFORE":
        start += 1
    elif word_at(tokens, start) == "AS" and word_at(tokens, start + 1) == "OF":
        start += 2
    else:
        return 0
    end = _after_operand(tokens, start)
    while end < len(tokens):
        if word_at(tokens, end) in _OPERATORS:
            end = _after_operand(tokens, end + 1)
        elif [word_at(tokens, end + n) for n in range(3)] == ["AT", "TIME", "ZONE"]:
            end = _after_operand(tokens, end + 3)
        else:
            break
    return end


_OPERATORS = frozenset({"+", "-", "*", "/", "%", "||"})
_UNITS = frozenset({"YEAR", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"})


def _after_operand(tokens: Tokens, start: int) -> int:
    """The position after a literal with its type and unit, a name, a call or a parenthesis."""
    if opens(tokens, start):
        return closing(tokens, start)
    word = word_at(tokens, start)
    if word in ("-", "+"):
        return _after_operand(tokens, start + 1)
    end = start + 1
    if word == "INTERVAL":
        end += 2 if word_at(tokens, end) in ("-", "+") else 1
        end += word_at(tokens, end) in _UNITS
        return end + 2 if word_at(tokens, end) == "TO" else end
    if word in ("TIMESTAMP", "DATE") and not opens(tokens, end):
        return end + 1
    while word_at(tokens, end) == ".":  # a function of a schema
        end += 2
    return closing(tokens, end) if opens(tokens, end) else end


_OF_ARGUMENT = frozenset({"AS", "PARTITION BY", "ORDER BY", "PRUNE", "KEEP", "COPARTITION"})


def of_table_argument(tokens: Tokens, position: int, files: list[str]) -> int:
    """`input => TABLE(t) AS a PARTITION BY k ORDER BY o`: how a function is given the rows."""
    if word_at(tokens, position - 1) != ")" or word_at(tokens, position) not in _OF_ARGUMENT:
        return 0
    start = _opening(tokens, position - 1)
    if word_at(tokens, start - 1) == "TABLE":
        start -= 1
    if word_at(tokens, start - 1) != "=>":
        return 0
    end = position
    while end < len(tokens) and word_at(tokens, end) != ")":
        if word_at(tokens, end) == "," and word_at(tokens, end + 2) == "=>":
            break
        end = closing(tokens, end) if opens(tokens, end) else end + 1
    return end


def _opening(tokens: Tokens, end: int) -> int:
    """The parenthesis that the one at a position closes."""
    depth = 0
    for position in range(end, -1, -1):
        kind = tokens[position].token_type
        depth += (kind == TokenType.R_PAREN) - (kind == TokenType.L_PAREN)
        if depth == 0:
            return position
    return 0


def with_table_queries(tokens: Tokens, files: list[str]) -> Tokens:
    """`input => TABLE(SELECT ...)` as a subquery."""
    kept = [
        token
        for position, token in enumerate(tokens)
        if not (
            word_at(tokens, position) == "TABLE"
            and word_at(tokens, position - 1) == "=>"
            and opens(tokens, position + 1)
        )
    ]
    return kept if len(kept) < len(tokens) else tokens


_READS = frozenset({"JSON_EXISTS", "JSON_VALUE", "JSON_QUERY"})
_MAKES = frozenset({"JSON_OBJECT", "JSON_ARRAY"})
_OPTIONS = frozenset(
    "RETURNING WITH WITHOUT KEEP OMIT NULL ERROR EMPTY DEFAULT TRUE FALSE UNKNOWN ABSENT".split()
)
"""What begins a clause after the values that a JSON function is given."""


def with_plain_json(tokens: Tokens, files: list[str]) -> Tokens:
    """JSON_VALUE, JSON_OBJECT and the like as calls of their values; JSON_TABLE's columns bare."""
    kept: Tokens = []
    changed = False
    position = 0
    while position < len(tokens):
        word = word_at(tokens, position)
        calls = word.startswith("JSON_") and opens(tokens, position + 1)
        if not calls or word not in (*_READS, *_MAKES, "JSON_TABLE"):
            kept.append(tokens[position])
            position += 1
            continue
        end = closing(tokens, position + 1)
        inner = with_plain_json(tokens[position + 2 : end - 1], files)
        if word == "JSON_TABLE":
            kept += [*tokens[position : position + 2], *_table(inner), tokens[end - 1]]
        else:
            name = word if word == "JSON_ARRAY" else f"{word}_"  # which has no grammar of its own
            plain = like(tokens[position], TokenType.VAR, name)
            kept += [plain, tokens[position + 1], *_values(inner, word), tokens[end - 1]]
        position = end
        changed = True
    return kept if changed else tokens


def _values(inner: Tokens, call: str) -> Tokens:
    """The values of a call, with commas between them: also those after PASSING and DEFAULT."""
    kept: Tokens = []
    takes = True
    passing = False
    position = 0
    while position < len(inner):
        token, word = inner[position], word_at(inner, position)
        following = word_at(inner, position + 1)
        if opens(inner, position):
            end = closing(inner, position)
            kept += inner[position:end] if takes else []
            position = end
            continue
        if word == "FORMAT" and following == "JSON":
            position += 4 if word_at(inner, position + 2) == "ENCODING" else 2
            continue
        if word in ("PASSING", "DEFAULT"):
            kept.append(like(token, TokenType.COMMA, ","))
            takes, passing = True, word == "PASSING"
        elif word == "ON" or (_is_option(inner, position) and kept):
            takes = False
        elif word == "AS" and (passing or call in _READS):
            position += 1  # the name of a path or of what is passed
        elif call == "JSON_OBJECT" and word == "KEY" and following not in ("VALUE", ":", ","):
            pass
        elif call == "JSON_OBJECT" and word in ("VALUE", ":") and _is_value(kept):
            kept.append(like(token, TokenType.COMMA, ","))
        elif takes:
            kept.append(token)
        position += 1
    return kept


def _is_value(before: Tokens) -> bool:
    return bool(before) and before[-1].token_type != TokenType.COMMA


def _is_option(inner: Tokens, position: int) -> bool:
    """Whether a clause begins: NULL and TRUE are values, too, so what comes after them tells."""
    word, following = word_at(inner, position), word_at(inner, position + 1)
    if word not in _OPTIONS or inner[position].token_type == TokenType.IDENTIFIER:
        return False
    if word == "EMPTY":
        return following in ("ON", "ARRAY", "OBJECT")
    return following == "ON" if word in ("NULL", "TRUE", "FALSE", "UNKNOWN", "ERROR") else True


def _table(inner: Tokens) -> Tokens:
    """JSON_TABLE's document and path, and its columns without options, the nested ones too."""
    start = 0
    while not (word_at(inner, start) == "COLUMNS" and opens(inner, start + 1)):
        start += 1
        if start >= len(inner):
            return inner
    columns = _columns(inner[start + 2 : closing(inner, start + 1) - 1])
    head: Tokens = []
    for position in range(start):
        word = word_at(inner, position)
        if word == "PASSING" or (word == "AS" and position + 2 == start):
            break
        if word == "AS" and word_at(inner, position + 2) == "PASSING":
            break
        head.append(inner[position])
    return [*head, *inner[start : start + 2], *columns, inner[closing(inner, start + 1) - 1]]


_COLUMN_OPTIONS = _OPTIONS | {"FORMAT"}


def _columns(inner: Tokens) -> Tokens:
    kept: Tokens = []
    for column in _listed(inner):
        words = [word_at(column, position) for position in range(len(column))]
        if words[0] == "NESTED" and "COLUMNS" in words:
            start = words.index("COLUMNS") + 1
            plain = _columns(column[start + 1 : closing(column, start) - 1])
        else:
            ends = [n for n, word in enumerate(words) if n > 1 and word in _COLUMN_OPTIONS]
            plain = column[: ends[0]] if ends else column
            if "PATH" in words[len(plain) :]:
                path = words.index("PATH")
                plain = [*plain, *column[path : path + 2]]
        if kept and plain:
            kept.append(like(plain[0], TokenType.COMMA, ","))
        kept += plain
    return kept


def _listed(inner: Tokens) -> list[Tokens]:
    """The parts between commas outside parentheses."""
    parts: list[Tokens] = [[]]
    position = 0
    while position < len(inner):
        end = closing(inner, position) if opens(inner, position) else position + 1
        if inner[position].token_type == TokenType.COMMA:
            parts.append([])
        else:
            parts[-1] += inner[position:end]
        position = end
    return [part for part in parts if part]


OF_TRINO = (
    with_plain_json,
    *map(dropping, (subset, json_defaults, version, of_table_argument)),
    with_table_queries,
)
