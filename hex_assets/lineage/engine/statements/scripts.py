"""What only a script has: variables that name tables, declarations, and Snowflake's `->>`."""

from __future__ import annotations

from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.callbacks import ReadText
from hex_assets.lineage.engine.clauses.rewriting import like
from hex_assets.lineage.engine.dialects import tokenizer
from hex_assets.lineage.engine.statements.blocks import read_block
from hex_assets.lineage.engine.statements.executed import keep_constants
from hex_assets.lineage.engine.statements.scripts_bigquery import read_block as read_bigquery_block
from hex_assets.lineage.engine.statements.variables import note_variables
from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.words import JINJA_NAME, STRINGS, closing, word_at

_SCRIPTS = frozenset({"snowflake", "databricks", "spark"})
_QUERY = frozenset({"SELECT", "WITH"})
_NOTHING = frozenset({"BREAK", "CONTINUE", "ITERATE", "LEAVE", "NULL", "SUSPEND"})
_HEADS = frozenset("BEGIN IF ELSE ELSEIF FOR WHILE LOOP REPEAT CASE WHEN EXCEPTION DECLARE".split())
_BEFORE_STATEMENT = frozenset("BEGIN THEN ELSE DO LOOP REPEAT".split())
_BODIES = _QUERY | {"INSERT", "UPDATE", "DELETE", "MERGE"}
_NO_ROWS = "(SELECT * FROM TABLE(RESULT_SCAN('')))"
MAX_GROWTH = 20
"""Times that a chain of `->>` may grow when each step takes in the steps that it reads."""


