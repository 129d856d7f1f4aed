"""Names as OpenMetadata builds them: fully qualified, quoted where needed, and always legal."""

from __future__ import annotations

import hashlib
import re

LONGEST_TAG_NAME = 64
"""The narrowest limit among the servers that were measured."""


def quoted(part: str) -> str:
    """One part of a name: in double quotes if it holds a dot or a quote."""
    return f'"{part}"' if "." in part and not part.startswith('"') else part


def fqn(*parts: str) -> str:
    """A fully qualified name from its parts."""
    return ".".join(quoted(part) for part in parts)


def cell_name(project_id: str, cell_id: str) -> str:
    """Name of a cell's chart or data model: legal everywhere, and tells its project."""
    return f"{project_id}_{cell_id}"


def split_fqn(name: str) -> list[str]:
    """The parts of a fully qualified name, without quotes."""
    parts = re.findall(r'"((?:[^"]|"")*)"(?:\.|$)|([^."]+)(?:\.|$)', name)
    return [inside or plain for inside, plain in parts]


def tag_name(label: str) -> str:
    """A legal tag name for a label of Hex.

    Letters, digits, space and `_ ' - . & ( )` stay; a label that had to change gets a short hash,
    so that two labels never become one tag.
    """
    clean = re.sub(r"[^\w '\-.&()]", "_", label).strip()
    if clean == label and 2 <= len(clean) <= LONGEST_TAG_NAME:
        return clean
    mark = hashlib.sha256(label.encode()).hexdigest()[:8]
    return f"{clean[: LONGEST_TAG_NAME - 9].strip()}-{mark}"
