"""A cluster with several control planes that becomes one of the next release.

Templates of both releases are in one cloud. A client asks the API once a second all the while, and
looks at a workload with a disruption budget that is asked as well.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cse_client.simulator.guest.real import Kit, read_kits
from tests.real.asking import OVERLOAD, Asked
from tests.real.build.components import KUBERNETES, PROBE_IMAGE
from tests.real.site import Site, eventually
from tests.support.programs import Result
from tests.support.waiting import until

pytestmark = pytest.mark.parametrize("kit", [KUBERNETES[0]], indirect=True, scope="session")

NAME, ADDRESS = "aging", "10.77.0.8"
OLD, NEW = KUBERNETES
#: When power fails, one new control plane after the other: etcd has a member that has not started,
#: kubeadm is nearly done, and the last one is to upgrade CoreDNS and kube-proxy.
LOSSES = (
    r"\[etcd\] Announced new etcd member",
    r"\[control-plane-check\] Waiting",
    r"Z phase upload",
)
#: Seconds for the only control plane: 1.2 times boot and join of a new machine, by hand (61 s).
SOLE = 73.0
APP, PODS, AVAILABLE = "web", 3, 2
WORKLOAD = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {APP}}}
spec:
  replicas: {PODS}
  selector: {{matchLabels: {{app: {APP}}}}}
  template:
    metadata: {{labels: {{app: {APP}}}}}
    spec:
      terminationGracePeriodSeconds: 2
      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: kubernetes.io/hostname
        whenUnsatisfiable: ScheduleAnyway
        labelSelector: {{matchLabels: {{app: {APP}}}}}
      containers:
      - name: probe
        image: "{PROBE_IMAGE}"
        args: [serve, "8080"]
        readinessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 1}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: {APP}}}
spec: {{minAvailable: {AVAILABLE}, selector: {{matchLabels: {{app: {APP}}}}}}}
"""


@pytest.fixture(scope="module")
def newer(site: Site) -> Kit:
    """The kit of the next release, whose template is in the same catalog, and registered."""
    if not site.kit.image()["keepalived"]:
        pytest.skip("A virtual address needs keepalived, which is not installed.")
    newer = next(one for one in read_kits(site.kit.folder.parent) if f"v{one.version}" == NEW)
    register = ("cse", "template", "register", "cse", newer.template)
    exact = ("--kubernetes-version", newer.version, "--keepalived")
    site.vcd(*register, *exact).checked()
    return newer


@pytest.fixture(scope="module")
def aging(site: Site, newer: Kit) -> Iterator[None]:
    """A cluster of three control planes and two workers of the older release, with a workload."""
    made = site.vcd(
        *("cse", "cluster", "create", NAME, "-n", "net1", "-N", "2", "-t", site.kit.template),
        *("--control-planes", "3", "--vip", ADDRESS),
    )
    if made.code:
        logs = "\n".join(f"== {name}\n{log}" for name, log in site.bootstrap_logs().items())
        pytest.fail(f"{made.err}\n{logs}")
    save_kubeconfig(site, NAME)
    site.kubectl("apply", "-f", "-", stdin=WORKLOAD, of=NAME).checked()
    rollout = ("rollout", "status", f"deployment/{APP}", "--timeout=180s")
    site.kubectl(*rollout, of=NAME).checked()
    site.kubectl("create", "configmap", "kept", of=NAME).checked()
    yield
    site.vcd("cse", "cluster", "delete", NAME, "--yes").checked()


def save_kubeconfig(site: Site, name: str) -> None:
    config = site.vcd("cse", "cluster", "config", name).checked()
    site.kubeconfig_of(name).touch(0o600)
    site.kubeconfig_of(name).write_text(config, encoding="utf-8")


