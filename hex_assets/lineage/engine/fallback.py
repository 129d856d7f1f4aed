"""The last resort: reads FROM, JOIN and INTO off the tokens of a text that no dialect parses."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.words import closing, name_at, word_at

_ENDS_FROM = frozenset(
    {"where", "select", "group", "group by", "order", "order by", "having", "limit", "set"}
    | {"qualify", "cluster by", "sort by", "distribute by", "window", "start with", "connect by"}
    | {"returning", "duplicate", "conflict", "offset", "fetch"}
)
_QUOTED = (TokenType.STRING, TokenType.IDENTIFIER)
_BEFORE_TARGET = frozenset({"table", "into", "only", "all", "first"})
_KINDS = frozenset({"temp", "temporary", "unlogged", "global", "local"})
_FROM_FUNCTIONS = frozenset({"extract", "trim", "substring", "position", "overlay"})

_TARGET_FUNCTIONS = frozenset("identifier openquery openrowset opendatasource function".split())


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
    found = Names()
    if _copies(tokens, found):
        return found
    aliases: set[str] = set()
    changes = any(token.text.lower() in ("delete", "merge") for token in tokens)
    ctes = _cte_names(tokens)
    openers: list[str] = []
    in_from: list[bool] = [False]
    position = 0
    while position < len(tokens):
        token = tokens[position]
        word = token.text.lower() if token.token_type not in _QUOTED else ""
        before = tokens[position - 1].text.lower() if position else ""
        if token.token_type == TokenType.L_PAREN:
            openers.append(before)
            in_from.append(in_from[-1] and before in ("from", "join", ",", "("))
        elif token.token_type == TokenType.R_PAREN:
            if openers:
                openers.pop()
                in_from.pop()
        elif word == "join" and before == "array":  # ClickHouse's: of columns
            in_from[-1] = False
        elif (
            word in ("from", "join")
            or (word == "using" and changes)
            or (word == "," and in_from[-1])
        ):
            call = openers[-1] if openers else ""
            from_call = word == "from" and (
                call in _FROM_FUNCTIONS or before in ("distinct", "fill")
            )
            named_so = position + 1 < len(tokens) and tokens[position + 1].text in ("=", "=>", ":=")
            if not from_call and not named_so:
                if word == "from":
                    in_from[-1] = True
                parts, after = name_at(tokens, position + 1)
                if parts and word_at(tokens, after) == ":":  # DuckDB's `alias: name`
                    parts, after = name_at(tokens, after + 1)
                name_is_last = cut and after >= len(tokens)
                calls = after < len(tokens) and tokens[after].token_type == TokenType.L_PAREN
                if parts and not calls and not name_is_last:
                    path = paths and len(parts) > 1 and parts[0].casefold() in aliases
                    aliases.add(_alias(tokens, after) or parts[-1].casefold())
                    inside = len(parts) == 1 and ctes.hold(parts[0].casefold(), position)
                    if not path and not inside:
                        deletes = before == "delete"
                        (found.targets if deletes else found.sources).append(parts)
                    position = after
                    continue
        elif word in ("into", "update", "overwrite", "merge") and not openers and before != "key":
            start = position + 1
            if before == "then" and word_at(tokens, start) in ("ALL", "BY"):
                position += 1  # MERGE's UPDATE ALL BY NAME and UPDATE BY NAME
                continue
            while start < len(tokens) and tokens[start].text.lower() in _BEFORE_TARGET:
                start += 1
            if _kind_of_table(tokens, start):
                start += 2 if word_at(tokens, start + 1) == "TABLE" else 1
            parts, after = name_at(tokens, start)
            if parts and not (cut and after >= len(tokens)) and not _is_call(parts, tokens, after):
                found.targets.append(parts)
                position = after
                continue
        elif word in ("table", "view") and position and _creates(tokens, position):
            start = position + 1
            while start < len(tokens) and tokens[start].text.lower() in ("if", "not", "exists"):
                start += 1
            parts, after = name_at(tokens, start)
            if parts and not (cut and after >= len(tokens)) and not _is_call(parts, tokens, after):
                found.targets.append(parts)
                position = after
                continue
        if word in _ENDS_FROM or word == "on":
            in_from[-1] = word == "on" and in_from[-1]
        position += 1
    return found


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
    """The folded alias of a table whose name ends before a position."""
    position += word_at(tokens, position) == "AS"
    named = position < len(tokens) and tokens[position].token_type in _ALIASES
    return tokens[position].text.casefold() if named else ""


_ALIASES = (TokenType.VAR, TokenType.IDENTIFIER)


def _kind_of_table(tokens: list[Token], start: int) -> bool:
    """Whether a word such as TEMP stands before the name of a table, and is not the name."""
    named = word_at(tokens, start + 1) == "TABLE" or bool(name_at(tokens, start + 1)[0])
    return named and word_at(tokens, start).lower() in _KINDS


def _creates(tokens: list[Token], position: int) -> bool:
    words = [token.text.lower() for token in tokens[max(0, position - 6) : position]]
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
        direct = following[:2] == ["as", "("] or following == ["as", "materialized", "("]
        direct = direct or following == ["as", "not", "materialized"]
        if direct and token.token_type != TokenType.R_PAREN:
            names.starts.setdefault(word, position + 2 + (following[1] == "materialized"))
        elif word in ("with", ",", "recursive") and following[1:2] == ["("]:
            end = max(end, position + 3)  # a closing one is passed only once
            while end < len(tokens) and tokens[end].token_type != TokenType.R_PAREN:
                end += 1
            if [t.text.lower() for t in tokens[end + 1 : end + 3]] == ["as", "("]:
                names.starts.setdefault(following[0], end + 2)
    return names
