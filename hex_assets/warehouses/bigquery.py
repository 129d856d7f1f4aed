"""BigQuery: `INFORMATION_SCHEMA.JOBS_BY_PROJECT` of projects and regions, by Dagster's resource."""

from __future__ import annotations

import base64
import heapq
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from hex_assets.probe import Finding
from hex_assets.secret import Secret, UnsetVariable
from hex_assets.warehouses.base import (
    BATCH_ROWS,
    MARKER,
    BrokenRead,
    CannotConnect,
    CannotRead,
    Losses,
    Position,
    WarehouseSettings,
    Window,
)
from hex_assets.warehouses.reading import batches, without_secrets
from hex_assets.warehouses.vendor import as_utc, engine_tables, vendor_module

log = logging.getLogger(__name__)

MAX_RUNTIME = timedelta(hours=24)
"""A script may run 24 hours and a query 6; creation_time, the partition, is at most this early."""
LAG = timedelta(minutes=5)
"""The view is documented as near real time."""
RETENTION = timedelta(days=180)

# Hex's marker in two parts: a statement with the whole marker would find itself the next day.
HAS_MARKER = """(STRPOS(j.query, CONCAT('-- Hex query ', 'metadata:')) > 0
    OR STRPOS(COALESCE(p.query, ''), CONCAT('-- Hex query ', 'metadata:')) > 0)"""
# A script's parent may still run when its child has ended: the state is asked of the child only.
JOBS = """
WITH jobs AS (
  SELECT job_id, parent_job_id, start_time, end_time, user_email, statement_type, state, query,
    referenced_tables, destination_table, cache_hit, error_result,
    query_info.query_hashes.normalized_literals AS query_hash
  FROM `{project}`.`region-{region}`.INFORMATION_SCHEMA.JOBS_BY_PROJECT
  WHERE creation_time >= @pruned AND creation_time < @end AND job_type = 'QUERY'
)"""
ENDED = """FROM jobs j LEFT JOIN jobs p ON p.job_id = j.parent_job_id
WHERE j.state = 'DONE' AND j.end_time >= @start AND j.end_time < @end
  AND COALESCE(j.statement_type, '') <> 'SCRIPT'"""


class BigQueryPlace(BaseModel):
    """One project in one region: BigQuery keeps a log for each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    project: str = Field(pattern=r"^[A-Za-z0-9.:_-]+$", description="project that runs the queries")
    region: str = Field(pattern=r"^[A-Za-z0-9-]+$", description="such as us, eu or europe-west3")

    @property
    def prefix(self) -> str:
        """What makes a job's id unique; `project:region.job`, as BigQuery writes it."""
        return f"{self.project}:{self.region.lower()}."

    def __str__(self) -> str:
        return f"BigQuery project {self.project}, region {self.region}"


class BigQuerySettings(WarehouseSettings):
    """BigQuery: any number of projects and regions under one name."""

    dialect: ClassVar[str] = "bigquery"

    type: Literal["bigquery"]
    places: tuple[BigQueryPlace, ...] = Field(min_length=1, description="projects x regions")
    credentials: Secret | None = Field(
        default=None,
        description="service account key, as JSON or base64; unset: application default",
    )
    maximumBytesBilled: int | None = Field(
        default=None, ge=10_000_000, description="refuse a window that would bill more than this"
    )
    timeoutSeconds: int = Field(default=60, ge=1, description="how long a request is retried")

    def source(self, name: str) -> BigQueryLog:
        """The query log of all places; connects to nothing yet."""
        return BigQueryLog(name, self)


