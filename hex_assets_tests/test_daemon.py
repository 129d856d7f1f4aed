"""With the real webserver, daemon and code server: a backfill is one run, and is published whole.

The round trip: a backfill of five days is asked for over GraphQL as the UI does it, the daemon
launches one run for it, the publish sensor ticks by itself and launches one publication, and its
receipts exist for all five days.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import requests
from urllib3.util.retry import Retry

from hex_assets.demo.servers import Demo, demo_servers
from hex_assets.storage.store import TableStore

pytestmark = pytest.mark.slow

BACKFILL = """
mutation Launch($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}"""


@pytest.fixture(scope="module")
def own_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_servers(tmp_path_factory.mktemp("daemon")) as found:
        yield found


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
    import time

    end = time.monotonic() + 180
    while time.monotonic() < end:
        for run in instance.get_runs():
            if (run.job_name == "publish") == (job == "publish") and run.is_finished:
                return run
        time.sleep(1)
    pytest.fail(
        f"no finished run of {job or 'the backfill'}; dev log:\n{dev_log.read_text()[-4000:]}"
    )


def test_a_backfill_of_five_days_is_one_run_and_the_sensor_publishes_all_five(
    own_demo: Demo, day: Callable[[int], str]
) -> None:
    days = [day(ago) for ago in (6, 5, 4, 3, 2)]
    keys = ["hex/projects", "catalog/tables", "query_log/shop_clickhouse"]
    keys += ["lineage/statements", "lineage/edges"]
    with (
        dagster_dev(own_demo) as url,
        dg.DagsterInstance.from_config(str(own_demo.folder / "dagster_home")) as instance,
    ):
        params: dict[str, Any] = {
            "partitionNames": days,
            "assetSelection": [{"path": key.split("/")} for key in keys],
            "tags": [],
        }
        answer = requests.post(
            f"{url}/graphql",
            json={"query": BACKFILL, "variables": {"params": params}},
            timeout=60,
        ).json()
        assert answer["data"]["launchPartitionBackfill"]["__typename"] == "LaunchBackfillSuccess"
        dev_log = own_demo.folder / "dev.log"
        derived = wait_for(instance, None, dev_log)
        assert derived.status == dg.DagsterRunStatus.SUCCESS
        published = wait_for(instance, "publish", dev_log)
        assert published.status == dg.DagsterRunStatus.SUCCESS
        runs = instance.get_runs()
    assert sorted(run.job_name == "publish" for run in runs) == [False, True]
    assert "dagster/sensor_name" in published.tags
    store = TableStore(str(own_demo.folder / "tables"))
    assert store.days(("openmetadata", "publication")) == sorted(days)
    assert own_demo.openmetadata.writes
