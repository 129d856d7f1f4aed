"""Clauses of PostgreSQL, Redshift and DuckDB that sqlglot's grammar lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.rewriting import Tokens, opens
from hex_assets.lineage.engine.words import closing, word_at


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


_OPERATOR = frozenset("+-*/<>=~!@#%^&|`?")
_SIGNS = frozenset({"+", "-"})
_LONGEST = 8
"""Tokens of an operator; a longer run of signs is none."""
_MAKES_ITS_SIGN = frozenset("~!@#%^&|`?")
_STANDARD = frozenset("+ - * / % ^ < > = <= >= <> != || -> ->> #> #>> =>".split())
_ENDS_VALUE = frozenset(
    {TokenType.VAR, TokenType.IDENTIFIER, TokenType.STRING, TokenType.NUMBER, TokenType.NULL}
    | {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.TRUE, TokenType.FALSE}
)


def operators(tokens: Tokens, files: list[str]) -> Tokens:
    """Operators of extensions such as `<#>`, `<%` and `~=`: between two values as `||`.

    By PostgreSQL's rule all its signs that stand together are one operator, but for a plus or
    minus at the end of one that has only signs of arithmetic.
    """
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        end = _end_of_operator(tokens, position)
        between = bool(kept) and (
            kept[-1].token_type in _ENDS_VALUE or kept[-1].text.isidentifier()
        )
        written = "".join(token.text for token in tokens[position:end])
        if end == position or written in _STANDARD or (written == "@" and not between):
            kept.append(tokens[position])
            position += 1
            continue
        like = tokens[position]
        if between:
            kept.append(Token(TokenType.DPIPE, "||", like.line, like.col, like.start, like.end))
        position = end
    return kept if len(kept) < len(tokens) or _differ(kept, tokens) else tokens


def _differ(kept: Tokens, tokens: Tokens) -> bool:
    return any(a is not b for a, b in zip(kept, tokens, strict=False))


def _end_of_operator(tokens: Tokens, position: int) -> int:
    before = tokens[position - 1].token_type if position else TokenType.SELECT
    if before in (TokenType.DOT, TokenType.L_PAREN, TokenType.SELECT):
        return position  # count(*), t.*
    end = position
    while end < min(len(tokens), position + _LONGEST) and _is_sign(tokens[end]):
        if end > position and tokens[end].start != tokens[end - 1].end + 1:
            break
        end += 1
    if any(_MAKES_ITS_SIGN & set(token.text) for token in tokens[position:end]):
        return end
    while end > position + 1 and tokens[end - 1].text in _SIGNS:
        end -= 1
    return end


def _is_sign(token: Token) -> bool:
    quoted = token.token_type in (TokenType.STRING, TokenType.IDENTIFIER)
    return not quoted and bool(token.text) and _OPERATOR.issuperset(token.text)


_BEFORE_STRING = frozenset("ZONE ESCAPE UESCAPE TO DELIMITER QUOTE ENCODING PASSWORD AS".split())


def typed_literals(tokens: Tokens, position: int, files: list[str]) -> int:
    """A constant of a type that the parser does not know: `hstore 'a=>1'`, `citext 'x'`."""
    if position + 1 >= len(tokens) or tokens[position].token_type != TokenType.VAR:
        return 0
    if tokens[position + 1].token_type != TokenType.STRING:
        return 0
    return 0 if tokens[position].text.upper() in _BEFORE_STRING else position + 1


_LONGEST_LIST = 100


def alias_of_using(tokens: Tokens, position: int, files: list[str]) -> int:
    """JOIN b USING (i) AS x, whose alias only renames the joined columns."""
    if word_at(tokens, position) != "AS" or word_at(tokens, position - 1) != ")":
        return 0
    depth = 0
    for start in range(position - 1, max(0, position - _LONGEST_LIST), -1):
        kind = tokens[start].token_type
        depth += (kind == TokenType.R_PAREN) - (kind == TokenType.L_PAREN)
        if depth == 0:
            return position + 2 if word_at(tokens, start - 1) == "USING" else 0
    return 0


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


def subscripts(tokens: Tokens, position: int, files: list[str]) -> int:
    """Redshift's FROM t AS c, c.orders[0].lines AS o: the place in an array."""
    if tokens[position].token_type != TokenType.L_BRACKET:
        return 0
    closes = position + 2 < len(tokens) and tokens[position + 2].token_type == TokenType.R_BRACKET
    number = closes and tokens[position + 1].token_type == TokenType.NUMBER
    return position + 3 if number else 0


def after_pivot(tokens: Tokens, files: list[str]) -> Tokens:
    """DuckDB's PIVOT and UNPIVOT statements without ORDER BY and LIMIT."""
    if word_at(tokens, 0) not in ("PIVOT", "UNPIVOT"):
        return tokens
    position = 0
    while position < len(tokens):
        if word_at(tokens, position) in ("ORDER BY", "LIMIT"):
            return tokens[:position]
        position = closing(tokens, position) if opens(tokens, position) else position + 1
    return tokens
