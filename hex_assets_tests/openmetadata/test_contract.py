"""Every body that is sent is valid for the models that OpenMetadata generates from its schemas."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hex_assets.demo.openmetadata_server import OpenMetadataServer
from hex_assets_tests.openmetadata.conftest import ORDERS, TABLES, edge, run_publish, world
from hex_assets_tests.openmetadata.validate_bodies import MODELS

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("HEX_ASSETS_TEST_CACHE") or ROOT / ".cache" / "openmetadata")
RELEASES = {
    "1.9.0": "1.9.0.0",
    "1.9.13": "1.9.13.1",
    "1.10.14": "1.10.14.0",
    "1.13.6": "1.13.6.3",
    "2.0.7": "2.0.7.0",
}


def download(folder: Path, package: str) -> Path:
    """The wheel of one package without its dependencies, unpacked into a folder of its own."""
    done = folder / ".complete"
    if done.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
    result = subprocess.run([*command, package], capture_output=True, text=True, timeout=300)
    if result.returncode:
        pytest.skip(f"{package} cannot be downloaded: {result.stderr.strip()[-300:]}")
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            if any(name.startswith("metadata/") for name in names):
                names = [
                    name
                    for name in names
                    if name.startswith(("metadata/generated/", "metadata/ingestion/models/"))
                ]
            archive.extractall(folder, names)
        wheel.unlink()
    done.touch()
    return folder


def shape(path: str) -> str:
    """The route of a request, as the models' table has it."""
    if path.startswith("/usage/"):
        return "/usage"
    return "/restore" if path.endswith("/restore") else path


@pytest.mark.slow
@pytest.mark.parametrize("version", RELEASES)
def test_every_body_is_valid_for_the_models_of_the_release(version, tmp_path):
    models = download(CACHE / version, f"openmetadata-ingestion=={RELEASES[version]}")
    email = [download(CACHE / name, name) for name in ("email-validator", "dnspython", "idna")]
    with OpenMetadataServer(version) as server:
        server.seed(TABLES, users=["ann@example.org"])
        server.entity("table", ORDERS)["columns"].append(
            {"name": "items", "dataType": "ARRAY", "arrayDataType": "INT"}
        )
        rows = world(catalog=True)
        run_publish(server.url, rows).raise_failures()
        everything = rows.projects
        rows.projects = everything[:4]
        run_publish(server.url, rows).raise_failures()
        rows.projects = everything
        rows.projects[0]["collections"] = ["Another"]
        rows.cells[0]["source"] = "select 1 as one"
        rows.cells[1]["url"] += "&changed=1"
        items = edge(0, ORDERS, "items", cell_id="c1", output_columns=["items"])
        rows.edges.append(items)
        run_publish(server.url, rows).raise_failures()
        bodies = [
            (shape(path), body) for method, path, body in server.requests if method != "PATCH"
        ]
        bodies = [(path, body) for path, body in bodies if body is not None]
    assert {path for path, _ in bodies} == set(MODELS)
    sent = tmp_path / "bodies.json"
    sent.write_text(json.dumps(bodies))
    script = Path(__file__).with_name("validate_bodies.py")
    result = subprocess.run(
        [sys.executable, str(script), str(models), str(sent)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, email))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert sum(json.loads(result.stdout).values()) == len(bodies)
