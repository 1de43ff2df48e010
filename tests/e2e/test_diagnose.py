"""`cluster diagnose` on broken clusters: what is broken comes first, and secrets stay secret."""

from __future__ import annotations

import base64
import json
import re
import stat
import tarfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.support.programs import CSE, Result, Workstation
from tests.support.schemas import check
from tests.support.simulator import Asker, Cloud, Control, start_simulator, stop_simulator
from tests.support.waiting import until

NAME = "demo"


class Place:
    """A home that is logged in, a cluster, and the strings of its cloud."""

    def __init__(self, shell: Workstation, cloud: Cloud) -> None:
        self._shell = shell
        self.home = shell.home
        self.cloud = cloud
        self.control = Control(cloud)

    def cse(self, *words: str, root: tuple[str, ...] = (), **settings: Any) -> Result:
        return self._shell.run(CSE, *root, *words, **settings)

    def run(self, *words: str) -> Result:
        return self._shell.run(*words)

    def vcd(self, *words: str) -> Result:
        return self._shell.vcd(*words)

    def causes(self, name: str = NAME) -> list[dict[str, Any]]:
        document = json.loads(self.cse("cluster", "diagnose", name, "-o", "json").checked())
        check("cluster diagnose", document)
        found: list[dict[str, Any]] = document["causes"]
        return found

    def vm(self, prefix: str, name: str = NAME) -> str:
        vms = self.control.get("state")["vapps"][name]["vms"]
        return next(str(one) for one in vms if one.startswith(prefix))

    def start(self) -> None:
        self.cse("cluster", "start", NAME).checked()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    process, cloud = start_simulator(tmp_path_factory.mktemp("cloud"), "--guest-speed", "30")
    home = tmp_path_factory.mktemp("home")
    (home / ".vcd-cli").mkdir()
    place = Place(Workstation(home), cloud)
    token = Asker(cloud, "admin", cloud.password).token
    words = ("login", cloud.host, "acme", "--session-stdin", "--ca-file", cloud.ca)
    place.cse(*words, stdin=token).checked()
    place.cse("cluster", "create", NAME, "--network", "net1", "--nodes", "1").checked()
    yield place
    stop_simulator(process)


def test_a_healthy_cluster(place: Place) -> None:
    shown = place.cse("cluster", "diagnose", NAME)
    assert shown.out == f"Nothing wrong was found with cluster {NAME}.\n"
    assert place.cse("cluster", "diagnose", "nope").code == 3
    # a refused request says nothing of the cluster
    twice = place.cse("cluster", "create", NAME, "--network", "net1", "--nodes", "2")
    assert "already exists" in twice.err
    assert place.causes() == []


def test_suggestions_of_the_extension_are_its_own(place: Place) -> None:
    place.vcd("profile", "extension", "add", "cse_client.cse").checked()
    node = place.vm("node-")
    place.control.set(f"guests/{node}", crash=True)
    shown = place.vcd("-j", "cse", "cluster", "diagnose", NAME)
    first, *_others = json.loads(shown.checked())["causes"]
    assert first["cure"] == f"Repair the cluster: vcd cse cluster repair {NAME}"
    plain = place.vcd("cse", "cluster", "diagnose", NAME).checked()
    assert f"vcd cse cluster repair {NAME}" in plain
    place.start()


def test_a_vm_that_is_off(place: Place) -> None:
    node = place.vm("node-")
    place.control.set(f"guests/{node}", crash=True)
    first, *others = place.causes()
    assert first["cause"] == f"1 VM of cluster {NAME} is off: {node} (POWERED_OFF)."
    assert first["cure"] == f"Repair the cluster: cse cluster repair {NAME}"
    assert others == []
    place.start()


def test_a_stopped_cluster_and_a_start_that_fails(place: Place) -> None:
    place.cse("cluster", "stop", NAME, "--yes").checked()
    first, *_others = place.causes()
    assert first["cause"] == f"All VMs of cluster {NAME} are off (POWERED_OFF)."
    assert first["cure"] == f"Start the cluster: cse cluster start {NAME}"
    assert re.fullmatch(rf".* UTC: Power off of {NAME}, by admin", first["evidence"][-1])
    place.control.set("faults", kind="task", operation="vappDeploy", message="No host fits.")
    assert place.cse("cluster", "start", NAME).code == 1
    first, second, *_others = place.causes()
    assert re.fullmatch(r"In VCD, 'Power on' of \S+ failed: No host fits\.", first["cause"])
    assert re.search(r"its ids to your provider: task [0-9a-f-]{36}", first["cure"])
    assert re.match(r"(All|1) VMs? of cluster", second["cause"])
    place.start()
    assert place.causes() == []


