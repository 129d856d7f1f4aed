"""Parses one statement: in its dialect, without rare clauses, in pieces, in the next dialect."""

from __future__ import annotations

import itertools
import logging
import time

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine import bounds, dialects, tokens
from hex_assets.lineage.engine.callbacks import ReadStatement
from hex_assets.lineage.engine.clauses.known import without_rare_clauses
from hex_assets.lineage.engine.fallback import read_names
from hex_assets.lineage.engine.reading import Malformed, Reading, TooSlow
from hex_assets.lineage.engine.relations import TooWide
from hex_assets.lineage.engine.statements.special import (
    NO_LINEAGE,
    truncated,
    without_block,
)
from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.trees.clickhouse import aliases_in_clauses
from hex_assets.lineage.engine.trees.picks import HAS_COLUMNS
from hex_assets.lineage.engine.trees.writes import StatementReader

# Every statement that sqlglot does not know is in our result with its reason; a warning line
# on stderr for each of a million log rows says nothing more.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

MAX_LOOSENED = 20_000
"""Tokens of the longest statement in which clauses are looked for that sqlglot lacks."""
MAX_PIECES = 40
"""Words that may begin a statement, of which one statement may take in so many."""
MAX_STARTS = 400
"""Such words in all statements that no semicolon separates."""


def parse(sql: str, chunk: list[Token], text: Text, read_statement: ReadStatement) -> bool:
    """Parses in the asked dialect, piece by piece, or in the next sensible one."""
    start = time.perf_counter()
    if _parse_as(sql, chunk, text, text.dialect):
        return True
    cost = time.perf_counter() - start
    plain: list[Token] = chunk
    files: list[str] = []
    is_whole = len(chunk) <= MAX_LOOSENED and not unbalanced(chunk)  # else no parser takes it
    if is_whole and not text.deadline.is_over(cost):
        plain, files = without_rare_clauses(chunk, text.dialect)
    if plain is not chunk and _parse_as(sql, plain, text, text.dialect):
        for file in files:
            text.add_file(file)
        return True
    if not unfinished(chunk) and _parse_pieces(sql, plain, text, read_statement):
        return True
    for other in dialects.fallbacks(text.dialect):
        if text.deadline.is_over(cost):
            return False
        statement = _without_slashes(sql, chunk, text.dialect)
        try:
            again = tokens.shortened(dialects.tokenizer(other).tokenize(statement))
        except SqlglotError:
            continue
        be_bounded(again, text)
        if _parse_as(statement, again, text, other):
            text.other_dialect = text.other_dialect or other or "sqlglot"
            return True
    return False


def _without_slashes(sql: str, chunk: list[Token], dialect: str) -> str:
    """The text of a statement without comments after `//`, which few dialects have."""
    statement = sql[chunk[0].start : chunk[-1].end + 1]
    if dialect != "snowflake" or "//" not in statement:
        return statement
    pieces = [sql[chunk[0].start : chunk[0].end + 1]]
    for before, token in itertools.pairwise(chunk):
        between = sql[before.end + 1 : token.start]
        pieces += ["\n" if between.strip() else between, sql[token.start : token.end + 1]]
    return "".join(pieces)


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
        first = chunk[0].text.upper()
        if first in ("SET", "ALTER", "DROP") and not words & {"SELECT", "FROM", "SWAP"}:
            return True  # options, partitions, sessions: no rows are read or written
        if first == "ALTER" and "PRIVILEGES" in words:  # of tables that are made later
            return True
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
    schema = text.made if text.made.tables or text.tables.default.parts else text.made.schema
    reading = Reading(dialect, schema, text.deadline, parameters=text.parameters)
    reading.variables = text.declared
    reading.made_structs = text.made.structs
    if dialect == "clickhouse":
        reading.aliases_in_clauses = aliases_in_clauses(chunk)
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
    "END USE EXEC EXECUTE PRINT RETURN GO ELSE OPEN FETCH CLOSE DEALLOCATE COMMIT ROLLBACK "
    "RAISERROR WAITFOR BREAK CONTINUE DBCC".split()
)


_READ_APART = frozenset({"EXEC", "EXECUTE", "ALTER"})


def _sets(chunk: list[Token], position: int) -> bool:
    variable = chunk[position + 1 : position + 2]
    is_variable = bool(variable) and variable[0].token_type == TokenType.PARAMETER
    return is_variable and chunk[position].text.upper() == "SET"


def _piece_starts(chunk: list[Token]) -> list[int]:
    """Where statements may begin: not in parentheses, and not at the ELSE and END of a CASE."""
    depth = cases = 0
    starts = [0]
    for position, token in enumerate(chunk):
        if token.token_type == TokenType.L_PAREN:
            depth += 1
        elif token.token_type == TokenType.R_PAREN:
            depth -= 1
        elif depth == 0:
            word = token.text.upper()
            if cases and word == "END":
                cases -= 1
            elif word == "CASE":
                cases += 1
            elif position and not (cases and word == "ELSE") and _starts(chunk, position):
                starts.append(position)
    return starts


def _starts(chunk: list[Token], position: int) -> bool:
    """Whether a statement may begin: WITH of hints and options stands within one."""
    word = chunk[position].text.upper()
    if word != "WITH":
        return word in _STARTERS
    following = [token.text.upper() for token in chunk[position + 1 : position + 3]]
    return len(following) == 2 and following[0] != "(" and following[1] in ("AS", "(")


def _parse_pieces(sql: str, chunk: list[Token], text: Text, read_statement: ReadStatement) -> bool:
    """Statements without semicolons between them, as T-SQL allows: longest readable piece first."""
    starts = _piece_starts(chunk)
    if len(starts) == 1 or len(starts) > MAX_STARTS:
        return False
    bounds = [*starts, len(chunk)]
    pieces: list[tuple[exp.Expr, list[Token]]] = []
    parser = dialects.parser(text.dialect)
    index = 0
    while index < len(bounds) - 1:
        word = chunk[bounds[index]].text.upper()
        if word == "ELSE":  # the parser takes all that follows for nothing
            index += 1
            continue
        apart = ("IF", "WHILE", "ALTER") if text.dialect == "tsql" else ("IF", "WHILE")
        if index and word in apart:  # its branches, and what follows, are read one by one
            pieces.append((exp.Command(this=word), chunk[bounds[index] :]))
            break
        if index and word in NO_LINEAGE and text.dialect == "tsql":
            command = exp.Command(this=word)
            pieces.append((command, chunk[bounds[index] : bounds[index + 1]]))
            index += 1
            continue
        last = min(len(bounds) - 1, index + MAX_PIECES)
        if word == "CREATE" and text.dialect == "tsql":  # SET @v = 1 is no part of it
            last = next((n for n in range(index + 1, last) if _sets(chunk, bounds[n])), last)
        for end in range(last, index, -1):
            if text.deadline.is_over():
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
            if not trees:  # words that the parser passes over
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
        elif without_block(piece) is not piece or piece[0].text.upper() in _READ_APART:
            read_statement(sql, piece, text)
        elif piece[0].text.upper() == "TRUNCATE":
            text.empty(truncated(piece))
        elif piece[0].text.upper() not in {*NO_LINEAGE, "DROP"}:
            text.miss("syntax", f"the statement {tree.name} is not understood")
            if piece[0].text.upper() == "SET":  # of an UPDATE that is cut short
                text.add_names(read_names(piece, cut=False))
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
