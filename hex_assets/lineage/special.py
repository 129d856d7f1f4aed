"""Statements that sqlglot keeps as text: UNLOAD, EXPORT, procedures and those without lineage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot.tokens import Token, TokenType

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


def special(
    sql: str, chunk: list[Token], text: Text, read_statement: ReadStatement, read_text: ReadText
) -> bool:
    """Reads the statements that no grammar of sqlglot has; False for all others."""
    words = [token.text.upper() for token in chunk[:12]]
    if words[0] == "UNLOAD":
        return _unload(sql, chunk, text, read_statement, read_text)
    if words[0] == "BULK" and words[1:2] == ["INSERT"]:
        return _bulk_insert(chunk, text)
    return False


def _unload(
    sql: str, chunk: list[Token], text: Text, read_statement: ReadStatement, read_text: ReadText
) -> bool:
    """UNLOAD ('select ...' | select ...) TO 's3://...'."""
    if len(chunk) < 4 or chunk[1].token_type != TokenType.L_PAREN:
        return False
    depth = 0
    for end, token in enumerate(chunk[1:], start=1):
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if depth == 0:
            break
    else:
        return False
    inner = chunk[2:end]
    for token in chunk[end + 1 : end + 3]:
        if token.token_type == TokenType.STRING:
            text.add_file(token.text)
    if len(inner) == 1 and inner[0].token_type in (TokenType.STRING, TokenType.HEREDOC_STRING):
        read_text(inner[0].text, text)
    elif inner:
        read_statement(sql, inner, text)
    return True


def _bulk_insert(chunk: list[Token], text: Text) -> bool:
    from hex_assets.lineage.fallback import Names

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


__all__: list[Any] = ["NO_LINEAGE", "special"]
