"""The way to the new version: a task in the VM's script, a forced customization, and a wait."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.engines.direct.in_place_record import BEGUN, FINAL, UpgradeRecord
from cse_client.engines.direct.operations.in_place.control_plane import (
    LOOK_AGAIN,
    OnlyControlPlane,
)
from cse_client.engines.direct.readiness import failure_text
from cse_client.errors import CseError, GuestFailed, Refused, TimedOut
from cse_client.guest import later
from cse_client.guest.script_format import MAX_SCRIPT_BYTES
from cse_client.guest.stored_scripts import is_ours
from cse_client.model import Event, EventKind, Vm
from cse_client.model.templates import DEFAULT_SOURCE

if TYPE_CHECKING:
    from cse_client.model import NodeReport

__all__ = ["InPlaceTarget", "WayForward", "script_with_upgrade"]

#: Seconds for an upgrade: packages, images, and 5 minutes at most for each of four components
#: (kubeadm's UpgradeManifests).
_LONGEST_UPGRADE = 2400.0
#: Seconds after which a node that serves in the old version, and has not reported the task, was
#: started without it. A forced customization is over by then, and the task's first act is a report.
_LONGEST_SILENCE = 180.0
#: Seconds of the command's time that are left when the wait for the new version ends.
_LEAST_REST = 5.0
#: How often a VM that went off by itself is started again.
_MOST_STARTS = 3


@dataclass(frozen=True)
class InPlaceTarget:
    """What is wanted: `version` X.Y.Z, and whether to insist on a way back.

    `package_source` is where the packages are, as in `model.templates.BuildSpec`; empty if none was
    requested.
    """

    version: str
    package_source: str
    rollback: bool = True

    @property
    def source(self) -> str:
        """Where the packages are; what an earlier run recorded is only compared with it."""
        return self.package_source or DEFAULT_SOURCE


def script_with_upgrade(script: str, vm: Vm, task: str, target: InPlaceTarget) -> str:
    """Return the customization script of `vm` with a task that upgrades it.

    Raises:
        Refused: the script is not this client's, or would be too long.
    """
    upgrade = later.Upgrade(task, vm.name, target.version, target.source)
    text = later.with_upgrade(script, upgrade)
    if text is not None:
        return text
    why = "is not this client's"
    if is_ours(script):
        why = f"would be longer than the {MAX_SCRIPT_BYTES} bytes that are safe in VCD"
    raise Refused(
        f"The customization script of {vm.name} {why}, so it cannot be upgraded from here.",
        hint=f"Upgrade it by hand with `kubeadm upgrade apply v{target.version}`.",
    )


#: What a node does in the phases of guest/scripts/upgrade.sh.
_PHASES = {
    "source": "Add the package repository of Kubernetes {version}",
    "download": "Download the packages of Kubernetes {version}",
    "kubeadm": "Install kubeadm {version}",
    "apply": "Run kubeadm upgrade apply v{version}",
    "kubelet": "Upgrade and restart the kubelet",
    "done": "Check the control plane with Kubernetes {version}",
}


class WayForward:
    """Brings the control plane to the new version, from wherever an earlier run has ended.

    A record that says that the new version is proven counts only where that version serves.
    `proven` is whether the new version was seen to serve: there is no going back from there.
    """

    def __init__(self, control_plane: OnlyControlPlane, target: InPlaceTarget) -> None:
        self._control_plane = control_plane
        self._target = target
        self.proven = False

    def go(self, record: UpgradeRecord) -> None:
        """Upgrade the node, prove the new version and clean up.

        Raises:
            GuestFailed: the node reports that it failed, or has not come back in time.
            TimedOut: it cannot be known yet how it ends.
        """
        self.proven = self._control_plane.is_final(record)
        if not self.proven:
            if record.phase == FINAL:
                self._refuse_unseen(record)
            record = self._upgrade(replace(record, phase=BEGUN))
            self.proven = True
            record = replace(record, phase=FINAL)
            self._control_plane.write(record)
        self._control_plane.tidy(record)

    def _refuse_unseen(self, record: UpgradeRecord) -> None:
        """Refuse to stop a node that is said to have the new version only because it is not seen.

        Raises:
            TimedOut: its API cannot be reached, although it runs and has no task to wait for.
        """
        control_plane = self._control_plane
        vcd, vm = control_plane.vcd, control_plane.vm()
        waits = later.task_of(vcd.customization_script(vm.href)) == record.task
        if waits or not vcd.vm(vm.href).is_on or not control_plane.is_out_of_reach():
            return
        raise TimedOut(
            f"The upgrade of {record.node} to Kubernetes {record.version} is recorded as done, but"
            " its API cannot be reached from here:"
            f" {control_plane.problem(record, record.version)}.",
            hint=suggest.RESUME,
        )

    def _upgrade(self, record: UpgradeRecord) -> UpgradeRecord:
        """Bring the node to the new version; return the record as it is then."""
        control_plane = self._control_plane
        vcd, vm = control_plane.vcd, control_plane.vm()
        if control_plane.has_failed(record) and not control_plane.serves(record, record.version):
            # a task runs once: with a new one, and with the packages that are requested now
            record = replace(record, task=later.new_upgrade(), source=self._target.source)
            control_plane.write(record)
        script = vcd.customization_script(vm.href)
        prepared = later.task_of(script) == record.task
        if not prepared:
            self._prepare(record, vm, script)
        was_on = vcd.vm(vm.href).is_on
        if not was_on:
            self._start(vm)
        if self._await_upgraded(record, was_on=was_on):
            return record
        control_plane.warn(
            f"The VM {vm.name} was started without the upgrade, which is prepared again."
        )
        # without its task, nobody goes back to the snapshot: it is older than what has happened
        script = later.without_task(script)
        control_plane.change(partial(vcd.write_customization_script, vm.href, script))
        self._prepare(record, vm, script)
        self._start(vm)
        self._await_upgraded(record)
        return record

    def _prepare(self, record: UpgradeRecord, vm: Vm, script: str) -> None:
        """Shut the VM down, create its snapshot and write the task into its script.

        A snapshot that is there already is replaced: the VM may have run since.
        """
        control_plane = self._control_plane
        vcd = control_plane.vcd
        control_plane.shut_down(vm)
        if record.snapshot:
            control_plane.show(f"Create a snapshot of {vm.name}")
            name = f"before Kubernetes {record.version}"
            control_plane.change(partial(vcd.snapshots.create, vm.href, name))
        task = script_with_upgrade(script, vm, record.task, self._target)
        control_plane.change(partial(vcd.write_customization_script, vm.href, task))

    def _start(self, vm: Vm) -> None:
        """Start the VM with its task, which the forced customization runs."""
        self._control_plane.show(f"Start {vm.name} with the upgrade")
        self._control_plane.change(partial(self._control_plane.vcd.deploy, vm.href, True))
        self._control_plane.show(f"Wait for the first report of {vm.name}")

    def _await_upgraded(self, record: UpgradeRecord, *, was_on: bool = False) -> bool:
        """Wait until the new version serves.

        Returns False where the VM was on already (`was_on`) and evidently runs without the task.

        Raises:
            GuestFailed: the node says that it failed.
            TimedOut: the node says that it is ready, and its API cannot be reached from here; or it
                cannot be known yet whether the node has the task.
            CseError: it has not come back in time.
        """
        control_plane, clock = self._control_plane, self._control_plane.clock
        began = clock.monotonic()
        # within the command's time, for what comes after it has to be begun in it
        left = control_plane.deadline - began
        until = began + min(left - max(_LEAST_REST, left / 10), _LONGEST_UPGRADE)
        last: NodeReport | None = None
        quiet_since: float | None = None
        starts = 0
        while True:
            vm, report = control_plane.look(record)
            if report is not None and (last is None or report.phase != last.phase):
                self._show_phase(record, report.phase)
            last = report or last
            why = control_plane.problem(record, record.version)
            if not why:
                return True
            if report is not None and report.status == "failed":
                raise GuestFailed(
                    failure_text(report), node=report.node, phase=report.phase, log=report.log
                )
            now = clock.monotonic()
            if not was_on or last is not None or not control_plane.serves(record, record.before):
                quiet_since = None
            elif quiet_since is None:
                quiet_since = now
            elif now - quiet_since >= _LONGEST_SILENCE:
                return False
            if vm is not None and not vm.is_on and starts < _MOST_STARTS:
                starts += 1
                # from here on it has the task
                was_on = False
                control_plane.warn(f"The VM {record.node} is off and is started again.")
                control_plane.change(partial(control_plane.vcd.deploy, vm.href, True))
            if clock.monotonic() >= until:
                seconds = clock.monotonic() - began
                raise self._too_late(record, why, last, seconds, quiet=quiet_since is not None)
            clock.sleep(LOOK_AGAIN)

    def _show_phase(self, record: UpgradeRecord, phase: str) -> None:
        text = f"{record.node}: {phase}"
        event = Event(EventKind.PHASE, text, node=record.node, phase=phase)
        self._control_plane.progress(event)
        doing = _PHASES.get(phase, "").format(version=record.version)
        self._control_plane.show(f"{doing} ({text})" if doing else text)

    def _too_late(
        self,
        record: UpgradeRecord,
        why: str,
        report: NodeReport | None,
        seconds: float,
        *,
        quiet: bool,
    ) -> CseError:
        """Return the error for a new version that does not serve in time."""
        name = self._control_plane.cluster.name
        back = suggest.cse("cluster upgrade", name, roll_back=True)
        hint = f"{suggest.RESUME} To go back instead: {back}"
        if quiet:
            return TimedOut(
                f"The upgrade of {record.node} has not begun, and Kubernetes {record.before}"
                " serves.",
                hint=hint,
            )
        if (
            report is not None
            and report.status == "ready"
            and self._control_plane.is_out_of_reach()
        ):
            return TimedOut(
                f"{record.node} reports that it has Kubernetes {record.version}, but its API"
                f" cannot be reached from here: {why}.",
                hint=hint,
            )
        where = f" in phase {report.phase}" if report is not None and report.phase else ""
        return GuestFailed(
            f"{record.node} has not come back with Kubernetes {record.version} after"
            f" {seconds:.0f} s{where}: {why}",
            node=record.node,
            phase=report.phase if report is not None else "",
            log=report.log if report is not None else (),
        )
