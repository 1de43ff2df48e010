"""Backups of clusters, and clusters that are restored from them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyrage
import pytest
import yaml

from cse_client.engines.direct.backup_files import open_backup, write_backup
from cse_client.guest.pki import mint_pki
from cse_client.model.backups import BackupKey, BackupLock
from tests.support.editor import Editor
from tests.support.programs import VCD, Result, Workstation
from tests.support.schemas import check
from tests.support.simulator import Asker, Cloud, Control
from tests.support.waiting import until

CSE = str(Path(VCD).with_name("cse"))
NAME = "phoenix"
REFUSED = 4
THREE = "hydra"
CLONE = "copied"
BARE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev1"
TEMPLATE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev7"


class Admin(Workstation):
    """An administrator, logged in with the program `cse`, who has keys for backups."""

    def log_in(self, cloud: Cloud) -> None:
        token = Asker(cloud, cloud.user, cloud.password).token
        words = ("login", cloud.host, cloud.org, "--session-stdin", "--ca-file", cloud.ca)
        self.run(CSE, *words, stdin=token).checked()

    def make_keys(self) -> None:
        from pyrage import x25519

        ours = x25519.Identity.generate()
        (self.home / "key").write_text(str(ours))
        (self.home / "public").write_text(str(ours.to_public()))
        (self.home / "another").write_text(str(x25519.Identity.generate()))

    def cluster(self, *words: str) -> Result:
        return self.run(CSE, "cluster", *words)

    def shown(self, *words: str) -> Any:
        return json.loads(self.run(CSE, "-j", *words).checked())

    def backed_up(self, name: str, file: str) -> Any:
        """Back a cluster up to a file, with the public key; return what is reported."""
        to = ("--recipient", (self.home / "public").read_text())
        return self.shown("cluster", "backup", name, "-o", file, *to)

    def restore(self, name: str, file: str) -> str:
        return self.cluster("restore", name, file, "--identity", "key", "--yes").checked()

    def info(self, name: str) -> dict[str, Any]:
        return dict(self.shown("cluster", "info", name))

    def nodes(self, name: str, kind: str = "") -> dict[str, str]:
        """Return the addresses of a cluster's nodes, which are all Ready."""
        rows = self.shown("node", "list", name)
        assert {row["Kubernetes"] for row in rows} == {"Ready"}, rows
        return {row["Name"]: row["IP"] for row in rows if row["Name"].startswith(kind)}

    def kubeconfig(self, name: str) -> Path:
        path = self.home / f"{name}.kubeconfig"
        path.touch(0o600)
        path.write_text(self.cluster("config", name).checked())
        return path

    def ask(self, name: str, *words: str, stdin: str = "") -> Result:
        """Run kubectl with the kubeconfig that `kubeconfig` wrote."""
        return self.kubectl("--kubeconfig", f"{name}.kubeconfig", *words, stdin=stdin)


