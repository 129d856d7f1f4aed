"""Names of tables and files as a statement writes them."""

from __future__ import annotations

import re
from typing import NamedTuple

from sqlglot import exp, tokenize
from sqlglot.errors import SqlglotError

from hex_assets.lineage.engine.dialects import HAS_DUAL
from hex_assets.lineage.engine.words import JINJA_NAME

_FILE_SCHEMAS = frozenset(
    {"parquet", "json", "csv", "delta", "orc", "avro", "text", "binaryfile", "iceberg"}
)
_FILE_NAME = re.compile(
    r"://|^/|^\./|\.(parquet|csv|tsv|jsonl?|ndjson|xlsx|duckdb|db|txt|orc|avro|arrow)(\.\w+)?$",
    re.IGNORECASE,
)
_PATH = re.compile(r"\w+:/|/")
# A day suffix with a real month and day: GA4's events_20260101, ga_sessions_20170801.
_DAY_SHARD = re.compile(r"^(.*\D)(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$")
_WILDCARD = re.compile(r"^(.*?)\d*\*$")


LAKES = frozenset({"databricks", "spark", "hive"})
"""Dialects in which delta.`/path` is a file."""


class Named(NamedTuple):
    """What a name in FROM or INTO stands for: a table's parts, a file, or neither."""

    parts: tuple[str, ...] = ()
    file: str | None = None
    dynamic: bool = False


def named(table: exp.Table, dialect: str) -> Named:
    """Reads the name of a table node; functions give neither parts nor file."""
    pieces: list[str] = []
    for piece in (table.args.get("catalog"), table.args.get("db"), table.this):
        if piece == "":
            pieces.append("")
        elif piece is not None and not _add(pieces, piece):
            return _special(piece, dialect)
    if not pieces or not pieces[-1]:
        return Named()
    identifier = table.this
    quoted = isinstance(identifier, exp.Identifier) and bool(identifier.args.get("quoted"))
    if quoted and dialect in LAKES and len(pieces) == 2 and pieces[0].lower() in _FILE_SCHEMAS:
        return Named(file=pieces[1])
    if quoted and len(pieces) == 1 and dialect == "duckdb" and _FILE_NAME.search(pieces[0]):
        return Named(file=pieces[0])
    if quoted and len(pieces) == 1 and dialect == "databricks" and _PATH.match(pieces[0]):
        return Named(file=pieces[0])
    if dialect in HAS_DUAL and not quoted and len(pieces) == 1 and pieces[0].upper() == "DUAL":
        return Named()
    if dialect == "bigquery":
        pieces = bigquery_parts(pieces)
    return Named(parts=tuple(pieces))


def is_path(parts: tuple[str, ...]) -> bool:
    """Whether a lake's name, of which the quotes are not known, is that of a file."""
    return len(parts) == 2 and parts[0].lower() in _FILE_SCHEMAS and "/" in parts[1]


_REMOTE = frozenset({"openquery", "openrowset", "opendatasource"})


def is_remote(target: exp.Expr | None) -> bool:
    """T-SQL's INSERT INTO OPENQUERY(server, 'query'), whose arguments are parsed as columns."""
    table = target.this if isinstance(target, exp.Schema) else None
    return isinstance(table, exp.Table) and not table.db and table.name.casefold() in _REMOTE


def marked(piece: exp.Expr) -> str:
    """An identifier's name, with the `#` or `##` of T-SQL's temporary tables."""
    args = piece.args
    if "temporary" not in args and "global_" not in args:
        return str(piece.name)
    marks = 2 if args.get("global_") else 1 if args.get("temporary") else 0
    return "#" * marks + piece.name


def _add(pieces: list[str], piece: object) -> bool:
    if isinstance(piece, exp.Identifier):
        pieces.append(marked(piece))
        return True
    if isinstance(piece, exp.Dot):
        return _add(pieces, piece.this) and _add(pieces, piece.expression)
    return False


def _special(piece: object, dialect: str) -> Named:
    if isinstance(piece, exp.DynamicIdentifier):
        text = constant_text(piece.this)
        return Named(dynamic=True) if text is None else Named(parts=parts_of_text(text))
    if isinstance(piece, exp.Literal) and piece.is_string:
        return Named(file=piece.name)
    if isinstance(piece, exp.DirectoryStage) and isinstance(piece.this, exp.Var):
        return Named(file=piece.this.name)
    if isinstance(piece, exp.Var) and piece.name.startswith("@"):
        return Named(file=piece.name)
    if isinstance(piece, exp.Parameter) and dialect in ("tsql", "mysql"):
        return Named()  # a table variable lives and ends in the text; MySQL's has one value
    if isinstance(piece, (exp.Parameter, exp.Placeholder, exp.SessionParameter, exp.Var)):
        return Named(dynamic=True)
    return Named()


def unsessioned(parts: tuple[str, ...]) -> tuple[str, ...]:
    """BigQuery's temporary table `_SESSION.t` is `t`."""
    return parts[1:] if len(parts) == 2 and parts[0].upper() == "_SESSION" else parts


def made_key(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The name under which a table that a text makes is found again."""
    return tuple(part.casefold() for part in unsessioned(parts))


def constant_text(node: object) -> str | None:
    """The value of a string, or of constant strings joined by `||` or CONCAT; else None."""
    if isinstance(node, exp.Literal):
        return node.name if node.is_string else None
    if isinstance(node, exp.Paren):
        return constant_text(node.this)
    if isinstance(node, exp.DPipe):
        pieces = [constant_text(node.this), constant_text(node.expression)]
    elif isinstance(node, exp.Concat):
        pieces = [constant_text(item) for item in node.expressions]
    else:
        return None
    known = [piece for piece in pieces if piece is not None]
    return "".join(known) if known and len(known) == len(pieces) else None


def parts_of_text(text: str) -> tuple[str, ...]:
    """Splits a dotted name given as a string, such as IDENTIFIER('db."My.Table"')."""
    try:
        tokens = tokenize(text, "spark" if "`" in text else None)
    except SqlglotError:
        return (text,)
    return tuple(token.text for token in tokens if token.text != ".")


def bigquery_parts(pieces: list[str]) -> list[str]:
    """The parts of BigQuery's name; a day's table stands for the table of all days."""
    # `project.dataset.table` may be quoted as one name or in any split.
    pieces = [part for piece in pieces for part in piece.split(".")]
    last = pieces[-1].split("$", 1)[0]
    wildcard = _WILDCARD.match(last) or _DAY_SHARD.match(last)
    if wildcard and wildcard.group(1):
        last = wildcard.group(1) + "*"
    return [*pieces[:-1], last]


_DEEP = 10


def text_of(item: exp.Expr, dialect: str) -> str:
    """The text of an expression, which names a column without an alias."""
    # A generator may write an operand twice, such as T-SQL's of a JSON path: 2^n for n of them.
    own = "" if _nests_deeply(item) else dialect
    try:
        return str(item.sql(dialect=own or None, comments=False))
    except RecursionError:
        raise
    except Exception:  # the parser takes `datediff(a)`, and no generator can write it
        return str(item.name or item.key)


def _nests_deeply(item: exp.Expr) -> bool:
    level = [item]
    for _ in range(_DEEP):
        level = [child for node in level for child in node.iter_expressions()]
        if not level:
            return False
    return True


def is_template(parts: tuple[str, ...]) -> bool:
    """Whether a part of a name is a template expression."""
    name = ".".join(parts)
    return JINJA_NAME in name or "{{" in name
