"""Owners by e-mail: users first, then teams; letter case does not count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hex_assets.openmetadata.client import CONNECTIONS, OpenMetadataClient
from hex_assets.openmetadata.entities import Ref
from hex_assets.openmetadata.errors import OpenMetadataError

_SEARCHES = (("user", "user_search_index"), ("team", "team_search_index"))


@dataclass(frozen=True)
class Owners:
    """Who owns what in the catalog, by e-mail in lower case."""

    refs: Mapping[str, Ref]
    unknown: Mapping[str, str]
    """E-mails without one owner in the catalog, and why."""
    notes: tuple[str, ...] = ()
    """What went another way than usual, for the run's report."""

    def ref(self, email: str | None) -> Ref | None:
        """The owner with this e-mail."""
        return self.refs.get(email.casefold()) if email else None


def find_owners(client: OpenMetadataClient, emails: Iterable[str]) -> Owners:
    """Find users and teams by search; what it does not find, or all if it is down, by listing.

    Search lags behind writes and may have no index at all, so "not found" is believed only of
    the listing.
    """
    wanted = sorted({email.casefold() for email in emails if email})
    refs: dict[str, Ref] = {}
    notes: list[str] = []
    try:
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            for email, ref in zip(
                wanted, pool.map(lambda e: _search(client, e), wanted), strict=True
            ):
                if ref:
                    refs[email] = ref
    except OpenMetadataError as error:
        refs.clear()
        notes.append(f"search is not available, owners were found by listing: {error}")
    missing = [email for email in wanted if email not in refs]
    unknown: dict[str, str] = {}
    if missing:
        listed = _list(client)
        for email in missing:
            found = listed.get(email, [])
            if len(found) == 1:
                refs[email] = found[0]
            elif found:
                names = ", ".join(sorted(ref.fqn for ref in found))
                unknown[email] = f"{email} fits {len(found)} users or teams of the catalog: {names}"
            else:
                unknown[email] = f"no user or team of the catalog has the e-mail {email}"
    return Owners(refs, unknown, tuple(notes))


def _search(client: OpenMetadataClient, email: str) -> Ref | None:
    escaped = email.replace("\\", "\\\\").replace('"', '\\"')
    for kind, index in _SEARCHES:
        query = f'email.keyword:"{escaped}"'
        answer = client.get("/search/query", q=query, index=index, **{"from": 0, "size": 2})
        hits = [
            hit["_source"]
            for hit in answer.get("hits", {}).get("hits", [])
            if str(hit["_source"].get("email", "")).casefold() == email
        ]
        if len(hits) == 1:
            name = hits[0].get("fullyQualifiedName") or hits[0]["name"]
            return Ref(hits[0]["id"], kind, name)
    return None


def _list(client: OpenMetadataClient) -> Mapping[str, list[Ref]]:
    found: defaultdict[str, list[Ref]] = defaultdict(list)
    for kind, path in (("user", "/users"), ("team", "/teams")):
        people: defaultdict[str, list[Ref]] = defaultdict(list)
        for entity in client.listing(path):
            if email := entity.get("email"):
                name = entity.get("fullyQualifiedName") or entity["name"]
                people[email.casefold()].append(Ref(entity["id"], kind, name))
        for email, refs in people.items():
            if not found[email]:
                found[email] = refs
    return found
