"""PL/pgSQL: what DO blocks, procedures and functions of PostgreSQL and Redshift read and write.

Each SQL statement of a block is read by itself. What its control statements and assignments read
only decides or stays in a variable: such columns are no output.
"""

from __future__ import annotations

from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine import bounds
from hex_assets.lineage.engine.callbacks import ReadText
from hex_assets.lineage.engine.dialects import tokenizer
from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.tokens import statements
from hex_assets.lineage.engine.words import STRINGS, closing, word_at

Tokens = list[Token]

DIALECTS = frozenset({"postgres", "redshift"})
_QUERY = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "(", "INSERT", "UPDATE", "DELETE"})
_HEADS = {"IF": "THEN", "ELSIF": "THEN", "ELSEIF": "THEN", "WHEN": "THEN", "CASE": "THEN"} | {
    "WHILE": "LOOP",
    "FOREACH": "LOOP",
}
"""The first words of a control statement, and what ends its head."""
_MARKS = frozenset({"BEGIN", "LOOP", "ELSE", "EXCEPTION"})
_NO_ROWS = frozenset(
    "END RAISE GET NULL CLOSE FETCH MOVE COMMIT ROLLBACK CALL EXIT CONTINUE ASSERT START".split()
)
_MODES = frozenset({"IN", "OUT", "INOUT", "VARIADIC"})


def read_routine(sql: str, chunk: Tokens, text: Text, read_text: ReadText) -> bool:
    """Reads DO, and CREATE of a procedure or function in PL/pgSQL; False for all others."""
    if chunk[0].text.upper() == "DO":
        chunk = _tokens(sql[chunk[0].end + 1 : chunk[-1].end + 1], text)
        kind = "DO" if len(chunk) in (1, 3) else ""  # a body, and perhaps LANGUAGE x
    else:
        kinds = [word_at(chunk, n) for n in range(1, 5) if word_at(chunk, n) in _ROUTINES]
        kind = kinds[0] if kinds else ""
    bodies = [token for token in chunk if token.token_type in STRINGS]
    if not kind or not bodies:
        return False
    language = "SQL" if kind == "FUNCTION" else "PLPGSQL"
    for position in range(len(chunk) - 1):
        if word_at(chunk, position) == "LANGUAGE":
            language = chunk[position + 1].text.upper()
    if language != "PLPGSQL":
        return False
    before, text.parameters = text.parameters, text.parameters | _parameters(chunk)
    try:
        _Block(text, read_text).read(max((token.text for token in bodies), key=len))
    finally:
        text.parameters = before
    return True


_ROUTINES = frozenset({"PROCEDURE", "FUNCTION"})


def _tokens(sql: str, text: Text) -> Tokens:
    try:
        return tokenizer(text.dialect).tokenize(sql)
    except SqlglotError:
        return []


def _parameters(chunk: Tokens) -> frozenset[str]:
    """The names of a routine's parameters, folded."""
    start = next((n for n, t in enumerate(chunk) if t.token_type == TokenType.L_PAREN), len(chunk))
    names = {"new", "old", "found", "sqlerrm", "sqlstate"}
    starts = True
    for position in range(start + 1, closing(chunk, start) - 1):
        token = chunk[position]
        if starts and token.text.upper() not in _MODES:
            names.add(token.text.casefold())
            starts = False
        starts = starts or token.token_type == TokenType.COMMA
    return frozenset(names)


