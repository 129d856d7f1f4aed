"""What a probe of the Hex API finds: can it be reached, what is the token, what may it see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from hex_assets.hex.client import HexClient
from hex_assets.hex.errors import (
    HexAuthError,
    HexError,
    HexForbidden,
    HexNotFound,
    HexRateLimited,
)
from hex_assets.hex.models import Me, Project
from hex_assets.probe import Finding

EXPIRY_WARNING = timedelta(days=7)
"""Hex itself mails 72 and 24 hours before: too late for a token that an admin has to make."""
NEW_TOKEN = "make a new token in Hex (Settings > API keys) and put it into the variable of `token`"


@dataclass(frozen=True)
class Scope:
    """One right of a token, tried by a cheap call."""

    name: str
    attempt: Callable[[HexClient, Sequence[Project]], None]
    lost: str | None
    """What is missing without it; None: hex_assets does not use it."""
    mend: str
    needed: bool = True
    """False: many plans lack it, so its lack is told and is no warning."""


def probe(client: HexClient, now: datetime | None = None) -> list[Finding]:
    """Try host, token, its expiry, what it sees and each scope; writes nothing.

    About a dozen calls and one for each hundred projects, each tried once.
    """
    with client.impatient() as impatient:
        return _findings(impatient, now or datetime.now(timezone.utc))


def _findings(client: HexClient, now: datetime) -> list[Finding]:
    me, findings = _who(client)
    findings += _token(client, me, now)
    if any(finding.status == "failure" for finding in findings):
        return findings
    projects, listed = _projects(client)
    findings.append(listed)
    if projects is not None:
        findings += [_scope(client, scope, projects) for scope in SCOPES]
    return [*findings, _rate(client)]


def _who(client: HexClient) -> tuple[Me | None, list[Finding]]:
    """The first call tells most causes apart."""
    reached = Finding("hex", "ok", f"{client.host} answers as Hex does")
    try:
        return client.me(), [reached]
    except HexAuthError as error:
        return None, [reached, _refused(client, error)]
    except HexRateLimited as error:
        limit = Finding("hex rate limit", "failure", f"{client.host}: {error.message}", error.mend)
        return None, [reached, limit]
    except HexForbidden as error:
        unknown = f"its expiry cannot be read: {error.message}"
        return None, [reached, Finding("hex token", "warning", unknown, error.mend)]
    except HexError as error:
        return None, [Finding("hex", "failure", error.message, error.mend)]


def _refused(client: HexClient, error: HexAuthError) -> Finding:
    if "expired" in error.message.lower() and "invalid" not in error.message.lower():
        detail, mend = f"the token has expired (Hex: {error.message})", NEW_TOKEN
    elif not client.token_is_whole:
        detail = (
            f"Hex refuses the token (Hex: {error.message}), and it is not shaped like one:"
            " hxtp_ or hxtw_ and 96 hexadecimal digits"
        )
        mend = "copy the whole token, without quotes or blanks, into the variable of `token`"
    else:
        detail = (
            f"Hex refuses the token (Hex: {error.message}): it was revoked, has expired, or belongs"
            f" to a workspace of another host than {client.host}"
        )
        mend = f"check hex.hostPort; else {NEW_TOKEN}"
    return Finding("hex token", "failure", detail, mend)


def _token(client: HexClient, me: Me | None, now: datetime) -> list[Finding]:
    if client.token_warning:
        mend = "set hex.tokenType to what the token is"
        kind = Finding("hex token type", "warning", client.token_warning, mend)
    else:
        kind = Finding("hex token type", "ok", f"a {client.token_type} token, as in the settings")
    if me is None:
        return [kind]
    owner = me.email or "the workspace"
    expires = me.token.exp if me.token else None
    if expires is None:
        return [kind, Finding("hex token", "ok", f"accepted, of {owner}; Hex tells no expiry")]
    until = f"of {owner}, expires on {expires:%Y-%m-%d %H:%M} UTC"
    if expires - now > EXPIRY_WARNING:
        return [kind, Finding("hex token", "ok", f"accepted, {until}")]
    left = max(expires - now, timedelta())
    text = f"accepted, {until}: in {left.days} days and {left.seconds // 3600} hours"
    return [kind, Finding("hex token", "warning", text, NEW_TOKEN)]


def _projects(client: HexClient) -> tuple[list[Project] | None, Finding]:
    check = "hex projects"
    try:
        projects = client.list_projects(include_sharing=False)
    except HexForbidden as error:
        mend = "give the token the scope Read projects; without it nothing works"
        return None, Finding(check, "failure", error.message, mend)
    except HexError as error:
        return None, Finding(check, "failure", error.message, error.mend)
    counts = {
        "components": sum(project.type == "COMPONENT" for project in projects),
        "never published": sum(project.last_published_at is None for project in projects),
        "archived": sum(project.archived_at is not None for project in projects),
        "in the trash": sum(project.trashed_at is not None for project in projects),
    }
    named = ", ".join(f"{count} {name}" for name, count in counts.items())
    detail = f"sees {len(projects)} projects and components ({named})"
    if not projects:
        mend = "share projects with the token's user, or use a workspace token with Read projects"
        return projects, Finding(check, "warning", detail, mend)
    if client.token_kind == "personal":
        detail += "; a personal token sees only what its user may see"
    return projects, Finding(check, "ok", detail)


def _scope(client: HexClient, scope: Scope, projects: Sequence[Project]) -> Finding:
    check = f"hex {scope.name}"
    try:
        scope.attempt(client, projects)
    except LookupError as error:
        return Finding(check, "ok", f"not tried: {error}")
    except (HexForbidden, HexNotFound) as error:  # 404 also means "not permitted" in Hex
        if scope.lost is None:
            return Finding(check, "ok", "not granted, and not needed: hex_assets does not read it")
        if not scope.needed:
            return Finding(check, "ok", f"not granted: {scope.lost}; {scope.mend}")
        return Finding(check, "warning", f"{error.message}. Without it: {scope.lost}", scope.mend)
    except HexError as error:
        return Finding(check, "warning", f"could not be tried: {error.message}", error.mend)
    return Finding(check, "ok", "granted")


def _rate(client: HexClient) -> Finding:
    ours = (
        f"at most {client.requests_per_minute:g} requests a minute are sent,"
        f" {client.api_group_requests_per_minute:g} for cells, users and export"
    )
    told = ", ".join(f"{name}: {value}" for name, value in sorted(client.rate_headers.items()))
    return Finding("hex rate limit", "ok", f"{ours}; Hex's answers say {told or 'nothing of it'}")


def _sharing(client: HexClient, projects: Sequence[Project]) -> None:
    client.touch("/v1/projects", {"includeSharing": True, "limit": 1})


def _cells(client: HexClient, projects: Sequence[Project]) -> None:
    if not projects:
        raise LookupError("there is no project")
    client.touch("/v1/cells", {"projectId": _liveliest(projects).id, "limit": 1}, newer=True)


def _export(client: HexClient, projects: Sequence[Project]) -> None:
    if not projects:
        raise LookupError("there is no project")
    client.export(_liveliest(projects).id, "draft")


def _queried(client: HexClient, projects: Sequence[Project]) -> None:
    published = [p for p in projects if p.last_published_at and p.type == "PROJECT"]
    if not published:
        raise LookupError("there is no published project")
    client.touch(f"/v1/projects/{_liveliest(published).id}/queriedTables", {"limit": 1})


def _listing(path: str, *, newer: bool = False) -> Callable[[HexClient, Sequence[Project]], None]:
    return lambda client, projects: client.touch(path, {"limit": 1}, newer=newer)


def _liveliest(projects: Sequence[Project]) -> Project:
    """One that is neither archived nor in the trash, if there is one."""
    alive = [p for p in projects if p.archived_at is None and p.trashed_at is None]
    return (alive or list(projects))[0]


def _grant(name: str) -> str:
    return f"give the token the scope {name}, if it is wanted"


SCOPES = (
    Scope(
        "sharing",
        _sharing,
        "collections stay unknown: no collection tags, and projectFilterPattern matches none",
        "give the token's user or scopes the right to see sharing (Read collections)",
    ),
    Scope(
        "cells",
        _cells,
        "no charts, no data models, no column lineage in the catalog; table lineage stays",
        "give the token the scope Read projects, and let its user open the projects' notebooks",
    ),
    Scope(
        "export",
        _export,
        "which projects import which component stays unknown, and cellsOf cannot be published",
        "ask Hex whether the plan has project export, and let the token's user export",
    ),
    Scope(
        "queried tables",
        _queried,
        "edges do not say whether Hex lists the table too; lineage from the logs stays",
        "only the Enterprise plan has them: set hex.queriedTables to false, or "
        + _grant("Read project queried tables"),
        needed=False,
    ),
    Scope("users", _listing("/v1/users", newer=True), None, _grant("Users read")),
    Scope("groups", _listing("/v1/groups"), None, _grant("Groups read")),
    Scope("collections", _listing("/v1/collections"), None, _grant("Collections read")),
    Scope("data connections", _listing("/v1/data-connections"), None, _grant("Connections read")),
)
