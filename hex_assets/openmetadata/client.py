"""OpenMetadata's REST API: one request at a time, every answer read, every error shown whole."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.util import Retry

from hex_assets.openmetadata.capabilities import Capabilities, capabilities
from hex_assets.openmetadata.errors import (
    ChangedMeanwhile,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotOpenMetadata,
    OpenMetadataError,
    Unreachable,
)

log = logging.getLogger("hex_assets.openmetadata")

CONNECT_SECONDS = 10
READ_SECONDS = 60
PAGE_SIZE = 500
"""Servers accept up to 1,000 and more; tables with many columns make such a page very large."""
CONNECTIONS = 8
"""Concurrent requests: measured servers reach their limit of about 170 writes a second with 8."""

JSON_PATCH = "application/json-patch+json"

_MENDS = {
    401: "check the bot's token in the settings (Settings > Bots in OpenMetadata)",
    403: "give the bot a role that allows this, such as the ingestion bot's",
    413: "the request is too large for the server's limit",
    429: "the server limits requests; run again later or raise its limit",
}


class _Retry(Retry):
    """urllib3's Retry, but 500 is tried again for PUT only.

    The first creation of an entity by two clients at once answers 500, and a repetition 200.
    For other methods a 500 is final: a search without its index answers 500 for hours.
    """

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        if status_code == 500 and method != "PUT":
            return False
        return super().is_retry(method, status_code, has_retry_after)


class _Bearer(AuthBase):
    """The bot's token as `auth`: a ~/.netrc entry of the host would replace a plain header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def __repr__(self) -> str:
        return "_Bearer(***)"


