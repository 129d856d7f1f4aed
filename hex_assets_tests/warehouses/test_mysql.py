"""The general log of a real MariaDB on loopback, read by PyMySQL: texts, databases, refusals."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from hex_assets.warehouses.base import CannotConnect, CannotRead, Window
from hex_assets.warehouses.mysql import MySQLLog, MySQLSettings
from hex_assets_tests.warehouses.conformance import (
    LARGE,
    STATEMENTS,
    WRONG_PASSWORD,
    free_port,
    rows,
    tagged,
)

pymysql = pytest.importorskip("pymysql")
if not shutil.which("mariadbd") or os.geteuid() != 0:
    pytest.skip("needs root and the Debian package mariadb-server", allow_module_level=True)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder, port = Path(f"/tmp/hex_assets_maria_{os.getpid()}"), free_port()
    folder.mkdir()
    shutil.chown(folder, "mysql")
    base = ["--no-defaults", "--user=mysql", f"--datadir={folder}/data"]
    subprocess.run(
        ["mariadb-install-db", *base, "--auth-root-authentication-method=normal"],
        check=True,
        capture_output=True,
    )
    server = subprocess.Popen(
        [
            *["mariadbd", *base, f"--socket={folder}/s.sock", "--bind-address=127.0.0.1"],
            *[f"--port={port}", "--log-output=TABLE", "--general-log=ON"],
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        seed(f"{folder}/s.sock")
        yield port
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder)


def seed(path: str) -> None:
    with pymysql.connect(unix_socket=path, user="root", charset="utf8mb4") as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE shop")
            for user in ("reader", "stranger"):
                cursor.execute(f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'right'")
            cursor.execute("GRANT SELECT ON mysql.general_log TO reader@'127.0.0.1'")
            cursor.execute("USE shop")
            for text in STATEMENTS.values():
                cursor.execute(text)
            cursor.execute(tagged(f"SELECT '{'x' * LARGE}'", "large"))
            connection.select_db("mysql")
            cursor.execute(tagged("SELECT 2", "moved"))


@pytest.fixture(autouse=True)
def passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_RIGHT", "right")
    monkeypatch.setenv("TEST_WRONG", WRONG_PASSWORD)


@pytest.fixture
def window() -> Window:
    now = datetime.now(timezone.utc)
    return Window(now - timedelta(hours=1), now + timedelta(hours=1))


def log_of(port: int, user: str = "reader", variable: str = "TEST_RIGHT") -> MySQLLog:
    return MySQLSettings.model_validate(
        {"type": "mysql", "host": "127.0.0.1", "port": port, "user": user}
        | {"password": {"env": variable}, "hexUser": "root"}
    ).source("shop")


def test_texts_and_default_databases_come_out_whole(port: int, window: Window) -> None:
    found = {row["text"]: row for row in rows(log_of(port).read(window))}
    assert set(STATEMENTS.values()) <= set(found)
    assert tagged(f"SELECT '{'x' * LARGE}'", "large") in found
    assert found[STATEMENTS["emoji"]]["default_schema"] == "shop"
    assert found[tagged("SELECT 2", "moved")]["default_schema"] == "mysql"
    assert {row["status"] for row in found.values()} == {"unknown"}


def test_a_second_read_gives_the_same_rows(port: int, window: Window) -> None:
    first = rows(log_of(port).read(window))
    assert rows(log_of(port).read(window)) == first
    assert len({row["query_id"] for row in first}) == len(first) == len(STATEMENTS) + 2


def test_refusals_name_the_mend_and_no_password(port: int, window: Window) -> None:
    with pytest.raises(CannotRead, match=r"GRANT SELECT ON mysql\.general_log TO stranger"):
        rows(log_of(port, "stranger").read(window))
    with pytest.raises(CannotConnect, match="TEST_WRONG") as raised:
        rows(log_of(port, variable="TEST_WRONG").read(window))
    assert WRONG_PASSWORD not in str(raised.value)
    with pytest.raises(CannotConnect, match="check `host`"):
        rows(log_of(free_port()).read(window))
