"""What the docs and the examples of deployment say is so."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hex_assets.commands.schema import settings_schema
from hex_assets.commands.stored import stored_tables
from hex_assets.commands.tables import renewed, settings_tables
from hex_assets.component import HexLineageComponent
from hex_assets.settings import parse_settings
from hex_assets.warehouses.registry import MODULES, settings_class

ROOT = Path(__file__).parent.parent
DOCS, DEPLOY = ROOT / "docs", ROOT / "deploy"
BINARIES = "/opt/hex-assets/.venv/bin"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_the_table_of_settings_is_that_of_the_schema() -> None:
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert page == renewed(page, settings_tables(settings_schema())), (
        "run `hex-assets schema --markdown --output docs/settings.md`"
    )


def test_the_columns_of_the_stored_tables_are_those_of_the_page() -> None:
    assert (DOCS / "tables.md").read_text(encoding="utf-8") == stored_tables(), (
        "run `hex-assets schema --tables --output docs/tables.md`"
    )


def test_the_table_has_every_key_of_every_warehouse() -> None:
    tables = settings_tables(settings_schema())
    for kind in MODULES:
        section = tables.split(f"### `warehouses`, type `{kind}`")[1].split("\n### ")[0]
        for key in settings_class(kind).model_fields:
            assert f"\n| `{key}` |" in section, (kind, key)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_examples_of_settings_are_valid() -> None:
    for page in sorted([*DOCS.glob("*.md"), *DOCS.glob("warehouses/*.md")]):
        for text in blocks(page, "yaml"):
            found = yaml.safe_load(text)
            if "attributes" in found:
                component = HexLineageComponent.from_attributes_dict(attributes=found["attributes"])
                assert component.key_prefix == ("hex_lineage",)
            elif "type" in found:
                parse_settings({"warehouses": {"shop": found}}, page.name)
            elif "load_from" not in found:
                parse_settings(found, page.name)


def test_the_example_of_merging_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks(DOCS / "dagster.md", "python")
    (tmp_path / "hex_assets.yaml").write_text("{}")
    monkeypatch.setenv("HEX_ASSETS_CONFIG", str(tmp_path / "hex_assets.yaml"))
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, "docs/dagster.md", "exec"), names)
    graph = names["defs"].resolve_asset_graph()
    keys = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert keys >= {"public/orders", "hex_lineage/lineage/edges", "hex_lineage/report/impact"}


def test_the_names_that_the_page_reserves_are_those_of_the_graph() -> None:
    from hex_assets.definitions import build_definitions

    catalog = {"hostPort": "https://om.example.com/api"}
    shop = {"type": "clickhouse", "host": "x"}
    definitions = build_definitions(
        parse_settings({"openmetadata": catalog, "warehouses": {"shop": shop}})
    )
    text = (DOCS / "dagster.md").read_text(encoding="utf-8")
    repository = definitions.get_repository_def()
    names = {
        *(definitions.resources or {}),
        *(job.name for job in definitions.resolve_all_job_defs() if "__" not in job.name),
        *(each.name for each in repository.schedule_defs),
        *(each.name for each in repository.sensor_defs),
    }
    for name in names:
        assert f"`{name}`" in text or (name.startswith("warehouse_") and "`warehouse_...`" in text)


def test_the_kubernetes_example_is_consistent() -> None:
    text = (DEPLOY / "kubernetes" / "hex-assets.yaml").read_text(encoding="utf-8")
    found = {each["kind"]: each for each in yaml.safe_load_all(text)}
    assert set(found) == {"ConfigMap", "PersistentVolumeClaim", "Deployment", "Service"}
    (settings,) = found["ConfigMap"]["data"].values()
    parsed = parse_settings(yaml.safe_load(settings))
    spec = found["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    pod = spec["template"]
    assert spec["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert found["Service"]["spec"]["selector"] == pod["metadata"]["labels"]
    volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
    for container in pod["spec"]["containers"]:
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert set(mounts.values()) == volumes
        assert any(parsed.storage.path.startswith(path) for path in mounts)
        assert "hex_assets.definitions" in container["args"]
        assert container["envFrom"] and "env" not in container


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_the_systemd_units_load(tmp_path: Path) -> None:
    units = []
    for unit in sorted((DEPLOY / "systemd").glob("*.service")):
        text = unit.read_text(encoding="utf-8")
        # The installed commands are not here; all else is checked as it is.
        changed = re.sub(rf"^ExecStart={BINARIES}/\S+", "ExecStart=/bin/true", text, flags=re.M)
        assert changed != text
        (tmp_path / unit.name).write_text(changed)
        units.append(str(tmp_path / unit.name))
    assert len(units) == 2
    result = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60
    )
    said = [line for line in result.stderr.splitlines() if str(tmp_path) in line or "hex-" in line]
    assert not said and result.returncode == 0, result.stderr


def test_every_way_of_deployment_runs_the_same_commands() -> None:
    commands = set()
    for unit in (DEPLOY / "systemd").glob("*.service"):
        (line,) = re.findall(rf"^ExecStart={BINARIES}/(.*)$", unit.read_text(), re.M)
        commands.add(tuple(line.replace("127.0.0.1", "0.0.0.0").split()))
    text = (DEPLOY / "kubernetes" / "hex-assets.yaml").read_text()
    pod = next(d for d in yaml.safe_load_all(text) if d["kind"] == "Deployment")["spec"]["template"]
    assert commands == {tuple(c["args"]) for c in pod["spec"]["containers"]}
    (command,) = re.findall(r"^CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.M)
    assert tuple(yaml.safe_load(command)) in commands
