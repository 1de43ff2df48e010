"""A file with several pools: one composition, and each change of it by its own operation.

`make sweep` does the same with three control planes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.cluster_files import Place
from tests.support.people import offer_template, person
from tests.support.simulator import Cloud, Control

NAME = "pooled"
HEADS = 3 if os.environ.get("CSE_SWEEP") == "full" else 1
BARE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev1"
OLD, NEW = "pooled-1.36_rev1", "pooled-1.37_rev1"
RELEASES = {OLD: "1.36.3", NEW: "1.37.2"}
FILE = f"""\
apiVersion: cse-client/v1
kind: Cluster
metadata: {{name: {NAME}}}
spec:
  network: net1
  template: cse/{OLD}
  virtualAddress: auto
  controlPlane: {{count: {HEADS}}}
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
  template: cse/{NEW}
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
    control = Control(cloud)
    for item, release in RELEASES.items():
        offer_template(place, control, item, release, like=BARE, keepalived=True)
    yield place
    place.run_cse("delete", NAME, "--yes")
    for item in RELEASES:
        control.set(f"templates/{item}", remove=True)


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
    assert "'spec.pools[0].cpus' (line 10) is 8, and pool 'gpu' has 4; it cannot be" in done.err
    assert "'spec.network' (line 6) is net2" in done.err
    # what cannot be changed and what VCD refuses are in one list
    text = CHANGED.replace(NEW, OLD).replace("- name: new", "- name: new\n    template: gone")
    text = text.replace("size: 2", "size: 400").replace("pools:", "network: net2\n  pools:")
    for words in (("--yes",), ("--dry-run",)):
        done = place.apply(text, *words)
        assert (done.code, done.out) == (4, "")
        assert "  - Pool 'new': Template 'gone' was not found." in done.err
        assert "  - Pool 'gpu': The network 'net1' has " in done.err
        assert "'spec.network' (line 6) is net2" in done.err
    # each pool fits into the network, and both do not
    needed = place.planned(FILE.replace(f"{{name: {NAME}}}", "{name: other}"))["resources"]
    free = next(one["left"] for one in needed if one["resource"] == "addresses in net1")
    text = FILE.replace("size: 1", f"size: {free // 2 + 2}")
    for words in (("--yes",), ("--dry-run",)):
        done = place.apply(text, *words)
        assert (done.code, done.out) == (4, "")
        assert f"Error: The network 'net1' has {free} free addresses" in done.err, done.err
    assert control.possessions() == before


def test_each_change_is_shown_and_made(place: Place) -> None:
    assert [
        (one["action"], one["object"], one["current"], one["wanted"])
        for one in place.planned(CHANGED)["changes"]
    ] == [
        ("upgrade", f"cluster {NAME}", f"cse/{OLD}", f"cse/{NEW}"),
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
    both = f"upgrades all nodes to template cse/{NEW} and deletes pool default with 1 worker"
    assert f"which {both}, must be confirmed" in done.err
    done = place.apply(CHANGED, "--yes")
    assert done.code == 0, done.err
    assert pools(place) == {"gpu": (2, {"example.com/kind": "fast"}), "new": (1, {})}
    assert (
        json.loads(place.run_cse("info", NAME, "-o", "json").out)["kubernetes_version"] == "1.37.2"
    )
    spec = yaml.safe_load(place.exported(NAME))["spec"]
    assert (spec["template"], spec["controlPlane"]) == (f"cse/{NEW}", {"count": HEADS})
    assert spec["pools"] == [
        {"name": "gpu", "size": 2, "cpus": 4, "labels": {"example.com/kind": "fast"}},
        {"name": "new", "size": 1},
    ]
