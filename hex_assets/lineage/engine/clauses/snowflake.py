"""Clauses of Snowflake that sqlglot's grammar lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.clauses.match import subset
from hex_assets.lineage.engine.clauses.rewriting import Tokens, dropping, like, opens
from hex_assets.lineage.engine.words import closing, name_at, word_at


def resample(tokens: Tokens, position: int, files: list[str]) -> int:
    """RESAMPLE (USING ts INCREMENT BY ...) after a table."""
    if word_at(tokens, position) != "RESAMPLE" or not opens(tokens, position + 1):
        return 0
    return closing(tokens, position + 1) if word_at(tokens, position + 2) == "USING" else 0


def prior(tokens: Tokens, position: int, files: list[str]) -> int:
    """PRIOR before a column of a SELECT with CONNECT BY."""
    return position + 1 if word_at(tokens, position) == "PRIOR" else 0


def all_by_name(tokens: Tokens, files: list[str]) -> Tokens:
    """Snowflake's MERGE ... UPDATE ALL BY NAME and INSERT ALL BY NAME as UPDATE * and INSERT *."""
    if word_at(tokens, 0) != "MERGE":
        return tokens
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        words = [word_at(tokens, position + n) for n in range(3)]
        token = tokens[position]
        if words == ["ALL", "BY", "NAME"]:
            kept.append(like(token, TokenType.STAR, "*"))
            position += 3
        else:
            kept.append(token)
            position += 1
    return kept if len(kept) < len(tokens) else tokens


_DOLLARS = (TokenType.RAW_STRING, TokenType.HEREDOC_STRING)


def quoted_stages(tokens: Tokens, files: list[str]) -> Tokens:
    """FROM $$@stage/path$$ as FROM '@stage/path'."""
    kept = [
        like(token, TokenType.STRING, token.text)
        if token.token_type in _DOLLARS and token.text.startswith("@")
        else token
        for token in tokens
    ]
    return kept if any(a is not b for a, b in zip(kept, tokens, strict=True)) else tokens


def model_names(tokens: Tokens, files: list[str]) -> Tokens:
    """WITH without `m AS MODEL db.s.model [VERSION v]`: a model is no table."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        end = _after_model(tokens, position)
        if not end:
            kept.append(tokens[position])
            position += 1
        elif word_at(tokens, end) == ",":
            position = end + 1
        else:  # the last of the list: what stands before it, WITH or a comma, is left over
            kept.pop()
            position = end
    return kept if len(kept) < len(tokens) else tokens


def _after_model(tokens: Tokens, position: int) -> int:
    if word_at(tokens, position - 1) not in ("WITH", ","):
        return 0
    if word_at(tokens, position + 1) != "AS" or word_at(tokens, position + 2) != "MODEL":
        return 0
    parts, end = name_at(tokens, position + 3)
    return end + 2 * (word_at(tokens, end) == "VERSION") if parts else 0


OF_SNOWFLAKE = (
    *map(dropping, (subset, resample, prior)),
    *(all_by_name, model_names, quoted_stages),
)
