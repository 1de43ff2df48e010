"""Whole bootstraps: our scripts, run by simulated guests of both kinds of template."""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from cse_client.errors import ClusterUnreachable
from cse_client.guest.pki import mint_pki, pki_to_files
from cse_client.guest.render import control_plane_script
from cse_client.kube.api import ClusterAPI
from cse_client.model import NodeReport
from tests.bootstrap.cluster import CSE, IMAGES, Cluster, Node
from tests.support.ssh_keys import public_key

PAYLOAD = "/var/lib/cse-bootstrap/run.sh"
CA_KEY = "/etc/kubernetes/pki/ca.key"


def either(kind: str) -> pytest.MarkDecorator:
    """One kind of template is enough, unless CSE_TEST_ALL is set."""
    kinds = list(IMAGES) if os.environ.get("CSE_TEST_ALL") else [kind]
    return pytest.mark.parametrize("image", kinds, indirect=True)


def spread(name: str, values: Sequence[object], *, begin: int = 0) -> pytest.MarkDecorator:
    """Every value with one kind of template, in turns; with both when CSE_TEST_ALL is set."""
    kinds = list(IMAGES)
    if os.environ.get("CSE_TEST_ALL"):
        pairs = [(kind, value) for kind in kinds for value in values]
    else:
        pairs = [(kinds[(i + begin) % len(kinds)], value) for i, value in enumerate(values)]
    return pytest.mark.parametrize(("image", name), pairs, indirect=["image"])


def check_finished(cluster: Cluster, node: Node) -> None:
    """A finished node keeps nothing of what it was started with."""
    # The payload goes last, right after the report: without it nothing would carry on.
    node.wait("end", lambda: node.file(PAYLOAD) is None)
    assert node.file("/var/lib/cse-bootstrap/done") is not None
    assert node.file("/run/cse/discovery.conf") is None
    assert node.file("/root/.customization/customize.sh") is None
    assert node.told.guestinfo["guestinfo.ovfEnv"].strip() in ("", "' '")
    for path, content in pki_to_files(cluster.pki).items():
        found = node.file(f"/etc/kubernetes/pki/{path}")
        if node.name.startswith("mstr-"):
            assert found == content
        elif path != "ca.crt":
            assert found is None


def customized(node: Node) -> bool:
    return "GC_COMPLETE" in node.told.customization