def test_a_certificate_that_has_ended(place: Place) -> None:
    def ends_in(seconds: int, *wanted: str) -> None:
        # the guest replaces its certificate a moment later
        place.control.set(f"guests/{place.vm('mstr-')}", faults={"serving_ends": seconds})

        def named() -> bool:
            first = [one["cause"] for one in place.causes()[:1]]
            return len(first) == len(wanted) and all(map(re.search, wanted, first))

        until(named, f"first cause: {wanted}", 20)

    ends_in(-60, r"its certificate has ended \(")
    (only,) = place.causes()
    assert only["cure"] == f"Renew it: cse cluster renew {NAME}"
    ends_in(3 * 86400, r"^The API server's certificate ends at ")
    ends_in(300 * 86400)


def test_kubernetes_is_ready_and_does_not_work(place: Place) -> None:
    """What an administrator did by hand: all nodes are Ready, and no pod is in trouble."""
    kubeconfig = place.home / "demo.kubeconfig"
    kubeconfig.write_text(place.cse("cluster", "config", NAME).checked())
    node = place.vm("node-")

    def kubectl(*words: str) -> None:
        place.run("kubectl", "--kubeconfig", str(kubeconfig), *words).checked()

    kubectl("cordon", node)
    (only,) = place.causes()
    assert only["cause"] == f"Node {node} is cordoned: no new pods are scheduled on it."
    kubectl(*only["cure"].partition("kubectl ")[2].split())
    assert place.causes() == []
    system = ("-n", "kube-system")
    kubectl(*system, "scale", "deployment", "coredns", "--replicas=0")
    (only,) = place.causes()
    assert only["cause"] == (
        "Deployment kube-system/coredns is scaled to 0, so that names cannot be resolved in the"
        " cluster."
    )
    kubectl(*only["cure"].partition("kubectl ")[2].split())
    until(lambda: place.causes() == [], "CoreDNS runs again", 20)
    saved = {}
    for kind, name, what in (("deployment", "coredns", "CoreDNS"), ("service", "kube-dns", "")):
        saved[kind] = place.home / f"{kind}.json"
        shown = place.run(
            *("kubectl", "--kubeconfig", str(kubeconfig), *system, "get", kind, name, "-o", "json")
        )
        saved[kind].write_text(shown.checked())
        kubectl(*system, "delete", kind, name)
        (only,) = place.causes()
        missing = what or f"Service {name}"
        assert only["cause"].startswith(f"kube-system has no {missing}, so that names ")
        assert "kubeadm init phase addon coredns" in only["cure"]
        kubectl("create", "-f", str(saved[kind]))
        until(lambda: place.causes() == [], f"{name} is there again", 20)


def test_a_failure_is_known_after_its_rollback(place: Place) -> None:
    place.control.set("guests", vm="node-.*", faults={"fail": {"kubeadm join.*": 7}}, times=1)
    failed = place.cse("node", "create", NAME, "--nodes", "1", "--cpu", "2")
    assert failed.code == 1
    first, *others = place.causes()
    said = f"The last command, `cse node create {NAME} --nodes 1 --cpu 2`, failed at "
    assert first["cause"].startswith(said)
    assert "failed in phase 'join'" in first["cause"]
    assert any("kubeadm" in line for line in first["evidence"])
    assert others == []
    place.cse("pool", "create", NAME, "more", "--nodes", "1", "--dry-run").checked()
    assert place.causes() == [first]
    # nothing that VCD has a task for
    place.cse("cluster", "protect", NAME).checked()
    assert place.causes() == []
    place.cse("cluster", "unprotect", NAME).checked()


def test_a_cluster_that_was_never_made(place: Place) -> None:
    place.control.set("guests", vm="mstr-.*", faults={"fail": {"kubeadm init.*": 9}}, times=1)
    create = ("cluster", "create", "gone", "--network", "net1", "--nodes", "0")
    assert place.cse(*create).code == 1
    assert "gone" not in place.control.get("state")["vapps"]
    shown = place.cse("cluster", "diagnose", "gone", "-o", "gone.tar.gz")
    assert shown.code == 0
    lines = shown.out.splitlines()
    assert lines[0].startswith("Probable cause: The last command, `cse cluster create gone ")
    assert any("kubeadm" in line for line in lines[1:])
    with tarfile.open(place.home / "gone.tar.gz") as archive:
        assert "diagnosis-gone/last-failure.json" in archive.getnames()


