"""What the doctor asks of Hex: the token, its expiry, its scopes and what is lost without each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone

from hex_assets.hex.client import HexClient
from hex_assets.hex.errors import HexAuthError, HexError, HexForbidden, HexRateLimited
from hex_assets.hex.models import Project
from hex_assets.probe import Finding

EXPIRES_SOON = timedelta(days=3)
"""Hex itself writes e-mails 72 and 24 hours before."""


def probe_hex(client: HexClient, projects: list[Project]) -> Iterator[Finding]:
    """Try the token and every scope; the projects that it sees are appended to `projects`."""
    if client.token_warning:
        mend = "set hex.tokenType to what the token is, or export the other token"
        yield Finding("token type", "warning", client.token_warning, mend)
    try:
        me = client.me()
    except HexForbidden:
        who = "the token is accepted"
        yield Finding("token", "ok", who)
    except HexError as error:
        yield _failure("token", error)
        return
    else:
        yield _token(me.email, me.token.exp if me.token else None, datetime.now(timezone.utc))
    try:
        projects.extend(client.list_projects())
    except HexError as error:
        yield _failure("projects", error)
        return
    if projects:
        yield Finding("projects", "ok", f"the token sees {len(projects)} projects and components")
    else:
        mend = "share projects with the token's user, or use a workspace token with Read projects"
        yield Finding("projects", "failure", "the token sees no project", mend)
    yield from _scopes(client, projects)


def _token(email: str | None, expires_at: datetime | None, now: datetime) -> Finding:
    whose = f"personal token of {email}" if email else "workspace token"
    if expires_at is None:
        return Finding("token", "ok", f"{whose}, without an expiry")
    detail = f"{whose}, expires {expires_at:%Y-%m-%d %H:%M} UTC"
    if expires_at - now < EXPIRES_SOON:
        return Finding("token", "warning", detail, "make a new token in Hex before that")
    return Finding("token", "ok", detail)


def _scopes(client: HexClient, projects: Sequence[Project]) -> Iterator[Finding]:
    tries: list[tuple[str, Callable[[], object], str]] = [
        ("users", client.list_users, "names of people are not known"),
        ("groups", client.list_groups, "groups are not known"),
        ("collections", client.list_collections, "descriptions of collections are not known"),
        (
            "data connections",
            client.list_data_connections,
            "cells are not joined to their warehouse's default database",
        ),
    ]
    if projects:
        first = projects[0].id
        tries.append(
            ("cells", lambda: client.list_cells(first), "there are no charts and data models")
        )
    published = next((each for each in projects if each.last_published_at), None)
    if published:
        tries.append(
            (
                "queried tables",
                lambda: client.list_queried_tables(published.id),
                "lineage is not cross-checked with Hex's own (Enterprise plan)",
            )
        )
    for name, call, loss in tries:
        try:
            call()
        except HexForbidden as error:
            mend = f"if you need it: an admin adds the scope to the token ({error.message})"
            yield Finding(f"scope: {name}", "warning", f"no right to read {name}: {loss}", mend)
        except HexError as error:
            yield _failure(f"scope: {name}", error)
        else:
            yield Finding(f"scope: {name}", "ok", f"{name} can be read")


def _failure(check: str, error: HexError) -> Finding:
    detail, mend = f"{error.method} {error.path}: {error.message}", error.mend
    if isinstance(error, HexAuthError):
        detail = f"Hex refuses the token: {error.message}"
        mend = "make a new token in Hex (Settings > API keys), check that it was copied whole"
    elif isinstance(error, HexForbidden):
        mend = "give the token the scope Read projects; a person's role must be Editor or above"
    elif isinstance(error, HexRateLimited):
        detail = f"Hex's rate limit is reached: {error.message}"
        mend = "wait a minute; lower hex.requestsPerMinute where others use the same token"
    return Finding(check, "failure", detail, mend)
