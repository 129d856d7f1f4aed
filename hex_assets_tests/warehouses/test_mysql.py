"""The general log of a real MariaDB on loopback, read by PyMySQL."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from hex_assets_tests.servers.mariadb import MariaServer, running_mariadb
from hex_assets_tests.warehouses.general_log import GeneralLog, MySQLEngine, fill

pytest.importorskip("pymysql")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not shutil.which("mariadbd") or os.geteuid() != 0, reason="needs mariadb-server and root"
    ),
]


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_RIGHT", "right")


@pytest.fixture(scope="module")
def server() -> Iterator[MariaServer]:
    with running_mariadb() as running:
        fill(running, r"\xF0\x9F\x98\x80")  # its log is utf8mb3
        yield running


@pytest.fixture
def engine(server: MariaServer) -> MySQLEngine:
    return MySQLEngine(server, packet_is_one_row=True)


class TestMariaDB(GeneralLog):
    """All that a general log must give."""
