"""Statements that sqlglot keeps as text: UNLOAD, EXPORT, procedures and those without lineage."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.callbacks import ReadStatement, ReadText
from hex_assets.lineage.engine.dialects import tokenizer
from hex_assets.lineage.engine.fallback import Names
from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.words import name_at, word_at

NO_LINEAGE = frozenset(
    "SHOW GRANT REVOKE EXPLAIN DESCRIBE DESC CALL EXEC EXECUTE BEGIN COMMIT ROLLBACK START END "
    "ANALYZE VACUUM OPTIMIZE REFRESH UNCACHE RESET LOCK UNLOCK KILL SAVEPOINT RELEASE DISCARD "
    "DEALLOCATE PREPARE FETCH CLOSE LISTEN NOTIFY COMMENT CHECK CHECKPOINT ATTACH DETACH INSTALL "
    "LOAD PRAGMA EXCHANGE RENAME LIST LS REMOVE RM PUT GET MSCK FLUSH PURGE HELP DENY PRINT "
    "TRUNCATE ABORT RETURN RAISE UNSET EXPLAINPLAN IMPORT SYSTEM WATCH UNDROP ASSERT GO WAITFOR "
    "CANCEL MOVE REASSIGN SECURITY DBCC THROW HANDLER OPEN EXISTS CLUSTER REINDEX XA RESTORE "
    "REORG FSCK RAISERROR BREAK CONTINUE GOTO SYNC GENERATE CLEAR ADD BACKUP REPAIR".split()
)
"""First words of statements that have no lineage by their nature."""


_BLOCKS = frozenset(
    "BEGIN IF WHILE LOOP ELSE ELSEIF ELSIF EXCEPTION FOR REPEAT DO CREATE DECLARE THEN CASE "
    "WHEN".split()
)
_COMMANDS = frozenset(
    "DROP CREATE EXEC EXECUTE SET PRINT RETURN BREAK CONTINUE RAISERROR THROW GOTO".split()
)
_BEFORE_STATEMENT = frozenset("BEGIN DO THEN ELSE LOOP REPEAT".split())
BODY = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "TRUNCATE"})
"""First words of statements that read or write rows."""

_BEGINS_BODY = frozenset(
    "BEGIN DECLARE SET SELECT INSERT UPDATE DELETE MERGE WITH IF WHILE EXEC EXECUTE TRUNCATE DROP "
    "CREATE PRINT".split()
)


def _procedure_body(chunk: list[Token]) -> int:
    """Where the body of T-SQL's CREATE PROCEDURE begins, within its BEGIN; 0 for all others."""
    head = [token.text.upper() for token in chunk[:5]]
    if "PROC" not in head and "PROCEDURE" not in head:
        return 0
    for position in range(3, len(chunk) - 1):
        words = [token.text.upper() for token in chunk[position - 1 : position + 3]]
        if words[1] == "AS" and words[0] not in ("EXECUTE", "EXEC") and words[2] in _BEGINS_BODY:
            opens = words[2] == "BEGIN" and words[3:] not in (["TRY"], ["TRAN"], ["TRANSACTION"])
            return position + 2 if opens and len(words) > 3 else position + 1
    return 0


_OPTIONS = frozenset(
    "MARK RECOMPILE ENCRYPTION SCHEMABINDING NATIVE_COMPILATION EXECUTE EXEC".split()
)
"""Words after WITH that T-SQL has in the head of a procedure and of a transaction."""


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
        blocks = [n for n, token in enumerate(chunk) if token.text.upper() == "BEGIN"]
        if not blocks and first == "DECLARE":
            return chunk
        start = blocks[0] if blocks else 1
    depth = 0
    body = BODY | _COMMANDS if first in ("IF", "WHILE", "ELSE") else BODY
    for position in range(start, len(chunk)):
        token = chunk[position]
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        word = token.text.upper()
        begins = word in _COMMANDS and chunk[position - 1].text.upper() in _BEFORE_STATEMENT
        if depth == 0 and (begins or word in body):
            following = chunk[position + 1].text.upper() if position + 1 < len(chunk) else ""
            if word != "WITH" or following not in _OPTIONS:
                return chunk[position:]
    within = first == "CREATE" and 0 < start < len(chunk) - 1
    return chunk[start + 1 :] if within and chunk[start].text.upper() == "BEGIN" else chunk