class BigQueryLog:
    """The query log of some projects and regions, merged into one stream."""

    dialect = "bigquery"
    lag = LAG
    retention: timedelta | None = RETENTION

    def __init__(self, name: str, settings: BigQuerySettings) -> None:
        self.name = name
        self.settings = settings

    def read(self, window: Window, resume: Position | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the window: one job for each place, merged in order; see `LogSource.read`."""
        streams = [self._rows(place, window, resume) for place in self.settings.places]
        merged = heapq.merge(*streams, key=lambda row: (row["ended_at"], row["query_id"]))
        yield from batches(merged)

    def _rows(
        self, place: BigQueryPlace, window: Window, resume: Position | None
    ) -> Iterator[dict[str, Any]]:
        after = ""
        parameters: dict[str, Any] = {}
        if resume:
            after = """
  AND (j.end_time > @after
       OR (j.end_time = @after AND CONCAT(@prefix, j.job_id) > @after_id))"""
            parameters = {
                "after": resume.ended_at,
                "after_id": resume.query_id,
                "prefix": place.prefix,
            }
        statement = f"""{JOBS}
SELECT j.job_id, j.start_time, j.end_time, j.user_email, j.query, j.query_hash,
  j.referenced_tables, j.destination_table, j.cache_hit, p.query AS parent_query
{ENDED}
  AND j.error_result IS NULL AND {HAS_MARKER}{after}
ORDER BY j.end_time, j.job_id"""
        started = False
        with self._errors(place, lambda: started):
            for row in self._run(place, statement, self._bounds(window) | parameters):
                started = True
                yield self._row(place, row)

    def _row(self, place: BigQueryPlace, row: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "warehouse": self.name,
            "dialect": self.dialect,
            "query_id": place.prefix + row["job_id"],
            "text": with_comment_of_script(row["query"], row["parent_query"]),
            "started_at": as_utc(row["start_time"]),
            "ended_at": as_utc(row["end_time"]),
            "user": row["user_email"],
            "role": None,
            "default_catalog": place.project,
            "default_schema": None,
            "status": "success",
            "engine_hash": row["query_hash"],
            # A cache hit reads its tables too, but the log leaves them out: the SQL is parsed.
            "engine_inputs": None if row["cache_hit"] else table_names(row["referenced_tables"]),
            "engine_outputs": table_names([row["destination_table"]]),
            "truncated": False,
        }

    def losses(self, window: Window) -> Losses:
        """Count failed, empty and untagged statements of all places, one job for each."""
        of_hex = "j.user_email = @hex_user" if self.settings.hexUser else "TRUE"
        bounds = self._bounds(window)
        if self.settings.hexUser:
            bounds["hex_user"] = self.settings.hexUser
        statement = f"""{JOBS}
SELECT COUNTIF(j.error_result IS NOT NULL AND {HAS_MARKER}) AS failed,
  COUNTIF(COALESCE(j.query, '') = '' AND {of_hex}) AS emptied,
  COUNTIF(j.error_result IS NULL AND COALESCE(j.query, '') <> '' AND {of_hex}
    AND NOT {HAS_MARKER}) AS untagged
{ENDED}"""
        totals = [0, 0, 0]
        for place in self.settings.places:
            with self._errors(place):
                (row,) = self._run(place, statement, bounds)
            totals = [total + row[index] for index, total in enumerate(totals)]
        failed, emptied, untagged = totals
        return Losses(failed, emptied, untagged if self.settings.hexUser else None)

    def probe(self) -> list[Finding]:
        """For each place: log in, tell what a day's window bills, and count Hex's queries."""
        end = datetime.now(timezone.utc) - self.lag
        window = Window(end - timedelta(days=1), end)
        return [self._probe_place(place, window) for place in self.settings.places]

    def _probe_place(self, place: BigQueryPlace, window: Window) -> Finding:
        statement = f"""{JOBS}
SELECT COUNT(*) AS statements, COUNTIF({HAS_MARKER}) AS tagged
{ENDED}"""
        check = f"query log {place.project} {place.region}"
        try:
            with self._errors(place):
                byte_count = self._dry_run(place, statement, self._bounds(window))
                (row,) = self._run(place, statement, self._bounds(window))
        except (CannotConnect, UnsetVariable) as error:
            mend = "check `credentials`, or run `gcloud auth application-default login`"
            return Finding(check, "failure", str(error), mend)
        except CannotRead as error:
            return Finding(check, "failure", str(error), _grant(place))
        detail = (
            f"{row['tagged']} Hex queries in a day of {row['statements']}; a day's read scans "
            f"{byte_count / 1e6:.1f} MB; kept {RETENTION.days} days, complete after 5 minutes"
        )
        if row["tagged"]:
            return Finding(check, "ok", detail)
        mend = "check that Hex's connection runs its jobs in this project and region"
        return Finding(check, "warning", detail, mend)

    def _bounds(self, window: Window) -> dict[str, Any]:
        return {
            "pruned": window.start - MAX_RUNTIME,
            "start": window.start,
            "end": window.end,
        }

    def _run(
        self, place: BigQueryPlace, statement: str, parameters: Mapping[str, Any]
    ) -> Iterator[Any]:
        byte_count = self._dry_run(place, statement, parameters)
        limit = self.settings.maximumBytesBilled
        if limit is not None and byte_count > limit:
            raise CannotRead(
                f"warehouse {self.name}: {place}: the read would scan {byte_count:,} bytes, more "
                f"than maximumBytesBilled = {limit:,}; raise it, or read a shorter window"
            )
        job = self._query(place, statement, parameters, maximum_bytes_billed=limit)
        rows = job.result(page_size=BATCH_ROWS, retry=self._retry(), job_retry=None)
        log.info(
            "warehouse %s: %s: dry run %d bytes, billed %s bytes",
            self.name,
            place,
            byte_count,
            job.total_bytes_billed,
        )
        yield from rows

    def _dry_run(self, place: BigQueryPlace, statement: str, parameters: Mapping[str, Any]) -> int:
        job = self._query(place, statement, parameters, dry_run=True, use_query_cache=False)
        return int(job.total_bytes_processed or 0)

    def _query(
        self,
        place: BigQueryPlace,
        statement: str,
        parameters: Mapping[str, Any],
        **options: Any,
    ) -> Any:
        module = vendor_module("google.cloud.bigquery", warehouse=self.name, install="dagster-gcp")
        bound = [
            module.ScalarQueryParameter(
                name, "TIMESTAMP" if isinstance(value, datetime) else "STRING", value
            )
            for name, value in parameters.items()
        ]
        config = module.QueryJobConfig(
            query_parameters=bound,
            labels={"application": "hex_assets"},
            **{name: value for name, value in options.items() if value is not None},
        )
        return self._client(place).query(
            statement.replace("{project}", place.project).replace("{region}", place.region),
            job_config=config,
            retry=self._retry(),
            job_retry=None,
            timeout=self.settings.timeoutSeconds,
        )

    def _client(self, place: BigQueryPlace) -> Any:
        module = vendor_module("dagster_gcp", warehouse=self.name, install="dagster-gcp")
        key = self.settings.credentials.value() if self.settings.credentials else None
        if key and key.startswith("{"):
            key = base64.b64encode(key.encode()).decode()
        refused = CannotConnect(
            f"warehouse {self.name}: {place}: `credentials` holds no service account key; export "
            "the key's JSON, or the JSON in base64, in that environment variable"
        )
        resource = module.BigQueryResource(
            project=place.project, location=place.region, gcp_credentials=key
        )
        # The resource lends its key by an environment variable, to one client at a time; a client
        # has read the key when it is made and works on after the resource took the variable back.
        try:
            with resource.get_client() as client:
                return client
        except ValueError:  # no base64, no JSON, or no PEM; its text may quote the key
            raise refused from None

    def _retry(self) -> Any:
        from google.cloud.bigquery.retry import DEFAULT_RETRY

        return DEFAULT_RETRY.with_timeout(self.settings.timeoutSeconds)

    @contextmanager
    def _errors(self, place: BigQueryPlace, started: Any = lambda: False) -> Iterator[None]:
        from google.api_core import exceptions as api
        from google.auth.exceptions import GoogleAuthError
        from requests.exceptions import RequestException

        try:
            yield
        except (GoogleAuthError, api.Unauthorized) as error:
            raise CannotConnect(
                f"{self._detail(place, error)}; check the service account key in `credentials`"
            ) from None
        except (api.Forbidden, api.NotFound) as error:
            raise CannotRead(f"{self._detail(place, error)}; {_grant(place)}") from None
        except (api.RetryError, api.ServerError, RequestException, OSError) as error:
            if started():
                raise BrokenRead(
                    f"{self._detail(place, error)}; the connection broke while the log was read"
                ) from None
            raise CannotConnect(
                f"{self._detail(place, error)}; check the network and the proxy"
            ) from None
        except api.GoogleAPIError as error:
            raise CannotRead(self._detail(place, error)) from None

    def _detail(self, place: BigQueryPlace, error: Exception) -> str:
        text = without_secrets(" ".join(str(error).split()), self.settings.credentials)
        return f"warehouse {self.name}: {place}: {text}"


def with_comment_of_script(text: str, parent: str | None) -> str:
    """A statement of a script with the comment that stands at the end of the script.

    From the last marker on, on a line of its own: whether it is a comment is decided by the
    parser, and a marker in a literal or a block comment still has its closing mark behind it.
    """
    if not parent or MARKER in text or MARKER not in parent:
        return text
    return f"{text.rstrip().rstrip(';')}\n{parent[parent.rindex(MARKER) :]}"


def table_names(
    references: Iterable[Mapping[str, str] | None] | None,
) -> list[Mapping[str, Any]] | None:
    """Names of tables without results: those lie in hidden datasets, whose names begin with `_`."""
    return engine_tables(
        (f"{item['project_id']}.{item['dataset_id']}.{item['table_id']}", None)
        for item in references or ()
        if item and item["dataset_id"] and not item["dataset_id"].startswith("_")
    )


def _grant(place: BigQueryPlace) -> str:
    project = re.sub(r"[^A-Za-z0-9.:_-]", "", place.project)
    return (
        f"run gcloud projects add-iam-policy-binding {project} --member=serviceAccount:<reader> "
        "--role=roles/bigquery.resourceViewer, and the same with --role=roles/bigquery.jobUser"
    )
