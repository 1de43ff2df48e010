"""Real kubectl over a real socket. KUBECTLS may name more kubectl programs than that on PATH."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.running_kube import Authority, Running

Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]

WEB = """
apiVersion: v1
kind: Namespace
metadata: {name: demo}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: demo}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: c, image: "nginx:1", ports: [{containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: demo}
spec: {selector: {app: web}, ports: [{port: 80}], type: LoadBalancer}
"""

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: things, kind: Thing, shortNames: [th]}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
"""

THING = """
apiVersion: example.com/v1
kind: Thing
metadata: {name: one}
spec: {size: 3}
"""


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()[1:]]


def of(kubectl: Kubectl, *words: str) -> Any:
    return json.loads(kubectl(*words, "-o", "json").stdout)


def test_nodes_and_version(cluster: Running, kubectl: Kubectl) -> None:
    cluster.node("cp")
    cluster.node("worker", ready="False")
    kubectl("label", "node", "cp", "node-role.kubernetes.io/control-plane=")
    wide = rows(kubectl("get", "nodes", "-o", "wide").stdout)
    assert [row[:3] for row in wide] == [
        ["cp", "Ready", "control-plane"],
        ["worker", "NotReady", "<none>"],
    ]
    assert wide[0][4:6] == ["v1.33.1", "127.20.0.10"]
    assert wide[0][-1] == "containerd://1.7.27"
    assert "v1.33.1" in kubectl("version").stdout
    assert kubectl("get", "--raw", "/readyz").stdout == "ok"
    assert "deployments" in kubectl("api-resources").stdout
    kubectl("wait", "--for=condition=Ready", "node/cp", "--timeout=10s")
    kubectl("wait", "--for=condition=Ready", "node/worker", "--timeout=1s", ok=False)


def test_who_may(cluster: Running, kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "*", "*").stdout == "yes\n"
    alice = cluster.kubeconfig("alice", "devs")
    assert kubectl("auth", "can-i", "get", "pods", config=alice, ok=False).stdout == "no\n"
    done = kubectl("get", "pods", config=alice, ok=False)
    assert 'pods is forbidden: User "alice" cannot list resource "pods"' in done.stderr
    kubectl("create", "rolebinding", "devs", "--clusterrole=view", "--group=devs")
    assert kubectl("auth", "can-i", "get", "pods", config=alice).stdout == "yes\n"
    for refused in (["create", "deployments"], ["get", "secrets"], ["get", "pods", "-A"]):
        assert kubectl("auth", "can-i", *refused, config=alice, ok=False).stdout == "no\n"
    assert kubectl("auth", "can-i", "get", "pods", "--as", "bob", ok=False).stdout == "no\n"
    assert kubectl("auth", "can-i", "list", "pods", "--as=x", "--as-group=devs").stdout == "yes\n"
    kubectl("delete", "rolebinding", "devs")
    kubectl("get", "pods", config=alice, ok=False)
    subresource = ["certificatesigningrequests.certificates.k8s.io", "--subresource=selfnodeclient"]
    assert kubectl("auth", "can-i", "create", *subresource).stdout == "yes\n"


def test_credentials_of_elsewhere(cluster: Running, kubectl: Kubectl) -> None:
    foreign = cluster.kubeconfig("kubernetes-admin", authority=Authority())
    assert "tls" in kubectl("get", "nodes", config=foreign, ok=False).stderr.lower()
    expired = cluster.kubeconfig("old", "system:masters", hours=-1)
    assert "logged in to the server" in kubectl("get", "nodes", config=expired, ok=False).stderr
    token = cluster.kubeconfig("token", user={"token": "abcdef.0123456789abcdef"})
    assert "logged in to the server" in kubectl("get", "nodes", config=token, ok=False).stderr


