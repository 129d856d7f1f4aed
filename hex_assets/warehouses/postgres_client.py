"""Connections to PostgreSQL by psycopg, and its errors with their mends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from pydantic import Field

from hex_assets.probe import Finding
from hex_assets.secret import Secret, UnsetVariable
from hex_assets.warehouses.base import (
    BrokenRead,
    CannotConnect,
    CannotRead,
    WarehouseSettings,
    Window,
)
from hex_assets.warehouses.reading import secret_value, without_secrets
from hex_assets.warehouses.vendor import vendor_module

DOCS = "docs/warehouses/postgres.md has the SQL that makes the table"
ENABLE = "ALTER SYSTEM SET {name} = '{value}'; SELECT pg_reload_conf()"


class PostgresServer(WarehouseSettings):
    """A PostgreSQL server and who signs in."""

    host: str = Field(description="host name")
    port: int = Field(default=5432, ge=1, le=65535)
    database: str = Field(description="database that holds the log table")
    user: str = Field(description="user that reads the log table")
    password: Secret | None = Field(default=None, description="its password")
    sslMode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = Field(
        default="prefer", description="as libpq's sslmode"
    )
    caCert: str | None = Field(default=None, description="PEM file of the authority to trust")


def place_of(settings: PostgresServer) -> str:
    """The server, for a message."""
    return f"PostgreSQL at {settings.host}:{settings.port}"


def one_row(connection: Any, statement: str, parameters: Mapping[str, Any]) -> Any:
    """The first row of an answer."""
    return connection.execute(statement, parameters).fetchone()


@contextmanager
def connected(warehouse: str, settings: PostgresServer) -> Iterator[Any]:
    """A connection in autocommit and UTC; raises CannotConnect."""
    psycopg = vendor_module("psycopg", warehouse=warehouse, install="hex-assets[postgres]")
    try:
        connection = psycopg.connect(
            host=settings.host,
            port=settings.port,
            dbname=settings.database,
            user=settings.user,
            password=secret_value(settings.password) or None,
            sslmode=settings.sslMode,
            sslrootcert=settings.caCert,
            connect_timeout=10,
            application_name="hex_assets",
            options="-c timezone=UTC -c work_mem=64MB",  # the day is sorted by time
            autocommit=True,
        )
    except UnsetVariable as error:
        raise CannotConnect(f"warehouse {warehouse}: {error}") from None
    except psycopg.Error as error:
        said = _clean(error, settings)
        variable = settings.password.env if settings.password else "`password`"
        mend = f"check `user` ({settings.user}), {variable} and pg_hba.conf"
        if not re.search("authentication|password|pg_hba", said):
            mend = "check `host`, `port`, `database` and the network"
        raise CannotConnect(f"warehouse {warehouse}: {place_of(settings)}: {said}", mend) from None
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def reading_errors(
    warehouse: str, settings: PostgresServer, connection: Any, window: Window | None, grant: str
) -> Iterator[None]:
    """Turn psycopg's errors into ours; `grant` mends a missing right."""
    from psycopg import Error, errors

    place = f"warehouse {warehouse}: {place_of(settings)}"
    try:
        yield
    except errors.InsufficientPrivilege as error:
        raise CannotRead(f"{place}: {_clean(error, settings)}", grant) from None
    except (errors.UndefinedTable, errors.UndefinedColumn) as error:
        mend = f"check `logTable`; {DOCS}"
        raise CannotRead(f"{place}: {_clean(error, settings)}", mend) from None
    except errors.UndefinedFile as error:
        mend = "it was removed while it was read: run it again"
        raise CannotRead(f"{place}: {_clean(error, settings)}", mend) from None
    except errors.BadCopyFileFormat as error:
        mend = (
            "the server may have been writing this line: run again; if it stays, the table's "
            f"columns are those of another PostgreSQL version, {DOCS}"
        )
        raise CannotRead(f"{place}: {_clean(error, settings)}", mend) from None
    except Error as error:
        if connection.broken or connection.closed:
            raise BrokenRead(
                f"{place}: the connection broke while {window or 'the log'} was read: "
                f"{_clean(error, settings)}; run it again"
            ) from None
        raise CannotRead(f"{place}: {_clean(error, settings)}", DOCS) from None


def probe_settings(connection: Any, destinations: tuple[str, ...]) -> Iterator[Finding]:
    """The server's settings without which its log has no finished statements."""
    wanted = {
        "logging_collector": (("on",), "on"),
        "log_destination": (destinations, destinations[0]),
        "log_min_duration_statement": (("0",), "0"),
    }
    for name, (right, mending) in wanted.items():
        (value,) = one_row(connection, "SELECT current_setting(%(name)s)", {"name": name})
        fits = any(part.strip() in right for part in value.split(","))
        mend = ENABLE.format(name=name, value=mending)
        if name == "logging_collector":
            mend += ", then restart the server"
        # Managed servers collect their log in ways of their own.
        status: Literal["ok", "warning"] = "ok" if fits else "warning"
        yield Finding(name, status, f"is {value}", None if fits else mend)


def _clean(error: Exception, settings: PostgresServer) -> str:
    return without_secrets(" ".join(str(error).split()), settings.password)
