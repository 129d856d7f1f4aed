"""PostgreSQL's log files, wherever fsspec can read: a disk, S3, Cloud Storage, compressed or not.

For servers whose log is no table and no query: RDS and Aurora (downloaded), Cloud SQL and AlloyDB
(a sink of Cloud Logging), and any server whose files are copied off.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator, model_validator

from hex_assets.probe import Finding
from hex_assets.warehouses.base import BrokenRead, CannotConnect, CannotRead, WarehouseSettings
from hex_assets.warehouses.postgres_lines import Clock, CsvLayout, JsonLayout, Layout, TimeZone
from hex_assets.warehouses.postgres_prefix import (
    CLOUD_SQL_PREFIX,
    RDS_PREFIX,
    CloudLayout,
    PrefixLayout,
    prefix_pattern,
)
from hex_assets.warehouses.postgres_scan import DOCS, FileLog, LogFile

CHUNK = 4 * 1024 * 1024
"""Bytes read at once."""
LAG_MINUTES = {"cloudLogging": 180}
"""A sink writes a file an hour; late entries come within three hours, as Google documents."""
MODIFIED_KEYS = ("mtime", "LastModified", "last_modified", "updated", "modified")
"""What a listing calls the last change: local, S3, Azure, Cloud Storage, SFTP."""


class PostgresFilesSettings(WarehouseSettings):
    """The log files of a PostgreSQL server."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    dialect: ClassVar[str] = "postgres"

    type: Literal["postgresFiles"]
    files: list[str] = Field(
        min_length=1,
        description="paths, patterns such as /var/log/postgresql/*.csv, or fsspec URLs of them; "
        ".gz, .bz2, .xz and .zst are uncompressed",
    )
    format: Literal["csvlog", "jsonlog", "stderr", "cloudLogging"] = Field(
        default="csvlog",
        description="cloudLogging: entries of Cloud SQL or AlloyDB that a sink wrote to a bucket",
    )
    logLinePrefix: str | None = Field(
        default=None,
        description="the server's log_line_prefix, for stderr and cloudLogging; "
        f"by default `{RDS_PREFIX}` (RDS) and `{CLOUD_SQL_PREFIX.strip()}`",
    )
    logTimezone: TimeZone = Field(default="UTC", description="the server's log_timezone")
    lagMinutes: int | None = Field(
        default=None,
        ge=1,
        description="minutes until a line is in the files; by default 5, for cloudLogging 180",
    )
    defaultSchema: str | None = Field(
        default="public", description="first schema of Hex's search_path; the log does not tell it"
    )
    retentionDays: int | None = Field(
        default=None, ge=1, description="how long log files are kept: older windows are refused"
    )

    @field_validator("files")
    @classmethod
    def _no_password(cls, files: list[str]) -> list[str]:
        for file in files:
            if "://" in file and urlsplit(file).password:
                raise ValueError("a URL must not hold a password: put it where fsspec looks for it")
        return files

    @model_validator(mode="after")
    def _readable_prefix(self) -> PostgresFilesSettings:
        if self.logLinePrefix is not None:
            if self.format not in ("stderr", "cloudLogging"):
                raise ValueError(f"logLinePrefix: a {self.format} has none")
            prefix_pattern(self.logLinePrefix)
        return self

    def layout(self) -> Layout:
        """How these files are written."""
        clock = Clock(self.logTimezone)
        if self.format == "csvlog":
            return CsvLayout(clock)
        if self.format == "jsonlog":
            return JsonLayout(clock)
        if self.format == "stderr":
            return PrefixLayout(self.logLinePrefix or RDS_PREFIX, clock)
        return CloudLayout(PrefixLayout(self.logLinePrefix or CLOUD_SQL_PREFIX, clock))

    def source(self, name: str) -> PostgresFiles:
        """The log source of these settings; reads nothing yet."""
        return PostgresFiles(
            name=name,
            settings=self,
            layout=self.layout(),
            lag=timedelta(minutes=self.lagMinutes or LAG_MINUTES.get(self.format, 5)),
            retention_days=self.retentionDays,
        )


