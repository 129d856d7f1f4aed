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


def as_name(token: Token, name: str) -> Token:
    """A name in the place of a token."""
    return Token(TokenType.VAR, name, token.line, token.col, token.start, token.end)


def as_names(tokens: Tokens, is_name: Callable[[int, Token], bool]) -> Tokens:
    """The keywords that are names as names; the same list where there are none."""
    kept = [
        as_name(token, token.text)
        if token.token_type != TokenType.VAR and is_name(position, token)
        else token
        for position, token in enumerate(tokens)
    ]
    return kept if any(a is not b for a, b in zip(kept, tokens, strict=True)) else tokens


def opens(tokens: Tokens, position: int) -> bool:
    """Whether a parenthesis opens at a position."""
    return position < len(tokens) and tokens[position].token_type == TokenType.L_PAREN
