"""Scaling a real cluster, and draining nodes whose pods are protected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.real.build.components import PROBE_IMAGE
from tests.real.site import CLUSTER, Site, eventually

WORKLOAD = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: held}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: held}}}}
  template:
    metadata: {{labels: {{app: held}}}}
    spec:
      terminationGracePeriodSeconds: 1
      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: kubernetes.io/hostname
        whenUnsatisfiable: ScheduleAnyway
        labelSelector: {{matchLabels: {{app: held}}}}
      containers: [{{name: probe, image: "{PROBE_IMAGE}", args: [serve, "8080"]}}]
"""


def budget(name: str, available: str) -> str:
    return f"""
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: {name}}}
spec: {{{available}, selector: {{matchLabels: {{app: held}}}}}}
"""


#: A controller of pods, as far as a drain looks at it.
OWNER = """
apiVersion: v1
kind: ConfigMap
metadata: {name: owner}
"""


def lonely(name: str, node: str, volumes: str) -> str:
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  nodeName: {node}
  terminationGracePeriodSeconds: 1
  volumes: {volumes}
  containers: [{{name: probe, image: "{PROBE_IMAGE}", args: [serve, "8080"]}}]
"""


@pytest.fixture
def workload(site: Site, cluster: dict[str, Any]) -> Iterator[None]:
    """Two pods, spread over the workers."""
    site.resize(2)
    site.kubectl("apply", "-f", "-", stdin=WORKLOAD).checked()
    wait = ("wait", "--for=condition=Available", "deployment/held", "--timeout=180s")
    site.kubectl(*wait).checked()
    yield
    site.kubectl("delete", "pdb", "--all")
    site.kubectl("delete", "--now", "-f", "-", stdin=WORKLOAD)
    site.resize(2)


def test_scaling_up_and_down(site: Site, cluster: dict[str, Any]) -> None:
    before = site.node_names()
    site.resize(3)
    (new,) = site.node_names() - before
    assert new in site.workers()
    site.resize(2)
    assert site.node_names() == before


def test_pods_that_cannot_move_are_named_and_nothing_is_changed(
    site: Site, cluster: dict[str, Any]
) -> None:
    node = site.workers()[-1]
    pods = [lonely("alone", node, "[]"), lonely("local", node, "[{name: data, emptyDir: {}}]")]
    text = "---".join([*pods, OWNER])
    site.kubectl("apply", "-f", "-", stdin=text).checked()
    uid = site.kubectl("get", "configmap", "owner", "-o", "jsonpath={.metadata.uid}").checked()
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    patch = {"metadata": {"ownerReferences": [{**owner, "controller": True}]}}
    site.kubectl("patch", "pod", "local", "-p", json.dumps(patch)).checked()
    try:
        refused = site.vcd("cse", "node", "delete", CLUSTER, node, "--yes")
        assert (refused.code, refused.out) == (4, "")
        assert "it has no controller that would start it again" in refused.err
        assert "its local data would be lost" in refused.err
        assert node in site.ready_names()
    finally:
        site.kubectl("delete", "--now", "-f", "-", stdin=text)


@pytest.mark.usefixtures("workload")
def test_a_budget_that_allows_nothing_refuses_before_anything_changes(site: Site) -> None:
    site.kubectl("apply", "-f", "-", stdin=budget("tight", "minAvailable: 2")).checked()
    node = site.workers()[-1]
    refused = site.vcd("cse", "node", "delete", CLUSTER, node, "--yes")
    assert (refused.code, refused.out) == (4, "")
    assert "the disruption budget tight allows no eviction" in refused.err
    assert node in site.node_names()
    assert "SchedulingDisabled" not in site.kubectl("get", "nodes").checked()


@pytest.mark.usefixtures("workload")
def test_two_budgets_over_one_pod_are_seen_and_can_be_forced(site: Site) -> None:
    """The API server answers such an eviction with HTTP 500."""
    both = "---".join(budget(name, "maxUnavailable: 1") for name in ("one", "two"))
    site.kubectl("apply", "-f", "-", stdin=both).checked()
    node = site.workers()[-1]
    refused = site.vcd("cse", "node", "delete", CLUSTER, node, "--yes")
    assert (refused.code, refused.out) == (4, "")
    assert "more than one disruption budget covers it (one, two)" in refused.err
    forced = site.vcd("cse", "node", "delete", CLUSTER, node, "--yes", "--force")
    assert forced.code == 0, forced.err
    assert node not in site.node_names()


@pytest.mark.usefixtures("workload")
def test_an_eviction_that_a_budget_holds_is_tried_again(site: Site) -> None:
    """Of two pods on a node one may be missing: the other's eviction is 429 until it is back."""
    other, node = site.workers()
    site.kubectl("cordon", other).checked()
    site.kubectl("delete", "pods", "-l", "app=held").checked()
    eventually(lambda: _ready_places(site) == [node, node], "both pods run on the node")
    site.kubectl("uncordon", other).checked()
    site.kubectl("apply", "-f", "-", stdin=budget("one", "maxUnavailable: 1")).checked()
    deleted = site.vcd("cse", "node", "delete", CLUSTER, node, "--yes")
    assert deleted.code == 0, deleted.err
    assert f"{node}: the disruption budget holds default/held-" in deleted.err
    eventually(lambda: _ready_places(site) == [other, other], "both pods run on the other node")


def _ready_places(site: Site) -> list[str]:
    """Return the node of each pod of the workload that is Ready."""
    return [
        pod["spec"]["nodeName"]
        for pod in site.items("pods", "-l", "app=held")
        if any(
            one["type"] == "Ready" and one["status"] == "True"
            for one in pod["status"].get("conditions", ())
        )
    ]
