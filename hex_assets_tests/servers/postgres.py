"""A real PostgreSQL 15 of Debian on loopback, run by the user `postgres`."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BINARIES = Path("/usr/lib/postgresql/15/bin")
PASSWORD = "admin-password"
CSVLOG = {
    "logging_collector": "on",
    "log_destination": "csvlog,jsonlog",
    "log_directory": "log",
    "log_filename": "postgresql.log",
    "log_min_duration_statement": "0",
    "log_parameter_max_length": "0",
    "log_timezone": "UTC",
    "compute_query_id": "on",
}


@dataclass(frozen=True)
class PostgresServer:
    """A running server; its administrator is `postgres`."""

    port: int
    folder: Path

    @property
    def login(self) -> str:
        """What psycopg needs to log in as administrator."""
        return f"host=127.0.0.1 port={self.port} user=postgres password={PASSWORD}"


@contextmanager
def running_postgres(options: Mapping[str, str]) -> Iterator[PostgresServer]:
    """Serve a new cluster on a free port until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="hex_assets_pg_"))
    secret = folder / "password"
    secret.write_text(PASSWORD)
    for path in (folder, secret):
        shutil.chown(path, "postgres")
    data = folder / "data"

    def run(*command: object) -> None:
        words = [str(word) for word in command]
        subprocess.run(words, user="postgres", check=True, cwd="/", stdout=subprocess.DEVNULL)

    control = BINARIES / "pg_ctl"
    try:
        initdb = ("-A", "md5", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--pwfile", secret)
        run(BINARIES / "initdb", "-D", data, *initdb)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        wanted = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "fsync": "off",
        } | dict(options)
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in wanted.items())
        run(control, "-D", data, "-w", "-l", folder / "log", "start")
        try:
            yield PostgresServer(port, folder)
        finally:
            run(control, "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
