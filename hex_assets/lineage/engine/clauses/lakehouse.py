"""Clauses of Snowflake and Spark that sqlglot's grammar lacks."""

from __future__ import annotations

from itertools import pairwise

from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.clauses.pipes import (
    lateral_views,
    with_known_operators,
    with_spark_operators,
)
from hex_assets.lineage.engine.clauses.rewriting import (
    Tokens,
    as_names,
    called,
    dropping,
    items_of,
    like,
    opens,
)
from hex_assets.lineage.engine.words import STRINGS, closing, word_at

MAX_TOKENS = 20_000
"""Of a multi-table insert's statements, each of which takes in what all of them read."""


def schema_evolution(tokens: Tokens, position: int, files: list[str]) -> int:
    """MERGE WITH SCHEMA EVOLUTION INTO t, and the same of INSERT."""
    words = [word_at(tokens, position + n) for n in range(3)]
    return position + 3 if position < 3 and words == ["WITH", "SCHEMA", "EVOLUTION"] else 0


def window_calls(tokens: Tokens, files: list[str]) -> Tokens:
    """Spark's function window(ts, '5 minutes') and its column window.start: no keyword there."""
    return as_names(
        tokens,
        lambda position, token: (
            token.token_type == TokenType.WINDOW and word_at(tokens, position + 1) in ("(", ".")
        ),
    )


def keyword_parameters(tokens: Tokens, files: list[str]) -> Tokens:
    """Parameter markers whose name is a keyword: BETWEEN :from AND :to."""
    return as_names(
        tokens,
        lambda position, token: (
            position > 0
            and tokens[position - 1].token_type == TokenType.COLON
            and tokens[position - 1].end + 1 == token.start
            and token.text.replace("_", "").isalpha()
        ),
    )


def table_partitions(tokens: Tokens, position: int, files: list[str]) -> int:
    """A function's argument TABLE(t) PARTITION BY a ORDER BY b, or WITH SINGLE PARTITION."""
    words = [word_at(tokens, position + n) for n in range(3)]
    told = words[:2] == ["PARTITION", "BY"] or words[0] == "PARTITION BY"
    if word_at(tokens, position - 1) != ")" or not (told or words == _SINGLE):
        return 0
    start = position - 1
    depth = 0
    while start > 0:
        depth += (word_at(tokens, start) == ")") - (word_at(tokens, start) == "(")
        if depth == 0:
            break
        start -= 1
    if word_at(tokens, start - 1) != "TABLE":
        return 0
    end = position
    while end < len(tokens) and word_at(tokens, end) not in (",", ")"):
        end = closing(tokens, end) if opens(tokens, end) else end + 1
    return end


_SINGLE = ["WITH", "SINGLE", "PARTITION"]


def at_version(tokens: Tokens, position: int, files: list[str]) -> int:
    """Delta's version in a table's name: t@v12, t@20240101000000000."""
    if tokens[position].token_type != TokenType.PARAMETER or not 0 < position < len(tokens) - 1:
        return 0
    before, version = tokens[position - 1], tokens[position + 1].text.lower().removeprefix("v")
    adjoins = before.end + 1 == tokens[position].start
    return position + 2 if adjoins and version.isdecimal() else 0


_TRAVELS = frozenset({"TIMESTAMP", "VERSION", "SYSTEM_TIME", "SYSTEM_VERSION"})


def time_travel(tokens: Tokens, position: int, files: list[str]) -> int:
    """TIMESTAMP AS OF with a calculation: current_timestamp() - INTERVAL 12 HOURS."""
    start = position + (word_at(tokens, position) == "FOR")
    words = [word_at(tokens, start + n) for n in range(3)]
    if words[0] not in _TRAVELS or words[1:] != ["AS", "OF"]:
        return 0
    end = _term(tokens, start + 3)
    while word_at(tokens, end) in ("+", "-"):
        end = _term(tokens, end + 1)
    return end


