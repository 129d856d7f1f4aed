"""Clauses that a warehouse takes and sqlglot's grammar lacks: dropped after a parse error.

None of them changes which tables and columns a statement reads or writes, but for a file that a
query is written to, which is given back.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.clauses_bigquery import external, models
from hex_assets.lineage.engine.clauses_lakehouse import (
    all_by_name,
    prior,
    quoted_stages,
    schema_evolution,
    window_calls,
)
from hex_assets.lineage.engine.clauses_mysql import (
    analyse,
    collation,
    comma_before_select,
    full_text,
    group_order,
    into_variables,
    limit_by,
    named_arguments,
    odbc,
    of_select,
    outer,
    outfile,
    paste,
    portion,
    rows_examined,
    sequences,
    signed,
    stars_of_delete,
)
from hex_assets.lineage.engine.clauses_postgres import (
    after_pivot,
    alias_of_using,
    only,
    operators,
    search_or_cycle,
    subscripts,
    typed_literals,
    using_operator,
)
from hex_assets.lineage.engine.clauses_tsql import changes, namespaces, using_culture, with_schema
from hex_assets.lineage.engine.pipes import with_known_operators, with_unnest
from hex_assets.lineage.engine.rewriting import Tokens, dropping, opens
from hex_assets.lineage.engine.words import closing, name_at, word_at


def without_rare_clauses(tokens: Tokens, dialect: str) -> tuple[Tokens, list[str]]:
    """The statement without such clauses, and files that they name; the same list if none."""
    files: list[str] = []
    kept = tokens
    for rewrite in (*_OF_ALL, *_OF_DIALECT.get(dialect, ())):
        kept = rewrite(kept, files)
    return kept, files


_NOT_COLUMNS = frozenset(
    "PRIMARY KEY INDEX CONSTRAINT UNIQUE FULLTEXT SPATIAL CHECK FOREIGN".split()
)
_QUERY = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "FROM", "("})


def _plain_create(tokens: Tokens, files: list[str]) -> Tokens:
    """CREATE TABLE or VIEW ... AS query, without what stands between the name and AS."""
    words = [token.text.upper() for token in tokens[:10]]
    if not words or words[0] != "CREATE":
        return tokens
    kinds = [n for n, word in enumerate(words) if word in ("TABLE", "VIEW")]
    if not kinds:
        return tokens
    start = kinds[0] + 1
    while word_at(tokens, start) in ("IF", "NOT", "EXISTS"):
        start += 1
    parts, after = name_at(tokens, start)
    if not parts:
        return tokens
    if words[1] in ("WINDOW", "LIVE"):
        tokens = [tokens[0], *tokens[2:]]
        after -= 1
    head, names, written = tokens[:after], Tokens(), Tokens()
    if opens(tokens, after):
        end = closing(tokens, after)
        names = _column_names(tokens[after:end])
        after = end
    position = after
    while position < len(tokens):
        word = word_at(tokens, position)
        if word == "AS" and word_at(tokens, position + 1) in _QUERY:
            return [*head, *written, *names, tokens[position], *tokens[position + 1 :]]
        if word == "SELECT" or (word == "WITH" and word_at(tokens, position + 2) == "AS"):
            return [*head, *written, *tokens[position:]]
        if word == "TO" and tokens[position].token_type != TokenType.STRING:
            other, end = name_at(tokens, position + 1)
            if other:
                written = tokens[position:end]
        position = closing(tokens, position) if opens(tokens, position) else position + 1
    return tokens


def _column_names(tokens: Tokens) -> Tokens:
    """A column list without types, and without keys; nothing when no column is left."""
    names: Tokens = []
    position, comma = 1, tokens[0]
    while position < len(tokens) - 1:
        before = tokens[position - 1]
        if before is comma and tokens[position].text.upper() not in _NOT_COLUMNS:
            names += [comma, tokens[position]] if names else [tokens[position]]
        if tokens[position].token_type == TokenType.COMMA:
            comma = tokens[position]
        position = closing(tokens, position) if opens(tokens, position) else position + 1
    return [tokens[0], *names, tokens[-1]] if names else []


def _of_insert(tokens: Tokens, position: int, files: list[str]) -> int:
    """After the target of an INSERT: PARTITION (p), WITH (hints), OVERRIDING ..., BY POSITION."""
    if position > 20 or word_at(tokens, 0) not in ("INSERT", "REPLACE"):
        return 0
    word = word_at(tokens, position)
    if word in ("PARTITION", "WITH") and opens(tokens, position + 1):
        return closing(tokens, position + 1)
    if word == "OVERRIDING" and word_at(tokens, position + 2) == "VALUE":
        return position + 3
    if word == "BY" and word_at(tokens, position + 1) == "POSITION":
        return position + 2
    return 0


def _json_defaults(tokens: Tokens, position: int, files: list[str]) -> int:
    """JSON_TABLE's and JSON_VALUE's NULL ON EMPTY, DEFAULT '0' ON ERROR."""
    if word_at(tokens, position) == "EXISTS" and word_at(tokens, position + 1) == "PATH":
        return position + 1
    if word_at(tokens, position) == "AS" and word_at(tokens, position + 2) in (
        "COLUMNS",
        "PASSING",
    ):
        return position + 2  # the name of a path
    start = position + 2 if word_at(tokens, position) == "DEFAULT" else position + 1
    if start == position + 1 and word_at(tokens, position) not in ("NULL", "ERROR", "EMPTY"):
        return 0
    on = word_at(tokens, start) == "ON" and word_at(tokens, start + 1) in ("EMPTY", "ERROR")
    return start + 2 if on else 0


def _subset(tokens: Tokens, position: int, files: list[str]) -> int:
    """MATCH_RECOGNIZE's SUBSET u = (a, b) between its PATTERN and DEFINE."""
    if word_at(tokens, position) != "SUBSET":
        return 0
    for end in range(position, min(len(tokens), position + 60)):
        if word_at(tokens, end) == "DEFINE":
            return end
    return 0