class _Block:
    """The statements of one body, in their order."""

    def __init__(self, text: Text, read_text: ReadText) -> None:
        self.text = text
        self.read_text = read_text
        self.body = ""
        self.declaring = False

    def read(self, body: str) -> None:
        """Reads all statements."""
        self.body = body
        found = _tokens(body, self.text)
        if len(found) > bounds.LIGHT_TEXT and not self.text.isolated:
            raise bounds.Heavy
        if body.strip() and not found:
            self.text.miss("syntax", "the body of a block is not understood")
        for chunk in statements(found):
            self.statement(chunk)

    def source(self, chunk: Tokens) -> str:
        """The text of tokens that stand side by side."""
        return self.body[chunk[0].start : chunk[-1].end + 1] if chunk else ""

    def statement(self, chunk: Tokens) -> None:
        """One statement behind all that opens blocks, branches and loops before it."""
        while chunk:
            chunk = self.unswallowed(chunk)
            first = word_at(chunk, 0)
            if first == "DECLARE":
                self.declaring, chunk = True, chunk[1:]
            elif first in _MARKS:
                self.declaring, chunk = False, chunk[1:]
            elif self.declaring:
                return self.declaration(chunk)
            elif first == "<" and word_at(chunk, 1) == "<":  # <<label>>
                chunk = chunk[5:]
            elif first == "FOR":
                chunk = self.loop(chunk)
            elif first in _HEADS:
                end = _place(chunk, _HEADS[first])
                self.value(chunk[1:end])
                if first == "FOREACH":
                    self.variable(chunk[1])
                chunk = chunk[end + 1 :]
            else:
                return self.plain(chunk)
        return None

    def unswallowed(self, chunk: Tokens) -> Tokens:
        """The tokens of a statement of which the tokenizer keeps all but one word as a string."""
        if len(chunk) != 2 or chunk[1].token_type != TokenType.STRING:
            return chunk
        start = chunk[0].end + 1
        return [
            chunk[0],
            *(
                Token(t.token_type, t.text, t.line, t.col, t.start + start, t.end + start)
                for t in _tokens(self.body[start : chunk[1].end + 1], self.text)
            ),
        ]

    def variable(self, token: Token) -> None:
        """A name that is no column from here on."""
        self.text.parameters |= {token.text.casefold()}

    def declaration(self, chunk: Tokens) -> None:
        """`x int := (SELECT ...)` or `c CURSOR FOR query`."""
        self.variable(chunk[0])
        words = [word_at(chunk, position) for position in range(len(chunk))]
        if "CURSOR" in words[:4]:
            start = next((n + 1 for n, word in enumerate(words) if word in ("FOR", "IS")), 0)
            if start:
                self.query(chunk[start:])
        else:
            self.value(chunk[1:])

    def loop(self, chunk: Tokens) -> Tokens:
        """FOR row IN query LOOP: what stands in the loop comes back."""
        end = _place(chunk, "LOOP")
        start = _place(chunk, "IN") + 1
        for token in chunk[1 : start - 1]:
            self.variable(token)
        if word_at(chunk, start) == "EXECUTE":
            self.executed(chunk[start:end])
        elif word_at(chunk, start) in _QUERY:
            self.query(chunk[start:end])
        else:
            self.value(chunk[start:end])
        return chunk[end + 1 :]

    def query(self, chunk: Tokens) -> None:
        """A query whose rows only the block itself sees."""
        self.inside(self.source(chunk))

    def inside(self, sql: str) -> None:
        """A statement; if a query, only the block itself sees its rows."""
        found = _tokens(sql, self.text)
        rows = word_at(found, 0) == "(" or _first_words(found) == ("SELECT",)
        before, self.text.condition = self.text.condition, rows or self.text.condition
        try:
            self.read_text(sql, self.text)
        finally:
            self.text.condition = before

    def value(self, chunk: Tokens) -> None:
        """Queries within a condition or the value of a variable."""
        words = [word_at(chunk, position) for position in range(len(chunk))]
        position = 0
        while position < len(chunk) - 1:
            if words[position] == "(" and words[position + 1] in ("SELECT", "WITH"):
                end = closing(chunk, position)
                self.query(chunk[position:end])
                position = end
            else:
                position += 1

    def plain(self, chunk: Tokens) -> None:
        """A statement that opens nothing."""
        first = word_at(chunk, 0)
        if first in _NO_ROWS:
            return
        if first == "PERFORM":
            self.inside(f"SELECT {self.source(chunk[1:])}")
        elif first == "RETURN":
            self.returned(chunk)
        elif first == "EXECUTE":
            self.executed(chunk)
        elif first == "OPEN":
            start = _place(chunk, "FOR") + 1
            if word_at(chunk, start) == "EXECUTE":
                self.executed(chunk[start:])
            elif start < len(chunk):
                self.query(chunk[start:])
        elif _assigns(chunk):
            self.value(chunk)
        else:
            self.changed(chunk)

    def returned(self, chunk: Tokens) -> None:
        """RETURN QUERY query gives the function's rows; RETURN value but a value."""
        if word_at(chunk, 1) != "QUERY":
            self.value(chunk)
        elif word_at(chunk, 2) == "EXECUTE":
            self.executed(chunk[2:], gives_rows=True)
        else:
            self.read_text(self.source(chunk[2:]), self.text)

    def executed(self, chunk: Tokens, *, gives_rows: bool = False) -> None:
        """EXECUTE 'statement' [INTO x] [USING y]; a string that is made is not known."""
        plain = len(chunk) > 1 and chunk[1].token_type in STRINGS
        if plain and word_at(chunk, 2) in ("", "INTO", "USING"):
            if gives_rows:
                self.read_text(chunk[1].text, self.text)
            else:
                self.inside(chunk[1].text)
        else:
            self.text.miss("dynamic", "the statement is made of strings when it runs")

    def changed(self, chunk: Tokens) -> None:
        """An SQL statement; `INTO x, y` puts its row into variables."""
        start, end = _into(chunk)
        if end:
            self.inside(f"{self.source(chunk[:start])} {self.source(chunk[end:])}")
        else:
            self.read_text(self.source(chunk), self.text)


