"""A file with several pools: one composition, and each change of it by its own operation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.cluster_files import Place
from tests.support.people import person
from tests.support.simulator import Cloud, Control

NAME = "pooled"
FILE = f"""\
apiVersion: cse-client/v1
kind: Cluster
metadata: {{name: {NAME}}}
spec:
  network: net1
  pools:
  - name: default
    size: 1
  - name: gpu
    size: 1
    cpus: 4
    labels: {{example.com/kind: gpu}}
    taints:
    - {{key: gpu, value: "true", effect: NoSchedule}}
"""
CHANGED = f"""\
apiVersion: cse-client/v1
kind: Cluster
metadata: {{name: {NAME}}}
spec:
  pools:
  - name: gpu
    size: 2
    labels: {{example.com/kind: fast}}
    taints: []
  - name: new
    size: 1
"""


@pytest.fixture(scope="module")
def place(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if not cloud.others:
        pytest.skip("needs a simulator")
    home = tmp_path_factory.mktemp("pooled")
    place = Place(home, person(cloud, home).environment)
    yield place
    place.run_cse("delete", NAME, "--yes")


def pools(place: Place) -> dict[str, Any]:
    rows = json.loads(place.cse("pool", "list", NAME, "-o", "json").checked())
    return {row["name"]: (row["workers"], row["labels"]) for row in rows}


def test_several_pools_are_made_at_once(place: Place, control: Control) -> None:
    control.ask("DELETE", "journal")
    done = place.apply(FILE)
    assert done.code == 0, done.err
    asked = control.requests()
    assert len([one for one in asked if "composeVApp" in one]) == 1
    assert not [one for one in asked if "recomposeVApp" in one]
    assert pools(place) == {"default": (1, {}), "gpu": (1, {"example.com/kind": "gpu"})}
    spec = yaml.safe_load(place.exported(NAME))["spec"]
    assert spec["pools"] == yaml.safe_load(FILE)["spec"]["pools"]


def test_a_refusal_comes_before_every_change(place: Place, control: Control) -> None:
    before = control.possessions()
    text = CHANGED.replace("size: 2", "size: 2\n    cpus: 8").replace(
        "pools:", "network: net2\n  pools:"
    )
    done = place.apply(text, "--yes")
    assert (done.code, done.out) == (4, "")
    assert "'spec.pools[0].cpus' (line 9) is 8, and pool 'gpu' has 4; it cannot be" in done.err
    assert "'spec.network' (line 5) is net2" in done.err
    text = CHANGED.replace("  pools:", "  controlPlane: {count: 3}\n  pools:")
    text = text.replace("- name: new", "- name: new\n    template: gone")
    for words in (("--yes",), ("--dry-run",)):
        done = place.apply(text, *words)
        assert (done.code, done.out) == (4, "")
        assert "has no virtual address, so it can have one control plane only." in done.err
        assert "Template 'gone' was not found." in done.err
    assert control.possessions() == before


def test_each_change_is_shown_and_made(place: Place) -> None:
    assert [
        (one["action"], one["object"], one["current"], one["wanted"])
        for one in place.planned(CHANGED)["changes"]
    ] == [
        ("create", "pool new", "", "1 worker"),
        ("resize", "pool gpu", "1", "2"),
        (
            "update",
            "pool gpu",
            "labels example.com/kind=gpu; taints gpu=true:NoSchedule",
            "labels example.com/kind=fast",
        ),
        ("delete", "pool default", "1 worker", ""),
    ]
    done = place.apply(CHANGED)
    assert (done.code, done.out) == (2, "")
    assert "which deletes pool default with 1 worker, must be confirmed" in done.err
    done = place.apply(CHANGED, "--yes")
    assert done.code == 0, done.err
    assert pools(place) == {"gpu": (2, {"example.com/kind": "fast"}), "new": (1, {})}
    assert yaml.safe_load(place.exported(NAME))["spec"]["pools"] == [
        {"name": "gpu", "size": 2, "cpus": 4, "labels": {"example.com/kind": "fast"}},
        {"name": "new", "size": 1},
    ]
