"""The table of Trino's MySQL event listener as a log of the conformance suite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from hex_assets.warehouses.base import LogSource, WarehouseSettings
from hex_assets.warehouses.registry import warehouse_settings
from hex_assets_tests.servers.faulty_tcp import cutting_proxy
from hex_assets_tests.servers.mariadb import MariaServer
from hex_assets_tests.warehouses.conformance import Engine, free_port, given


class ListenerEngine(Engine):
    def __init__(self, server: MariaServer, table: str = "trino_queries") -> None:
        self.server = server
        self.table = table
        self.grant = rf"GRANT SELECT ON trino_log\.{table} TO stranger"

    def settings(self, **changes: object) -> WarehouseSettings:
        listener = {
            "host": "127.0.0.1",
            "port": self.server.port,
            "user": "reader",
            "password": {"env": "TEST_RIGHT"},
            "database": "trino_log",
            "table": self.table,
        }
        return warehouse_settings(
            {"type": "trino", "hexUser": "HEX", "listener": listener | changes}
        )

    def statements(self) -> list[str]:
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log"
                " WHERE user_host LIKE 'reader[%'"
            )
            found = [argument for (argument,) in cursor.fetchall()]
        assert found
        return found

    @contextmanager
    def breaking(self) -> Iterator[LogSource]:
        with cutting_proxy(self.server.port, 200_000) as port:
            yield self.source(port=port)

    def without_grant(self) -> AbstractContextManager[LogSource]:
        return given(self.source(user="stranger"))

    def without_password(self) -> AbstractContextManager[LogSource]:
        return given(self.source(password={"env": "TEST_WRONG_PASSWORD"}))

    def without_host(self) -> AbstractContextManager[LogSource]:
        return given(self.source(port=free_port()))
