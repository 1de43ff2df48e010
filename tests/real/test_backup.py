"""A backup of a real etcd, a lost control plane that is restored from it, and new certificates."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cse_client.engines.direct.backup_files import open_backup
from cse_client.model.backups import BackupKey
from tests.real.build.components import ETCD
from tests.real.build.places import folder_of
from tests.real.phoenix import OBJECTS, Phoenix
from tests.real.site import Site, eventually

NAME = "phoenix"
#: Outside of the pool of net1, and of what other tests take.
ADDRESS = "10.77.0.8"
#: Seconds for which a control plane is lost before it is restored. Kubelets notice that their
#: connection is dead by the health checks of HTTP/2, after 45 s (k8s.io/apimachinery, util/net:
#: 30 s without data, 15 s for an answer). A restore that begins earlier waits for that.
_LOST_FOR = 50


@pytest.fixture(scope="module")
def phoenix(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phoenix]:
    phoenix = Phoenix(site, tmp_path_factory.mktemp("phoenix"), NAME)
    phoenix.create("-N", "1")
    phoenix.fill()
    yield phoenix
    phoenix.cluster("delete", NAME, "--yes").checked()


def test_a_backup_holds_what_etcd_has(phoenix: Phoenix, tmp_path: Path) -> None:
    shown = phoenix.back_up()
    assert shown["kubernetes_version"] == f"v{phoenix.site.kit.version}"
    with open_backup(phoenix.file, BackupKey(identity=phoenix.identity.read_text())) as backup:
        (head,) = backup.record["control_planes"]
        assert head["name"] == phoenix.head()["Name"]
        with (tmp_path / "etcd.db").open("wb") as database:
            for piece in backup.snapshot():
                database.write(piece)
    assert (tmp_path / "etcd.db").stat().st_size == backup.size == shown["etcd_size"]
    status = subprocess.run(
        [str(folder_of(ETCD) / "etcdutl"), "snapshot", "status", "-w", "json", "etcd.db"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(status.stdout)["totalKey"] >= OBJECTS
    assert b"registry/configmaps/filled/c299" in (tmp_path / "etcd.db").read_bytes()


def test_a_lost_control_plane_is_restored(
    phoenix: Phoenix, measured: Callable[[str, object], None]
) -> None:
    site, head = phoenix.site, phoenix.head()
    phoenix.kubectl("create", "namespace", "after-the-backup").checked()
    phoenix.kubectl("delete", "cm", "-n", "filled", "c1", "c2").checked()
    name = head["Name"]
    site.control.set(f"guests/{name}", crash=True)
    time.sleep(_LOST_FOR)
    nodes = phoenix.restore()["nodes"]
    measured("a lost control plane is restored", phoenix.durations())
    assert phoenix.is_in_time(), phoenix.durations()
    assert {node["kubernetes_status"] for node in nodes} == {"Ready"}
    again = phoenix.head()
    assert (again["Name"], again["IP"]) == (head["Name"], head["IP"])
    assert len(phoenix.objects()) == OBJECTS
    assert phoenix.kubectl("get", "namespace", "after-the-backup").code != 0
    phoenix.kubectl("create", "namespace", "after-the-restore").checked()
    eventually(
        lambda: "Running" in phoenix.kubectl("get", "pods", "-n", "kube-system").out,
        "pods run again",
    )


def test_certificates_are_renewed(phoenix: Phoenix) -> None:
    disk = phoenix.site.disks()[phoenix.head()["Name"]]
    before = {
        name: (disk / f"etc/kubernetes/pki/{name}.crt").read_bytes()
        for name in ("apiserver", "apiserver-etcd-client", "etcd/server", "front-proxy-client")
    }
    renewed = phoenix.cluster("renew", NAME, "--yes")
    log = (disk / "var/log/cse-bootstrap.log").read_text()
    assert renewed.code == 0, f"{renewed.err}\n{log}"
    assert "certificate for serving the Kubernetes API renewed" in log
    for name, content in before.items():
        assert (disk / f"etc/kubernetes/pki/{name}.crt").read_bytes() != content, name
    assert len(phoenix.objects()) == OBJECTS
    phoenix.cluster("config", NAME).checked()
    eventually(lambda: phoenix.kubectl("get", "nodes").out.count(" Ready ") == 2, "nodes are Ready")


def test_a_new_cluster_begins_with_the_backup(phoenix: Phoenix, tmp_path: Path) -> None:
    """It is another cluster: nodes, keys and add-ons are its own."""
    site = phoenix.site
    risen = Phoenix(site, tmp_path, "risen")
    nodes = phoenix.restore("risen", "--new", "--nodes", "0")["nodes"]
    try:
        risen.save_config()
        assert [node["kubernetes_status"] for node in nodes] == ["Ready"]
        assert len(risen.objects()) == OBJECTS
        (name,) = risen.kubectl("get", "nodes", "-o", "name").checked().split()
        assert name == f"node/{nodes[0]['name']}"
        eventually(lambda: not risen.strange_pods(nodes[0]["name"]), "old pods are gone")
        eventually(risen.pods_run, "its own pods run")
        # whoever may use one cluster may not use the other
        there = ("--server", f"https://{nodes[0]['ip']}:6443", "--insecure-skip-tls-verify=true")
        refused = phoenix.kubectl(*there, "get", "nodes")
        assert (refused.code, "Unauthorized" in refused.err or "logged in" in refused.err) == (
            1,
            True,
        ), refused.err
        assert len(phoenix.objects()) == OBJECTS
    finally:
        risen.cluster("delete", "risen", "--yes").checked()


def test_three_control_planes_are_restored_without_a_quorum(
    site: Site,
    tmp_path_factory: pytest.TempPathFactory,
    measured: Callable[[str, object], None],
) -> None:
    if not site.kit.image()["keepalived"]:
        pytest.skip("A virtual address needs keepalived, which is not installed.")
    hydra = Phoenix(site, tmp_path_factory.mktemp("hydra"), "hydra")
    hydra.create("-N", "0", "--control-planes", "3", "--vip", ADDRESS)
    try:
        hydra.fill()
        hydra.back_up()
        hydra.kubectl("create", "namespace", "after-the-backup").checked()
        before = {head["Name"] for head in hydra.heads()}
        for name in sorted(before)[:2]:
            site.control.set(f"guests/{name}", crash=True)
        # the third one still runs, and cannot do anything
        nodes = hydra.restore()["nodes"]
        measured("three lost control planes are restored", hydra.durations())
        assert [node["kubernetes_status"] for node in nodes] == ["Ready"] * 3
        assert len({node["name"] for node in nodes} & before) == 1
        assert len(hydra.objects()) == OBJECTS
        assert hydra.kubectl("get", "namespace", "after-the-backup").code != 0
        shown = json.loads(hydra.cluster("info", "hydra").checked())
        assert (shown["virtual_address"], shown["problems"]) == (ADDRESS, [])
        site.control.set(f"guests/{shown['holder']}", crash=True)
        eventually(lambda: hydra.kubectl("get", "--raw", "/readyz").code == 0, "one may fail")
    finally:
        hydra.cluster("delete", "hydra", "--yes").checked()
