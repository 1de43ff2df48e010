"""What is in the way of an upgrade, as seen in a cluster's own API and in VCD."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from cse_client.bounds import MOST_BYTES
from cse_client.engines.direct.upgrade_obstacles import Findings, find_obstacles
from cse_client.errors import PreflightFailed, Refused
from cse_client.kube.addons.table import RELEASES
from cse_client.kube.api import ClusterAPI
from cse_client.model import Template, TemplateFacts, Vm
from tests.support.direct import HREF, existing, vapp
from tests.support.running_kube import Running, make

NEW = Template(
    name="new",
    revision=1,
    catalog="cse",
    item="new_rev1",
    href="https://vcd.example/api/vAppTemplate/vappTemplate-1",
    facts=TemplateFacts(kubernetes="1.25.3", cni="antrea", cni_version="2.3"),
)
OFF = Vm("node-c", f"{HREF}/node-c", "POWERED_OFF", deployed=False)
FOUND = existing(
    vapp("mstr-a", "node-b", OFF, "node-d"), {"cse.cni": "weave", "cse.cni.version": "2.8.1"}
)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    cluster = make("1.24.4", tmp_path)
    cluster.server = cluster.authority.issue("kube-apiserver", server=True, hours=24)
    cluster.start()
    yield cluster
    cluster.api.stop()


def look(running: Running, problem: Exception | None = None, *, force: bool = False) -> Findings:
    def resolve() -> None:
        if problem is not None:
            raise problem

    kubeconfig = running.kubeconfig().read_text(encoding="utf-8")
    with ClusterAPI(kubeconfig, environ={}) as api:
        nobody = cast(Any, None)
        return find_obstacles(FOUND, nobody, api, NEW, "1.24.4", resolve, force=force)


def test_everything_at_once(running: Running) -> None:
    running.node("mstr-a")
    running.node("node-b", "False")
    running.node("node-c")
    running.node("node-x")
    running.get("/apis/policy/v1beta1/podsecuritypolicies")
    lonely = {
        "metadata": {"name": "lonely"},
        "spec": {"nodeName": "node-b", "containers": [{"name": "c", "image": "i"}]},
    }
    running.post("/api/v1/namespaces/default/pods", lonely)
    record = {"metadata": {"name": "cse-addon-metallb"}, "data": {"version": "0.9.6"}}
    running.post("/api/v1/namespaces/kube-system/configmaps", record)
    full = PreflightFailed("two", [Refused("The pool is empty."), Refused("The VDC is full.")])
    found = look(running, full)
    expected = [
        "Node node-b is not Ready (KubeletNotReady).",
        "VM node-c is not powered on (POWERED_OFF).",
        "VM node-d is not a node of the cluster.",
        "Node node-x has no VM in the cluster's vApp.",
        "The pool is empty.",
        "The VDC is full.",
        "1 pod cannot be moved to other nodes: default/lonely on node-b",
        "Clients have used the API policy/v1beta1 podsecuritypolicies since the API server started,"
        " and Kubernetes 1.25 does not serve it; update these clients and restart kube-apiserver,"
        " or use --force.",
        "The API server's certificate ends on ",
    ]
    assert len(found.obstacles) == len(expected), found.obstacles
    for text, one in zip(expected, found.obstacles):
        assert text in one
    (cni,) = (one for one in found.warnings if "weave" in one)
    assert cni.startswith("The cluster keeps its weave 2.8.1; template 'new_rev1' was made for")
    forced = look(running, force=True)
    assert not any("lonely" in one for one in forced.obstacles)
    assert any("lonely" in one for one in forced.warnings)
    assert not any("podsecuritypolicies" in one for one in forced.obstacles)
    assert any("1.25 does not serve it." in one for one in forced.warnings)


def test_an_add_on_for_other_releases_is_a_warning(running: Running) -> None:
    late = next(
        one for one in RELEASES if one.addon == "metallb" and not one.first <= 25 <= one.last
    )
    record = {"metadata": {"name": "cse-addon-metallb"}, "data": {"version": late.version}}
    running.post("/api/v1/namespaces/kube-system/configmaps", record)
    (text,) = (one for one in look(running).warnings if "metallb" in one)
    assert text.startswith(f"Add-on metallb {late.version} is for Kubernetes {late.kubernetes};")


def test_metrics_that_are_too_large_do_not_prevent_an_upgrade(running: Running) -> None:
    running.api._cluster.deprecated.add(("policy", "v1beta1", "x" * MOST_BYTES, "", 25))
    (text,) = (one for one in look(running).warnings if "not checked" in one)
    assert text.startswith(
        "It was not checked whether clients use APIs that Kubernetes 1.25.3 does"
    )
    assert "is larger than 16 MiB" in text