def truncated(chunk: list[Token]) -> tuple[str, ...]:
    """The table that TRUNCATE empties."""
    start = 1
    while word_at(chunk, start) in ("TABLE", "IF", "EXISTS", "ONLY"):
        start += 1
    marks = 0
    while word_at(chunk, start + marks) == "#":
        marks += 1
    parts, _ = name_at(chunk, start + marks)
    return ("#" * marks + parts[0], *parts[1:]) if parts else ()


def special(
    sql: str, chunk: list[Token], text: Text, read_statement: ReadStatement, read_text: ReadText
) -> bool:
    """Reads the statements that no grammar of sqlglot has; False for all others."""
    first = chunk[0].text.upper()
    if text.dialect == "mysql" and first in _MYSQL_CHANGES:
        changed = _without_priorities(sql, chunk)
        if changed is not None:
            read_text(changed, text)
            return True
    if first == "REPLACE" and text.dialect == "mysql":
        start, end = chunk[0].end + 1, chunk[-1].end + 1
        read_text("INSERT" + sql[start:end], text)
        return True
    if first == "REPLACE" and text.dialect == "clickhouse":
        read_text("CREATE OR " + sql[chunk[0].start : chunk[-1].end + 1], text)
        return True
    body_start = _procedure_body(chunk) if text.dialect == "tsql" and first == "CREATE" else 0
    if body_start:
        read_statement(sql, chunk[body_start:], text)
        return True
    if first == "CREATE" and _creates_no_data(chunk):
        return True
    if first == "CREATE" and word_at(chunk, 1) in ("EVENT", "FOREIGN"):
        if word_at(chunk, 2) == "TABLE" and _created_by_name(chunk, text):
            return True
    if first == "UPDATE STATISTICS":
        return True
    if first == "DROP" and len(chunk) > 1 and chunk[1].text.upper() in _DROPPED:
        return True
    if first == "USE" and len(chunk) > 1 and text.dialect not in ("snowflake", "databricks"):
        parts, after = name_at(chunk, 1)
        if chunk[1].text.upper() in ("WAREHOUSE", "ROLE") and after == len(chunk):
            text.use_named(parts)
            return True
    spark = text.dialect in ("databricks", "spark")
    if spark and first == "SET" and word_at(chunk, 1) == "CATALOG" and len(chunk) > 2:
        read_text("USE" + sql[chunk[0].end + 1 : chunk[-1].end + 1], text)
        return True
    if first in ("COPY", "EXPORT", "UPDATE", "CREATE") and _moves_databases(chunk):
        return True
    if first == "DECLARE" and _declares(sql, chunk, text, read_statement):
        return True
    if first == "DO" and text.dialect == "mysql":
        read_text("SELECT" + sql[chunk[0].end + 1 : chunk[-1].end + 1], text)
        return True
    if first == "SET" and text.dialect == "mysql" and word_at(chunk, 1) == "STATEMENT":
        return _set_for(sql, chunk, text, read_statement)
    if first in ("SET", "DECLARE") and text.dialect == "mysql":
        if _conditions(sql, chunk, text, read_statement):
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


_MYSQL_CHANGES = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE"})
AFTER_END = frozenset(
    "ELSE SELECT INSERT UPDATE DELETE MERGE WITH BEGIN DECLARE SET DROP CREATE TRUNCATE GO "
    "IF".split()
)
"""What may follow the END of a block without a semicolon, as T-SQL allows."""
_PRIORITIES = frozenset({"LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE"})


def _without_priorities(sql: str, chunk: list[Token]) -> str | None:
    """MySQL's change without LOW_PRIORITY and the like; DELETE FROM a USING b as DELETE a FROM b.

    None where there is neither.
    """
    start = 1
    while start < len(chunk) - 1 and chunk[start].text.upper() in _PRIORITIES:
        start += 1
    rest = sql[chunk[start].start : chunk[-1].end + 1] if start < len(chunk) else ""
    first = chunk[0].text
    if first.upper() == "DELETE" and start < len(chunk) and chunk[start].text.upper() == "FROM":
        for position in range(start + 1, min(len(chunk), start + 40)):
            word = chunk[position].text.upper()
            if word == "USING":
                tables = sql[chunk[start + 1].start : chunk[position].start]
                return f"DELETE {tables} FROM {sql[chunk[position].end + 1 : chunk[-1].end + 1]}"
            if word in ("WHERE", "JOIN", "ORDER BY", "LIMIT"):
                break
    plain = start == 2 and first.upper() == "INSERT" and chunk[1].text.upper() == "IGNORE"
    return f"{first} {rest}" if start > 1 and not plain else None


