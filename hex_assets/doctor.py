"""The doctor: tries every outside system of the settings and collects what it finds.

Pure collection: no printing, no Dagster. The systems are independent, so they are tried at the
same time, and one that fails hides no other.
"""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from hex_assets.connection import probe_connection
from hex_assets.probe import Finding
from hex_assets.secret import Secret, UnsetVariable
from hex_assets.settings import HexSettings, OpenMetadataSettings, Settings

if TYPE_CHECKING:
    from hex_assets.hex.client import HexClient
    from hex_assets.warehouses.base import WarehouseSettings

CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
"""A person waits: shorter than the runs' own time-outs."""


@dataclass(frozen=True)
class Section:
    """What was found about one system: `Hex`, `warehouse sales`, `OpenMetadata`, `storage`."""

    system: str
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> bool:
        """Whether something must be mended."""
        return any(finding.status == "failure" for finding in self.findings)


def diagnose(
    settings: Settings,
    *,
    connect_seconds: float = CONNECT_SECONDS,
    read_seconds: float = READ_SECONDS,
) -> tuple[Section, ...]:
    """Try everything that the settings name; raises nothing for what it finds.

    Args:
        settings: validated settings; environment variables may be unset.
        connect_seconds: for each connection to Hex or OpenMetadata.
        read_seconds: for each of their answers.

    Returns:
        A section for each system, in the order in which the data goes. No secret is in any text.
    """
    doctor = _Doctor(settings, connect_seconds, read_seconds)
    work: dict[str, Callable[[], list[Finding]]] = {
        "Hex": doctor.hex,
        **{
            f"warehouse {name}": lambda name=name, found=found: _warehouse(name, found)  # type: ignore[misc]
            for name, found in settings.warehouses.items()
        },
        "OpenMetadata": doctor.openmetadata,
        "storage": lambda: [probe_storage(settings.storage.path)],
    }
    hidden = tuple(_secrets(settings))
    with ThreadPoolExecutor(len(work)) as pool:
        running = {system: pool.submit(_guarded, each) for system, each in work.items()}
        done = {system: future.result() for system, future in running.items()}
    checked = {"settings": _settings(settings)} | done
    return tuple(
        Section(system, tuple(_without(finding, hidden) for finding in findings))
        for system, findings in checked.items()
    )


class _Doctor:
    """The probes that share something: the catalog is asked for the owners that Hex listed."""

    def __init__(self, settings: Settings, connect_seconds: float, read_seconds: float) -> None:
        self.settings = settings
        self.connect_seconds = connect_seconds
        self.read_seconds = read_seconds
        self._projects: Future[list[Mapping[str, Any]]] = Future()
        """Rows of hex/projects; empty where Hex could not be read."""

    def hex(self) -> list[Finding]:
        projects: list[Mapping[str, Any]] = []
        try:
            findings: list[Finding] = []
            for found in self._hex(projects):
                findings.append(found)
            return findings
        finally:
            self._projects.set_result(projects)

    def _hex(self, projects: list[Mapping[str, Any]]) -> Iterator[Finding]:
        from hex_assets.hex.errors import HexError
        from hex_assets.hex.frames import read_projects
        from hex_assets.hex.probe import probe

        try:
            client = _hex_client(self.settings.hex, self.connect_seconds, self.read_seconds)
        except UnsetVariable as error:
            yield _unset("hex token", error)
            return
        with client:
            probed = probe(client)
            yield from probed
            if any(finding.status == "failure" for finding in probed):
                return
            try:
                seen = read_projects(client, datetime.now(timezone.utc))
            except HexError as error:
                yield Finding("hex projects as read", "failure", error.message, error.mend)
                return
        projects.extend(seen.table.to_pylist())
        if projects:
            yield _filters(projects, self.settings.openmetadata)

    def openmetadata(self) -> list[Finding]:
        settings = self.settings.openmetadata
        if settings is None:
            return [Finding("settings", "ok", "no catalog is configured: nothing is published")]
        findings = [
            probe_connection(
                settings.hostPort.removesuffix("/v1").removesuffix("/api"),
                "/api/v1/system/version",
                key="openmetadata.hostPort",
                example="https://catalog.example.com/api",
                connect_seconds=self.connect_seconds,
                read_seconds=self.read_seconds,
            )
        ]
        try:
            token = settings.token.value()
        except UnsetVariable as error:
            return [*findings, _unset("token", error)]
        if findings[0].status == "failure":
            return findings
        return findings + self._catalog(settings, token)

    def _catalog(self, settings: OpenMetadataSettings, token: str) -> list[Finding]:
        from hex_assets.openmetadata.client import OpenMetadataClient
        from hex_assets.openmetadata.errors import OpenMetadataError
        from hex_assets.openmetadata.owners import find_owners
        from hex_assets.openmetadata.probe import probe

        client = OpenMetadataClient(settings.hostPort, token, retries=0)
        try:
            findings = probe(client, self.settings.database_services())
            findings.extend(_unnamed_services(self.settings))
            if any(each.check == "login" and each.status == "ok" for each in findings):
                emails = {row["owner_email"] for row in self._projects.result()} - {None}
                try:
                    owners = find_owners(client, emails)
                except OpenMetadataError as error:
                    findings.append(Finding("owners", "failure", str(error), "see the message"))
                else:
                    findings.append(_owners(emails, list(owners.unknown)))
            return findings
        finally:
            client.close()