@pytest.fixture(scope="module")
def admin(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    """An administrator with a cluster of this file's own."""
    if not cloud.others:
        pytest.skip("needs a simulator")
    admin = Admin(tmp_path_factory.mktemp("phoenix"))
    admin.log_in(cloud)
    admin.make_keys()
    admin.cluster("create", NAME, "-n", "net1", "-N", "1").checked()
    yield admin
    admin.cluster("delete", NAME, "--yes")


@pytest.fixture(scope="module")
def revisions(admin: Admin, cloud: Cloud) -> Iterator[tuple[str, str]]:
    """The template of the cluster, and a later revision that is there until the file's end."""
    item = yaml.safe_load(admin.cluster("export", NAME).checked())["spec"]["template"]
    old = item.rpartition("/")[2]
    new = old.partition("_rev")[0] + "_rev9"
    Control(cloud).set(f"templates/{new}", like=old)
    yield old, new
    Control(cloud).set(f"templates/{new}", remove=True)


def has_ended(control: Control, name: str) -> bool:
    metadata = control.get("state")["vapps"][name]["metadata"]
    return bool(metadata["GENERAL:cse.client.restore"] == "-")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ((), 2, "A backup is always encrypted, and there is no terminal to ask for a passphrase."),
        (("--recipient", "age1xyz"), 2, "is not a public key that a backup can be encrypted to"),
        (("--recipient", "x", "--passphrase-file", "p"), 2, "Specify either --recipient or"),
        (("--passphrase-file", "absent"), 2, "file 'absent' cannot be read: No such file"),
        (("--passphrase-file", "empty"), 2, "The first line of empty is empty"),
        (("--passphrase-file", "p", "-o", "taken"), 1, "taken exists already."),
        (("--passphrase-file", "p", "-o", "no/x"), 1, "no/x cannot be written: there is no folder"),
        (
            ("--passphrase-file", "p", "-o", "/proc/x"),
            1,
            "There is no room for /proc/x: the backup",
        ),
    ],
)
def test_a_backup_that_cannot_be_written_is_refused_first(
    admin: Admin, control: Control, words: tuple[str, ...], code: int, text: str
) -> None:
    (admin.home / "p").write_text("correct horse\n")
    (admin.home / "empty").write_text("\n")
    (admin.home / "taken").write_text("mine")
    control.ask("DELETE", "journal")
    ended = admin.cluster("backup", NAME, *words)
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert text in ended.err
    assert (admin.home / "taken").read_text() == "mine"
    assert not list(admin.home.glob("*.backup"))


def test_a_backup_that_finds_no_room_leaves_nothing(admin: Admin) -> None:
    """The file system becomes full while it is written: here, files may have 50 KiB."""
    (admin.home / "p").write_text("correct horse\n")
    words = ("cluster", "backup", NAME, "-o", "full.backup", "--passphrase-file", "p")
    ended = admin.run("bash", "-c", 'ulimit -f 50; exec "$@"', "-", CSE, *words)
    assert (ended.code, ended.out) == (1, ""), ended.err
    assert "Error: The file full.backup cannot be written: File too large.\n" in ended.err
    assert not [path for path in admin.home.iterdir() if "full.backup" in path.name]


@pytest.fixture(scope="module")
def files(admin: Admin, cloud: Cloud) -> None:
    """Backups that are not this cluster's, or of nothing at all, and what opens them."""
    lock = BackupLock(recipients=((admin.home / "public").read_text(),))
    body = bytes(200_000)
    snapshot = body + hashlib.sha256(body).digest()

    def write(name: str, cluster_id: str) -> bytes:
        of = {"cluster": {"id": cluster_id, "name": "other"}, "format": 1}
        planes = {"control_planes": [{"name": "mstr-1", "ip": "10.0.0.1"}]}
        path = admin.home / name
        write_backup(path, {**of, **planes}, mint_pki("x"), [snapshot], len(snapshot), lock)
        return path.read_bytes()

    write("other-cluster", "another id")
    whole = write("other-ca", Editor(cloud).metadata(NAME)["cse.cluster.id"])
    (admin.home / "cut-off").write_bytes(whole[:30_000])
    admin.backed_up(NAME, "own")
    key = BackupKey(identity=(admin.home / "key").read_text())
    with open_backup(admin.home / "own", key) as own:
        newer = {**own.record, "kubernetes": "v1.99.0"}
        write_backup(admin.home / "newer", newer, own.pki, own.snapshot(), own.size, lock)
    with open_backup(admin.home / "own", key) as own:
        newer = {**own.record, "etcd": "3.5.21"}
        write_backup(admin.home / "newer-etcd", newer, own.pki, own.snapshot(), own.size, lock)
    (admin.home / "text").write_text("hello")
    public = pyrage.x25519.Recipient.from_str(lock.recipients[0])
    (admin.home / "secret").write_bytes(pyrage.encrypt(b"hello" * 200, [public]))


