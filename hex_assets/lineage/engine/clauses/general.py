"""Rewrites that serve every dialect."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.clauses.drivers import placeholders
from hex_assets.lineage.engine.clauses.match import matched_alone
from hex_assets.lineage.engine.clauses.rewriting import Tokens, as_names, dropping, like, opens
from hex_assets.lineage.engine.clauses.sets import last_branch
from hex_assets.lineage.engine.words import STRINGS, closing, name_at, word_at


def _names_after_dots(tokens: Tokens, files: list[str]) -> Tokens:
    """`s.drop` and `t.select`: what follows a dot is a name."""
    return as_names(
        tokens,
        lambda position, token: (
            position > 0
            and tokens[position - 1].token_type == TokenType.DOT
            and token.token_type not in _QUOTED
            and token.text.isidentifier()
        ),
    )


_TWO_WORDS = {
    ("GROUP", "BY"): TokenType.GROUP_BY,
    ("ORDER", "BY"): TokenType.ORDER_BY,
    ("PARTITION", "BY"): TokenType.PARTITION_BY,
    ("CLUSTER", "BY"): TokenType.CLUSTER_BY,
    ("DISTRIBUTE", "BY"): TokenType.DISTRIBUTE_BY,
    ("SORT", "BY"): TokenType.SORT_BY,
    ("GROUPING", "SETS"): TokenType.GROUPING_SETS,
    ("SIMILAR", "TO"): TokenType.SIMILAR_TO,
}


def _two_words(tokens: Tokens, files: list[str]) -> Tokens:
    """`GROUP /* why */ BY`: sqlglot knows the two words only with nothing but space between."""
    kept: Tokens = []
    for position, token in enumerate(tokens):
        kind = _TWO_WORDS.get((word_at(tokens, position - 1), word_at(tokens, position)))
        if kind is not None and kept:
            first = kept.pop()
            token = like(first, kind, f"{first.text} {token.text}", token)
        kept.append(token)
    return kept if len(kept) < len(tokens) else tokens


_QUOTED = STRINGS | {TokenType.IDENTIFIER}
_NOT_COLUMNS = frozenset(
    "PRIMARY KEY INDEX CONSTRAINT UNIQUE FULLTEXT SPATIAL CHECK FOREIGN".split()
)
_QUERY = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "FROM", "("})


def _plain_create(tokens: Tokens, files: list[str]) -> Tokens:
    """CREATE TABLE or VIEW ... AS query, without what stands between the name and AS."""
    words = [token.text.upper() for token in tokens[:10]]
    if not words or words[0] != "CREATE":
        return tokens
    if words[1:4] == ["PROTECTED", "MULTI", "DIALECT"]:  # Athena's
        tokens, words = [tokens[0], *tokens[4:]], [words[0], *words[4:]]
    kinds = [n for n, word in enumerate(words) if word in ("TABLE", "VIEW")]
    if not kinds:
        return tokens
    start = kinds[0] + 1
    while word_at(tokens, start) in ("IF", "NOT", "EXISTS"):
        start += 1
    parts, after = name_at(tokens, start)
    if not parts:
        return tokens
    if words[1] in ("WINDOW", "LIVE"):
        tokens = [tokens[0], *tokens[2:]]
        after -= 1
    head, names, written = tokens[:after], Tokens(), Tokens()
    if opens(tokens, after):
        end = closing(tokens, after)
        names = _column_names(tokens[after:end])
        after = end
    position = after
    while position < len(tokens):
        word = word_at(tokens, position)
        if word == "AS" and word_at(tokens, position + 1) in _QUERY:
            return [*head, *written, *names, tokens[position], *tokens[position + 1 :]]
        if word == "SELECT" or (word == "WITH" and word_at(tokens, position + 2) == "AS"):
            return [*head, *written, *tokens[position:]]
        if word == "TO" and tokens[position].token_type != TokenType.STRING:
            other, end = name_at(tokens, position + 1)
            if other:
                written = tokens[position:end]
        position = closing(tokens, position) if opens(tokens, position) else position + 1
    return tokens


def _column_names(tokens: Tokens) -> Tokens:
    """A column list without types, and without keys; nothing when no column is left."""
    names: Tokens = []
    position, comma = 1, tokens[0]
    while position < len(tokens) - 1:
        before = tokens[position - 1]
        if before is comma and tokens[position].text.upper() not in _NOT_COLUMNS:
            names += [comma, tokens[position]] if names else [tokens[position]]
        if tokens[position].token_type == TokenType.COMMA:
            comma = tokens[position]
        position = closing(tokens, position) if opens(tokens, position) else position + 1
    return [tokens[0], *names, tokens[-1]] if names else []


def _of_insert(tokens: Tokens, position: int, files: list[str]) -> int:
    """After the target of an INSERT: PARTITION (p), WITH (hints), OVERRIDING ..., BY POSITION."""
    if position > 20 or word_at(tokens, 0) not in ("INSERT", "REPLACE"):
        return 0
    word = word_at(tokens, position)
    if word in ("PARTITION", "WITH") and opens(tokens, position + 1):
        selected = word_at(tokens, position - 1) in ("SELECT", ",")  # BigQuery's WITH(a AS 1, a)
        return 0 if selected else closing(tokens, position + 1)
    if word == "OVERRIDING" and word_at(tokens, position + 2) == "VALUE":
        return position + 3
    if word == "BY" and word_at(tokens, position + 1) == "POSITION":
        return position + 2
    return 0


def _current_of(tokens: Tokens, position: int, files: list[str]) -> int:
    """WHERE CURRENT OF cursor."""
    words = [word_at(tokens, position + n) for n in range(3)]
    if words != ["WHERE", "CURRENT", "OF"]:
        return 0
    return name_at(tokens, position + 3 + (word_at(tokens, position + 3) == "@"))[1]


def _local(tokens: Tokens, position: int, files: list[str]) -> int:
    """LOCAL of CREATE LOCAL TEMPORARY TABLE, and Snowpark's SCOPED."""
    if not 0 < position < 4 or word_at(tokens, 0) != "CREATE":
        return 0
    temporary = word_at(tokens, position + 1) in ("TEMP", "TEMPORARY")
    return position + 1 if word_at(tokens, position) in ("LOCAL", "SCOPED") and temporary else 0


OF_ALL = (
    _two_words,
    _names_after_dots,
    dropping(_local),
    _plain_create,
    dropping(_of_insert),
    dropping(_current_of),
    matched_alone,
    last_branch,
    placeholders,
)
