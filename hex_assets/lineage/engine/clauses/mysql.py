"""Clauses of MySQL and MariaDB that sqlglot's grammar lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.clauses.drivers import odbc
from hex_assets.lineage.engine.clauses.json import json_defaults
from hex_assets.lineage.engine.clauses.rewriting import Tokens, called, dropping, like, opens
from hex_assets.lineage.engine.words import STRINGS, closing, name_at, word_at

_OF_OUTFILE = frozenset(
    "CHARACTER SET CHARSET FIELDS COLUMNS LINES TERMINATED OPTIONALLY ENCLOSED ESCAPED STARTING BY "
    "TRUNCATE APPEND AND STDOUT COMPRESSION LEVEL".split()
)


def outfile(tokens: Tokens, position: int, files: list[str]) -> int:
    """INTO OUTFILE 'x' FIELDS TERMINATED BY ',' ... of MySQL and ClickHouse."""
    if word_at(tokens, position) != "INTO":
        return 0
    if word_at(tokens, position + 1) not in ("OUTFILE", "DUMPFILE") or position + 2 >= len(tokens):
        return 0
    files.append(tokens[position + 2].text)
    end = position + 3
    while end < len(tokens):
        before = word_at(tokens, end - 1)
        known = word_at(tokens, end) in _OF_OUTFILE or before in ("SET", "CHARSET", "LEVEL")
        if not known and tokens[end].token_type != TokenType.STRING:
            break
        end += 1
    return end


def into_variables(tokens: Tokens, position: int, files: list[str]) -> int:
    """MySQL's SELECT ... INTO @a, @b."""
    if word_at(tokens, position) != "INTO" or not word_at(tokens, position + 1).startswith("@"):
        return 0
    end = position + 1
    while word_at(tokens, end).startswith("@"):
        end += 1 if len(tokens[end].text) > 1 else 2
        if word_at(tokens, end) == "," and word_at(tokens, end + 1).startswith("@"):
            end += 1
    return end


def analyse(tokens: Tokens, position: int, files: list[str]) -> int:
    """MariaDB's PROCEDURE ANALYSE() after a query."""
    words = [word_at(tokens, position + n) for n in range(3)]
    return closing(tokens, position + 2) if words == ["PROCEDURE", "ANALYSE", "("] else 0


def examined(tokens: Tokens, position: int, files: list[str]) -> int:
    """MariaDB's LIMIT ROWS EXAMINED 1000 and LIMIT 5 ROWS EXAMINED 1000."""
    start = position + (word_at(tokens, position) == "LIMIT")
    words = [word_at(tokens, start + n) for n in range(2)]
    return start + 3 if words == ["ROWS", "EXAMINED"] else 0


def cycle(tokens: Tokens, position: int, files: list[str]) -> int:
    """MariaDB's WITH RECURSIVE r AS (...) CYCLE a, b RESTRICT."""
    if word_at(tokens, position) != "CYCLE" or word_at(tokens, position - 1) != ")":
        return 0
    for end in range(position + 2, min(len(tokens), position + 40)):
        if word_at(tokens, end) == "RESTRICT":
            return end + 1
    return 0


def of_change(tokens: Tokens, position: int, files: list[str]) -> int:
    """MariaDB's FOR PORTION OF p FROM a TO b, and `.*` after a table in DELETE t.* FROM t."""
    first = word_at(tokens, 0)
    words = [word_at(tokens, position + n) for n in range(3)]
    if first in ("UPDATE", "DELETE") and words == ["FOR", "PORTION", "OF"]:
        for end in range(position, min(len(tokens), position + 40)):
            if word_at(tokens, end) in ("SET", "WHERE"):
                return end
    star = words[:2] == [".", "*"] and words[2] in (",", "FROM", "USING")
    return position + 2 if first == "DELETE" and star else 0


def of_create(tokens: Tokens, position: int, files: list[str]) -> int:
    """DEFINER = CURRENT_USER() of a view."""
    words = [word_at(tokens, position + n) for n in range(3)]
    if words != ["DEFINER", "=", "CURRENT_USER"]:
        return 0
    return closing(tokens, position + 3) if opens(tokens, position + 3) else position + 3


