"""Hex's query comment: who sent a statement, from which project and cell.

Hex appends `-- Hex query metadata: {json}` as the last line of a SQL cell's query (learn.hex.tech,
"SQL cells", Query metadata; the shape is that of DataHub's fixture). Its grammar is not documented,
logs fold, cut and extend texts, and people paste whole queries into literals and comments. So the
label is searched from the end, must begin a comment, and only what is certain is read.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import TokenError

LABEL = "Hex query metadata:"

MAX_CHARACTERS = 3_000_000
"""Of a text, read again for each label from its end: under a second. A text of 100 kB may have 30
labels in strings or other comments before Hex's own is missed."""

FOUND, CUT, MALFORMED, ABSENT = "found", "cut", "malformed", "absent"


class HexComment(NamedTuple):
    """What Hex's comment says, and the SQL without it. None: the comment does not tell."""

    status: str
    """found; cut (the text ends inside the comment); malformed; absent."""
    sql: str
    """The text without the comment and without white space around it."""
    project_id: str | None = None
    project_name: str | None = None
    project_url: str | None = None
    cell_id: str | None = None
    """`selectedCellId` of the project's link."""
    cell_type: str | None = None
    context: str | None = None
    """Why it ran, such as APP_VIEW or SCHEDULED_RUN; Hex does not list them."""
    user_email: str | None = None
    connection: str | None = None
    trace_id: str | None = None
    project_status: str | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Tag:
    """The JSON after a label: its fields, where it ends, and how whole it is."""

    status: str
    fields: dict[str, Any]
    end: int


# The comment must open right before the label; `/* -- Hex ...` is a comment about a comment.
_OPENER = re.compile(r"(-{2,}[ \t]*|/\*[\s*]*)\Z")
# What clients and people put after the comment: clickhouse-connect appends ` FORMAT Native`.
_SUFFIX = re.compile(r"[\s;]*(?:FORMAT\s+\w+[\s;]*)?\Z", re.IGNORECASE)
_LINE_CONTINUATION = re.compile(r"\r?\n[ \t]*--")
_BLOCK_CONTINUATION = re.compile(r"\r?\n[ \t]*\*(?!/)")
_LINE_END = re.compile(r"[\r\n]|\Z")
_CUT_LABEL = re.compile(r"(?:--|/\*)[ \t]*(Hex query[ a-z:]*)\Z")
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
# A workspace may itself be called hex or app, so the id's shape decides first.
_URL_UUID = re.compile(rf"/(?:hex|app)/(?:[^/?#]*-)?({_UUID})(?![0-9a-fA-F])")
_URL_SEGMENT = re.compile(r"/(?:hex|app)/([^/?#\s]+)(?=[/?#])|/(?:hex|app)/([^/?#\s]+)\Z")
_URL_CELL = re.compile(r"[?&]selectedCellId=([^&#\s]+)")
_WHOLE_UUID = re.compile(rf"{_UUID}\Z")
# SQL after an earlier `--` on the only line: the log folded the lines, the comment is ours.
_FOLDED_SQL = re.compile(r"\b(?:from|join|into|update|select)\s+[\w\"`\[(*]", re.IGNORECASE)
_DECODER = json.JSONDecoder(strict=False)


def parse_comment(text: str, dialect: str | None = None) -> HexComment:
    """Read Hex's comment from a logged text.

    The last label in comment position counts. A label without JSON is a mere mention.

    Args:
        text: the SQL as logged.
        dialect: sqlglot's name of its dialect; tells strings from names where a label may be
            inside one of them.
    """
    ordinary = read_ordinary(text)
    if ordinary is not None:
        sql, fields = ordinary
        return _described(FOUND, sql, fields)
    at = text.rfind(LABEL)
    characters = MAX_CHARACTERS
    while at >= 0 and characters > 0:
        opener = _OPENER.search(text, max(0, at - 64), at)
        if opener:
            characters -= len(text)
            start, block = opener.start(), text.startswith("/*", opener.start())
            tag = _read_tag(text, at + len(LABEL), block)
            if tag and _starts_comment(text, start, tag, block, dialect):
                return _described(tag.status, _sql(text, start, tag, block), tag.fields)
        at = text.rfind(LABEL, 0, at)
    if cut := _CUT_LABEL.search(text, max(0, len(text) - len(LABEL) - 8)):
        if LABEL.startswith(cut[1].rstrip()) and _position_by_tokens(text, cut.start(), dialect):
            return HexComment(CUT, text[: cut.start()].strip())
    return HexComment(ABSENT, text.strip())