def _term(tokens: Tokens, position: int) -> int:
    """Where a value ends: a call, an interval, a typed string, a name, a constant."""
    if word_at(tokens, position) == "INTERVAL":
        is_number = word_at(tokens, position + 1).replace(".", "").isdecimal()
        unit = word_at(tokens, position + 2).rstrip("S") in _UNITS
        return position + (3 if is_number or unit else 2)
    if opens(tokens, position):
        return closing(tokens, position)
    if opens(tokens, position + 1):
        return closing(tokens, position + 1)
    typed = position + 1 < len(tokens) and tokens[position + 1].token_type in STRINGS
    return position + 2 if typed and tokens[position].token_type not in STRINGS else position + 1


_UNITS = frozenset("SECOND MINUTE HOUR DAY WEEK MONTH YEAR".split())


def watermark(tokens: Tokens, position: int, files: list[str]) -> int:
    """WATERMARK ts DELAY OF INTERVAL 10 MINUTES of a streaming table's source."""
    if word_at(tokens, position) != "WATERMARK":
        return 0
    for end in range(position + 2, min(len(tokens), position + 20)):
        if word_at(tokens, end) == "DELAY" and word_at(tokens, end + 1) == "OF":
            return _term(tokens, end + 2)
    return 0


def live_words(tokens: Tokens, position: int, files: list[str]) -> int:
    """A pipeline's words before TABLE or VIEW: LIVE, PRIVATE, and STREAMING of a view."""
    if not 0 < position < 6 or word_at(tokens, 0) != "CREATE":
        return 0
    word, following = word_at(tokens, position), word_at(tokens, position + 1)
    if word == "STREAMING":
        later = following if following != "LIVE" else word_at(tokens, position + 2)
        return position + 1 if later == "VIEW" else 0
    pipeline = word in ("LIVE", "PRIVATE") and following in _OF_PIPELINE
    return position + 1 if pipeline else 0


_OF_PIPELINE = frozenset({"TABLE", "VIEW", "STREAMING", "MATERIALIZED"})


def replace_on(tokens: Tokens, position: int, files: list[str]) -> int:
    """INSERT INTO t [AS a] REPLACE ON condition (query) [AS b]."""
    if word_at(tokens, 0) != "INSERT" or word_at(tokens, position) == "(":
        return 0
    if word_at(tokens, position - 1) == ")" and position >= len(tokens) - 2:
        head = [word_at(tokens, n) for n in range(min(position, 20))]
        return len(tokens) if ("REPLACE", "ON") in pairwise(head) else 0
    start = position + (2 if word_at(tokens, position) == "AS" else 0)
    if word_at(tokens, start) != "REPLACE" or word_at(tokens, start + 1) != "ON":
        return 0
    end = start + 2
    while end < len(tokens):
        within = end + opens(tokens, end)
        if word_at(tokens, within) in ("SELECT", "WITH", "TABLE", "VALUES"):
            return end
        end = closing(tokens, end) if opens(tokens, end) else end + 1
    return 0


def recursion_level(tokens: Tokens, position: int, files: list[str]) -> int:
    """MAX RECURSION LEVEL 200 of a recursive CTE, before its AS."""
    words = [word_at(tokens, position + n) for n in range(5)]
    return position + 4 if words[:3] == ["MAX", "RECURSION", "LEVEL"] and words[4] == "AS" else 0


def table_options(tokens: Tokens, position: int, files: list[str]) -> int:
    """Options of a table that is read: FROM t WITH ('k' = 'v'), FROM STREAM(t) WITH (k)."""
    if word_at(tokens, position) != "WITH" or not opens(tokens, position + 1):
        return 0
    start = position - 1
    if word_at(tokens, start) == ")":
        while start > 0 and word_at(tokens, start) != "(":  # a name in parentheses has no others
            start -= 1
        if word_at(tokens, start - 1) != "STREAM":
            return 0
        return closing(tokens, position + 1)
    while word_at(tokens, start - 1) == ".":
        start -= 2
    read = word_at(tokens, start - 1) in ("FROM", "JOIN", "STREAM", ",")
    return closing(tokens, position + 1) if read else 0


def once(tokens: Tokens, position: int, files: list[str]) -> int:
    """INSERT INTO ONCE t of a flow."""
    words = [word_at(tokens, n) for n in range(3)]
    return 3 if position == 2 and words == ["INSERT", "INTO", "ONCE"] else 0


