"""The rest of a cluster's life: nodes come and go, fail and are repaired, by words and kubectl."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import VCD, Workstation, clean_environment
from tests.support.simulator import Cloud, Control, Login, log_in
from tests.support.waiting import until

NAME = "grown"
PATIENCE = 60
NOT_FOUND = 3

WORKLOAD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
"""

BARE = """
apiVersion: v1
kind: Pod
metadata: {name: alone, namespace: default}
spec: {nodeName: NODE, containers: [{name: c, image: nginx}]}
"""


class Place(Workstation):
    """A logged-in home with one cluster, and programs that run there."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        super().__init__(home, environment)
        self.kubeconfig = home / "kubeconfig"

    def kubectl_out(self, *words: str, stdin: str = "") -> str:
        """Run kubectl on the cluster, which must succeed."""
        words = ("--kubeconfig", str(self.kubeconfig), *words)
        return self.kubectl(*words, stdin=stdin).checked()

    def nodes(self) -> list[dict[str, Any]]:
        """Return the rows of `node list`."""
        done = self.run(VCD, "-j", "cse", "node", "list", NAME)
        assert done.code == 0, done.err
        return json.loads(done.out)  # type: ignore[no-any-return]

    def workers(self) -> list[str]:
        """Return the names of the workers."""
        return [row["Name"] for row in self.nodes() if row["Kind"] == "worker"]

    def resize(self, count: int, *words: str) -> None:
        """Bring the cluster to a number of workers."""
        done = self.cse("cluster", "resize", NAME, "--nodes", str(count), *words)
        assert done.code == 0, done.err


@pytest.fixture(scope="module")
def place(cloud: Cloud, login: Login, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A cluster that this file's tests share."""
    home = tmp_path_factory.mktemp("nodes")
    (home / ".vcd-cli").mkdir()
    login.put_into(home)
    place = Place(home, {**clean_environment(home), **cloud.environment()})
    made = place.cse("cluster", "create", NAME, "-n", "net1", "-N", "1")
    assert made.code == 0, made.err
    place.kubeconfig.write_text(place.cse("cluster", "config", NAME).out)
    yield place
    place.cse("cluster", "delete", NAME, "--yes")


def test_up_and_down(place: Place) -> None:
    before = place.workers()
    grown = place.cse("cluster", "resize", NAME, "--nodes", "3")
    assert (grown.code, grown.out) == (
        0,
        f"Cluster {NAME} has 1 control plane and 3 workers.\n",
    ), grown.err
    rows = place.nodes()
    assert [row["Kubernetes"] for row in rows] == ["Ready"] * 4
    assert set(before) < set(place.workers())
    again = place.cse("cluster", "resize", NAME, "--nodes", "3")
    assert (again.code, again.out) == (0, grown.out)
    assert f"Cluster '{NAME}' already has 3 workers." in again.err
    place.resize(1)
    # the newest go first
    assert place.workers() == before
    assert place.kubectl_out("get", "nodes", "-o", "name").split() == [
        f"node/{row['Name']}" for row in place.nodes()
    ]


def test_pods_move_when_their_node_goes(place: Place) -> None:
    place.resize(2)
    place.kubectl_out("apply", "-f", "-", stdin=WORKLOAD)
    place.kubectl_out("rollout", "status", "deployment/web", "--timeout", f"{PATIENCE}s")

    def where() -> list[str]:
        words = ("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}")
        return place.kubectl_out(*words).split()

    doomed = where()[0]
    gone = place.cse("node", "delete", NAME, doomed, "--yes")
    assert (gone.code, gone.out) == (0, f"{doomed} is removed from cluster {NAME}.\n")
    place.kubectl_out("rollout", "status", "deployment/web", "--timeout", f"{PATIENCE}s")
    until(lambda: len(where()) == 2 and doomed not in where())
    assert doomed not in place.workers()
    place.kubectl_out("delete", "deployment", "web")


def test_a_pod_that_nobody_would_start_again_is_named_first(place: Place) -> None:
    place.resize(2)
    node = place.workers()[0]
    place.kubectl_out("apply", "-f", "-", stdin=BARE.replace("NODE", node))
    refused = place.cse("node", "delete", NAME, node, "--yes")
    assert (refused.code, refused.out) == (4, "")
    assert "default/alone" in refused.err
    assert node in refused.err
    assert "--force" in refused.err
    assert node in place.workers()
    assert "SchedulingDisabled" not in place.kubectl_out("get", "nodes")
    forced = place.cse("node", "delete", NAME, node, "--yes", "--force")
    assert forced.code == 0, forced.err
    assert node not in place.workers()


