"""With the real webserver, daemon and code server: a backfill is one run, and is published whole.

The round trip: a backfill of five days is asked for over GraphQL as the UI does it, the daemon
launches one run for it, the publish sensor ticks by itself and launches one publication, and its
receipts exist for all five days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pytest
import requests

from hex_assets.demo.servers import Demo, demo_servers
from hex_assets.storage.store import TableStore
from hex_assets_tests.servers.dagster_dev import dagster_dev, wait_for

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
