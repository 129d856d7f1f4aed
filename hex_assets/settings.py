"""`hex_assets.yaml` as typed settings. Its keys are those of OpenMetadata's Hex connector.

The file is `hex_assets.yaml` in the working directory; the environment variable
`HEX_ASSETS_CONFIG` names another. A secret is only ever `{env: NAME}`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import click
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    field_validator,
)

from hex_assets.secret import Secret
from hex_assets.warehouses.base import WarehouseSettings
from hex_assets.warehouses.registry import warehouse_settings

CONFIG_VARIABLE = "HEX_ASSETS_CONFIG"
DEFAULT_FILE = "hex_assets.yaml"


class SettingsError(click.ClickException):
    """The settings cannot be used. A click exception: every command line ends with code 2."""

    exit_code = 2


def _http_url(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError(f"needs a scheme and a host, such as https://app.hex.tech, not {value!r}")
    if url.username or url.password:
        raise ValueError("must not hold a user or a password; a token is a setting of its own")
    return value.rstrip("/")


def _regex(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from None
    return value


def _owner(value: str) -> str:
    if not re.fullmatch(r"team:[A-Za-z0-9_.-]+|[^@\s:]+@[^@\s]+\.[^@\s]+", value):
        raise ValueError(f"{value!r} is neither an e-mail nor team:NAME")
    return value


Owner = Annotated[str, AfterValidator(_owner)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Regex = Annotated[str, AfterValidator(_regex)]
Warehouse = Annotated[SerializeAsAny[WarehouseSettings], BeforeValidator(warehouse_settings)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FilterPattern(_Model):
    """Regular expressions tried from the start of a name, ignoring case, as OpenMetadata does."""

    includes: tuple[Regex, ...] = Field(
        default=(), description="keep a name that one of these matches; empty keeps all"
    )
    excludes: tuple[Regex, ...] = Field(
        default=(), description="then drop a name that one of these matches"
    )

    def keeps(self, name: str) -> bool:
        """Whether a name passes: some include matches (or there is none), and no exclude does."""
        included = not self.includes or any(
            re.match(pattern, name, re.IGNORECASE) for pattern in self.includes
        )
        return included and not any(
            re.match(pattern, name, re.IGNORECASE) for pattern in self.excludes
        )


class HexSettings(_Model):
    """The Hex workspace."""

    hostPort: HttpUrl = Field(
        default="https://app.hex.tech", description="own, EU and single-tenant hosts go here"
    )
    tokenType: Literal["personal", "workspace"] = Field(
        default="personal", description="hxtp_ tokens are personal, hxtw_ tokens are workspace"
    )
    token: Secret = Field(default=Secret(env="HEX_TOKEN"), description="the API token")
    requestsPerMinute: int = Field(default=60, ge=1, description="Hex's limit for most of its API")
    apiGroupRequestsPerMinute: int = Field(
        default=30, ge=1, description="Hex's limit for its newer endpoints (cells, users, export)"
    )
    cellsOf: Literal["draft", "published"] = Field(
        default="draft",
        description="which version's cells become charts and data models; `published` needs Hex's "
        "export and a second request a project; after a change run hex/cells with refresh",
    )
    latestRuns: bool = Field(
        default=True,
        description="ask for the latest run of each project with a schedule: a request each",
    )
    queriedTables: bool = Field(
        default=True,
        description="ask for Hex's own list of queried tables, a cross-check of the logs; only the "
        "Enterprise plan has it, without it one call a run is refused",
    )


class OpenMetadataSettings(_Model):
    """The catalog and what is published to it."""

    hostPort: HttpUrl = Field(description="the server, such as https://catalog.example.com/api")
    token: Secret = Field(
        default=Secret(env="OPENMETADATA_JWT_TOKEN"), description="a bot's JWT token"
    )
    serviceName: str = Field(
        default="hex",
        min_length=1,
        pattern=r"^[^:\"]+$",
        description="name of the dashboard service",
    )
    dbServiceNames: tuple[str, ...] = Field(
        default=(), description="database services to resolve in; empty: those of the warehouses"
    )
    includeTags: bool = Field(default=True, description="status, categories, collections as tags")
    includeOwners: bool = Field(default=True, description="owners by e-mail")
    includeDataModels: bool = Field(default=True, description="a data model for each SQL cell")
    dataModelType: str = Field(
        default="MetabaseDataModel",
        description="type of those data models; no OpenMetadata up to 2.0.7 has one for Hex, and "
        "a Metabase model, a saved SQL question, is the nearest that all versions have",
    )
    includeQueriedTables: bool = Field(
        default=False, description="also edges that only Hex's list of queried tables knows"
    )
    includeDraftDashboard: bool = Field(default=True, description="projects never published")
    includeArchived: bool = Field(default=False, description="archived projects")
    markDeletedDashboards: bool = Field(
        default=True, description="soft-delete the dashboards of projects that are gone"
    )
    maxDeletedShare: float = Field(
        default=0.2, ge=0, le=1, description="refuse to delete more than this share of a kind"
    )
    overrideMetadata: bool = Field(
        default=False, description="Hex wins over what people set: description, owners, names"
    )
    overrideLineage: bool = Field(
        default=False, description="also replace edges that other tools or people made"
    )
    dashboardFilterPattern: FilterPattern = Field(
        default=FilterPattern(), description="titles of projects and components"
    )
    projectFilterPattern: FilterPattern = Field(
        default=FilterPattern(), description="names of Hex collections"
    )
    chartFilterPattern: FilterPattern = Field(
        default=FilterPattern(), description="labels of display cells"
    )
    dataModelFilterPattern: FilterPattern = Field(
        default=FilterPattern(), description="labels of SQL cells"
    )
    lookBackDays: int = Field(
        default=30, ge=1, description="days of edges that make up the published lineage"
    )
    dryRun: bool = Field(default=False, description="plan and report, write nothing")


class StorageSettings(_Model):
    """Where the tables live."""

    path: str = Field(
        default="data", description="a folder, or any fsspec URL such as s3://bucket/hex_assets"
    )


class ScheduleSettings(_Model):
    """When the daily runs start (UTC)."""

    hour: int = Field(default=5, ge=0, le=23, description="after the slowest log is complete")
    minute: int = Field(default=15, ge=0, le=59)
    dueHours: int = Field(
        default=6,
        ge=0,
        le=20,
        description="hours after that by which Dagster expects the new day, else it shows the "
        "asset as not fresh; 0: it expects nothing",
    )
    trailingDays: int = Field(
        default=3, ge=1, le=30, description="days read again each night, for rows that came late"
    )


class ExternalAssetsSettings(_Model):
    """Hex's projects in Dagster's own graph."""

    enabled: bool = Field(
        default=False, description="each published project as an external asset, from stored tables"
    )
    cap: int = Field(
        default=200, ge=1, description="at most so many projects, the last viewed first"
    )
    tableKeyTemplate: str = Field(
        default="{schema}/{table}",
        description="asset key of a table, so that it meets dbt's or your own; of {warehouse}, "
        "{service}, {database}, {schema} and {table}",
    )
    lowerCaseKeys: bool = Field(
        default=False, description="asset keys of tables in lower case, as dbt's on Snowflake are"
    )

    @field_validator("tableKeyTemplate")
    @classmethod
    def _template(cls, value: str) -> str:
        known = ("warehouse", "service", "database", "schema", "table")
        for part in value.split("/"):
            if not part:
                raise ValueError(f"{value!r} has an empty part between two slashes")
            try:
                fields = [name for _, name, _, _ in Formatter().parse(part) if name is not None]
            except ValueError as error:
                raise ValueError(f"{value!r} is no template: {error}") from None
            if unknown := [name for name in fields if name not in known]:
                raise ValueError(
                    f"{{{unknown[0]}}} is not known; use {', '.join(f'{{{n}}}' for n in known)}"
                )
        if "{table}" not in value:
            raise ValueError("needs {table}: all tables would have one key")
        return value


class Settings(_Model):
    """All of `hex_assets.yaml`."""

    startDate: date = Field(default=date(2026, 1, 1), description="first daily partition, in UTC")
    owners: tuple[Owner, ...] = Field(
        default=(), description="e-mails or `team:NAME`, shown as owners of the assets in Dagster"
    )
    hex: HexSettings = Field(default=HexSettings(), description="the Hex workspace")
    warehouses: dict[str, Warehouse] = Field(
        default={}, description="a name of your choice -> a warehouse whose log is read"
    )
    openmetadata: OpenMetadataSettings | None = Field(
        default=None, description="the catalog; leave out to derive lineage without publishing"
    )
    storage: StorageSettings = Field(default=StorageSettings())
    schedule: ScheduleSettings = Field(default=ScheduleSettings())
    externalAssets: ExternalAssetsSettings = Field(default=ExternalAssetsSettings())

    @field_validator("warehouses")
    @classmethod
    def _names(cls, value: dict[str, WarehouseSettings]) -> dict[str, WarehouseSettings]:
        for name in value:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
                raise ValueError(
                    f"{name!r} becomes an asset's name: use letters, digits and _, a letter first"
                )
        return value

    @property
    def look_back(self) -> timedelta:
        """How far back edges count for the publication."""
        return timedelta(days=self.openmetadata.lookBackDays if self.openmetadata else 30)

    def database_services(self) -> tuple[str, ...]:
        """The catalog's database services that names are resolved in."""
        if self.openmetadata and self.openmetadata.dbServiceNames:
            return self.openmetadata.dbServiceNames
        named = (warehouse.openmetadataService for warehouse in self.warehouses.values())
        return tuple(dict.fromkeys(name for name in named if name))