@dataclass(frozen=True)
class PostgresFiles(FileLog):
    """The log of one PostgreSQL server, all its databases, as files."""

    settings: PostgresFilesSettings

    def place(self) -> str:
        """The patterns."""
        return ", ".join(self.settings.files)

    def format_mend(self) -> str:
        """What to do about records that cannot be read."""
        keys = "`format`, `logTimezone`"
        if self.settings.format in ("stderr", "cloudLogging"):
            keys += ", `logLinePrefix` (SHOW log_line_prefix)"
        return f"look at that line and compare it with {keys}; {DOCS}"

    def probe(self) -> list[Finding]:
        """As of every log in files, and each pattern that finds none."""
        try:
            empty = [pattern for pattern in self.settings.files if not self._found(pattern)]
        except (CannotRead, CannotConnect) as error:
            return [Finding("files", "failure", error.problem, error.mend)]
        findings = [
            Finding("files", "warning", f"{pattern} finds no file", "check it, or take it out")
            for pattern in empty
            if len(empty) < len(self.settings.files)
        ]
        return [*findings, *super().probe()]

    @contextmanager
    def listed(self) -> Iterator[list[LogFile]]:
        """All files of the patterns, each once, by name."""
        found = {
            file.name: file for pattern in self.settings.files for file in self._found(pattern)
        }
        if not found:
            raise CannotRead(
                f"warehouse {self.name}: no file matches {self.place()}",
                f"check `files`, and that the server writes there (log_directory); {DOCS}",
            )
        yield [found[name] for name in sorted(found)]

    def _found(self, pattern: str) -> list[LogFile]:
        import fsspec

        place = f"warehouse {self.name}: {pattern}"
        try:
            system, path = fsspec.core.url_to_fs(pattern)
            system.invalidate_cache()  # a listing of the day before has not today's files
            if any(sign in path for sign in "*?["):
                listing = system.glob(path, detail=True)
            else:
                listing = {path: system.info(path)}
            return [
                LogFile(
                    name=system.unstrip_protocol(name) if "://" in pattern else name,
                    modified=_modified(system, name, info),
                    chunks=partial(self._chunks, system, name),
                )
                for name, info in listing.items()
                if info["type"] == "file"
            ]
        except ImportError as error:
            raise CannotConnect(f"{place}: {error}", "pip install what it names") from None
        except FileNotFoundError:
            mend = f"check `files`, and that the server writes there (log_directory); {DOCS}"
            raise CannotRead(f"{place}: there is no such file", mend) from None
        except PermissionError as error:
            raise CannotRead(f"{place}: {_said(error)}", self._grant(pattern)) from None
        except Exception as error:  # every file system has errors of its own
            mend = "check the URL, the network, and the credentials in the environment"
            raise CannotConnect(f"{place}: {_said(error)}", mend) from None

    def _chunks(self, system: Any, name: str) -> Iterator[bytes]:
        from fsspec.utils import infer_compression

        place = f"warehouse {self.name}: {name}"
        compression = infer_compression(name)
        if compression is None and name.endswith((".zst", ".zstd")):
            raise CannotRead(f"{place}: zstd is not installed", "pip install zstandard")
        try:
            with system.open(name, "rb", compression=compression) as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except PermissionError as error:
            raise CannotRead(f"{place}: {_said(error)}", self._grant(name)) from None
        except FileNotFoundError:
            raise BrokenRead(f"{place}: was removed while it was read; run it again") from None
        except (EOFError, zlib.error, lzma.LZMAError) as error:
            mend = "it is torn: compress or copy it again"
            raise CannotRead(f"{place}: {_said(error)}", mend) from None
        except Exception as error:
            raise BrokenRead(f"{place}: the read broke off: {_said(error)}; run it again") from None

    def _grant(self, place: str) -> str:
        if place.startswith("s3://"):
            return "allow s3:ListBucket on the bucket and s3:GetObject on its objects"
        if place.startswith(("gs://", "gcs://")):
            return "grant roles/storage.objectViewer on the bucket"
        return (
            "let the user that runs this read them: log_file_mode = 0640 on the server, and the "
            f"user in the group of its files; {DOCS}"
        )


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _modified(system: Any, name: str, info: dict[str, Any]) -> datetime | None:
    value = next((info[key] for key in MODIFIED_KEYS if info.get(key) is not None), None)
    if value is None:
        try:
            value = system.modified(name)
        except NotImplementedError:
            return None
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, timezone.utc)
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    assert isinstance(value, datetime)
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
