"""Parses one statement: in its dialect, without rare clauses, in pieces, in the next dialect."""

from __future__ import annotations

import logging
import time

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine import bounds, dialects, tokens
from hex_assets.lineage.engine.clauses import without_rare_clauses
from hex_assets.lineage.engine.fallback import read_names
from hex_assets.lineage.engine.picks import HAS_COLUMNS
from hex_assets.lineage.engine.reading import Malformed, Reading, TooSlow
from hex_assets.lineage.engine.relations import TooWide
from hex_assets.lineage.engine.result import Text
from hex_assets.lineage.engine.special import NO_LINEAGE, ReadStatement, without_block
from hex_assets.lineage.engine.writes import StatementReader

# Every statement that sqlglot does not know is in our result with its reason; a warning line
# on stderr for each of a million log rows says nothing more.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

MAX_LOOSENED = 20_000
"""Tokens of the longest statement in which clauses are looked for that sqlglot lacks."""
MAX_PIECES = 40
"""Statements without semicolons between them that are looked for in one piece of text."""


def parse(sql: str, chunk: list[Token], text: Text, read_statement: ReadStatement) -> bool:
    """Parses in the asked dialect, piece by piece, or in the next sensible one."""
    start = time.thread_time()
    if _parse_as(sql, chunk, text, text.dialect):
        return True
    cost = time.thread_time() - start
    plain: list[Token] = chunk
    files: list[str] = []
    if len(chunk) <= MAX_LOOSENED and time.thread_time() + cost <= text.deadline:
        plain, files = without_rare_clauses(chunk, text.dialect)
    if plain is not chunk and _parse_as(sql, plain, text, text.dialect):
        for file in files:
            text.add_file(file)
        return True
    if not unfinished(chunk) and _parse_pieces(sql, plain, text, read_statement):
        return True
    for other in dialects.fallbacks(text.dialect):
        if time.thread_time() + cost > text.deadline:
            return False
        statement = sql[chunk[0].start : chunk[-1].end + 1]
        try:
            again = tokens.shortened(dialects.tokenizer(other).tokenize(statement))
        except SqlglotError:
            continue
        be_bounded(again, text)
        if _parse_as(statement, again, text, other):
            text.other_dialect = text.other_dialect or other or "sqlglot"
            return True
    return False


def be_bounded(chunk: list[Token], text: Text) -> None:
    """Raises Heavy for a statement that only the worker may parse."""
    if not text.isolated and not bounds.is_light(chunk):
        raise bounds.Heavy


def _parse_as(sql: str, chunk: list[Token], text: Text, dialect: str) -> bool:
    try:
        trees = dialects.parser(dialect).parse(chunk, sql)
    except RecursionError:
        raise
    except Exception as error:  # its compiled parser raises TypeError and more on broken SQL
        text.first_error = text.first_error or str(error).split("\n", 1)[0] or repr(error)
        return False
    try:
        return all(tree is None or _read_tree(sql, chunk, tree, text, dialect) for tree in trees)
    finally:
        _let_go(trees)


def _let_go(trees: list[exp.Expr | None]) -> None:
    """Breaks the cycles of trees that are read: they are freed now and not by the collector."""
    for tree in trees:
        if tree is not None:
            for node in tree.dfs():
                node.parent = None


def _read_tree(sql: str, chunk: list[Token], tree: exp.Expr, text: Text, dialect: str) -> bool:
    if isinstance(tree, exp.Command):
        words = {token.text.upper() for token in chunk}
        if chunk[0].text.upper() in ("SET", "ALTER", "DROP") and not words & {
            "SELECT",
            "FROM",
            "SWAP",
        }:
            return True  # options, partitions, sessions: no rows are read or written
        text.first_error = text.first_error or f"the statement {tree.name} is not understood"
        return False
    if isinstance(tree, exp.Use):
        text.use(tree)
        return True
    if isinstance(tree, exp.Drop):
        text.drop(tree)
        return True
    if isinstance(tree, exp.Alter) and text.rename(tree):
        return True
    schema = text.made if text.made.tables else text.made.schema
    reading = Reading(dialect, schema, text.deadline)
    if dialect in ("duckdb", "clickhouse"):
        reading.picks = HAS_COLUMNS.search(sql, chunk[0].start, chunk[-1].end + 1) is not None
    try:
        has_lineage = StatementReader(reading).read(tree)
    except Malformed as error:
        text.first_error = text.first_error or str(error)
        return False
    except (RecursionError, TooSlow, TooWide):
        raise
    except Exception as error:  # a tree that our reader does not expect: the ledger shows it
        text.miss("internal", f"the engine could not read a {tree.key}: {error!r}")
        return False
    if has_lineage:
        text.add(reading, tree)
    return True