def _current_of(tokens: Tokens, position: int, files: list[str]) -> int:
    """WHERE CURRENT OF cursor."""
    words = [word_at(tokens, position + n) for n in range(3)]
    if words != ["WHERE", "CURRENT", "OF"]:
        return 0
    return name_at(tokens, position + 3 + (word_at(tokens, position + 3) == "@"))[1]


_SET_OPERATION = frozenset("UNION ALL DISTINCT EXCEPT INTERSECT MINUS".split())
_AFTER_ORDER = frozenset("LIMIT OFFSET FETCH SETTINGS".split())


def _order_of_operands(tokens: Tokens, files: list[str]) -> Tokens:
    """(a UNION (b) ORDER BY 1): what is ordered is read all the same."""
    kept: Tokens = []
    opened: list[int] = []
    last = -1
    position = 0
    while position < len(tokens):
        kind = tokens[position].token_type
        if kind == TokenType.L_PAREN:
            opened.append(position)
        elif kind == TokenType.R_PAREN:
            last = opened.pop() if opened else -1
        elif kind == TokenType.ORDER_BY and word_at(tokens, position - 1) == ")":
            if last > 0 and word_at(tokens, last - 1) in _SET_OPERATION:
                position = _end_of_order(tokens, position + 1)
                continue
        kept.append(tokens[position])
        position += 1
    return kept if len(kept) < len(tokens) else tokens


def _end_of_order(tokens: Tokens, end: int) -> int:
    while end < len(tokens) and word_at(tokens, end) not in _AFTER_ORDER:
        if tokens[end].token_type == TokenType.R_PAREN:
            break
        end = closing(tokens, end) if opens(tokens, end) else end + 1
    return end


_OF_SPARK = (dropping(schema_evolution), window_calls, with_known_operators)
_OF_ALL = (_plain_create, dropping(_of_insert), dropping(_current_of), _order_of_operands)
_OF_DIALECT: dict[str, tuple[Callable[[Tokens, list[str]], Tokens], ...]] = {
    "bigquery": (with_known_operators, with_unnest, *map(dropping, (models, external))),
    "mysql": (
        *map(dropping, (outfile, into_variables, _json_defaults, odbc, analyse, of_select)),
        *map(dropping, (signed, rows_examined, portion)),
        *(group_order, stars_of_delete, sequences, full_text),
    ),
    "clickhouse": (
        *map(dropping, (outfile, limit_by, paste, outer, collation, comma_before_select)),
        named_arguments,
    ),
    "postgres": (
        *(only, dropping(_json_defaults), dropping(using_operator), operators),
        *map(dropping, (typed_literals, alias_of_using, search_or_cycle)),
    ),
    "redshift": (dropping(subscripts),),
    "duckdb": (after_pivot,),
    "trino": tuple(map(dropping, (_subset, _json_defaults))),
    "presto": (dropping(_subset),),
    "snowflake": (dropping(_subset), dropping(prior), all_by_name, quoted_stages),
    "databricks": _OF_SPARK,
    "spark": _OF_SPARK,
    "tsql": (changes, namespaces, *map(dropping, (using_culture, with_schema, odbc))),
}
