"""A connection to MySQL or MariaDB, unbuffered, with its failures told plainly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hex_assets.secret import Secret, UnsetVariable
from hex_assets.warehouses.base import BrokenRead, CannotConnect, CannotRead, LogSourceError
from hex_assets.warehouses.reading import secret_value, without_secrets
from hex_assets.warehouses.vendor import vendor_module

NO_LOGIN = {1044, 1045, 1698}
NO_TLS = 3159
NO_GRANT = {1142, 1143}
NO_TABLE = {1049, 1146}
NO_ANSWER = 2003
LOST = {2006, 2013, 2014}


class MySQLServer(BaseModel):
    """Where a MySQL or MariaDB server is and who logs in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(description="host name")
    port: int = Field(default=3306, ge=1, le=65535)
    user: str = Field(description="user that reads the log")
    password: Secret | None = Field(default=None, description="its password")
    caCert: str | None = Field(default=None, description="PEM file of the authority to trust")

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return f"{self.host}:{self.port}"


@contextmanager
def mysql_connection(name: str, server: MySQLServer, *, table: str, install: str) -> Iterator[Any]:
    """An open connection whose errors name the warehouse, the place and the mend.

    Args:
        name: the warehouse's name in the settings.
        server: where to log in.
        table: the log's table, for the grant that a refusal names.
        install: what to install where PyMySQL is missing.

    Raises:
        LogSourceError: one of its subclasses.
    """
    pymysql = vendor_module("pymysql", warehouse=name, install=install)
    cursors = vendor_module("pymysql.cursors", warehouse=name, install=install)
    try:
        connection = pymysql.connect(
            host=server.host,
            port=server.port,
            user=server.user,
            password=secret_value(server.password),
            charset="utf8mb4",
            cursorclass=cursors.SSCursor,
            connect_timeout=10,
            init_command="SET time_zone = '+00:00'",
            ssl_ca=server.caCert,
        )
    except UnsetVariable as error:
        raise CannotConnect(f"warehouse {name}: {error}") from None
    except pymysql.MySQLError as error:
        raise _explained(name, server, table, error, connecting=True) from None
    try:
        yield connection
    except pymysql.MySQLError as error:
        raise _explained(name, server, table, error) from None
    finally:
        # Unread rows of a stopped read would be drained on closing: that may take minutes.
        if connection._result is not None:
            connection._result.unbuffered_active = False
        connection._force_close()


def _explained(
    name: str, server: MySQLServer, table: str, error: Exception, connecting: bool = False
) -> LogSourceError:
    code = error.args[0] if error.args and isinstance(error.args[0], int) else None
    user = server.user
    if code in NO_LOGIN:
        password = server.password
        mend = f"check `user` ({user}) and {password.env if password else '`password`'}"
        return CannotConnect(f"warehouse {name}: {server.place} refused the login", mend)
    if code in NO_GRANT:
        mend = f"GRANT SELECT ON {table} TO {user}"
        return CannotRead(f"warehouse {name}: {user} may not read {table}", mend)
    if code in NO_TABLE:
        return CannotRead(f"warehouse {name}: {server.place} has no table {table}")
    if code == NO_TLS:
        mend = "set `caCert` to the PEM file of its authority"
        return CannotConnect(f"warehouse {name}: {server.place} takes only TLS connections", mend)
    if code == NO_ANSWER:
        mend = "check `host`, `port` and the network"
        return CannotConnect(f"warehouse {name}: no answer from {server.place}", mend)
    said = without_secrets(str(error), server.password)
    if code in LOST and not connecting:
        return BrokenRead(
            f"warehouse {name}: the connection to {server.place} broke while the log was read: "
            f"{said}; run it again"
        )
    kind = CannotConnect if connecting else CannotRead
    return kind(f"warehouse {name}: {server.place} said: {said}")
