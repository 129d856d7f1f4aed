"""The readers of a text and of a statement, handed to what finds one within another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sqlglot.tokenizer_core import Token

from hex_assets.lineage.engine.text import Text

ReadText = Callable[[str, Text], None]
"""Reads the statements of a text that stands within a statement: a body, a string that is run."""


class ReadStatement(Protocol):
    """Reads one statement of a text."""

    def __call__(self, sql: str, chunk: list[Token], text: Text, *, cut: bool = False) -> None:
        """Adds to the text what the statement's tokens tell; of a cut one only its names."""
