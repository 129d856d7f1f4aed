"""`hex-assets demo` runs whole, says what it lost, and leaves no process behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def children_in(folder: Path) -> list[str]:
    """Command lines of living processes that name the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        if str(folder) in line and str(os.getpid()) != process.parent.name:
            found.append(line)
    return found


def test_the_demo_shows_everything_and_publishes_nothing_twice(tmp_path: Path) -> None:
    pytest.importorskip("chdb")
    result = subprocess.run(
        [sys.executable, "-m", "hex_assets", "demo", "--folder", str(tmp_path / "d")],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
    )
    shown = result.stdout
    assert result.returncode == 0, shown + result.stderr
    assert "Traceback" not in result.stderr and "Warning" not in result.stderr, result.stderr
    assert "The second run wrote 0 entities and edges" in shown
    for loss in ("syntax", "not_in_catalog", "cut", "no user or team of the catalog"):
        assert loss in shown, loss
    assert re.search(r"queries of Hex, 7 days\D+[1-9]\d\d", shown)
    assert "<- clickhouse_prod.default." in shown
    assert "make ui" in shown
    assert children_in(tmp_path) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process(tmp_path: Path, how: signal.Signals) -> None:
    pytest.importorskip("chdb")
    process = subprocess.Popen(
        [sys.executable, "-m", "hex_assets", "demo", "--serve", "--folder", str(tmp_path / "d")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "materialize" in line:
            break
    assert children_in(tmp_path)
    process.send_signal(how)
    rest = process.communicate(timeout=60)[0]
    assert "the servers are down" in rest
    assert process.returncode == 0
    assert children_in(tmp_path) == []
