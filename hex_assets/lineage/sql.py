"""The lineage of one SQL text: tables and columns it reads and writes."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage import bounds, dialects, tokens
from hex_assets.lineage.fallback import read_names
from hex_assets.lineage.model import SchemaProvider, StatementLineage
from hex_assets.lineage.objects import read_object
from hex_assets.lineage.patterns import read_pattern
from hex_assets.lineage.picks import HAS_COLUMNS
from hex_assets.lineage.rare import without_rare_clauses
from hex_assets.lineage.reading import Malformed, Reading, TooSlow
from hex_assets.lineage.relations import MAX_COLUMNS, TooWide
from hex_assets.lineage.result import Text
from hex_assets.lineage.schema import provider
from hex_assets.lineage.scripts import read_script, with_values
from hex_assets.lineage.special import (
    AFTER_END,
    NO_LINEAGE,
    next_statement,
    special,
    swallowed,
    without_block,
)
from hex_assets.lineage.worker import WORKER, GivenUp
from hex_assets.lineage.writes import StatementReader

# Every statement that sqlglot does not know is in our result with its reason; a warning line
# on stderr for each of a million log rows says nothing more.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

TIME_LIMIT_SECONDS = 1.0
"""Of the processor. After this the rest of a text is read by tokens only; a text must cost less
than 2 s."""
MAX_TOKENS = 120_000
"""Longer texts, after lists of constants are shortened, are read by tokens only: a parser does
about 150,000 tokens a second."""
CHARACTERS_A_TOKEN = 4
MAX_LOOSENED = 20_000
"""Tokens of the longest statement in which clauses are looked for that sqlglot lacks."""
MAX_PIECES = 40
"""Statements without semicolons between them that are looked for in one piece of text."""


def extract(
    sql: str,
    dialect: str,
    default_catalog: str | None = None,
    default_schema: str | None = None,
    catalog: SchemaProvider | Mapping[str, Any] | None = None,
) -> StatementLineage:
    """Derives what a text reads and writes, down to columns. Never raises for any text.

    A text that may cost a parser long is read in a process of its own (see `worker`), which is
    ended after 1.3 s of processor time; then its names are read off its tokens.

    Args:
        sql: one or more statements; Hex's comment may still be in it.
        dialect: sqlglot's name or a usual one (mariadb, motherduck, mssql, postgresql, ...).
        default_catalog: database that unqualified names are in; for looking up columns only.
        default_schema: schema that unqualified names are in; for looking up columns only.
        catalog: the columns of tables, for stars and unqualified columns.

    Returns:
        Names as written; `partial` with `reason` and `error` where something is missing.

    Raises:
        ValueError: the dialect is not known.
    """
    asked = dialects.canonical(dialect)
    schema = provider(catalog, default_catalog, default_schema)
    sql = tokens.without_leading_comment(sql)
    text = Text(asked, schema, time.thread_time() + TIME_LIMIT_SECONDS)
    try:
        _read_text(sql, text)
    except bounds.TooLarge as error:
        text = Text(asked, schema, 0.0)
        text.miss("too_large", f"a text of {error} was read by its keywords only")
        _read_keywords(sql, text)
    except (bounds.Heavy, RecursionError):
        try:
            return WORKER.read(sql, asked, schema)
        except GivenUp as error:
            text = Text(asked, schema, 0.0)
            text.miss("gave_up", f"the text was given up and read by its keywords: {error}")
            _read_keywords(sql, text)
    return text.result()


def _read_keywords(sql: str, text: Text) -> None:
    """Reads a text of which the time is over: nothing is parsed, nothing is read twice."""
    sql = tokens.without_jinja(tokens.without_run_quotes(sql))
    found, cut = tokens.tokenized(sql, dialects.tokenizer(text.dialect))
    chunks = tokens.statements(found)
    for number, chunk in enumerate(chunks):
        if chunk[0].text.upper() not in NO_LINEAGE or len(chunks) == 1:
            text.add_names(read_names(chunk, cut=cut and number == len(chunks) - 1))


def read_to_the_end(sql: str, dialect: str, schema: SchemaProvider | None) -> StatementLineage:
    """`extract` without a bound but the time limit: for a process that can be ended."""
    text = Text(dialect, schema, time.thread_time() + TIME_LIMIT_SECONDS, isolated=True)
    _read_text(sql, text)
    return text.result()


def _read_text(sql: str, text: Text) -> None:
    text.spend(len(sql) // CHARACTERS_A_TOKEN)
    tokenizer = dialects.tokenizer(text.dialect)
    if text.dialect in ("snowflake", "postgres", "redshift", ""):
        sql = tokens.without_run_quotes(sql)
    found, cut = tokens.tokenized(sql, tokenizer)
    templated = "{{" in sql or "{%" in sql or "{#" in sql or "%}" in sql
    if not cut and templated and _has_jinja(found):
        sql = tokens.without_jinja(sql)
        found, cut = tokens.tokenized(sql, tokenizer)
        text.miss("jinja", "the text holds template expressions that were not rendered")
    elif (cut and "{{" in sql) or (cut and "{%" in sql):
        sql = tokens.without_jinja(sql)
        found, cut = tokens.tokenized(sql, tokenizer)
        text.miss("jinja", "the text holds template expressions that were not rendered")
    if cut:
        text.miss("cut", "the text ends within a string, name or comment")
    if len(found) > bounds.LIGHT_TEXT and not text.isolated:
        if len(found) > MAX_TOKENS and len(tokens.shortened(found)) > MAX_TOKENS:
            raise bounds.TooLarge(f"{len(found):,} tokens")
        raise bounds.Heavy
    chunks = tokens.statements(found)
    for number, chunk in enumerate(chunks):
        chunk = tokens.without_format(chunk, text.dialect)
        chunk_cut = cut and number == len(chunks) - 1
        try:
            _read_statement(sql, chunk, text, cut=chunk_cut)
        except (bounds.Heavy, bounds.TooLarge, RecursionError):
            raise
        except Exception as error:  # a bug of ours costs one statement's columns: the ledger shows
            text.miss("internal", f"the engine could not read a statement: {error!r}")
            text.add_names(read_names(chunk, cut=chunk_cut))


def _has_jinja(found: list[Token]) -> bool:
    previous = -1
    for token in found:
        kind = token.token_type
        if kind == TokenType.BLOCK_START or kind == TokenType.BLOCK_END:
            return True
        if kind == TokenType.L_BRACE:
            if previous == token.start - 1:
                return True
            previous = token.start
    return False


def _read_statement(sql: str, chunk: list[Token], text: Text, *, cut: bool = False) -> None:
    text.spend(len(chunk))
    # Athena's tokenizer puts a token of its own before what it takes for Hive's statements.
    head = chunk[1:] if chunk[0].token_type == TokenType.HIVE_TOKEN_STREAM else chunk
    if len(head) == 2 and [token.text.upper() for token in head] == ["END", "IF"]:
        return None
    if len(head) > 1 and head[0].text.upper() == "END" and head[1].text.upper() in AFTER_END:
        return _read_statement(sql, head[1:], text, cut=cut)
    rest = swallowed(head, text) if len(head) == 2 else ""
    if rest:
        return _read_text(rest, text)
    if text.dialect == "tsql" and head:
        following = next_statement(head)
        if following:
            _read_statement(sql, head[:following], text)
            return _read_statement(sql, head[following:], text, cut=cut)
    if not head or read_script(sql, head, text, _read_text):
        return
    if text.variables:
        chunk = head = with_values(head, text.variables)
    if read_object(sql, head, text, _read_text) or read_pattern(sql, head, text, _read_text):
        return
    if head[0].text.upper().split(" ")[0] in NO_LINEAGE and without_block(head) is head:
        return
    if special(sql, head, text, _read_statement, _read_text):
        return
    chunk = tokens.shortened(chunk)
    if text.dialect == "tsql":
        chunk, written = tokens.without_output(tokens.without_compound_assignment(chunk))
        chunk = tokens.without_tsql_words(chunk) or chunk
        for parts in written:
            text.add_target(parts)
    chunk = tokens.without_create_clauses(tokens.without_double_parentheses(chunk))
    if time.thread_time() > text.deadline:
        text.miss("too_slow", f"the text took over {TIME_LIMIT_SECONDS:g} s")
    elif not cut:
        _be_bounded(chunk, text)
        try:
            if _parse(sql, chunk, text):
                return
        except TooSlow:
            text.miss("too_slow", f"the text took over {TIME_LIMIT_SECONDS:g} s")
        except TooWide:
            text.miss("too_large", f"a query has more than {MAX_COLUMNS:,} columns")
    names = read_names(chunk, cut=cut or _unbalanced(chunk))
    text.add_names(names)
    if not text.reasons:
        unfinished = _unbalanced(chunk)
        text.miss(
            "cut" if unfinished else "syntax",
            "the text ends early" if unfinished else text.first_error or "no dialect parses it",
        )


def _be_bounded(chunk: list[Token], text: Text) -> None:
    if not text.isolated and not bounds.is_light(chunk):
        raise bounds.Heavy


def _parse(sql: str, chunk: list[Token], text: Text) -> bool:
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
    if not _unbalanced(chunk) and _parse_pieces(sql, plain, text):
        return True
    for other in dialects.fallbacks(text.dialect):
        if time.thread_time() + cost > text.deadline:
            return False
        statement = sql[chunk[0].start : chunk[-1].end + 1]
        try:
            again = tokens.shortened(dialects.tokenizer(other).tokenize(statement))
        except SqlglotError:
            continue
        _be_bounded(again, text)
        if _parse_as(statement, again, text, other):
            text.other_dialect = text.other_dialect or other or "sqlglot"
            return True
    return False


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
        if chunk[0].text.upper() in ("SET", "ALTER") and not words & {"SELECT", "FROM", "SWAP"}:
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


def _parse_pieces(sql: str, chunk: list[Token], text: Text) -> bool:
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
            _read_statement(sql, piece, text)
        elif piece[0].text.upper() not in NO_LINEAGE:
            text.miss("syntax", f"the statement {tree.name} is not understood")
    return True


def _unbalanced(chunk: list[Token]) -> bool:
    opened = sum(token.token_type == TokenType.L_PAREN for token in chunk)
    closed = sum(token.token_type == TokenType.R_PAREN for token in chunk)
    return opened > closed
