"""What a statement may cost a parser, judged by its tokens before it is parsed.

Measured with benchmarks/hostile.py and random nestings of its families: what costs a parser
exponentially is nesting (each way to read a bracket, and each join that may nest another, is tried
anew within the last), all else at most the third power of the length. So a short and flat statement
ends soon, whatever it says: the dearest of 130,000 took 0.5 s. Of 2,633 statements in this
package's, TPC's, DataHub's and sqllineage's cases 19 are not short and flat.
"""

from __future__ import annotations

import time

from sqlglot.tokenizer_core import Token, TokenType

LIGHT_TOKENS = 300
LIGHT_DEPTH = 8
LIGHT_TEXT = 3_000
"""Tokens of all statements of a text."""
_OPENS = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
_NESTING = (*_OPENS, TokenType.JOIN)
_CLOSES = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})
_CONDITIONS = frozenset({TokenType.ON, TokenType.USING})


class Heavy(Exception):
    """A statement that is only parsed where its parser can be ended."""


class TooLarge(Exception):
    """A text that no parser reads in time; the message is its size."""


class Deadline:
    """A limit of this thread's processor time.

    To ask the system for that time costs as much as reading a column, and a quarter of a usual
    text on a busy machine. No more of it can be used than time goes by, so the clock on the wall is
    asked alone until half of the limit has gone by: what is left then is of the processor.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._begun = time.perf_counter()
        self._end: float | None = None
        """In this thread's processor time, once that is asked for."""

    def is_over(self, more: float = 0.0) -> bool:
        """Whether the time is over, or would be after so many seconds more."""
        if self._end is None:
            gone = time.perf_counter() - self._begun
            if gone + more <= self._seconds / 2:
                return False
            # On a busy machine much of what has gone by was others': a quarter is always left.
            left = max(self._seconds - gone, self._seconds / 4)
            self._end = time.thread_time() + left
        return time.thread_time() + more > self._end


def is_light(tokens: list[Token]) -> bool:
    """Whether a parser ends soon, whatever the statement says."""
    if len(tokens) > LIGHT_TOKENS:
        return False
    kinds = [token.token_type for token in tokens]
    if sum(map(kinds.count, _NESTING)) <= LIGHT_DEPTH:
        return True  # the usual statement, at the speed of a list
    depth = deepest = joins = most_joins = 0
    for kind in kinds:
        if kind in _OPENS:
            depth += 1
            if depth > deepest:
                deepest = depth
        elif kind in _CLOSES:
            depth -= 1
        elif kind == TokenType.JOIN:
            joins += 1
            if joins > most_joins:
                most_joins = joins
        elif joins and kind in _CONDITIONS:
            joins -= 1
    return deepest + most_joins <= LIGHT_DEPTH
