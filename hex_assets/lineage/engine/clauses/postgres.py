"""Clauses of PostgreSQL that sqlglot's grammar lacks."""

from __future__ import annotations

import re
import sys

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.clauses.json import json_defaults, json_options
from hex_assets.lineage.engine.clauses.rewriting import Tokens, dropping, like, opens, spelled
from hex_assets.lineage.engine.clauses.xml import xml_words
from hex_assets.lineage.engine.words import STRINGS, closing, word_at


def only(tokens: Tokens, files: list[str]) -> Tokens:
    """PostgreSQL's ONLY (t) as t."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        if word_at(tokens, position) == "ONLY" and opens(tokens, position + 1):
            end = closing(tokens, position + 1)
            kept += tokens[position + 2 : end - 1]
            position = end
        else:
            kept.append(tokens[position])
            position += 1
    return kept if len(kept) < len(tokens) else tokens


def using_operator(tokens: Tokens, position: int, files: list[str]) -> int:
    """PostgreSQL's ORDER BY a USING >."""
    following = word_at(tokens, position + 1)
    return position + 2 if word_at(tokens, position) == "USING" and following in ("<", ">") else 0


def change_from(tokens: Tokens, files: list[str]) -> Tokens:
    """UPDATE ... FROM and DELETE ... USING that begin with a function, VALUES or a subquery.

    The parser knows joins only after a table: a function that gives one row is put before them.
    """
    kept: Tokens = []
    depth = 0
    waiting: dict[int, str] = {}
    for position, token in enumerate(tokens):
        kept.append(token)
        kind, word = token.token_type, word_at(tokens, position)
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if word == "SET" and word_at(tokens, 0) in ("UPDATE", "WITH"):
            waiting[depth] = "FROM"
        elif word == "DELETE":
            waiting[depth] = "USING"
        elif word == waiting.get(depth) and word_at(tokens, position - 1) != "DISTINCT":
            del waiting[depth]
            kept += spelled(token, _ROW)
    return kept if len(kept) > len(tokens) else tokens


_ROW = (
    (TokenType.VAR, "GENERATE_SERIES"),
    (TokenType.L_PAREN, "("),
    (TokenType.NUMBER, "1"),
    (TokenType.COMMA, ","),
    (TokenType.NUMBER, "1"),
    (TokenType.R_PAREN, ")"),
    (TokenType.COMMA, ","),
)


def copied(tokens: Tokens, files: list[str]) -> Tokens:
    """COPY t FROM PROGRAM 'x' WHERE y as COPY t FROM STDIN."""
    if word_at(tokens, 0) != "COPY" or opens(tokens, 1):  # not COPY (SELECT ... WHERE ...) TO
        return tokens
    kept: Tokens = []
    for position, token in enumerate(tokens):
        if word_at(tokens, position) == "WHERE":
            break
        if word_at(tokens, position - 1) != "PROGRAM":
            stdin = word_at(tokens, position) == "PROGRAM"
            kept.append(like(token, TokenType.VAR, "STDIN") if stdin else token)
    return kept if len(kept) < len(tokens) else tokens


def small_clauses(tokens: Tokens, position: int, files: list[str]) -> int:
    """AT LOCAL, USING (a) AS j, RETURNING WITH (OLD AS o), 1_000, the colon of psql's :'name'."""
    word = word_at(tokens, position)
    if word[:1] == "_" and position and tokens[position - 1].token_type == TokenType.NUMBER:
        return position + 1 if tokens[position].start == tokens[position - 1].end + 1 else 0
    if word == "AT" and word_at(tokens, position + 1) == "LOCAL":
        return position + 2
    if word == "AS" and word_at(tokens, position - 1) == ")":
        start = position - 2
        while start > 0 and tokens[start].token_type in _IN_LIST:
            start -= 1
        return position + 2 if opens(tokens, start) and word_at(tokens, start - 1) == "USING" else 0
    if word == "WITH" and word_at(tokens, position - 1) == "RETURNING":
        return closing(tokens, position + 1) if opens(tokens, position + 1) else 0
    if word == "OVERRIDING" and word_at(tokens, position + 2) == "VALUE":  # of a MERGE
        return position + 3
    following = tokens[position + 1] if word == ":" and position + 1 < len(tokens) else None
    if following is not None and following.token_type == TokenType.STRING:
        return position + 1 if following.start == tokens[position].end + 1 else 0
    return 0


_IN_LIST = (TokenType.VAR, TokenType.IDENTIFIER, TokenType.COMMA)
_BEFORE_STRING = frozenset(
    "ZONE ESCAPE UESCAPE TO DELIMITER QUOTE ENCODING PASSWORD AS PATH NESTED PASSING".split()
)


def typed_literals(tokens: Tokens, position: int, files: list[str]) -> int:
    """A constant of a type that the parser does not know: `hstore 'a=>1'`, `citext 'x'`."""
    if position + 1 >= len(tokens) or tokens[position].token_type != TokenType.VAR:
        return 0
    if tokens[position + 1].token_type != TokenType.STRING:
        return 0
    return 0 if tokens[position].text.upper() in _BEFORE_STRING else position + 1


_LONGEST_LIST = 100


