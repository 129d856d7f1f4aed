"""A real Trino on loopback with MySQL event listeners: see `engines` for where it comes from."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hex_assets_tests.servers.engines import TRINO, java

START_SECONDS = 240
"""A minute on two idle cores."""


@dataclass(frozen=True)
class TrinoServer:
    """A running coordinator that is its own worker; every user logs in without a password."""

    port: int
    log: Path

    def connect(self, user: str = "HEX", **more: Any) -> Any:
        """A connection."""
        import trino

        return trino.dbapi.connect(host="127.0.0.1", port=self.port, user=user, **more)

    def run(self, statement: str, user: str = "HEX", **more: Any) -> list[list[Any]]:
        """Run a statement and give its rows."""
        with self.connect(user, **more) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())


@contextmanager
def running_trino(
    listeners: Sequence[str] = (),
    access_control: Mapping[str, Any] | None = None,
    **properties: str,
) -> Iterator[TrinoServer]:
    """Serve on a free port until the block ends, with the catalogs `memory` and `tpch`.

    Args:
        listeners: JDBC addresses of databases that each get a MySQL event listener.
        access_control: rules of Trino's file-based system access control.
        properties: more of `config.properties`, with `__` for a dot.

    Raises:
        RuntimeError: it ended or did not become ready, with the end of what it said.
    """
    folder = Path(tempfile.mkdtemp(prefix="hex_assets_trino_"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    (folder / "etc/catalog").mkdir(parents=True)
    config = {
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "http-server.http.port": str(port),
        "discovery.uri": f"http://127.0.0.1:{port}",
        "catalog.config-dir": f"{folder}/etc/catalog",
        **{name.replace("__", "."): value for name, value in properties.items()},
    }
    files: dict[str, Mapping[str, str]] = {
        "catalog/memory.properties": {"connector.name": "memory"},
        "catalog/tpch.properties": {"connector.name": "tpch"},
    }
    for number, address in enumerate(listeners):
        files[f"listener{number}.properties"] = {
            "event-listener.name": "mysql",
            "mysql-event-listener.db.url": address,
        }
    if listeners:
        names = [f"{folder}/etc/listener{number}.properties" for number in range(len(listeners))]
        config["event-listener.config-files"] = ",".join(names)
    if access_control is not None:
        (folder / "etc/rules.json").write_text(json.dumps(access_control))
        files["access-control.properties"] = {
            "access-control.name": "file",
            "security.config-file": f"{folder}/etc/rules.json",
        }
        config["access-control.config-files"] = f"{folder}/etc/access-control.properties"
    for name, lines in {**files, "config.properties": config}.items():
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        (folder / "etc" / name).write_text(text)
    log = folder / "log"
    try:
        with log.open("wb") as output:
            # Not bin/launcher: it needs `java` on PATH, and this is the process to be stopped.
            server = subprocess.Popen(
                [
                    *[str(java()), "-cp", f"{TRINO.path}/lib/*", "-Xmx2G", "-XX:+UseSerialGC"],
                    *["-XX:+ExitOnOutOfMemoryError", "-Djdk.attach.allowAttachSelf=true"],
                    *["--sun-misc-unsafe-memory-access=allow", "-Duser.timezone=UTC"],
                    *["-Dnode.environment=test", "-Dnode.id=test-1", "-Dnode.bind-ip=127.0.0.1"],
                    *["-Dnode.internal-address=127.0.0.1", f"-Dnode.data-dir={folder}/data"],
                    *[
                        f"-Dplugin.dir={TRINO.path}/plugin",
                        f"-Dconfig={folder}/etc/config.properties",
                    ],
                    "io.trino.server.TrinoServer",
                ],
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            running = TrinoServer(port, log)
            _wait(server, running)
            yield running
        finally:
            server.terminate()
            server.wait(60)
    finally:
        shutil.rmtree(folder)


def _wait(server: subprocess.Popen[bytes], running: TrinoServer) -> None:
    """Until a statement runs: for some seconds after the start there are no nodes for it."""
    import trino

    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        time.sleep(0.5)
        try:
            address = f"http://127.0.0.1:{running.port}/v1/info"
            with urllib.request.urlopen(address, timeout=5) as answer:
                if json.load(answer)["starting"]:
                    continue
            running.run("SELECT count(*) FROM tpch.tiny.region", "starter")
            return
        except (OSError, trino.exceptions.Error):
            continue  # not yet; what it said is shown if it never starts
    said = running.log.read_text(errors="replace")[-3000:]
    raise RuntimeError(f"Trino did not start on port {running.port}: {said}")