_ORDINARY = f"\n-- {LABEL} "


def read_ordinary(text: str) -> tuple[str, dict[str, Any]] | None:
    """SQL and JSON of a text that ends with the comment on a line of its own, as Hex writes it.

    None for any other text. Where it is not None, `parse_comment` finds the same: nothing that
    could hold the comment is closed behind it.
    """
    at = text.rfind(_ORDINARY)
    if at < 0:
        return None
    try:
        fields, end = _DECODER.raw_decode(text, at + len(_ORDINARY))
    except (ValueError, RecursionError):
        return None  # cut, folded or malformed: read with more care
    if type(fields) is not dict or (end != len(text) and text[end:].strip()):
        return None
    return text[:at].strip(), fields


def without_comment(text: str, dialect: str | None = None) -> str:
    """`parse_comment(...).sql`, without a look at what the comment says."""
    ordinary = read_ordinary(text)
    return parse_comment(text, dialect).sql if ordinary is None else ordinary[0]


def _read_tag(text: str, at: int, block: bool) -> _Tag | None:
    """The JSON after the label, or None if there is none to read."""
    start = _skip_space(text, at)
    if start < len(text) and text[start] == "{":
        try:
            value, end = _DECODER.raw_decode(text, start)
            return _Tag(FOUND, value, end)
        except (ValueError, RecursionError):
            pass  # continued in further comment lines, cut or malformed: read below
    # Blanks in place of the prefixes of continued comment lines keep every offset.
    pattern = _BLOCK_CONTINUATION if block else _LINE_CONTINUATION
    unfolded = text[:at] + pattern.sub(lambda prefix: " " * len(prefix[0]), text[at:])
    start = _skip_space(unfolded, at)
    if start == len(unfolded):
        return _Tag(CUT, {}, start)
    if unfolded[start] != "{":
        return None
    try:
        value, end = _DECODER.raw_decode(unfolded, start)
        return _Tag(FOUND, {key: _squeeze(item) for key, item in value.items()}, end)
    except (ValueError, RecursionError):
        return _salvage(unfolded, start)


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _squeeze(value: object) -> object:
    """A line break inside a value was one blank before the comment was wrapped."""
    return " ".join(value.split()) if isinstance(value, str) else value


def _salvage(text: str, start: int) -> _Tag:
    """The pairs of a broken JSON object that are whole, and the one url that is cut."""
    fields: dict[str, Any] = {}
    at = start + 1
    key = None
    try:
        while True:
            at = _skip_space(text, at)
            key = None
            key, at = _DECODER.raw_decode(text, at)
            at = _skip_space(text, at)
            if text[at : at + 1] != ":" or not isinstance(key, str):
                break
            at = _skip_space(text, at + 1)
            value, end = _DECODER.raw_decode(text, at)
            if end == len(text) and not isinstance(value, (str, list, dict)):
                break  # a number may go on behind the cut
            fields[key] = value
            at = _skip_space(text, end)
            if text[at : at + 1] != ",":
                break
            at += 1
    except (ValueError, RecursionError):
        # JSON reports an open string where it begins: it is a cut only if nothing closes it.
        rest = text[at:]
        open_string = rest.startswith('"') and not re.match(r'"(?:[^"\\]|\\.)*"', rest, re.DOTALL)
        if open_string and key == "project_url":
            fields["project_url"] = rest[1:]
        elif not (open_string or _only_begun(rest)):
            return _malformed(text, start, fields)
        return _Tag(CUT, fields, len(text))
    if at >= len(text):
        return _Tag(CUT, fields, len(text))
    return _malformed(text, start, fields)


def _only_begun(rest: str) -> bool:
    """A value that the end of the text may have cut: a word, a number, a list."""
    return bool(re.fullmatch(r"\s*(?:[-+.\w]*|\[.*|\{.*)", rest, re.DOTALL)) and not re.search(
        r"[\]}]\s*\Z", rest
    )


def _malformed(text: str, start: int, fields: dict[str, Any]) -> _Tag:
    line_end = _LINE_END.search(text, start)
    return _Tag(MALFORMED, fields, line_end.start() if line_end else len(text))


