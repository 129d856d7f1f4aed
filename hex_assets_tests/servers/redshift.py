"""A Redshift endpoint on loopback: a proxy that lets redshift_connector talk to PostgreSQL.

It drops the start-up parameters that PostgreSQL refuses and tells a version that the client can
read. It proves the wire protocol and the texts; PostgreSQL's SQL stands in for Redshift's.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from hex_assets_tests.servers.entries import Entry
from hex_assets_tests.servers.postgres import PostgresServer, running_postgres

log = logging.getLogger("redshift_proxy")

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
AUTH_OK = 0
AUTH_SASL_FINAL = 12

REDSHIFT_ONLY_PARAMETERS = {
    b"client_protocol_version",
    b"driver_discovery_version",
    b"driver_version",
    b"group_federation",
    b"idp_type",
    b"os_version",
    b"plugin_name",
    b"provider_name",
}


class RedshiftProxy:
    """One listening address in front of one PostgreSQL server."""

    def __init__(self, upstream_host: str, upstream_port: int, server_version: str) -> None:
        self.upstream_host = upstream_host
        self.upstream_port = upstream_port
        self.server_version = server_version.encode()

    async def serve(self, host: str, port: int) -> None:
        server = await asyncio.start_server(self.handle, host, port)
        log.info("listening on %s:%s", host, port)
        async with server:
            await server.serve_forever()

    async def handle(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Serve one client connection: rewrite the start-up phase, then copy bytes."""
        try:
            startup = await read_startup(client, to_client)
            upstream, to_upstream = await asyncio.open_connection(
                self.upstream_host, self.upstream_port
            )
            to_upstream.write(with_length(startup))
            if await self.relay_startup(client, to_client, upstream, to_upstream):
                await asyncio.gather(copy(client, to_upstream), copy(upstream, to_client))
            else:
                to_upstream.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            log.debug("connection dropped", exc_info=True)
        finally:
            to_client.close()

    async def relay_startup(
        self,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        upstream: asyncio.StreamReader,
        to_upstream: asyncio.StreamWriter,
    ) -> bool:
        """Relay server messages up to ReadyForQuery; False when the server refused."""
        while True:
            kind, body = await read_message(upstream)
            if kind == b"S" and body.startswith(b"server_version\0"):
                body = b"server_version\0" + self.server_version + b"\0"
            to_client.write(kind + with_length(body))
            await to_client.drain()
            if kind == b"Z":
                return True
            if kind == b"E":
                return False
            if kind == b"R" and needs_reply(body):
                reply_kind, reply = await read_message(client)
                to_upstream.write(reply_kind + with_length(reply))
                await to_upstream.drain()


def needs_reply(auth_body: bytes) -> bool:
    """Whether an Authentication message expects an answer from the client."""
    return struct.unpack("!i", auth_body[:4])[0] not in (AUTH_OK, AUTH_SASL_FINAL)


def with_length(body: bytes) -> bytes:
    """Prefix a message body with its length (which counts itself)."""
    return struct.pack("!i", len(body) + 4) + body


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one typed protocol message: its type byte and its body."""
    kind = await reader.readexactly(1)
    (length,) = struct.unpack("!i", await reader.readexactly(4))
    return kind, await reader.readexactly(length - 4)


async def read_startup(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> bytes:
    """Read the StartupMessage, refusing encryption, without the parameters only Redshift knows."""
    while True:
        (length,) = struct.unpack("!i", await client.readexactly(4))
        body = await client.readexactly(length - 4)
        (code,) = struct.unpack("!i", body[:4])
        if code not in (SSL_REQUEST, GSS_REQUEST):
            break
        to_client.write(b"N")
        await to_client.drain()
    items = body[4:].rstrip(b"\0").split(b"\0")
    kept = b""
    for name, value in zip(items[::2], items[1::2], strict=False):
        if name in REDSHIFT_ONLY_PARAMETERS:
            log.debug("dropped start-up parameter %r=%r", name, value)
            continue
        kept += name + b"\0" + value + b"\0"
    return body[:4] + kept + b"\0"


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes until the sending side closes."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


TABLES = """
create table sys_query_history (user_id int, query_id bigint, database_name char(128),
    status char(10), start_time timestamp, end_time timestamp, query_text char(4000));
create table sys_query_text (query_id bigint, start_time timestamp, sequence int, text char(4000));
create table stl_query (userid int, query int, database char(32), querytxt char(4000),
    starttime timestamp, endtime timestamp, aborted int);
create table stl_querytext (query int, sequence int, text char(200));
create role hex login;
create role bob login;
create role stranger login password 'right-password';
create role reader login password 'right-password';
grant select on all tables in schema public to reader;
"""


def fill(cursor: Any, entries: Iterable[Entry]) -> None:
    """Put executions into SYS_* and STL_*, escaped and cut into segments as Redshift does."""
    users = "(select usesysid from pg_user where usename = lower(%s))"
    for item in entries:
        text = item.text.replace("\\", "\\\\").replace("\n", "\\n")
        times = (item.started_at.replace(tzinfo=None), item.ended_at.replace(tzinfo=None))
        cursor.execute(
            f"insert into sys_query_history values ({users}, %s, 'shop', %s, %s, %s, %s)",
            (
                item.user,
                int(item.query_id),
                "success" if item.succeeded else "failed",
                *times,
                text[:4000],
            ),
        )
        cursor.execute(
            f"insert into stl_query values ({users}, %s, 'shop', %s, %s, %s, %s)",
            (item.user, int(item.query_id), text[:4000], *times, int(not item.succeeded)),
        )
        started = f"'{times[0]}', "
        for table, time, width in (("sys_query_text", started, 4000), ("stl_querytext", "", 200)):
            cursor.executemany(
                f"insert into {table} values (%s, {time}%s, %s)",
                [
                    (int(item.query_id), start // width, text[start : start + width])
                    for start in range(0, len(text), width)
                ],
            )


@contextmanager
def running_redshift() -> Iterator[tuple[int, PostgresServer]]:
    """PostgreSQL behind the proxy; yields the proxy's port and the server, to fill its log."""
    with running_postgres({"log_statement": "all", "log_parameter_max_length": "0"}) as server:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            proxy = RedshiftProxy("127.0.0.1", server.port, "8.0.2")

            async def listen() -> asyncio.Server:
                return await asyncio.start_server(proxy.handle, "127.0.0.1", 0)

            listening = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
            yield listening.sockets[0].getsockname()[1], server
            loop.call_soon_threadsafe(listening.close)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
