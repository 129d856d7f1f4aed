"""What Python's drivers leave in a statement that they send without its values."""

from __future__ import annotations

from itertools import pairwise

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.clauses.rewriting import Tokens, like
from hex_assets.lineage.engine.words import STRINGS, word_at


def placeholders(tokens: Tokens, files: list[str]) -> Tokens:
    """`%s` and `%(name)s` as values, where a value may stand; the same list if none."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        end = _end(tokens, position) if token.token_type == TokenType.MOD else 0
        if end:
            kept.append(like(token, TokenType.STRING, ""))
            position = end
        else:
            kept.append(token)
            position += 1
    return kept if len(kept) < len(tokens) else tokens


def _end(tokens: Tokens, position: int) -> int:
    """The position after a placeholder; 0 for a remainder, and where a table is named."""
    named = word_at(tokens, position + 1) == "(" and word_at(tokens, position + 3) == ")"
    last = position + (4 if named else 1)
    if last >= len(tokens) or tokens[last].text != "s" or not _adjoin(tokens[position : last + 1]):
        return 0
    before = tokens[position - 1] if position else None
    if before is None or before.token_type in _OPERANDS or word_at(tokens, last + 1) == ".":
        return 0
    return 0 if before.text.upper() in _BEFORE_TABLES else last + 1


def _adjoin(tokens: list[Token]) -> bool:
    return all(a.end + 1 == b.start for a, b in pairwise(tokens))


_OPERANDS = STRINGS | {
    *(TokenType.VAR, TokenType.IDENTIFIER, TokenType.NUMBER, TokenType.R_PAREN),
    *(TokenType.R_BRACKET, TokenType.DOT, TokenType.MOD),
}
_BEFORE_TABLES = frozenset({"FROM", "JOIN", "INTO", "UPDATE", "TABLE", "USING"})


def odbc(tokens: Tokens, position: int, files: list[str]) -> int:
    """ODBC's { oj ... }, { d '...' } and { fn ... }: the braces and the word."""
    kind = tokens[position].token_type
    if kind == TokenType.L_BRACE and word_at(tokens, position + 1) in ("OJ", "D", "T", "TS", "FN"):
        return position + 2
    return position + 1 if kind == TokenType.R_BRACE else 0
