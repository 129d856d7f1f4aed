"""A real MariaDB of Debian on loopback, its general log a table."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class MariaServer:
    """A running server; `root` logs in over its socket without a password."""

    port: int
    folder: Path
    pid: int

    def connect(self, database: str | None = None) -> Any:
        """A connection of root, which may send many statements in a packet."""
        import pymysql
        from pymysql.constants import CLIENT

        return pymysql.connect(
            unix_socket=str(self.folder / "s.sock"),
            user="root",
            database=database,
            charset="utf8mb4",
            autocommit=True,
            local_infile=True,
            client_flag=CLIENT.MULTI_STATEMENTS,
        )


@contextmanager
def running_mariadb(*options: str) -> Iterator[MariaServer]:
    """Serve a new data directory on a free port until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="hex_assets_maria_"))
    shutil.chown(folder, "mysql")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    base = ["--no-defaults", "--user=mysql", f"--datadir={folder}/data"]
    try:
        subprocess.run(
            ["mariadb-install-db", *base, "--auth-root-authentication-method=normal"],
            check=True,
            capture_output=True,
        )
        server = subprocess.Popen(
            [
                *["mariadbd", *base, f"--socket={folder}/s.sock", "--bind-address=127.0.0.1"],
                *[f"--port={port}", "--log-output=TABLE", "--general-log=ON"],
                *["--max-allowed-packet=64M", *options],
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
            yield MariaServer(port, folder, server.pid)
        finally:
            server.terminate()
            server.wait(30)
    finally:
        shutil.rmtree(folder)