def search_or_cycle(tokens: Tokens, position: int, files: list[str]) -> int:
    """SEARCH DEPTH FIRST BY a SET b and CYCLE a SET b USING c after a recursive CTE."""
    word = word_at(tokens, position)
    if word not in ("SEARCH", "CYCLE"):
        return 0
    if word == "SEARCH" and word_at(tokens, position + 1) not in ("DEPTH", "BREADTH"):
        return 0
    end = position + 1
    while word_at(tokens, end) != "SET":
        if end > position + _LONGEST_LIST or word_at(tokens, end) in ("", "(", ")", "SELECT"):
            return 0
        end += 1
    if word == "SEARCH":
        return end + 2
    end += 2
    while word_at(tokens, end) in ("TO", "DEFAULT", "USING"):
        end += 2
    return end


_ESCAPED = r"{0}(?:\+([0-9A-Fa-f]{{6}})|([0-9A-Fa-f]{{4}})|({0}))"


def unicode_names(tokens: Tokens) -> Tokens:
    r"""Names such as U&"d\\0061ta" and U&"d!0061ta" UESCAPE '!' as the names that they mean."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        name = tokens[position + 2] if position + 2 < len(tokens) else token
        quoted = name.token_type == TokenType.IDENTIFIER and name.start == token.start + 2
        if not quoted or word_at(tokens, position) != "U":
            kept.append(token)
            position += 1
            continue
        position += 3
        escape = "\\"
        if word_at(tokens, position) == "UESCAPE" and position + 1 < len(tokens):
            escape = tokens[position + 1].text or escape
            position += 2
        plain = re.sub(_ESCAPED.format(re.escape(escape)), _unescaped, name.text)
        kept.append(like(token, TokenType.IDENTIFIER, plain, name))
    return kept


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if code is None:
        return match[3]
    return chr(int(code, 16)) if int(code, 16) <= sys.maxunicode else match[0]


_SIGNS = frozenset("+-*/<>=~!@#%^&|`?")
_OWN_SIGNS = frozenset("~!@#%^&|`?")
_LONGEST = 8
"""Tokens of an operator; a longer run of signs is none."""
_BEFORE_VALUES = frozenset(
    "SELECT DISTINCT ALL WHERE AND OR NOT ON IN CASE WHEN THEN ELSE HAVING RETURNING SET BETWEEN "
    "VALUES LIMIT OFFSET ANY LIKE ILIKE , ( [".split()
) | {"ORDER BY", "GROUP BY", "PARTITION BY"}


def operators(tokens: Tokens, files: list[str]) -> Tokens:
    """Operators of PostgreSQL's extensions, such as pgvector's `<#>`, as one that sqlglot has.

    postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-OPERATORS: the longest run of
    signs is one operator, and only one with signs of its own may end in + or -.
    """
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        end = _end_of_operator(tokens, position)
        if end == position + 1:
            kept.append(tokens[position])
        elif position and not _before_value(tokens[position - 1]):
            kept.append(like(tokens[position], TokenType.AMP, "&", tokens[end - 1]))
        position = end
    return kept if len(kept) < len(tokens) else tokens


def _before_value(token: Token) -> bool:
    """Whether a sign after it stands before its one value."""
    return token.text.upper() in _BEFORE_VALUES or _is_sign(token)


def _is_sign(token: Token) -> bool:
    quoted = token.token_type in STRINGS or token.token_type == TokenType.IDENTIFIER
    return not quoted and bool(token.text) and _SIGNS.issuperset(token.text)


def _end_of_operator(tokens: Tokens, start: int) -> int:
    """The end of a run of two or more tokens that are one operator; else of one token."""
    if word_at(tokens, start) == "OPERATOR" and opens(tokens, start + 1):
        return closing(tokens, start + 1)
    end = start
    run = ""
    while end < min(len(tokens), start + _LONGEST) and _is_sign(tokens[end]):
        if end > start and tokens[end].start != tokens[end - 1].end + 1:
            break
        run += tokens[end].text
        end += 1
    while end > start + 1 and (
        tokens[end - 1].token_type == TokenType.PLACEHOLDER  # a = ?
        or (run[-1] in "+-" and _OWN_SIGNS.isdisjoint(run))
    ):
        end -= 1
        run = run[: -len(tokens[end].text)]
    return max(end, start + 1)


_FORMS = frozenset({"NFC", "NFD", "NFKC", "NFKD"})


def text_predicates(tokens: Tokens, position: int, files: list[str]) -> int:
    """`x IS NOT NFC NORMALIZED`, and COLLATION FOR before its value in parentheses."""
    word = word_at(tokens, position)
    if word == "COLLATION" and word_at(tokens, position + 1) == "FOR":
        return position + 2
    if word != "IS":
        return 0
    end = position + 1 + (word_at(tokens, position + 1) == "NOT")
    end += word_at(tokens, end) in _FORMS
    return end + 1 if word_at(tokens, end) == "NORMALIZED" else 0


def similar_substring(tokens: Tokens, files: list[str]) -> Tokens:
    """SUBSTRING(x SIMILAR pattern ESCAPE e) with commas."""
    kept = list(tokens)
    for position in range(len(tokens)):
        if word_at(tokens, position) == "SUBSTRING" and opens(tokens, position + 1):
            for inner in range(position + 2, closing(tokens, position + 1)):
                if word_at(tokens, inner) in ("SIMILAR", "ESCAPE"):
                    kept[inner] = like(tokens[inner], TokenType.COMMA, ",")
    return kept if any(a is not b for a, b in zip(kept, tokens, strict=True)) else tokens


OF_POSTGRES = (
    *(only, json_options, copied, change_from, similar_substring),
    *map(dropping, (json_defaults, using_operator, small_clauses)),
    *map(dropping, (typed_literals, search_or_cycle, xml_words, text_predicates)),
    operators,
)
