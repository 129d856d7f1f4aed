"""Projects are current state: the newest day is refreshed, an observed past day is kept."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest

from hex_assets.definitions import build_definitions
from hex_assets.demo.hex_server import TOKEN, HexServer
from hex_assets.settings import Settings, parse_settings
from hex_assets.storage.store import TableStore

KEY = ("hex", "projects")
Day = Callable[[int], str]


@pytest.fixture
def hex_server() -> Iterator[HexServer]:
    with HexServer() as found:
        yield found


@pytest.fixture
def settings(hex_server: HexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HEX_TOKEN", TOKEN)
    return parse_settings(
        {
            "startDate": "2026-01-01",
            "hex": {"hostPort": hex_server.url},
            "storage": {"path": str(tmp_path)},
        }
    )


def observe(settings: Settings, first: str, last: str) -> None:
    job = build_definitions(settings).get_repository_def().get_job("derive_lineage")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(KEY)],
            tags={
                "dagster/asset_partition_range_start": first,
                "dagster/asset_partition_range_end": last,
            },
        )
    assert result.success


def titles(settings: Settings, day: str) -> dict[str, str]:
    rows = TableStore(settings.storage.path).read(KEY, day).to_pylist()
    return {row["project_id"]: row["title"] for row in rows}


def test_the_newest_day_is_refreshed_and_an_observed_day_is_kept(
    settings: Settings, hex_server: HexServer, day: Day
) -> None:
    import dataclasses

    observe(settings, day(2), day(1))
    changed = hex_server.projects[0]
    hex_server.projects[0] = dataclasses.replace(changed, title="Renamed")
    observe(settings, day(2), day(1))
    assert titles(settings, day(1))[changed.project_id] == "Renamed"
    assert titles(settings, day(2))[changed.project_id] == changed.title


def test_a_day_without_an_observation_holds_what_existed_by_its_end(
    settings: Settings, day: Day
) -> None:
    observe(settings, day(1), day(1))
    everything = TableStore(settings.storage.path).read(KEY, day(1)).to_pylist()
    created = sorted(row["created_at"] for row in everything)
    middle = created[len(created) // 2]
    past = max(middle.date(), datetime(2026, 1, 1).date()).isoformat()
    observe(settings, past, past)
    end = datetime.fromisoformat(past).replace(tzinfo=timezone.utc) + timedelta(days=1)
    expected = {row["project_id"] for row in everything if row["created_at"] < end}
    assert set(titles(settings, past)) == expected
    assert expected