def info(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(site.vcd("-j", "cse", "cluster", "info", NAME).checked())
    return found


def heads(site: Site) -> list[str]:
    return [one["name"] for one in info(site)["nodes"] if one["kind"] == "control plane"]


def versions(site: Site) -> dict[str, str]:
    """Return the kubelet's version of each node."""
    listed = json.loads(site.kubectl("get", "nodes", "-o", "json", of=NAME).checked())["items"]
    return {one["metadata"]["name"]: one["status"]["nodeInfo"]["kubeletVersion"] for one in listed}


def vms(site: Site) -> set[str]:
    return set(site.control.possessions()["vapps"][NAME]["vms"])


def upgrade_words(newer: Kit) -> tuple[str, ...]:
    return ("cse", "cluster", "upgrade", NAME, "--template", newer.template, "--yes")


def upgrade(site: Site, newer: Kit) -> Result:
    return site.vcd(*upgrade_words(newer))


def unnoticed(asked: Asked) -> None:
    """Fail if the client, or the workload, had noticed anything."""
    assert asked.asked > 0
    assert not asked.noticed(), str(asked)
    assert asked.fewest >= AVAILABLE, asked.fewest


def test_the_only_control_plane_is_replaced(
    site: Site, newer: Kit, measured: Callable[[str, object], None]
) -> None:
    """First of all, so that the other cluster's machines do not disturb what is measured."""
    site.vcd(
        *("cse", "cluster", "create", "lone", "-n", "net1", "-N", "0", "-t", site.kit.template),
        *("--vip", ADDRESS),
    ).checked()
    save_kubeconfig(site, "lone")
    with site.asking("lone") as client:
        began = time.monotonic()
        done = site.vcd("cse", "cluster", "upgrade", "lone", "-t", newer.template, "--yes")
        took = time.monotonic() - began
    assert done.code == 0, done.err
    asked = client.end()
    measured("the only control plane is replaced", f"{took:.1f} s; {asked}")
    assert not asked.noticed(), str(asked)
    (node,) = json.loads(site.kubectl("get", "nodes", "-o", "json", of="lone").checked())["items"]
    assert node["status"]["nodeInfo"]["kubeletVersion"] == NEW
    assert took < SOLE or asked.load > OVERLOAD, took
    site.vcd("cse", "cluster", "delete", "lone", "--yes").checked()


@pytest.mark.usefixtures("aging")
def test_a_broken_upgrade_goes_back(site: Site, newer: Kit) -> None:
    before = versions(site)
    assert set(before.values()) == {OLD}
    site.control.set("guests", faults={"fail": {"systemctl enable kubelet": 1}}, times=1)
    with site.asking(NAME, APP) as client:
        failed = upgrade(site, newer)
    assert failed.code == 1, failed.out + failed.err
    assert "there is no kubelet service in this template" in failed.err
    unnoticed(client.end())
    assert versions(site) == before
    assert info(site)["problems"] == []


@pytest.mark.usefixtures("aging")
def test_an_upgrade_that_nobody_notices(site: Site, newer: Kit) -> None:
    """Not even that the client is killed and a new control plane loses power, each time."""
    before = versions(site)
    with site.asking(NAME, APP) as client:
        for moment in LOSSES:
            interrupted(site, newer, moment)
        done = upgrade(site, newer)
    assert done.code == 0, done.err
    unnoticed(client.end())
    after = versions(site)
    assert set(after.values()) == {NEW}
    assert not set(before) & set(after)
    assert info(site)["problems"] == []
    assert len(heads(site)) == 3
    site.kubectl("get", "configmap", "kept", of=NAME).checked()


def interrupted(site: Site, newer: Kit, moment: str) -> None:
    """Upgrade until a new control plane's log has a line; then client and machine end."""
    before = vms(site)
    with site.started(*upgrade_words(newer)) as process:
        until(lambda: vms(site) - before, "a new control plane", 300)
        (made,) = vms(site) - before
        until(lambda: re.search(moment, site.bootstrap_logs().get(made, "")), moment, 300)
        process.kill()
    site.control.set(f"guests/{made}", crash=True)


@pytest.mark.usefixtures("aging")
def test_afterwards_it_is_a_cluster_like_any_other(site: Site, newer: Kit) -> None:
    lost = info(site)["holder"]
    site.control.set(f"guests/{lost}", crash=True)
    eventually(lambda: site.kubectl("get", "--raw", "/readyz", of=NAME).code == 0, "a new holder")
    site.vcd("cse", "node", "delete", NAME, lost, "--yes").checked()
    with site.asking(NAME, APP) as client:
        site.vcd("cse", "cluster", "repair", NAME, "--yes").checked()
        assert len(heads(site)) == 3
        site.vcd("cse", "cluster", "resize", NAME, "--control-planes", "1").checked()
        assert len(heads(site)) == 1
        site.vcd("cse", "cluster", "resize", NAME, "--control-planes", "3").checked()
    unnoticed(client.end())
    assert len(heads(site)) == 3
    assert set(versions(site).values()) == {NEW}
    site.kubectl("get", "configmap", "kept", of=NAME).checked()
