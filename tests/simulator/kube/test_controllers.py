"""Nodes that come and go, and the pods that follow them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.running_kube import Running, make

APPS = "/apis/apps/v1/namespaces/default"
STRATEGIC = "application/strategic-merge-patch+json"


@pytest.fixture
def cluster(tmp_path: Path) -> Running:
    """A cluster without a socket: controllers need none."""
    return make("1.33.1", tmp_path)


def workload(name: str, **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    pod = {"containers": [{"name": "c", "image": "i:1"}], **spec.pop("pod", {})}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


def pods(cluster: Running, *, where: str = "") -> list[dict[str, Any]]:
    found = cluster.get("/api/v1/pods")["items"]
    return [pod for pod in found if not where or pod["spec"].get("nodeName") == where]


def ready(cluster: Running, name: str) -> str:
    conditions = cluster.get(f"/api/v1/nodes/{name}")["status"]["conditions"]
    return str(next(item["status"] for item in conditions if item["type"] == "Ready"))


def taints(cluster: Running, name: str) -> set[tuple[str, str]]:
    listed = cluster.get(f"/api/v1/nodes/{name}")["spec"].get("taints", [])
    return {(item["key"].split("/")[-1], item["effect"]) for item in listed}


def beat_for(cluster: Running, seconds: int, *names: str) -> None:
    for _ in range(0, seconds, 30):
        cluster.clock.advance(30)
        for name in names:
            assert cluster.beat(name)[0] == 200


def test_a_silent_node_is_unknown_until_it_reports_again(cluster: Running) -> None:
    cluster.node("a")
    cluster.clock.advance(39)
    assert ready(cluster, "a") == "True"
    cluster.clock.advance(3)
    assert ready(cluster, "a") == "Unknown"
    assert taints(cluster, "a") == {("unreachable", "NoSchedule"), ("unreachable", "NoExecute")}
    cluster.beat("a", "False")
    assert taints(cluster, "a") == {("not-ready", "NoSchedule"), ("not-ready", "NoExecute")}
    cluster.beat("a")
    assert taints(cluster, "a") == set()


def test_a_lease_counts_as_a_heartbeat(cluster: Running) -> None:
    cluster.node("a")
    cluster.clock.advance(39)
    lease = {
        "metadata": {"name": "a"},
        "spec": {"renewTime": cluster.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")},
    }
    place = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    code, _ = cluster.api.request(
        "POST", place, lease, user="system:node:a", groups=["system:nodes"]
    )
    assert code == 201
    cluster.clock.advance(30)
    assert ready(cluster, "a") == "True"
    cluster.clock.advance(15)
    assert ready(cluster, "a") == "Unknown"


def test_pods_wait_for_a_ready_node(cluster: Running) -> None:
    cluster.post(f"{APPS}/deployments", workload("web", replicas=2))
    assert {pod["status"]["phase"] for pod in pods(cluster)} == {"Pending"}
    message = pods(cluster)[0]["status"]["conditions"][0]["message"]
    assert message == "0/0 nodes are available."
    cluster.node("a", ready="False")
    assert not pods(cluster, where="a")
    cluster.beat("a")
    assert {pod["status"]["phase"] for pod in pods(cluster, where="a")} == {"Running"}
    status = cluster.get(f"{APPS}/deployments/web")["status"]
    assert status["readyReplicas"] == 2
    assert {item["type"]: item["status"] for item in status["conditions"]} == {
        "Available": "True",
        "Progressing": "True",
    }


def cni() -> dict[str, Any]:
    tolerations = [{"operator": "Exists"}]
    return workload("cni", pod={"hostNetwork": True, "tolerations": tolerations})


def test_a_network_daemon_runs_before_its_node_is_ready(cluster: Running) -> None:
    cluster.node("a", ready="False")
    cluster.post(f"{APPS}/daemonsets", cni())
    cluster.post(f"{APPS}/daemonsets", workload("other"))
    mine = cluster.api.request(
        "GET",
        "/api/v1/pods?fieldSelector=spec.nodeName%3Da",
        user="system:node:a",
        groups=["system:nodes"],
    )[1]["items"]
    assert [(pod["metadata"]["labels"]["app"], pod["status"]["phase"]) for pod in mine] == [
        ("cni", "Running")
    ]
    assert mine[0]["status"]["podIP"] == mine[0]["status"]["hostIP"] == "127.20.0.10"
    cluster.beat("a")
    cluster.node("b")
    assert len(pods(cluster)) == 4
    status = cluster.get(f"{APPS}/daemonsets/cni")["status"]
    assert (status["desiredNumberScheduled"], status["numberReady"]) == (2, 2)
    cluster.api.request("DELETE", "/api/v1/nodes/b")
    assert len(pods(cluster)) == 2
    assert cluster.get(f"{APPS}/daemonsets/cni")["status"]["desiredNumberScheduled"] == 1


def test_node_selectors_and_requests_are_respected(cluster: Running) -> None:
    cluster.node("a")
    cluster.node("b", disk="ssd")
    cluster.post(f"{APPS}/daemonsets", workload("d", pod={"nodeSelector": {"disk": "ssd"}}))
    assert [pod["spec"]["nodeName"] for pod in pods(cluster)] == ["b"]
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": "1500m"}}}
    cluster.post(f"{APPS}/deployments", workload("w", replicas=3, pod={"containers": [container]}))
    waiting = [pod for pod in pods(cluster) if pod["status"]["phase"] == "Pending"]
    assert len(waiting) == 1
    assert "Insufficient cpu" in waiting[0]["status"]["conditions"][0]["message"]
    cluster.node("c")
    assert {pod["status"]["phase"] for pod in pods(cluster)} == {"Running"}


def test_pods_leave_a_dead_node_after_five_minutes(cluster: Running) -> None:
    cluster.node("a")
    cluster.node("b")
    cluster.post(f"{APPS}/deployments", workload("web", replicas=2))
    cluster.post(f"{APPS}/daemonsets", cni())
    beat_for(cluster, 60, "b")
    assert ready(cluster, "a") == "Unknown"
    assert cluster.get(f"{APPS}/deployments/web")["status"]["readyReplicas"] == 1
    assert len(pods(cluster, where="a")) == 2
    beat_for(cluster, 330, "b")
    gone = {
        pod["metadata"]["labels"]["app"]
        for pod in pods(cluster, where="a")
        if pod["metadata"].get("deletionTimestamp")
    }
    assert gone == {"web"}
    assert cluster.get(f"{APPS}/deployments/web")["status"]["readyReplicas"] == 2
    # The node comes back and lets go of what was deleted meanwhile.
    cluster.beat("a")
    left = {pod["metadata"]["labels"]["app"] for pod in pods(cluster, where="a")}
    assert left == {"cni"}


def test_a_deleted_node_takes_its_pods_along(cluster: Running) -> None:
    cluster.node("a")
    cluster.node("b")
    cluster.post(f"{APPS}/deployments", workload("web", replicas=4))
    assert len(pods(cluster, where="a")) == 2
    cluster.api.request("DELETE", "/api/v1/nodes/a")
    assert len(pods(cluster, where="b")) == 4
    # A kubelet that still runs registers again.
    cluster.node("a")
    assert ready(cluster, "a") == "True"


def test_a_rollout_keeps_the_old_pods_until_the_new_are_ready(cluster: Running) -> None:
    cluster.node("a")
    cluster.post(f"{APPS}/deployments", workload("web", replicas=2))
    cluster.beat("a", "False")
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i:2"}]}}}}
    place = f"{APPS}/deployments/web"
    assert cluster.api.request("PATCH", place, patch, content_type=STRATEGIC)[0] == 200
    images = sorted(pod["spec"]["containers"][0]["image"] for pod in pods(cluster))
    assert images == ["i:1", "i:1", "i:2", "i:2"]
    cluster.beat("a")
    images = sorted(pod["spec"]["containers"][0]["image"] for pod in pods(cluster))
    assert images == ["i:2", "i:2"]


def test_deleting_cascades_unless_orphaned(cluster: Running) -> None:
    cluster.node("a")
    for name in ("one", "two"):
        cluster.post(f"{APPS}/deployments", workload(name))
    cluster.api.request("DELETE", f"{APPS}/deployments/one")
    assert len(cluster.get(f"{APPS}/replicasets")["items"]) == 1
    assert len(pods(cluster)) == 1
    cluster.api.request("DELETE", f"{APPS}/deployments/two", {"propagationPolicy": "Orphan"})
    assert len(cluster.get(f"{APPS}/replicasets")["items"]) == 1
    assert len(pods(cluster)) == 1


def test_jobs_and_stateful_sets(cluster: Running) -> None:
    cluster.node("a")
    job = {
        "metadata": {"name": "j"},
        "spec": {
            "completions": 2,
            "template": {
                "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
            },
        },
    }
    cluster.post("/apis/batch/v1/namespaces/default/jobs", job)
    done = cluster.get("/apis/batch/v1/namespaces/default/jobs/j")["status"]
    assert done["succeeded"] == 2
    assert done["conditions"][0]["type"] == "Complete"
    cluster.post(f"{APPS}/statefulsets", workload("db", replicas=2, serviceName="db"))
    names = [pod["metadata"]["name"] for pod in pods(cluster)]
    assert "db-0" in names
    assert "db-1" in names


def test_budgets_stop_evictions(cluster: Running) -> None:
    cluster.node("a")
    cluster.post(f"{APPS}/deployments", workload("web", replicas=2))
    budget = {
        "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}},
    }
    place = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    cluster.post(place, budget)
    assert cluster.get(f"{place}/web")["status"]["disruptionsAllowed"] == 0
    name = pods(cluster)[0]["metadata"]["name"]
    eviction = {"metadata": {"name": name}}
    evict = f"/api/v1/namespaces/default/pods/{name}/eviction"
    code, answer = cluster.api.request("POST", evict, eviction)
    assert code == 429
    assert answer["details"]["causes"][0]["reason"] == "DisruptionBudget"
    cluster.api.request(
        "PATCH", f"{place}/web", {"spec": {"maxUnavailable": 1}}, content_type=STRATEGIC
    )
    assert cluster.api.request("POST", f"{evict}?dryRun=All", eviction)[0] == 201
    assert name in {pod["metadata"]["name"] for pod in pods(cluster)}
    assert cluster.api.request("POST", evict, eviction)[0] == 201
    assert name not in {pod["metadata"]["name"] for pod in pods(cluster)}
    assert len(pods(cluster)) == 2


def test_services_know_their_ready_pods(cluster: Running) -> None:
    cluster.node("a")
    cluster.post(f"{APPS}/deployments", workload("web", replicas=2))
    place = "/api/v1/namespaces/default"
    cluster.post(
        f"{place}/services",
        {
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
        },
    )
    addresses = cluster.get(f"{place}/endpoints/web")["subsets"][0]["addresses"]
    assert len(addresses) == 2
    cluster.beat("a", "Unknown")
    assert cluster.get(f"{place}/endpoints/web")["subsets"] == []


def test_a_namespace_ends_with_its_contents(cluster: Running) -> None:
    cluster.post("/api/v1/namespaces", {"metadata": {"name": "n"}})
    place = "/api/v1/namespaces/n"
    assert cluster.get(f"{place}/serviceaccounts")["items"][0]["metadata"]["name"] == "default"
    cluster.post(f"{place}/configmaps", {"metadata": {"name": "c"}})
    assert cluster.api.request("DELETE", place)[1]["status"]["phase"] == "Terminating"
    code, answer = cluster.api.request("POST", f"{place}/configmaps", {"metadata": {"name": "d"}})
    assert code == 403
    assert "being terminated" in answer["message"]
    cluster.clock.advance(3)
    assert cluster.api.request("GET", place)[0] == 404
    assert cluster.api.request("GET", f"{place}/configmaps/c")[0] == 404
    assert cluster.api.request("DELETE", "/api/v1/namespaces/kube-system")[0] == 403
