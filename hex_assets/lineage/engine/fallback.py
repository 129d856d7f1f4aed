"""The last resort: reads FROM, JOIN and INTO off the tokens of a text that no dialect parses."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.words import closing, name_at, word_at

_ENDS_FROM = frozenset(
    {"where", "select", "group", "group by", "order", "order by", "having", "limit", "set"}
    | {"qualify", "cluster by", "sort by", "distribute by", "window", "start with", "connect by"}
    | {"returning", "duplicate", "conflict", "offset", "fetch"}
    | {"values", "view", "match_recognize"}
)
_QUOTED = frozenset({TokenType.STRING, TokenType.IDENTIFIER})
_ALIASES = frozenset({TokenType.VAR, TokenType.IDENTIFIER})
_FROM_FUNCTIONS = frozenset({"extract", "trim", "substring", "position", "overlay"})
_TARGET_FUNCTIONS = frozenset("identifier openquery openrowset opendatasource function".split())
_BEFORE_NO_TABLE = frozenset({"distinct", "fill", "values", "next"})
_WRITES = frozenset({"into", "update", "overwrite", "merge"})
_KINDS = frozenset({"temp", "temporary", "unlogged", "global", "local"})
_BEFORE_MADE = frozenset({"if", "not", "exists"})
_BEFORE_TARGET = frozenset("table into only all first ignore low_priority top".split())
_NO_NAMES = frozenset("from into overwrite all first top ignore quick low_priority or".split())
_NO_UPDATE = frozenset({"then", "for", "on", "before", "after", "or", "key", "auto", "manual"})
"""Words before an UPDATE that changes no table by itself, such as FOR UPDATE."""


@dataclass
class Names:
    """Table names found by position in the text."""

    sources: list[tuple[str, ...]] = field(default_factory=list)
    targets: list[tuple[str, ...]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def read_names(tokens: list[Token], *, cut: bool, paths: bool = False) -> Names:
    """Names after FROM, JOIN, INTO, UPDATE and the like; not CTEs, functions or aliases.

    In a cut text a name that ends the text is left out: its end may be missing. With `paths`,
    `t.items` behind a table `t` is a column of it.
    """
    return _NameReader(tokens, cut=cut, paths=paths).read()


class _NameReader:
    """Walks over the tokens; knows in which parentheses of which FROM it is."""

    def __init__(self, tokens: list[Token], *, cut: bool, paths: bool) -> None:
        self.tokens = tokens
        self.cut = cut
        self.paths = paths
        self.found = Names()
        self.changes = any(token.text.lower() in ("delete", "merge") for token in tokens)
        self.ctes = _cte_names(tokens)
        self.openers: list[str] = []
        self.in_from: list[bool] = [False]
        self.aliases: dict[str, tuple[str, ...]] = {}
        self.seen: set[str] = set()
        """What a table before is called: its alias, or else its own name."""

    def read(self) -> Names:
        """All names of the statement."""
        if _copies(self.tokens, self.found):
            return self.found
        position = 0
        while position < len(self.tokens):
            position = self.step(position)
        if _word(self.tokens, 0) in ("update", "delete"):
            self.resolve_targets()
        return self.found

    def step(self, position: int) -> int:
        """Reads one token, or the name after it; gives the next position."""
        token = self.tokens[position]
        word = token.text.lower() if token.token_type not in _QUOTED else ""
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
            after = self.written(position + 1, _BEFORE_TARGET)
        elif word in ("table", "view") and position and _creates(self.tokens, position):
            if _word(self.tokens, position + 1) != "function":
                after = self.written(position + 1, _BEFORE_MADE, fills=word == "view")
        if after:
            return after
        following = _word(self.tokens, position + 1)
        of_row = word == "for" and following in ("json", "xml", "browse")
        of_row = of_row or (word in ("pivot", "unpivot") and following != "(")  # DuckDB's t ON a, b
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
            if call in _FROM_FUNCTIONS or before in _BEFORE_NO_TABLE:
                return False
            if _word(self.tokens, position + 2) == "over":  # NTH_VALUE(a, 2) FROM FIRST OVER w
                return False
        if word == "join" and before == "array":  # ClickHouse's: of columns
            return False
        return _word(self.tokens, position + 1) not in ("=", "=>", ":=")

    def item(self, start: int, *, deletes: bool) -> int:
        """Reads the table of an item; 0 where it is none, or may be cut."""
        parts, after = name_at(self.tokens, start)
        if parts and _word(self.tokens, after) == ":":  # DuckDB's `alias: name`
            parts, after = name_at(self.tokens, after + 1)
        following = _word(self.tokens, after)
        rows_from = _word(self.tokens, after - 1) == "rows" and following == "from"
        if not parts or following == "(" or rows_from or (self.cut and after >= len(self.tokens)):
            return 0
        first = parts[0].casefold()
        if len(parts) == 1:
            is_known = self.ctes.hold(first, start)
        else:  # FROM t AS a, a.items
            is_known = self.paths and first in self.seen
        if not is_known:
            (self.found.targets if deletes else self.found.sources).append(parts)
        alias = _alias(self.tokens, after)
        self.aliases.setdefault(alias, parts)
        self.seen.add(alias or parts[-1].casefold())
        return after

    def changed_at_once(self) -> None:
        """DELETE a FROM t AS a, INSERT a SELECT b: the name needs no word before it."""
        parts, after = name_at(self.tokens, 1)
        follows = _word(self.tokens, after) in ("from", "select", "values", "(", "set")
        if parts and follows and _word(self.tokens, 1) not in _NO_NAMES:
            self.found.targets.append(parts)

    def written(self, start: int, skipped: frozenset[str], *, fills: bool = False) -> int:
        """Reads the name of a table that is written; 0 where it is none, or may be cut."""
        while _word(self.tokens, start) in skipped or _is_kind(self.tokens, start):
            start += 1
        parts, after = name_at(self.tokens, start)
        if fills and _word(self.tokens, after) == "to":  # ClickHouse's view fills a table
            parts, after = name_at(self.tokens, after + 1)
        if not parts or (self.cut and after >= len(self.tokens)):
            return 0
        if _is_call(parts, self.tokens, after):
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


def _word(tokens: list[Token], position: int) -> str:
    return word_at(tokens, position).lower()


def _writes(tokens: list[Token], position: int) -> bool:
    """Whether a table's name follows: not ON DUPLICATE KEY UPDATE, ALGORITHM = MERGE, a file."""
    word, following = _word(tokens, position), _word(tokens, position + 1)
    if word == "update" and _word(tokens, position - 1) in _NO_UPDATE:
        return False
    if word == "merge" and position:
        return following == "into"
    at = position + 1 + (following in ("table", "local"))
    return _word(tokens, at) not in ("function", "directory")


