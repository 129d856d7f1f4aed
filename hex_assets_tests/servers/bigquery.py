"""BigQuery's REST API on loopback, over DuckDB: jobs, dry runs, pages and a token endpoint.

It proves the wire protocol, predicates, pages and dry runs; sqlglot translates the statement and
DuckDB runs it, so nothing is said of BigQuery's own SQL, cost or latency.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlparse

import duckdb
import pyarrow as pa
import sqlglot
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlglot import exp

from hex_assets_tests.servers.entries import Entry

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
VIEW = re.compile(r"`([^`]+)`\.`region-([^`]+)`\.INFORMATION_SCHEMA\.JOBS_BY_PROJECT")
REFERENCE = "struct(project_id varchar, dataset_id varchar, table_id varchar)"
JOBS = f"""
create table jobs (
    project_id varchar, region varchar, creation_time timestamptz, user_email varchar,
    job_id varchar, parent_job_id varchar, job_type varchar, statement_type varchar,
    start_time timestamptz, end_time timestamptz, query varchar, state varchar, cache_hit boolean,
    destination_table {REFERENCE}, referenced_tables {REFERENCE}[],
    error_result struct(reason varchar, message varchar),
    query_info struct(query_hashes struct(normalized_literals varchar))
)"""
TYPES = {"TIMESTAMP": "timestamptz", "STRING": "text"}


class BigQueryServer(ThreadingHTTPServer):
    """The API; `denied` projects answer 403, `broken_pages` breaks every page but the first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.denied: set[str] = set()
        self.broken_pages = False
        self.refuse_login = False
        self.page_rows = 4
        self.statements: list[str] = []
        self.dry_run_bytes = 25_000_000
        self._results: dict[str, pa.Table] = {}
        self._lock = threading.Lock()
        self.db = duckdb.connect()
        self.db.execute("set timezone = 'UTC'")
        self.db.execute(JOBS)

    def fill(self, entries: Iterable[Entry], project: str, region: str, **changes: Any) -> None:
        """Put executions into the log of a place; `changes` are further columns."""
        reference = {"project_id": project, "dataset_id": "ds", "table_id": "orders"}
        for item in entries:
            row = {
                "project_id": project,
                "region": region,
                "creation_time": item.started_at,
                "user_email": f"{item.user.lower()}@example.com",
                "job_id": item.query_id,
                "job_type": "QUERY",
                "statement_type": "SELECT",
                "start_time": item.started_at,
                "end_time": item.ended_at,
                "query": item.text,
                "state": "DONE",
                "cache_hit": False,
                "destination_table": reference | {"dataset_id": "_anon"},
                "referenced_tables": [reference],
                "error_result": None if item.succeeded else {"reason": "x", "message": "y"},
                "query_info": {"query_hashes": {"normalized_literals": "h"}},
            } | changes
            names = ", ".join(row)
            marks = ", ".join("?" * len(row))
            self.db.execute(f"insert into jobs ({names}) values ({marks})", list(row.values()))

    def run(self, job: dict[str, Any], project: str) -> dict[str, Any]:
        """jobs.insert: a dry run tells the bytes, else the result is kept for its pages."""
        query = job["configuration"]["query"]
        self.statements.append(query["query"])
        reference = dict(job["jobReference"])
        reference.setdefault("jobId", uuid.uuid4().hex)
        answer = job | {
            "jobReference": reference,
            "status": {"state": "DONE"},
            "statistics": {
                "totalBytesProcessed": str(self.dry_run_bytes),
                "query": {
                    "statementType": "SELECT",
                    "totalBytesProcessed": str(self.dry_run_bytes),
                    "totalBytesBilled": str(self.dry_run_bytes),
                },
            },
        }
        # A real job always has a destination, if only an anonymous one.
        query.setdefault(
            "destinationTable",
            {"projectId": project, "datasetId": "_anon", "tableId": reference["jobId"]},
        )
        if not job["configuration"].get("dryRun"):
            with self._lock:
                sql = translate(query["query"], query.get("queryParameters") or [])
                self._results[reference["jobId"]] = self.db.execute(sql).to_arrow_table()
        return answer

    def page(self, job_id: str, project: str, arguments: dict[str, str]) -> dict[str, Any]:
        """jobs.getQueryResults: one page."""
        table = self._results[job_id]
        start = int(arguments.get("pageToken") or 0)
        limit = min(int(arguments.get("maxResults") or self.page_rows), self.page_rows)
        rows = table.slice(start, limit).to_pylist()
        page: dict[str, Any] = {
            "jobComplete": True,
            "jobReference": {"projectId": project, "jobId": job_id},
            "totalRows": str(table.num_rows),
            "schema": {
                "fields": [
                    field_schema(field.type) | {"name": field.name} for field in table.schema
                ]
            },
            "rows": [{"f": [{"v": encode(value)} for value in row.values()]} for row in rows],
        }
        if start + limit < table.num_rows:
            page["pageToken"] = str(start + limit)
        return page

    def service_account(self) -> dict[str, str]:
        """A service account's key whose tokens come from this server."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return {
            "type": "service_account",
            "project_id": "proj",
            "private_key_id": "test",
            "private_key": key.decode(),
            "client_email": "test@proj.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": f"{self.url}/token",
        }


def translate(sql: str, parameters: list[dict[str, Any]]) -> str:
    """BigQuery SQL with named parameters to DuckDB SQL with literals."""
    places = VIEW.findall(sql)
    tree = sqlglot.parse_one(VIEW.sub("jobs_of_place", sql), read="bigquery")
    for table in list(tree.find_all(exp.Table)):
        if table.name == "jobs_of_place":
            (project, region), *_ = places
            part = exp.select("*").from_("main.jobs")
            part = part.where(f"project_id = '{project}' and region = '{region}'")
            table.replace(part.subquery("place"))
    given = {parameter["name"]: parameter for parameter in parameters}
    for placeholder in list(tree.find_all(exp.Parameter)):
        parameter = given[placeholder.name]
        literal = exp.Literal.string(parameter["parameterValue"]["value"])
        placeholder.replace(exp.cast(literal, TYPES[parameter["parameterType"]["type"]]))
    return tree.sql(dialect="duckdb")


def field_schema(kind: pa.DataType) -> dict[str, Any]:
    """The TableFieldSchema of an Arrow type, without its name."""
    if pa.types.is_list(kind):
        return field_schema(kind.value_type) | {"mode": "REPEATED"}
    if pa.types.is_struct(kind):
        children = [kind.field(index) for index in range(kind.num_fields)]
        fields = [field_schema(child.type) | {"name": child.name} for child in children]
        return {"type": "RECORD", "mode": "NULLABLE", "fields": fields}
    names = {pa.bool_(): "BOOLEAN", pa.timestamp("us", "UTC"): "TIMESTAMP"}
    whole = pa.types.is_integer(kind) or pa.types.is_decimal(kind)  # DuckDB counts in decimals
    name = "INTEGER" if whole else names.get(kind, "STRING")
    return {"type": name, "mode": "NULLABLE"}


def encode(value: Any) -> Any:
    """A value in the `f`/`v` form of a result row."""
    if isinstance(value, list):
        return [{"v": encode(item)} for item in value]
    if isinstance(value, dict):
        return {"f": [{"v": encode(item)} for item in value.values()]}
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return str((value - EPOCH) // timedelta(microseconds=1))
    return None if value is None else str(value)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: BigQueryServer

    def do_GET(self) -> None:
        self.answer(None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.answer(body)

    def answer(self, body: bytes | None) -> None:
        url = urlparse(self.path)
        arguments = dict(parse_qsl(url.query))
        if url.path.endswith("/token"):
            if self.server.refuse_login:
                self.reply({"error": "invalid_grant", "error_description": "bad key"}, 400)
                return
            self.reply({"access_token": "t", "expires_in": 3600, "token_type": "Bearer"})
            return
        route = re.match(r".*/projects/([^/]+)/(queries|jobs)(?:/([^/]+))?$", url.path)
        if route is None:
            self.refuse(404, "notFound", self.path)
            return
        project, kind, job_id = route.groups()
        if project in self.server.denied:
            self.refuse(403, "accessDenied", f"Access Denied: {project}: bigquery.jobs.listAll")
        elif self.server.broken_pages and arguments.get("pageToken"):
            self.refuse(503, "backendError", "gone")
        elif body is not None:
            try:
                self.reply(self.server.run(json.loads(body), project))
            except Exception as error:  # every failure is the client's to see
                self.refuse(400, "invalidQuery", str(error))
        elif kind == "queries":
            self.reply(self.server.page(str(job_id), project, arguments))
        else:
            self.refuse(404, "notFound", self.path)

    def refuse(self, code: int, reason: str, message: str) -> None:
        errors = [{"reason": reason, "message": message}]
        self.reply({"error": {"code": code, "message": message, "errors": errors}}, code)

    def reply(self, content: Any, status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def running_bigquery() -> Iterator[BigQueryServer]:
    """Serve on a free port of loopback until the block ends."""
    server = BigQueryServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
