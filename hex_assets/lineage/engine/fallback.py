"""The last resort: reads FROM, JOIN and INTO off the tokens of a text that no dialect parses."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.words import name_at, word_at

_ENDS_FROM = frozenset(
    {"where", "select", "group", "group by", "order", "order by", "having", "limit", "set"}
    | {"qualify", "cluster by", "sort by", "distribute by", "window", "start with", "connect by"}
    | {"values", "view", "match_recognize"}
)
_NO_WORDS = frozenset({TokenType.STRING, TokenType.IDENTIFIER})
_ALIASES = frozenset({TokenType.VAR, TokenType.IDENTIFIER})
_FROM_FUNCTIONS = frozenset({"extract", "trim", "substring", "position", "overlay"})


@dataclass
class Names:
    """Table names found by position in the text."""

    sources: list[tuple[str, ...]] = field(default_factory=list)
    targets: list[tuple[str, ...]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def read_names(tokens: list[Token], *, cut: bool) -> Names:
    """Names after FROM, JOIN, INTO, UPDATE and the like; not CTEs, functions or aliases.

    In a cut text a name that ends the text is left out: its end may be missing.
    """
    found = Names()
    changes = any(token.text.lower() in ("delete", "merge") for token in tokens)
    ctes = _cte_names(tokens)
    openers: list[str] = []
    in_from: list[bool] = [False]
    aliases: dict[str, tuple[str, ...]] = {}
    position = 0
    while position < len(tokens):
        token = tokens[position]
        word = token.text.lower() if token.token_type not in _NO_WORDS else ""
        before = tokens[position - 1].text.lower() if position else ""
        if token.token_type == TokenType.L_PAREN:
            openers.append(before)
            in_from.append(in_from[-1] and before in ("from", "join", ",", "("))
        elif token.token_type == TokenType.R_PAREN:
            if openers:
                openers.pop()
                in_from.pop()
        elif (
            word in ("from", "join")
            or (word == "using" and changes)
            or (word == "," and in_from[-1])
        ):
            call = openers[-1] if openers else ""
            from_call = word == "from" and (call in _FROM_FUNCTIONS or before == "distinct")
            named_so = position + 1 < len(tokens) and tokens[position + 1].text in ("=", "=>", ":=")
            if not from_call and not named_so and not (word == "join" and before == "array"):
                if word == "from":
                    in_from[-1] = True
                parts, after = name_at(tokens, position + 1)
                name_is_last = cut and after >= len(tokens)
                calls = after < len(tokens) and tokens[after].token_type == TokenType.L_PAREN
                calls = calls or (
                    _word(tokens, after - 1) == "rows" and _word(tokens, after) == "from"
                )
                if parts and not calls and not name_is_last:
                    nested = len(parts) > 1 and parts[0].casefold() in aliases  # FROM t AS a, a.b
                    if not nested and not (len(parts) == 1 and parts[0].casefold() in ctes):
                        deletes = before == "delete"
                        (found.targets if deletes else found.sources).append(parts)
                    aliases.setdefault(_alias(tokens, after), parts)
                    position = after
                    continue
        elif word == "delete" and not position and _word(tokens, 1) not in ("from", "top"):
            parts, _ = name_at(tokens, 1)
            found.targets += [parts] if parts else []
        elif word in _WRITES and not openers and _writes(tokens, position):
            start = position + 1
            while _word(tokens, start) in _AFTER_INTO:
                start += 1
            parts, after = name_at(tokens, start)
            if parts and not (cut and after >= len(tokens)):
                found.targets.append(parts)
                position = after
                continue
        elif word in ("table", "view") and position and _creates(tokens, position):
            start = position + 1
            while start < len(tokens) and tokens[start].text.lower() in ("if", "not", "exists"):
                start += 1
            parts, after = name_at(tokens, start)
            if _word(tokens, after) == "to" and word == "view":  # ClickHouse's view fills a table
                parts, after = name_at(tokens, after + 1)
            if parts and not (cut and after >= len(tokens)):
                found.targets.append(parts)
                position = after
                continue
        if word == "join" and before == "array":
            in_from[-1] = False
        if word == "for" and _word(tokens, position + 1) in ("json", "xml", "browse"):
            in_from[-1] = False
        if word in _ENDS_FROM or word == "on":
            in_from[-1] = word == "on" and in_from[-1]
        position += 1
    for number, target in enumerate(found.targets):  # UPDATE a SET ... FROM t AS a
        meant = aliases.get(target[0].casefold()) if len(target) == 1 else None
        if meant in found.sources:
            found.targets[number] = meant
            found.sources.remove(meant)
    return found


_WRITES = frozenset({"into", "update", "overwrite", "merge"})
_AFTER_INTO = frozenset("table into only temp temporary unlogged local global".split())


def _writes(tokens: list[Token], position: int) -> bool:
    """Whether a table's name follows: not ON DUPLICATE KEY UPDATE, ALGORITHM = MERGE, a file."""
    word, following = _word(tokens, position), _word(tokens, position + 1)
    if _word(tokens, position - 1) == "key" or (word == "merge" and position):
        return word == "merge" and following == "into"
    at = position + 1 + (following == "table")
    return _word(tokens, at) not in ("function", "directory", "local")


def _word(tokens: list[Token], position: int) -> str:
    return word_at(tokens, position).lower()


def _alias(tokens: list[Token], position: int) -> str:
    """The alias after a table's name; empty where none is."""
    position += _word(tokens, position) == "as"
    named = position < len(tokens) and tokens[position].token_type in _ALIASES
    return tokens[position].text.casefold() if named else ""


def _creates(tokens: list[Token], position: int) -> bool:
    words = [token.text.lower() for token in tokens[max(0, position - 14) : position]]
    return "create" in words and "as" not in words


def _cte_names(tokens: list[Token]) -> set[str]:
    names: set[str] = set()
    has_with = False
    end = 0
    for position, token in enumerate(tokens):
        word = token.text.lower()
        has_with = has_with or word == "with"
        if not has_with or position + 2 >= len(tokens):
            continue
        following = [t.text.lower() for t in tokens[position + 1 : position + 4]]
        direct = following[:2] == ["as", "("] or following == ["as", "materialized", "("]
        direct = direct or following == ["as", "not", "materialized"]
        if direct and token.token_type != TokenType.R_PAREN:
            names.add(word)
        elif word in ("with", ",", "recursive") and following[1:2] == ["("]:
            end = max(end, position + 3)  # a closing one is passed only once
            while end < len(tokens) and tokens[end].token_type != TokenType.R_PAREN:
                end += 1
            after = [t.text.lower() for t in tokens[end + 1 : end + 5]]
            after = [item for item in after if item not in ("not", "materialized")]
            if after[:2] in (["as", "("], ["using", "key"]):
                names.add(following[0])
    return names