def test_apply_and_delete_a_file(cluster: Running, kubectl: Kubectl) -> None:
    for name in ("a", "b", "c"):
        cluster.node(name)
    first = kubectl("apply", "-f", "-", stdin=WEB).stdout
    assert first.count(" created") == 3
    assert kubectl("apply", "-f", "-", stdin=WEB).stdout.count(" unchanged") == 3
    kubectl("rollout", "status", "-n", "demo", "deployment/web", "--timeout=10s")
    pods = of(kubectl, "get", "pods", "-n", "demo")["items"]
    assert {pod["spec"]["nodeName"] for pod in pods} == {"a", "b", "c"}
    assert [row[1] for row in rows(kubectl("get", "deploy", "-n", "demo").stdout)] == ["3/3"]
    service = rows(kubectl("get", "svc", "-n", "demo").stdout)[0]
    assert service[1] == "LoadBalancer"
    assert service[3] == "<pending>"
    changed = WEB.replace("nginx:1", "nginx:2").replace("replicas: 3", "replicas: 2")
    assert "deployment.apps/web configured" in kubectl("apply", "-f", "-", stdin=changed).stdout
    kubectl("rollout", "status", "-n", "demo", "deployment/web", "--timeout=10s")
    pods = of(kubectl, "get", "pods", "-n", "demo")["items"]
    assert [pod["spec"]["containers"][0]["image"] for pod in pods] == ["nginx:2"] * 2
    kubectl("delete", "-f", "-", stdin=WEB)
    kubectl("get", "ns", "demo", ok=False)


def test_server_side_apply(cluster: Running, kubectl: Kubectl) -> None:
    ours = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {a: '1', b: '2'}\n"
    kubectl("apply", "--server-side", "-f", "-", stdin=ours)
    theirs = ours.replace("'1'", "'9'").replace(", b: '2'", "")
    other = ["apply", "--server-side", "--field-manager=other", "-f", "-"]
    refused = kubectl(*other, stdin=theirs, ok=False)
    assert 'conflict with "kubectl": .data.a' in refused.stderr
    kubectl(*other, "--force-conflicts", stdin=theirs)
    kubectl("apply", "--server-side", "-f", "-", stdin=ours.replace("a: '1', ", ""))
    assert of(kubectl, "get", "cm", "cm")["data"] == {"a": "9", "b": "2"}
    kubectl("apply", "--server-side", "-f", "-", stdin=ours.replace("a: '1', b: '2'", ""))
    assert of(kubectl, "get", "cm", "cm")["data"] == {"a": "9"}


def test_custom_resources(cluster: Running, kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=CRD)
    kubectl("wait", "--for=condition=Established", "crd/things.example.com", "--timeout=5s")
    # kubectl asks discovery, which lags behind a new CRD
    cluster.clock.advance(1)
    kubectl("apply", "-f", "-", stdin=THING)
    listed = kubectl("get", "th").stdout
    assert listed.split() == ["NAME", "SIZE", "one", "3"]
    kubectl("patch", "thing", "one", "--type=merge", "-p", '{"spec":{"size":4}}')
    assert of(kubectl, "get", "thing", "one")["spec"] == {"size": 4}
    kubectl("delete", "crd", "things.example.com")
    kubectl("get", "things", ok=False)


def test_drain_and_delete_a_node(cluster: Running, kubectl: Kubectl) -> None:
    for name in ("a", "b"):
        cluster.node(name)
    kubectl("apply", "-f", "-", stdin=WEB.replace("replicas: 3", "replicas: 2"))
    assert "evicted" in kubectl("drain", "a", "--timeout=20s").stdout
    nodes = {pod["spec"]["nodeName"] for pod in of(kubectl, "get", "pods", "-n", "demo")["items"]}
    assert nodes == {"b"}
    assert "SchedulingDisabled" in kubectl("get", "nodes").stdout
    kubectl("uncordon", "a")
    kubectl("delete", "node", "b")
    nodes = {pod["spec"]["nodeName"] for pod in of(kubectl, "get", "pods", "-n", "demo")["items"]}
    assert nodes == {"a"}


