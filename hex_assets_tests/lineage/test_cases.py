"""The cases in `cases/`, one file a dialect: tables, columns, files and reasons are as written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hex_assets.lineage.sql import extract

FOLDER = Path(__file__).with_name("cases")


def cases() -> list[Any]:
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.stem == "rejected":
            continue
        for case in yaml.safe_load(path.read_text()):
            found.append(pytest.param(path.stem, case, id=f"{path.stem}: {case['sql'][:70]}"))
    return found


@pytest.mark.parametrize(("dialect", "case"), cases())
def test_a_case_has_its_lineage(dialect: str, case: dict[str, Any]) -> None:
    found = extract(case["sql"], dialect)
    assert sorted(found.sources) == sorted(case["sources"])
    assert sorted(found.targets) == sorted(case["targets"])
    columns = {name: sorted(origins) for name, origins in found.columns if origins}
    assert columns == {name: sorted(o) for name, o in case.get("columns", {}).items()}
    assert list(found.files) == case.get("files", [])
    assert found.reason == case.get("reason")
