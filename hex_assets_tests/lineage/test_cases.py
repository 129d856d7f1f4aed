"""The cases in `cases/`, one file a dialect: what a person who knows SQL reads off each text.

A case has `sql`, `sources`, and where there are any `targets`, `columns` (output column and its
source columns), `files`, `uses` (source column and what it is used for), `written` (columns of
the targets and what they come from), `unresolved` (columns of which nothing is certain), `reason`,
and `schema` (columns of tables that the catalog knows).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hex_assets.lineage.sql import extract

FOLDER = Path(__file__).with_name("cases")


def each_case() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every case with the file that it stands in; the file's name is its dialect."""
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.stem != "rejected":
            yield from ((path, case) for case in yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    ("dialect", "case"),
    [
        pytest.param(path.stem, case, id=f"{path.stem}: {case['sql'][:70]}")
        for path, case in each_case()
    ],
)
def test_a_case_has_its_lineage(dialect: str, case: dict[str, Any]) -> None:
    found = extract(case["sql"], dialect, catalog=case.get("schema"))
    assert sorted(found.sources) == sorted(case["sources"])
    assert sorted(found.targets) == sorted(case.get("targets", []))
    columns = {name: sorted(origins) for name, origins in found.columns if origins}
    assert columns == {name: sorted(o) for name, o in case.get("columns", {}).items()}
    assert list(found.files) == case.get("files", [])
    assert found.reason == case.get("reason")
    if "uses" in case:
        uses = {f"{use.table}.{use.column}": list(use.usage) for use in found.uses}
        assert uses == case["uses"]
    if "written" in case:
        written = {f"{t}.{name}": list(o) for t, name, o in found.target_columns}
        assert written == {name: sorted(o) for name, o in case["written"].items()}
    if "unresolved" in case:
        assert sorted(found.unresolved_columns) == sorted(case["unresolved"])


def test_there_are_cases_of_every_dialect() -> None:
    counted = {path.stem: len(yaml.safe_load(path.read_text())) for path in FOLDER.glob("*.yaml")}
    del counted["rejected"]
    assert sum(counted.values()) >= 250
    assert min(counted[name] for name in ("snowflake", "bigquery", "databricks", "tsql")) >= 20
