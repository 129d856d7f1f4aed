"""Edges name cells as queries do; cells are known by their stable id. Pure."""

from __future__ import annotations

import pyarrow as pa


def with_static_cells(edges: pa.Table, cells: pa.Table) -> pa.Table:
    """Edges whose cell is named by the id of one of its versions, with its stable id instead.

    Hex does not say which of the two its query comment names. An id that is no known version of
    the edge's own project stays as it is, and a stable id is never taken for a version.

    Args:
        edges: rows of `tables.EDGES`.
        cells: rows of `tables.CELLS`; of several snapshots, to know older versions as well.
    """
    known = cells.select(["project_id", "version_id", "cell_id"])
    stable = set(zip(known["project_id"].to_pylist(), known["cell_id"].to_pylist(), strict=True))
    static_of = {
        (project, version): cell
        for project, version, cell in zip(*(c.to_pylist() for c in known.columns), strict=True)
        if version is not None and (project, version) not in stable
    }
    pairs = zip(edges["project_id"].to_pylist(), edges["cell_id"].to_pylist(), strict=True)
    found = pa.array([static_of.get(pair, pair[1]) for pair in pairs], pa.string())
    place = edges.schema.get_field_index("cell_id")
    return edges.set_column(place, edges.schema.field(place), found)
