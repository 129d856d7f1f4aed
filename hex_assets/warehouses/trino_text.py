"""What Trino was asked, where its client wrapped the statement to give it parameters."""

from __future__ import annotations

import re

from sqlglot import TokenType
from sqlglot.dialects.trino import Trino
from sqlglot.errors import TokenError

IMMEDIATE = re.compile(r"\s*EXECUTE\s+IMMEDIATE\s+(?=')", re.IGNORECASE)


def executed_text(text: str) -> str:
    """The statement inside `EXECUTE IMMEDIATE '...' [USING ...]`; another text as it is.

    Trino's Python client sends every statement with parameters so (0.340, Trino 476): Hex's
    comment is then at the end of a literal, where it is no comment.
    """
    found = IMMEDIATE.match(text)
    if not found:
        return text
    try:
        first = Trino().tokenize(text[found.end() :])[0]
    except TokenError:
        return text
    return first.text if first.token_type == TokenType.STRING else text