_AFTER_LIST = frozenset(
    "WHERE GROUP HAVING ORDER SORT CLUSTER DISTRIBUTE LIMIT WINDOW LATERAL QUALIFY UNION".split()
)


def multi_insert(tokens: Tokens, files: list[str]) -> Tokens:
    """FROM t INSERT INTO a SELECT x INSERT INTO b SELECT y, as one statement for each INSERT."""
    if word_at(tokens, 0) not in ("FROM", "WITH"):
        return tokens
    plain = _outside_parentheses(tokens)
    start = next((n for n in plain if word_at(tokens, n) in ("FROM", "SELECT")), 0)
    inserts = [n for n in plain if n > start and word_at(tokens, n) == "INSERT"]
    if word_at(tokens, start) != "FROM" or not inserts:
        return tokens
    head, source = tokens[:start], tokens[start : inserts[0]]
    found: Tokens = []
    for first, after in zip(inserts, [*inserts[1:], len(tokens)], strict=True):
        own = [n for n in plain if first < n < after]
        select = next((n for n in own if word_at(tokens, n) == "SELECT"), 0)
        if not select or len(found) > MAX_TOKENS:
            return tokens
        later = [n for n in own if n > select]
        end = next((n for n in later if _first_word(tokens, n) in _AFTER_LIST), after)
        if found:
            found.append(like(tokens[first], TokenType.SEMICOLON, ";"))
        found += [*tokens[first:select], *head, *tokens[select:end], *source, *tokens[end:after]]
    return found


def _first_word(tokens: Tokens, position: int) -> str:
    """GROUP of the token GROUP BY."""
    return word_at(tokens, position).split(" ", 1)[0]


def _outside_parentheses(tokens: Tokens) -> list[int]:
    depth = 0
    found: list[int] = []
    for position, token in enumerate(tokens):
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if depth == 0:
            found.append(position)
    return found


def pivoted_expressions(tokens: Tokens, files: list[str]) -> Tokens:
    """PIVOT (sum(v) * 2 AS x FOR ...) as of one call, which is all that the grammar takes."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        kept.append(tokens[position])
        position += 1
        if word_at(tokens, position - 1) == "PIVOT" and opens(tokens, position):
            end = _position_of("FOR", tokens, position + 1, closing(tokens, position))
            kept.append(tokens[position])
            for number, item in enumerate(items_of(tokens[position + 1 : end])):
                kept += [like(item[0], TokenType.COMMA, ",")] if number else []
                kept += _as_call(item)
            position = end
    return kept if len(kept) > len(tokens) else tokens


def _position_of(word: str, tokens: Tokens, start: int, end: int) -> int:
    """Where a word stands outside of parentheses; `end` if it does not."""
    position = start
    while position < end and word_at(tokens, position) != word:
        position = closing(tokens, position) if opens(tokens, position) else position + 1
    return min(position, end)


def _as_call(item: Tokens) -> Tokens:
    """An expression with its alias as the argument of a call, unless it is a call itself."""
    end = _position_of("AS", item, 0, len(item))
    if end == len(item) and len(item) > 1 and item[-1].token_type in _ALIASES:
        end -= item[-2].token_type in _ENDS_OF_VALUES
    value = item[:end]
    if opens(value, 1) and closing(value, 1) == len(value):
        return item
    return [*called("expression", item[0], value), *item[end:]]


_ALIASES = frozenset({TokenType.VAR, TokenType.IDENTIFIER})
_ENDS_OF_VALUES = frozenset({TokenType.R_PAREN, TokenType.NUMBER})


OF_SPARK = (
    *map(dropping, (schema_evolution, at_version, time_travel, watermark, live_words, replace_on)),
    *map(dropping, (table_partitions, once, recursion_level, table_options)),
    multi_insert,
    pivoted_expressions,
    window_calls,
    keyword_parameters,
    lateral_views,
    with_spark_operators,
    with_known_operators,
)
OF_HIVE = (multi_insert,)