def test_a_node_whose_bootstrap_failed(place: Place) -> None:
    place.control.set("guests", vm="mstr-.*", faults={"fail": {"kubeadm init.*": 9}}, times=1)
    create = ("cluster", "create", "kept", "--network", "net1", "--nodes", "0")
    assert place.cse(*create, "--disable-rollback").code == 1
    first, *_others = place.causes("kept")
    node = place.vm("mstr-", "kept")
    # a bootstrap that failed begins again, and then it is the command's own record that knows
    reported = rf"The bootstrap of node {node} failed in the phase init \(exit code 1\)\."
    recorded = rf"The last command, .*: Node '{node}' failed in phase 'init' \(.*"
    assert re.fullmatch(f"{reported}|{recorded}", first["cause"])
    assert first["evidence"]
    assert first["evidence"][0].startswith(f"{node}: ")
    place.cse("cluster", "delete", "kept", "--yes").checked()


def test_a_guest_without_tools(place: Place) -> None:
    place.control.set("guests", vm="mstr-.*", faults={"never_boot": True}, times=1)
    create = ("cluster", "create", "mute", "--network", "net1", "--nodes", "0", "--timeout", "10s")
    assert place.cse(*create, "--disable-rollback").code != 0
    place.control.set("clock", advance=900)
    first, *_others = place.causes("mute")
    node = place.vm("mstr-", "mute")
    assert re.match(rf"The guest customization of VM {node} has not begun \(", first["cause"])
    assert "open-vm-tools" in first["cure"]
    place.cse("cluster", "delete", "mute", "--yes").checked()


OWNER = "0123456789ab"
LATER = (datetime.now(timezone.utc) + timedelta(hours=1)).isoformat(timespec="seconds")
LOCK = {"who": "bob@acme", "host": "desk", "doing": "resize", "since": LATER, "until": LATER}
GROW = {"turn": 3, "id": "ab12", "kind": "grow", "workers": 3, "before": 1}

#: What is wrong -> metadata of the vApp, what is done to it, and the first cause.
RECORDS: dict[str, tuple[dict[str, str], tuple[str, ...], str]] = {
    "suspended": ({}, ("suspend",), r"All VMs of cluster \S+ are off \(SUSPENDED\)\."),
    "powered off": (
        {},
        ("power-off", "--yes"),
        r"All VMs of cluster \S+ are off \(POWERED_OFF\)\.",
    ),
    "a task that fails": ({}, ("reset", "--yes"), r"In VCD, '.*' of \S+ failed: No host fits\."),
    "another user at work": (
        {f"cse.client.lock.{OWNER}": json.dumps(LOCK)},
        (),
        r"Cluster '\S+' is being changed by bob@acme on desk since .* \(resize\)\.",
    ),
    "a command that did not end": (
        {f"cse.client.operation.{OWNER}": f"1:{json.dumps(GROW)}"},
        (),
        r"An operation is unfinished: growing to 3 workers\.",
    ),
    "a damaged record": (
        {f"cse.client.operation.{OWNER}": "x"},
        (),
        rf"Metadata cse\.client\.operation\.{OWNER} cannot be read\.",
    ),
    "a damaged claim": (
        {f"cse.client.lock.{OWNER}": "x"},
        (),
        rf"Metadata cse\.client\.lock\.{OWNER} cannot be read\.",
    ),
    "workers that are missing": (
        {f"cse.client.done.{OWNER}": '1:{"turn":1,"workers":3}'},
        (),
        r"0 worker VMs where 3 were requested\.",
    ),
}


@pytest.mark.parametrize("case", RECORDS)
def test_what_vcd_and_the_records_say(place: Place, case: str) -> None:
    metadata, words, cause = RECORDS[case]
    prefix = case.replace(" ", "-")
    place.control.set("vapps", count=1, prefix=prefix, metadata=metadata)
    name = f"{prefix}-00001"
    if case == "a task that fails":
        rule = {"kind": "task", "operation": ".*", "owner": f"{name}|mstr.*"}
        place.control.set("faults", **rule, message="No host fits.")
    if words:
        place.vcd("vapp", words[0], name, *words[1:])
    first, *_others = place.causes(name)
    assert re.fullmatch(cause, first["cause"]), first
    assert first["cure"]


