"""Statements that follow others without a semicolon, as T-SQL allows."""

from __future__ import annotations

from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.dialects import tokenizer
from hex_assets.lineage.engine.statements.special import (
    AFTER_END,
    BODY,
    NO_LINEAGE,
    query_of_cursor,
)
from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.words import word_at

_NOT_FOLLOWED = frozenset("GRANT REVOKE DENY EXPLAIN BEGIN".split())
_FOLLOWED = NO_LINEAGE | {"USE", "DROP", "THROW", "DECLARE", "SET"}
_FOLLOWS = BODY | frozenset("IF WHILE DECLARE EXEC EXECUTE DROP TRUNCATE PRINT SET GO".split())
_DEFINED = {
    "CREATE": frozenset({"INDEX", "STATISTICS", "SYNONYM", "SEQUENCE"}),
    "ALTER": frozenset({"TABLE", "INDEX", "DATABASE"}),
}
_ANYWHERE = frozenset("SELECT INSERT MERGE DECLARE EXEC EXECUTE TRUNCATE PRINT WHILE".split())


def next_statement(chunk: list[Token]) -> int:
    """Where T-SQL's next statement begins after one without lineage, such as PRINT or EXEC; or 0.

    T-SQL needs no semicolon between statements.
    """
    first = word_at(chunk, 0)
    if first == "GO":
        return 1 if len(chunk) > 1 else 0
    if first == "BEGIN" and word_at(chunk, 1) in ("TRAN", "TRANSACTION"):
        places = range(2, min(4, len(chunk)))  # it may have a name
        follows = next((n for n in places if word_at(chunk, n) in _FOLLOWS), 0)
        return 0 if word_at(chunk, follows + 1) == "MARK" else follows
    if first == "CREATE" and word_at(chunk, 1) == "TABLE":
        return _assignment_after(chunk)
    defines = first in _DEFINED
    if defines and not any(word_at(chunk, n) in _DEFINED[first] for n in range(1, 5)):
        return 0
    if first in _NOT_FOLLOWED or not (defines or first in _FOLLOWED):
        return 0
    if first in ("DECLARE", "SET") and any(t.text.upper() == "CURSOR" for t in chunk[1:6]):
        return 0
    depth = 0
    for position in range(1, len(chunk)):
        token = chunk[position]
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if depth or token.token_type == TokenType.IDENTIFIER:
            continue
        word = word_at(chunk, position)
        if word in _FOLLOWS and _begins(chunk, position, word, defines):
            return position
    return 0


def _assignment_after(chunk: list[Token]) -> int:
    """Where SET @v = x follows a table's definition, which the parser would take in; or 0."""
    for position in range(2, len(chunk) - 1):
        if word_at(chunk, position) == "SET" and word_at(chunk, position + 1) == "@":
            return position
    return 0


def _begins(chunk: list[Token], position: int, word: str, defines: bool) -> bool:
    """Whether a word begins a statement where it may also be a part of the one before."""
    lines = chunk[position].line > chunk[position - 1].line
    if word == "WITH":
        opens = word_at(chunk, position + 2) in ("AS", "(") and word_at(chunk, position + 1) != "("
        return opens and lines
    if word == "IF":  # DROP TABLE IF EXISTS t
        exists = position + 1 + (word_at(chunk, position + 1) == "NOT")
        is_clause = word_at(chunk, exists) == "EXISTS" and word_at(chunk, exists + 1) != "("
        return not is_clause
    if word == "SET" and not lines:
        return word_at(chunk, position + 1) in ("@", "NOCOUNT")
    if not defines:
        return True
    if word in ("UPDATE", "DELETE"):  # ON DELETE CASCADE
        return word_at(chunk, position - 1) != "ON"
    if word == "DROP":  # DROP COLUMN
        return word_at(chunk, position + 1) in ("TABLE", "VIEW")
    if word == "SET":  # SET (SYSTEM_VERSIONING = ON)
        return word_at(chunk, position + 1) in ("@", "NOCOUNT")
    return word in _ANYWHERE or lines


def swallowed(chunk: list[Token], text: Text) -> str:
    """The statement after a first word of which the tokenizer kept all that follows as a string."""
    first, rest = chunk[0].text.upper(), chunk[1].text if len(chunk) == 2 else ""
    if not rest or chunk[1].token_type != TokenType.STRING:
        return ""
    if first == "END":
        if rest.strip().upper() == "IF":  # END IF closes a branch
            return ""
        return rest if rest.split(None, 1)[0].upper() in AFTER_END else ""
    if text.dialect == "bigquery" and first in ("BEGIN", "EXCEPTION"):
        if first == "EXCEPTION":  # EXCEPTION WHEN ERROR THEN statement
            rest = rest[15:].strip() if rest.upper().startswith("WHEN ERROR THEN") else ""
        return rest if rest and rest.split(None, 1)[0].upper() in AFTER_END else ""
    if first == "GO" and text.dialect == "tsql":
        return rest
    if first != "DECLARE" and (text.dialect != "tsql" or first not in NO_LINEAGE):
        return ""
    try:
        tokens = tokenizer(text.dialect).tokenize(rest)
    except SqlglotError:
        return ""
    start = next_statement([chunk[0], *tokens])
    if first == "DECLARE":
        start = query_of_cursor([chunk[0], *tokens])
    return rest[tokens[start - 1].start :] if start else ""
