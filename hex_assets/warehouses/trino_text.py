"""What Trino was asked, where its client wrapped the statement to give it parameters.

Facts (Trino 476, its Python client 0.340): a statement with parameters is sent as
`EXECUTE IMMEDIATE '...' USING ...`, so that Hex's comment is at the end of a literal, where it is
no comment. Older clients send `PREPARE name FROM ...`, with the comment, and then `EXECUTE name`,
whose logged text (`prepared_query`) Trino writes anew without comments.
"""

from __future__ import annotations

import re

from sqlglot import TokenType
from sqlglot.dialects.trino import Trino
from sqlglot.errors import TokenError

IMMEDIATE = re.compile(r"\s*EXECUTE\s+IMMEDIATE\s+(?=')", re.IGNORECASE)
PREPARE = re.compile(r"""\s*PREPARE\s+(?:\w+|"(?:[^"]|"")+")\s+FROM\s+""", re.IGNORECASE)


def executed_text(text: str) -> str:
    """The statement inside `EXECUTE IMMEDIATE` or after `PREPARE ... FROM`; another as it is."""
    if found := PREPARE.match(text):
        return text[found.end() :]
    if not (found := IMMEDIATE.match(text)):
        return text
    try:
        first = Trino().tokenize(text[found.end() :])[0]
    except TokenError:
        return text
    return first.text if first.token_type == TokenType.STRING else text
