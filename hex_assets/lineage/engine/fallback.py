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
    return _NameReader(tokens, cut=cut).read()


class _NameReader:
    """Walks over the tokens; knows in which parentheses of which FROM it is."""

    def __init__(self, tokens: list[Token], *, cut: bool) -> None:
        self.tokens = tokens
        self.cut = cut
        self.found = Names()
        self.changes = any(token.text.lower() in ("delete", "merge") for token in tokens)
        self.ctes = _cte_names(tokens)
        self.openers: list[str] = []
        self.in_from: list[bool] = [False]
        self.aliases: dict[str, tuple[str, ...]] = {}

    def read(self) -> Names:
        """All names of the statement."""
        position = 0
        while position < len(self.tokens):
            position = self.step(position)
        if _word(self.tokens, 0) in ("update", "delete"):
            self.resolve_targets()
        return self.found

    def step(self, position: int) -> int:
        """Reads one token, or the name after it; gives the next position."""
        token = self.tokens[position]
        word = token.text.lower() if token.token_type not in _NO_WORDS else ""
        before = self.tokens[position - 1].text.lower() if position else ""
        after = 0
        if token.token_type == TokenType.L_PAREN:
            self.openers.append(before)
            self.in_from.append(self.in_from[-1] and before in ("from", "join", ",", "("))
        elif token.token_type == TokenType.R_PAREN:
            if self.openers:
                self.openers.pop()
                self.in_from.pop()
        elif self.begins_item(position, word, before):
            self.in_from[-1] = self.in_from[-1] or word == "from"
            after = self.item(position + 1, deletes=before == "delete")
        elif word in ("delete", "insert") and not position:
            self.changed_at_once()
        elif word in _WRITES and not self.openers and _writes(self.tokens, position):
            after = self.written(position + 1, _AFTER_INTO)
        elif word in ("table", "view") and position and _creates(self.tokens, position):
            if _word(self.tokens, position + 1) != "function":
                after = self.written(position + 1, _BEFORE_MADE, fills=word == "view")
        if after:
            return after
        of_row = word == "for" and _word(self.tokens, position + 1) in ("json", "xml", "browse")
        if of_row or word in _ENDS_FROM or (word == "join" and before == "array"):
            self.in_from[-1] = False
        return position + 1

    def begins_item(self, position: int, word: str, before: str) -> bool:
        """Whether an item of a FROM clause follows; a FROM may be that of EXTRACT and the like."""
        if word not in ("from", "join") and not (word == "using" and self.changes):
            if word != "," or not self.in_from[-1]:
                return False
        if word == "from":
            call = self.openers[-1] if self.openers else ""
            if call in _FROM_FUNCTIONS or before in ("distinct", "values"):
                return False
        if word == "join" and before == "array":
            return False
        return _word(self.tokens, position + 1) not in ("=", "=>", ":=")

    def item(self, start: int, *, deletes: bool) -> int:
        """Reads the table of an item; 0 where it is none, or may be cut."""
        parts, after = name_at(self.tokens, start)
        following = _word(self.tokens, after)
        rows_from = _word(self.tokens, after - 1) == "rows" and following == "from"
        if not parts or following == "(" or rows_from or (self.cut and after >= len(self.tokens)):
            return 0
        first = parts[0].casefold()
        known = self.ctes if len(parts) == 1 else self.aliases  # FROM t AS a, a.items
        if first not in known:
            (self.found.targets if deletes else self.found.sources).append(parts)
        self.aliases.setdefault(_alias(self.tokens, after), parts)
        return after

    def changed_at_once(self) -> None:
        """DELETE a FROM t AS a, INSERT a SELECT b: the name needs no word before it."""
        parts, after = name_at(self.tokens, 1)
        follows = _word(self.tokens, after) in ("from", "select", "values", "(", "set")
        if parts and follows and _word(self.tokens, 1) not in _NO_NAMES:
            self.found.targets.append(parts)

    def written(self, start: int, skipped: frozenset[str], *, fills: bool = False) -> int:
        """Reads the name of a table that is written; 0 where it is none, or may be cut."""
        while _word(self.tokens, start) in skipped:
            start += 1
        parts, after = name_at(self.tokens, start)
        if fills and _word(self.tokens, after) == "to":  # ClickHouse's view fills a table
            parts, after = name_at(self.tokens, after + 1)
        if not parts or (self.cut and after >= len(self.tokens)):
            return 0
        self.found.targets.append(parts)
        return after

    def resolve_targets(self) -> None:
        """UPDATE a SET ... FROM t AS a changes t."""
        for number, target in enumerate(self.found.targets):
            meant = self.aliases.get(target[0].casefold()) if len(target) == 1 else None
            if meant in self.found.sources:
                self.found.targets[number] = meant
                self.found.sources.remove(meant)


_BEFORE_MADE = frozenset({"if", "not", "exists"})
_WRITES = frozenset({"into", "update", "overwrite", "merge"})
_NO_NAMES = frozenset("from into overwrite all first top ignore quick low_priority or".split())
_AFTER_INTO = frozenset(
    "table into only temp temporary unlogged local global ignore low_priority top".split()
)
_NO_UPDATE = frozenset({"then", "for", "on", "before", "after", "or", "key", "auto", "manual"})
"""Words before an UPDATE that changes no table by itself, such as FOR UPDATE."""


def _writes(tokens: list[Token], position: int) -> bool:
    """Whether a table's name follows: not ON DUPLICATE KEY UPDATE, ALGORITHM = MERGE, a file."""
    word, following = _word(tokens, position), _word(tokens, position + 1)
    if word == "update" and _word(tokens, position - 1) in _NO_UPDATE:
        return False
    if word == "merge" and position:
        return following == "into"
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