def probe_storage(path: str) -> Finding:
    """Write, read and remove a small file where the tables live."""
    import fsspec

    name = f".hex_assets_doctor_{uuid.uuid4().hex}"
    mend = "let this user write there, or set storage.path to another folder or URL"
    try:
        files, folder = fsspec.core.url_to_fs(path)
        files.makedirs(folder, exist_ok=True)
        probe_file = f"{folder.rstrip('/')}/{name}"
        with files.open(probe_file, "wb") as file:
            file.write(name.encode())
        try:
            with files.open(probe_file, "rb") as file:
                same = file.read() == name.encode()
        finally:
            files.rm_file(probe_file)
    except ImportError as error:
        return Finding("storage.path", "failure", f"{path}: {error}", "pip install what it names")
    except Exception as error:  # every file system has errors of its own
        detail = f"{path} is not writable: {type(error).__name__}: {error}"
        return Finding("storage.path", "failure", detail, mend)
    if not same:
        return Finding("storage.path", "failure", f"{path} gave other bytes back", mend)
    return Finding("storage.path", "ok", f"{path}: written, read and removed a file")


def _hex_client(settings: HexSettings, connect_seconds: float, read_seconds: float) -> HexClient:
    from hex_assets.hex.client import HexClient
    from hex_assets.hex.transport import Limits

    token = settings.token.value()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the client's probe says it as a finding
        return HexClient(
            host=settings.hostPort,
            token=token,
            token_type=settings.tokenType,
            requests_per_minute=settings.requestsPerMinute,
            api_group_requests_per_minute=settings.apiGroupRequestsPerMinute,
            # The probe itself tries once; the listing after it waits where Hex's limit is reached.
            limits=Limits(connect_seconds=connect_seconds, read_seconds=read_seconds, retries=2),
        )


def _filters(projects: list[Mapping[str, Any]], settings: OpenMetadataSettings | None) -> Finding:
    """How many of the listed projects are published."""
    from hex_assets.openmetadata.desired import left_out

    if settings is None:
        return Finding("filters", "ok", f"{len(projects)} projects and components; no filters")
    dropped = [reason for row in projects if (reason := left_out(row, settings))]
    counts = ", ".join(f"{dropped.count(reason)} {reason}" for reason in dict.fromkeys(dropped))
    kept = f"{len(projects) - len(dropped)} of {len(projects)} projects are published"
    if projects and len(dropped) == len(projects):
        mend = "look at `hex-assets projects --match` and loosen the filters"
        return Finding("filters", "failure", f"{kept}: {counts}", mend)
    if any("FilterPattern" in reason for reason in dropped):
        mend = "if one is missed, `hex-assets projects` shows which filter drops it"
        return Finding("filters", "warning", f"{kept}; dropped: {counts}", mend)
    return Finding("filters", "ok", f"{kept}{f'; dropped: {counts}' if counts else ''}")


def _warehouse(name: str, settings: WarehouseSettings) -> list[Finding]:
    return settings.source(name).probe()


def _unnamed_services(settings: Settings) -> Iterator[Finding]:
    for name, warehouse in settings.warehouses.items():
        if warehouse.openmetadataService is None:
            yield Finding(
                f"service of {name}",
                "warning",
                f"warehouse {name} names no database service of the catalog",
                f"set warehouses.{name}.openmetadataService, so that its tables are found",
            )


def _owners(emails: set[str], unknown: list[str]) -> Finding:
    found = f"{len(emails) - len(unknown)} of {len(emails)} owners have a user in the catalog"
    if not unknown:
        return Finding("owners", "ok", found)
    some = ", ".join(sorted(unknown)[:5]) + (", ..." if len(unknown) > 5 else "")
    mend = "create users with these e-mails in OpenMetadata; their projects stay without owner"
    return Finding("owners", "warning", f"{found}; without: {some}", mend)


def _settings(settings: Settings) -> list[Finding]:
    found = [Finding("settings", "ok", "valid")]
    if not settings.warehouses:
        mend = "add one below `warehouses:`; without one there is no lineage"
        found.append(Finding("warehouses", "warning", "no warehouse is configured", mend))
    return found


def _guarded(work: Callable[[], list[Finding]]) -> list[Finding]:
    """One system's findings; whatever it raises becomes a finding and stops no other system."""
    try:
        return work()
    except UnsetVariable as error:
        return [_unset("secret", error)]
    except Exception as error:
        mend = getattr(error, "mend", None) or "see the message; if it says nothing, report it"
        detail = getattr(error, "problem", None) or f"{type(error).__name__}: {error}"
        return [Finding("probe", "failure", str(detail), str(mend))]


def _unset(check: str, error: UnsetVariable) -> Finding:
    return Finding(
        check,
        "failure",
        f"environment variable {error.name} is not set",
        f"export {error.name}, or put it into .env",
    )


def _secrets(value: object) -> Iterator[str]:
    """Every secret of the settings that is set now."""
    if isinstance(value, Secret):
        try:
            yield value.value()
        except UnsetVariable:
            return  # reported by the system that needs it
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _secrets(each)


def _without(finding: Finding, hidden: tuple[str, ...]) -> Finding:
    for secret in hidden:
        detail = finding.detail.replace(secret, "***")
        mend = finding.mend.replace(secret, "***") if finding.mend else None
        finding = replace(finding, detail=detail, mend=mend)
    return finding