@pytest.mark.parametrize(
    ("file", "key", "code", "text"),
    [
        ("other-cluster", "key", 4, f"is not a backup of this cluster '{NAME}': it is of 'other'"),
        ("other-ca", "key", 4, "it holds another CA than the cluster's"),
        ("cut-off", "key", 1, "The backup cut-off is damaged or cut off."),
        ("other-ca", "another", 1, "The private key does not open other-ca."),
        ("newer", "key", 4, "The backup is of Kubernetes 1.99.0, and the template"),
        ("newer-etcd", "key", 4, "The backup is of etcd 3.5.21, and the template"),
        ("text", "key", 2, "The file text is not a backup of a cluster."),
        ("secret", "key", 2, "The file secret is not a backup of a cluster."),
        ("absent", "key", 2, "The backup file 'absent' cannot be read: No such file or directory."),
    ],
)
@pytest.mark.usefixtures("files")
def test_a_restore_that_cannot_be_meant_changes_nothing(
    admin: Admin, control: Control, file: str, key: str, code: int, text: str
) -> None:
    before = control.possessions()
    ended = admin.cluster("restore", NAME, file, "--identity", key, "--yes")
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert text in ended.err
    if file.startswith("other-") and code == REFUSED:
        assert f"its objects: cse cluster restore NEW-NAME {file} --new\n" in ended.err
    assert control.possessions() == before


@pytest.mark.usefixtures("files")
def test_a_restore_must_be_confirmed(admin: Admin) -> None:
    ended = admin.cluster("restore", NAME, "other-ca", "--identity", "key")
    assert (ended.code, ended.out) == (2, "")
    assert f"Restoring {NAME} must be confirmed" in ended.err


def test_a_lost_control_plane_is_restored(admin: Admin, control: Control) -> None:
    admin.kubeconfig(NAME)
    admin.cluster("seal", NAME).checked()
    admin.ask(NAME, "create", "configmap", "before").checked()
    made = admin.backed_up(NAME, "full")
    assert (made["cluster"], made["kubernetes_version"]) == (NAME, "v1.18.6")
    before = admin.nodes(NAME)
    admin.ask(NAME, "create", "configmap", "after").checked()
    admin.ask(NAME, "delete", "configmap", "before").checked()
    # a worker that the backup does not know, and one that it knows and that is gone
    admin.cluster("resize", NAME, "-N", "2").checked()
    (old,) = (name for name in before if name.startswith("node-"))
    admin.run(CSE, "node", "delete", NAME, old, "--yes").checked()
    (head,) = admin.nodes(NAME, "mstr-")
    control.set(f"guests/{head}", crash=True)
    before_plan = control.possessions()
    words = ("cluster", "restore", NAME, "full", "--identity", "key", "--dry-run")
    shown = admin.shown(*words)
    check("cluster restore", shown)
    plan = shown["plan"]
    assert plan[0] == f"Delete {head}, whatever runs there."
    assert plan[1].endswith(f"at the address {before[head]}.")
    assert plan[-1] == "Seal the cluster again."
    lost = shown["not_brought_back"]
    since = r"what was changed in the cluster since 20\d\d-\d\d-\d\d \d\d:\d\d UTC"
    assert re.fullmatch(since, lost[0]), lost
    # the steps have numbers, and what is not brought back is not a step
    numbered = [f"{number}. {step}" for number, step in enumerate(plan, 1)]
    listed = [*numbered, "Not brought back:", *(f"- {one}" for one in lost)]
    assert admin.run(CSE, *words).checked().splitlines() == listed
    assert control.possessions() == before_plan
    assert f"{NAME} is restored: 1 control plane and 1 worker" in admin.restore(NAME, "full")
    after = admin.nodes(NAME)
    assert (after[head], len(after)) == (before[head], 2)
    assert old not in admin.ask(NAME, "get", "nodes").checked()
    assert "before" in admin.ask(NAME, "get", "configmaps").checked()
    assert admin.ask(NAME, "get", "configmap", "after").code == 1
    assert admin.ask(NAME, "create", "configmap", "later").code == 0
    assert has_ended(control, NAME)
    assert admin.info(NAME)["problems"] == []
    vms = control.get("state")["vapps"][NAME]["vms"]
    assert vms[head]["script_bytes"] < 1000, "it is sealed again"


