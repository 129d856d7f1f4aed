"""Clauses of T-SQL that sqlglot's grammar lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.clauses.drivers import odbc
from hex_assets.lineage.engine.clauses.rewriting import Tokens, dropping, opens, spelled
from hex_assets.lineage.engine.words import closing, name_at, word_at


def using_culture(tokens: Tokens, position: int, files: list[str]) -> int:
    """T-SQL's PARSE(x AS int USING 'en-US')."""
    string = position + 1 < len(tokens) and tokens[position + 1].token_type == TokenType.STRING
    return position + 2 if word_at(tokens, position) == "USING" and string else 0


def namespaces(tokens: Tokens, files: list[str]) -> Tokens:
    """T-SQL's WITH XMLNAMESPACES (...), alone or before common table expressions."""
    if word_at(tokens, 0) != "WITH" or word_at(tokens, 1) != "XMLNAMESPACES":
        return tokens
    end = closing(tokens, 2)
    return [tokens[0], *tokens[end + 1 :]] if word_at(tokens, end) == "," else tokens[end:]


def with_schema(tokens: Tokens, position: int, files: list[str]) -> int:
    """The columns of OPENROWSET(...) WITH (a int 1)."""
    if word_at(tokens, position) != "WITH" or not opens(tokens, position + 1):
        return 0
    call = any(word_at(tokens, before) == "OPENROWSET" for before in range(position))
    return closing(tokens, position + 1) if call and word_at(tokens, position - 1) == ")" else 0


def merge_hint(tokens: Tokens, position: int, files: list[str]) -> int:
    """The hint of MERGE t WITH (HOLDLOCK) a: behind it the parser takes an alias only after AS."""
    if word_at(tokens, position) != "WITH" or not opens(tokens, position + 1):
        return 0
    for before in range(position - 1, max(-1, position - _LONGEST_TARGET), -1):
        word = word_at(tokens, before)
        if word == "MERGE":
            return closing(tokens, position + 1)
        if word in ("USING", "FROM", "JOIN", "SELECT"):
            break
    return 0


_LONGEST_TARGET = 16
"""Tokens of `MERGE TOP (9) PERCENT INTO a.b.c.d AS t`."""


def changes(tokens: Tokens, files: list[str]) -> Tokens:
    """T-SQL's CHANGETABLE(CHANGES t, @v) as t, whose changes it gives."""
    for position in range(len(tokens)):
        call = word_at(tokens, position) == "CHANGETABLE" and opens(tokens, position + 1)
        if call and word_at(tokens, position + 2) in ("CHANGES", "VERSION"):
            _, after = name_at(tokens, position + 3)
            rest = tokens[closing(tokens, position + 1) :]
            return [*tokens[:position], *tokens[position + 3 : after], *rest]
    return tokens


def graph_match(tokens: Tokens, files: list[str]) -> Tokens:
    """WHERE MATCH(a-(b)->c) of a graph as 1 = 1: its tables stand in FROM."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        found = word_at(tokens, position) == "MATCH" and opens(tokens, position + 1)
        if found and word_at(tokens, position - 1) in ("WHERE", "AND", "(", "NOT"):
            kept += spelled(tokens[position], _TRUE)
            position = closing(tokens, position + 1)
        else:
            kept.append(tokens[position])
            position += 1
    return kept if len(kept) < len(tokens) else tokens


_TRUE = ((TokenType.NUMBER, "1"), (TokenType.EQ, "="), (TokenType.NUMBER, "1"))


def negated_comparison(tokens: Tokens, position: int, files: list[str]) -> int:
    """The `!` of T-SQL's `!<` and `!>`."""
    if tokens[position].text != "!" or position + 1 >= len(tokens):
        return 0
    following = tokens[position + 1]
    adjoins = following.start == tokens[position].end + 1
    return position + 1 if adjoins and following.text in ("<", ">") else 0


def sample(tokens: Tokens, position: int, files: list[str]) -> int:
    """TABLESAMPLE (10 PERCENT), after which a hint may follow."""
    if word_at(tokens, position) not in ("TABLESAMPLE", "TABLE_SAMPLE"):
        return 0
    end = position + 1 + (word_at(tokens, position + 1) == "SYSTEM")
    if not opens(tokens, end):
        return 0
    end = closing(tokens, end)
    repeats = word_at(tokens, end) == "REPEATABLE" and opens(tokens, end + 1)
    return closing(tokens, end + 1) if repeats else end


OF_TSQL = (
    changes,
    namespaces,
    graph_match,
    *map(dropping, (using_culture, with_schema, merge_hint, odbc, negated_comparison, sample)),
)
