"""Waiting for Ready nodes: which witness decides, and what ends the wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from cse_client.engines.direct.evidence import Limits, Verdict, Witnesses
from cse_client.engines.direct.readiness import ReadyWatch
from cse_client.errors import ClusterUnreachable, GuestFailed, TimedOut
from cse_client.model import Event, EventKind, KubeNode, NodeReport, VApp, Vm

HEAD = "mstr-aaaa"
WORKER = "node-bbbb"


@dataclass
class Scene:
    """What the three witnesses say at a given second. Time passes only by sleeping."""

    now: float = 1000.0
    api_up_at: float | None = None
    api_silence: str = "connection refused"
    ready_at: Mapping[str, float] = field(default_factory=dict)
    guestinfo_visible: bool = True
    reports: Mapping[str, Sequence[tuple[float, NodeReport]]] = field(default_factory=dict)
    customization: Mapping[str, Sequence[tuple[float, str]]] = field(default_factory=dict)
    power: Mapping[str, Sequence[tuple[float, str]]] = field(default_factory=dict)
    names: Sequence[str] = (HEAD, WORKER)
    gone: Sequence[str] = ()
    events: list[Event] = field(default_factory=list)
    #: While the worker's report is in the cluster.
    reported: tuple[float, float] = (0.0, 0.0)
    #: When a request was sent; reading the reports takes two.
    requests: list[float] = field(default_factory=list)
    vapp_seen: bool = False

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def age(self) -> float:
        return self.now - 1000.0

    def kube_nodes(self) -> list[KubeNode]:
        self.requests.append(self.now)
        if self.api_up_at is None or self.age() < self.api_up_at:
            silence = ClusterUnreachable("no answer")
            silence.reason = self.api_silence
            raise silence
        return [
            KubeNode(name, ready=name in self.ready_at and self.age() >= self.ready_at[name])
            for name in self.names
        ]

    def kube_reports(self) -> dict[str, NodeReport]:
        self.requests += [self.now] * 2
        begin, end = self.reported
        told = report(WORKER, "running", "join")
        return {WORKER: told} if begin <= self.age() < end else {}

    def vapp(self) -> VApp:
        # the first look takes two, see `waiting.VAppView`
        self.requests += [self.now] * (1 if self.vapp_seen else 2)
        self.vapp_seen = True
        vms = tuple(
            Vm(
                name=name,
                href=f"h/{name}",
                status=self._latest(self.power.get(name, [(0.0, "POWERED_ON")])) or "POWERED_ON",
                customization=self._latest(self.customization.get(name, [])) or "GC_PENDING",
                guestinfo={"node": name} if self.guestinfo_visible else None,
            )
            for name in self.names
            if name not in self.gone
        )
        return VApp("demo", "h", "id", "POWERED_ON", deployed=True, vms=vms)

    def guest_report(self, name: str, _info: Mapping[str, str]) -> NodeReport | None:
        found = [r for at, r in self.reports.get(name, []) if at <= self.age()]
        return found[-1] if found else None

    def _latest(self, story: Sequence[tuple[float, str]]) -> str:
        told = [text for at, text in story if at <= self.age()]
        return told[-1] if told else ""

    def wait(self, timeout: float = 3600.0, *, restarted: bool = False) -> Verdict:
        watch = ReadyWatch(
            names=self.names,
            witnesses=Witnesses(self.kube_nodes, self.kube_reports, self.vapp, self.guest_report),
            limits=Limits.within(self.now, timeout),
            progress=self.events.append,
            clock=self,
            restarted=restarted,
        )
        return watch.wait()


def report(node: str, status: str, phase: str = "", log: Sequence[str] = ()) -> NodeReport:
    code = 1 if status == "failed" else None
    return NodeReport(node, status, phase, exit_code=code, log=tuple(log))


def test_the_kubernetes_api_decides() -> None:
    scene = Scene(api_up_at=30, ready_at={HEAD: 40, WORKER: 60})
    verdict = scene.wait()
    assert verdict.by_api and verdict.verified
    assert 60 <= scene.age() < 70
    assert verdict.sources[0] == "Kubernetes API: answered"


def test_a_failed_node_ends_the_wait_at_once_with_phase_and_log() -> None:
    last = "2026-11-23T08:12:05Z FAILED in phase images (rc 1): cannot reach registry.example"
    scene = Scene(reports={WORKER: [(20, report(WORKER, "failed", "images", ["pulling", last]))]})
    with pytest.raises(GuestFailed) as caught:
        scene.wait()
    assert scene.age() < 30
    assert caught.value.message == (
        "Node 'node-bbbb' failed in phase 'images' (exit code 1): cannot reach registry.example."
    )
    assert caught.value.log == ("pulling", last)


def test_unreachable_network_lets_the_guests_speak() -> None:
    done = {name: [(50.0, report(name, "ready", "done"))] for name in (HEAD, WORKER)}
    scene = Scene(api_silence="timed out", reports=done)
    verdict = scene.wait()
    assert verdict.verified and not verdict.by_api
    warnings = [e.text for e in scene.events if e.kind is EventKind.WARNING]
    assert warnings == [
        "The cluster's API cannot be reached from here (timed out); the VMs report a finished"
        " bootstrap themselves."
    ]


@pytest.mark.parametrize("second", range(50, 56))
def test_guests_do_not_speak_for_a_cluster_that_has_just_come_up(second: int) -> None:
    done = {name: [(second, report(name, "ready", "done"))] for name in (HEAD, WORKER)}
    scene = Scene(api_up_at=second, ready_at={HEAD: second, WORKER: second}, reports=done)
    assert scene.wait().by_api
    assert [e.text for e in scene.events if e.kind is EventKind.WARNING] == []


def test_no_witness_at_all_is_said_honestly() -> None:
    customized = {name: [(30.0, "GC_COMPLETE")] for name in (HEAD, WORKER)}
    scene = Scene(api_silence="timed out", guestinfo_visible=False, customization=customized)
    verdict = scene.wait()
    assert not verdict.verified
    assert "not visible" in verdict.sources[1]
    assert 90 <= scene.age() < 110


def test_a_refused_connection_means_not_yet() -> None:
    """The host answers, so there is a way: waiting goes on until the phase deadline."""
    customized = {name: [(30.0, "GC_COMPLETE")] for name in (HEAD, WORKER)}
    scene = Scene(guestinfo_visible=False, customization=customized)
    with pytest.raises(GuestFailed, match="'mstr-aaaa' made no progress"):
        scene.wait()
    assert scene.age() >= 600


def finished_long_ago(**scene: Any) -> Scene:
    """Return a cluster whose VMs have been started again: their old reports remain."""
    return Scene(
        reports={name: [(0, report(name, "ready"))] for name in (HEAD, WORKER)},
        customization={name: [(0, "GC_COMPLETE")] for name in (HEAD, WORKER)},
        **scene,
    )


def test_a_report_from_before_a_restart_is_not_believed() -> None:
    scene = finished_long_ago(api_up_at=20, ready_at={HEAD: 25, WORKER: 40})
    assert scene.wait(restarted=True).by_api
    assert scene.age() >= 40
    assert not any(event.kind is EventKind.WARNING for event in scene.events)


def test_a_restart_that_nobody_can_see_is_not_verified() -> None:
    scene = finished_long_ago(api_silence="connect timeout")
    assert not scene.wait(restarted=True).verified
    assert 0 < scene.age() < 600


def test_a_guest_that_never_boots_ends_within_the_boot_limit() -> None:
    scene = Scene()
    with pytest.raises(GuestFailed, match="made no progress for 30") as caught:
        scene.wait()
    assert caught.value.node == HEAD
    assert 300 <= scene.age() < 320


def test_a_customization_that_does_not_start_names_vmware_tools_once() -> None:
    scene = Scene()
    with pytest.raises(GuestFailed) as caught:
        scene.wait()
    assert "open-vm-tools" in caught.value.hint
    warnings = [e.text for e in scene.events if e.kind is EventKind.WARNING]
    (warning,) = warnings
    assert warning.startswith(f"Guest customization of {HEAD}, {WORKER} has not started after 15")
    assert "VMware Tools" in warning


def test_a_customization_that_starts_in_time_is_not_warned_of() -> None:
    customized = {name: [(95.0, "GC_COMPLETE")] for name in (HEAD, WORKER)}
    scene = Scene(customization=customized, api_up_at=200, ready_at={HEAD: 210, WORKER: 220})
    assert scene.wait().verified
    assert [e.text for e in scene.events if e.kind is EventKind.WARNING] == []


def test_the_clock_of_workers_starts_when_the_control_plane_is_up() -> None:
    late = {HEAD: [(10.0, report(HEAD, "running", "init"))]}
    scene = Scene(api_up_at=550, ready_at={HEAD: 560, WORKER: 800}, reports=late)
    assert scene.wait().verified


def test_a_worker_that_never_joins_fails_within_its_limit() -> None:
    scene = Scene(names=(HEAD, WORKER), api_up_at=50, ready_at={HEAD: 60})
    with pytest.raises(GuestFailed, match="not Ready") as caught:
        scene.wait()
    assert caught.value.node == WORKER
    assert scene.age() < 700


def test_failed_customization_is_named() -> None:
    scene = Scene(customization={WORKER: [(5.0, "GC_FAILED")]})
    with pytest.raises(GuestFailed, match="guest customization failed") as caught:
        scene.wait()
    assert "enable-custom-scripts" in caught.value.hint


def test_a_vm_switched_off_under_us_is_named() -> None:
    scene = Scene(power={WORKER: [(0.0, "POWERED_ON"), (30.0, "POWERED_OFF")]})
    with pytest.raises(GuestFailed, match="'node-bbbb' was powered off"):
        scene.wait()


def test_a_vm_deleted_under_us_is_named() -> None:
    with pytest.raises(GuestFailed, match="disappeared"):
        Scene(gone=(WORKER,)).wait()


def test_the_overall_deadline_can_be_resumed() -> None:
    steady = {
        name: [(float(t), report(name, "running", f"phase {t}")) for t in range(0, 2000, 20)]
        for name in (HEAD, WORKER)
    }
    with pytest.raises(TimedOut, match="mstr-aaaa") as caught:
        Scene(reports=steady).wait(timeout=900)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("api_up_at", [None, 0.0, 90.0])
def test_a_minute_of_waiting_costs_seventy_requests(api_up_at: float | None) -> None:
    steady = {
        name: [(float(t), report(name, "running", f"phase {t}")) for t in range(0, 900, 20)]
        for name in (HEAD, WORKER)
    }
    scene = Scene(reports=steady, api_up_at=api_up_at)
    with pytest.raises(TimedOut):
        scene.wait(timeout=800)
    asked = scene.requests
    assert len(asked) > 500
    assert max(sum(begin <= one < begin + 60 for one in asked) for begin in asked) <= 70


def test_many_nodes_are_counted_by_phase() -> None:
    names = (HEAD, *(f"node-{i:04}" for i in range(20)))
    reports = {HEAD: [(0.0, report(HEAD, "running", "init"))]}
    for number, name in enumerate(names[1:]):
        pulling = report(name, "running", f"images ({number % 2 + 1} of 2)")
        reports[name] = [(0.0, pulling), (20.0, report(name, "running", "wait"))]
    scene = Scene(
        names=names,
        reports=reports,
        api_up_at=40,
        ready_at={HEAD: 45, **{name: 60.0 + i for i, name in enumerate(names[1:])}},
    )
    scene.wait()
    shown = [event.text for event in scene.events if event.kind is EventKind.RUNNING]
    assert shown[0] == "0 of 21 nodes Ready (init: 1, images: 20)"
    assert "0 of 21 nodes Ready (init: 1, wait: 20)" in shown
    assert shown[-1] == "20 of 21 nodes Ready (node-0019: wait)"


def test_a_report_that_vanishes_is_told_once() -> None:
    scene = Scene(api_up_at=10, ready_at={HEAD: 20, WORKER: 120}, reported=(30.0, 60.0))
    scene.wait()
    warned = [event.text for event in scene.events if event.kind is EventKind.WARNING]
    assert warned == [
        "node-bbbb: the report of its bootstrap has vanished from the cluster (last phase: join)."
    ]
    quiet = Scene(api_up_at=10, ready_at={HEAD: 20, WORKER: 120}, reported=(30.0, 999.0))
    quiet.wait()
    assert [event for event in quiet.events if event.kind is EventKind.WARNING] == []
