"""Identity of statements: the exact one, and one that ignores literals, comments and blanks."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from sqlglot.dialects.dialect import Dialect


def statement_id(sql: str, dialect: str, catalog: str | None, schema: str | None) -> str:
    """Identity of a text without Hex's comment in its dialect and default namespace: 32 hex digits."""
    return _digest(sql.strip().rstrip("; \t\r\n"), dialect, catalog, schema)


def fingerprint(sql: str, dialect: str, catalog: str | None, schema: str | None) -> str:
    """Identity of a statement's lineage: two texts with one fingerprint have one lineage."""
    return _digest(normalise(sql, dialect), dialect, catalog, schema)


def _digest(*parts: str | None) -> str:
    joined = "\x1f".join("\x00" if part is None else part for part in parts)
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()[:32]


# A literal may carry lineage: it names a table, a file, a column, or is SQL itself. Such a text, and
# one whose literals this module cannot delimit, keeps all of them.
_LITERALS_MATTER = re.compile(
    r"""\b(?:identifier|table|remote\w*|merge|cluster\w*|s3\w*|gcs|azure\w*|hdfs|file|url|input
      |postgresql|mysql|mongodb|redis|sqlite|jdbc|odbc|iceberg\w*|delta\w*|hudi\w*|dictget\w*|joinget\w*
      |read_\w+|\w+_scan|query|query_table|external_query|openquery|openrowset|opendatasource|dblink
      |json_table|openjson|xmltable|sp_executesql|to_query|ml\.\w+)\s*\(
    |\b(?:from|join|into|using|apply|call|exec|execute|copy|unload|export|put|use|set|pivot|unpivot
      |_table_suffix|regclass|location|match_recognize)\b\s*(?:[\w."`$@]+\s*\(|'|")?(?<=[('"])
    |\b(?:pivot|unpivot|_table_suffix|regclass|unload|copy|execute|exec|call|use|export|declare)\b
    |\$\w*\$|\{\{|\{%|/\*[!+]|/\*[^*]*/\*|@""",
    re.IGNORECASE | re.VERBOSE,
)
_RAW_STRING = re.compile(r"\b(?:[rR][bB]?|[bB][rR]|[eE])['\"]")
_BEGINS = re.compile(r"[\s(]*(?:select|with|insert|create|merge|update|delete)\b", re.IGNORECASE)


def normalise(sql: str, dialect: str) -> str:
    """A text with `?` for literals that cannot matter to lineage, one blank for comments and breaks.

    Ordinals (`GROUP BY 1`), subscripts, JSON paths, aliases in quotes and arguments of table
    functions stay as they are: only a literal behind an operator, behind a word such as LIKE, in
    an IN list, or (strings) an argument is replaced.
    """
    rules = _rules(dialect)
    sql = sql.strip().rstrip("; \t\r\n")
    if not _BEGINS.match(sql) or _LITERALS_MATTER.search(sql) or _RAW_STRING.search(sql):
        return sql
    if not rules.backslash and "\\" in sql:
        return sql
    return rules.pattern.sub(_replacement, sql)


def _replacement(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind == "keep":
        return match[0]
    if kind == "blank":
        return " "
    return "IN (?)" if kind == "list" else f"{match[kind or 0]}?"


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
            rf"|(?P<keep>{'|'.join([*strings, *names])})",
            re.IGNORECASE | re.DOTALL,
        )


@lru_cache(maxsize=64)
def _rules(dialect: str) -> _Rules:
    return _Rules(dialect)
