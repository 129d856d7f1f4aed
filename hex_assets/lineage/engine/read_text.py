"""Reads a text statement by statement: what is no query, what is parsed, what is left."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine import bounds, dialects, tokens
from hex_assets.lineage.engine.clauses.postgres import unicode_names
from hex_assets.lineage.engine.clauses.trino import without_head
from hex_assets.lineage.engine.fallback import read_names
from hex_assets.lineage.engine.parsing import be_bounded, parse, unfinished
from hex_assets.lineage.engine.reading import TooSlow
from hex_assets.lineage.engine.relations import MAX_COLUMNS, TooWide
from hex_assets.lineage.engine.statements.batches import next_statement, swallowed
from hex_assets.lineage.engine.statements.definitions import read_definition
from hex_assets.lineage.engine.statements.objects import read_object
from hex_assets.lineage.engine.statements.patterns import read_pattern
from hex_assets.lineage.engine.statements.scripts import read_script, with_named_target, with_values
from hex_assets.lineage.engine.statements.search_path import read_search_path
from hex_assets.lineage.engine.statements.special import (
    AFTER_END,
    NO_LINEAGE,
    special,
    truncated,
    without_block,
)
from hex_assets.lineage.engine.statements.tsql import (
    with_ended_batches,
    without_compound_assignment,
    without_output,
    without_tsql_words,
)
from hex_assets.lineage.engine.statements.variables import goes_on, parameters_of
from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.model import SchemaProvider, StatementLineage

TIME_LIMIT_SECONDS = 1.0
"""Of the processor. After this the rest of a text is read by tokens only; a text must cost less
than 2 s."""
MAX_TOKENS = 120_000
"""Longer texts, after lists of constants are shortened, are read by tokens only: a parser does
about 150,000 tokens a second."""
CHARACTERS_A_TOKEN = 4


def read_to_the_end(
    sql: str, dialect: str, schema: SchemaProvider | None, home: tuple[str, ...] = ()
) -> StatementLineage:
    """`extract` without a bound but the time limit: for a process that can be ended."""
    text = Text(dialect, schema, bounds.Deadline(TIME_LIMIT_SECONDS), home=home, isolated=True)
    read_text(sql, text)
    return text.result()


def read_text(sql: str, text: Text) -> None:
    """Reads all statements of a text.

    Raises:
        Heavy: it is only read where its parser can be ended.
        TooLarge: no parser reads it in time.
    """
    text.spend(len(sql) // CHARACTERS_A_TOKEN)
    tokenizer = dialects.tokenizer(text.dialect)
    if text.dialect in ("snowflake", ""):
        sql = tokens.without_run_quotes(sql)
    elif text.dialect in ("databricks", "spark"):
        sql = tokens.with_quoted_bodies(sql)
    elif text.dialect == "tsql":
        sql = with_ended_batches(sql)
    sql = without_head(sql, text.dialect)
    found, cut = tokens.tokenized(sql, tokenizer)
    templated = "{{" in sql or "{%" in sql or "{#" in sql or "%}" in sql
    if ("{{" in sql or "{%" in sql) if cut else (templated and _has_jinja(found)):
        sql = tokens.without_jinja(sql)
        found, cut = tokens.tokenized(sql, tokenizer)
        text.miss("jinja", "the text holds template expressions that were not rendered")
    if text.dialect == "postgres" and '&"' in sql:
        found = unicode_names(found)
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
            read_statement(sql, chunk, text, cut=chunk_cut)
        except (bounds.Heavy, bounds.TooLarge, RecursionError):
            raise
        except Exception as error:  # a bug of ours costs one statement's columns: the ledger shows
            text.miss("internal", f"the engine could not read a statement: {error!r}")
            text.add_names(read_names(chunk, cut=chunk_cut))


def read_keywords(sql: str, text: Text) -> None:
    """Reads a text of which the time is over: nothing is parsed, nothing is read twice."""
    sql = tokens.without_jinja(tokens.without_run_quotes(sql))
    found, cut = tokens.tokenized(sql, dialects.tokenizer(text.dialect))
    chunks = tokens.statements(found)
    for number, chunk in enumerate(chunks):
        if chunk[0].text.upper() not in NO_LINEAGE or len(chunks) == 1:
            text.add_names(read_names(chunk, cut=cut and number == len(chunks) - 1))


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


def read_statement(sql: str, chunk: list[Token], text: Text, *, cut: bool = False) -> None:
    """Reads one statement; a cut one by its keywords."""
    parameters = parameters_of(chunk, text.dialect)
    if not parameters:
        return _read_statement(sql, chunk, text, cut=cut)
    if goes_on(chunk):
        text.declared |= parameters
        return _read_statement(sql, chunk, text, cut=cut)
    with text.naming(parameters):
        return _read_statement(sql, chunk, text, cut=cut)


def _read_statement(sql: str, chunk: list[Token], text: Text, *, cut: bool) -> None:
    text.spend(len(chunk))
    # Athena's tokenizer puts a token of its own before what it takes for Hive's statements.
    head = chunk[1:] if chunk[0].token_type == TokenType.HIVE_TOKEN_STREAM else chunk
    if len(head) == 2 and [token.text.upper() for token in head] == ["END", "IF"]:
        return None
    if len(head) > 1 and head[0].text.upper() == "END" and head[1].text.upper() in AFTER_END:
        return read_statement(sql, head[1:], text, cut=cut)
    rest = swallowed(head, text) if len(head) == 2 else ""
    if rest:
        return read_text(rest, text)
    if text.dialect == "tsql" and head:
        following = next_statement(head)
        if following:
            read_statement(sql, head[:following], text)
            return read_statement(sql, head[following:], text, cut=cut)
    if not head or read_search_path(head, text) or read_script(sql, head, text, read_text):
        return
    if text.variables and text.dialect != "tsql":
        chunk = head = with_values(head, text.variables)
    if text.dialect in ("databricks", "spark"):
        chunk = head = with_named_target(head, text)
    if read_object(sql, head, text, read_text) or read_pattern(sql, head, text, read_text):
        return
    if head[0].text.upper().split(" ")[0] in NO_LINEAGE and without_block(head) is head:
        if text.made.tables and head[0].text.upper() == "TRUNCATE":
            text.empty(truncated(head))
        return
    if special(sql, head, text, read_statement, read_text):
        return
    chunk = tokens.shortened(chunk)
    if text.dialect == "tsql":
        chunk, written = without_output(without_compound_assignment(chunk))
        chunk = without_tsql_words(chunk) or chunk
        for parts in written:
            text.add_target(parts)
    chunk = tokens.without_create_clauses(tokens.without_double_parentheses(chunk))
    if text.deadline.is_over():
        text.miss("too_slow", f"the text took over {TIME_LIMIT_SECONDS:g} s")
    elif not cut:
        be_bounded(chunk, text)
        try:
            if parse(sql, chunk, text, read_statement):
                return
        except TooSlow:
            text.miss("too_slow", f"the text took over {TIME_LIMIT_SECONDS:g} s")
        except TooWide:
            text.miss("too_large", f"a query has more than {MAX_COLUMNS:,} columns")
        if not text.reasons and not unfinished(chunk) and read_definition(chunk, text):
            return None
    ends_early = unfinished(chunk)
    paths = text.dialect in dialects.UNNESTED_PATHS
    names = read_names(chunk, cut=cut or ends_early, paths=paths)
    text.add_names(names)
    if not text.reasons:
        text.miss(
            "cut" if ends_early else "syntax",
            "the text ends early" if ends_early else text.first_error or "no dialect parses it",
        )