def check_nothing_secret(cluster: Cluster, node: Node) -> None:
    """Neither the log nor what left the guest holds a key or a token."""
    told = "\n".join(f"{key}={value}" for key, value in node.told.guestinfo.items())
    decoded = base64.b64decode(node.told.guestinfo.get("guestinfo.cse.error", "-").strip("-"))
    text = told + decoded.decode(errors="replace") + node.log()
    assert "PRIVATE KEY" not in text
    assert not re.search(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b", text)
    for content in pki_to_files(cluster.pki).values():
        body = content.decode().splitlines()[1]
        assert body not in text


def test_a_cluster_comes_up(cluster: Cluster) -> None:
    first = cluster.control_plane()
    first.start()
    second = cluster.worker()
    second.start()
    assert first.wait_status("ready").phase == "done"
    assert second.wait_status("ready").phase == "done"
    cluster.wait_ready("mstr-ab12", "node-cd34")
    for node in (first, second):
        node.wait("customization", partial(customized, node))
        check_finished(cluster, node)
        check_nothing_secret(cluster, node)
    with cluster.api() as api:
        assert api.version() == f"v{cluster.image.kubernetes}"
        kinds = {node.name: node.roles for node in api.nodes()}
        assert kinds["node-cd34"] == ()
        assert "control-plane" in kinds["mstr-ab12"] or "master" in kinds["mstr-ab12"]
        reports = api.bootstrap_reports()
        assert reports["mstr-ab12"].status == "ready"
        # The token that kubeadm makes by itself is gone.
        path = "/api/v1/namespaces/kube-system/secrets"
        names = [one["metadata"]["name"] for one in api.listing(path, "Secret", "list Secrets")]
        assert [name for name in names if "bootstrap-token" in name] == []
    seen = [line for line in first.told.phases if "(" not in line]
    assert sorted(set(seen), key=seen.index) == list(CONTROL_PLANE_PHASES)


def test_cse_servers_find_the_kubeconfig_and_people_their_console(cluster: Cluster) -> None:
    first = cluster.control_plane()
    first.start()
    first.wait_status("ready")
    assert first.file("/root/.kube/config") == first.file("/etc/kubernetes/admin.conf")
    assert first.guest.read_file("/root/.ssh/authorized_keys") == f"{public_key()}\n".encode()
    console = first.guest.console()
    for phase in ("host", "runtime", "images", "init", "network", "done"):
        assert f"cse-bootstrap: mstr-ab12: {phase}\n" in console.replace("\r", "")


@either("cse")
def test_rights_hang_on_the_group_of_ours(cluster: Cluster) -> None:
    first = cluster.control_plane()
    first.start()
    first.wait_status("ready")
    with cluster.api() as api:
        assert api.nodes()
    stranger = cluster.kubeconfig(("devs",))
    with ClusterAPI(stranger, environ={}) as api, pytest.raises(ClusterUnreachable) as caught:
        api.nodes()
    assert caught.value.reason == "forbidden"


@either("current")
def test_the_customization_returns_at_once(cluster: Cluster) -> None:
    first = cluster.control_plane()
    begun = time.monotonic()
    first.start()
    first.wait("customization", lambda: "GC_COMPLETE" in first.told.customization, 10)
    assert time.monotonic() - begun < 10
    first.wait_status("ready")


def test_a_forced_customization_of_a_finished_node_is_harmless(cluster: Cluster) -> None:
    first = cluster.control_plane()
    first.start()
    first.wait_status("ready")
    before = first.file("/etc/kubernetes/admin.conf")
    first.guest.power_off()
    first.told.customization.clear()
    first.start()
    first.wait("customization", lambda: "GC_COMPLETE" in first.told.customization)
    cluster.wait_ready("mstr-ab12")
    assert first.file("/etc/kubernetes/admin.conf") == before
    # The power may have gone between the last report and the removal: the unit catches up.
    first.wait("end", lambda: first.file(PAYLOAD) is None)
    # What VCD pushed in again is gone some seconds later.
    first.wait("scrubbing", lambda: not first.told.guestinfo["guestinfo.ovfEnv"].strip("' "))
    first.wait("scrubbing", lambda: first.file("/root/.customization/customize.sh") is None)


def test_a_node_without_a_way_out_says_what_it_cannot_reach(cluster: Cluster) -> None:
    first = cluster.control_plane(egress=False, images_deadline=30)
    first.start()
    report = first.wait_status("failed")
    assert (report.phase, report.exit_code) == ("images", 1)
    registry = "k8s.gcr.io" if cluster.image is CSE else "registry.k8s.io"
    assert f"cannot reach {registry}" in report.log[-1]
    check_nothing_secret(cluster, first)


@either("cse")
def test_a_worker_without_a_way_out_says_so_too(cluster: Cluster) -> None:
    first = cluster.control_plane()
    first.start()
    first.wait_status("ready")
    second = cluster.worker(egress=False, images_deadline=30)
    second.start()
    report = second.wait_status("failed")
    assert report.phase == "images"
    # The API is in reach, so that whoever cannot see guestinfo learns it there.
    second.wait("report in the API", lambda: "node-cd34" in _reports(cluster))
    assert _reports(cluster)["node-cd34"].status == "failed"
    assert "cannot reach" in _reports(cluster)["node-cd34"].log[-1]


def _reports(cluster: Cluster) -> Mapping[str, NodeReport]:
    with cluster.api() as api:
        return api.bootstrap_reports()


@either("current")
def test_preloaded_images_need_no_way_out(cluster: Cluster) -> None:
    image = replace(cluster.image, images_preloaded=True)
    first = cluster.control_plane(egress=False, image=image)
    first.start()
    first.wait_status("ready")


def test_a_template_without_its_cni_manifest_fails_in_that_phase(cluster: Cluster) -> None:
    image = replace(cluster.image, cni_manifest=None)
    first = cluster.control_plane(image=image)
    first.start()
    report = first.wait_status("failed")
    assert report.phase == "network"
    assert f"no CNI manifest for {image.cni} under /root" in report.log[-1]
    # The API is up by then and tells the same to whoever cannot see guestinfo.
    first.wait("report in the API", lambda: _reports(cluster)["mstr-ab12"].status == "failed")
    assert _reports(cluster)["mstr-ab12"].log[-1] == report.log[-1]


@spread("offset", [-400 * 86400.0, -3600.0, 3600.0])
def test_wrong_clocks(cluster: Cluster, offset: float) -> None:
    first, second = cluster.control_plane(), cluster.worker()
    first.guest.faults.clock_offset = offset
    second.guest.faults.clock_offset = offset
    first.start()
    second.start()
    first.wait_status("ready")
    second.wait_status("ready")
    cluster.wait_ready("mstr-ab12", "node-cd34")


@either("cse")
def test_a_worker_that_is_first_waits(cluster: Cluster) -> None:
    first, second = cluster.control_plane(), cluster.worker()
    second.start()
    second.wait_phase("wait")
    first.start()
    second.wait_status("ready")
    cluster.wait_ready("mstr-ab12", "node-cd34")


@either("current")
def test_a_worker_of_another_cluster_is_refused(cluster: Cluster) -> None:
    first = cluster.control_plane()
    first.start()
    first.wait_status("ready")
    stranger = Cluster(cluster.folder / "other", cluster.image, cluster.settings)
    second = stranger.worker(at=first.nic.address, join_deadline=30)
    cluster.nodes.append(second)
    second.start()
    report = second.wait_status("failed")
    assert report.phase == "wait"
    assert "is not ready after 30 s" in report.log[-1]
    assert "x509" in report.log[-1] or "certificate" in report.log[-1]
    assert list(cluster.ready()) == ["mstr-ab12"]


@either("cse")
def test_a_worker_that_comes_too_late_says_why(cluster: Cluster) -> None:
    first, second = cluster.control_plane(), cluster.worker(join_deadline=30)
    first.start()
    first.wait_status("ready")
    cluster.clock.advance(timedelta(hours=3).total_seconds())
    second.start()
    report = second.wait_status("failed")
    assert report.phase == "wait"
    assert "this node's join certificate has expired, replace the node" in report.log[-1]


CONTROL_PLANE_PHASES = ("host", "runtime", "pki", "images", "init", "rbac", "network", "done")
WORKER_PHASES = ("host", "runtime", "wait", "images", "join", "done")


@spread("phase", CONTROL_PLANE_PHASES)
def test_power_loss_at_the_control_plane(cluster: Cluster, phase: str) -> None:
    first = cluster.control_plane()
    first.start()
    first.wait_phase(phase)
    first.guest.power_off()
    assert first.guest.processes() == []
    first.told.guestinfo.clear()
    first.boot()
    cluster.wait_ready("mstr-ab12")
    first.wait("end", lambda: first.file(PAYLOAD) is None)
    check_finished(cluster, first)
    assert _reports(cluster)["mstr-ab12"].status == "ready"


@spread("phase", WORKER_PHASES)
def test_power_loss_at_a_worker(cluster: Cluster, phase: str) -> None:
    first, second = cluster.control_plane(), cluster.worker()
    first.start()
    second.start()
    second.wait_phase(phase)
    second.guest.power_off()
    second.told.guestinfo.clear()
    second.boot()
    first.wait_status("ready")
    cluster.wait_ready("mstr-ab12", "node-cd34")
    second.wait("end", lambda: second.file(PAYLOAD) is None)
    check_finished(cluster, second)


#: Moments inside kubeadm, and in between, that a phase's beginning does not hit.
INIT_MOMENTS = (
    "kubeadm init certs",
    "kubeadm init kubeconfig",
    "kubeadm init control-plane etcd",
    "kubeadm init wait-control-plane",
    "kubeadm init upload-config",
    "kubeadm init bootstrap-token",
    "kubeadm init addon",
)


@spread("moment", INIT_MOMENTS)
def test_power_loss_inside_kubeadm_init(cluster: Cluster, moment: str) -> None:
    check_power_loss(cluster, moment, unsynced=False)


@spread("moment", INIT_MOMENTS, begin=1)
def test_power_loss_that_takes_what_was_never_synced(cluster: Cluster, moment: str) -> None:
    check_power_loss(cluster, moment, unsynced=True)


def check_power_loss(cluster: Cluster, moment: str, *, unsynced: bool) -> None:
    first = cluster.control_plane()
    first.guest.faults.kill_at_step = moment
    if unsynced:
        first.guest.faults.lose_unsynced = [r"^/etc/kubernetes/(pki/apiserver|admin\.conf)"]
    first.start()
    first.wait("power loss", lambda: first.told.offs == 1)
    first.told.guestinfo.clear()
    first.boot()
    first.wait_status("ready", 60)
    cluster.wait_ready("mstr-ab12")
    check_finished(cluster, first)
    if moment in INIT_MOMENTS[:2]:
        assert "kubeadm reset" not in first.log()


#: Moments inside kubeadm join; the kubelet may have finished on its own when power comes back.
JOIN_MOMENTS = (
    "kubeadm join bootstrap-kubelet.conf",
    "kubeadm join ca.crt",
    "kubeadm join tls-bootstrap",
    "kubeadm join kubelet.conf",
)


@spread("moment", JOIN_MOMENTS)
def test_power_loss_inside_kubeadm_join(cluster: Cluster, moment: str) -> None:
    first, second = cluster.control_plane(), cluster.worker()
    second.guest.faults.kill_at_step = moment
    first.start()
    second.start()
    second.wait("power loss", lambda: second.told.offs == 1)
    second.told.guestinfo.clear()
    second.boot()
    second.wait_status("ready", 60)
    cluster.wait_ready("mstr-ab12", "node-cd34")
    check_finished(cluster, second)


def newest(cluster: Cluster) -> None:
    """Let the nodes be of the newest Kubernetes."""
    cluster.image = replace(cluster.image, kubernetes="1.36.2")


@either("current")
@pytest.mark.parametrize("moment", ["kubeadm join kubelet.conf", "kubeadm join tls-bootstrap"])
def test_a_join_that_is_over_before_there_is_a_node(cluster: Cluster, moment: str) -> None:
    """kubeadm 1.36 writes nothing at the Node, and so does not wait for it."""
    newest(cluster)
    first, second = cluster.control_plane(), cluster.worker()
    second.guest.faults.kill_at_step = moment
    first.start()
    second.start()
    second.wait("power loss", lambda: second.told.offs == 1)
    second.told.guestinfo.clear()
    second.boot()
    second.wait_status("ready", 60)
    cluster.wait_ready("mstr-ab12", "node-cd34")
    check_finished(cluster, second)
    found = second.file("/var/lib/kubelet/instance-config.yaml") or b""
    assert b"containerRuntimeEndpoint: unix:///run/containerd/containerd.sock" in found
    with cluster.api() as api:
        node = api.read("/api/v1/nodes/node-cd34", "Node", "read it") or {}
    assert "cri-socket" not in str(node["metadata"].get("annotations"))


@spread("late", [20.0, 5.0, 1.0])
def test_a_control_plane_waits_for_its_runtime_after_a_power_loss(
    cluster: Cluster, late: float
) -> None:
    """Nothing is reset, and no failure is reported, because the runtime comes after the unit."""
    first = cluster.control_plane()
    first.guest.faults.kill_at_step = "kubeadm init wait-control-plane"
    first.start()
    first.wait("power loss", lambda: first.told.offs == 1)
    first.told.guestinfo.clear()
    first.told.statuses.clear()
    first.guest.faults.runtime_late = late
    first.guest.faults.log.clear()
    first.boot()
    first.wait_status("ready", 60)
    assert "failed" not in first.told.statuses
    assert [line for line in first.guest.faults.log if "kubeadm reset" in line] == []
    cluster.wait_ready("mstr-ab12")
    check_finished(cluster, first)


@spread("late", [1.0, 20.0], begin=1)
def test_a_worker_waits_for_its_runtime_after_a_power_loss(cluster: Cluster, late: float) -> None:
    first, second = cluster.control_plane(), cluster.worker()
    second.guest.faults.kill_at_step = "kubeadm join kubelet.conf"
    first.start()
    second.start()
    second.wait("power loss", lambda: second.told.offs == 1)
    second.told.guestinfo.clear()
    second.told.statuses.clear()
    second.guest.faults.runtime_late = late
    second.boot()
    second.wait_status("ready", 60)
    assert "failed" not in second.told.statuses
    cluster.wait_ready("mstr-ab12", "node-cd34")
    check_finished(cluster, second)


@either("current")
def test_the_unit_comes_after_every_container_runtime(cluster: Cluster) -> None:
    first = cluster.control_plane()
    first.start()
    first.wait_status("ready")
    unit = (first.file("/etc/systemd/system/cse-bootstrap.service") or b"").decode()
    (after,) = [line for line in unit.splitlines() if line.startswith("After=")]
    wanted = ("docker", "containerd", "crio", "cri-docker")
    assert [name for name in wanted if f"{name}.service" not in after.split("=")[1].split()] == []


@either("current")
def test_a_template_that_was_captured_from_a_node(cluster: Cluster) -> None:
    first = cluster.control_plane()
    first.start()
    first.wait_status("ready")
    first.guest.power_off()
    first.told.guestinfo.clear()
    # The same disk as another cluster's node: kubeadm refuses what it finds, and is reset once.
    cluster.pki = mint_pki("other")
    spec = replace(cluster.bootstrap(first.name), cluster_id="cluster-2")
    first.start(script=control_plane_script(spec, cluster.pki))
    first.wait_status("ready", 60)
    cluster.wait_ready("mstr-ab12")
    check_finished(cluster, first)
    assert "kubeadm reset, then once more" in first.log()
