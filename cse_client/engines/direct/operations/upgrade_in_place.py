"""Upgrading the only control plane of a cluster where it is, with a way back.

A cluster without a virtual address cannot have a second control plane, so this one is changed: its
VM is shut down and gets a snapshot in VCD, its script a task (guest/later.py) with `kubeadm
upgrade`, and a forced customization runs it. What fails, or does not come back, is undone by
reverting the VM to the snapshot; then the old version is proven to serve. Killed anywhere, the next
run knows by the record in the metadata (`in_place_record`), the snapshot and the task in the script
how far it came.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.content import plain
from cse_client.engines.direct.control_plane_health import unhealthy
from cse_client.engines.direct.credentials import API_TIMEOUT, PROBE_TIMEOUT, open_api
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.in_place_record import (
    BACK,
    BEGUN,
    FINAL,
    REVERTED,
    UpgradeRecord,
    no_record,
    read_record,
)
from cse_client.engines.direct.operations import upgrade_backup
from cse_client.engines.direct.operations.plan import Step
from cse_client.engines.direct.readiness import failure_text
from cse_client.errors import (
    ClusterUnreachable,
    Conflict,
    CseError,
    GuestFailed,
    NotFinished,
    Refused,
    SessionInvalid,
    TaskFailed,
    TimedOut,
    VcdFault,
)
from cse_client.guest import later
from cse_client.guest.render import MAX_SCRIPT_BYTES, is_ours
from cse_client.model import Event, EventKind, Progress, RunOptions, Vm
from cse_client.model.templates import DEFAULT_SOURCE, LONGEST_SOURCE
from cse_client.reports import parse_task
from cse_client.vcd import tasks

if TYPE_CHECKING:
    from cse_client.guest.pki import ClusterPKI
    from cse_client.model import NodeReport

__all__ = ["InPlaceTarget", "InPlaceUpgrade", "has_return"]

_ON = "POWERED_ON"
_LOOK_AGAIN = 2.0
#: Seconds for an upgrade: packages, images, and 5 minutes at most for each of four components
#: (kubeadm's UpgradeManifests). Then the same for a way back, which needs no more than a boot.
_LONGEST_UPGRADE = 2400.0
_LONGEST_RETURN = 900.0
#: Seconds after which a node that serves in the old version, and has not reported the task, was
#: started without it. A forced customization is over by then, and the task's first act is a report.
_LONGEST_SILENCE = 180.0
#: Seconds of the command's time that are left when the wait for the new version ends.
_LEAST_REST = 5.0
#: How often a VM that went off by itself is started again.
_MOST_STARTS = 3
#: How far this machine's idea of a span may be off.
_SKEW = timedelta(seconds=2)
_LONGEST = 200
_VERSION = re.compile(r"v?1\.(\d{1,3})\.\d{1,3}", re.ASCII)


@dataclass(frozen=True)
class InPlaceTarget:
    """What is wanted: `version` X.Y.Z, and whether to insist on a way back.

    `package_source` is where the packages are, as in `model.templates.BuildSpec`; empty if none was
    requested.
    """

    version: str
    package_source: str
    rollback: bool = True


def has_return(cluster: ExistingCluster, options: RunOptions) -> bool:
    """Return whether there is, or is to be, a way back: what an earlier run began stays so."""
    record = read_record(cluster.metadata)
    return options.rollback if record is None else record.snapshot


class InPlaceUpgrade:
    """One run of the upgrade, new or resumed. The caller has claimed the cluster."""

    def __init__(
        self,
        cluster: ExistingCluster,
        pki: ClusterPKI,
        target: InPlaceTarget,
        options: RunOptions,
        *,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._cluster = cluster
        self._pki = pki
        self._target = target
        self._clock = clock
        self._progress = progress
        self._deadline = clock.monotonic() + bounds.share(options.timeout)
        self._record = read_record(cluster.metadata)
        self._done = False
        # whether the new version was seen to serve: there is no going back from there
        self._proven = self._record is not None and self._record.phase == FINAL
        self.took: list[float] = []

    # What there is to know before

    def check(self) -> None:
        """Refuse what cannot be done in this way; nothing is changed.

        Raises:
            Refused, Conflict: it cannot.
            ClusterUnreachable: the API does not answer, in a cluster that no run has touched yet.
        """
        vm = self._head()
        if self._record is not None:
            self._check_resumed(self._record)
            return
        running = self._running_version()
        self._check_version(running)
        if running == self._target.version:
            return
        script = self._cluster.vcd.customization_script(vm.href)
        if self._with_task(script, vm, "upgrade-0") is None:
            raise self._no_script(script, vm)
        state = self._cluster.vcd.snapshot_state(vm.href)
        if state.created is not None and self._target.rollback:
            raise Conflict(
                f"The VM {vm.name} has a snapshot of {state.created:%Y-%m-%d %H:%M} UTC, and VCD"
                " keeps only one.",
                hint="Remove it in VCD, or use --no-rollback.",
            )
        if not state.allowed and self._target.rollback:
            raise Refused(
                f"VCD does not allow you to create a snapshot of the VM {vm.name}, so there would"
                " be no way back from a failed upgrade.",
                hint='The right "vApp: Snapshot Operations" is required; without it, use'
                " --no-rollback and make a backup before: "
                + suggest.cse("cluster backup", self._cluster.name),
            )

    def sentences(self) -> list[str]:
        """Return what is going to happen, in order."""
        name, to = self._head().name, self._target.version
        fall = "If anything fails, revert the VM to its snapshot and start it again."
        if not self._target.rollback:
            fall = "There is no way back if anything fails (--no-rollback)."
        stop = f"Shut down {name}"
        return [
            "Save a backup of the cluster on this computer until the upgrade has ended.",
            f"{stop}." if not self._target.rollback else f"{stop} and create a snapshot of its VM.",
            f"Upgrade {name} to Kubernetes {to} with the packages of {self._source}; the API does"
            " not answer for some minutes.",
            f"Check API server, scheduler, controller manager, etcd and node. {fall}",
        ]

    def is_done(self) -> bool:
        """Return whether the control plane was upgraded and nothing is left to undo."""
        return self._done

    def is_past_return(self) -> bool:
        """Return whether the new version is final; asks the API where nothing is recorded.

        Raises:
            ClusterUnreachable: it does not answer.
        """
        if self._record is not None:
            return self._record.phase == FINAL
        return self._running_version() == self._target.version

    def steps(self) -> list[Step]:
        """Return all of it as one step of a longer plan.

        Raises:
            Conflict: an earlier run was requested with other options.
        """
        if self._record is not None:
            self._check_resumed(self._record)
        name, to = self._head().name, self._target.version
        title = f"Upgrade the control plane {name} to Kubernetes {to} in place"
        return [Step(title, " ".join(self.sentences()), self.is_done, self.run)]

    def look(self) -> None:
        """Do nothing: each step looks by itself."""

    def withdraw(self, _error: CseError) -> bool:
        """Return whether all is as before; `run` has gone back already where it could."""
        return self._record is None and not self._done

    # The two ways

    def run(self) -> None:
        """Upgrade it, and prove it; when that fails, go back and prove that.

        Raises:
            GuestFailed, CseError: it failed; the message says what serves now.
            NotFinished: it can be resumed.
        """
        begun_before = self._record
        if begun_before is not None and begun_before.phase in (BACK, REVERTED):
            self._go_back(begun_before)
            raise CseError(self._message(begun_before))
        if self._record is None:
            self._record = self._begin()
            if self._record is None:
                self._done = True
                return
        began = self._clock.monotonic()
        try:
            self._forward(self._record)
            self.took.append(self._clock.monotonic() - began)
        except (SessionInvalid, NotFinished):
            raise
        except CseError as error:
            if self._proven:
                error.notes.append(f"Kubernetes {self._target.version} serves.")
                raise
            if not _is_final(error):
                raise
            self._fall_back(error)
        self._done = True

    def roll_back(self) -> None:
        """Go back to the snapshot.

        Raises:
            Conflict: it is too late, or the snapshot does not exist.
        """
        record = self._record
        if record is not None and record.phase == FINAL:
            raise Conflict(
                f"The upgrade of cluster '{self._cluster.name}' to Kubernetes {record.version}"
                " cannot be rolled back: it has succeeded."
            )
        if record is not None:
            self._go_back(record)

    # Beginning

    def _begin(self) -> UpgradeRecord | None:
        """Save a backup and record what is about to happen; None where there is nothing to do."""
        vm = self._head()
        before = self._running_version()
        if before == self._target.version:
            self._await_healthy(vm.name, before, "after its upgrade")
            return None
        record = UpgradeRecord(
            node=vm.name,
            before=before,
            version=self._target.version,
            source=self._source,
            task=later.new_upgrade(),
            snapshot=self._target.rollback,
        )
        upgrade_backup.save(self._cluster, progress=self._progress)
        self._write(record)
        return record

    def _running_version(self) -> str:
        with open_api(self._cluster, self._pki, timeout=API_TIMEOUT) as api:
            return api.version().removeprefix("v")

    def _check_version(self, before: str) -> None:
        """Refuse what kubeadm would: builds of others, down, more than one minor release up."""
        now, to = _VERSION.fullmatch(before), _VERSION.fullmatch(self._target.version)
        if now is None or to is None:
            raise Refused(
                f"Kubernetes {plain(before, _LONGEST)} cannot be upgraded to {self._target.version}"
                " with packages."
            )
        if not int(now[1]) <= int(to[1]) <= int(now[1]) + 1:
            raise Refused(
                f"Kubernetes {before} cannot be upgraded to {self._target.version}: an upgrade goes"
                " up by one minor release at most."
            )

    @property
    def _source(self) -> str:
        """Where the packages are; what an earlier run recorded is only compared with it."""
        return self._target.package_source or DEFAULT_SOURCE

    def _check_resumed(self, record: UpgradeRecord) -> None:
        """Refuse to go on with anything else than what this command requests.

        Anybody who may edit the vApp may have written the record, so it chooses no packages.
        """
        if record.phase not in (BEGUN, FINAL):
            return
        back = suggest.cse("cluster upgrade", self._cluster.name, roll_back=True)
        if record.version != self._target.version:
            raise Conflict(
                f"Cluster '{self._cluster.name}' is being upgraded to Kubernetes"
                f" {self._target.version}, but its metadata records an upgrade to"
                f" {record.version}.",
                hint=f"Go back: {back}",
            )
        if record.phase == FINAL or record.source == self._source:
            return
        source = plain(record.source, LONGEST_SOURCE)
        text = (
            f"An upgrade of cluster '{self._cluster.name}' to Kubernetes {record.version} with the"
            f" packages of {source} is not finished."
        )
        if not self._target.package_source:
            again = suggest.cse("cluster upgrade", self._cluster.name, package_source=source)
            raise Conflict(text, hint=f"Repeat --package-source: {again}")
        if not self._has_failed(record):
            raise Conflict(text, hint=f"Resume it with the same options, or go back: {back}")

    # Forward

    def _forward(self, record: UpgradeRecord) -> None:
        if record.phase == BEGUN:
            record = self._upgrade(record)
            self._proven = True
            record = replace(record, phase=FINAL)
            self._write(record)
        self._tidy(record)

    def _upgrade(self, record: UpgradeRecord) -> UpgradeRecord:
        """Bring the node to the new version, from wherever an earlier run has ended.

        Returns the record as it is then.
        """
        vcd, vm = self._cluster.vcd, self._head()
        if self._has_failed(record) and self._is_unhealthy(record, record.version):
            # a task runs once: with a new one, and with the packages that are requested now
            record = replace(record, task=later.new_upgrade(), source=self._source)
            self._write(record)
        script = vcd.customization_script(vm.href)
        prepared = later.task_of(script) == record.task
        if not prepared:
            self._prepare(record, vm, script)
        found_on = vcd.vm(vm.href).status == _ON
        if not found_on:
            self._change(partial(vcd.deploy, vm.href, True))
        if self._await_upgraded(record, found_on=found_on):
            return record
        text = f"The VM {vm.name} was started without the upgrade, which is prepared again."
        self._progress(Event(EventKind.WARNING, text))
        # without its task, nobody goes back to the snapshot: it is older than what has happened
        script = later.without_task(script)
        self._change(partial(vcd.write_customization_script, vm.href, script))
        self._prepare(record, vm, script)
        self._change(partial(vcd.deploy, vm.href, True))
        self._await_upgraded(record)
        return record

    def _has_failed(self, record: UpgradeRecord) -> bool:
        """Return whether the node reports that its task failed, where nobody goes back."""
        if record.snapshot or record.phase != BEGUN:
            return False
        _vm, report = self._look(record)
        return report is not None and report.status == "failed"

    def _prepare(self, record: UpgradeRecord, vm: Vm, script: str) -> None:
        """Shut the VM down, create its snapshot and write the task into its script.

        A snapshot that is there already is replaced: the VM may have run since.
        """
        vcd = self._cluster.vcd
        self._shut_down(vm)
        if record.snapshot:
            name = f"before Kubernetes {record.version}"
            self._change(partial(vcd.create_snapshot, vm.href, name))
        task = self._with_task(script, vm, record.task)
        if task is None:
            raise self._no_script(script, vm)
        self._change(partial(vcd.write_customization_script, vm.href, task))

    def _with_task(self, script: str, vm: Vm, task: str) -> str | None:
        target = self._target
        upgrade = later.Upgrade(task, vm.name, target.version, self._source)
        return later.with_upgrade(script, upgrade)

    def _no_script(self, script: str, vm: Vm) -> Refused:
        """Return the error where `_with_task` returns None."""
        why = "is not this client's"
        if is_ours(script):
            why = f"would be longer than the {MAX_SCRIPT_BYTES} bytes that are safe in VCD"
        return Refused(
            f"The customization script of {vm.name} {why}, so it cannot be upgraded from here.",
            hint=f"Upgrade it by hand with `kubeadm upgrade apply v{self._target.version}`.",
        )

    def _shut_down(self, vm: Vm, action: str = "shutdown") -> None:
        vcd = self._cluster.vcd
        if not vcd.vm(vm.href).deployed:
            return
        try:
            self._change(partial(vcd.undeploy, vm.href, action))
        except TaskFailed as refused:
            text = f"A guest could not be shut down and is powered off: {refused.message}"
            self._progress(Event(EventKind.WARNING, text))
            self._change(partial(vcd.undeploy, vm.href))

    def _await_upgraded(self, record: UpgradeRecord, *, found_on: bool = False) -> bool:
        """Wait until the new version serves.

        Returns False where the VM was on already (`found_on`) and evidently runs without the task.

        Raises:
            GuestFailed: the node says that it failed.
            TimedOut: the node says that it is ready, and its API cannot be reached from here; or it
                cannot be known yet whether the node has the task.
            CseError: it has not come back in time.
        """
        began = self._clock.monotonic()
        # within the command's time, for what comes after it has to be begun in it
        left = self._deadline - began
        until = began + min(left - max(_LEAST_REST, left / 10), _LONGEST_UPGRADE)
        seen: NodeReport | None = None
        quiet_since: float | None = None
        starts = 0
        while True:
            vm, report = self._look(record)
            if report is not None and (seen is None or report.phase != seen.phase):
                text = f"{record.node}: {report.phase}"
                self._progress(Event(EventKind.PHASE, text, node=record.node, phase=report.phase))
            seen = report or seen
            why = unhealthy(self._cluster, self._pki, record.node, record.version)
            if not why:
                return True
            if report is not None and report.status == "failed":
                raise GuestFailed(
                    failure_text(report), node=report.node, phase=report.phase, log=report.log
                )
            now = self._clock.monotonic()
            if not found_on or seen is not None or self._is_unhealthy(record, record.before):
                quiet_since = None
            elif quiet_since is None:
                quiet_since = now
            elif now - quiet_since >= _LONGEST_SILENCE:
                return False
            if vm is not None and vm.status != _ON and starts < _MOST_STARTS:
                starts += 1
                # from here on it has the task
                found_on = False
                text = f"The VM {record.node} is off and is started again."
                self._progress(Event(EventKind.WARNING, text))
                self._change(partial(self._cluster.vcd.deploy, vm.href, True))
            if self._clock.monotonic() >= until:
                seconds = self._clock.monotonic() - began
                raise self._too_late(record, why, seen, seconds, quiet=quiet_since is not None)
            self._clock.sleep(_LOOK_AGAIN)

    def _is_unhealthy(self, record: UpgradeRecord, version: str) -> bool:
        return bool(unhealthy(self._cluster, self._pki, record.node, version))

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
        back = suggest.cse("cluster upgrade", self._cluster.name, roll_back=True)
        hint = f"{suggest.RESUME} To go back instead: {back}"
        if quiet:
            return TimedOut(
                f"The upgrade of {record.node} has not begun, and Kubernetes {record.before}"
                " serves.",
                hint=hint,
            )
        if report is not None and report.status == "ready" and self._is_out_of_reach():
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

    def _is_out_of_reach(self) -> bool:
        try:
            with open_api(self._cluster, self._pki, timeout=PROBE_TIMEOUT) as api:
                api.version()
        except ClusterUnreachable:
            return True
        except CseError:
            return False
        return False

    def _look(self, record: UpgradeRecord) -> tuple[Vm | None, NodeReport | None]:
        """Return the VM, and the node's report by whichever way it can be read."""
        vm = None
        try:
            vm = self._cluster.vcd.vm(self._head().href)
            report = parse_task(record.node, record.task, vm.guestinfo or {})
        except VcdFault as fault:
            if not (fault.unanswered or fault.repeatable):
                raise
            report = None
        except TimedOut:
            report = None
        if report is None:
            try:
                with open_api(self._cluster, self._pki, timeout=PROBE_TIMEOUT) as api:
                    report = api.task_report(record.node, record.task)
            except CseError:
                report = None
        return vm, report

    def _tidy(self, record: UpgradeRecord) -> None:
        """Remove what only a way back, or the upgrade itself, needs."""
        vcd, vm = self._cluster.vcd, self._head()
        script = vcd.customization_script(vm.href)
        if later.task_of(script) == record.task:
            clean = later.without_task(script)
            self._change(partial(vcd.write_customization_script, vm.href, clean))
        if record.snapshot and vcd.snapshot_state(vm.href).created is not None:
            self._change(partial(vcd.remove_snapshots, vm.href), idempotent=True)
        self._write(None)
        upgrade_backup.discard(self._cluster)

    # Back

    def _fall_back(self, error: CseError) -> None:
        """Go back after a failure, and raise what it was."""
        record = self._record
        assert record is not None  # noqa: S101  (there is one before anything can fail)
        why = plain(error.clause, _LONGEST)
        record = replace(record, why=why)
        vm = self._head()
        kept = upgrade_backup.restoring(self._cluster)
        if not record.snapshot and later.task_of(self._cluster.vcd.customization_script(vm.href)):
            error.message = f"The upgrade of cluster '{self._cluster.name}' failed: {error.clause}."
            error.hint = (
                "There is no snapshot to go back to (--no-rollback). " + suggest.RESUME + kept
            )
            raise error
        text = f"The upgrade has failed, and {record.node} goes back: {error.clause}."
        self._progress(Event(EventKind.WARNING, text))
        try:
            with _time_to_return():
                self._go_back(record)
        except CseError as second:
            if isinstance(second, (SessionInvalid, NotFinished)):
                second.notes.append(f"The upgrade failed before: {error.clause}.")
                raise
            error.notes.append(f"Going back to the snapshot failed: {second.message}")
            roll = suggest.cse("cluster upgrade", self._cluster.name, roll_back=True)
            error.hint = f"Try again to go back: {roll}{kept}"
            raise error from None
        error.message = self._message(record)
        error.hint = error.hint or "Remove the cause, then run the same command again."
        raise error

    def _message(self, record: UpgradeRecord) -> str:
        why = f": {record.why}" if record.why else ""
        return (
            f"The upgrade of cluster '{self._cluster.name}' to Kubernetes {record.version} was"
            f" rolled back{why}. Kubernetes {record.before} serves again."
        )

    def _go_back(self, record: UpgradeRecord) -> None:
        """Bring the VM back to its snapshot, start it, and prove that the old version serves."""
        deadline, self._deadline = self._deadline, self._clock.monotonic() + _LONGEST_RETURN
        try:
            self._return(record)
        finally:
            self._deadline = deadline

    def _return(self, record: UpgradeRecord) -> None:
        vcd, vm = self._cluster.vcd, self._head()
        if record.phase != REVERTED:
            # without the task in its script the node is as it was, and the snapshot may be older
            if later.task_of(vcd.customization_script(vm.href)) == record.task:
                if not record.snapshot or vcd.snapshot_state(vm.href).created is None:
                    raise Conflict(
                        f"The VM {vm.name} has no snapshot to go back to.",
                        hint=upgrade_backup.restoring(self._cluster).strip(),
                    )
                record = replace(record, phase=BACK)
                self._write(record)
                self._shut_down(vm, "powerOff")
                self._change(partial(vcd.revert_to_snapshot, vm.href), idempotent=True)
            record = replace(record, phase=REVERTED)
            self._write(record)
        script = vcd.customization_script(vm.href)
        if later.task_of(script) == record.task:
            if vcd.vm(vm.href).status == _ON:
                self._shut_down(vm)
            clean = later.without_task(script)
            self._change(partial(vcd.write_customization_script, vm.href, clean))
        started = self._start_old(vm)
        self._await_healthy(record.node, record.before, "after going back", started=started)
        self._tidy(record)

    def _start_old(self, vm: Vm) -> bool:
        """Start the VM where it is off, without a customization; return whether it was."""
        vcd = self._cluster.vcd
        now = vcd.vm(vm.href)
        if now.status == _ON:
            return False
        start: Callable[[str], tasks.Task] = vcd.power_on_vapp if now.deployed else vcd.deploy
        self._change(partial(start, vm.href))
        return True

    def _await_healthy(self, node: str, version: str, when: str, *, started: bool = False) -> None:
        """Wait until the control plane serves in a version; `started`: its VM was just now."""
        began = self._clock.monotonic()
        since: datetime | None = None
        while True:
            try:
                if started and since is None:
                    since = self._api_time(self._clock.monotonic() - began)
                why = unhealthy(self._cluster, self._pki, node, version, since=since)
            except CseError as error:
                why = error.clause
            if not why:
                return
            if self._clock.monotonic() >= self._deadline:
                raise TimedOut(
                    f"Kubernetes {version} on {node} does not serve in time {when}: {why}.",
                    hint=suggest.RESUME,
                )
            self._clock.sleep(_LOOK_AGAIN)

    def _api_time(self, seconds: float) -> datetime:
        """Return by the API server's clock when it was so many seconds ago."""
        with open_api(self._cluster, self._pki, timeout=PROBE_TIMEOUT) as api:
            return api.now() - timedelta(seconds=seconds) - _SKEW

    # Private

    def _head(self) -> Vm:
        """Return the only control plane.

        Raises:
            Refused: there are several, or a virtual address.
        """
        head = self._cluster.require_control_plane()
        if self._cluster.virtual_address or len(self._cluster.control_planes) > 1:
            raise Refused(
                f"Cluster '{self._cluster.name}' has a virtual address: its control planes are"
                " replaced, not upgraded in place."
            )
        return head

    def _write(self, record: UpgradeRecord | None) -> None:
        vcd, href = self._cluster.vcd, self._cluster.vapp.href
        values = no_record() if record is None else record.metadata()
        self._change(partial(vcd.write_metadata, href, values))
        self._record = record

    def _change(self, call: Callable[[], tasks.Task], *, idempotent: bool = False) -> None:
        tasks.done(self._cluster.vcd, call, deadline=self._deadline, idempotent=idempotent)


def _time_to_return() -> AbstractContextManager[None]:
    """Give the way back its time, where the command does not have so much left.

    There, single requests may take less time than otherwise; see `bounds.afterwards`.
    """
    enough = bounds.share(_LONGEST_RETURN) >= _LONGEST_RETURN
    return nullcontext() if enough else bounds.afterwards(_LONGEST_RETURN)


def _is_final(error: CseError) -> bool:
    """Return whether an error means that going on does not help, rather than that VCD is away."""
    if isinstance(error, VcdFault) and not isinstance(error, TaskFailed):
        return not (error.unanswered or error.outcome_unknown or error.repeatable)
    return True
