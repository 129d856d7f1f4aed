"""Names in an engine's log: split into parts, and matched with the names in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

EngineTables = tuple[tuple[str, tuple[str, ...]], ...]
"""What an engine logged: dotted table names with columns."""

_PART = r'"(?:[^"]|"")+"|`(?:[^`]|``)+`|[^."`]+'
_QUOTED_NAME = re.compile(rf"(?:{_PART})(?:\.(?:{_PART}))*")
_EACH_PART = re.compile(_PART)


class Match(NamedTuple):
    """What the engine calls a table of the text."""

    names: tuple[str, ...]
    """The logged names: one, or each shard of a family."""
    parts: tuple[str, ...]
    """The name as the engine spells it."""


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of a logged name; one in quotes may itself have a dot."""
    if ('"' in name or "`" in name) and _QUOTED_NAME.fullmatch(name):
        return tuple(
            part[1:-1].replace(part[0] * 2, part[0]) if part[0] in '"`' else part
            for part in _EACH_PART.findall(name)
        )
    return tuple(name.split("."))


def logged_as(
    parts: tuple[str, ...], logged: Iterable[tuple[str, tuple[str, ...]]], dialect: str
) -> Match | None:
    """The one logged table whose name ends with these parts, whatever their case."""
    wanted = tuple(part for part in parts if part)
    found = {name: own for name, _ in logged if (own := _ending(name, wanted))}
    if not found and dialect == "bigquery" and wanted[-1].endswith("*"):
        return _shards(wanted, logged)
    size = len(wanted)
    exact = {name: own for name, own in found.items() if own[-size:] == wanted}
    found = exact or found
    if len(found) != 1:
        return None
    ((name, own),) = found.items()
    return Match((name,), own)


def _ending(name: str, wanted: tuple[str, ...]) -> tuple[str, ...] | None:
    """The parts of a name that ends with others; of one without quotes a dot may be in a part."""
    dotted = ".".join(wanted)
    if not name.lower().endswith(dotted.lower()):
        if '"' not in name and "`" not in name:
            return None
    own = parts_of(name)
    if [part.lower() for part in own[-len(wanted) :]] == [part.lower() for part in wanted]:
        return own
    if any("." in part for part in own) or not any("." in part for part in wanted):
        return None
    before = name[: -len(dotted)]
    if before and not before.endswith("."):
        return None
    tail, rest = [], name[-len(dotted) :]
    for part in wanted:
        tail.append(rest[: len(part)])
        rest = rest[len(part) + 1 :]
    return (*(before[:-1].split(".") if before else ()), *tail)


def _shards(wanted: tuple[str, ...], logged: Iterable[tuple[str, tuple[str, ...]]]) -> Match | None:
    """The tables of BigQuery's `events_*`, of which the log has each by its own name."""
    prefix = wanted[-1][:-1]
    before = wanted[:-1]
    found: dict[tuple[str, ...], list[str]] = {}
    for name, _ in logged:
        *owner, last = parts_of(name)
        if last.startswith(prefix) and tuple(owner)[len(owner) - len(before) :] == before:
            found.setdefault(tuple(owner), []).append(name)
    if len(found) != 1:
        return None
    ((owners, names),) = found.items()
    return Match(tuple(names), (*owners, wanted[-1]))
