"""Upgrading a cluster by replacing its nodes, and everything that is in the way of it.

One cluster goes through all of it, from one control plane with 1.36 to three with a later 1.37: the
tests depend on their order.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.editor import Editor
from tests.support.output import lasting
from tests.support.people import offer_template
from tests.support.programs import CSE, VCD, Result, Workstation, clean_environment, command_line
from tests.support.schemas import check
from tests.support.simulator import Control, log_in, start_simulator, stop_simulator
from tests.support.terminal import on_terminal

NAME = "aging"
BARE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev1"
OLD = "ubuntu-24.04_k8-1.36_antrea-2.3_rev1"
NEW = "ubuntu-24.04_k8-1.37_antrea-2.3_rev1"
LATER = "ubuntu-24.04_k8-1.37_antrea-2.3_rev2"
SKIPPING = "ubuntu-24.04_k8-1.38_antrea-2.3_rev1"
PLAIN = "ubuntu-24.04_k8-1.37_plain-1_rev1"
RELEASES = {OLD: "1.36.3", NEW: "1.37.2", SKIPPING: "1.38.0"}
pytestmark = pytest.mark.timeout(600)

FAILED, WRONG_USAGE, NOT_FOUND, REFUSED, UNFINISHED = 1, 2, 3, 4, 5


class Place(Workstation):
    """A simulator of its own, since faults of guests concern everybody, and a cluster in it."""

    def __init__(self, folder: Path) -> None:
        self.process, self.cloud = start_simulator(folder, "--time", "instant")
        home = folder / "home"
        log_in(self.cloud, home)
        super().__init__(home, {**clean_environment(home), **self.cloud.environment()})
        self.control = Control(self.cloud)

    def offer(self, item: str, release: str, *, keepalived: bool = True) -> None:
        """Offer a template."""
        offer_template(self, self.control, item, release, like=BARE, keepalived=keepalived)

    def afflict(self, vm: str, **faults: object) -> None:
        """Give faults to the guests of that name that start from now on."""
        self.control.set("guests", vm=vm, faults=faults)

    def info(self) -> Any:
        return json.loads(self.cse("cluster", "info", NAME, "-o", "json").checked())

    def nodes(self) -> set[str]:
        return {node["name"] for node in self.info()["nodes"]}

    def plan(self, *words: str) -> Any:
        listed = self.cse("cluster", "upgrade-plan", NAME, "-o", "json", *words)
        return json.loads(listed.checked())[0]["plan"]

    def everything(self) -> Any:
        """Return what a failed upgrade must leave as it was: all but claims that have ended."""
        state = self.control.possessions()
        for vapp in state["vapps"].values():
            vapp["metadata"] = lasting(vapp["metadata"])
        return state

    def kubeadm_release(self) -> str:
        found = self.kubectl(
            *("-n", "kube-system", "get", "configmap", "kubeadm-config"),
            *("-o", "jsonpath={.data.ClusterConfiguration}"),
        )
        lines = [line for line in found.checked().splitlines() if "kubernetesVersion" in line]
        return lines[0].partition(": v")[2]

    def interrupted(self, text: str, *words: str) -> Result:
        """Run `cse ...` and interrupt it once its stderr holds `text`."""
        with (self.home / "err").open("wb") as err:
            process = subprocess.Popen(
                command_line(VCD, "cse", *words),
                cwd=self.home,
                env=self.environment,
                stdout=subprocess.DEVNULL,
                stderr=err,
            )
        deadline = time.monotonic() + 120
        while text not in (self.home / "err").read_text():
            assert process.poll() is None, (self.home / "err").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        return Result(process.wait(60), "", (self.home / "err").read_text())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("aging"))
    for item, release in RELEASES.items():
        place.offer(item, release)
    place.offer(PLAIN, "1.37.2", keepalived=False)
    place.cse("cluster", "create", NAME, "-n", "net1", "-t", OLD, "-N", "2").checked()
    place.cse("cluster", "config", NAME, "--save").checked()
    yield place
    stop_simulator(place.process)


@pytest.fixture
def place(running: Place) -> Iterator[Place]:
    """The cluster, and no faults after the test."""
    yield running
    running.control.ask("DELETE", "guests")
    running.control.ask("DELETE", "faults")


def test_the_plan_names_every_node_and_no_obstacle(place: Place) -> None:
    listed = place.cse("cluster", "upgrade-plan", NAME).checked()
    head, *_rest = listed.splitlines()
    assert head.split()[:2] == ["Template", "Name"]
    assert "1.37.2" in listed
    assert "1.38" not in listed
    found = place.plan()
    assert (found["before"], found["after"], found["template"]) == ("1.36.3", "1.37.2", NEW[:-5])
    names = [step["node"] for step in found["steps"]]
    assert set(names) == place.nodes()
    assert names[0].startswith("mstr-")
    assert (found["obstacles"], found["resumed"], found["minutes"]) == ([], False, None)
    dry = place.cse("cluster", "upgrade", NAME, "--dry-run").checked()
    assert all(step["action"] in dry for step in found["steps"])
    document = json.loads(
        place.cse("cluster", "upgrade", NAME, "--dry-run", "-o", "json").checked()
    )
    check("cluster upgrade", document)
    assert document == found
    asked = place.cse("cluster", "upgrade", NAME)
    assert asked.code == WRONG_USAGE
    assert f"Upgrading {NAME} must be confirmed, and there is no terminal; use --yes." in asked.err


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("-t", SKIPPING), REFUSED, "an upgrade cannot skip a minor release"),
        (("-t", BARE), REFUSED, "a cluster cannot be downgraded"),
        (("-t", PLAIN), REFUSED, "is not known to contain keepalived"),
        (("-t", "nonsense"), NOT_FOUND, "Template 'nonsense' was not found."),
        (("--max-surge", "0"), WRONG_USAGE, "--max-surge must be at least 1, not 0."),
        (("--roll-back",), REFUSED, f"No upgrade of cluster '{NAME}' is unfinished,"),
        ((NEW[:-5],), WRONG_USAGE, "Missing argument 'TEMPLATE_REVISION'."),
        ((NEW[:-5], "one"), WRONG_USAGE, "TEMPLATE_REVISION 'one' is not a number."),
    ],
)
def test_what_is_refused(place: Place, words: tuple[str, ...], code: int, text: str) -> None:
    before = place.everything()
    refused = place.cse("cluster", "upgrade", NAME, *words, "--yes")
    assert (refused.code, text in refused.err) == (code, True), refused.err
    assert place.everything() == before


def test_what_is_in_the_way(place: Place) -> None:
    worker = next(name for name in place.nodes() if name.startswith("node-"))
    place.kubectl("run", "lonely", "--image", "registry.k8s.io/pause:3.10").checked()
    place.control.set("vdcs/vdc1", vm_quota=3)
    found = place.plan()["obstacles"]
    assert any("default/lonely on node-" in text for text in found), found
    assert any("has room for 0 more VMs" in text for text in found), found
    refused = place.cse("cluster", "upgrade", NAME, "--yes")
    assert refused.code == REFUSED
    assert f"'{NAME}' cannot be upgraded to Kubernetes 1.37.2 for 2 reasons" in refused.err
    place.control.set("vdcs/vdc1", vm_quota=0)
    _refuse_while_another_command_runs(place)
    _refuse_without_an_address(place)
    assert any("default/lonely" in text for text in place.plan("--force")["warnings"])
    assert place.plan("--force")["obstacles"] == []
    place.kubectl("delete", "pod", "lonely", "--now").checked()
    place.control.ask("POST", f"guests/{worker}", {"crash": True})
    assert any(f"VM {worker} is not powered on" in text for text in place.plan()["obstacles"]), (
        place.plan()
    )
    place.cse("cluster", "repair", NAME, "--yes").checked()
    assert place.plan()["obstacles"] == []


def _refuse_while_another_command_runs(place: Place) -> None:
    lock = "cse.client.lock.0123456789ab"
    claim = {"who": "eve", "host": "desk", "doing": "resize"}
    claim |= {"since": "2026-01-01T00:00:00+00:00", "until": "2099-01-01T00:00:00+00:00"}
    editor = Editor(place.cloud)
    editor.write(NAME, {lock: json.dumps(claim)})
    found = place.plan()["obstacles"]
    editor.write(NAME, {lock: "free 0"})
    assert any("is being changed by eve on desk" in text for text in found), found


def _refuse_without_an_address(place: Place) -> None:
    pool = place.control.get("state")["networks"]["net1"]["pool"]
    place.control.set("networks/net1", pool=[pool[-1], pool[-1]])
    place.control.set("vapps", prefix="full", count=1, address=pool[-1])
    found = place.plan()["obstacles"]
    place.control.set("networks/net1", pool=pool)
    assert any("address" in text for text in found), found


def test_a_new_control_plane_that_fails_leaves_everything_as_it_was(place: Place) -> None:
    before = place.everything()
    place.afflict("mstr-.*", fail={"kubeadm join.*": 7})
    failed = place.cse("cluster", "upgrade", NAME, "--yes")
    assert failed.code == FAILED
    assert "failed in phase 'join'" in failed.err
    assert "Note: No node was replaced, so the cluster is as it was." in failed.err
    assert place.everything() == before
    assert place.kubeadm_release() == "1.36.3"
    assert place.info()["problems"] == []


def test_an_interrupted_upgrade_is_rolled_back(place: Place) -> None:
    nodes = place.nodes()
    place.afflict("mstr-.*", slow={"kubeadm join.*": 600})
    stopped = place.interrupted(": join", "cluster", "upgrade", NAME, "--yes")
    assert stopped.code == UNFINISHED, stopped.err
    assert "is in the middle of upgrading to Kubernetes 1.37.2." in stopped.err
    assert place.kubeadm_release() == "1.37.2"
    other = place.cse("cluster", "resize", NAME, "--nodes", "3")
    assert "has an unfinished operation: upgrading to Kubernetes 1.37.2." in other.err
    assert place.plan()["resumed"] is True
    before = place.everything()
    shown = place.cse("cluster", "upgrade", NAME, "--roll-back", "--dry-run").checked()
    head, first, *_rest = shown.splitlines()
    assert head == "Going back from Kubernetes 1.37.2 to 1.36.3:"
    assert first.startswith("1. Remove the new control plane mstr-")
    assert place.everything() == before
    back = place.cse("cluster", "upgrade", NAME, "--roll-back", "--yes")
    assert back.out == f"Cluster {NAME} has Kubernetes 1.36.3 again.\n", back.err
    assert place.kubeadm_release() == "1.36.3"
    assert place.nodes() == nodes
    assert place.info()["problems"] == []


def test_failures_after_the_first_replacement_and_the_same_command_again(place: Place) -> None:
    before = place.info()
    _refuse_to_stop_the_old_control_plane(place, before)
    place.afflict("node-.*", fail={"kubeadm join.*": 7})
    failed = place.cse("cluster", "upgrade", NAME, "--yes")
    assert (failed.code, "Run the same command again to resume." in failed.err) == (FAILED, True)
    old = {node["name"] for node in before["nodes"]}
    left = place.nodes()
    assert {name[:5] for name in left - old} == {"mstr-"}
    assert {name for name in old if name.startswith("node-")} < left
    late = place.cse("cluster", "upgrade", NAME, "--roll-back", "--yes")
    assert (late.code, "a control plane has been replaced" in late.err) == (REFUSED, True)
    place.control.ask("DELETE", "guests")
    other = place.cse("cluster", "upgrade", NAME, "-t", PLAIN, "--yes")
    assert f"is being upgraded to template '{NEW}', not to '{PLAIN}'." in other.err
    done = place.cse("cluster", "upgrade", NAME, "--yes")
    assert done.out == f"Cluster {NAME} is upgraded to Kubernetes 1.37.2.\n", done.err
    after = place.info()
    names = {node["name"] for node in after["nodes"]}
    assert (names & old, len(names)) == (set(), len(old))
    assert (after["endpoint"], after["problems"]) == (before["endpoint"], [])
    assert place.kubectl("get", "nodes", "--no-headers").checked().count("v1.37.2") == 3
    assert place.kubeadm_release() == "1.37.2"
    proxy = place.kubectl("-n", "kube-system", "get", "daemonset", "kube-proxy", "-o", "yaml")
    assert "kube-proxy:v1.37.2" in proxy.checked()
    metadata = place.control.get("state")["vapps"][NAME]["metadata"]
    assert metadata["GENERAL:cse.kubernetes.version"] == "1.37.2"
    assert metadata["GENERAL:cse.template.name"] == NEW[: -len("_rev1")]
    listed = place.cse("cluster", "list").checked()
    assert "1.37.2" in listed


def _refuse_to_stop_the_old_control_plane(place: Place, before: Any) -> None:
    """Upgrade, until an old control plane has left etcd and its VM cannot be deleted."""
    (old,) = (node["name"] for node in before["nodes"] if node["name"].startswith("mstr-"))
    vm = place.control.get("state")["vapps"][NAME]["vms"][old]["id"].rpartition(":")[2]
    forbidden = {"kind": "status", "status": 403, "times": 0, "method": "POST"}
    place.control.set("faults", path=f"{vm}/action/undeploy", **forbidden)
    # a better template appears during the question: it was not confirmed, and is not used
    image = {"keepalived": True, "kubernetes": "1.37.3"}
    place.control.set(f"templates/{LATER}", like=BARE, image=image)
    register = ("template", "register", "cse", LATER, "--kubernetes-version", "1.37.3")
    failed = on_terminal(
        place.home,
        [CSE, "cluster", "upgrade", NAME],
        ("[y/N]: ", "y"),
        environment={**place.environment, "NO_COLOR": "1"},
        meanwhile=[CSE, *register, "--keepalived"],
    )
    assert LATER in place.cse("template", "list").checked()
    assert "Kubernetes 1.36.3 to 1.37.2?" in failed.out
    assert (failed.code, "Run the same command again to resume." in failed.out) == (4, True), failed
    assert "as it was" not in failed.out
    assert "removal failed" not in failed.out
    assert {name[:5] for name in place.nodes() - {n["name"] for n in before["nodes"]}} == {"mstr-"}
    assert place.kubeadm_release() == "1.37.2"
    ready = place.kubectl("get", "nodes", "--no-headers").checked()
    assert old not in ready or re.search(rf"^{old} .*SchedulingDisabled", ready, re.M), ready
    place.control.ask("DELETE", "faults")


def test_three_control_planes_get_a_new_revision(place: Place) -> None:
    place.cse("cluster", "resize", NAME, "--control-planes", "3").checked()
    assert place.kubectl("get", "nodes", "--no-headers").checked().count("v1.37.2") == 5
    assert place.cse("cluster", "upgrade-plan", NAME).checked().count("1.38.0") >= 1
    place.cse("pool", "create", NAME, "more", "--nodes", "1").checked()
    place.cse("pool", "create", NAME, "own", "--nodes", "1", "-t", NEW).checked()
    nodes = place.nodes()
    found = place.plan("-t", LATER)
    assert len(found["steps"]) == 6
    assert found["minutes"] is not None
    # the run that replaced the control plane did not come to its end
    assert found["control_plane_seconds"] is None
    took = f"(the last upgrade took {found['worker_seconds']} s for each worker)."
    assert took in place.cse("cluster", "upgrade-plan", NAME, "-t", LATER).checked()
    assert any("pool 'own' keep its own template" in text for text in found["warnings"])
    words = ("cluster", "upgrade", NAME, "-t", LATER, "--max-surge", "2", "--yes")
    place.run(VCD, "cse", *words, timeout=400).checked()
    (kept,) = place.nodes() & nodes
    listed = place.kubectl("get", "nodes", "--no-headers").checked()
    assert listed.count("v1.37.3") == 6
    assert re.search(rf"^{kept} .* v1\.37\.2$", listed, re.M), listed
    (differ,) = place.info()["problems"]
    assert differ.startswith(f"the nodes' Kubernetes versions differ: v1.37.2 on {kept};")
    pools = json.loads(place.cse("pool", "list", NAME, "-o", "json").checked())
    assert {pool["name"]: pool["ready"] for pool in pools} == {"default": 2, "more": 1, "own": 1}
    again = place.cse("cluster", "upgrade", NAME, "-t", LATER, "--yes")
    assert again.out.startswith(f"Cluster {NAME} already has Kubernetes 1.37.3 of template ")
    assert again.code == 0
    # nothing is newer: there is nothing to do
    place.control.set(f"templates/{SKIPPING}", remove=True)
    for option in ("--yes", "--dry-run"):
        newest = place.cse("cluster", "upgrade", NAME, option)
        assert newest.code == 0, newest.err
        assert f"Cluster {NAME} already has Kubernetes 1.37.3 of template " in newest.out
