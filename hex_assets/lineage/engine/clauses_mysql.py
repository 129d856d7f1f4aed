"""Clauses of MySQL and ClickHouse that sqlglot's grammar lacks."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

from hex_assets.lineage.engine.rewriting import Tokens, as_names, opens
from hex_assets.lineage.engine.words import closing, name_at, word_at

_OF_OUTFILE = frozenset(
    "CHARACTER SET CHARSET FIELDS COLUMNS LINES TERMINATED OPTIONALLY ENCLOSED ESCAPED STARTING BY "
    "TRUNCATE APPEND AND STDOUT COMPRESSION LEVEL".split()
)


def outfile(tokens: Tokens, position: int, files: list[str]) -> int:
    """INTO OUTFILE 'x' FIELDS TERMINATED BY ',' ... of MySQL and ClickHouse."""
    if word_at(tokens, position) != "INTO":
        return 0
    if word_at(tokens, position + 1) not in ("OUTFILE", "DUMPFILE") or position + 2 >= len(tokens):
        return 0
    files.append(tokens[position + 2].text)
    end = position + 3
    while end < len(tokens):
        before = word_at(tokens, end - 1)
        known = word_at(tokens, end) in _OF_OUTFILE or before in ("SET", "CHARSET", "LEVEL")
        if not known and tokens[end].token_type != TokenType.STRING:
            break
        end += 1
    return end


def into_variables(tokens: Tokens, position: int, files: list[str]) -> int:
    """MySQL's SELECT ... INTO @a, @b."""
    if word_at(tokens, position) != "INTO" or not word_at(tokens, position + 1).startswith("@"):
        return 0
    end = position + 1
    while word_at(tokens, end).startswith("@"):
        end += 1 if len(tokens[end].text) > 1 else 2
        if word_at(tokens, end) == "," and word_at(tokens, end + 1).startswith("@"):
            end += 1
    return end


def odbc(tokens: Tokens, position: int, files: list[str]) -> int:
    """ODBC's { oj ... }, { d '...' } and { fn ... }: the braces and the word."""
    kind = tokens[position].token_type
    if kind == TokenType.L_BRACE and word_at(tokens, position + 1) in ("OJ", "D", "T", "TS", "FN"):
        return position + 2
    return position + 1 if kind == TokenType.R_BRACE else 0


def analyse(tokens: Tokens, position: int, files: list[str]) -> int:
    """MariaDB's PROCEDURE ANALYSE() after a query."""
    words = [word_at(tokens, position + n) for n in range(3)]
    return closing(tokens, position + 2) if words == ["PROCEDURE", "ANALYSE", "("] else 0


def of_select(tokens: Tokens, position: int, files: list[str]) -> int:
    """MySQL's SELECT SQL_BIG_RESULT DISTINCTROW a."""
    word = word_at(tokens, position)
    return position + 1 if word == "DISTINCTROW" or word.startswith("SQL_") else 0


def group_order(tokens: Tokens, files: list[str]) -> Tokens:
    """MySQL's old GROUP BY a DESC."""
    kept: Tokens = []
    grouping = False
    for token in tokens:
        word = token.text.upper()
        if word in ("GROUP BY", "HAVING", "ORDER BY", "LIMIT", "SELECT"):
            grouping = word == "GROUP BY"
        if not (grouping and word in ("ASC", "DESC")):
            kept.append(token)
    return kept if len(kept) < len(tokens) else tokens


def signed(tokens: Tokens, position: int, files: list[str]) -> int:
    """The second word of CAST(a AS UNSIGNED INTEGER)."""
    integer = word_at(tokens, position) in ("INT", "INTEGER")
    return position + 1 if integer and word_at(tokens, position - 1) in _SIGNED else 0


_SIGNED = ("SIGNED", "UNSIGNED")


def stars_of_delete(tokens: Tokens, files: list[str]) -> Tokens:
    """DELETE a.*, b.* FROM ... as DELETE a, b FROM ..."""
    if word_at(tokens, 0) != "DELETE":
        return tokens
    words = [token.text.upper() for token in tokens]
    end = words.index("FROM") if "FROM" in words else 0
    kept = [
        token
        for position, token in enumerate(tokens[:end])
        if words[position : position + 2] != [".", "*"]
        and words[max(position - 1, 0) : position + 1] != [".", "*"]
    ]
    return [*kept, *tokens[end:]] if len(kept) < end else tokens


