"""Athena: its query-execution API, by workgroups or by events of CloudTrail or EventBridge."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from hex_assets.probe import Finding
from hex_assets.secret import UnsetVariable
from hex_assets.warehouses.athena_client import DOCUMENT, AwsClients, AwsSettings
from hex_assets.warehouses.athena_details import (
    Tally,
    ended,
    executions,
    succeeded,
    text_of,
)
from hex_assets.warehouses.athena_files import CloudTrailFiles, DayFiles, StateEventFiles
from hex_assets.warehouses.athena_ids import CloudTrailLookup, Finder, Started, Workgroups
from hex_assets.warehouses.base import (
    MARKER,
    CannotConnect,
    LogSourceError,
    Losses,
    Position,
    Window,
)
from hex_assets.warehouses.reading import batches
from hex_assets.warehouses.vendor import as_utc

LAGS = {
    "workgroups": timedelta(minutes=1),
    "cloudTrail": timedelta(minutes=20),
    "cloudTrailFiles": timedelta(minutes=30),
    "stateEventFiles": timedelta(minutes=20),
}
"""CloudTrail: "an average of about 5 minutes", not guaranteed; Firehose: up to 15 of buffering."""
RETENTION = timedelta(days=45)
"""Athena keeps the query history for 45 days (its documentation); every way needs it."""
TRAIL_FOLDER = re.compile(r"s3://[a-z0-9][a-z0-9.-]+/(.+/)?AWSLogs/([^/]+/)?\d{12}/CloudTrail/?")
EVENT_FOLDER = re.compile(r"s3://[a-z0-9][a-z0-9.-]+(/.*)?")


class AthenaSettings(AwsSettings):
    """Athena in one region. Without keys, boto3's own chain of credentials is used."""

    dialect: ClassVar[str] = "athena"

    type: Literal["athena"]
    workgroups: tuple[str, ...] = Field(default=(), description="empty: all")
    findWith: Literal["workgroups", "cloudTrail", "cloudTrailFiles", "stateEventFiles"] = Field(
        default="workgroups", description="what tells which executions there were"
    )
    cloudTrailFiles: str | None = Field(
        default=None,
        description="folder of a trail, s3://BUCKET/[PREFIX/]AWSLogs/[ORGANISATION/]ACCOUNT/CloudTrail",
    )
    stateEventFiles: str | None = Field(
        default=None,
        description="folder of EventBridge's state events by Firehose, s3://BUCKET/PREFIX",
    )

    @field_validator("cloudTrailFiles")
    @classmethod
    def _trail_folder(cls, value: str | None) -> str | None:
        if value and not TRAIL_FOLDER.fullmatch(value):
            raise ValueError(
                "must be s3://BUCKET/[PREFIX/]AWSLogs/[ORGANISATION/]ACCOUNT/CloudTrail, "
                f"without the region, not {value!r}"
            )
        return value

    @field_validator("stateEventFiles")
    @classmethod
    def _event_folder(cls, value: str | None) -> str | None:
        if value and not EVENT_FOLDER.fullmatch(value):
            raise ValueError(f"must be s3://BUCKET/PREFIX, not {value!r}")
        return value

    @model_validator(mode="after")
    def _has_folder(self) -> AthenaSettings:
        for way in ("cloudTrailFiles", "stateEventFiles"):
            if self.findWith == way and not getattr(self, way):
                raise ValueError(f"`findWith: {way}` needs the folder `{way}: s3://...`")
        return self

    def source(self, name: str) -> AthenaLog:
        """The query history of the region; connects to nothing yet."""
        return AthenaLog(name, self)


