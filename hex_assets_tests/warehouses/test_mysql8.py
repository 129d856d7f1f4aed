"""The general log of a real MySQL 8 on loopback, read by PyMySQL: `make test-engines`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hex_assets.doctor import diagnose
from hex_assets.settings import parse_settings
from hex_assets.warehouses.base import CannotConnect, CannotRead
from hex_assets_tests.servers.engines import MYSQL
from hex_assets_tests.servers.entries import DAY
from hex_assets_tests.servers.mariadb import MariaServer
from hex_assets_tests.servers.mysql8 import running_mysql8
from hex_assets_tests.warehouses.conformance import rows
from hex_assets_tests.warehouses.general_log import GeneralLog, MySQLEngine, fill

pytest.importorskip("pymysql")
pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(MYSQL.missing is not None, reason=str(MYSQL.missing)),
]


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_RIGHT", "right")


@pytest.fixture(scope="module")
def server() -> Iterator[MariaServer]:
    with running_mysql8() as running:
        fill(running, "\U0001f600")
        yield running


@pytest.fixture
def engine(server: MariaServer) -> MySQLEngine:
    return MySQLEngine(server, packet_is_one_row=False)


class TestMySQL8(GeneralLog):
    """All that a general log must give, and what MySQL 8 refuses in its own way."""

    def test_it_is_mysql_8(self, server: MariaServer) -> None:
        with server.connect() as connection:
            assert connection.server_version == "8.0.33"

    def test_the_doctor_finds_all_well(self, engine: MySQLEngine) -> None:
        shop = engine.settings(logTable="mysql.general_log").model_dump(
            mode="json", exclude_none=True
        )
        settings = parse_settings({"warehouses": {"shop": shop}})
        (section,) = [found for found in diagnose(settings) if found.system == "warehouse shop"]
        assert {finding.check: finding.status for finding in section.findings} == {
            "login": "ok",
            "log enabled": "ok",
            "hex queries": "ok",
        }

    def test_a_role_that_is_not_active_is_a_missing_grant(
        self, engine: MySQLEngine, server: MariaServer
    ) -> None:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE ROLE log_reader")
            cursor.execute("GRANT SELECT ON shop.day_log TO log_reader")
            cursor.execute("CREATE USER roled@'127.0.0.1' IDENTIFIED BY 'right'")
            cursor.execute("GRANT log_reader TO roled@'127.0.0.1'")
            with pytest.raises(CannotRead, match="GRANT SELECT"):
                rows(engine.source(user="roled").read(DAY))
            cursor.execute("SET DEFAULT ROLE ALL TO roled@'127.0.0.1'")
        found = rows(engine.source(user="roled").read(DAY))
        assert sorted(row["text"] for row in found) == sorted(engine.texts())

    def test_a_locked_or_expired_user_cannot_connect(
        self, engine: MySQLEngine, server: MariaServer
    ) -> None:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE USER gone@'127.0.0.1' IDENTIFIED BY 'right' ACCOUNT LOCK")
            with pytest.raises(CannotConnect, match="locked"):
                rows(engine.source(user="gone").read(DAY))
            cursor.execute("ALTER USER gone@'127.0.0.1' ACCOUNT UNLOCK PASSWORD EXPIRE")
        with pytest.raises(CannotConnect, match="password"):
            rows(engine.source(user="gone").read(DAY))

    def test_only_tls_is_allowed(self, engine: MySQLEngine, server: MariaServer) -> None:
        authority = str(server.folder / "data/ca.pem")
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET GLOBAL require_secure_transport = ON")
            try:
                found = rows(engine.source(caCert=authority).read(DAY))
            finally:
                cursor.execute("SET GLOBAL require_secure_transport = OFF")
        assert len(found) == len(engine.texts())

    def test_a_login_without_tls_encrypts_the_password(self, engine: MySQLEngine) -> None:
        # `caching_sha2_password`, the default of MySQL 8: without TLS it needs RSA of the client.
        with running_mysql8("--tls-version=") as plain:
            with plain.connect() as connection, connection.cursor() as cursor:
                cursor.execute("CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'right'")
            login, *_ = engine.source(port=plain.port).probe()
            assert (login.check, login.status) == ("login", "ok")
            with pytest.raises(CannotConnect):
                rows(engine.source(port=plain.port, user="nobody").read(DAY))
