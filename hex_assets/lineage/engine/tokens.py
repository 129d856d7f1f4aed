"""Prepares a text for the parser: no Hex comment, single statements, short literal lists."""

from __future__ import annotations

import json
import re

from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType
from sqlglot.tokens import Tokenizer

from hex_assets.lineage.engine.words import JINJA_NAME

_LEADING_COMMENT = re.compile(r"\s*--\s*Hex query metadata:\s*(?=\{)")
_JINJA_START = re.compile(r"\{[#%{]")
_JINJA_ENDS = {"{#": "#}", "{%": "%}", "{{": "}}"}

# What a list of constants is made of; a run of these longer than LONG_RUN is shortened.
_CONSTANT = frozenset(
    {
        TokenType.NUMBER,
        TokenType.STRING,
        TokenType.NATIONAL_STRING,
        TokenType.COMMA,
        TokenType.DASH,
        TokenType.NULL,
        TokenType.TRUE,
        TokenType.FALSE,
    }
)
LONG_RUN = 200
DEEP = 12
"""Parentheses within each other from which on doubled ones are dropped."""
_KEPT = 40


def without_leading_comment(sql: str) -> str:
    """Drops a Hex comment that leads a text folded to one line: it would swallow all the rest."""
    match = _LEADING_COMMENT.match(sql)
    if match is None:
        return sql
    try:
        _, end = json.JSONDecoder().raw_decode(sql, match.end())
    except ValueError:
        return sql
    return sql[end:]


_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060"))


def without_invisible(sql: str) -> str:
    """A text without byte order marks and spaces of no width, which copying leaves in it."""
    return sql if sql.isascii() else sql.translate(_INVISIBLE)


_RUN_START = re.compile(
    r"\b(?:execute\s+immediate|do(?:\s+language\s+\w+)?)\s+(\$\w*\$)", re.IGNORECASE
)
MAX_RUN_QUOTES = 200
"""More of them in a text are left as they are: each may be searched for up to the text's end."""


def without_run_quotes(sql: str) -> str:
    """EXECUTE IMMEDIATE $$ ... $$ and DO $$ ... $$ as the statements that they run."""
    if "$" not in sql:
        return sql
    pieces: list[str] = []
    done = 0
    for opened, _ in zip(_RUN_START.finditer(sql), range(MAX_RUN_QUOTES), strict=False):
        end = sql.find(opened[1], opened.end())
        if opened.start() >= done and end >= 0:
            pieces += [sql[done : opened.start()], sql[opened.end() : end], ";"]
            done = end + len(opened[1])
    return "".join([*pieces, sql[done:]])


_BODY_START = re.compile(r"\bas\s+(\$\w*\$)", re.IGNORECASE)


def with_quoted_bodies(sql: str) -> str:
    """`AS $$ ... $$` with an ordinary string, for Databricks, whose tokenizer lacks the former."""
    if "$$" not in sql:
        return sql
    pieces: list[str] = []
    done = 0
    for opened, _ in zip(_BODY_START.finditer(sql), range(MAX_RUN_QUOTES), strict=False):
        end = sql.find(opened[1], opened.end())
        if opened.start() >= done and end >= 0:
            body = sql[opened.end() : end].replace("\\", "\\\\").replace("'", "\\'")
            pieces += [sql[done : opened.start(1)], f"'{body}'"]
            done = end + len(opened[1])
    return "".join([*pieces, sql[done:]])


_ELSE_BRANCH = re.compile(
    r"\{%-?\s*el(?:se|if)\b[^{}%]*%\}((?:(?!\{%)[\s\S]){0,4000})\{%-?\s*(?=endif|el(?:se|if))"
)
MAX_BRANCHES = 4
"""Of one template condition; what is behind them stays in the text."""
_GOES_ON = re.compile(
    r"\s*(?:,|(?:and|or|join|left|right|inner|cross|union|where)\b)", re.IGNORECASE
)


def _first_branch(match: re.Match[str]) -> str:
    """Drops an ELSE branch that could not stand behind the first one."""
    return match.group() if _GOES_ON.match(match[1]) else "{% "


def without_jinja(sql: str) -> str:
    """Blanks template blocks and puts a placeholder name for template expressions."""
    for _ in range(MAX_BRANCHES):
        sql, dropped = _ELSE_BRANCH.subn(_first_branch, sql)
        if not dropped:
            break
    pieces: list[str] = []
    done = 0
    ends = dict.fromkeys(_JINJA_ENDS, 0)
    for opened in _JINJA_START.finditer(sql):
        mark = opened.group()
        if opened.start() < done or ends[mark] < 0:  # inside another, or nothing closes it
            continue
        ends[mark] = sql.find(_JINJA_ENDS[mark], opened.end())
        if ends[mark] >= 0:
            pieces += [sql[done : opened.start()], JINJA_NAME if mark == "{{" else " "]
            done = ends[mark] + 2
    return "".join([*pieces, sql[done:]])


