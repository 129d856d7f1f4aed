"""Fixtures that several areas share: the demo's servers, and a Dagster home of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from hex_assets.demo.servers import Demo, demo_servers

Command = Callable[..., "subprocess.CompletedProcess[str]"]
STATUS = pytest.StashKey[int]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of large engines unless they are asked for: `make test-engines`."""
    if "engines" in config.option.markexpr:
        return
    chosen = [item for item in items if not item.get_closest_marker("engines")]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep the status for the end."""
    session.config.stash[STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End the process at once, with the tests' own status.

    A stand-in's daemon thread that is still inside DuckDB's C++ code aborts the interpreter's
    own end, and turns a run that passed into one that was killed.
    """
    if STATUS in config.stash:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[STATUS])


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo's servers with the sample workspace; tables and history are in its folder."""
    pytest.importorskip("chdb")
    with demo_servers(tmp_path_factory.mktemp("demo")) as found:
        yield found


@pytest.fixture
def day() -> Callable[[int], str]:
    """The partition key of a number of days ago, in UTC."""
    return lambda ago: (datetime.now(timezone.utc) - timedelta(days=ago)).strftime("%Y-%m-%d")


@pytest.fixture
def dagster(demo: Demo) -> Command:
    """Run the real Dagster command line on the demo; gives code and output."""
    return command_line(demo.folder, demo.environment())


def command_line(folder: Path, environment: Mapping[str, str]) -> Command:
    """The `dagster` command line in a folder, its output as one text."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dagster", *arguments],
            cwd=folder,
            env={**os.environ, **environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )

    return run
