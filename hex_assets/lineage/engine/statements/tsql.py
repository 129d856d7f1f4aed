"""T-SQL before it is parsed: OUTPUT, compound assignment, TOP in a change, TRY and CATCH."""

from __future__ import annotations

import re

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.words import name_at

_OPERATORS = frozenset("+-*/%&|^")


_GO = re.compile(r"^[ \t]*(GO(?:[ \t]+\d+)?)[ \t]*;?[ \t]*(?:--.*)?$", re.IGNORECASE | re.MULTILINE)


def with_ended_batches(sql: str) -> str:
    """A line with GO alone as a semicolon of the same length: it ends whatever stands before."""
    return _GO.sub(lambda found: found.group().replace(found[1], ";".ljust(len(found[1])), 1), sql)


def without_compound_assignment(tokens: list[Token]) -> list[Token]:
    """T-SQL's `SET a += b` as `SET a = b`, and OPENROWSET(BULK 'x') as OPENROWSET('x')."""
    return [
        token
        for before, token, following in zip(
            [None, *tokens[:-1]], tokens, [*tokens[1:], None], strict=True
        )
        if not (
            token.text.upper() == "BULK"
            and before is not None
            and before.token_type == TokenType.L_PAREN
        )
        and not (
            token.text in _OPERATORS
            and following is not None
            and following.token_type == TokenType.EQ
            and following.start == token.end + 1
        )
    ]


def without_output(tokens: list[Token]) -> tuple[list[Token], list[tuple[str, ...]]]:
    """T-SQL's statements without OUTPUT ... [INTO t (a, b)], and the tables after INTO."""
    kept: list[Token] = []
    written: list[tuple[str, ...]] = []
    depth = position = 0
    changes = False
    while position < len(tokens):
        token = tokens[position]
        word = token.text.upper()
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        changes = changes or word in ("INSERT", "UPDATE", "DELETE", "MERGE")
        if depth or word != "OUTPUT" or not changes or token.token_type == TokenType.STRING:
            kept.append(token)
            position += 1
            continue
        position = _after_output(tokens, position + 1)
        if position < len(tokens) and tokens[position].text.upper() == "INTO":
            variable = position + 1 < len(tokens) and tokens[position + 1].text.startswith("@")
            if variable:  # a table variable lives and ends in the text
                position += 2 if len(tokens[position + 1].text) > 1 else 3
            else:
                parts, position = name_at(tokens, position + 1)
                if parts:
                    written.append(parts)
            if position < len(tokens) and tokens[position].token_type == TokenType.L_PAREN:
                while position < len(tokens) and tokens[position].token_type != TokenType.R_PAREN:
                    position += 1
                position += 1
    return kept, written


_ENDS_OUTPUT = frozenset("INTO VALUES SELECT FROM WHERE DEFAULT EXEC EXECUTE WITH OPTION".split())


def _after_output(tokens: list[Token], position: int) -> int:
    depth = 0
    while position < len(tokens):
        token = tokens[position]
        if depth == 0 and token.text.upper() in _ENDS_OUTPUT:
            break
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        position += 1
    return position


def _from_follows(tokens: list[Token], start: int) -> bool:
    """Whether it is DELETE FROM a FROM t AS a, which is DELETE a FROM t AS a."""
    _, after = name_at(tokens, start)
    return after < len(tokens) and tokens[after].text.upper() == "FROM"


_CHANGES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})


def without_tsql_words(tokens: list[Token]) -> list[Token]:
    """T-SQL without TOP (n) in a change, and without BEGIN TRY and the like, which no tree has."""
    kept: list[Token] = []
    position = 0
    while position < len(tokens):
        word = tokens[position].text.upper()
        following = tokens[position + 1].text.upper() if position + 1 < len(tokens) else ""
        before = kept[-1].text.upper() if kept else ""
        if word in ("BEGIN", "END") and following in ("TRY", "CATCH"):
            position += 2
        elif word == "TOP" and before in _CHANGES and following == "(":
            while position < len(tokens) and tokens[position].token_type != TokenType.R_PAREN:
                position += 1
            position += 1
        elif word == "FROM" and before == "DELETE" and _from_follows(tokens, position + 1):
            position += 1
        elif word == "THROW" and len(tokens) > 1:
            position += 1
        else:
            kept.append(tokens[position])
            position += 1
    return kept