def test_a_restore_takes_another_template(
    admin: Admin, control: Control, revisions: tuple[str, str]
) -> None:
    """The one that the control plane was created from is not there any more."""
    old, new = revisions
    name = old.partition("_rev")[0]
    control.set(f"templates/{old}", remove=True)
    words = ("restore", NAME, "full", "--identity", "key", "--yes")
    try:
        refused = admin.cluster(*words)
        hint = f"to restore it with another one: cse cluster {' '.join(words)} --template NAME\n"
        assert (refused.code, refused.err.endswith(hint)) == (3, True), refused.err
        admin.cluster(*words, "--template", name).checked()
        exported = yaml.safe_load(admin.cluster("export", NAME).checked())
        assert exported["spec"]["template"] == f"cse/{new}"
        assert "before" in admin.ask(NAME, "get", "configmaps").checked()
        assert admin.info(NAME)["problems"] == []
    finally:
        control.set(f"templates/{old}", like=new)


VOLUME = """
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Delete
  csi: {driver: named-disk.csi.cloud-director.vmware.com, volumeHandle: disk}
---
apiVersion: storage.k8s.io/v1
kind: VolumeAttachment
metadata: {name: attached, finalizers: [external-attacher/named-disk]}
spec:
  attacher: named-disk.csi.cloud-director.vmware.com
  nodeName: node-1
  source: {persistentVolumeName: disk}
---
apiVersion: v1
kind: Secret
metadata:
  name: lasting
  annotations: {kubernetes.io/service-account.name: default}
type: kubernetes.io/service-account-token
"""


def test_a_new_cluster_is_made_from_a_backup(admin: Admin, control: Control) -> None:
    admin.kubeconfig(NAME)
    admin.ask(NAME, "create", "-f", "-", stdin=VOLUME).checked()
    admin.backed_up(NAME, "copy")
    before = admin.nodes(NAME)
    words = ("restore", CLONE, "copy", "--identity", "key")
    absent = admin.cluster(*words, "--yes")
    assert absent.code == 3
    suggested = f"cse cluster {' '.join(words)} --yes --new"
    assert f"Hint: To make a new cluster from the backup: {suggested}\n" in absent.err
    possessions = control.possessions()
    plan = admin.run("sh", "-c", f"{suggested} --dry-run").checked()
    assert f"Create vApp '{CLONE}' in VDC" in plan
    assert "Create 1 worker in the pool 'default'." in plan
    assert "\nNot brought back:\n- what was changed in the cluster since 20" in plan
    assert "\n- kubeconfigs, grants, and CA keys: the new cluster has keys of its own\n" in plan
    assert control.possessions() == possessions
    made = admin.run("sh", "-c", suggested)
    assert made.code == 0, made.err
    assert f"Cluster {CLONE} is made from the backup: 1 control plane and 1 worker" in made.out
    assert "Persistent volumes (1) are the same disks" in made.err
    # its parts have steps of their own
    parts = ("Create a control plane with the objects in", "Create 1 worker in the pool 'default'.")
    assert all(f"   {part}" in made.err for part in parts), made.err
    try:
        admin.kubeconfig(CLONE)
        after = admin.nodes(CLONE)
        assert (len(after), {*after} & {*before}) == (2, set())
        listed = admin.ask(CLONE, "get", "nodes", "-o", "name").checked().split()
        assert listed == [f"node/{name}" for name in sorted(after)]
        assert "before" in admin.ask(CLONE, "get", "configmaps").checked()
        policy = ("get", "pv", "disk", "-o", "jsonpath={.spec.persistentVolumeReclaimPolicy}")
        assert admin.ask(CLONE, *policy).checked() == "Retain"
        assert admin.ask(CLONE, "get", "volumeattachments").out == ""
        assert admin.ask(CLONE, "get", "-n", "kube-system", "secret", "cse-cluster-ca").code == 1
        # its keys are its own
        there = ("--server", admin.info(CLONE)["endpoint"], "--insecure-skip-tls-verify=true")
        assert admin.ask(CLONE, *there, "get", "nodes").code == 0
        assert admin.ask(NAME, *there, "get", "nodes").code == 1
        # and the cluster that was backed up is as it was
        assert admin.nodes(NAME) == before
        assert "attached" in admin.ask(NAME, "get", "volumeattachments").out
        again = admin.run("sh", "-c", suggested)
        assert (again.code, f"Cluster '{CLONE}' already exists" in again.err) == (1, True)
        assert has_ended(control, CLONE)
    finally:
        admin.cluster("delete", CLONE, "--yes")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ((NAME, "copy", "--nodes", "3"), 2, "--nodes requires --new."),
        (("b_d", "copy", "--new"), 2, "is not allowed"),
        ((CLONE, "copy", "--new", "--network", "none"), 3, "'none'"),
        ((CLONE, "copy", "--new", "--template", "none"), 3, "Template 'none' was not found."),
    ],
)
def test_what_a_new_cluster_cannot_be(
    admin: Admin, words: tuple[str, ...], code: int, text: str
) -> None:
    ended = admin.cluster("restore", *words, "--identity", "key", "--yes")
    assert (ended.code, text in ended.err) == (code, True), ended.err


