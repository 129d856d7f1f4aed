"""Runs of single assets with stored tables of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from hex_assets.settings import Settings, parse_settings
from hex_assets.storage.store import TableStore
from hex_assets.warehouses import registry
from hex_assets_tests.assets.memory_log import Log


@pytest.fixture
def memory_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings with one warehouse `memory` whose log is `memory_log.Log`."""
    monkeypatch.setitem(
        registry.MODULES, "memory", "hex_assets_tests.assets.memory_log:MemorySettings"
    )
    Log.reset()
    yield parse_settings(
        {
            "startDate": "2026-01-01",
            "warehouses": {"memory": {"type": "memory", "defaultSchema": "public"}},
            "storage": {"path": str(tmp_path / "tables")},
        }
    )
    Log.reset()


@pytest.fixture
def store(memory_settings: Settings) -> TableStore:
    return TableStore(memory_settings.storage.path)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found