def test_small_writes(cluster: Running, kubectl: Kubectl) -> None:
    cluster.node("a")
    kubectl("create", "namespace", "n1")
    kubectl("create", "configmap", "c1", "--from-literal=k=v", "-n", "n1")
    kubectl("create", "secret", "generic", "s1", "--from-literal=k=v", "-n", "n1")
    kubectl("create", "serviceaccount", "sa1", "-n", "n1")
    kubectl("create", "deployment", "d1", "--image=nginx", "-n", "n1")
    kubectl("create", "role", "r1", "--verb=get", "--resource=pods", "-n", "n1")
    kubectl("create", "clusterrole", "cr1", "--verb=get", "--non-resource-url=/metrics")
    kubectl("expose", "deployment", "d1", "--port=80", "-n", "n1")
    kubectl("scale", "deployment", "d1", "--replicas=3", "-n", "n1")
    assert of(kubectl, "get", "cm", "c1", "-n", "n1")["data"] == {"k": "v"}
    assert of(kubectl, "get", "secret", "s1", "-n", "n1")["data"] == {"k": "dg=="}
    assert len(of(kubectl, "get", "pods", "-n", "n1")["items"]) == 3
    rule = of(kubectl, "get", "role", "r1", "-n", "n1")["rules"][0]
    assert rule == {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
    kubectl("annotate", "node", "a", "x/y=z")
    kubectl("taint", "node", "a", "k=v:NoSchedule")
    node = of(kubectl, "get", "node", "a")
    assert node["metadata"]["annotations"] == {"x/y": "z"}
    assert node["spec"]["taints"] == [{"key": "k", "value": "v", "effect": "NoSchedule"}]
    kubectl("taint", "node", "a", "k-")
    kubectl("set", "image", "deployment/d1", "nginx=nginx:9", "-n", "n1")
    kubectl("rollout", "status", "deployment/d1", "-n", "n1", "--timeout=10s")
    kubectl("delete", "pods", "--all", "-n", "n1")
    assert len(of(kubectl, "get", "pods", "-n", "n1")["items"]) == 3
    assert "Node:" in kubectl("describe", "pods", "-n", "n1").stdout
    assert "Capacity:" in kubectl("describe", "node", "a").stdout
    kubectl("delete", "namespace", "n1")
    assert of(kubectl, "get", "pods", "-A")["items"] == []


def test_a_stale_file_is_a_conflict(cluster: Running, kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "c1", "--from-literal=k=v")
    old = of(kubectl, "get", "cm", "c1")
    kubectl("label", "cm", "c1", "a=b")
    done = kubectl("replace", "-f", "-", stdin=json.dumps(old), ok=False)
    assert "the object has been modified" in done.stderr


def test_what_is_not_there_says_so(cluster: Running, kubectl: Kubectl) -> None:
    cluster.node("a")
    kubectl("run", "p1", "--image=nginx")
    assert "not implemented" in kubectl("logs", "p1", ok=False).stderr
    assert "not implemented" in kubectl("exec", "p1", "--", "ls", ok=False).stderr
    assert "etrics" in kubectl("top", "nodes", ok=False).stderr
    assert "not found" in kubectl("get", "node", "b", ok=False).stderr
    assert "doesn't have a resource type" in kubectl("get", "widgets", ok=False).stderr
    assert kubectl("get", "pods", "-n", "nowhere").stderr.startswith("No resources found")
    assert "not found" in kubectl("create", "cm", "x", "-n", "nowhere", ok=False).stderr


def test_watching_sees_a_node_arrive(cluster: Running, kubectl: Kubectl) -> None:
    cluster.node("a")
    program = ["get", "nodes", "--watch", "--request-timeout=2s"]
    timer = threading.Timer(0.7, cluster.node, ["b"])
    timer.start()
    done = kubectl(*program, ok=None)
    timer.join()
    assert [line.split()[:2] for line in done.stdout.splitlines()][:3] == [
        ["NAME", "STATUS"],
        ["a", "Ready"],
        ["b", "Ready"],
    ]


@pytest.mark.parametrize("kind", ["client", "server"])
def test_dry_run_keeps_nothing(cluster: Running, kubectl: Kubectl, kind: str) -> None:
    done = kubectl("create", "namespace", "n1", f"--dry-run={kind}", ok=None)
    if "doesn't support dry-run" in done.stderr:
        pytest.skip("this kubectl reads the OpenAPI document for that (before 1.26)")
    assert "dry run" in done.stdout
    kubectl("get", "ns", "n1", ok=False)
