"""Statements that sqlglot keeps as text: UNLOAD, EXPORT, procedures and those without lineage."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot.dialects.dialect import Dialect
from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.fallback import Names
from hex_assets.lineage.result import Text

NO_LINEAGE = frozenset(
    "SHOW GRANT REVOKE EXPLAIN DESCRIBE DESC CALL EXEC EXECUTE BEGIN COMMIT ROLLBACK START END "
    "ANALYZE VACUUM OPTIMIZE REFRESH UNCACHE RESET LOCK UNLOCK KILL SAVEPOINT RELEASE DISCARD "
    "DEALLOCATE PREPARE FETCH CLOSE LISTEN NOTIFY COMMENT CHECK CHECKPOINT ATTACH DETACH INSTALL "
    "LOAD PRAGMA EXCHANGE RENAME LIST LS REMOVE RM PUT GET MSCK FLUSH PURGE HELP DENY PRINT "
    "TRUNCATE ABORT RETURN RAISE UNSET EXPLAINPLAN IMPORT SYSTEM WATCH UNDROP ASSERT GO".split()
)
"""First words of statements that have no lineage by their nature."""

ReadStatement = Callable[..., None]
ReadText = Callable[[str, Text], None]


_BLOCKS = frozenset(
    "BEGIN IF WHILE LOOP ELSE ELSEIF ELSIF EXCEPTION FOR REPEAT DO CREATE DECLARE THEN".split()
)
_BODY = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "TRUNCATE"})


def without_block(chunk: list[Token]) -> list[Token]:
    """The statement within the head of a procedure, a block or a branch; else the chunk itself."""
    first = chunk[0].text.upper()
    if first not in _BLOCKS:
        return chunk
    start = 1
    if first in ("CREATE", "DECLARE"):
        head = [token.text.upper() for token in chunk[:5]]
        if first == "CREATE" and "PROCEDURE" not in head and "PROC" not in head:
            return chunk
        begins = [n for n, token in enumerate(chunk) if token.text.upper() == "BEGIN"]
        if not begins and first == "DECLARE":
            return chunk
        start = begins[0] if begins else 1
    depth = 0
    for position in range(start, len(chunk)):
        token = chunk[position]
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if depth == 0 and token.text.upper() in _BODY:
            return chunk[position:]
    return chunk


def special(
    sql: str, chunk: list[Token], text: Text, read_statement: ReadStatement, read_text: ReadText
) -> bool:
    """Reads the statements that no grammar of sqlglot has; False for all others."""
    first = chunk[0].text.upper()
    if first == "REPLACE" and text.dialect == "mysql":
        start, end = chunk[0].end + 1, chunk[-1].end + 1
        read_text("INSERT" + sql[start:end], text)
        return True
    if first == "CREATE" and _creates_no_data(chunk):
        return True
    if first == "UNLOAD":
        return _unload(sql[chunk[0].end + 1 : chunk[-1].end + 1], text, read_text)
    if first == "BULK" and len(chunk) > 3:
        return _bulk_insert(chunk, text)
    body = without_block(chunk)
    if body is not chunk:
        _conditions(sql, chunk[: len(chunk) - len(body)], text, read_statement)
        read_statement(sql, body, text)
        return True
    return False


def _conditions(sql: str, head: list[Token], text: Text, read_statement: ReadStatement) -> None:
    """Reads the queries in the head of a branch: IF EXISTS (SELECT ...)."""
    position = 0
    while position < len(head) - 1:
        opens = head[position].token_type == TokenType.L_PAREN
        if not opens or head[position + 1].text.upper() not in ("SELECT", "WITH"):
            position += 1
            continue
        depth, end = 1, position + 1
        while end < len(head) and depth:
            kind = head[end].token_type
            depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
            end += 1
        text.condition = True
        try:
            read_statement(sql, head[position + 1 : end - 1], text)
        finally:
            text.condition = False
        position = end


_OTHER_KINDS = frozenset(
    "STREAM TASK STAGE PIPE FUNCTION SCHEMA DATABASE ROLE USER INDEX SEQUENCE WAREHOUSE TRIGGER "
    "TYPE EXTENSION POLICY TAG CATALOG MODEL".split()
)


def _creates_no_data(chunk: list[Token]) -> bool:
    for token in chunk[1:6]:
        word = token.text.upper()
        if word in ("TABLE", "VIEW", "PROCEDURE", "PROC"):
            return False
        if word in _OTHER_KINDS:
            return True
    return False


def _unload(rest: str, text: Text, read_text: ReadText) -> bool:
    """UNLOAD ('select ...' | select ...) TO 's3://...'."""
    chunk = Dialect.get_or_raise(text.dialect or None).tokenize(rest)
    if not chunk or chunk[0].token_type != TokenType.L_PAREN:
        return False
    depth = 0
    end = 0
    for position, token in enumerate(chunk):
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if depth == 0:
            end = position
            break
    if not end:
        return False
    for token in chunk[end + 1 : end + 3]:
        if token.token_type == TokenType.STRING:
            text.add_file(token.text)
    inner = chunk[1:end]
    if len(inner) == 1:
        read_text(inner[0].text, text)
    elif inner:
        read_text(rest[inner[0].start : inner[-1].end + 1], text)
    return True


def _bulk_insert(chunk: list[Token], text: Text) -> bool:
    parts: list[str] = []
    for token in chunk[2:]:
        if token.text.upper() == "FROM":
            break
        if token.token_type != TokenType.DOT:
            parts.append(token.text)
    text.add_names(Names(targets=[tuple(parts)]))
    for token in chunk:
        if token.token_type == TokenType.STRING:
            text.add_file(token.text)
            break
    return True