def _moves_databases(chunk: list[Token]) -> bool:
    """Copies of databases, shares, snapshots and files: no table is read or written."""
    words = tuple(token.text.upper() for token in chunk[:5])
    if words[:2] in (("EXPORT", "DATABASE"), ("UPDATE", "SHARE")):
        return len(words) < 3 or words[2] != "SET"
    if words[:3] in (("COPY", "FROM", "DATABASE"), ("CREATE", "SNAPSHOT", "OF")):
        return True
    if words[:3] == ("COPY", "FILES", "INTO"):  # Snowflake's, from stage to stage
        return True
    return words[0] == "CREATE" and "SHARE" in words[1:4] and "TABLE" not in words


def query_of_cursor(chunk: list[Token]) -> int:
    """Where the query of DECLARE c CURSOR FOR query begins; or 0."""
    words = [token.text.upper() for token in chunk]
    first = words.index("CURSOR") if "CURSOR" in words[:6] else len(words)
    for position in range(first, len(words)):
        if words[position] in ("FOR", "IS") and words[position + 1 : position + 2] != ["UPDATE"]:
            return position + 1 if position + 1 < len(words) else 0
    return 0


def _declares(sql: str, chunk: list[Token], text: Text, read_statement: ReadStatement) -> bool:
    """DECLARE of a cursor reads its query; DECLARE of a plain variable says nothing."""
    start = query_of_cursor(chunk)
    if start:
        read_statement(sql, chunk[start:], text)
        return True
    words = {token.text.upper() for token in chunk[1:]}
    return not words & (BODY | _BLOCKS)


def _conditions(sql: str, head: list[Token], text: Text, read_statement: ReadStatement) -> bool:
    """Reads the queries in the head of a branch, IF EXISTS (SELECT ...), and of SET; if any."""
    position = 0
    found = False
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
            query = head[position + 1 : end - (depth == 0)]
            read_statement(sql, query, text, cut=depth > 0)
        finally:
            text.condition = False
        position, found = end, True
    return found


_OTHER_KINDS = frozenset(
    "STREAM TASK STAGE PIPE FUNCTION SCHEMA DATABASE ROLE USER INDEX SEQUENCE WAREHOUSE TRIGGER "
    "TYPE EXTENSION POLICY TAG CATALOG MODEL SECRET INTEGRATION STREAMLIT NOTEBOOK RULE SYNONYM "
    "STATISTICS LOGIN SOURCE VOLUME CONNECTION CREDENTIAL LOCATION RECIPIENT SHARE PROVIDER "
    "VARIABLE COLLECTION PUBLICATION SUBSCRIPTION SERVER CAST DOMAIN AGGREGATE OPERATOR COLLATION "
    "LANGUAGE TABLESPACE TEXT GROUP LIBRARY DATASHARE TRANSFORM EVENT CONVERSION QUOTA PROFILE "
    "PACKAGE WRAPPER MAPPING CONFIGURATION CERTIFICATE".split()
)


_DROPPED = frozenset(
    "OWNED TRIGGER MODEL RULE POLICY OPERATOR CAST AGGREGATE DATASHARE RLS MASKING LIBRARY".split()
)
"""What sqlglot cannot drop; none of it has rows."""


def _created_by_name(chunk: list[Token], text: Text) -> bool:
    """Snowflake's CREATE EVENT TABLE t and PostgreSQL's CREATE FOREIGN TABLE t: empty tables."""
    start = 3
    while word_at(chunk, start) in ("IF", "NOT", "EXISTS"):
        start += 1
    parts, _ = name_at(chunk, start)
    if parts:
        text.add_created(parts)
    return bool(parts)


def _creates_no_data(chunk: list[Token]) -> bool:
    for position, token in enumerate(chunk[1:6], 2):
        word = token.text.upper()
        if word in ("TABLE", "VIEW", "PROCEDURE", "PROC", "AS", "("):
            return False
        following = chunk[position].text.upper() if position < len(chunk) else ""
        if word in _OTHER_KINDS and following not in ("TABLE", "VIEW"):
            return True
    return False


def _unload(rest: str, text: Text, read_text: ReadText) -> bool:
    """UNLOAD ('select ...' | select ...) TO 's3://...'."""
    chunk = tokenizer(text.dialect).tokenize(rest)
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


def _set_for(sql: str, chunk: list[Token], text: Text, read_statement: ReadStatement) -> bool:
    """MariaDB's SET STATEMENT max_statement_time = 10 FOR statement."""
    words = [word_at(chunk, position) for position in range(len(chunk))]
    if "FOR" not in words[:-1]:
        return False
    read_statement(sql, chunk[words.index("FOR") + 1 :], text)
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