def test_a_node_stays_in_kubernetes_for_as_long_as_its_vm_may_run(
    place: Place, control: Control
) -> None:
    """A kubelet that still runs, or boots again, would register its Node anew."""
    place.resize(2)
    node = place.workers()[-1]
    control.set("faults", kind="task", operation="vappUndeployPowerOff", status="error")
    failed = place.cse("node", "delete", NAME, node, "--yes")
    assert (failed.code, failed.out) == (1, ""), failed.err
    assert "Note: Run the same command again to resume." in failed.err
    assert f"node/{node}" in place.kubectl_out("get", "nodes", "-o", "name").split()
    done = place.cse("node", "delete", NAME, node, "--yes")
    assert done.code == 0, done.err
    assert node not in place.workers()
    assert f"node/{node}" not in place.kubectl_out("get", "nodes", "-o", "name").split()


def test_a_drained_nodes_vm_stops_while_others_are_drained(place: Place, control: Control) -> None:
    """A finalizer keeps the evicted pod, and with it the drain of its node."""
    place.resize(2)
    place.kubectl_out("apply", "-f", "-", stdin=WORKLOAD)
    place.kubectl_out("rollout", "status", "deployment/web", "--timeout", f"{PATIENCE}s")
    pods = json.loads(place.kubectl_out("get", "pods", "-l", "app=web", "-o", "json"))["items"]
    pod, last = pods[0]["metadata"]["name"], pods[0]["spec"]["nodeName"]
    (first,) = (name for name in place.workers() if name != last)

    def hold(finalizers: list[str]) -> None:
        patch = json.dumps({"metadata": {"finalizers": finalizers}})
        place.kubectl_out("patch", "pod", pod, "--type=merge", "-p", patch)

    def power() -> list[str]:
        vms = control.possessions()["vapps"][NAME]["vms"]
        return [vms[name]["status"] for name in (first, last)]

    hold(["test.example/hold"])
    words = ("cse", "node", "delete", NAME, first, last, "--yes", "--max-parallel", "1")
    removal = place.start(VCD, *words)
    until(lambda: power() == ["POWERED_OFF", "POWERED_ON"])
    hold([])
    out, err = removal.communicate()
    assert removal.returncode == 0, err
    assert out.decode() == f"{first}, {last} are removed from cluster {NAME}.\n"
    assert place.workers() == []
    place.kubectl_out("delete", "deployment", "web")
    place.resize(1)


def budget(name: str) -> str:
    return f"""
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
metadata: {{name: {name}, namespace: default}}
spec: {{maxUnavailable: 1, selector: {{matchLabels: {{app: web}}}}}}
"""


def test_two_budgets_over_one_pod_are_seen_and_can_be_forced(place: Place) -> None:
    """Kubernetes answers such an eviction with HTTP 500, whatever the budgets allow."""
    place.resize(2)
    objects = "---".join([WORKLOAD, budget("one"), budget("two")])
    place.kubectl_out("apply", "-f", "-", stdin=objects)
    place.kubectl_out(
        "wait", "--for=condition=Available", "deployment/web", f"--timeout={PATIENCE}s"
    )
    pods = json.loads(place.kubectl_out("get", "pods", "-l", "app=web", "-o", "json"))["items"]
    node = pods[0]["spec"]["nodeName"]
    refused = place.cse("node", "delete", NAME, node, "--yes")
    assert (refused.code, refused.out) == (4, "")
    assert "(more than one disruption budget covers it (one, two))" in refused.err
    assert len(place.workers()) == 2
    forced = place.cse("node", "delete", NAME, node, "--yes", "--force")
    assert forced.code == 0, forced.err
    place.kubectl_out("delete", "-f", "-", stdin=objects)
    assert node not in place.workers()