def read_script(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """Reads a statement that only scripts have; False for all others."""
    if text.dialect == "bigquery":
        return read_bigquery_block(sql, chunk, text, read_text)
    if text.dialect == "tsql" and word_at(chunk, 0) in ("DECLARE", "SET"):
        keep_constants(chunk, text)
    note_variables(chunk, text)
    if text.dialect not in _SCRIPTS:
        return False
    if text.dialect == "snowflake" and "->>" in sql and _flow(sql, chunk, text, read_text):
        return True
    first = word_at(chunk, 0)
    if first in ("SET", "DECLARE", "LET"):
        _keep_value(chunk, text)
        if first == "SET":
            return False
    if text.dialect != "snowflake":
        if first in _NOTHING and len(chunk) <= 2:
            return True
        if read_block(sql, chunk, text, read_text):
            return True
        return first == "DECLARE" and _assigned(sql, chunk, text, read_text, first)
    if first in _QUERY and ":" in sql and _into_variables(sql, chunk, text, read_text):
        return True
    if first in _HEADS and _in_block(sql, chunk, text, read_text):
        return True
    if first == "CREATE" and _body_of_procedure(sql, chunk, text, read_text):
        return True
    if first in ("RETURN", "ASYNC"):
        return _query_within(sql, chunk, 1, text, read_text)
    if first in _NOTHING and len(chunk) <= 2:
        return True
    declares = text.declaring or first in ("DECLARE", "LET")
    text.declaring = first not in ("BEGIN", "LET") and declares
    if not declares and TokenType.COLON_EQ not in (t.token_type for t in chunk[1:8]):
        return False
    if first in ("BEGIN", "IF", "ELSE", "ELSEIF", "FOR", "WHILE", "CREATE", *_QUERY):
        return False
    return _assigned(sql, chunk, text, read_text, first)


def _into_variables(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """`SELECT a, b INTO :x, :y FROM t`: variables are no tables."""
    kinds = [token.token_type for token in chunk]
    if TokenType.INTO not in kinds:
        return False
    start = end = kinds.index(TokenType.INTO)
    while end + 2 < len(chunk) and kinds[end + 1] == TokenType.COLON:
        end += 3
        if end >= len(chunk) or kinds[end] != TokenType.COMMA:
            break
    if end == start:
        return False
    rest = sql[chunk[end].start : chunk[-1].end + 1] if end < len(chunk) else ""
    read_text(f"{sql[chunk[0].start : chunk[start].start]} {rest}", text)
    return True


def _in_block(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """`BEGIN LET x := ...`, `IF (...) THEN x := ...`: what follows the head of a block."""
    depth = 0
    for position in range(1, len(chunk) - 1):
        kind = chunk[position - 1].token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if depth or word_at(chunk, position - 1) not in _BEFORE_STATEMENT:
            continue
        sets = chunk[position + 1].token_type == TokenType.COLON_EQ
        if not sets and word_at(chunk, position) not in ("LET", "RETURN"):
            continue
        text.declaring = False
        before, text.condition = text.condition, True
        try:
            _query_within(sql, chunk[:position], 1, text, read_text)
        finally:
            text.condition = before
        read_text(sql[chunk[position].start : chunk[-1].end + 1], text)
        return True
    return False


def _body_of_procedure(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """CREATE PROCEDURE ... AS DECLARE ...: the list that a body without quotes begins with."""
    if "PROCEDURE" not in [word_at(chunk, position) for position in range(1, 5)]:
        return False
    for position in range(4, len(chunk) - 1):
        if word_at(chunk, position - 1) == "AS" and word_at(chunk, position) == "DECLARE":
            read_text(sql[chunk[position].start : chunk[-1].end + 1], text)
            return True
    return False


def _query_within(
    sql: str, chunk: list[Token], start: int, text: Text, read_text: ReadText
) -> bool:
    """Reads the first query or change in parentheses; False if there is none."""
    for position in range(start, len(chunk) - 1):
        if word_at(chunk, position) == "(" and word_at(chunk, position + 1) in _BODIES:
            end = closing(chunk, position) - 1
            read_text(sql[chunk[position + 1].start : chunk[end - 1].end + 1], text)
            return True
    return False


def _assigned(sql: str, chunk: list[Token], text: Text, read_text: ReadText, first: str) -> bool:
    """`x := value`, `LET x INT := value` and what DECLARE lists: only its queries read."""
    words = [word_at(chunk, position) for position in range(len(chunk))]
    if words[0] != "LET" and words[1:2] == [":="]:
        _keep_first_value(chunk, text)
    starts = [n for n, word in enumerate(words) if word in _QUERY]
    if not starts:
        _executed(sql, chunk, text, read_text)
        return (
            first == "LET"
            or TokenType.COLON_EQ in (t.token_type for t in chunk)
            or (text.declaring and first != "DECLARE")
        )
    start = starts[0]
    opens = words[start - 1] == "("
    outer = start - 1
    while outer > 1 and words[outer - 1] == "(":
        outer -= 1
    if opens and outer < start - 1 and words[outer - 1] in (":=", "DEFAULT"):
        start = outer + 1  # (SELECT ...) UNION (SELECT ...) as a whole
    end = closing(chunk, start - 1) - 1 if opens else len(chunk)
    rows = "CURSOR" in words[:start] or "RESULTSET" in words[:start]
    if not rows and not opens:
        return False
    before, text.condition = text.condition, text.condition or not rows
    try:
        read_text(sql[chunk[start].start : chunk[end - 1].end + 1], text)
    finally:
        text.condition = before
    return True


def _keep_value(chunk: list[Token], text: Text) -> None:
    """Keeps what a variable is set to, if a string: IDENTIFIER($x) may name a table by it."""
    start = 2 if word_at(chunk, 1) in ("VAR", "VARIABLE") else 1
    while word_at(chunk, start) in ("OR", "REPLACE", "VARIABLE"):
        start += 1
    name = word_at(chunk, start)
    first = last = len(chunk) - 1
    while first > 1 and chunk[first - 1].token_type == TokenType.DPIPE:
        first -= 2  # 'a' || 'b'
    value = chunk[first : last + 1 : 2]
    known = first - start <= 3 and all(token.token_type in STRINGS for token in value)
    if known and word_at(chunk, first - 1) in ("=", "DEFAULT", ":="):
        text.variables[name] = "".join(token.text for token in value)
    else:
        text.variables.pop(name, None)


def _keep_first_value(chunk: list[Token], text: Text) -> None:
    """Keeps what `x := 'a'` sets; of two that a branch may choose from, neither is known."""
    name = word_at(chunk, 0)
    other = name in text.assigned or name in text.variables
    plain = len(chunk) == 3 and chunk[2].token_type in STRINGS and not other
    text.assigned.add(name)
    if plain:
        text.variables[name] = chunk[2].text
    else:
        text.variables.pop(name, None)


def _executed(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> None:
    """`LET r RESULTSET := (EXECUTE IMMEDIATE ...)`."""
    for position in range(2, len(chunk)):
        if word_at(chunk, position) == "EXECUTE" and word_at(chunk, position - 1) == "(":
            end = closing(chunk, position - 1) - 1
            read_text(sql[chunk[position].start : chunk[end - 1].end + 1], text)


def with_values(chunk: list[Token], variables: dict[str, str]) -> list[Token]:
    """IDENTIFIER($x), TABLE($x) and IDENTIFIER(x) with the strings that the text has set."""
    kept: list[Token] = []
    until = 0
    position = 0
    while position < len(chunk):
        token = chunk[position]
        if (
            word_at(chunk, position) in ("IDENTIFIER", "TABLE")
            and word_at(chunk, position + 1) == "("
        ):
            until = max(until, closing(chunk, position + 1))
        marked = token.token_type == TokenType.PARAMETER
        name = word_at(chunk, position + 1) if marked else word_at(chunk, position)
        if 0 < position < until and name in variables and word_at(chunk, position - 1) != ".":
            if marked or token.token_type == TokenType.VAR:
                kept.append(like(token, TokenType.STRING, variables[name]))
                position += 2 if marked else 1
                continue
        kept.append(token)
        position += 1
    return kept


def with_named_target(chunk: list[Token], text: Text) -> list[Token]:
    """A change of IDENTIFIER('a.' || 'b') as one of a.b; of a name that is not told yet, of none.

    Sqlglot takes it for a table `identifier` with columns; after FROM it knows the function.
    """
    if word_at(chunk, 0) not in _CHANGES:
        return chunk
    for position in range(1, min(len(chunk) - 2, 12)):
        called = word_at(chunk, position) == "IDENTIFIER" and word_at(chunk, position + 1) == "("
        if word_at(chunk, position) in ("SELECT", "FROM", "SET") and word_at(chunk, 0) != "DELETE":
            return chunk
        if called:
            end = closing(chunk, position + 1)
            return [*chunk[:position], *name_of_call(chunk[position:end], text), *chunk[end:]]
    return chunk


_CHANGES = frozenset({"INSERT", "CREATE", "MERGE", "UPDATE", "DELETE"})


def name_of_call(call: list[Token], text: Text) -> list[Token]:
    """The tokens of the name that IDENTIFIER(...) gives, each in the place of the whole call."""
    within = call[2:-1]
    if word_at(within, 0) == "CONCAT":
        within = within[2:-1]
    strings = [token for token in within if token.token_type == TokenType.STRING]
    others = {token.token_type for token in within} - {TokenType.STRING}
    if strings and others <= {TokenType.DPIPE, TokenType.COMMA}:
        name = "".join(token.text for token in strings)
    else:
        text.miss("dynamic", "a table's name is known only when the statement runs")
        name = JINJA_NAME
    try:
        found = tokenizer(text.dialect).tokenize(name)
    except SqlglotError:
        return call
    return [like(call[0], token.token_type, token.text, call[-1]) for token in found]


def _flow(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """`a ->> b ->> c`: each statement may read the result of the n-th before it as $n."""
    steps: list[list[Token]] = [[]]
    depth = 0
    for token in chunk:
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if depth == 0 and token.token_type == TokenType.DARROW:
            steps.append([])
        else:
            steps[-1].append(token)
    if len(steps) == 1 or not all(steps):
        return False
    most = MAX_GROWTH * len(sql)
    texts: list[str] = []
    alone = [True] * len(steps)
    for number, step in enumerate(steps):
        pieces: list[str] = []
        done = step[0].start
        for position in range(1, len(step) - 1):
            marked = step[position].token_type == TokenType.PARAMETER
            place = word_at(step, position + 1)
            if not marked or not place.isdecimal() or not 0 < int(place) <= number:
                continue
            if word_at(step, position - 1) not in ("FROM", "JOIN", ",", "USING"):
                continue
            other = number - int(place)
            is_query = word_at(steps[other], 0) in _QUERY
            alone[other] = alone[other] and not is_query
            found = f"({texts[other]})" if is_query else _NO_ROWS
            pieces += [sql[done : step[position].start], found]
            done = step[position + 1].end + 1
        texts.append("".join([*pieces, sql[done : step[-1].end + 1]]))
        if sum(map(len, texts)) > most:
            return False
    for statement, is_alone in zip(texts, alone, strict=True):
        if is_alone:
            read_text(statement, text)
    return True
