"""Clauses that a warehouse takes and sqlglot's grammar lacks: dropped after a parse error.

None of them changes which tables and columns a statement reads or writes, but for a file that a
query is written to, which is given back.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.fallback import name_at
from hex_assets.lineage.pipes import with_known_operators, with_unnest

Tokens = list[Token]


def without_rare_clauses(tokens: Tokens, dialect: str) -> tuple[Tokens, list[str]]:
    """The statement without such clauses, and files that they name; the same list if none."""
    files: list[str] = []
    kept = tokens
    for rewrite in (*_OF_ALL, *_OF_DIALECT.get(dialect, ())):
        kept = rewrite(kept, files)
    return kept, files


def word_at(tokens: Tokens, position: int) -> str:
    """The word at a position in capitals; empty for a string, and outside of the tokens."""
    if not 0 <= position < len(tokens) or tokens[position].token_type == TokenType.STRING:
        return ""
    return tokens[position].text.upper()


def closing(tokens: Tokens, start: int) -> int:
    """The position after the parenthesis that closes the one at `start`."""
    depth = 0
    for position in range(start, len(tokens)):
        kind = tokens[position].token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if depth == 0:
            return position + 1
    return len(tokens)


def _opens(tokens: Tokens, position: int) -> bool:
    return position < len(tokens) and tokens[position].token_type == TokenType.L_PAREN


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
    if _opens(tokens, after):
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
        position = closing(tokens, position) if _opens(tokens, position) else position + 1
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
        position = closing(tokens, position) if _opens(tokens, position) else position + 1
    return [tokens[0], *names, tokens[-1]] if names else []


def _dropping(
    find: Callable[[Tokens, int, list[str]], int],
) -> Callable[[Tokens, list[str]], Tokens]:
    """A rewrite that leaves out each run of tokens whose end `find` gives; 0 for none."""

    def rewrite(tokens: Tokens, files: list[str]) -> Tokens:
        kept: Tokens = []
        position = 0
        while position < len(tokens):
            end = find(tokens, position, files)
            if end > position:
                position = end
            else:
                kept.append(tokens[position])
                position += 1
        return kept if len(kept) < len(tokens) else tokens

    return rewrite


_OF_OUTFILE = frozenset(
    "CHARACTER SET CHARSET FIELDS COLUMNS LINES TERMINATED OPTIONALLY ENCLOSED ESCAPED STARTING BY "
    "TRUNCATE APPEND AND STDOUT COMPRESSION LEVEL".split()
)


def _outfile(tokens: Tokens, position: int, files: list[str]) -> int:
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


def _into_variables(tokens: Tokens, position: int, files: list[str]) -> int:
    """MySQL's SELECT ... INTO @a, @b."""
    if word_at(tokens, position) != "INTO" or not word_at(tokens, position + 1).startswith("@"):
        return 0
    end = position + 1
    while word_at(tokens, end).startswith("@"):
        end += 1 if len(tokens[end].text) > 1 else 2
        if word_at(tokens, end) == "," and word_at(tokens, end + 1).startswith("@"):
            end += 1
    return end


def _of_insert(tokens: Tokens, position: int, files: list[str]) -> int:
    """After the target of an INSERT: PARTITION (p), WITH (hints), OVERRIDING ..., BY POSITION."""
    if position > 20 or word_at(tokens, 0) not in ("INSERT", "REPLACE"):
        return 0
    word = word_at(tokens, position)
    if word in ("PARTITION", "WITH") and _opens(tokens, position + 1):
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


def _limit_by(tokens: Tokens, position: int, files: list[str]) -> int:
    """ClickHouse's LIMIT 1 BY a, b before another LIMIT."""
    if word_at(tokens, position) != "LIMIT" or "BY" not in (
        *(word_at(tokens, position + 2), word_at(tokens, position + 4)),
    ):
        return 0
    end = position + 1
    while end < len(tokens) and word_at(tokens, end) not in (
        "LIMIT",
        "OFFSET",
        "SETTINGS",
        "FORMAT",
    ):
        if tokens[end].token_type == TokenType.R_PAREN:
            return 0
        end = closing(tokens, end) if _opens(tokens, end) else end + 1
        if word_at(tokens, end) == "OFFSET" and word_at(tokens, end + 2) == "BY":
            end += 1
    return end if word_at(tokens, end) in ("LIMIT", "OFFSET") else 0


