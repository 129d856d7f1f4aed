"""How clauses that a parser lacks are taken out of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlglot.tokenizer_core import Token, TokenType

Tokens = list[Token]
Rewrite = Callable[[Tokens, list[str]], Tokens]
"""Gives the tokens without a clause, or the same list; adds the files that the clause names."""


def dropping(find: Callable[[Tokens, int, list[str]], int]) -> Rewrite:
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
        like(token, TokenType.VAR, token.text)
        if token.token_type != TokenType.VAR and is_name(position, token)
        else token
        for position, token in enumerate(tokens)
    ]
    return kept if any(a is not b for a, b in zip(kept, tokens, strict=True)) else tokens


def like(token: Token, kind: TokenType, text: str, last: Token | None = None) -> Token:
    """A token of another kind and text at the place of a given one, or from it to the last one."""
    return Token(kind, text, token.line, token.col, token.start, (last or token).end)


def spelled(at: Token, words: Iterable[tuple[TokenType, str]]) -> Tokens:
    """Tokens of these kinds and texts, all at the place of a given one."""
    return [like(at, kind, text) for kind, text in words]


def called(name: str, at: Token, arguments: Tokens | None = None) -> Tokens:
    """The call of a function, at the place of a token."""
    opening, closing = like(at, TokenType.L_PAREN, "("), like(at, TokenType.R_PAREN, ")")
    return [like(at, TokenType.VAR, name), opening, *(arguments or []), closing]


def opens(tokens: Tokens, position: int) -> bool:
    """Whether a parenthesis opens at a position."""
    return position < len(tokens) and tokens[position].token_type == TokenType.L_PAREN


def items_of(tokens: Tokens) -> list[Tokens]:
    """What stands between the commas."""
    found: list[Tokens] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if token.token_type == TokenType.COMMA and not depth:
            found.append([])
        else:
            found[-1].append(token)
    return [item for item in found if item]


_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET})


def listed(items: list[Tokens]) -> Tokens:
    """Items in parentheses."""
    at = items[0][0]
    found = [like(at, TokenType.L_PAREN, "(")]
    for item in items:
        found += [*([like(at, TokenType.COMMA, ",")] if len(found) > 1 else []), *item]
    return [*found, like(at, TokenType.R_PAREN, ")")]
