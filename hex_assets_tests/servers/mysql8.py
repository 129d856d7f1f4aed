"""A real MySQL 8 on loopback, its general log a table: see `engines` for where it comes from."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hex_assets_tests.servers.engines import MYSQL
from hex_assets_tests.servers.mariadb import MariaServer


@contextmanager
def running_mysql8(*options: str) -> Iterator[MariaServer]:
    """Serve a new data directory on a free port until the block ends.

    Raises:
        RuntimeError: it ended or did not answer in a minute, with the end of what it said.
    """
    folder = Path(tempfile.mkdtemp(prefix="hex_assets_mysql8_"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    base = [str(MYSQL.path / "bin/mysqld"), "--no-defaults", f"--datadir={folder}/data"]
    base.append(f"--basedir={MYSQL.path}")
    if os.geteuid() == 0:
        base.append("--user=root")  # else it refuses to be run by root
    try:
        subprocess.run([*base, "--initialize-insecure"], check=True, capture_output=True)
        with (folder / "errors").open("wb") as errors:
            server = subprocess.Popen(
                [
                    *[*base, f"--socket={folder}/s.sock", f"--pid-file={folder}/pid"],
                    *["--bind-address=127.0.0.1", f"--port={port}", "--mysqlx=OFF"],
                    *["--log-output=TABLE", "--general-log=ON", "--max-allowed-packet=64M"],
                    *options,
                ],
                stderr=errors,
            )
        try:
            _wait(server, port, folder)
            yield MariaServer(port, folder, server.pid)
        finally:
            server.terminate()
            server.wait(60)
    finally:
        shutil.rmtree(folder)


def _wait(server: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    said = (folder / "errors").read_text(errors="replace")[-2000:]
    raise RuntimeError(f"MySQL 8 did not start on port {port}: {said}")
