"""Runs a function where deep recursion has room."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

STACK_BYTES = 512 * 1024 * 1024
"""Reserved, not used: the system gives pages only as the recursion reaches them."""
RECURSION_LIMIT = 30_000
_LOCK = threading.Lock()


def with_deep_stack(function: Callable[[], object]) -> bool:
    """Calls `function` in a thread with a big stack; False if even that is too small."""
    outcome: list[BaseException | None] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:  # handed to the caller's thread below
            outcome.append(error)
        else:
            outcome.append(None)

    with _LOCK:  # both settings are the process's
        limit = sys.getrecursionlimit()
        size = threading.stack_size(STACK_BYTES)
        try:
            sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
            thread = threading.Thread(target=run, name="hex-assets-deep-sql")
            thread.start()
            thread.join()
        finally:
            threading.stack_size(size)
            sys.setrecursionlimit(limit)
    error = outcome[0]
    if isinstance(error, RecursionError):
        return False
    if error is not None:
        raise error
    return True