def _is_call(parts: tuple[str, ...], tokens: list[Token], after: int) -> bool:
    """Whether it is a function that gives the table: what else stands before `(` has columns."""
    opens = after < len(tokens) and tokens[after].token_type == TokenType.L_PAREN
    return opens and len(parts) == 1 and parts[0].casefold() in _TARGET_FUNCTIONS


def _copies(tokens: list[Token], found: Names) -> bool:
    """COPY t FROM or TO a file; False for COPY INTO and COPY (query)."""
    if word_at(tokens, 0) != "COPY" or word_at(tokens, 1) in ("INTO", "("):
        return False
    parts, after = name_at(tokens, 1)
    after = closing(tokens, after) if word_at(tokens, after) == "(" else after
    if not parts or word_at(tokens, after) not in ("FROM", "TO"):
        return False
    (found.targets if word_at(tokens, after) == "FROM" else found.sources).append(parts)
    return True


def _alias(tokens: list[Token], position: int) -> str:
    """The folded alias of a table whose name ends before a position; empty where none is."""
    position += _word(tokens, position) == "as"
    named = position < len(tokens) and tokens[position].token_type in _ALIASES
    return tokens[position].text.casefold() if named else ""


def _is_kind(tokens: list[Token], start: int) -> bool:
    """Whether a word such as TEMP stands before the name of a table, and is not the name."""
    if _word(tokens, start) not in _KINDS:
        return False
    return _word(tokens, start + 1) == "table" or bool(name_at(tokens, start + 1)[0])


def _creates(tokens: list[Token], position: int) -> bool:
    words = [token.text.lower() for token in tokens[max(0, position - 14) : position]]
    return "create" in words and "as" not in words


@dataclass
class _Ctes:
    """The names of a text's CTEs, each with where its query begins."""

    tokens: list[Token]
    starts: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    """Where the query ends; a recursive one, which names itself, is as if it had no length."""

    def hold(self, name: str, position: int) -> bool:
        """Whether a name means a CTE here; in its own query it is a table of the same name."""
        start = self.starts.get(name)
        if start is None:
            return False
        if position < start or len(self.starts) > _MAX_CTES:
            return True
        if name not in self.ends:
            end = closing(self.tokens, start)
            words = {token.text.lower() for token in self.tokens[start:end]}
            recursive = "recursive" in {token.text.lower() for token in self.tokens[:start]}
            self.ends[name] = start if recursive or words & _UNIONS else end
        return position >= self.ends[name]


_MAX_CTES = 200
_UNIONS = frozenset({"union", "union all"})


def _cte_names(tokens: list[Token]) -> _Ctes:
    names = _Ctes(tokens)
    has_with = False
    end = 0
    for position, token in enumerate(tokens):
        word = token.text.lower()
        has_with = has_with or word == "with"
        if not has_with or position + 2 >= len(tokens):
            continue
        following = [t.text.lower() for t in tokens[position + 1 : position + 4]]
        direct = _begins_query(tokens, position + 1)
        if direct and token.token_type != TokenType.R_PAREN:
            names.starts.setdefault(word, direct)
        elif word in ("with", ",", "recursive") and following[1:2] == ["("]:
            end = max(end, position + 3)  # a closing one is passed only once
            while end < len(tokens) and tokens[end].token_type != TokenType.R_PAREN:
                end += 1
            start = _begins_query(tokens, end + 1)
            if start:
                names.starts.setdefault(following[0], start)
    return names


def _begins_query(tokens: list[Token], position: int) -> int:
    """Where the query of a CTE opens whose AS stands at a position; 0 where none does."""
    if _word(tokens, position) == "using" and _word(tokens, position + 1) == "key":  # DuckDB's
        position = closing(tokens, position + 2)
    if [_word(tokens, position + n) for n in range(3)] == ["max", "recursion", "level"]:  # Spark's
        position += 4
    if _word(tokens, position) != "as":
        return 0
    position += 1
    while _word(tokens, position) in ("not", "materialized"):
        position += 1
    return position if _word(tokens, position) == "(" else 0
