"""HTTP to Hex: retries, limits, time-outs, and every failure as a typed error."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from pydantic import TypeAdapter, ValidationError
from requests.auth import AuthBase
from requests_ratelimiter import LimiterAdapter
from urllib3.exceptions import InvalidHeader
from urllib3.response import BaseHTTPResponse
from urllib3.util.retry import Retry

from hex_assets import __version__
from hex_assets.connection import explain
from hex_assets.hex.errors import (
    ERROR_OF_STATUS,
    HexError,
    HexInvalidRequest,
    HexProtocolError,
    HexServerError,
    HexUnreachable,
)
from hex_assets.hex.models import NewErrorBody, OldErrorBody

log = logging.getLogger("hex_assets.hex")

RETRIED = (429, 500, 502, 503, 504)
MAX_MESSAGE = 500


@dataclass(frozen=True)
class Limits:
    """How often, how long, how stubborn."""

    connect_seconds: float = 10
    read_seconds: float = 60
    retries: int = 5
    backoff_seconds: float = 1
    """Wait before the second try after a 5xx or a broken connection; it doubles."""
    window_seconds: float = 60
    """Wait after a 429 without a readable Retry-After: Hex's window ends 60 s after its start."""
    max_wait_seconds: int = 3600
    """Longest Retry-After that is obeyed; Hex's longest window is an hour."""


class Bearer(AuthBase):
    """The token as a header. As `auth`, so that a `.netrc` cannot replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the header."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def __repr__(self) -> str:
        return "Bearer(***)"


class HexRetry(Retry):
    """urllib3's retry, which also waits for Hex's window after a 429 that names no time."""

    def __init__(self, *args: Any, window_seconds: float = 60, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.window_seconds = window_seconds

    def new(self, **changes: Any) -> HexRetry:
        """A copy with changes."""
        return super().new(window_seconds=self.window_seconds, **changes)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Seconds to wait; None if the header is absent or unreadable."""
        try:
            return super().get_retry_after(response)
        except InvalidHeader:
            return None

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        """Wait before the next try."""
        limited = response is not None and response.status == 429
        if limited and response is not None and self.get_retry_after(response) is None:
            time.sleep(self.window_seconds)
        else:
            super().sleep(response)


class Transport:
    """One endpoint group of the API: a session with its own limiter."""

    def __init__(self, host: str, token: str, per_minute: float, limits: Limits) -> None:
        self._host = host
        self._token = token
        self._limits = limits
        self.rate_headers: dict[str, str] = {}
        """Headers of the latest answer that speak of a rate limit."""
        self._session = requests.Session()
        self._session.auth = Bearer(token)
        self._session.headers.update(
            {"Accept": "application/json", "User-Agent": f"hex_assets/{__version__}"}
        )
        # A refused or unknown host seldom heals in seconds: two more tries are enough.
        retry = HexRetry(
            total=limits.retries,
            connect=min(2, limits.retries),
            allowed_methods=("GET", "POST"),  # the only POST, the export, changes nothing
            status_forcelist=RETRIED,
            backoff_factor=limits.backoff_seconds,
            raise_on_status=False,
            retry_after_max=limits.max_wait_seconds,
            window_seconds=limits.window_seconds,
        )
        # The retry above waits after a 429; the limiter only keeps us from getting there.
        adapter = LimiterAdapter(per_minute=per_minute, limit_statuses=(), max_retries=retry)
        self._session.mount(host, adapter)

    def close(self) -> None:
        """Close connections and the limiter's thread."""
        self._session.close()

    def call(
        self, method: str, path: str, *, params: dict[str, Any] | None = None, json: object = None
    ) -> Any:
        """Send a request and give the JSON of its answer.

        Raises:
            HexError: one of its subclasses.
        """
        try:
            response = self._session.request(
                method,
                f"{self._host}/api{path}",
                params=params,
                json=json,
                timeout=(self._limits.connect_seconds, self._limits.read_seconds),
                # A redirect means a wrong host; it is told and not followed with the token.
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise self._unreachable(error, method, path) from None
        seconds = response.elapsed.total_seconds()
        log.debug("Hex %s %s: %d in %.2f s", method, path, response.status_code, seconds)
        self.rate_headers = {
            name.lower(): value[:100]
            for name, value in response.headers.items()
            if "ratelimit" in name.lower().replace("-", "")
        }
        if not response.ok or response.is_redirect:
            raise self._failure(response, method, path)
        return self._json(response, method, path)

    def _json(self, response: requests.Response, method: str, path: str) -> Any:
        try:
            return response.json()
        except requests.exceptions.JSONDecodeError:
            raise HexProtocolError(
                f"the answer is not JSON but {_looks_like(response)}",
                method=method,
                path=path,
                status=response.status_code,
            ) from None

    def _failure(self, response: requests.Response, method: str, path: str) -> HexError:
        status = response.status_code
        if 300 <= status < 400:
            to = urlsplit(response.headers.get("Location", ""))
            return HexProtocolError(
                f"the host redirects to {to.scheme}://{to.netloc}{to.path}",
                method=method,
                path=path,
                status=status,
            )
        body = error_body(response.content)
        kind = ERROR_OF_STATUS.get(status, HexServerError if status >= 500 else HexInvalidRequest)
        if body is None and status in (400, 401, 403, 404, 405, 422):
            return HexProtocolError(
                f"the answer is not an error of Hex but {_looks_like(response)}",
                method=method,
                path=path,
                status=status,
                mend="check hostPort, and whether a proxy or firewall stands in between",
            )
        message, trace_id = body or (f"no reason given but {_looks_like(response)}", None)
        # A server may send back what it got.
        message = message.replace(self._token, "***")[:MAX_MESSAGE]
        return kind(message, method=method, path=path, status=status, trace_id=trace_id)

    def _unreachable(
        self, error: requests.RequestException, method: str, path: str
    ) -> HexUnreachable:
        cause = explain(error, self._host, "hex.hostPort")
        return HexUnreachable(
            cause.detail, kind=cause.kind, method=method, path=path, mend=cause.mend
        )


_OLD, _NEW = TypeAdapter(OldErrorBody), TypeAdapter(NewErrorBody)


def error_body(content: bytes) -> tuple[str, str | None] | None:
    """Message and trace id of an error in either of Hex's envelopes; None if it is neither."""
    try:
        old = _OLD.validate_json(content)
    except ValidationError:
        pass
    else:
        return (f"{old.reason}: {old.details}" if old.details else old.reason, old.trace_id)
    try:
        new = _NEW.validate_json(content)
    except ValidationError:
        return None
    return ("; ".join([new.message, *(issue.message for issue in new.issues)]), new.trace_id)


def _looks_like(response: requests.Response) -> str:
    start = response.content[:200].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page (HTML)"
    kind = response.headers.get("Content-Type", "of no type")
    return f"{len(response.content)} bytes ({kind})"
