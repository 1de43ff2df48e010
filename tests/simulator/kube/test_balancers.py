"""MetalLB's and Contour's controllers as the simulator plays them, seen with real kubectl."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from collections.abc import Callable

import pytest

from tests.support import manifests
from tests.support.running_kube import Running

Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]
POOL = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: first, namespace: metallb-system}
spec: {addresses: [127.20.0.240-127.20.0.241]}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: kept, namespace: metallb-system}
spec: {addresses: [127.20.0.248/31], autoAssign: false}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: all, namespace: metallb-system}
"""


def service(name: str, spec: str = "", annotation: str = "") -> str:
    return (
        "apiVersion: v1\nkind: Service\n"
        f"metadata: {{name: {name}, annotations: {{{annotation}}}}}\n"
        f"spec: {{type: LoadBalancer, ports: [{{port: 80}}]{spec}}}\n"
    )


def address(kubectl: Kubectl, name: str) -> str:
    status = json.loads(kubectl("get", "svc", name, "-o", "json").stdout)["status"]
    ingress = status["loadBalancer"].get("ingress") or [{"ip": ""}]
    return str(ingress[0]["ip"])


@pytest.fixture
def metallb(cluster: Running, kubectl: Kubectl) -> Kubectl:
    for name in ("a", "b"):
        cluster.node(name)
    kubectl("apply", "-f", "-", stdin=service("early"))
    kubectl("apply", "-f", "-", stdin=manifests.metallb("0.15.3").decode())
    kubectl("rollout", "status", "-n", "metallb-system", "ds/speaker", "--timeout=10s")
    kubectl("rollout", "status", "-n", "metallb-system", "deploy/controller", "--timeout=10s")
    assert address(kubectl, "early") == ""
    # kubectl asks discovery, which lags behind a new CRD
    cluster.clock.advance(1)
    kubectl("apply", "-f", "-", stdin=POOL)
    return kubectl


def test_addresses_come_and_go(metallb: Kubectl) -> None:
    assert address(metallb, "early") == "127.20.0.240"
    metallb("apply", "-f", "-", stdin=service("second"))
    metallb("apply", "-f", "-", stdin=service("third"))
    assert [address(metallb, name) for name in ("second", "third")] == ["127.20.0.241", ""]
    said = metallb("get", "events", "--field-selector", "involvedObject.name=third").stdout
    assert 'Failed to allocate IP for "default/third": no available IPs' in said
    metallb("delete", "svc", "early")
    assert address(metallb, "third") == "127.20.0.240"
    metallb("patch", "svc", "third", "-p", '{"spec":{"type":"ClusterIP"}}')
    assert address(metallb, "third") == ""


def test_wanted_addresses(metallb: Kubectl) -> None:
    metallb("apply", "-f", "-", stdin=service("a", ", loadBalancerIP: 127.20.0.249"))
    metallb("apply", "-f", "-", stdin=service("b", annotation="metallb.io/address-pool: kept"))
    wish = "metallb.universe.tf/loadBalancerIPs: 127.20.0.240"
    metallb("apply", "-f", "-", stdin=service("c", annotation=wish))
    metallb("apply", "-f", "-", stdin=service("d", ", loadBalancerIP: 127.20.9.9"))
    found = [address(metallb, name) for name in ("a", "b", "c", "d")]
    assert found == ["127.20.0.249", "127.20.0.248", "", ""]
    said = metallb("get", "events").stdout
    assert "address also in use by default/early" in said
    assert '["127.20.9.9"] is not allowed in config' in said


def test_nothing_is_given_while_the_controller_is_away(metallb: Kubectl) -> None:
    metallb("scale", "-n", "metallb-system", "deploy/controller", "--replicas=0")
    metallb("apply", "-f", "-", stdin=service("late"))
    assert address(metallb, "late") == ""
    assert address(metallb, "early") == "127.20.0.240"
    metallb("scale", "-n", "metallb-system", "deploy/controller", "--replicas=1")
    assert address(metallb, "late") == "127.20.0.241"


@pytest.mark.skipif(os.geteuid() != 0, reason="port 80 is for root")
def test_envoy_answers_for_ingresses_only(metallb: Kubectl, cluster: Running) -> None:
    metallb("apply", "-f", "-", stdin=manifests.contour("1.32.5").decode())
    envoy = "127.20.0.241"
    with pytest.raises(ConnectionRefusedError):
        ask(envoy, "shop.example")
    rule = "shop.example/*=early:80"
    metallb("create", "ingress", "shop", f"--rule={rule}")
    assert envoy in metallb("get", "ingress", "shop").stdout
    assert [ask(envoy, host)[0] for host in ("shop.example", "other.example")] == [503, 404]
    cluster.api.stop()
    with pytest.raises(ConnectionRefusedError):
        ask(envoy, "shop.example")
    cluster.start()
    assert ask(envoy, "shop.example") == (503, "envoy ")


def ask(host: str, name: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(host, 80, timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": name})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Server") or ""
    finally:
        connection.close()
