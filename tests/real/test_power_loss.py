"""Power losses at every phase of a bootstrap, one after the other, of both kinds of node."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import pytest

from tests.real.site import Site, eventually
from tests.support.programs import Result
from tests.support.waiting import until

NAME = "fragile"
#: Of one boot until its moment comes; the last ones include a whole start of the control plane.
SECONDS = 240


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
CONTROL_PLANE = (
    FIRST,
    *map(phase, ("runtime", "images", "pki", "init")),
    Moment(line=r"\[certs\] .*etcd/peer"),
    Moment(line=r"\[kubeconfig\] .*kubelet.conf"),
    Moment(line=r"\[etcd\] Creating static Pod manifest"),
    Moment(line=r'\[control-plane\] Creating static Pod manifest for "kube-scheduler"'),
    Moment(line=r"\[control-plane-check\] Checking kube-apiserver", late=15),
    Moment(line=r"\[upload-config\] Storing"),
    Moment(line=r"\[bootstrap-token\] Creating"),
    Moment(line=r"\[addons\] Applied essential addon: CoreDNS"),
    *map(phase, ("rbac", "network")),
    *LAST,
)
#: What comes after a loss late in a join is not kubeadm's second try: the kubelet ends it alone.
WORKERS = (
    (
        FIRST,
        *map(phase, ("runtime", "images", "wait", "join")),
        Moment(line=r"\[preflight\] Reading configuration"),
        Moment(line=r"\[kubelet-start\] Writing kubelet environment"),
        *LAST,
    ),
    (
        FIRST,
        Moment(line=r"\[kubelet-start\] Waiting for the kubelet to perform", late=15),
        *LAST,
    ),
)


REPORTS = r"{range .items[*]}{.metadata.name}={.metadata.annotations.cse-client/status} {end}"


@dataclass
class Machine:
    """One VM and the power losses that it still has before it."""

    site: Site
    name: str
    moments: list[Moment]
    losses: list[Moment] = field(default_factory=list)
    _seen: int = 0

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


def power_on(site: Site, machine: str) -> bool:
    return site.vcd("vm", "power-on", NAME, machine).code == 0


def test_a_cluster_whose_machines_lose_power_at_every_phase(
    site: Site, machines: list[Machine]
) -> None:
    while any(machine.moments for machine in machines):
        pending = [(machine.name, machine.moments[:1]) for machine in machines]
        lost = until(
            lambda: [machine for machine in machines if machine.lost()],
            f"none of {pending}",
            SECONDS,
        )
        for machine in lost:
            # what VCD reports follows the power by a moment
            eventually(partial(power_on, site, machine.name), f"{machine.name} is on again")
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
