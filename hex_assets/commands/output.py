"""Where commands print."""

from __future__ import annotations

from rich.console import Console

FILE_WIDTH = 140
"""Columns of a table that goes to a file or a pipe, which have no width of their own."""


def console() -> Console:
    """The terminal, or a wide enough file."""
    found = Console(highlight=False)
    if not found.is_terminal:
        found.width = FILE_WIDTH
    return found
