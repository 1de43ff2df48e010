"""Draining by the rules of kubectl, against an API that answers what a test wants."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cse_client.errors import ClusterUnreachable, Refused, TimedOut
from cse_client.kube.api import ClusterAPI
from cse_client.kube.drain import Stuck, delete_node, drain, find_stuck_pods, uncordon
from cse_client.model import Event
from tests.support.clock import FakeClock
from tests.support.kube_stub import Answer, StubAPI, Text, status

Edit = Callable[..., dict[str, Any]]


def pod(name: str, owner: str = "ReplicaSet", **more: Any) -> dict[str, Any]:
    owners = [{"kind": owner, "name": "o", "controller": True}] if owner else []
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "labels": {"app": "web"},
            "annotations": more.get("annotations", {}),
            "ownerReferences": owners,
        },
        "spec": {"nodeName": more.get("node", "node-1"), "volumes": more.get("volumes", [])},
        "status": {"phase": more.get("phase", "Running")},
    }


class Cluster:
    """Pods on nodes; what is evicted or deleted is gone at once, unless it is held."""

    def __init__(self, api: StubAPI, version: str = "v1.33.1") -> None:
        self.pods: dict[str, dict[str, Any]] = {}
        self.budgets: list[dict[str, Any]] = []
        self.held: dict[str, int] = {}
        self.lingering: set[str] = set()
        self.ready = "True"
        self.sent: list[tuple[str, str, Any]] = []
        api.answers["/version"] = (200, {"gitVersion": version})
        api.answers["/api/v1/nodes/node-1"] = self.node
        api.answers["/api/v1/pods"] = self.list
        for group in ("v1", "v1beta1"):
            path = f"/apis/policy/{group}/poddisruptionbudgets"
            api.answers[path] = lambda *_: (200, {"items": self.budgets})
        self._api = api
        self.doubled: set[str] = set()

    def add(self, *pods: dict[str, Any]) -> None:
        for one in pods:
            name = one["metadata"]["name"]
            self.pods[name] = one
            path = f"/api/v1/namespaces/default/pods/{name}"
            self._api.answers[path] = self._deleting(name)
            self._api.answers[f"{path}/eviction"] = self.evicting(name)

    def node(self, method: str, _query: object, body: bytes) -> Answer:
        self.sent.append((method, "node-1", json.loads(body) if body else None))
        conditions = [{"type": "Ready", "status": self.ready}]
        return 200, {"metadata": {"name": "node-1"}, "status": {"conditions": conditions}}

    def list(self, _method: str, query: dict[str, list[str]], _body: bytes) -> Answer:
        wanted = query.get("fieldSelector", [""])[0].rpartition("=")[2]
        items = [p for p in self.pods.values() if wanted in ("", p["spec"]["nodeName"])]
        return 200, {"metadata": {}, "items": items}

    def evicting(self, name: str) -> Any:
        def evict(method: str, _query: object, body: bytes) -> Answer:
            self.sent.append((method, f"{name}/eviction", json.loads(body)))
            if self.held.get(name, 0):
                self.held[name] -= 1
                return 429, {
                    **status(429, "TooManyRequests"),
                    "message": "Cannot evict pod: budget",
                    "details": {"causes": [{"reason": "DisruptionBudget", "message": "x"}]},
                }
            if name in self.doubled:
                # without a reason, as kubernetes:pkg/registry/core/pod/storage/eviction.go does
                return 500, {
                    "kind": "Status",
                    "apiVersion": "v1",
                    "status": "Failure",
                    "message": "This pod has more than one PodDisruptionBudget, which the "
                    "eviction subresource does not support.",
                    "code": 500,
                }
            if name not in self.lingering:
                self.pods.pop(name, None)
            return 201, {}

        return evict

    def _deleting(self, name: str) -> Any:
        def delete(method: str, _query: object, body: bytes) -> Answer:
            self.sent.append((method, name, json.loads(body)))
            self.pods.pop(name, None)
            return 200, {}

        return delete


@pytest.fixture
def cluster(api: StubAPI) -> Cluster:
    return Cluster(api)


def drained(api: StubAPI, deadline: float = 100.0, *, force: bool = False) -> list[Event]:
    events: list[Event] = []
    with ClusterAPI(api.kubeconfig(), environ={}) as connection:
        drain(
            connection,
            "node-1",
            force=force,
            deadline=deadline,
            clock=FakeClock(),
            progress=events.append,
        )
    return events


def test_what_cannot_be_moved_is_named_with_the_reason(api: StubAPI, cluster: Cluster) -> None:
    cluster.budgets = [
        {
            "metadata": {"name": "tight", "namespace": "default"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}},
            "status": {"disruptionsAllowed": 0},
        }
    ]
    held, free = pod("held"), pod("free")
    free["metadata"]["labels"] = {"app": "other"}
    cluster.add(
        pod("bare", ""),
        pod("data", volumes=[{"name": "d", "emptyDir": {}}]),
        held,
        free,
        pod("daemon", "DaemonSet"),
        pod("static", "Node", annotations={"kubernetes.io/config.mirror": "x"}),
        pod("done", "", phase="Succeeded"),
        pod("elsewhere", "", node="node-2"),
    )
    with ClusterAPI(api.kubeconfig(), environ={}) as connection:
        found = find_stuck_pods(connection, ["node-1"])
    assert found == (
        Stuck("default", "bare", "node-1", "it has no controller that would start it again"),
        Stuck("default", "data", "node-1", "its local data would be lost"),
        Stuck("default", "held", "node-1", "the disruption budget tight allows no eviction"),
    )
    assert cluster.sent == []


@pytest.mark.parametrize(("version", "policy"), [("v1.18.6", "v1beta1"), ("v1.33.1", "v1")])
def test_pods_are_evicted_by_the_api_of_their_time(api: StubAPI, version: str, policy: str) -> None:
    cluster = Cluster(api, version)
    cluster.add(pod("web"), pod("daemon", "DaemonSet"))
    drained(api)
    assert list(cluster.pods) == ["daemon"]
    assert cluster.sent[0] == ("PATCH", "node-1", {"spec": {"unschedulable": True}})
    (eviction,) = [body for _method, path, body in cluster.sent if path == "web/eviction"]
    assert eviction["apiVersion"] == f"policy/{policy}"


@pytest.mark.parametrize("carried_out", [False, True])
def test_an_eviction_whose_connection_breaks_is_sent_again(
    api: StubAPI, cluster: Cluster, carried_out: bool
) -> None:
    cluster.add(pod("web"))
    path = "/api/v1/namespaces/default/pods/web/eviction"
    evict = cluster.evicting("web")
    left = [None]

    def breaks(method: str, query: dict[str, list[str]], body: bytes) -> Answer:
        if not left:
            if carried_out:
                return 404, status(404, "NotFound")
            answered: Answer = evict(method, query, body)
            return answered
        left.pop()
        if carried_out:
            evict(method, query, body)
        raise ConnectionResetError

    api.answers[path] = breaks
    drained(api)
    assert cluster.pods == {}
    evictions = [body for _method, where, body in cluster.sent if where == "web/eviction"]
    # a StatefulSet may have started a pod of the same name between the two
    assert [one["deleteOptions"]["preconditions"]["uid"] for one in evictions] == ["uid-web"]


def test_a_budget_is_waited_for(api: StubAPI, cluster: Cluster) -> None:
    cluster.add(pod("web"))
    cluster.held["web"] = 3
    events = drained(api)
    assert cluster.pods == {}
    assert [event.text for event in events] == [
        "node-1: the disruption budget holds default/web; waiting"
    ]


def test_a_budget_that_never_gives_way(api: StubAPI, cluster: Cluster) -> None:
    cluster.add(pod("web"))
    cluster.held["web"] = 1000
    with pytest.raises(TimedOut, match=r"default/web is still there \(Cannot evict pod: budget\)"):
        drained(api, 20.0)
    assert "web" in cluster.pods


def test_force_deletes_what_a_budget_holds(api: StubAPI, cluster: Cluster) -> None:
    cluster.add(pod("web"))
    cluster.held["web"] = 1000
    drained(api, force=True)
    assert cluster.pods == {}
    assert ("DELETE", "web") in [sent[:2] for sent in cluster.sent]


def test_two_budgets_over_one_pod_are_seen_before_a_drain(api: StubAPI, cluster: Cluster) -> None:
    cluster.budgets = [
        {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}},
            "status": {"disruptionsAllowed": 1},
        }
        for name in ("wide", "loose")
    ]
    cluster.add(pod("web"))
    with ClusterAPI(api.kubeconfig(), environ={}) as connection:
        (stuck,) = find_stuck_pods(connection, ["node-1"])
    assert stuck.reason == "more than one disruption budget covers it (loose, wide)"


def test_two_budgets_over_one_pod_are_not_waited_for(api: StubAPI, cluster: Cluster) -> None:
    cluster.add(pod("web"))
    cluster.doubled.add("web")
    with pytest.raises(Refused, match="default/web is covered by more than one disruption budget"):
        drained(api)
    assert "web" in cluster.pods
    drained(api, force=True)
    assert cluster.pods == {}


@pytest.mark.parametrize("force", [False, True])
def test_an_overloaded_api_is_no_budget(api: StubAPI, cluster: Cluster, force: bool) -> None:
    cluster.add(pod("web"))
    path = "/api/v1/namespaces/default/pods/web/eviction"
    api.answers[path] = (429, Text("Too many requests, please try again later.\n"))
    with pytest.raises(ClusterUnreachable, match="Cannot evict default/web: Too many requests"):
        drained(api, force=force)
    assert "web" in cluster.pods


def test_pods_of_a_dead_node_are_removed_at_last(api: StubAPI, cluster: Cluster) -> None:
    cluster.add(pod("web"))
    cluster.lingering.add("web")
    cluster.ready = "Unknown"
    drained(api)
    (body,) = [body for method, path, body in cluster.sent if (method, path) == ("DELETE", "web")]
    assert body["gracePeriodSeconds"] == 0
    assert body["preconditions"] == {"uid": "uid-web"}


def test_a_pod_that_does_not_end(api: StubAPI, cluster: Cluster) -> None:
    cluster.add(pod("web"))
    cluster.lingering.add("web")
    with pytest.raises(TimedOut, match=r"default/web is still there \(it does not end\)"):
        drained(api, 30.0)


def test_a_node_that_is_gone_is_drained(api: StubAPI) -> None:
    api.answers["/api/v1/nodes/node-1"] = (404, status(404, "NotFound"))
    assert drained(api) == []
    with ClusterAPI(api.kubeconfig(), environ={}) as connection:
        assert delete_node(connection, "node-1") is False
        assert uncordon(connection, "node-1") is False