def test_workers_that_nobody_requested_are_left_by_a_repair(place: Place) -> None:
    metadata = {f"cse.client.done.{OWNER}": '1:{"turn":1,"workers":1}'}
    place.control.set("vapps", count=1, prefix="more", workers=2, metadata=metadata)
    first, *_others = place.causes("more-00001")
    assert first["cause"] == "2 worker VMs where 1 was requested."
    assert first["cure"].endswith(": cse cluster resize more-00001 --nodes 1"), first


PLANTED = {
    "a password": "Passw0rd-Hunter2",
    "a JWT": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJlLW9m",
    "a bootstrap token": "abcdef.0123456789abcdef",
    "a key": "MHcCAQEEIBtzLWtleS1rZXkta2V5LWtleS1rZXkta2V5",
    "a proxy's password": "pr0xy-pass",
    "an API token": "sh0rtApiTok3n",
    "a password in an annotation": "Ann0tated-Pass",
    "a password in user-data": base64.b64encode(b"#cloud-config\npassword: x1\n").decode(),
    "the rest of a key": "MHcCAQEEIBtzLWtleS1rZXkta2V5LWtleS1rZXkta2V5QUJDREVGR0hJSktMTU5P",
    "a certificate key": "0f" * 32,
}
ANNOTATION = json.dumps({"last-applied": json.dumps({"password": "Ann0tated-Pass"})})
LOG = f"""\
password={PLANTED["a password"]}
Authorization: Bearer {PLANTED["a JWT"]}
kubeadm join 10.0.0.1:6443 --token {PLANTED["a bootstrap token"]}
-----BEGIN EC PRIVATE KEY-----
{PLANTED["a key"]}
-----END EC PRIVATE KEY-----
proxy http://bob:{PLANTED["a proxy's password"]}@proxy:3128
used {PLANTED["an API token"]} for it
annotations: {ANNOTATION}
user-data {PLANTED["a password in user-data"]}
kubeadm join 10.0.0.1:6443 --certificate-key {PLANTED["a certificate key"]}
"""
#: The last lines of a guest's log, which begin in the middle of a key.
TAIL = f"""\
{PLANTED["the rest of a key"]}
-----END EC PRIVATE KEY-----
{LOG}"""


def test_the_archive_has_everything_but_secrets(place: Place) -> None:
    token = json.loads(json.dumps(place.home.joinpath(".vcd-cli/profiles.yaml").read_text()))
    session = re.search(r"^  token: (\S+)$", token, re.M)
    assert session is not None
    state = place.home / ".local" / "state" / "cse-client"
    state.mkdir(parents=True, exist_ok=True)
    (state / "cse-client.log").write_text(f"{LOG}\nand {session[1]}\n")
    for failure in (state / "failures").glob("*.json"):
        value = {**json.loads(failure.read_text()), "log": TAIL.splitlines()}
        failure.write_text(json.dumps(value))
    variable = {"CSE_API_TOKEN": PLANTED["an API token"]}
    shown = place.cse("cluster", "diagnose", NAME, "-o", "demo.tar.gz", env=variable)
    assert shown.code == 0
    assert re.fullmatch(
        r"demo\.tar\.gz was written \(\d+ files, without secrets\)\. Its pictures show what the"
        r" consoles show\.\n",
        shown.err,
    )
    path = place.home / "demo.tar.gz"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as archive:
        names = archive.getnames()
        texts = {}
        for one in archive.getmembers():
            file = archive.extractfile(one)
            assert file is not None
            texts[one.name] = file.read()
    folder = f"diagnosis-{NAME}"
    for wanted in (
        "summary.txt",
        "events.json",
        "machines.json",
        "kubernetes.json",
        "cluster.json",
    ):
        assert f"{folder}/{wanted}" in names
    assert f"{folder}/consoles/{place.vm('mstr-')}.png" in names
    whole = b"\n".join(texts.values()).decode("utf-8", "replace")
    for what, secret in {**PLANTED, "the session": session[1]}.items():
        assert secret not in whole, what
    kubernetes = json.loads(texts[f"{folder}/kubernetes.json"])
    assert {one["name"] for one in kubernetes["nodes"]} >= {place.vm("mstr-")}
    events = json.loads(texts[f"{folder}/events.json"])
    assert "Power on" in {one["what"] for one in events}
