"""The graph by `dagster asset materialize` against the demo's servers, as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from hex_assets.demo.servers import WAREHOUSE, Demo
from hex_assets.storage.store import TableStore
from hex_assets_tests.conftest import Command

pytestmark = pytest.mark.slow

MODULE = ("-m", "hex_assets.definitions")
DERIVE = "* and not group:publish"
Day = Callable[[int], str]


def materialize(dagster: Command, *arguments: str, **variables: str) -> tuple[int, str]:
    result = dagster("asset", "materialize", *MODULE, *arguments, **variables)
    return result.returncode, result.stdout


def store(demo: Demo) -> TableStore:
    return TableStore(str(demo.folder / "tables"))


def test_one_day_is_read_and_derived(demo: Demo, dagster: Command, day: Day) -> None:
    code, output = materialize(dagster, "--select", DERIVE, "--partition", day(1))
    assert code == 0, output
    edges = store(demo).read(("lineage", "edges"), day(1)).to_pylist()
    tables = {row["table_fqn"] for row in edges}
    assert "clickhouse_prod.default.shop.orders" in tables
    assert {row["direction"] for row in edges} == {"read", "write"}


def test_a_range_is_one_run_and_every_day_is_stored(demo: Demo, dagster: Command, day: Day) -> None:
    span = f"{day(5)}...{day(2)}"
    code, output = materialize(dagster, "--select", DERIVE, "--partition-range", span)
    assert code == 0, output
    assert output.count("RUN_SUCCESS") == 1
    days = [day(ago) for ago in (5, 4, 3, 2)]
    for key in (("hex", "projects"), ("query_log", WAREHOUSE), ("lineage", "edges")):
        assert set(days) <= set(store(demo).days(key)), key


def test_a_second_read_of_a_day_changes_nothing(demo: Demo, dagster: Command, day: Day) -> None:
    for _ in range(2):
        code, output = materialize(
            dagster, "--select", f"key:query_log/{WAREHOUSE}", "--partition", day(1)
        )
        assert code == 0, output
    log = store(demo).read(("query_log", WAREHOUSE), day(1))
    ids = log["query_id"].to_pylist()
    assert ids and len(ids) == len(set(ids))


@pytest.mark.parametrize("bad", ["2019-01-01", "yesterday", "2999-01-01"])
def test_a_day_that_is_no_partition_ends_with_code_1_and_is_named(
    dagster: Command, bad: str
) -> None:
    code, output = materialize(dagster, "--select", "hex/projects", "--partition", bad)
    assert code == 1
    assert bad in output


def test_a_missing_upstream_day_names_the_asset_and_the_mend(dagster: Command, day: Day) -> None:
    code, output = materialize(dagster, "--select", "lineage/edges", "--partition", day(20))
    assert code == 1
    assert f"has no data for {day(20)}" in output and "materialize" in output


def test_an_unset_variable_is_named_and_not_retried(dagster: Command, day: Day) -> None:
    code, output = materialize(
        dagster, "--select", "hex/projects", "--partition", day(1), HEX_TOKEN=""
    )
    assert code == 1
    assert "environment variable HEX_TOKEN is not set" in output
    assert "STEP_UP_FOR_RETRY" not in output


def test_dg_lists_checks_and_launches(demo: Demo, day: Day) -> None:
    import os

    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    environment = {**os.environ, **demo.environment()}
    for arguments in (
        ("list", "defs"),
        ("check", "defs"),
        ("launch", "--assets", "hex/projects", "--partition", day(1)),
    ):
        result = subprocess.run(
            [sys.executable, "-c", "from dagster_dg_cli.cli import main; main()", *arguments],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stdout + result.stderr
