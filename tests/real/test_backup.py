"""A backup of a real etcd, a lost control plane that is restored from it, and new certificates."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyrage import x25519

from cse_client.engines.direct.backup_files import open_backup
from cse_client.model.backups import BackupKey
from tests.real.build.components import ETCD
from tests.real.build.places import folder_of
from tests.real.site import Site, eventually
from tests.support.programs import Result

NAME = "phoenix"
OBJECTS = 300


class Phoenix:
    """A cluster of a control plane and a worker, with objects in it, and a backup of both."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self.took = 0.0
        self.file = folder / "phoenix.backup"
        identity = x25519.Identity.generate()
        self.recipient = str(identity.to_public())
        self.identity = folder / "identity"
        self.identity.write_text(str(identity))
        self._kubeconfig = folder / "kubeconfig"

    def cluster(self, *words: str) -> Result:
        return self.site.vcd("-j", "cse", "cluster", *words)

    def kubectl(self, *words: str, stdin: str = "") -> Result:
        return self.site.kubectl("--kubeconfig", str(self._kubeconfig), *words, stdin=stdin)

    def create(self) -> None:
        began = time.monotonic()
        self.cluster(
            "create", NAME, "-n", "net1", "-N", "1", "-t", self.site.kit.template
        ).checked()
        self.took = time.monotonic() - began
        self._kubeconfig.touch(0o600)
        self._kubeconfig.write_text(self.site.vcd("cse", "cluster", "config", NAME).checked())

    def fill(self) -> None:
        """Make objects of 4 kB in a namespace of their own."""
        items = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": f"c{number}", "namespace": "filled"},
                "data": {"noise": base64.b64encode(os.urandom(3000)).decode()},
            }
            for number in range(OBJECTS)
        ]
        self.kubectl("create", "namespace", "filled").checked()
        listed = {"apiVersion": "v1", "kind": "List", "items": items}
        self.kubectl("create", "-f", "-", stdin=json.dumps(listed)).checked()

    def objects(self) -> set[str]:
        listed = self.kubectl("get", "cm", "-n", "filled", "-o", "name").checked()
        return {line for line in listed.split() if line.startswith("configmap/c")}

    def head(self) -> dict[str, Any]:
        rows = json.loads(self.site.vcd("-j", "cse", "node", "list", NAME).checked())
        (row,) = (one for one in rows if one["Name"].startswith("mstr-"))
        return dict(row)


@pytest.fixture(scope="module")
def phoenix(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phoenix]:
    phoenix = Phoenix(site, tmp_path_factory.mktemp("phoenix"))
    phoenix.create()
    phoenix.fill()
    yield phoenix
    phoenix.cluster("delete", NAME, "--yes").checked()


def test_a_backup_holds_what_etcd_has(phoenix: Phoenix, tmp_path: Path) -> None:
    options = ("--recipient", phoenix.recipient)
    made = phoenix.cluster("backup", NAME, "-o", str(phoenix.file), *options)
    shown = json.loads(made.checked())
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


def test_a_lost_control_plane_is_restored(phoenix: Phoenix) -> None:
    site, head = phoenix.site, phoenix.head()
    phoenix.kubectl("create", "namespace", "after-the-backup").checked()
    phoenix.kubectl("delete", "cm", "-n", "filled", "c1", "c2").checked()
    name = head["Name"]
    site.control.set(f"guests/{name}", crash=True)
    began = time.monotonic()
    restored = phoenix.cluster(
        *("restore", NAME, str(phoenix.file), "--yes"),
        *("--identity", str(phoenix.identity)),
    )
    took = time.monotonic() - began
    assert restored.code == 0, restored.err + site.bootstrap_logs().get(name, "")
    nodes = json.loads(restored.out)["nodes"]
    assert {node["kubernetes_status"] for node in nodes} == {"Ready"}
    again = phoenix.head()
    assert (again["Name"], again["IP"]) == (head["Name"], head["IP"])
    assert len(phoenix.objects()) == OBJECTS
    assert phoenix.kubectl("get", "namespace", "after-the-backup").code != 0
    phoenix.kubectl("create", "namespace", "after-the-restore").checked()
    print(f"created in {phoenix.took:.0f} s, restored in {took:.0f} s")  # noqa: T201
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
