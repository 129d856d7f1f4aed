"""The component makes the same graph as `build_definitions`, in the way projects are written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import tomli
import yaml
from dagster.components.testing import create_defs_folder_sandbox

from hex_assets.component import HexLineageComponent
from hex_assets.definitions import build_definitions
from hex_assets.settings import SettingsError, parse_settings

ROOT = Path(__file__).parent.parent
TYPE = "hex_assets.component.HexLineageComponent"
ATTRIBUTES: dict[str, Any] = {
    "keyPrefix": ["bi"],
    "hex": {"hostPort": "https://eu.hex.tech", "token": {"env": "MY_HEX_TOKEN"}},
    "warehouses": {"shop": {"type": "clickhouse", "host": "{{ env.CLICKHOUSE_HOST }}"}},
    "openmetadata": {"hostPort": "https://catalog.example.com/api"},
    "storage": {"path": "s3://bucket/hex_assets"},
}


def keys(definitions: dg.Definitions) -> set[str]:
    graph = definitions.resolve_asset_graph()
    return {key.to_user_string() for key in graph.get_all_asset_keys()}


def test_the_attributes_are_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_HOST", "clickhouse.example.com")
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(
            component_cls=HexLineageComponent,
            defs_yaml_contents={"type": TYPE, "attributes": ATTRIBUTES},
        )
        with sandbox.load_component_and_build_defs(defs_path=path) as (component, definitions):
            assert isinstance(component, HexLineageComponent)
            plain = {key: value for key, value in ATTRIBUTES.items() if key != "keyPrefix"}
            plain["warehouses"] = {"shop": {"type": "clickhouse", "host": "clickhouse.example.com"}}
            assert component.settings == parse_settings(plain)
            same = build_definitions(component.settings, ["bi"])
            assert keys(definitions) == keys(same) >= {"bi/lineage/edges", "bi/query_log/shop"}
            jobs = {job.name for job in definitions.resolve_all_job_defs()}
            assert jobs >= {"bi_derive_lineage", "bi_publish", "bi_doctor"}


def test_a_wrong_key_is_named_with_the_file_and_a_secret_is_not_shown() -> None:
    bad = {"hex": {"hostPrt": "x", "token": "hxtp_do_not_show"}}
    with pytest.raises(SettingsError) as raised:
        HexLineageComponent.from_attributes_dict(attributes=bad)
    assert "hex.hostPrt: is not a known key" in str(raised.value)
    assert "hex.token: write a secret as {env: NAME}" in str(raised.value)
    assert "hxtp_do_not_show" not in str(raised.value)


def test_without_attributes_it_is_an_empty_set_up() -> None:
    component = HexLineageComponent.from_attributes_dict(attributes={})
    assert component.settings == parse_settings({}) and component.key_prefix == ()


def test_the_schema_for_editors_knows_our_keys_and_the_prefix() -> None:
    schema = HexLineageComponent.get_model_cls().model_json_schema()
    assert {"keyPrefix", "hex", "warehouses", "openmetadata"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
    assert "ClickHouseSettings" in json.dumps(schema["properties"]["warehouses"])
    assert "ClickHouseSettings" in schema["$defs"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A Dagster project of someone else: own executor, own asset, our component beside it."""
    own = tmp_path / "src" / "shop"
    (own / "defs" / "hex").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "shop"\nversion = "1"\n'
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "shop"\n'
    )
    (own / "__init__.py").write_text("")
    (own / "definitions.py").write_text(
        "from pathlib import Path\nimport dagster as dg\n\n"
        "@dg.definitions\ndef defs():\n"
        "    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)\n"
    )
    (own / "defs" / "__init__.py").write_text("")
    (own / "defs" / "own.py").write_text(
        "import dagster as dg\n\n@dg.asset(key=['shop', 'orders'])\ndef orders() -> None: ...\n\n"
        "defs = dg.Definitions(assets=[orders], executor=dg.multiprocess_executor)\n"
    )
    attributes = ATTRIBUTES | {"storage": {"path": str(tmp_path / "tables")}}
    component = {"type": TYPE, "attributes": attributes}
    (own / "defs" / "hex" / "defs.yaml").write_text(yaml.safe_dump(component))
    # The package's metadata as an installation would have it, from the project file itself.
    entry_points = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    info = tmp_path / "site" / "hex_assets_entry-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hex-assets-entry\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
            for group, entries in entry_points.items()
        )
    )
    return tmp_path


def dg_command(project: Path, *arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", "from dagster_dg_cli.cli import main; main()", *arguments],
        cwd=project,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(project / "src"), str(project / "site"), str(ROOT)]),
            "CLICKHOUSE_HOST": "clickhouse.example.com",
            "DAGSTER_HOME": str(project),
            "COLUMNS": "200",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.mark.slow
def test_dg_finds_the_component_and_loads_it_in_someone_elses_project(project: Path) -> None:
    pytest.importorskip("dagster_dg_cli")
    assert TYPE in dg_command(project, "list", "components")
    shown = dg_command(project, "list", "defs", "--json")
    assert "shop/orders" in shown and "bi/lineage/edges" in shown
