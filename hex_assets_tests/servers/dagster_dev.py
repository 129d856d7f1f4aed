"""A real `dagster dev`: webserver, daemon and code server over the demo's servers."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import requests
from urllib3.util.retry import Retry

from hex_assets.demo.servers import Demo


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextlib.contextmanager
def dagster_dev(demo: Demo) -> Iterator[str]:
    port = free_port()
    log = demo.folder / "dev.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "dagster", "dev", "-m", "hex_assets.definitions"),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            cwd=demo.folder,
            env={**os.environ, **demo.environment()},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        with requests.Session() as session:
            # The webserver takes up to a minute: connection refused until then.
            retry = Retry(total=None, connect=60, backoff_factor=1, backoff_max=2)
            session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
            session.get(f"{url}/server_info", timeout=10)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def wait_for(instance: dg.DagsterInstance, job: str | None, dev_log: Path) -> dg.DagsterRun:
    """The first run of a job, when it has ended."""
    end = time.monotonic() + 180
    while time.monotonic() < end:
        for run in instance.get_runs():
            if (run.job_name == "publish") == (job == "publish") and run.is_finished:
                return run
        time.sleep(1)
    pytest.fail(
        f"no finished run of {job or 'the backfill'}; dev log:\n{dev_log.read_text()[-4000:]}"
    )