def of_window(tokens: Tokens, position: int, files: list[str]) -> int:
    """NTH_VALUE(a, 2) FROM FIRST OVER w: the words between the call and OVER."""
    words = [word_at(tokens, position + n) for n in range(3)]
    from_end = words[0] == "FROM" and words[1] in ("FIRST", "LAST")
    return position + 2 if from_end and words[2] in ("OVER", "RESPECT", "IGNORE") else 0


def nested_paths(tokens: Tokens, files: list[str]) -> Tokens:
    """JSON_TABLE's NESTED '$.a[*]' COLUMNS, in which PATH may be left out."""
    kept: Tokens = []
    for position, token in enumerate(tokens):
        kept.append(token)
        following = tokens[position + 1 : position + 2]
        if (
            word_at(tokens, position) == "NESTED"
            and following
            and following[0].token_type in STRINGS
        ):
            kept.append(like(token, TokenType.VAR, "PATH"))
    return kept if len(kept) > len(tokens) else tokens


def of_select(tokens: Tokens, position: int, files: list[str]) -> int:
    """MySQL's SELECT SQL_BIG_RESULT DISTINCTROW a."""
    word = word_at(tokens, position)
    return position + 1 if word == "DISTINCTROW" or word.startswith("SQL_") else 0


def group_order(tokens: Tokens, files: list[str]) -> Tokens:
    """MySQL's old GROUP BY a DESC."""
    kept: Tokens = []
    grouping = False
    for token in tokens:
        word = token.text.upper()
        if word in ("GROUP BY", "HAVING", "ORDER BY", "LIMIT", "SELECT"):
            grouping = word == "GROUP BY"
        if not (grouping and word in ("ASC", "DESC")):
            kept.append(token)
    return kept if len(kept) < len(tokens) else tokens


_SIGNED = ("SIGNED", "UNSIGNED")


def signed(tokens: Tokens, position: int, files: list[str]) -> int:
    """The second word of CAST(a AS UNSIGNED INTEGER)."""
    integer = word_at(tokens, position) in ("INT", "INTEGER")
    return position + 1 if integer and word_at(tokens, position - 1) in _SIGNED else 0


_MODES = (
    ["IN", "BOOLEAN", "MODE"],
    ["IN", "NATURAL", "LANGUAGE", "MODE"],
    ["WITH", "QUERY", "EXPANSION"],
)


def full_text(tokens: Tokens, files: list[str]) -> Tokens:
    """MATCH (a) AGAINST (CONCAT('+', b) IN BOOLEAN MODE), of which the parser wants a string."""
    if all(word_at(tokens, position) != "AGAINST" for position in range(len(tokens))):
        return tokens
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        words = [word_at(tokens, position + n) for n in range(4)]
        mode = next((m for m in _MODES if words[: len(m)] == m), None)
        if mode:
            position += len(mode)
            continue
        token = tokens[position]
        if words[:2] == ["MATCH", "("]:
            token = like(token, TokenType.VAR, "MATCHES")
        elif words[0] == "AGAINST" and word_at(tokens, position - 1) == ")":
            token = like(token, TokenType.PLUS, token.text)
        kept.append(token)
        position += 1
    return kept


def next_value(tokens: Tokens, files: list[str]) -> Tokens:
    """MariaDB's NEXT VALUE FOR s as a call without arguments: a sequence is no table."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        words = [word_at(tokens, position + n) for n in range(3)]
        if words[0] in ("NEXT", "PREVIOUS") and words[1:] == ["VALUE", "FOR"]:
            kept += called("nextval", tokens[position])
            position = name_at(tokens, position + 3)[1]
        else:
            kept.append(tokens[position])
            position += 1
    return kept if len(kept) < len(tokens) else tokens


OF_MYSQL = (
    *map(
        dropping,
        (
            json_defaults,
            outfile,
            into_variables,
            odbc,
            analyse,
            of_select,
            examined,
            cycle,
            of_change,
            of_create,
            of_window,
            signed,
        ),
    ),
    group_order,
    next_value,
    nested_paths,
    full_text,
)
