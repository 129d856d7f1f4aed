"""What the local Hex server gets and gives: tokens, parameters, pages, errors, misbehaviour."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from hex_assets.demo.workspace_model import stable_id

SCOPES = frozenset(
    {"projects", "sharing", "queriedTables", "users", "groups", "collections", "connections"}
)
"""What a token may read; `sharing` is the right to `includeSharing`, which Hex does not name."""


@dataclass(frozen=True)
class Token:
    """An accepted token: a workspace token has scopes, a personal one has all of its user's."""

    value: str
    scopes: frozenset[str] = SCOPES
    expires_at: datetime | None = None

    @property
    def is_workspace(self) -> bool:
        """Whether it is a workspace token."""
        return self.value.startswith("hxtw_")


@dataclass
class Fault:
    """Misbehaviour of the next `times` answers whose path matches, after `skip` good ones."""

    path: str = ".*"
    """Regular expression of the whole path, such as `/v1/projects`."""
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    html: bool = False
    cut: bool = False
    """Promise the whole body, send half."""
    repeat_cursor: bool = False
    """Every page says that the same page follows."""
    delay_seconds: float = 0
    times: int = 1
    skip: int = 0


class ApiError(Exception):
    """An answer that is an error; `new` chooses Hex's newer envelope."""

    def __init__(self, status: int, message: str, *, new: bool = False) -> None:
        self.status = status
        self.message = message
        self.new = new
        super().__init__(message)

    def body(self) -> dict[str, Any]:
        """The envelope."""
        trace_id = stable_id("trace", self.message)
        if not self.new:
            return {"reason": self.message, "traceId": trace_id}
        codes = {400: "BAD_REQUEST", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND"}
        code = codes.get(self.status, "INTERNAL_SERVER_ERROR")
        return {"message": self.message, "code": code, "issues": [], "traceId": trace_id}


class Query:
    """The parameters of a request, checked."""

    def __init__(self, text: str, new: bool) -> None:
        self._values = parse_qs(text, keep_blank_values=True)
        self._new = new

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        return self._values.get(name, [default])[-1]

    def many(self, name: str) -> list[str]:
        """A repeated string."""
        return self._values.get(name, [])

    def flag(self, name: str) -> bool:
        """A boolean, false if absent."""
        value = self.text(name, "false")
        if value not in ("true", "false"):
            raise ApiError(400, f"{name} must be true or false", new=self._new)
        return value == "true"

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """An integer within bounds."""
        value = self.text(name, str(default))
        if not value.isdigit() or not low <= int(value) <= high:
            raise ApiError(400, f"{name} must be within {low} and {high}", new=self._new)
        return int(value)

    def choice(self, name: str, default: str, allowed: Iterable[str]) -> str:
        """One of some words."""
        value = self.text(name, default)
        if value not in allowed:
            raise ApiError(400, f"{name} must not be {value}", new=self._new)
        return value

    def page(self, items: list[Any], largest: int = 100) -> dict[str, Any]:
        """The page that `limit`, `after` and `before` ask for."""
        limit = self.number("limit", 25, 1, largest)
        start = self._place("after", 0)
        if "before" in self._values:
            start = max(0, self._place("before", 0) - limit)
        end = start + limit
        after = cursor(end) if end < len(items) else None
        before = cursor(start) if start else None
        return {
            "values": items[start:end],
            "pagination": {"after": after, "before": before},
        }

    def _place(self, name: str, default: int) -> int:
        if not (value := self.text(name)):
            return default
        try:
            return int(base64.b64decode(value, validate=True).decode().removeprefix("item:"))
        except ValueError:
            raise ApiError(400, f"{name} is no cursor", new=self._new) from None


def cursor(place: int) -> str:
    """A place in a listing as Hex's opaque cursor."""
    return base64.b64encode(f"item:{place}".encode()).decode()


@dataclass(frozen=True)
class Request:
    """What an endpoint gets."""

    ids: tuple[str, ...]
    query: Query
    token: Token
    body: dict[str, Any]