def _subset(tokens: Tokens, position: int, files: list[str]) -> int:
    """MATCH_RECOGNIZE's SUBSET u = (a, b) between its PATTERN and DEFINE."""
    if word_at(tokens, position) != "SUBSET":
        return 0
    for end in range(position, min(len(tokens), position + 60)):
        if word_at(tokens, end) == "DEFINE":
            return end
    return 0


def _using_culture(tokens: Tokens, position: int, files: list[str]) -> int:
    """T-SQL's PARSE(x AS int USING 'en-US')."""
    string = position + 1 < len(tokens) and tokens[position + 1].token_type == TokenType.STRING
    return position + 2 if word_at(tokens, position) == "USING" and string else 0


def _namespaces(tokens: Tokens, files: list[str]) -> Tokens:
    """T-SQL's WITH XMLNAMESPACES (...), alone or before common table expressions."""
    if word_at(tokens, 0) != "WITH" or word_at(tokens, 1) != "XMLNAMESPACES":
        return tokens
    end = closing(tokens, 2)
    return [tokens[0], *tokens[end + 1 :]] if word_at(tokens, end) == "," else tokens[end:]


def _with_schema(tokens: Tokens, position: int, files: list[str]) -> int:
    """The columns of OPENROWSET(...) WITH (a int 1)."""
    if word_at(tokens, position) != "WITH" or not _opens(tokens, position + 1):
        return 0
    call = any(word_at(tokens, before) == "OPENROWSET" for before in range(position))
    return closing(tokens, position + 1) if call and word_at(tokens, position - 1) == ")" else 0


def _using_operator(tokens: Tokens, position: int, files: list[str]) -> int:
    """PostgreSQL's ORDER BY a USING >."""
    following = word_at(tokens, position + 1)
    return position + 2 if word_at(tokens, position) == "USING" and following in ("<", ">") else 0


def _paste(tokens: Tokens, position: int, files: list[str]) -> int:
    return position + 1 if word_at(tokens, position) == "PASTE" else 0


def _only(tokens: Tokens, files: list[str]) -> Tokens:
    """PostgreSQL's ONLY (t) as t."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        if word_at(tokens, position) == "ONLY" and _opens(tokens, position + 1):
            end = closing(tokens, position + 1)
            kept += tokens[position + 2 : end - 1]
            position = end
        else:
            kept.append(tokens[position])
            position += 1
    return kept if len(kept) < len(tokens) else tokens


def _changes(tokens: Tokens, files: list[str]) -> Tokens:
    """T-SQL's CHANGETABLE(CHANGES t, @v) as t, whose changes it gives."""
    for position in range(len(tokens)):
        call = word_at(tokens, position) == "CHANGETABLE" and _opens(tokens, position + 1)
        if call and word_at(tokens, position + 2) in ("CHANGES", "VERSION"):
            _, after = name_at(tokens, position + 3)
            rest = tokens[closing(tokens, position + 1) :]
            return [*tokens[:position], *tokens[position + 3 : after], *rest]
    return tokens


def _after_pivot(tokens: Tokens, files: list[str]) -> Tokens:
    """DuckDB's PIVOT and UNPIVOT statements without ORDER BY and LIMIT."""
    if word_at(tokens, 0) not in ("PIVOT", "UNPIVOT"):
        return tokens
    position = 0
    while position < len(tokens):
        if word_at(tokens, position) in ("ORDER BY", "LIMIT"):
            return tokens[:position]
        position = closing(tokens, position) if _opens(tokens, position) else position + 1
    return tokens


def _current_of(tokens: Tokens, position: int, files: list[str]) -> int:
    """WHERE CURRENT OF cursor."""
    words = [word_at(tokens, position + n) for n in range(3)]
    if words != ["WHERE", "CURRENT", "OF"]:
        return 0
    return name_at(tokens, position + 3 + (word_at(tokens, position + 3) == "@"))[1]


def _outer(tokens: Tokens, position: int, files: list[str]) -> int:
    """ClickHouse's LEFT ANY OUTER JOIN, of which the parser has no OUTER."""
    return position + 1 if word_at(tokens, position) == "OUTER" else 0


