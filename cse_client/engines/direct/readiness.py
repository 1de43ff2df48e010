"""Waiting until every node of a cluster is Ready, on whatever evidence can be reached.

Three witnesses are asked in one loop and the first to speak wins: the cluster's own Kubernetes
API, what the guests report through VCD (ExtraConfig, visible to some users only), and VCD's
customization and power states. None of them is required; which ones answered is part of the
result.

The first look asks all of them. Each later one asks one: VCD in every fourth, or in every second
as long as the Kubernetes API does not answer, the API otherwise. With a look a second, waiting
costs at most 70 requests a minute in all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cse_client import suggest
from cse_client.clock import Clock, polling
from cse_client.engines.direct.evidence import Limits, Verdict, Witnesses
from cse_client.errors import ClusterUnreachable, GuestFailed, TimedOut
from cse_client.kube.serving import EXPIRED
from cse_client.model import (
    CONTROL_PLANE,
    Event,
    EventKind,
    KubeNode,
    NodeReport,
    Progress,
    Vm,
    node_kind,
)

__all__ = ["CUSTOMIZED", "ReadyWatch", "failure_text"]

_FIRST_PAUSE = 0.4
# In which looks VCD is asked, and in which the nodes' reports are read from the Kubernetes API (two
# requests) instead of the Nodes.
_VCD_EVERY, _VCD_EVERY_IN_SILENCE = 4, 2
_REPORTS_EVERY, _REPORTS_IN = 10, 5
# How many nodes a warning names.
_NAMED = 3
# What a phase's name ends with when the guest counts what is done of it.
_COUNT = re.compile(r" \(\d+ of \d+\)$")

# How the bootstrap's last log line gives its reason (guest/scripts/base.sh, `left`).
_NOT_IN_TEMPLATE = re.compile(r": there is no (keepalived|curl) in this template")
_REASON = re.compile(r"FAILED in phase \S+ \(rc \d+\): (.+)")
#: VCD's word for a VM that has been customized.
CUSTOMIZED = "GC_COMPLETE"
_CUSTOMIZATION_FAILED = "GC_FAILED"
# VMware Tools has not begun with the customization, or has not reported it.
_CUSTOMIZATION_PENDING = "GC_PENDING"
_TOOLS_HINT = (
    "Guest customization is started by VMware Tools: open the VM's console in VCD to see whether it"
    " boots, and check that open-vm-tools is installed and enabled in the template."
)


@dataclass
class _NodeState:
    name: str
    phase: str = "boot"
    shown: str = ""
    since: float = 0.0
    vm: Vm | None = None
    report: NodeReport | None = None
    kube: KubeNode | None = None
    was_on: bool = False
    pending_warned: bool = False

    @property
    def pending(self) -> bool:
        """The VM is on, and its customization has not begun."""
        return (
            self.report is None
            and self.kube is None
            and self.vm is not None
            and self.vm.is_on
            and self.vm.customization == _CUSTOMIZATION_PENDING
        )

    def enter(self, phase: str, now: float) -> None:
        if phase != self.phase:
            self.phase = phase
            self.since = now

    @property
    def ready(self) -> bool:
        return self.kube is not None and self.kube.ready is True

    @property
    def reports_ready(self) -> bool:
        return self.report is not None and self.report.status == "ready"


@dataclass
class ReadyWatch:
    """One wait for the named nodes (VM names, control plane included).

    With `restarted` the nodes had finished their bootstrap before. Their VMs still report that, and
    it says nothing about the time since they were started again.
    """

    names: Sequence[str]
    witnesses: Witnesses
    limits: Limits
    progress: Progress
    clock: Clock
    restarted: bool = False
    _states: dict[str, _NodeState] = field(default_factory=dict)
    _api_reason: str = "not asked yet"
    _api_spoke: bool = False
    _reports_read: bool = False
    _guestinfo_seen: bool = False
    _customized_since: float | None = None
    _last_text: str = ""
    _head_up: bool = False
    _reported: set[str] = field(default_factory=set)

    def wait(self) -> Verdict:
        """Return once all nodes are Ready, or nothing more can be learnt from here.

        Raises GuestFailed when a node reports a failure or stays in a phase too long, TimedOut
        when the overall deadline passes.
        """
        now = self.clock.monotonic()
        self._states = {name: _NodeState(name, since=now) for name in self.names}
        for number, pause in enumerate(polling(self.clock, _FIRST_PAUSE)):
            self._look(number)
            now = self.clock.monotonic()
            self._judge()
            self._report_phases()
            verdict = self._verdict(now)
            if verdict is not None:
                return verdict
            self._check_deadlines(now)
            self._warn_pending(now)
            self._report_progress()
            self.clock.sleep(pause)
        raise AssertionError("unreachable")

    def _look(self, number: int) -> None:
        """Ask one of the witnesses, or all of them for the first time."""
        first = number == 0
        every = _VCD_EVERY if self._api_spoke else _VCD_EVERY_IN_SILENCE
        reports = number % _REPORTS_EVERY == _REPORTS_IN or not self._reports_read
        if first:
            self._ask_cluster(self._read_nodes)
        if number % every == 0:
            self._ask_vcd(self.clock.monotonic())
            if not self._api_spoke and all(state.reports_ready for state in self._all()):
                # it may have come up since it was asked last
                self._ask_cluster(self._read_nodes)
        elif self._api_spoke and reports:
            self._ask_cluster(self._read_reports)
        else:
            self._ask_cluster(self._read_nodes)

    def _ask_cluster(self, read: Callable[[], None]) -> None:
        try:
            read()
        except ClusterUnreachable as silence:
            if silence.reason == EXPIRED:
                # nothing that is waited for here renews a certificate
                raise
            self._api_reason = str(getattr(silence, "reason", "") or silence.message)
        else:
            self._api_spoke = True

    def _read_nodes(self) -> None:
        for node in self.witnesses.kube_nodes():
            if node.name in self._states:
                self._states[node.name].kube = node

    def _read_reports(self) -> None:
        reports = self.witnesses.kube_reports()
        self._reports_read = True
        self._take(reports)
        self._notice_vanished(reports)

    def _notice_vanished(self, reports: Mapping[str, NodeReport]) -> None:
        """Warn when a report that was in the cluster has been removed from it."""
        for name in sorted(self._reported - reports.keys()):
            state = self._states[name]
            if not state.ready:
                text = f"{name}: the report of its bootstrap has vanished from the cluster"
                self.progress(Event(EventKind.WARNING, f"{text} (last phase: {state.phase})."))
        self._reported = {name for name in reports if name in self._states}

    def _take(self, reports: Mapping[str, NodeReport]) -> None:
        now = self.clock.monotonic()
        for name, report in reports.items():
            state = self._states.get(name)
            if state is not None and not (self.restarted and report.status == "ready"):
                state.report = report
                state.enter(report.phase or report.status, now)

    def _ask_vcd(self, now: float) -> None:
        vapp = self.witnesses.vapp()
        present = {vm.name: vm for vm in vapp.vms}
        for name, state in self._states.items():
            vm = present.get(name)
            if vm is None:
                raise GuestFailed(
                    f"The VM of node '{name}' has disappeared from the vApp.",
                    node=name,
                    phase=state.phase,
                )
            state.vm = vm
            state.was_on = state.was_on or vm.is_on
            if vm.guestinfo is not None:
                self._guestinfo_seen = True
                report = self.witnesses.guest_report(name, vm.guestinfo)
                if report is not None:
                    self._take({name: report})
            if state.report is None and vm.customization:
                state.enter(f"customization ({vm.customization})", now)
        if all(s.vm is not None and s.vm.customization == CUSTOMIZED for s in self._all()):
            self._customized_since = self._customized_since or now

    def _all(self) -> list[_NodeState]:
        return list(self._states.values())

    def _judge(self) -> None:
        for state in self._all():
            if state.report is not None and state.report.status == "failed" and not state.ready:
                self._fail(state, failure_text(state.report), failure_hint(state.report))
            vm = state.vm
            if vm is None:
                continue
            if vm.customization == _CUSTOMIZATION_FAILED and not state.ready:
                self._fail(
                    state,
                    f"Node '{state.name}' failed: VCD reports that guest customization failed"
                    " before the bootstrap could start.",
                    hint="The template must run VMware Tools and allow custom scripts"
                    " (vmware-toolbox-cmd config set deployPkg enable-custom-scripts true).",
                )
            if state.was_on and vm.is_off:
                self._fail(state, f"The VM of node '{state.name}' was powered off.")

    def _fail(self, state: _NodeState, text: str, hint: str = "") -> None:
        report = state.report
        raise GuestFailed(
            text,
            node=state.name,
            phase=report.phase if report is not None else state.phase,
            log=report.log if report is not None else (),
            hint=hint,
        )

    def _verdict(self, now: float) -> Verdict | None:
        states = self._all()
        if all(state.ready for state in states):
            return self._make(verified=True, by_api=True)
        if self._api_spoke:
            return None
        if states and all(state.reports_ready for state in states):
            self._warn_unreachable("the VMs report a finished bootstrap themselves")
            return self._make(verified=True, by_api=False)
        silent_for = now - self._customized_since if self._customized_since is not None else 0.0
        silent = self.restarted or not self._guestinfo_seen
        hopeless = silent and _is_no_route(self._api_reason)
        if hopeless and self._customized_since is not None and silent_for > self.limits.grace:
            self._warn_unreachable(
                "VCD reports that every VM was customized; whether Kubernetes came up could not"
                " be verified"
            )
            return self._make(verified=False, by_api=False)
        return None

    def _warn_unreachable(self, instead: str) -> None:
        text = f"The cluster's API cannot be reached from here ({self._api_reason}); {instead}."
        self.progress(Event(EventKind.WARNING, text))

    def _make(self, *, verified: bool, by_api: bool) -> Verdict:
        nodes = tuple(state.kube for state in self._all() if state.kube is not None)
        return Verdict(nodes, self.sources(), verified=verified, by_api=by_api)

    def sources(self) -> tuple[str, ...]:
        """Return which sources answered, one sentence each."""
        api = "answered" if self._api_spoke else f"did not answer ({self._api_reason})"
        if self._guestinfo_seen:
            guests = "were visible"
        else:
            guests = "were not visible to this user (right 'vApp: Allow All Extra Config')"
        customized = sum(
            1 for s in self._all() if s.vm is not None and s.vm.customization == CUSTOMIZED
        )
        return (
            f"Kubernetes API: {api}",
            f"Guest reports: {guests}",
            f"VCD customization: complete on {customized} of {len(self._states)} VMs",
        )

    def _check_deadlines(self, now: float) -> None:
        if now >= self.limits.overall:
            late = ", ".join(f"{s.name} ({s.phase})" for s in self._all() if not s.ready)
            raise TimedOut(
                f"Not all nodes became Ready in time: {late}.",
                hint="; ".join(self.sources()) + ".",
            )
        for state in self._accountable(now):
            waited = now - state.since
            if waited > self._limit(state):
                hint = _TOOLS_HINT if state.pending else ""
                self._fail(state, self._stuck_text(state, waited), hint=hint)

    def _warn_pending(self, now: float) -> None:
        """Warn once of each node whose guest is silent for half of what a boot may take."""
        late = [
            state
            for state in self._all()
            if state.pending
            and not state.pending_warned
            and now - state.since > self.limits.boot / 2
        ]
        if not late:
            return
        for state in late:
            state.pending_warned = True
        names = ", ".join(state.name for state in late[:_NAMED])
        more = f" and {len(late) - _NAMED} more" if len(late) > _NAMED else ""
        text = (
            f"Guest customization of {names}{more} has not started after"
            f" {now - late[0].since:.0f} s. {_TOOLS_HINT}"
        )
        self.progress(Event(EventKind.WARNING, text))

    def _accountable(self, now: float) -> list[_NodeState]:
        """Return the nodes with a running time limit: workers wait for the control plane first."""
        heads = [s for s in self._all() if node_kind(s.name) == CONTROL_PLANE]
        if not self._head_up and (self._api_spoke or all(s.reports_ready for s in heads)):
            self._head_up = True
            for state in self._all():
                state.since = now
        late = self._all() if self._head_up else heads
        return [s for s in late if not s.ready and not (s.reports_ready and not self._api_spoke)]

    def _limit(self, state: _NodeState) -> float:
        customized = state.vm is not None and state.vm.customization == CUSTOMIZED
        # A customized guest whose reports cannot be seen may be working all the same.
        working = state.report is not None or state.kube is not None or customized
        return self.limits.phase if working else self.limits.boot

    def _stuck_text(self, state: _NodeState, waited: float) -> str:
        seen = f"phase '{state.phase}'"
        kube = state.kube
        if kube is not None:
            why = ": ".join(part for part in (kube.reason, kube.message.rstrip(".")) if part)
            seen += f", registered in Kubernetes but not Ready{f' ({why})' if why else ''}"
        return f"Node '{state.name}' made no progress for {waited:.0f} s; last seen: {seen}."

    def _report_phases(self) -> None:
        for state in self._all():
            phase = "ready" if state.ready else state.phase
            if phase != state.shown:
                state.shown = phase
                text = f"{state.name}: {phase}"
                self.progress(Event(EventKind.PHASE, text, node=state.name, phase=phase))

    def _report_progress(self) -> None:
        waiting = [state for state in self._all() if not state.ready]
        text = f"{len(self._states) - len(waiting)} of {len(self._states)} nodes Ready"
        if len(waiting) == 1:
            text += f" ({waiting[0].name}: {waiting[0].phase})"
        elif waiting:
            phases = Counter(_COUNT.sub("", state.phase) for state in waiting)
            text += f" ({', '.join(f'{phase}: {count}' for phase, count in phases.items())})"
        if text != self._last_text:
            self._last_text = text
            self.progress(Event(EventKind.RUNNING, text))


def failure_text(report: NodeReport) -> str:
    """Return a sentence that says where a node failed, and the reason in its last log line."""
    code = f" (exit code {report.exit_code})" if report.exit_code is not None else ""
    why = _REASON.search(report.log[-1]) if report.log else None
    end = f": {why.group(1).rstrip('.')}." if why is not None else "."
    return f"Node '{report.node}' failed in phase '{report.phase or 'unknown'}'{code}{end}"


def failure_hint(report: NodeReport) -> str:
    """Return what to do about a template that lacks what holds the virtual address, else ""."""
    if not report.log or not _NOT_IN_TEMPLATE.search(report.log[-1]):
        return ""
    register = suggest.cse("template register", help=True)
    return (
        "Use a template that contains it. If this one is registered with --keepalived, register it"
        f" again without: {register}"
    )


def _is_no_route(reason: str) -> bool:
    """Return whether silence means "no route from here" rather than "not up yet"."""
    lowered = reason.lower()
    return "refused" not in lowered