def _place(chunk: Tokens, word: str) -> int:
    """Where a word stands outside of parentheses; the end where it does not."""
    position = 1
    while position < len(chunk):
        if word_at(chunk, position) == word:
            return position
        opens = chunk[position].token_type == TokenType.L_PAREN
        position = closing(chunk, position) if opens else position + 1
    return len(chunk)


def _assigns(chunk: Tokens) -> bool:
    """`x := value`, `r.a = value`, `a[1] := value`."""
    for token in chunk[1:12]:
        if token.token_type in (TokenType.COLON_EQ, TokenType.EQ):
            return True
        if token.token_type not in _OF_VARIABLES:
            return False
    return False


_OF_VARIABLES = (
    *(TokenType.DOT, TokenType.VAR, TokenType.IDENTIFIER, TokenType.NUMBER),
    *(TokenType.L_BRACKET, TokenType.R_BRACKET),
)


def _first_words(chunk: Tokens) -> tuple[str, ...]:
    """The words outside of parentheses that say which statement it is."""
    found = []
    position = 0
    while position < len(chunk):
        word = word_at(chunk, position)
        if word in ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE"):
            return (word,)
        found.append(word)
        position = closing(chunk, position) if word == "(" else position + 1
    return tuple(found)


def _into(chunk: Tokens) -> tuple[int, int]:
    """Where INTO and its variables stand; the INTO of an INSERT or MERGE has none."""
    if _first_words(chunk) == ("CREATE",):
        return 0, 0
    start = _place(chunk, "INTO")
    if word_at(chunk, start - 1) in ("INSERT", "MERGE"):
        rest = _place(chunk[start:], "INTO")
        start = start + rest if start + rest < len(chunk) else len(chunk)
    if start >= len(chunk):
        return 0, 0
    end = start + 1 + (word_at(chunk, start + 1) == "STRICT")
    while end < len(chunk):
        end += 1
        while end + 1 < len(chunk) and chunk[end].token_type == TokenType.DOT:
            end += 2
        if word_at(chunk, end) != ",":
            break
        end += 1
    return start, end
