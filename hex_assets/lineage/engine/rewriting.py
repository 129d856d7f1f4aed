"""How clauses that a parser lacks are taken out of tokens."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot.tokenizer_core import Token, TokenType

Tokens = list[Token]
Rewrite = Callable[[Tokens, list[str]], Tokens]
"""Gives the tokens without a clause, or the same list; adds the files that the clause names."""


def dropping(
    find: Callable[[Tokens, int, list[str]], int],
) -> Callable[[Tokens, list[str]], Tokens]:
    """A rewrite that leaves out each run of tokens whose end `find` gives; 0 for none."""

    def rewrite(tokens: Tokens, files: list[str]) -> Tokens:
        kept: Tokens = []
        position = 0
        while position < len(tokens):
            end = find(tokens, position, files)
            if end > position:
                position = end
            else:
                kept.append(tokens[position])
                position += 1
        return kept if len(kept) < len(tokens) else tokens

    return rewrite


def as_names(tokens: Tokens, is_name: Callable[[int, Token], bool]) -> Tokens:
    """The keywords that are names as names; the same list where there are none."""
    kept = [
        Token(TokenType.VAR, token.text, token.line, token.col, token.start, token.end)
        if token.token_type != TokenType.VAR and is_name(position, token)
        else token
        for position, token in enumerate(tokens)
    ]
    return kept if any(a is not b for a, b in zip(kept, tokens, strict=True)) else tokens


def opens(tokens: Tokens, position: int) -> bool:
    """Whether a parenthesis opens at a position."""
    return position < len(tokens) and tokens[position].token_type == TokenType.L_PAREN


def split(tokens: Tokens) -> list[Tokens]:
    """The items of a list, at its own commas."""
    items: list[Tokens] = [[]]
    depth = 0
    for token in tokens:
        kind = token.token_type
        depth += (kind in _OPEN) - (kind in _CLOSE)
        if depth == 0 and kind == TokenType.COMMA:
            items.append([])
        else:
            items[-1].append(token)
    return [item for item in items if item]


_OPEN = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET})
_CLOSE = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET})
