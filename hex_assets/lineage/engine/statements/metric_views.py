"""Databricks' metric views: a view that is told in YAML."""

from __future__ import annotations

import re
from typing import Any

from sqlglot.tokenizer_core import Token

from hex_assets.lineage.engine.callbacks import ReadText
from hex_assets.lineage.engine.text import Text
from hex_assets.lineage.engine.words import STRINGS, name_at, word_at

MAX_CHARACTERS = 100_000
"""Of the YAML; a longer one would cost its parser long."""
MAX_BRACKETS = 2_000
"""A YAML parser takes the square of their number when they nest."""
_NESTED = re.compile(r"(?:[-?]\s+){64}")
MAX_JOINS = 200
_QUERY = ("select", "with", "(", "from")


def read_metric_view(sql: str, chunk: list[Token], text: Text, read_text: ReadText) -> bool:
    """Reads CREATE or ALTER VIEW ... AS $$ yaml $$ by the query that it means."""
    if chunk[-1].token_type not in STRINGS:
        return False
    words = [word_at(chunk, position) for position in range(len(chunk))]
    told_so = words[0] == "ALTER" or "METRICS" in words
    if "VIEW" not in words[1:5] or not told_so or words[-2] != "AS":
        return False
    start = words.index("VIEW") + 1
    while words[start] in ("IF", "NOT", "EXISTS"):
        start += 1
    target, after = name_at(chunk, start)
    told = _loaded(chunk[-1].text)
    if not target or told is None:
        return False
    name = sql[chunk[start].start : chunk[after - 1].end + 1]
    query = _query(told)
    if query is not None:
        read_text(f"CREATE VIEW {name} AS {query}", text)
        return True
    before, text.condition = text.condition, True  # which columns flow where is not told
    try:
        for source in _sources(told, MAX_JOINS):
            read_text(f"CREATE VIEW {name} AS SELECT 1 FROM {source}", text)
    finally:
        text.condition = before
    return True


def _loaded(body: str) -> dict[Any, Any] | None:
    """What the YAML holds; None where it is none or has no source."""
    import yaml

    nests = body.count("[") + body.count("{") > MAX_BRACKETS or _NESTED.search(body)
    if len(body) > MAX_CHARACTERS or nests:
        return None
    try:
        told = yaml.load(body, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return None
    return told if isinstance(told, dict) and isinstance(told.get("source"), str) else None


def _relation(source: str) -> str:
    """A source as it stands after FROM: a table's name, or a query."""
    source = source.strip().rstrip(";")
    return f"({source})" if source.casefold().startswith(_QUERY) else source


def _items(told: dict[Any, Any], *keys: str) -> list[dict[Any, Any]]:
    found = [item for key in keys for item in told.get(key) or () if isinstance(item, dict)]
    return [item for item in found if isinstance(item.get("name"), str)]


def _sources(told: dict[Any, Any], most: int) -> list[str]:
    """The relations of a view and of its joins, also of joins within joins."""
    found: list[str] = []
    left = [told]
    while left and len(found) < most:
        item = left.pop(0)
        if isinstance(item.get("source"), str):
            found.append(_relation(item["source"]))
        left += _items(item, "joins")
    return found


def _query(told: dict[Any, Any]) -> str | None:
    """The query that a view means; None where a join has joins, whose columns are paths."""
    joins = _items(told, "joins")
    if len(joins) > MAX_JOINS or any(join.get("joins") for join in joins):
        return None
    columns = [
        f"{item['expr']} AS `{item['name']}`"
        for item in _items(told, "dimensions", "fields", "measures")
        if isinstance(item.get("expr"), str)
    ]
    relations = [f"{_relation(told['source'])} AS source"]
    for join in joins:
        if not isinstance(join.get("source"), str):
            return None
        # YAML 1.1 takes the key `on` for true
        on, using = join.get("on", join.get(True)), join.get("using")
        condition = f" ON {on}" if isinstance(on, str) else ""
        if isinstance(using, list) and not condition:
            condition = f" USING ({', '.join(map(str, using))})"
        relations.append(f"LEFT JOIN {_relation(join['source'])} AS `{join['name']}`{condition}")
    where = f" WHERE {told['filter']}" if isinstance(told.get("filter"), str) else ""
    return f"SELECT {', '.join(columns) or '*'} FROM {' '.join(relations)}{where}"