def sequences(tokens: Tokens, files: list[str]) -> Tokens:
    """MariaDB's NEXT VALUE FOR s and PREVIOUS VALUE FOR s as NULL: a number of no table."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        words = [word_at(tokens, position + n) for n in range(3)]
        if words in (["NEXT", "VALUE", "FOR"], ["PREVIOUS", "VALUE", "FOR"]):
            like = tokens[position]
            kept.append(_token(TokenType.NULL, "NULL", like))
            position = name_at(tokens, position + 3)[1]
        else:
            kept.append(tokens[position])
            position += 1
    return kept if len(kept) < len(tokens) else tokens


def rows_examined(tokens: Tokens, position: int, files: list[str]) -> int:
    """MariaDB's LIMIT ROWS EXAMINED 100."""
    words = [word_at(tokens, position + n) for n in range(3)]
    return position + 4 if words == ["LIMIT", "ROWS", "EXAMINED"] else 0


def portion(tokens: Tokens, position: int, files: list[str]) -> int:
    """MariaDB's UPDATE t FOR PORTION OF p FROM '2026-01-01' TO '2026-02-01' SET ..."""
    words = [word_at(tokens, position + n) for n in range(3)]
    if words != ["FOR", "PORTION", "OF"]:
        return 0
    end = position + 3
    while end < len(tokens) and word_at(tokens, end) not in ("SET", "WHERE", "ORDER BY", "LIMIT"):
        end += 1
    return end  # these tokens are dropped, so that none is walked over twice


_MODES = ("IN BOOLEAN MODE", "IN NATURAL LANGUAGE MODE", "WITH QUERY EXPANSION")


def full_text(tokens: Tokens, files: list[str]) -> Tokens:
    """MATCH (a) AGAINST (CONCAT('+', b) IN BOOLEAN MODE), of which the parser wants a string."""
    kept: Tokens = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        word = word_at(tokens, position)
        mode = next((m for m in _MODES if _stands_at(tokens, position, m.split())), "")
        if mode:
            position += len(mode.split())
            continue
        if word == "MATCH" and opens(tokens, position + 1):
            token = _token(TokenType.VAR, "MATCHES", token)
        elif word == "AGAINST" and word_at(tokens, position - 1) == ")":
            token = _token(TokenType.PLUS, token.text, token)
        kept.append(token)
        position += 1
    return kept if any(word_at(kept, n) == "AGAINST" for n in range(len(kept))) else tokens


def _token(kind: TokenType, text: str, like: Token) -> Token:
    return Token(kind, text, like.line, like.col, like.start, like.end)


def _stands_at(tokens: Tokens, position: int, words: list[str]) -> bool:
    return [word_at(tokens, position + n) for n in range(len(words))] == words


def collation(tokens: Tokens, position: int, files: list[str]) -> int:
    """ClickHouse's ORDER BY a COLLATE 'en'."""
    string = position + 1 < len(tokens) and tokens[position + 1].token_type == TokenType.STRING
    return position + 2 if word_at(tokens, position) == "COLLATE" and string else 0


def comma_before_select(tokens: Tokens, position: int, files: list[str]) -> int:
    """ClickHouse's comma after the last expression of WITH."""
    last = word_at(tokens, position) == "," and word_at(tokens, position + 1) == "SELECT"
    return position + 1 if last else 0


def limit_by(tokens: Tokens, position: int, files: list[str]) -> int:
    """ClickHouse's LIMIT 1 BY a, b before another LIMIT."""
    if word_at(tokens, position) != "LIMIT" or "BY" not in (
        *(word_at(tokens, position + 2), word_at(tokens, position + 4)),
    ):
        return 0
    end = position + 1
    while end < len(tokens) and word_at(tokens, end) not in (
        "LIMIT",
        "OFFSET",
        "SETTINGS",
        "FORMAT",
    ):
        if tokens[end].token_type == TokenType.R_PAREN:
            return 0
        end = closing(tokens, end) if opens(tokens, end) else end + 1
        if word_at(tokens, end) == "OFFSET" and word_at(tokens, end + 2) == "BY":
            end += 1
    return end if word_at(tokens, end) in ("LIMIT", "OFFSET") else 0


def paste(tokens: Tokens, position: int, files: list[str]) -> int:
    """ClickHouse's PASTE JOIN, of which the parser has no PASTE."""
    return position + 1 if word_at(tokens, position) == "PASTE" else 0


def outer(tokens: Tokens, position: int, files: list[str]) -> int:
    """ClickHouse's LEFT ANY OUTER JOIN, of which the parser has no OUTER."""
    return position + 1 if word_at(tokens, position) == "OUTER" else 0


def named_arguments(tokens: Tokens, files: list[str]) -> Tokens:
    """ClickHouse's view(from = 1): a keyword before `=` is the name of a parameter."""
    return as_names(
        tokens,
        lambda position, token: (
            word_at(tokens, position - 1) in ("(", ",")
            and word_at(tokens, position + 1) == "="
            and token.text.isalpha()
        ),
    )
