"""Identity of statements: the exact one, and one that ignores literals, comments and blanks."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from sqlglot.dialects.dialect import Dialect


def statement_id(sql: str, dialect: str, catalog: str | None, schema: str | None) -> str:
    """Identity of a text without Hex's comment in its dialect and namespace: 32 hex digits."""
    return _digest(sql.strip().rstrip("; \t\r\n"), dialect, catalog, schema)


def fingerprint(sql: str, dialect: str, catalog: str | None, schema: str | None) -> str:
    """Identity of a statement's lineage: two texts with one fingerprint have one lineage."""
    return _digest(normalise(sql, dialect), dialect, catalog, schema)


def _digest(*parts: str | None) -> str:
    joined = "\x1f".join("\x00" if part is None else part for part in parts)
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()[:32]


# A literal may carry lineage: it names a table, a file or a column, or is SQL itself. A text with
# one of these words, and one whose literals this module cannot delimit, keeps all of its literals.
_WORDS = re.compile(r"[a-z_]\w*")
_LITERALS_MATTER = frozenset(
    """identifier table remote remotesecure merge cluster clusterallreplicas s3 s3cluster gcs
    azureblobstorage hdfs file url urlcluster input postgresql mysql mongodb redis sqlite jdbc
    odbc iceberg deltalake hudi dictget dictgetordefault joinget query query_table
    external_query openquery openrowset opendatasource dblink json_table openjson xmltable
    pivot unpivot _table_suffix regclass unload copy execute exec call use export declare
    read_csv read_csv_auto read_parquet read_json read_json_auto read_files parquet_scan
    csv_scan sqlite_scan postgres_scan mysql_scan delta_scan iceberg_scan match_recognize""".split()
)
_TABLE_FUNCTION = re.compile(r"\b(?:from|join|apply)\s+[\w.]+\s*\(")
_UNDELIMITED = re.compile(r"\$\w*\$|\{\{|\{%|/\*[!+]|/\*[^*]*/\*|@")
_RAW_STRING = re.compile(r"\b(?:[rR][bB]?|[bB][rR]|[eE])['\"]")
_BEGINS = re.compile(r"[\s(]*(?:select|with|insert|create|merge|update|delete)\b", re.IGNORECASE)


def normalise(sql: str, dialect: str) -> str:
    """A text with `?` for literals that cannot matter, a blank for comments and breaks.

    Ordinals (`GROUP BY 1`), subscripts, JSON paths, aliases in quotes and arguments of table
    functions stay as they are: only a literal behind an operator, behind a word such as LIKE, in
    an IN list, or (strings) an argument is replaced.
    """
    rules = _rules(dialect)
    sql = sql.strip().rstrip("; \t\r\n")
    lower = sql.lower()
    if (
        not _BEGINS.match(sql)
        or not _LITERALS_MATTER.isdisjoint(_WORDS.findall(lower))
        or _TABLE_FUNCTION.search(lower)
        or _UNDELIMITED.search(sql)
        or _RAW_STRING.search(sql)
    ):
        return sql
    if not rules.backslash and "\\" in sql:
        return sql
    return rules.pattern.sub(_Replacer(), sql)


class _Replacer:
    """Replaces literals outside of select lists, where text names the outputs."""

    def __init__(self) -> None:
        self._in_list = [False]

    def __call__(self, match: re.Match[str]) -> str:
        kind, found = match.lastgroup, match[0]
        if kind == "keep":
            return found
        if kind == "blank":
            return " "
        if kind == "mark":
            self._mark(found.lower())
            return found
        kept = any(self._in_list)
        if kind == "list":
            return found if kept else "IN (?)"
        if kind == "before_string" and found[0] == "(":
            self._in_list.append(False)
        return found if kept else f"{match[kind or 0]}?"

    def _mark(self, word: str) -> None:
        if word == "(":
            self._in_list.append(False)
        elif word == ")":
            if len(self._in_list) > 1:
                self._in_list.pop()
        else:
            self._in_list[-1] = word == "select"


class _Rules:
    def __init__(self, dialect: str) -> None:
        tokenizer = Dialect.get_or_raise(dialect).tokenizer_class
        escapes = tokenizer.STRING_ESCAPES
        self.backslash = "\\" in escapes
        quotes = [quote for quote in tokenizer.QUOTES if isinstance(quote, str)]
        long = [q for q in quotes if len(q) > 1]
        body = r"\\.|" if self.backslash else ""
        strings = [rf"{q}(?:{body}(?!{q}).)*{q}" for q in long]
        excluded = r"\\" if self.backslash else ""
        strings += [rf"{q}(?:[^{q}{excluded}]|{body}{q}{q})*{q}" for q in quotes if len(q) == 1]
        string = "|".join(strings)
        names = []
        for pair in tokenizer.IDENTIFIERS:
            left, right = pair if isinstance(pair, tuple) else (pair, pair)
            end = re.escape(right)
            names.append(rf"{re.escape(left)}(?:[^{end}]|{end}{end})*{end}")
        comments = [
            rf"{re.escape(mark)}[^\r\n]*"
            if isinstance(mark, str)
            else rf"{re.escape(mark[0])}.*?{re.escape(mark[1])}"
            for mark in tokenizer.COMMENTS
        ]
        number = r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])"
        literal = rf"(?:{string}|-?{number})"
        # `->` and `#>` are JSON paths, `=>` names an argument.
        operator = r"(?:(?<![-\#=>])[=<>]=?|<>|!=|\|\||[-+*/%])\s*"
        word = r"\b(?:like|ilike|rlike|and|or|when|then|between|limit|offset)\s+"
        argument = r"[(,]\s*"
        self.pattern = re.compile(
            rf"(?P<blank>(?:{'|'.join(comments)}|[ \t]*[\r\n]\s*|[ \t]{{2,}})+)"
            rf"|(?P<list>\bin\s*\(\s*{literal}(?:\s*,\s*{literal})*\s*\))"
            rf"|(?P<before>{operator}|{word}){literal}(?!\s*(?:{string}))"
            rf"|(?P<before_string>{argument})(?:{string})(?=\s*[,)])"
            rf"|(?P<mark>[()]|\bselect\b|(?<!distinct\s)\bfrom\b)"
            rf"|(?P<keep>{'|'.join([*strings, *names])})",
            re.IGNORECASE | re.DOTALL,
        )


@lru_cache(maxsize=64)
def _rules(dialect: str) -> _Rules:
    return _Rules(dialect)
