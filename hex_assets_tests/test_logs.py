"""The log of a run, with debug lines on: each has the run's id, and none has a secret."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg
import pytest
from dagster._serdes import serialize_value

from hex_assets.demo.servers import Demo
from hex_assets_tests.conftest import Command

pytestmark = pytest.mark.slow

DEBUG = """
python_logs:
  managed_python_loggers: [hex_assets]
  python_log_level: DEBUG
"""
SECRETS = ("HEX_TOKEN", "OPENMETADATA_JWT_TOKEN")


def test_debug_lines_carry_the_run_and_no_secret(
    demo: Demo, dagster: Command, day: Callable[[int], str]
) -> None:
    home = demo.folder / "dagster_home"
    before = (home / "dagster.yaml").read_text()
    (home / "dagster.yaml").write_text(before + DEBUG)
    try:
        arguments = ("-m", "hex_assets.definitions", "--select", "*", "--partition", day(1))
        result = dagster("asset", "materialize", *arguments)
        assert result.returncode == 0, result.stdout
        with dg.DagsterInstance.from_config(str(home)) as instance:
            (record,) = instance.get_run_records(limit=1)
            run_id = record.dagster_run.run_id
            entries = instance.all_logs(run_id)
    finally:
        (home / "dagster.yaml").write_text(before)
    told = [entry.user_message for entry in entries]
    assert any(text.startswith("Hex GET /v1/projects: 200 in") for text in told)
    assert any(text.startswith("OpenMetadata PUT /") for text in told)
    assert {entry.run_id for entry in entries} == {run_id}
    everything = result.stdout + "".join(serialize_value(entry) for entry in entries)
    for name in SECRETS:
        assert demo.environment()[name] not in everything, name
