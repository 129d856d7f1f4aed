"""A ClickHouse server: how it is reached, and what its refusals mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
from pydantic import Field, model_validator

from hex_assets.secret import Secret, UnsetVariable
from hex_assets.warehouses.base import (
    CannotConnect,
    CannotRead,
    LogSourceError,
    WarehouseSettings,
)
from hex_assets.warehouses.reading import secret_value, without_secrets

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

DEFAULT_TABLE = "system.query_log"
CONNECT_SECONDS = 10
READ_SECONDS = 600
"""Silence that is accepted while the server sorts a large window."""

LOGIN_CODES = {192, 193, 194, 516}
"""UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, AUTHENTICATION_FAILED."""
NO_GRANT = 497
NO_TABLE = 60
NO_DATABASE = 81
NO_CLUSTER = 701
ENABLE = "enable `query_log` in the server's config.xml and `log_queries = 1` in Hex's profile"


class ClickHouseServer(WarehouseSettings):
    """The keys by which a server, its user and its log are found."""

    host: str = Field(description="host name, without scheme")
    port: int = Field(default=8443, ge=1, le=65535, description="HTTP port")
    secure: bool = Field(default=True, description="TLS")
    verify: bool = Field(default=True, description="check the server's certificate")
    caCert: str | None = Field(default=None, description="PEM file of the authority to trust")
    user: str = Field(default="default", description="user that reads the log")
    password: Secret | None = Field(default=None, description="its password")
    database: str | None = Field(
        default=None, description="database of the session; the log names its tables in full"
    )
    cluster: str | None = Field(
        default=None, description="read all replicas of this cluster; `default` on Cloud"
    )
    queryLogTable: str = Field(
        default=DEFAULT_TABLE,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$",
        description="the log, or a view of it that the user may read",
    )
    rotatedTables: bool = Field(
        default=False,
        description="also read <table>_0, <table>_1, ..., which an upgrade leaves behind",
    )

    @model_validator(mode="after")
    def _certificate_needs_tls(self) -> ClickHouseServer:
        if self.caCert and not self.secure:
            raise ValueError("caCert has no effect with secure: false; remove one of them")
        return self

    @property
    def place(self) -> str:
        """The server's URL, for messages."""
        scheme = "https" if self.secure else "http"
        return f"{scheme}://{self.host}:{self.port}"

    @property
    def log_table(self) -> str:
        """The log as a table expression. Its names were checked with the settings."""
        database, _, table = self.queryLogTable.partition(".")
        source = f"{database}.{table}"
        if self.rotatedTables:
            source = f"merge('{database}', '^{table}(_[0-9]+)?$')"
        if self.cluster:
            cluster = self.cluster.replace("\\", "\\\\").replace("'", "\\'")
            source = f"clusterAllReplicas('{cluster}', {source})"
        return source


@contextmanager
def connected(name: str, server: ClickHouseServer, purpose: str) -> Iterator[Client]:
    """A logged-in client; every failure of it as a `LogSourceError` with the mend."""
    import clickhouse_connect
    from clickhouse_connect.driver.exceptions import ClickHouseError

    try:
        client = clickhouse_connect.get_client(
            host=server.host,
            port=server.port,
            interface="https" if server.secure else "http",
            verify=server.verify,
            ca_cert=server.caCert,
            username=server.user,
            password=secret_value(server.password),
            database=server.database or "__default__",
            client_name=f"hex_assets/{purpose}",
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=READ_SECONDS,
            # One session would forbid a second statement while a stream is open.
            autogenerate_session_id=False,
        )
    except UnsetVariable as error:
        unset = f"warehouse {name}: environment variable {error.name} is not set"
        raise CannotConnect(unset, f"export {error.name}, or put it into .env") from None
    except ClickHouseError as error:
        raise _explained(name, server, error) from None
    try:
        yield client
    except ClickHouseError as error:
        raise _explained(name, server, error) from None
    finally:
        client.close()


def _explained(name: str, server: ClickHouseServer, error: Exception) -> LogSourceError:
    code = getattr(error, "code", None)
    said = without_secrets(_first_line(error), server.password)
    user = server.user
    if code in LOGIN_CODES:
        variable = server.password.env if server.password else None
        mend = f"check `user` ({user}) and " + (
            f"the environment variable {variable}" if variable else "set `password`"
        )
        return CannotConnect(f"warehouse {name}: {server.place} refused the login", mend)
    if code == NO_GRANT:
        return CannotRead(f"warehouse {name}: {said}", _grants(server))
    if code in (NO_TABLE, NO_DATABASE):
        mend = f"check `queryLogTable`; {ENABLE}"
        return CannotRead(f"warehouse {name}: there is no {server.queryLogTable}", mend)
    if code == NO_CLUSTER:
        mend = "take a name from `SELECT DISTINCT cluster FROM system.clusters`"
        return CannotRead(f"warehouse {name}: there is no cluster {server.cluster}", mend)
    if code is None:
        mend = "check `host`, `port`, `secure` and the network; `port` is the HTTP port"
        return CannotConnect(f"warehouse {name}: no answer from {server.place}", mend)
    return CannotRead(f"warehouse {name}: {server.place} said: {said}", None)


def _grants(server: ClickHouseServer) -> str:
    database, _, table = server.queryLogTable.partition(".")
    log = f"{database}.{table}*" if server.rotatedTables else server.queryLogTable
    grants = [f"GRANT SELECT ON {log} TO {server.user}"]
    if server.cluster:
        grants.append(f"GRANT REMOTE ON *.* TO {server.user}")
    return "; ".join(grants)


def _first_line(error: Exception) -> str:
    text = str(error)
    found = re.search(r"DB::Exception: (.+)", text)
    return (found.group(1) if found else text).split("\n")[0].strip()


def is_transport(error: Exception) -> bool:
    """Whether a stream broke, rather than that our own reading of it is wrong."""
    from clickhouse_connect.driver.exceptions import OperationalError
    from urllib3.exceptions import HTTPError

    if isinstance(error, OperationalError):
        return getattr(error, "code", None) is None
    return isinstance(error, (HTTPError, OSError, pa.ArrowInvalid))
