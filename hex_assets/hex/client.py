"""A client of the Hex API: what a catalog needs, complete or not at all."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr, TypeAdapter, ValidationError

from hex_assets.hex.errors import HexProtocolError
from hex_assets.hex.models import (
    ApiModel,
    Cell,
    Collection,
    DataConnection,
    Export,
    Group,
    Me,
    Page,
    Project,
    QueriedTable,
    Run,
    RunsPage,
    User,
)
from hex_assets.hex.transport import Limits, Transport

Document = TypeVar("Document", bound=ApiModel)
PREFIXES = {"hxtp_": "personal", "hxtw_": "workspace"}
WHOLE_TOKEN = re.compile(r"hxt[pw]_[0-9a-f]{96}", re.IGNORECASE)
"""As secret scanners know Hex's tokens; only used to explain a refusal."""
PAGE = 100
"""Hex's largest page, but for users and groups."""
LARGE_PAGE = 500
MAX_PAGES = 10_000


class TokenTypeWarning(UserWarning):
    """The token's prefix and `tokenType` differ."""


class HexClient:
    """The Hex API with one token.

    Args:
        host: scheme and host, such as `https://app.hex.tech`; own and EU hosts as well.
        token: a personal (`hxtp_`) or workspace (`hxtw_`) token.
        token_type: what the settings say it is; a differing prefix gives a warning.
        requests_per_minute: Hex's limit for most endpoints.
        api_group_requests_per_minute: Hex's limit for its newer ones (its group `hex-api`).
        limits: time-outs and retries.

    Every method raises a `HexError` when its answer is not complete.
    """

    def __init__(
        self,
        *,
        host: str,
        token: str,
        token_type: Literal["personal", "workspace"] = "personal",
        requests_per_minute: float = 60,
        api_group_requests_per_minute: float = 30,
        limits: Limits | None = None,
    ) -> None:
        url = urlsplit(host)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"Hex's host needs a scheme, such as https://app.hex.tech: {host}")
        self.host = f"{url.scheme}://{url.netloc}"
        self.token_type = token_type
        self.limits = limits or Limits()
        self.token_warning = _token_warning(token, token_type)
        if self.token_warning:
            warnings.warn(self.token_warning, TokenTypeWarning, stacklevel=2)
        self.token_kind = _kind_of(token)
        """What the token's prefix says; None: it has neither prefix."""
        self.token_is_whole = WHOLE_TOKEN.fullmatch(token) is not None
        self.requests_per_minute = requests_per_minute
        self.api_group_requests_per_minute = api_group_requests_per_minute
        self._token = SecretStr(token)
        self._general = Transport(self.host, token, requests_per_minute, self.limits)
        self._newer = Transport(self.host, token, api_group_requests_per_minute, self.limits)
        self._me: Me | None = None

    def __repr__(self) -> str:
        return f"HexClient(host={self.host!r}, token_type={self.token_type!r})"

    def __enter__(self) -> HexClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close connections and limiters."""
        self._general.close()
        self._newer.close()

    @property
    def rate_headers(self) -> Mapping[str, str]:
        """What Hex's latest answers said of the rate limit; their names are not documented."""
        return {**self._general.rate_headers, **self._newer.rate_headers}

    def impatient(self) -> HexClient:
        """The same client, but it tries nothing twice and does not wait long: for a probe."""
        impatient = replace(
            self.limits,
            retries=0,
            connect_seconds=min(self.limits.connect_seconds, 5),
            read_seconds=min(self.limits.read_seconds, 20),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TokenTypeWarning)  # a finding of its own
            return HexClient(
                host=self.host,
                token=self._token.get_secret_value(),
                token_type=self.token_type,
                requests_per_minute=self.requests_per_minute,
                api_group_requests_per_minute=self.api_group_requests_per_minute,
                limits=impatient,
            )

    def touch(
        self, path: str, params: Mapping[str, Any] | None = None, *, newer: bool = False
    ) -> None:
        """Ask for something only to see whether the token may; raises a `HexError` if not."""
        transport = self._newer if newer else self._general
        transport.call("GET", path, params=_query(dict(params or {})))

    def me(self) -> Me:
        """Who the token is; asked once."""
        if self._me is None:
            self._me = self._one(self._newer, "/v1/users/me", Me)
        return self._me

    def list_projects(
        self,
        *,
        include_archived: bool = True,
        include_components: bool = True,
        include_trashed: bool = True,
        include_sharing: bool = True,
        **filters: Any,
    ) -> list[Project]:
        """Every project that the token can see, the oldest first.

        `filters` are Hex's own parameters, such as `ownerEmail`, `statuses`, `collectionId`.
        """
        params = {
            "includeArchived": include_archived,
            "includeComponents": include_components,
            "includeTrashed": include_trashed,
            "includeSharing": include_sharing,
            # Projects made while we list come last, so that no page shifts.
            "sortBy": "CREATED_AT",
            "sortDirection": "ASC",
            **filters,
        }
        listed = self._pages(self._general, "/v1/projects", Project, params)
        # A project that shifted between two pages comes twice.
        return list({project.id: project for project in listed}.values())

    def project(self, project_id: str) -> Project:
        """One project."""
        return self._one(self._newer, f"/v1/projects/{project_id}", Project)

    def list_cells(self, project_id: str) -> list[Cell]:
        """The cells of a project's draft, in order."""
        return list(self._pages(self._newer, "/v1/cells", Cell, {"projectId": project_id}))

    def list_queried_tables(self, project_id: str) -> list[QueriedTable]:
        """Tables that Hex says a published project queried; Enterprise plan only."""
        path = f"/v1/projects/{project_id}/queriedTables"
        return list(self._pages(self._general, path, QueriedTable))

    def list_data_connections(self) -> list[DataConnection]:
        """Every data connection."""
        return list(self._pages(self._general, "/v1/data-connections", DataConnection))

    def list_collections(self) -> list[Collection]:
        """Every collection."""
        return list(self._pages(self._general, "/v1/collections", Collection))

    def list_groups(self) -> list[Group]:
        """Every group."""
        return list(self._pages(self._general, "/v1/groups", Group, page_size=LARGE_PAGE))

    def list_users(self) -> list[User]:
        """Every user."""
        return list(self._pages(self._newer, "/v1/users", User, page_size=LARGE_PAGE))

    def latest_runs(self, project_id: str, count: int = 25) -> tuple[Run, ...]:
        """The newest runs of a project, at most 100."""
        path = f"/v1/projects/{project_id}/runs"
        return self._one(self._general, path, RunsPage, {"limit": min(count, PAGE)}).runs

    def export(self, project_id: str, version: int | Literal["draft", "latest"]) -> Export:
        """A project in the `.hex.yaml` format; not every organisation has this endpoint."""
        path = "/v1/projects/export"
        document = self._newer.call(
            "POST", path, json={"projectId": project_id, "version": version}
        )
        return _parse(document, Export, "POST", path)

    def _one(
        self,
        transport: Transport,
        path: str,
        kind: type[Document],
        params: dict[str, Any] | None = None,
    ) -> Document:
        document = transport.call("GET", path, params=_query(params or {}))
        return _parse(document, kind, "GET", path)

    def _pages(
        self,
        transport: Transport,
        path: str,
        kind: type[Document],
        params: dict[str, Any] | None = None,
        page_size: int = PAGE,
    ) -> Iterator[Document]:
        query = {**(params or {}), "limit": page_size}
        cursors: set[str] = set()
        while True:
            page = self._one(transport, path, Page[kind], query)  # type: ignore[valid-type]
            yield from page.values
            cursor = page.pagination.after
            if cursor is None:
                return
            if cursor in cursors or len(cursors) >= MAX_PAGES:
                raise HexProtocolError(
                    f"the listing repeats itself after {len(cursors) + 1} pages, so it is not"
                    " complete",
                    method="GET",
                    path=path,
                    mend="try again; if it stays, report it to Hex's support",
                )
            cursors.add(cursor)
            query["after"] = cursor


def _query(params: dict[str, Any]) -> dict[str, Any]:
    flags = {True: "true", False: "false"}
    return {
        name: flags[value] if isinstance(value, bool) else value
        for name, value in params.items()
        if value is not None
    }


def _parse(document: object, kind: type[Document], method: str, path: str) -> Document:
    try:
        return TypeAdapter(kind).validate_python(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise HexProtocolError(
            f"{place}: {first['msg']} ({error.error_count()} such)",
            method=method,
            path=path,
            mend="Hex's API has changed, or hostPort is not Hex: please report this message",
        ) from None


def _kind_of(token: str) -> str | None:
    return next((kind for prefix, kind in PREFIXES.items() if token.startswith(prefix)), None)


def _token_warning(token: str, token_type: str) -> str | None:
    is_type = _kind_of(token)
    if is_type is None:
        return (
            "the Hex token begins neither with hxtp_ (personal) nor with hxtw_ (workspace);"
            " was it copied whole?"
        )
    if is_type != token_type:
        return f"tokenType is {token_type}, but the Hex token is a {is_type} one; set tokenType"
    return None