_STARTERS = frozenset(
    "SELECT INSERT UPDATE DELETE MERGE CREATE DROP ALTER TRUNCATE DECLARE SET WITH IF WHILE BEGIN "
    "END USE EXEC EXECUTE PRINT RETURN GO ELSE OPEN FETCH CLOSE DEALLOCATE COMMIT ROLLBACK".split()
)


def _parse_pieces(sql: str, chunk: list[Token], text: Text, read_statement: ReadStatement) -> bool:
    """Statements without semicolons between them, as T-SQL allows: longest readable piece first."""
    depth = 0
    starts = [0]
    for position, token in enumerate(chunk):
        if token.token_type == TokenType.L_PAREN:
            depth += 1
        elif token.token_type == TokenType.R_PAREN:
            depth -= 1
        elif position and depth == 0 and token.text.upper() in _STARTERS:
            starts.append(position)
    if len(starts) == 1 or len(starts) > MAX_PIECES:
        return False
    bounds = [*starts, len(chunk)]
    pieces: list[tuple[exp.Expr, list[Token]]] = []
    parser = dialects.parser(text.dialect)
    index = 0
    while index < len(bounds) - 1:
        word = chunk[bounds[index]].text.upper()
        if index and word in NO_LINEAGE and text.dialect == "tsql":
            command = exp.Command(this=word)
            pieces.append((command, chunk[bounds[index] : bounds[index + 1]]))
            index += 1
            continue
        for end in range(len(bounds) - 1, index, -1):
            if time.thread_time() > text.deadline:
                return False
            piece = chunk[bounds[index] : bounds[end]]
            if len(piece) == 1 and piece[0].text.upper() in ("BEGIN", "END", "GO", "ELSE"):
                index = end
                break
            try:
                trees = parser.parse(piece, sql)
            except RecursionError:
                raise
            except Exception:  # not a statement: the next shorter piece is tried
                continue
            if any(isinstance(tree, exp.Command) for tree in trees) and end > index + 1:
                continue
            pieces.extend((tree, piece) for tree in trees if tree is not None)
            index = end
            break
        else:
            return False
    for tree, piece in pieces:
        if not isinstance(tree, exp.Command):
            if not _read_tree(sql, chunk, tree, text, text.dialect):
                text.miss("syntax", text.first_error or "a part of the text is not understood")
                text.add_names(read_names(piece, cut=False))
        elif without_block(piece) is not piece or piece[0].text.upper() in ("EXEC", "EXECUTE"):
            read_statement(sql, piece, text)
        elif piece[0].text.upper() not in {*NO_LINEAGE, "DROP"}:
            text.miss("syntax", f"the statement {tree.name} is not understood")
    return True


_GO_ON = frozenset(
    {TokenType.DOT, TokenType.COMMA, TokenType.EQ, TokenType.FROM, TokenType.JOIN, TokenType.WHERE}
    | {TokenType.AND, TokenType.OR, TokenType.ON, TokenType.SELECT, TokenType.INTO, TokenType.SET}
    | {TokenType.UNION, TokenType.GROUP_BY, TokenType.ORDER_BY, TokenType.HAVING, TokenType.WITH}
)


def unfinished(chunk: list[Token]) -> bool:
    """Whether a statement that no dialect parses ends early: open, or on a word that goes on."""
    if unbalanced(chunk) or chunk[-1].token_type in _GO_ON:
        return True
    words = {token.text.upper() for token in chunk}
    return chunk[0].text.upper() == "MERGE" and "WHEN" not in words


def unbalanced(chunk: list[Token]) -> bool:
    """Whether a parenthesis is left open."""
    opened = sum(token.token_type == TokenType.L_PAREN for token in chunk)
    closed = sum(token.token_type == TokenType.R_PAREN for token in chunk)
    return opened > closed
