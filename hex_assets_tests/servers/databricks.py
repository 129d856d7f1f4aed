"""A Databricks SQL warehouse on loopback: the connector's own Thrift service over DuckDB.

It proves the wire protocol, named parameters and fetching in parts. sqlglot translates the SQL and
DuckDB runs it, so nothing is said of Databricks' own SQL, cost or latency.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from databricks.sql.thrift_api.TCLIService import TCLIService
from databricks.sql.thrift_api.TCLIService import ttypes as t
from sqlglot import exp
from thrift.protocol import TBinaryProtocol
from thrift.transport import TTransport

from hex_assets_tests.servers.entries import Entry

# DuckDB reserves the name "system": the tables lie in a catalog of another name.
TABLES = """
attach ':memory:' as db_system;
create schema db_system.query;
create schema db_system.access;
create table db_system.query.history (
    statement_id varchar, statement_text varchar, execution_status varchar, executed_by varchar,
    start_time timestamptz, end_time timestamptz, cache_origin_statement_id varchar);
create table db_system.access.table_lineage (
    statement_id varchar, source_table_full_name varchar, target_table_full_name varchar,
    event_time timestamptz);
create table db_system.access.column_lineage (
    statement_id varchar, source_table_full_name varchar, source_column_name varchar,
    event_time timestamptz);
