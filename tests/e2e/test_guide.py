"""The guide for CSE from its first to its last line, with our commands and real kubectl."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cse_client.kube.addons.table import RELEASES
from tests.support import manifests
from tests.support.people import Person, person
from tests.support.programs import VCD
from tests.support.simulator import Cloud, Control, log_in, running_simulator

if "CSE_E2E_HOST" in os.environ:
    pytest.skip("needs a simulator whose clock may be moved", allow_module_level=True)

METALLB, CONTOUR = manifests.metallb("0.9.6"), manifests.contour("1.14.2")
SHOP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1", ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1beta1
kind: Ingress
metadata: {name: web, namespace: shop}
spec: {backend: {serviceName: web, servicePort: 80}}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud of this file's own, because its clock is moved."""
    with running_simulator(tmp_path_factory.mktemp("cloud"), "--guest-speed", "20") as cloud:
        yield cloud


def test_the_guides_story(world: Cloud, tmp_path: Path) -> None:
    admin = person(world, tmp_path / "admin")
    wanted = {("metallb", "0.9.6"): METALLB, ("contour", "1.14.2"): CONTOUR}
    served = {
        one.path: wanted[one.addon, one.version]
        for one in RELEASES
        if (one.addon, one.version) in wanted
    }
    with manifests.mirror(served) as mirror:
        _create_and_save(admin)
        _balance_and_route(admin, mirror)
    _let_alice_in_for_eight_hours(admin, world)
    _leave(admin, world)


def _create_and_save(admin: Person) -> None:
    made = admin.cluster("create", "demo", "--network", "net1", "--nodes", "1")
    assert made[0] == 0, made[2]
    assert admin.cluster("config", "demo", "--save")[0] == 0
    code, nodes, err = admin.kubectl("get", "nodes", "--no-headers")
    assert code == 0, err
    assert [line.split()[1] for line in nodes.splitlines()] == ["Ready", "Ready"]


def _balance_and_route(admin: Person, mirror: str) -> None:
    def install(*words: str, content: bytes) -> None:
        checked = ("--checksum", manifests.digest(content))
        done = admin.run(
            *(VCD, "cse", "addon", "install", "demo", *words, *checked),
            env={"CSE_ADDON_MIRROR": mirror},
        )
        assert done[0] == 0, done[2]

    install("metallb", "--addresses", "auto:3", content=METALLB)
    install("contour", content=CONTOUR)
    assert admin.kubectl("create", "namespace", "shop")[0] == 0
    manifest = admin.home / "shop.yaml"
    manifest.write_text(SHOP)
    applied = admin.kubectl("apply", "-f", str(manifest))
    assert applied[0] == 0, applied[2]
    rolled = admin.kubectl("-n", "shop", "rollout", "status", "deployment/web", "--timeout=30s")
    assert rolled[0] == 0, rolled[2]
    path = "jsonpath={.status.loadBalancer.ingress[0].ip}"
    code, address, _err = admin.kubectl("-n", "shop", "get", "service", "web", "-o", path)
    assert (code, address.rpartition(".")[0]) == (0, _subnet(admin))
    assert "web" in admin.kubectl("-n", "shop", "get", "ingress")[1]


def _subnet(admin: Person) -> str:
    path = "jsonpath={.items[0].status.addresses[0].address}"
    return admin.kubectl("get", "nodes", "-o", path)[1].rpartition(".")[0]


def _let_alice_in_for_eight_hours(admin: Person, world: Cloud) -> None:
    words = ("--user", "alice", "--role", "view", "--namespace", "shop")
    assert admin.cluster("grant", "demo", *words)[0] == 0
    given = admin.cluster("config", "demo", "--user", "alice", "--ttl", "8h", "-o", "alice")
    assert given[0] == 0, given[2]

    def alice(*words: str) -> tuple[int, str, str]:
        return admin.kubectl("--kubeconfig", "alice", *words)

    listed = alice("get", "pods", "-n", "shop", "--no-headers")
    assert (listed[0], len(listed[1].splitlines())) == (0, 1), listed[2]
    for forbidden in (
        ("get", "pods", "-n", "kube-system"),
        ("get", "nodes"),
        ("get", "secrets", "-n", "shop"),
        ("delete", "deployment", "web", "-n", "shop"),
    ):
        code, _out, err = alice(*forbidden)
        assert code == 1
        assert "Forbidden" in err
    Control(world).set("clock", advance=8 * 3600 + 60)
    code, _out, err = alice("get", "pods", "-n", "shop")
    assert code == 1
    assert "You must be logged in to the server" in err


def _leave(admin: Person, world: Cloud) -> None:
    log_in(world, admin.home)
    gone = admin.cluster("delete", "demo", "--yes")
    assert gone[0] == 0, gone[2]
    assert admin.saved() == {"clusters": [], "contexts": [], "users": []}
    assert Control(world).possessions()["vapps"] == {}
