"""A query's comment may name a version of a cell; its edges must still meet the cell."""

from datetime import datetime, timezone

from hex_assets.lineage.cells import with_static_cells
from hex_assets.tables import CELLS, EDGES

AT = datetime(2026, 11, 1, tzinfo=timezone.utc)


def edge(project: str, cell: str | None) -> dict[str, object]:
    return {
        "project_id": project,
        "cell_id": cell,
        "warehouse": "w",
        "table": "t",
        "direction": "read",
        "query_count": 1,
        "first_seen_at": AT,
        "last_seen_at": AT,
        "sample_query_id": "q",
    }


def cell(project: str, stable: str, version: str | None) -> dict[str, object]:
    return {"project_id": project, "cell_id": stable, "version_id": version, "cell_type": "SQL"}


def mapped(edges: list[dict[str, object]], cells: list[dict[str, object]]) -> list[object]:
    table = with_static_cells(EDGES.from_rows(edges), CELLS.from_rows(cells))
    assert table.schema.equals(EDGES.schema, check_metadata=True)
    return table["cell_id"].to_pylist()


def test_versions_of_several_snapshots_become_the_stable_id() -> None:
    cells = [cell("p", "s", "v1"), cell("p", "s", "v2")]
    assert mapped([edge("p", "v1"), edge("p", "v2"), edge("p", "s")], cells) == ["s", "s", "s"]


def test_an_id_of_another_project_or_of_no_cell_stays() -> None:
    cells = [cell("p", "s", "v"), cell("q", "s", None)]
    edges = [edge("q", "v"), edge("p", "unknown"), edge("p", None)]
    assert mapped(edges, cells) == ["v", "unknown", None]


def test_a_stable_id_is_never_taken_for_a_version() -> None:
    cells = [cell("p", "a", "b"), cell("p", "b", "c")]
    assert mapped([edge("p", "b"), edge("p", "c")], cells) == ["b", "b"]


def test_without_cells_nothing_changes() -> None:
    assert mapped([edge("p", "v")], []) == ["v"]