"""


class DatabricksServer:
    """The handful of calls that a cursor makes; `denied`, `broken` may change while it runs."""

    def __init__(self, token: str = "dapi-right") -> None:
        self.token = token
        self.denied: set[str] = set()
        self.broken = False
        self.rows_a_fetch = 4
        self.statements: list[str] = []
        self.port = 0
        self._operations: dict[bytes, tuple[pa.Table, int]] = {}
        self._lock = threading.Lock()
        self.db = duckdb.connect()
        self.db.execute("set timezone = 'UTC'")
        self.db.execute(TABLES)

    def fill(self, entries: Iterable[Entry]) -> None:
        """Put executions into the log."""
        for item in entries:
            status = "FINISHED" if item.succeeded else "FAILED"
            self.db.execute(
                "insert into db_system.query.history values (?, ?, ?, ?, ?, ?, null)",
                [
                    item.query_id,
                    item.text,
                    status,
                    item.user,
                    item.started_at,
                    item.ended_at,
                ],
            )

    def OpenSession(self, request: Any) -> Any:
        version = t.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7
        handle = t.TSessionHandle(sessionId=_handle())
        return t.TOpenSessionResp(_success(), serverProtocolVersion=version, sessionHandle=handle)

    def CloseSession(self, request: Any) -> Any:
        return t.TCloseSessionResp(_success())

    def ExecuteStatement(self, request: Any) -> Any:
        self.statements.append(request.statement)
        parameters = {item.name: item.value.stringValue for item in request.parameters or []}
        for name in self.denied:
            if name in request.statement:
                message = f"[INSUFFICIENT_PERMISSIONS] no USE SCHEMA on {name}"
                return t.TExecuteStatementResp(_failure(message))
        try:
            table = self._run(request.statement, parameters)
        except Exception as error:  # every failure is the client's to see
            return t.TExecuteStatementResp(_failure(str(error)))
        handle = _handle()
        self._operations[handle.guid] = (table, 0)
        direct = t.TSparkDirectResults(
            operationStatus=t.TGetOperationStatusResp(
                _success(), operationState=t.TOperationState.FINISHED_STATE
            ),
            resultSetMetadata=_describe(table),
            resultSet=self._fetch(handle.guid),
        )
        operation = t.TOperationHandle(
            operationId=handle,
            operationType=t.TOperationType.EXECUTE_STATEMENT,
            hasResultSet=True,
        )
        return t.TExecuteStatementResp(_success(), operationHandle=operation, directResults=direct)

    def FetchResults(self, request: Any) -> Any:
        if self.broken:
            return t.TFetchResultsResp(_failure("the warehouse was stopped"))
        return self._fetch(request.operationHandle.operationId.guid)

    def GetResultSetMetadata(self, request: Any) -> Any:
        return _describe(self._operations[request.operationHandle.operationId.guid][0])

    def CloseOperation(self, request: Any) -> Any:
        return t.TCloseOperationResp(_success())

    def _run(self, statement: str, parameters: dict[str, str]) -> pa.Table:
        tree = sqlglot.parse_one(statement, read="databricks")
        for table in tree.find_all(exp.Table):
            if table.catalog.lower() == "system":
                table.set("catalog", exp.to_identifier("db_system"))
        # Databricks counts 0 over no rows, DuckDB's macro gives NULL.
        tree = tree.transform(
            lambda node: (
                exp.func("coalesce", node, exp.Literal.number(0))
                if isinstance(node, exp.CountIf) and not isinstance(node.parent, exp.Coalesce)
                else node
            )
        )
        with self._lock:
            result = self.db.execute(tree.sql(dialect="duckdb"), parameters or None)
            return result.to_arrow_table()

    def _fetch(self, guid: bytes) -> Any:
        table, start = self._operations[guid]
        part = table.slice(start, self.rows_a_fetch).combine_chunks()
        end = start + part.num_rows
        self._operations[guid] = (table, end)
        parts = [
            t.TSparkArrowBatch(batch=batch.serialize().to_pybytes(), rowCount=batch.num_rows)
            for batch in part.to_batches()
        ]
        return t.TFetchResultsResp(
            _success(),
            resultSetMetadata=_describe(table),
            hasMoreRows=end < table.num_rows,
            results=t.TRowSet(startRowOffset=start, rows=[], arrowBatches=parts),
        )


def _success() -> Any:
    return t.TStatus(statusCode=t.TStatusCode.SUCCESS_STATUS)


def _failure(message: str) -> Any:
    code = t.TStatusCode.ERROR_STATUS
    return t.TStatus(statusCode=code, errorMessage=message[:500], sqlState="42000")


def _handle() -> Any:
    return t.THandleIdentifier(guid=uuid.uuid4().bytes, secret=uuid.uuid4().bytes)


def _describe(table: pa.Table) -> Any:
    def kind(arrow: pa.DataType) -> Any:
        if pa.types.is_timestamp(arrow):
            return t.TTypeId.TIMESTAMP_TYPE
        if pa.types.is_list(arrow):
            return t.TTypeId.ARRAY_TYPE
        return t.TTypeId.BIGINT_TYPE if arrow == pa.int64() else t.TTypeId.STRING_TYPE

    columns = [
        t.TColumnDesc(
            columnName=field.name,
            position=position,
            typeDesc=t.TTypeDesc(
                types=[t.TTypeEntry(primitiveEntry=t.TPrimitiveTypeEntry(type=kind(field.type)))]
            ),
        )
        for position, field in enumerate(table.schema)
    ]
    return t.TGetResultSetMetadataResp(
        _success(),
        schema=t.TTableSchema(columns=columns),
        resultFormat=t.TSparkRowSetType.ARROW_BASED_SET,
        lz4Compressed=False,
        arrowSchema=table.schema.serialize().to_pybytes(),
    )


@contextmanager
def running_databricks() -> Iterator[DatabricksServer]:
    """Serve on a free port of loopback until the block ends."""
    warehouse = DatabricksServer()
    processor = TCLIService.Processor(warehouse)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Authorization") != f"Bearer {warehouse.token}":
                self.send_response(403)
                self.send_header("x-thriftserver-error-message", "Invalid access token.")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            reply = TTransport.TMemoryBuffer()
            processor.process(
                TBinaryProtocol.TBinaryProtocol(TTransport.TMemoryBuffer(body)),
                TBinaryProtocol.TBinaryProtocol(reply),
            )
            content = reply.getvalue()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-thrift")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    warehouse.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield warehouse
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