class AthenaLog:
    """The query history of some workgroups."""

    dialect = "athena"
    retention: timedelta | None = RETENTION

    def __init__(self, name: str, settings: AthenaSettings) -> None:
        self.name = name
        self.settings = settings
        self.lag = LAGS[settings.findWith]
        self._clients = AwsClients(name, settings)
        self._counted: tuple[Window, Losses] | None = None

    def read(self, window: Window, resume: Position | None = None) -> Iterator[pa.RecordBatch]:
        """Read the window's executions; see `LogSource.read`.

        The API cannot filter and documents no order: the texts pass through memory one page of 50
        at a time, Hex's are kept and sorted when the window is whole.
        """
        rows = [
            self._row(start, execution)
            for start, execution in self._walk(window)
            if succeeded(execution) and MARKER in text_of(execution)
        ]
        rows.sort(key=_key)
        after = (resume.ended_at, resume.query_id) if resume else None
        yield from batches(row for row in rows if after is None or _key(row) > after)

    def _row(self, start: Started, execution: Mapping[str, Any]) -> dict[str, Any]:
        context = execution.get("QueryExecutionContext") or {}
        return {
            "warehouse": self.name,
            "dialect": self.dialect,
            "query_id": execution["QueryExecutionId"],
            "text": text_of(execution),
            "started_at": as_utc(execution["Status"]["SubmissionDateTime"]),
            "ended_at": ended(execution),
            "user": start.user,
            "role": execution.get("WorkGroup"),
            "default_catalog": context.get("Catalog"),
            "default_schema": context.get("Database"),
            "status": "success",
            "engine_hash": None,
            "engine_inputs": None,
            "engine_outputs": None,
            "truncated": False,
        }

    def losses(self, window: Window) -> Losses:
        """Count failed and empty statements, those of Hex without a comment, and the forgotten.

        A read of the same window just before has counted them already: calls are what costs here.
        """
        if self._counted is None or self._counted[0] != window:
            for _ in self._walk(window):
                pass
        assert self._counted is not None  # a whole walk leaves it
        return self._counted[1]

    def probe(self) -> list[Finding]:
        """Find and read the executions of the last day, and count Hex's."""
        end = datetime.now(timezone.utc) - self.lag
        window = Window(end - timedelta(days=1), end)
        try:
            with self._clients.errors():
                place = self._finder().place()
            found = [MARKER in text_of(execution) for _, execution in self._walk(window)]
        except (CannotConnect, UnsetVariable) as error:
            return [Finding("login", "failure", str(error), "check region, keys and endpoint")]
        except LogSourceError as error:
            mend = error.mend or f"check the settings and the rights; {DOCUMENT}"
            return [Finding("query log", "failure", error.problem, mend)]
        gone = self.losses(window).details_gone_count
        detail = (
            f"{sum(found)} Hex queries in a day of {len(found)}, {place}; "
            f"kept {RETENTION.days} days, complete after {self.lag.seconds // 60} min"
            + (f"; no details of {gone}, which Athena has forgotten" if gone else "")
        )
        if any(found):
            return [Finding("query log", "ok", detail)]
        return [Finding("query log", "warning", detail, "check region and workgroups of Hex")]

    def _walk(self, window: Window) -> Iterator[tuple[Started, Mapping[str, Any]]]:
        """Executions that ended in the window, in no order; what is left behind is counted."""
        tally = Tally()
        with self._clients.errors(lambda: tally.pages > 0):
            finder = self._finder()
            athena = self._clients.client("athena")
            yield from executions(athena, finder, window, tally, self._clients.place)
        with_untagged = finder.tells_user and self.settings.hexUser is not None
        self._counted = window, tally.losses(with_untagged=with_untagged)

    def _finder(self) -> Finder:
        settings = self.settings
        clients = self._clients
        if settings.findWith == "workgroups":
            return Workgroups(clients.client("athena"), settings.workgroups)
        if settings.findWith == "cloudTrail":
            lookup = clients.client("cloudtrail")
            return CloudTrailLookup(lookup, settings.workgroups, settings.hexUser)
        if settings.findWith == "cloudTrailFiles":
            folder = f"{str(settings.cloudTrailFiles).rstrip('/')}/{settings.region}"
            files = DayFiles(clients.client("s3"), folder, clients.place)
            return CloudTrailFiles(files, settings.workgroups, settings.hexUser)
        files = DayFiles(clients.client("s3"), str(settings.stateEventFiles), clients.place)
        return StateEventFiles(files, settings.region, settings.workgroups)


def _key(row: Mapping[str, Any]) -> tuple[datetime, str]:
    return row["ended_at"], row["query_id"]
