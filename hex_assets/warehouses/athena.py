"""Athena: the query-execution API of its workgroups, through boto3; there is no log table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from hex_assets.probe import Finding
from hex_assets.secret import Secret, UnsetVariable
from hex_assets.warehouses.base import (
    MARKER,
    BrokenRead,
    CannotConnect,
    CannotRead,
    LogSourceError,
    Losses,
    Position,
    WarehouseSettings,
    Window,
)
from hex_assets.warehouses.reading import batches, without_secrets
from hex_assets.warehouses.vendor import as_utc, vendor_module

PAGE_IDS = 50
"""Ids in a list page and in a batch call, at most (Athena's API reference)."""
MAX_RUNTIME = timedelta(days=1)
"""Well above Athena's default of 30 minutes for a DML statement, which may be raised."""
LAG = timedelta(minutes=1)
RETENTION = timedelta(days=45)
"""Athena keeps the query history for 45 days (its documentation)."""
MEND = (
    "allow athena:ListWorkGroups, athena:ListQueryExecutions and athena:BatchGetQueryExecution "
    "to the reader; the policy is in docs/warehouses/athena.md"
)
ACCESS_DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
BAD_LOGIN = (
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "ExpiredTokenException",
    "ExpiredToken",
)


class AthenaSettings(WarehouseSettings):
    """Athena in one region. Without keys, boto3's own chain of credentials is used."""

    dialect: ClassVar[str] = "athena"

    type: Literal["athena"]
    region: str = Field(description="such as eu-central-1")
    workgroups: tuple[str, ...] = Field(default=(), description="empty: all that are listed")
    profile: str | None = Field(default=None, description="profile of the AWS configuration")
    accessKeyId: Secret | None = Field(default=None)
    secretAccessKey: Secret | None = Field(default=None)
    sessionToken: Secret | None = Field(default=None)
    endpointUrl: str | None = Field(default=None, description="a private endpoint")

    def source(self, name: str) -> AthenaLog:
        """The query history of the region; connects to nothing yet."""
        return AthenaLog(name, self)


class AthenaLog:
    """The query history of some workgroups."""

    dialect = "athena"
    lag = LAG
    retention: timedelta | None = RETENTION

    def __init__(self, name: str, settings: AthenaSettings) -> None:
        self.name = name
        self.settings = settings

    def read(self, window: Window, resume: Position | None = None) -> Iterator[pa.RecordBatch]:
        """Read the window's executions; see `LogSource.read`.

        The API cannot filter and documents no order: the texts pass through memory one page of 50
        at a time, Hex's are kept and sorted when the window is whole.
        """
        rows = [
            self._row(execution)
            for execution in self._executions(window)
            if _state(execution) == "SUCCEEDED" and MARKER in _text(execution)
        ]
        rows.sort(key=_key)
        after = (resume.ended_at, resume.query_id) if resume else None
        yield from batches(row for row in rows if after is None or _key(row) > after)

    def _row(self, execution: Mapping[str, Any]) -> dict[str, Any]:
        context = execution.get("QueryExecutionContext") or {}
        return {
            "warehouse": self.name,
            "dialect": self.dialect,
            "query_id": execution["QueryExecutionId"],
            "text": _text(execution),
            "started_at": as_utc(execution["Status"]["SubmissionDateTime"]),
            "ended_at": _ended_at(execution),
            "user": None,
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
        """Count failed and empty statements; the API tells no user, so no untagged ones."""
        failed = emptied = 0
        for execution in self._executions(window):
            text = _text(execution)
            emptied += not text
            failed += MARKER in text and _state(execution) != "SUCCEEDED"
        return Losses(failed, emptied, None)

    def probe(self) -> list[Finding]:
        """List the workgroups and count Hex's statements of the last day."""
        end = datetime.now(timezone.utc) - self.lag
        try:
            with self._errors():
                names = self._workgroups(self._client())
            executions = list(self._executions(Window(end - timedelta(days=1), end)))
        except (CannotConnect, UnsetVariable) as error:
            return [Finding("login", "failure", str(error), "check region, keys and endpoint")]
        except LogSourceError as error:
            return [Finding("query log", "failure", str(error), MEND)]
        tagged = sum(MARKER in _text(execution) for execution in executions)
        detail = (
            f"{tagged} Hex queries in a day of {len(executions)}, workgroups {', '.join(names)}; "
            f"kept {RETENTION.days} days, complete after 1 minute"
        )
        if tagged:
            return [Finding("query log", "ok", detail)]
        return [Finding("query log", "warning", detail, "check region and workgroups of Hex")]

    def _executions(self, window: Window) -> Iterator[dict[str, Any]]:
        """Executions of all workgroups that ended in the window, in no order."""
        seen = False
        with self._errors(lambda: seen):
            client = self._client()
            for workgroup in self._workgroups(client):
                pages = client.get_paginator("list_query_executions").paginate(
                    WorkGroup=workgroup, PaginationConfig={"PageSize": PAGE_IDS}
                )
                for page in pages:
                    executions = self._details(client, page["QueryExecutionIds"])
                    seen = True
                    for execution in executions:
                        ended_at = _ended_at(execution)
                        if ended_at and window.start <= ended_at < window.end:
                            yield execution
                    # Newest first, though not documented: a whole page so old ends the list.
                    if executions and all(
                        execution["Status"]["SubmissionDateTime"] < window.start - MAX_RUNTIME
                        for execution in executions
                    ):
                        break

    def _details(self, client: Any, ids: list[str]) -> list[dict[str, Any]]:
        """Details of a page; ids that the call left out are asked for once more.

        Raises:
            CannotRead: an id is left out twice: the window would not be complete.
        """
        found: list[dict[str, Any]] = []
        left = ids
        for _ in range(2):
            if left:
                answer = client.batch_get_query_execution(QueryExecutionIds=left)
                found += answer["QueryExecutions"]
                unprocessed = answer.get("UnprocessedQueryExecutionIds") or []
                left = [item["QueryExecutionId"] for item in unprocessed]
        if left:
            raise CannotRead(
                f"{self._place()}: no details of {len(left)} executions, such as {left[0]}; "
                "run the partition again"
            )
        return found

    def _workgroups(self, client: Any) -> list[str]:
        if self.settings.workgroups:
            return list(self.settings.workgroups)
        names: list[str] = []
        token: dict[str, str] = {}
        while True:  # boto3 has no paginator for this call
            answer = client.list_work_groups(**token)
            names += [group["Name"] for group in answer["WorkGroups"]]
            if not answer.get("NextToken"):
                return names
            token = {"NextToken": answer["NextToken"]}

    def _client(self) -> Any:
        boto3 = vendor_module("boto3", warehouse=self.name, install="hex-assets[athena]")
        config = vendor_module("botocore.config", warehouse=self.name, install="hex-assets[athena]")
        settings = self.settings
        session = boto3.Session(
            profile_name=settings.profile,
            region_name=settings.region,
            aws_access_key_id=_value(settings.accessKeyId),
            aws_secret_access_key=_value(settings.secretAccessKey),
            aws_session_token=_value(settings.sessionToken),
        )
        retries = {"mode": "adaptive", "max_attempts": 6}
        options = config.Config(retries=retries, connect_timeout=10, read_timeout=60)
        return session.client("athena", endpoint_url=settings.endpointUrl, config=options)

    @contextmanager
    def _errors(self, started: Any = lambda: False) -> Iterator[None]:
        botocore = vendor_module(
            "botocore.exceptions", warehouse=self.name, install="hex-assets[athena]"
        )
        try:
            yield
        except botocore.ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            detail = f"{self._place()}: {self._clean(error)}"
            if code in BAD_LOGIN:
                raise CannotConnect(f"{detail}; check the AWS keys") from None
            if code in ACCESS_DENIED:
                raise CannotRead(f"{detail}; {MEND}") from None
            raise CannotRead(detail) from None
        except botocore.BotoCoreError as error:
            detail = f"{self._place()}: {self._clean(error)}"
            if started():
                raise BrokenRead(f"{detail}; the connection broke in the read") from None
            raise CannotConnect(f"{detail}; check region, network and AWS keys") from None

    def _clean(self, error: Exception) -> str:
        settings = self.settings
        secrets = (settings.accessKeyId, settings.secretAccessKey, settings.sessionToken)
        return without_secrets(" ".join(str(error).split()), *secrets)

    def _place(self) -> str:
        at = f" at {self.settings.endpointUrl}" if self.settings.endpointUrl else ""
        return f"warehouse {self.name}: Athena in {self.settings.region}{at}"


def _text(execution: Mapping[str, Any]) -> str:
    return str(execution.get("Query") or "")


def _state(execution: Mapping[str, Any]) -> str:
    return str(execution["Status"]["State"])


def _ended_at(execution: Mapping[str, Any]) -> datetime | None:
    return as_utc(execution["Status"].get("CompletionDateTime"))


def _key(row: Mapping[str, Any]) -> tuple[datetime, str]:
    return row["ended_at"], row["query_id"]


def _value(secret: Secret | None) -> str | None:
    return secret.value() if secret else None