def _starts_comment(text: str, start: int, tag: _Tag, block: bool, dialect: str | None) -> bool:
    """Whether the comment that opens at `start` is one: not in a literal, not in a comment."""
    if not text[:start].strip():
        return True
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    before = text[line_start:start]
    ends_text = tag.status == FOUND and not block and _SUFFIX.match(text, tag.end) is not None
    # A literal or block comment around it would have to be closed behind it; nothing is there.
    if ends_text and not any(mark in before for mark in ("--", "#", "//", "/*")):
        return True
    if _position_by_tokens(text, start, dialect):
        return True
    folded = ends_text and "\n" not in text.strip()
    return folded and _FOLDED_SQL.search(before, max(before.find("--"), 0)) is not None


def _position_by_tokens(text: str, start: int, dialect: str | None) -> bool:
    """Whether sqlglot's tokenizer sees neither an open literal nor an open comment at `start`."""
    tokenizer, blank = _tokenizer(dialect)
    try:
        # A blank behind it: sqlglot takes `$tag$` as the last thing of a text for a parameter.
        tokens = tokenizer.tokenize(f"{text[:start]} ")
    except (TokenError, RecursionError):
        return False  # a literal is open at the end of this part
    gap_start = tokens[-1].end + 1 if tokens else 0
    gap = blank.match(text, gap_start, start)
    return gap is not None and gap.end() == start


@lru_cache(maxsize=64)
def _tokenizer(dialect: str | None) -> tuple[Dialect, re.Pattern[str]]:
    """The dialect, and a pattern of white space and whole comments in it."""
    known = Dialect.get_or_raise(dialect)
    parts = [r"[\s;]+"]
    for mark in known.tokenizer_class.COMMENTS:
        if isinstance(mark, str):
            parts.append(rf"{re.escape(mark)}[^\r\n]*(?:[\r\n])")
        else:
            parts.append(rf"{re.escape(mark[0])}.*?{re.escape(mark[1])}")
    return known, re.compile(f"(?:{'|'.join(parts)})*", re.DOTALL)


def _sql(text: str, start: int, tag: _Tag, block: bool) -> str:
    """The text around the comment."""
    end = tag.end
    if block:
        close = text.find("*/", end)
        end = close + 2 if close >= 0 else len(text)
    elif text.find("\n", 0, len(text.rstrip())) >= 0 and (line_end := _LINE_END.search(text, end)):
        end = line_end.start()  # the rest of its line is comment too, unless the log folded lines
    before, after = text[:start].strip(), text[end:]
    if _SUFFIX.match(text, tag.end if not block else end):
        return before
    return f"{before}\n{after.strip()}" if before else after.strip()


def _described(status: str, sql: str, fields: dict[str, Any]) -> HexComment:
    text = clean_string
    url = text(fields.get("project_url"))
    project_id = text(fields.get("project_id")) or project_in(url, status)
    categories = fields.get("categories")
    return HexComment(
        MALFORMED if status == FOUND and project_id is None else status,
        sql,
        project_id,
        text(fields.get("project_name")),
        url,
        cell_in(url, status),
        text(fields.get("cell_type")),
        text(fields.get("context")),
        text(fields.get("user_email")),
        text(fields.get("connection")),
        text(fields.get("trace_id")),
        text(fields.get("status")),
        tuple([name for item in categories if (name := text(item))])
        if type(categories) is list
        else (),
    )


def clean_string(value: object) -> str | None:
    """A non-empty string that UTF-8 can hold: JSON may escape half a surrogate pair."""
    if type(value) is not str or not value or value.isspace():
        return None
    if value.isascii():
        return value
    return value.encode("utf-8", "replace").decode("utf-8")


@lru_cache(maxsize=65_536)  # a link is that of a cell and comes with each of its executions
def project_in(url: str | None, status: str) -> str | None:
    """The project's id in its link."""
    if url is None:
        return None
    if match := _URL_UUID.search(url):
        return match[1]
    segment = _URL_SEGMENT.search(url)
    if segment is None:
        return None
    # The last segment of a cut url may itself be cut.
    return unquote(segment[1]) if segment[1] else (segment[2] if status == FOUND else None)


@lru_cache(maxsize=65_536)
def cell_in(url: str | None, status: str) -> str | None:
    """The id of the selected cell in a project's link; none that may be cut."""
    if url is None or (match := _URL_CELL.search(url)) is None:
        return None
    cell = unquote(match[1])
    may_be_cut = status != FOUND and match.end() == len(url)
    return None if may_be_cut and not _WHOLE_UUID.match(cell) else cell