def config_path() -> Path:
    """The settings file in force; it need not exist."""
    return Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_FILE)


def load_settings(path: Path | None = None) -> Settings:
    """Read and validate the settings file.

    Raises:
        SettingsError: missing, unreadable or invalid; names every key, its place and the mend.
    """
    path = path or config_path()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"no settings file at {path}; run `hex-assets init`, or set {CONFIG_VARIABLE}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {_yaml_problem(error)}") from None
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise SettingsError(f"{path} must hold keys such as `hex:`, not {type(content).__name__}")
    return parse_settings(content, str(path))


def _yaml_problem(error: yaml.YAMLError) -> str:
    """What and where, without the lines themselves: they may hold a secret by mistake."""
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    problem = getattr(error, "problem", None) or type(error).__name__
    return f"{place}{problem}; check quotes, brackets and indentation there"


def parse_settings(content: Mapping[str, Any], origin: str = "settings") -> Settings:
    """Validate settings given as a mapping.

    Raises:
        SettingsError: names every wrong key, its place and the mend.
    """
    try:
        return Settings.model_validate(dict(content))
    except ValidationError as error:
        problems = "\n".join(f"  {_explain(problem)}" for problem in error.errors())
        raise SettingsError(f"{origin} is not valid:\n{problems}") from None


_MENDS = {
    "extra_forbidden": "is not a known key; check its spelling and indentation",
    "missing": "is required",
}


def _explain(problem: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in problem["loc"]) or "the file"
    if problem["type"] in _MENDS:
        return f"{place}: {_MENDS[problem['type']]}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if place.endswith((".token", ".password")) or problem["loc"][-1:] == ("env",):
        return f"{place}: write a secret as {{env: NAME}}, the name of an environment variable"
    return f"{place}: {message}"