def _analyse(tokens: Tokens, position: int, files: list[str]) -> int:
    """MariaDB's PROCEDURE ANALYSE() after a query."""
    words = [word_at(tokens, position + n) for n in range(3)]
    return closing(tokens, position + 2) if words == ["PROCEDURE", "ANALYSE", "("] else 0


def _of_select(tokens: Tokens, position: int, files: list[str]) -> int:
    """MySQL's SELECT SQL_BIG_RESULT DISTINCTROW a."""
    word = word_at(tokens, position)
    return position + 1 if word == "DISTINCTROW" or word.startswith("SQL_") else 0


def _as_names(tokens: Tokens, is_name: Callable[[int, Token], bool]) -> Tokens:
    """The keywords that are names as names; the same list where there are none."""
    kept = [
        Token(TokenType.VAR, token.text, token.line, token.col, token.start, token.end)
        if token.token_type != TokenType.VAR and is_name(position, token)
        else token
        for position, token in enumerate(tokens)
    ]
    return kept if any(a is not b for a, b in zip(kept, tokens, strict=True)) else tokens


def _named_arguments(tokens: Tokens, files: list[str]) -> Tokens:
    """ClickHouse's view(from = 1): a keyword before `=` is the name of a parameter."""
    return _as_names(
        tokens,
        lambda position, token: (
            word_at(tokens, position - 1) in ("(", ",")
            and word_at(tokens, position + 1) == "="
            and token.text.isalpha()
        ),
    )


def _odbc(tokens: Tokens, position: int, files: list[str]) -> int:
    """ODBC's { oj ... }, { d '...' } and { fn ... }: the braces and the word."""
    kind = tokens[position].token_type
    if kind == TokenType.L_BRACE and word_at(tokens, position + 1) in ("OJ", "D", "T", "TS", "FN"):
        return position + 2
    return position + 1 if kind == TokenType.R_BRACE else 0


def _group_order(tokens: Tokens, files: list[str]) -> Tokens:
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


def _all_by_name(tokens: Tokens, files: list[str]) -> Tokens:
    """Snowflake's MERGE ... UPDATE ALL BY NAME and INSERT ALL BY NAME as UPDATE * and INSERT *."""
    if word_at(tokens, 0) != "MERGE":
        return tokens
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        words = [word_at(tokens, position + n) for n in range(3)]
        like = tokens[position]
        if words == ["ALL", "BY", "NAME"]:
            kept.append(Token(TokenType.STAR, "*", like.line, like.col, like.start, like.end))
            position += 3
        else:
            kept.append(like)
            position += 1
    return kept if len(kept) < len(tokens) else tokens


def _schema_evolution(tokens: Tokens, position: int, files: list[str]) -> int:
    """MERGE WITH SCHEMA EVOLUTION INTO t, and the same of INSERT."""
    words = [word_at(tokens, position + n) for n in range(3)]
    return position + 3 if position < 3 and words == ["WITH", "SCHEMA", "EVOLUTION"] else 0


def _window_calls(tokens: Tokens, files: list[str]) -> Tokens:
    """Spark's function window(ts, '5 minutes') and its column window.start: no keyword there."""
    return _as_names(
        tokens,
        lambda position, token: (
            token.token_type == TokenType.WINDOW and word_at(tokens, position + 1) in ("(", ".")
        ),
    )


_OF_SPARK = (_dropping(_schema_evolution), _window_calls, with_known_operators)
_OF_ALL = (_plain_create, _dropping(_of_insert), _dropping(_current_of))
_OF_DIALECT: dict[str, tuple[Callable[[Tokens, list[str]], Tokens], ...]] = {
    "bigquery": (with_known_operators, with_unnest),
    "mysql": (
        *map(_dropping, (_outfile, _into_variables, _json_defaults, _odbc, _analyse, _of_select)),
        _group_order,
    ),
    "clickhouse": (
        *map(_dropping, (_outfile, _limit_by, _paste, _outer)),
        _named_arguments,
    ),
    "postgres": (_only, _dropping(_json_defaults), _dropping(_using_operator)),
    "duckdb": (_after_pivot,),
    "trino": tuple(map(_dropping, (_subset, _json_defaults))),
    "presto": (_dropping(_subset),),
    "snowflake": (_dropping(_subset), _all_by_name),
    "databricks": _OF_SPARK,
    "spark": _OF_SPARK,
    "tsql": (_changes, _namespaces, *map(_dropping, (_using_culture, _with_schema, _odbc))),
}