class OpenMetadataClient:
    """A session with one server. Safe to use from several threads.

    Args:
        host: base URL, with or without `/api` and `/api/v1`.
        token: a bot's JWT; it is sent as a header and is part of no message.
        retries: repetitions after 429, 5xx (500: PUT only) and lost connections.
        backoff_seconds: pause before the second repetition; it doubles each time.
    """

    def __init__(
        self, host: str, token: str, *, retries: int = 4, backoff_seconds: float = 0.5
    ) -> None:
        base = host.rstrip("/").removesuffix("/v1").removesuffix("/api")
        self.host = base
        self._base = f"{base}/api/v1"
        self._session = requests.Session()
        self._session.auth = _Bearer(token)
        retry = _Retry(
            total=retries,
            backoff_factor=backoff_seconds,
            backoff_max=30,
            status_forcelist=(429, 500, 502, 503, 504),
            # All that is sent is repeatable: PUT and DELETE by nature, POST only sets a day's
            # usage, PATCH carries `test` operations.
            allowed_methods=None,
            raise_on_status=False,
            respect_retry_after_header=True,
        )
        adapter = HTTPAdapter(
            max_retries=retry, pool_connections=CONNECTIONS, pool_maxsize=CONNECTIONS
        )
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def __repr__(self) -> str:
        return f"OpenMetadataClient({self.host!r})"

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    @cached_property
    def capabilities(self) -> Capabilities:
        """The server's version and what follows from it, asked once.

        Raises:
            OpenMetadataError: unreachable, not OpenMetadata, or an unreadable version.
        """
        answer = self.get("/system/version")
        try:
            return capabilities(str(answer["version"]))
        except (KeyError, ValueError) as error:
            raise NotOpenMetadata(
                f"{self._base}/system/version gave no version ({error}); check hostPort"
            ) from None

    @cached_property
    def user(self) -> Mapping[str, Any]:
        """The bot that the token belongs to.

        Raises:
            NotAuthenticated: the token is wrong.
        """
        return dict(self.get("/users/loggedInUser"))

    def get(self, path: str, **parameters: Any) -> Any:
        """GET a path; `path` parts that are names must come from `by_name`."""
        return self._send("GET", path, parameters=parameters)

    def find(self, path: str, **parameters: Any) -> Any | None:
        """GET a path; None when the server has no such thing."""
        try:
            return self.get(path, **parameters)
        except NotFound:
            return None

    def put(self, path: str, body: Any) -> Any:
        """Create or replace; the answer's body, or None when it has none."""
        return self._send("PUT", path, body=body)

    def post(self, path: str, body: Any) -> Any:
        """POST a body."""
        return self._send("POST", path, body=body)

    def patch(self, path: str, operations: list[dict[str, Any]], *, version: float | None) -> Any:
        """Apply a JSON patch; where the server honours it, only to the version that was read.

        Raises:
            ChangedMeanwhile: the entity has another version by now.
        """
        headers = {"Content-Type": JSON_PATCH}
        if version is not None and self.capabilities.if_match:
            headers["If-Match"] = f'W/"{version}"'  # a strong tag hashes the whole entity
        return self._send("PATCH", path, body=operations, headers=headers)

    def delete(self, path: str, **parameters: Any) -> Any:
        """DELETE a path."""
        return self._send("DELETE", path, parameters=parameters)

    def listing(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """All entities of a collection, page by page to the end.

        Raises:
            OpenMetadataError: a page failed, or the server gave the same cursor twice; what was
                yielded before is then not the whole listing and must not be taken for it.
        """
        parameters.setdefault("limit", PAGE_SIZE)
        seen: set[str] = set()
        while True:
            page = self.get(path, **parameters)
            try:
                entities, after = page["data"], (page.get("paging") or {}).get("after")
            except (KeyError, TypeError, AttributeError):
                raise NotOpenMetadata(
                    f"GET {path}: the answer is no listing; check hostPort"
                ) from None
            yield from entities
            if not after:
                return
            if after in seen:
                raise OpenMetadataError(
                    f"GET {path}: the server repeats the page cursor {after!r}; the listing "
                    "cannot be completed",
                    method="GET",
                    path=path,
                )
            seen.add(after)
            parameters["after"] = after

    def _send(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        sent = dict(headers or {})
        data = None
        if body is not None:
            data = json.dumps(body, ensure_ascii=False).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            response = self._session.request(
                method,
                self._base + path,
                params={
                    key: str(value).lower() if isinstance(value, bool) else value
                    for key, value in (parameters or {}).items()
                    if value is not None
                },
                data=data,
                headers=sent,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,  # a redirect leads to a login page, never to the API
            )
        except requests.RequestException as error:
            raise Unreachable(
                f"{method} {path}: OpenMetadata at {self.host} did not answer: {error}; check "
                "hostPort, the network and that the server is up",
                method=method,
                path=path,
            ) from error
        seconds = response.elapsed.total_seconds()
        log.debug("OpenMetadata %s %s: %d in %.2f s", method, path, response.status_code, seconds)
        return _read(method, path, self.host, response)


def by_name(collection: str, name: str) -> str:
    """Path of an entity by its fully qualified name; the name is encoded whole, `/` included."""
    return f"{collection}/name/{quote(name, safe='')}"


def _read(method: str, path: str, host: str, response: requests.Response) -> Any:
    kind = response.headers.get("Content-Type", "")
    text = response.text
    if "html" in kind or 300 <= response.status_code < 400:
        raise NotOpenMetadata(
            f"{method} {path}: {host} answered {response.status_code} with "
            f"{'a redirect' if response.status_code < 400 and 'html' not in kind else 'HTML'}, "
            "not OpenMetadata's API; check scheme, host, port and path of hostPort",
            method=method,
            path=path,
            status=response.status_code,
        )
    if response.ok:
        if not text.strip():
            return None
        try:
            return response.json()
        except ValueError:
            raise NotOpenMetadata(
                f"{method} {path}: {host} answered {response.status_code} with no JSON: "
                f"{text[:500]!r}; check hostPort",
                method=method,
                path=path,
                status=response.status_code,
            ) from None
    said = _server_message(text) or response.reason or "no message"
    status = response.status_code
    mend = _MENDS.get(status, "")
    error = {
        401: NotAuthenticated,
        403: NotAllowed,
        404: NotFound,
        412: ChangedMeanwhile,
    }.get(status, OpenMetadataError)
    raise error(
        f"{method} {path}: {status}: {said}" + (f"; {mend}" if mend else ""),
        method=method,
        path=path,
        status=status,
        server_message=said,
    )


def _server_message(text: str) -> str:
    """The server's words from any of its shapes: {message}, {responseMessage}, plain text."""
    try:
        body = json.loads(text)
    except ValueError:
        return text.strip()
    if isinstance(body, dict):
        for key in ("message", "responseMessage"):
            if isinstance(body.get(key), str) and body[key]:
                return str(body[key])
    return text.strip()
