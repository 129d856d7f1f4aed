from __future__ import annotations

import json
from pathlib import Path

import jsonschema
from click.testing import CliRunner

from hex_assets.commands.schema import schema, schema_text, settings_schema
from hex_assets.warehouses.registry import MODULES

COMMITTED = Path(__file__).parents[2] / "hex_assets.schema.json"


def test_the_committed_schema_is_the_one_of_the_settings() -> None:
    assert COMMITTED.read_text() == schema_text(), (
        "run: hex-assets schema --output " + COMMITTED.name
    )


def test_every_warehouse_type_is_in_the_schema() -> None:
    warehouses = settings_schema()["properties"]["warehouses"]["additionalProperties"]
    assert set(warehouses["discriminator"]["mapping"]) == set(MODULES)


def test_an_editor_refuses_an_unknown_key_and_takes_a_good_file() -> None:
    checker = jsonschema.Draft202012Validator(settings_schema())
    good = {"warehouses": {"a": {"type": "clickhouse", "host": "h"}}}
    assert checker.is_valid(good)
    assert not checker.is_valid({"warehouses": {"a": {"type": "clickhouse", "hots": "h"}}})
    assert not checker.is_valid({"hexx": {}})


def test_output_writes_what_is_printed(tmp_path: Path) -> None:
    target = tmp_path / "s.json"
    assert CliRunner().invoke(schema, ["--output", str(target)]).exit_code == 0
    assert json.loads(target.read_text()) == json.loads(CliRunner().invoke(schema).output)
