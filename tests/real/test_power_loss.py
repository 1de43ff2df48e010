"""Power losses at every phase of a bootstrap, one after the other, of both kinds of node."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.real.site import Site, eventually
from tests.support.programs import ROOT, Result
from tests.support.waiting import until

NAME = "fragile"
#: Until a moment comes; one late in a worker's join comes after all of the control plane's.
SECONDS = 420


@dataclass(frozen=True)
class Moment:
    """When power fails: as the script calls a program, or once its log shows a line.

    Both are regular expressions. The first phase of all is a call, because nothing can look into
    a machine that has not started. `late` is how many seconds the container runtime needs at the
    boot that follows.
    """

    call: str = ""
    line: str = ""
    late: int = 0


def phase(name: str) -> Moment:
    """The script reports each phase as it begins."""
    return Moment(call=rf"guestinfo\.cse\.phase {name}\b")


FIRST = phase("host")
LAST = (
    Moment(call=r"cse-scrub\.service"),  # its work is done, and nothing reported
    Moment(call=r"guestinfo\.cse\.status ready"),
    Moment(call=r"systemctl disable cse-bootstrap"),  # reported, and its unit still enabled
)
INSIDE_INIT = (
    Moment(line=r"\[certs\] .*etcd/peer"),
    Moment(line=r"\[kubeconfig\] .*kubelet.conf"),
    Moment(line=r"\[etcd\] Creating static Pod manifest"),
    Moment(line=r'\[control-plane\] Creating static Pod manifest for "kube-scheduler"'),
    Moment(line=r"\[control-plane-check\] Checking kube-apiserver", late=15),
    Moment(line=r"\[upload-config\] Storing"),
    Moment(line=r"\[bootstrap-token\] Creating"),
    Moment(line=r"\[addons\] Applied essential addon: CoreDNS"),
)
#: What comes after a loss late in a join is not kubeadm's second try: the kubelet ends it alone. So
#: one worker loses power early in it, and another one late.
EARLY_IN_JOIN = (Moment(line=r"\[preflight\] Reading configuration"),)
LATE_IN_JOIN = Moment(line=r"\[kubelet-start\] Waiting for the kubelet to perform", late=15)


def phases(kind: str, inside: tuple[Moment, ...]) -> tuple[Moment, ...]:
    """All moments of a script: its phases in their order, `inside` what kubeadm does in one."""
    script = ROOT / "cse_client" / "guest" / "scripts" / f"{kind}.sh"
    names = re.findall(r"^step (\w+)$", script.read_text(encoding="utf-8"), re.M)
    moments: list[Moment] = []
    for name in names:
        moments += [phase(name), *(inside if name in ("init", "join") else ())]
    assert moments[0] == FIRST
    return (*moments, *LAST)


CONTROL_PLANE = phases("control-plane", INSIDE_INIT)
WORKERS = (phases("worker", EARLY_IN_JOIN), (FIRST, LATE_IN_JOIN, *LAST))

REPORTS = r"{range .items[*]}{.metadata.name}={.metadata.annotations.cse-client/status} {end}"


@dataclass
class Machine:
    """One VM and the power losses that it still has before it."""

    site: Site
    name: str
    moments: list[Moment]
    losses: list[Moment] = field(default_factory=list)
    _seen: int = 0

    def lose_power_each_time(self) -> None:
        """Lose power at each of its moments, and start again."""
        while self.moments:
            until(self.lost, f"{self.name}: {self.moments[0]} did not come", SECONDS)
            # what VCD reports follows the power by a moment
            eventually(self._power_on, f"{self.name} is on again")

    def _power_on(self) -> bool:
        return self.site.vcd("vm", "power-on", NAME, self.name).code == 0

    def lost(self) -> bool:
        """Return whether its next moment came, and prepare the one after it."""
        if not self.moments or not self._came(self.moments[0]):
            return False
        self.losses.append(self.moments.pop(0))
        self._seen = len(self._log())
        self._delay_runtime(self.losses[-1].late)
        if self.moments and self.moments[0].call:
            self.site.control.set(f"guests/{self.name}", faults={"kill_at": self.moments[0].call})
        return True

    def _came(self, moment: Moment) -> bool:
        if moment.call:
            return not self.site.control.get(f"guests/{self.name}")["running"]
        if not re.search(moment.line, self._log()[self._seen :]):
            return False
        self.site.control.set(f"guests/{self.name}", crash=True)
        return True

    def _delay_runtime(self, seconds: int) -> None:
        unit = self.site.disks()[self.name] / "etc/systemd/system/containerd.service.d/late.conf"
        unit.parent.mkdir(exist_ok=True)
        start = f"/usr/bin/bash -c 'sleep {seconds}; exec /usr/bin/containerd'"
        unit.write_text(f"[Service]\nExecStart=\nExecStart={start}\n", encoding="utf-8")

    def _log(self) -> str:
        return self.site.bootstrap_logs().get(self.name, "")


@pytest.fixture(scope="module")
def machines(site: Site) -> Iterator[list[Machine]]:
    """A cluster that is being created, both of its VMs about to lose power."""
    site.control.set("guests", faults={"kill_at": FIRST.call}, times=1 + len(WORKERS))
    create(site, "--no-wait").checked()
    control_plane, *workers = sorted(site.control.possessions()["vapps"][NAME]["vms"])
    lists = zip((control_plane, *workers), (CONTROL_PLANE, *WORKERS))
    yield [Machine(site, name, list(moments)) for name, moments in lists]
    site.vcd("cse", "cluster", "delete", NAME, "--yes").checked()


def create(site: Site, *options: str) -> Result:
    """Create the cluster, or resume it."""
    words = ("cse", "cluster", "create", NAME, "-n", "net1", "-N", str(len(WORKERS)))
    return site.vcd("-j", *options, *words, "-t", site.kit.template)


def test_a_cluster_whose_machines_lose_power_at_every_phase(
    site: Site, machines: list[Machine]
) -> None:
    # Each has somebody of its own who looks on: a line of the log is soon followed by the next.
    with ThreadPoolExecutor(len(machines)) as pool:
        for watched in [pool.submit(machine.lose_power_each_time) for machine in machines]:
            watched.result()
    made = create(site)
    assert made.code == 0, made.err
    assert {node["kubernetes_status"] for node in json.loads(made.out)["nodes"]} == {"Ready"}
    for machine in machines:
        log = site.bootstrap_logs()[machine.name]
        assert "FAILED" not in log, machine.name
        assert "kubeadm reset" not in log, machine.name
    kubeconfig = site.kubeconfig.with_name(NAME)
    kubeconfig.touch(0o600)
    kubeconfig.write_text(site.vcd("cse", "cluster", "config", NAME).checked(), encoding="utf-8")
    ask = ("--kubeconfig", str(kubeconfig), "get")
    secrets = site.kubectl(*ask, "secrets", "-n", "kube-system", "-o", "name").checked()
    assert "bootstrap-token" not in secrets
    reports = (*ask, "leases", "-n", "kube-node-lease", "-o", f"jsonpath={REPORTS}")
    wanted = {f"{machine.name}=ready" for machine in machines}
    eventually(lambda: set(site.kubectl(*reports).out.split()) == wanted, "all have reported")
