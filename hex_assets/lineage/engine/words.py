"""Reads words, names and parentheses off tokens."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

JINJA_NAME = "__jinja__"
"""What stands for a template expression that was not rendered."""

STRINGS = frozenset(
    {
        TokenType.STRING,
        TokenType.NATIONAL_STRING,
        TokenType.RAW_STRING,
        TokenType.HEREDOC_STRING,
    }
)
_NAME = frozenset({TokenType.VAR, TokenType.IDENTIFIER, TokenType.DATABASE, TokenType.SCHEMA})
_NOT_NAMES = frozenset(
    "outfile dumpfile select with values unnest lateral table only where on set using group "
    "order limit case when join left right inner outer full cross natural union all from into "
    "as and or not in unpivot".split()
)


def word_at(tokens: list[Token], position: int) -> str:
    """The word at a position in capitals; empty for a string, and outside of the tokens."""
    if not 0 <= position < len(tokens) or tokens[position].token_type in STRINGS:
        return ""
    return tokens[position].text.upper()


def closing(tokens: list[Token], start: int) -> int:
    """The position after the parenthesis that closes the one at `start`."""
    depth = 0
    for position in range(start, len(tokens)):
        kind = tokens[position].token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if depth == 0:
            return position + 1
    return len(tokens)


def _dashed(tokens: list[Token], position: int) -> bool:
    """Whether a dash goes on with a name, as in BigQuery's `acme-data.sales.orders`."""
    if position + 1 >= len(tokens) or tokens[position].token_type != TokenType.DASH:
        return False
    following = tokens[position + 1]
    is_close = tokens[position].start == tokens[position - 1].end + 1
    return is_close and following.start == tokens[position].end + 1


def name_at(tokens: list[Token], start: int) -> tuple[tuple[str, ...], int]:
    """A dotted name at a position, and the position after it."""
    parts: list[str] = []
    position = start
    while position < len(tokens):
        token = tokens[position]
        if token.token_type == TokenType.DOT and parts and parts[-1]:  # db..table
            parts.append("")
            position += 1
            continue
        quoted = token.token_type == TokenType.IDENTIFIER
        plain = token.token_type in _NAME or token.text.replace("_", "").isalnum()
        if token.token_type == TokenType.STRING or not (quoted or plain):
            break
        if not parts and not quoted and token.text.lower() in _NOT_NAMES:
            break
        if not parts and token.token_type == TokenType.NUMBER:
            break
        parts.append(token.text)
        position += 1
        ends_in_dot = False
        while _dashed(tokens, position):
            last = tokens[position + 1].text
            ends_in_dot = last.endswith(".")  # of `acme-2.sales` the tokenizer makes a number `2.`
            parts[-1] += "-" + last.removesuffix(".")
            position += 2
        if ends_in_dot:
            continue
        if position < len(tokens) and tokens[position].token_type == TokenType.DOT:
            position += 1
            if position + (tokens[-1].token_type == TokenType.DOT) >= len(tokens):
                return (), len(tokens)  # the text ends within the name
            continue
        break
    if any(JINJA_NAME in part for part in parts):
        return (), position
    return tuple(parts), position