def test_create_and_info(place: Place) -> None:
    before = set(place.workers())
    made = place.cse("node", "create", NAME, "--cpu", "4")
    assert made.code == 0, made.err
    (new,) = set(place.workers()) - before
    shown = place.run(VCD, "-j", "cse", "node", "info", NAME, new)
    facts = json.loads(shown.out)
    assert (facts["name"], facts["kind"], facts["cpus"]) == (new, "worker", 4)
    assert facts["kubernetes_status"] == "Ready"
    table = place.cse("node", "info", NAME, new).out
    assert [line.split()[0] for line in table.splitlines()[2:]] == [
        "Name", "Kind", "IP", "CPU", "Memory", "VM", "Kubernetes", "Version",
        "Pool",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("cluster", "resize", "nix", "-N", "1"), 3, "Cluster 'nix' was not found in VDC 'vdc1'."),
        (("node", "list", "nix"), 3, "Cluster 'nix' was not found in VDC 'vdc1'."),
        (("cluster", "resize", NAME, "-N", "-1"), 2, "The number of nodes cannot be -1."),
        (("node", "create", NAME, "-N", "0"), 2, "The number of new nodes cannot be 0."),
        (
            ("node", "delete", NAME, "node-none", "other", "-y"),
            3,
            f"Cluster '{NAME}' has no node 'node-none', 'other'.",
        ),
        (("node", "info", NAME, "node-none"), 3, f"Cluster '{NAME}' has no node 'node-none'."),
        (
            ("cluster", "resize", NAME, "-N", "290"),
            4,
            "free addresses in its static pool, and 2",
        ),
        (
            ("cluster", "resize", NAME, "-N", "9", "-n", "net3"),
            1,
            f"Cluster '{NAME}' is on the network 'net1', not on 'net3'.",
        ),
        (("cluster", "resize", NAME, "-N", "9", "-t", "nix"), 3, "nix"),
    ],
)
def test_wrong_words_change_nothing(
    place: Place, control: Control, words: tuple[str, ...], code: int, said: str
) -> None:
    before = control.possessions()
    done = place.cse(*words)
    assert (done.code, done.out) == (code, ""), done.err
    assert said in done.err
    assert "Traceback" not in done.err
    assert control.possessions() == before


def test_more_nodes_than_the_quota_allows(place: Place, control: Control) -> None:
    place.resize(1)
    before = control.possessions()
    control.set("vdcs/vdc1", vm_quota=3)
    try:
        done = place.cse("cluster", "resize", NAME, "-N", "9")
    finally:
        control.set("vdcs/vdc1", vm_quota=0)
    assert (done.code, done.out) == (4, ""), done.err
    assert "VM quota" in done.err
    assert "8 are required" in done.err
    assert control.possessions() == before


def test_a_cluster_of_somebody_elses_making(place: Place, control: Control) -> None:
    control.set("vapps", prefix="foreign", count=1, workers=2)
    name = "foreign-00001"
    before = control.possessions()
    (worker, _other) = (vm for vm in before["vapps"][name]["vms"] if vm.startswith("node-"))
    for words in (
        ("cluster", "resize", name, "-N", "3"),
        ("cluster", "resize", name, "-N", "0"),
        ("node", "delete", name, worker, "--yes"),
    ):
        done = place.cse(*words)
        assert (done.code, done.out) == (3, ""), done.err
        assert f"Error: Cluster '{name}' was not created by this client" in done.err
        # who looked at it left no more than a claim that is free again
        left = control.possessions()["vapps"][name]
        assert left["vms"] == before["vapps"][name]["vms"]
    forced = place.cse("node", "delete", name, worker, "--yes", "--force")
    assert forced.code == 0, forced.err
    assert worker not in control.possessions()["vapps"][name]["vms"]
    gone = place.cse("cluster", "delete", name, "--yes")
    assert gone.code == 0, gone.err


def test_the_control_plane_stays(place: Place) -> None:
    head = next(row["Name"] for row in place.nodes() if row["Kind"] == "control plane")
    done = place.cse("node", "delete", NAME, head, "--yes")
    assert (done.code, done.out) == (4, "")
    assert f"{head} is the control plane of cluster '{NAME}' and cannot be removed." in done.err


def test_stop_and_start(place: Place) -> None:
    assert place.cse("cluster", "stop", NAME, "--yes").code == 0
    info = place.cse("cluster", "info", NAME).out
    assert "the cluster is stopped" in info
    assert {row["VM"] for row in place.nodes()} == {"POWERED_OFF"}
    started = place.cse("cluster", "start", NAME)
    assert (started.code, started.out) == (0, f"Cluster {NAME} is running.\n"), started.err
    assert {row["Kubernetes"] for row in place.nodes()} == {"Ready"}


def test_drift_is_seen_and_repaired(place: Place, control: Control) -> None:
    place.resize(2)
    fine = place.cse("cluster", "repair", NAME)
    assert (fine.code, fine.out) == (0, f"Cluster {NAME} does not need to be repaired.\n")
    first, second = place.workers()
    place.kubectl_out("delete", "node", first)
    off = place.run(VCD, "vm", "power-off", NAME, second)
    assert off.code == 0, off.err
    seen = place.cse("cluster", "info", NAME).out
    assert f"VM {first} is not in the cluster" in seen
    assert f"VM {second} is powered off" in seen
    plan = [
        f"Run the bootstrap of {first} again, which is not in the cluster.",
        f"Start the VM {second}.",
    ]
    before = control.possessions()
    proposed = place.cse("cluster", "repair", NAME)
    assert proposed.out == "".join(f"{n}. {text}\n" for n, text in enumerate(plan, 1))
    assert control.possessions() == before
    done = place.cse("cluster", "repair", NAME, "--yes")
    assert done.code == 0, done.err
    assert done.out.endswith(f"Cluster {NAME} is repaired.\n")
    assert {row["Kubernetes"] for row in place.nodes()} == {"Ready"}
    assert place.cse("cluster", "repair", NAME).out == fine.out