def tokenized(sql: str, tokenizer: Tokenizer) -> tuple[list[Token], bool]:
    """Tokens of a text, and whether it ends within a string, name or comment (a cut text)."""
    try:
        return tokenizer.tokenize(sql), False
    except TokenError:
        pass
    for closing in ("'", '"', "`", "*/", "]", "$$", "'''", '"""'):
        try:
            tokens = tokenizer.tokenize(sql + closing)
        except TokenError:
            continue
        if tokens and tokens[-1].end >= len(sql) - 1:
            tokens.pop()  # what was cut
        return tokens, True
    return [], True


def statements(tokens: list[Token]) -> list[list[Token]]:
    """Splits at semicolons outside parentheses."""
    if TokenType.SEMICOLON not in [token.token_type for token in tokens]:
        return [tokens] if tokens else []
    found: list[list[Token]] = [[]]
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            found.append([])
        else:
            found[-1].append(token)
    return [chunk for chunk in found if chunk]


def without_format(tokens: list[Token], dialect: str) -> list[Token]:
    """Drops ClickHouse's `FORMAT Name`, which clients append, here also after a comment."""
    if dialect == "clickhouse" and len(tokens) > 2 and tokens[-2].text.upper() == "FORMAT":
        return tokens[:-2]
    return tokens


def shortened(tokens: list[Token]) -> list[Token]:
    """Shortens long lists of constants, such as a pasted IN list of a megabyte."""
    if len(tokens) <= LONG_RUN * 2:
        return tokens
    result: list[Token] = []
    start = 0
    count = len(tokens)
    while start < count:
        if tokens[start].token_type not in _CONSTANT:
            result.append(tokens[start])
            start += 1
            continue
        end = start
        while end < count and tokens[end].token_type in _CONSTANT:
            end += 1
        if end - start <= LONG_RUN:
            result.extend(tokens[start:end])
        else:
            stop = start + _KEPT
            while stop < end and tokens[stop].token_type != TokenType.COMMA:
                stop += 1
            result.extend(tokens[start:stop])
            if tokens[end - 1].token_type == TokenType.COMMA:
                result.append(tokens[end - 1])
        start = end
    return _fewer_rows(result)


def _fewer_rows(tokens: list[Token]) -> list[Token]:
    """Shortens long lists of constant tuples, as after VALUES."""
    result: list[Token] = []
    rows = 0
    start = 0
    count = len(tokens)
    while start < count:
        end = _constant_row(tokens, start)
        if end is None:
            result.append(tokens[start])
            if tokens[start].token_type != TokenType.COMMA:
                rows = 0
            start += 1
            continue
        rows += 1
        if rows <= _KEPT:
            result.extend(tokens[start:end])
        elif result and result[-1].token_type == TokenType.COMMA:
            result.pop()
        start = end
    return result


def _constant_row(tokens: list[Token], start: int) -> int | None:
    if tokens[start].token_type != TokenType.L_PAREN:
        return None
    end = start + 1
    while end < len(tokens) and tokens[end].token_type in _CONSTANT:
        end += 1
    closed = end < len(tokens) and tokens[end].token_type == TokenType.R_PAREN
    return end + 1 if closed and end > start + 1 else None


_CLAUSES = (
    ("WITH", "NO", "DATA"),
    ("WITH", "DATA"),
    ("WITH", "CHECK", "OPTION"),
    ("WITH", "LOCAL", "CHECK", "OPTION"),
    ("WITH", "CASCADED", "CHECK", "OPTION"),
    ("ON", "COMMIT", "DROP"),
)


def without_create_clauses(tokens: list[Token]) -> list[Token]:
    """CREATE ... AS ... without clauses that only some grammars have, such as WITH NO DATA."""
    if not tokens or tokens[0].text.upper() != "CREATE":
        return tokens
    words = [token.text.upper() for token in tokens]
    kind = words.index("TABLE") - 1 if "TABLE" in words[2:6] else 0
    if words[kind] in ("HYBRID", "INTERACTIVE"):  # Snowflake's
        tokens, words = [*tokens[:kind], *tokens[kind + 1 :]], [*words[:kind], *words[kind + 1 :]]
    for clause in _CLAUSES:
        if words[-len(clause) :] == list(clause):
            return tokens[: -len(clause)]
        head = words[: min(len(words), 20)]
        for start in range(len(head)):
            if clause[0] == "ON" and tuple(head[start : start + 3]) == clause:
                return tokens[:start] + tokens[start + 3 :]
    return tokens


def without_double_parentheses(tokens: list[Token]) -> list[Token]:
    """`((x))` as `(x)`, where deep: the parser tries each of them in several ways."""
    if [token.token_type for token in tokens].count(TokenType.L_PAREN) < DEEP:
        return tokens
    partner: dict[int, int] = {}
    stack: list[int] = []
    deepest = 0
    for position, token in enumerate(tokens):
        if token.token_type == TokenType.L_PAREN:
            stack.append(position)
            deepest = max(deepest, len(stack))
        elif token.token_type == TokenType.R_PAREN and stack:
            partner[stack.pop()] = position
    if deepest < DEEP:
        return tokens
    doubled: set[int] = set()
    for start, end in partner.items():
        if partner.get(start + 1) == end - 1:
            doubled |= {start + 1, end - 1}
    return [token for position, token in enumerate(tokens) if position not in doubled]