@pytest.fixture
def three(admin: Admin, control: Control) -> Iterator[str]:
    """A cluster with three control planes; returns its virtual address."""
    control.set(f"templates/{TEMPLATE}", like=BARE, image={"keepalived": True})
    register = ("template", "register", "cse", TEMPLATE, "--kubernetes-version", "1.33.1")
    admin.run(CSE, *register, "--keepalived").checked()
    create = ("create", THREE, "-n", "net1", "-N", "1", "-t", TEMPLATE, "--control-planes", "3")
    admin.cluster(*create).checked()
    yield admin.info(THREE)["virtual_address"]
    admin.cluster("delete", THREE, "--yes")
    control.set(f"templates/{TEMPLATE}", remove=True)


def test_without_a_quorum_all_control_planes_are_restored(
    admin: Admin, control: Control, three: str
) -> None:
    admin.kubeconfig(THREE)
    admin.ask(THREE, "create", "configmap", "before").checked()
    admin.backed_up(THREE, "three")
    admin.ask(THREE, "create", "configmap", "after").checked()
    before = admin.nodes(THREE, "mstr-")
    # each of them has certificates of its own
    ending = sorted(before)[1]
    control.set(f"guests/{ending}", faults={"serving_ends": 59 * 86_400})
    warning = f"the API server's certificate of {ending} ends on "
    assert until(lambda: any(one.startswith(warning) for one in admin.info(THREE)["problems"]))
    for head in before:
        control.set(f"guests/{head}", crash=True)
    # what is suggested is what helps
    refused = admin.run(CSE, "node", "delete", THREE, min(before), "--yes")
    assert (refused.code, "has lost its quorum: 0 of 3" in refused.err) == (4, True), refused.err
    assert f"`cse cluster restore {THREE} FILE`" in refused.err
    assert "3 control planes and 1 worker" in admin.restore(THREE, "three")
    after = admin.nodes(THREE, "mstr-")
    assert (len(after), len({*after} & {*before})) == (3, 1)
    shown = admin.info(THREE)
    assert (shown["virtual_address"], shown["problems"]) == (three, [])
    assert len(admin.ask(THREE, "get", "nodes", "-o", "name").checked().split()) == 4
    assert "before" in admin.ask(THREE, "get", "configmaps").checked()
    assert admin.ask(THREE, "get", "configmap", "after").code == 1
    # one more may fail
    control.set(f"guests/{shown['holder']}", crash=True)
    assert until(lambda: admin.ask(THREE, "get", "--raw", "/readyz").code == 0)
