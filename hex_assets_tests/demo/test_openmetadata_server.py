"""The local OpenMetadata is as strict and as surprising as the real one is known to be."""

from __future__ import annotations

import pytest

from hex_assets.demo.openmetadata_server import BOT_TOKEN, OpenMetadataServer
from hex_assets.openmetadata.client import OpenMetadataClient
from hex_assets.openmetadata.errors import ChangedMeanwhile, NotFound, OpenMetadataError


@pytest.fixture
def client():
    with OpenMetadataServer("1.13.0") as server:
        client = OpenMetadataClient(server.url, BOT_TOKEN, retries=0)
        client.put("/services/dashboardServices", {"name": "s", "serviceType": "Hex"})
        yield client


def test_unknown_field_bad_enum_and_missing_reference_are_refused(client):
    with pytest.raises(OpenMetadataError, match="400"):
        client.put("/dashboards", {"name": "d", "service": "s", "domain": "x"})
    with pytest.raises(OpenMetadataError, match="400"):
        client.put("/charts", {"name": "c", "service": "s", "chartType": "Donut"})
    with pytest.raises(NotFound):
        client.put("/dashboards", {"name": "d", "service": "nope"})
    with pytest.raises(NotFound):
        client.put("/dashboards", {"name": "d", "service": "s", "charts": ["s.nope"]})


def test_bots_put_keeps_the_description_and_replaces_the_charts(client):
    client.put("/charts", {"name": "c", "service": "s"})
    body = {"name": "d", "service": "s", "description": "old", "charts": ["s.c"]}
    made = client.put("/dashboards", body)
    client.put("/dashboards", {"name": "d", "service": "s", "description": "new"})
    found = client.get(f"/dashboards/{made['id']}", fields="charts")
    assert (found["description"], found["charts"]) == ("old", [])


def test_put_restores_and_a_stale_version_is_a_412(client):
    made = client.put("/dashboards", {"name": "d", "service": "s"})
    client.delete(f"/dashboards/{made['id']}")
    with pytest.raises(NotFound):
        client.get(f"/dashboards/{made['id']}")
    client.put("/dashboards", {"name": "d", "service": "s"})
    steps = [{"op": "add", "path": "/displayName", "value": "x"}]
    with pytest.raises(ChangedMeanwhile):
        client.patch(f"/dashboards/{made['id']}", steps, version=made["version"])


def test_lineage_is_replaced_whole_and_unknown_columns_are_dropped(client):
    ids = [client.put("/dashboards", {"name": n, "service": "s"})["id"] for n in "ab"]
    ends = {
        name: {"id": i, "type": "dashboard"}
        for name, i in zip(("fromEntity", "toEntity"), ids, strict=True)
    }
    columns = [{"fromColumns": ["s.a.x"], "toColumn": "s.b.x"}]
    details = {"sqlQuery": "select 1", "columnsLineage": columns}
    client.put("/lineage", {"edge": {**ends, "lineageDetails": details}})
    [edge] = client.get(f"/lineage/dashboard/{ids[1]}")["upstreamEdges"]
    assert (edge["lineageDetails"]["columnsLineage"], edge["lineageDetails"]["source"]) == (
        [],
        "Manual",
    )
    client.put("/lineage", {"edge": ends})
    [edge] = client.get(f"/lineage/dashboard/{ids[1]}")["upstreamEdges"]
    assert "sqlQuery" not in edge["lineageDetails"]