def test_two_administrators_at_once(place: Place, cloud: Cloud, tmp_path: Path) -> None:
    if not cloud.others:
        pytest.skip("needs a simulator")
    log_in(cloud, tmp_path / "other")
    other = Place(tmp_path / "other", {**place.environment, "HOME": str(tmp_path / "other")})
    place.resize(1)
    first = place.start(VCD, "cse", "cluster", "resize", NAME, "--nodes", "3")
    second = other.start(VCD, "cse", "cluster", "resize", NAME, "--nodes", "2")
    ends = [(one.communicate(), one.returncode) for one in (first, second)]
    codes = [code for _said, code in ends]
    workers = len(place.workers())
    assert 0 in codes, ends
    if codes == [0, 0]:  # one after the other: the second found the first finished
        assert workers in (2, 3)
        return
    loser = codes.index(1)
    said = ends[loser][0][1].decode()
    assert f"Cluster '{NAME}' is being changed by" in said
    assert "since" in said
    assert workers == (2 if loser == 0 else 3)


def test_a_resize_and_a_deletion_at_once(place: Place, cloud: Cloud, tmp_path: Path) -> None:
    log_in(cloud, tmp_path / "other")
    other = Place(tmp_path / "other", {**place.environment, "HOME": str(tmp_path / "other")})
    made = place.cse("cluster", "create", "fought", "-n", "net1", "-N", "0")
    assert made.code == 0, made.err
    resize = place.start(VCD, "cse", "cluster", "resize", "fought", "--nodes", "1")
    delete = other.start(VCD, "cse", "cluster", "delete", "fought", "--yes")
    ends = [(one.communicate()[1].decode(), one.returncode) for one in (resize, delete)]
    assert all("Traceback" not in err for err, _code in ends)
    (resized, resize_code), (deleted, delete_code) = ends
    if delete_code:
        assert "Cluster 'fought' is being changed by" in deleted
        assert resize_code == 0, resized
        assert place.cse("cluster", "delete", "fought", "--yes").code == 0
    elif resize_code:
        assert resize_code == NOT_FOUND, resized
        assert re.search(r"Error: Cluster 'fought' was (deleted by another command|not f)", resized)
    assert place.cse("cluster", "info", "fought").code == NOT_FOUND


def test_two_commands_of_one_user(place: Place) -> None:
    place.resize(1)
    first = place.start(VCD, "cse", "cluster", "resize", NAME, "--nodes", "2")
    second = place.start(VCD, "cse", "cluster", "resize", NAME, "--nodes", "2")
    ends = [(one.communicate(), one.returncode) for one in (first, second)]
    assert 0 in [code for _said, code in ends], ends
    for said, code in ends:
        assert code in (0, 1)
        if code:
            assert f"is changing cluster '{NAME}' (process " in said[1].decode()
    assert len(place.workers()) == 2


def test_two_creations_of_one_name(place: Place, cloud: Cloud, tmp_path: Path) -> None:
    log_in(cloud, tmp_path / "other")
    other = Place(tmp_path / "other", {**place.environment, "HOME": str(tmp_path / "other")})
    words = ("cluster", "create", "twice", "-n", "net1", "-N", "1")
    try:
        both = [one.start(VCD, "cse", *words) for one in (place, other)]
        ends = [(one.communicate(), one.returncode) for one in both]
        assert sorted(code for _said, code in ends) == [0, 1], ends
        ((_out, err),) = [said for said, code in ends if code]
        assert b"'twice'" in err
        assert b"Traceback" not in err
        shown = place.run(VCD, "-j", "cse", "cluster", "info", "twice")
        info = json.loads(shown.out)
        assert sorted(node["kind"] for node in info["nodes"]) == ["control plane", "worker"]
        assert {node["kubernetes_status"] for node in info["nodes"]} == {"Ready"}
        assert (info["phase"], info["problems"]) == ("ready", [])
    finally:
        place.cse("cluster", "delete", "twice", "--yes", "--break-lock")
