"""What servers show, in the documented keys that it has with any engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.server.entity_answers import LIST_30, LIST_31, Generation, altered, defined, page
from tests.server.served import CLUSTER, ROW, TEMPLATES, Served
from tests.support.programs import Result
from tests.support.schemas import check

Run = Callable[..., Result]


def documents(cse: Run, *lines: str) -> list[Any]:
    """Return what commands show as JSON, after comparing it with their schemas."""
    found = []
    for line in lines:
        shown = cse(*line.split(), "-o", "json")
        assert (shown.err, shown.code) == ("", 0)
        found.append(json.loads(shown.out))
        check(" ".join(line.split()[:2]), found[-1])
    return found


def test_cse_2(cse: Run, served: Served) -> None:
    served.get("/api/cse/clusters?org_name=acme", [ROW])
    served.get("/api/cse/templates", TEMPLATES)
    served.get("/api/cse/ovdc/1", {"k8s_provider": "native"})
    clusters, cluster, nodes, templates, ovdc = documents(
        cse,
        "cluster list",
        "cluster info blue",
        "node list blue",
        "template list",
        "ovdc info vdc1",
    )
    assert [(one["name"], one["kubernetes_version"]) for one in clusters] == [("blue", "1.20")]
    assert cluster["server_document"] == CLUSTER
    assert cluster["nodes"] == nodes
    assert [one["kind"] for one in nodes] == ["control plane", "worker", "worker"]
    assert [one["revision"] for one in templates] == [2]
    assert (ovdc["name"], ovdc["provider"]) == ("vdc1", "native")


@pytest.fixture(params=["3.0", "3.1"])
def generation(request: pytest.FixtureRequest, served: Served) -> Generation:
    return Generation(served, request.param)


@pytest.mark.parametrize("phase", ["CREATE:SUCCEEDED", "CREATE:IN_PROGRESS", "DELETE:FAILED"])
def test_cse_3(cse: Run, generation: Generation, phase: str) -> None:
    entity = altered(generation.entity, phase)
    address = LIST_30 if generation.first else LIST_31
    generation.served.get(address, page(defined(entity)))
    generation.named(entity)
    clusters, cluster = documents(cse, "cluster list", "cluster info blue")
    assert [one["status"] for one in clusters] == [cluster["status"]] == [phase]
    assert "private" not in cluster["server_document"]["status"]
    if phase != "CREATE:SUCCEEDED":
        return
    row = {"ovdc_name": "vdc1", "ovdc_id": "1", "k8s_runtime": ["native", "TKG+"]}
    path = "/api/cse/3.0/ovdcs" if generation.first else "/api/cse/3.0/orgvdcs?page=1&pageSize=25"
    generation.served.get(path, [row] if generation.first else page(row))
    generation.served.get("/api/cse/3.0/ovdc/1", row)
    listed, ovdc = documents(cse, "ovdc list", "ovdc info vdc1")
    assert [one["runtimes"] for one in (*listed, ovdc)] == [["native", "TKG+"]] * 2
    names = cse("cluster", "info", "blue", "--query", "nodes[].name")
    assert names.out.split() == [one["name"] for one in cluster["nodes"]]
