"""Upgrading the only control plane of a cluster where it is, with a way back.

A cluster without a virtual address cannot have a second control plane, so this one is changed: its
VM is shut down and gets a snapshot in VCD, its script a task (guest/later.py) with `kubeadm
upgrade`, and a forced customization runs it. What fails, or does not come back, is undone by
reverting the VM to the snapshot; then the old version is proven to serve. Killed anywhere, the next
run knows by the record in the metadata (`in_place_record`), the snapshot and the task in the script
how far it came.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.content import plain
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.in_place_record import (
    BACK,
    REVERTED,
    UpgradeRecord,
    read_record,
)
from cse_client.engines.direct.operations import upgrade_backup
from cse_client.engines.direct.operations.in_place.back import (
    go_back,
    is_changed,
    plan_return,
    time_to_return,
)
from cse_client.engines.direct.operations.in_place.checks import check_resumed, check_upgrade
from cse_client.engines.direct.operations.in_place.control_plane import OnlyControlPlane
from cse_client.engines.direct.operations.in_place.forward import InPlaceTarget, WayForward
from cse_client.engines.direct.operations.plan import Step
from cse_client.errors import (
    ClusterUnreachable,
    CseError,
    NotFinished,
    Refused,
    SessionInvalid,
    TaskFailed,
    VcdFault,
)
from cse_client.guest import later
from cse_client.model import Progress, RunOptions

if TYPE_CHECKING:
    from cse_client.guest.pki import ClusterPKI

__all__ = ["InPlaceUpgrade", "has_return"]

_LONGEST = 200


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
        self._target = target
        self._clock = clock
        self._control_plane = OnlyControlPlane(
            cluster,
            pki,
            clock=clock,
            progress=progress,
            deadline=clock.monotonic() + bounds.share(options.timeout),
        )
        self._forward = WayForward(self._control_plane, target)
        self._done = False
        #: Whether the control plane is known to be as it was before the upgrade.
        self._unchanged = False
        self.took: list[float] = []

    # What there is to know before

    def check(self) -> None:
        """Refuse what cannot be done in this way; nothing is changed.

        Raises:
            Refused, Conflict: it cannot.
            ClusterUnreachable: the API does not answer, in a cluster that no run has touched yet.
        """
        check_upgrade(self._control_plane, self._target)
        self._unchanged = self._control_plane.record is None

    def progress(self) -> tuple[list[str], list[str]]:
        """Return what an earlier run has done, and what is left, one sentence each, in order."""
        control_plane, to = self._control_plane, self._target.version
        name, record = control_plane.vm().name, control_plane.record
        has = f"The control plane {name} has Kubernetes {to}."
        if record is None:
            # an earlier run may have finished it, and its record is deleted then
            try:
                runs = control_plane.running_version()
            except ClusterUnreachable:
                unless = "unless it has this version already: its API does not answer now"
                return [], [f"Upgrade the control plane {name} to Kubernetes {to}, {unless}."]
            return ([has], []) if runs == to else ([], self.sentences())
        if self.goes_back():
            return [], plan_return(control_plane, record)
        sentences = self.sentences()
        if control_plane.is_final(record):
            return [has], [f"Remove what was kept for the way back of {name}."]
        script = control_plane.vcd.customization_script(control_plane.vm().href)
        done = 2 if later.task_of(script) == record.task else 1
        return sentences[:done], sentences[done:]

    def goes_back(self) -> bool:
        """Return whether an earlier run has decided to go back, so that nothing else is done."""
        record = self._control_plane.record
        return record is not None and record.phase in (BACK, REVERTED)

    def sentences(self) -> list[str]:
        """Return what is going to happen, in order."""
        name, to = self._control_plane.vm().name, self._target.version
        fall = "If anything fails, revert the VM to its snapshot and start it again."
        if not self._target.rollback:
            fall = "There is no way back if anything fails (--no-rollback)."
        stop = f"Shut down {name}"
        return [
            "Save a backup of the cluster on this computer until the upgrade has ended.",
            f"{stop}." if not self._target.rollback else f"{stop} and create a snapshot of its VM.",
            f"Upgrade {name} to Kubernetes {to} with the packages of {self._target.source}; the API"
            " does not answer for some minutes.",
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
        record = self._control_plane.record
        if record is not None:
            return self._control_plane.is_final(record)
        return self._control_plane.running_version() == self._target.version

    def steps(self) -> list[Step]:
        """Return all of it as one step of a longer plan.

        Raises:
            Conflict: an earlier run was requested with other options.
        """
        if self._control_plane.record is not None:
            check_resumed(self._control_plane, self._target, self._control_plane.record)
        name, to = self._control_plane.vm().name, self._target.version
        title = f"Upgrade the control plane {name} to Kubernetes {to} in place"
        return [Step(title, " ".join(self.sentences()), self.is_done, self.run)]

    def look(self) -> None:
        """Do nothing: each step looks by itself."""

    def withdraw(self, _error: CseError) -> bool:
        """Return whether all is as before; `run` has gone back already where it could.

        Without a record it is so only where this run has seen it: the record of a control plane
        that an earlier run has upgraded is deleted, too.
        """
        return self._control_plane.record is None and self._unchanged and not self._done

    # The two ways

    def run(self) -> None:
        """Upgrade it, and prove it; when that fails, go back and prove that.

        Raises:
            GuestFailed, CseError: it failed; the message says what serves now.
            NotFinished: it can be resumed.
        """
        record = self._control_plane.record
        if record is not None and record.phase in (BACK, REVERTED):
            go_back(self._control_plane, record)
            self._unchanged = True
            raise CseError(self._message(record))
        if record is None:
            record = self._begin()
            if record is None:
                self._done = True
                return
        began = self._clock.monotonic()
        try:
            self._forward.go(record)
            self.took.append(self._clock.monotonic() - began)
        except (SessionInvalid, NotFinished):
            raise
        except CseError as error:
            if self._forward.proven:
                error.notes.append(f"Kubernetes {self._target.version} serves.")
                raise
            if not _is_final(error):
                raise
            self._fall_back(error)
        self._done = True

    def plan_roll_back(self) -> list[str]:
        """Return what `roll_back` would do.

        Raises:
            Refused: it is too late, or the snapshot does not exist.
        """
        record = self._returnable()
        return [] if record is None else plan_return(self._control_plane, record)

    def roll_back(self) -> None:
        """Go back to the snapshot.

        Raises:
            Refused: it is too late, or the snapshot does not exist.
        """
        record = self._returnable()
        if record is not None:
            go_back(self._control_plane, record)
        else:
            # saved by a run that was killed before it recorded anything, or just after its end
            upgrade_backup.discard(self._cluster)

    def has_changed_nothing(self) -> bool:
        """Return whether the control plane is as it was before, whatever the record says."""
        record = self._control_plane.record
        vm = self._control_plane.vm()
        return record is None or not is_changed(self._control_plane, vm, record)

    def release(self) -> str:
        """Return the version that the control plane has now."""
        return self._control_plane.running_version()

    def _returnable(self) -> UpgradeRecord | None:
        record = self._control_plane.record
        if record is not None and self._control_plane.is_final(record):
            raise Refused(
                f"The upgrade of cluster '{self._cluster.name}' to Kubernetes {record.version}"
                " cannot be rolled back: it has succeeded.",
                hint=f"Finish it: {suggest.cse('cluster upgrade', self._cluster.name)}",
            )
        return record

    def _begin(self) -> UpgradeRecord | None:
        """Save a backup and record what is about to happen; None where there is nothing to do."""
        control_plane = self._control_plane
        vm = control_plane.vm()
        before = control_plane.running_version()
        if before == self._target.version:
            control_plane.await_healthy(vm.name, before, "after its upgrade")
            upgrade_backup.discard(self._cluster)
            return None
        self._unchanged = True
        record = UpgradeRecord(
            node=vm.name,
            before=before,
            version=self._target.version,
            source=self._target.source,
            task=later.new_upgrade(),
            snapshot=self._target.rollback,
        )
        upgrade_backup.save(self._cluster, progress=control_plane.progress)
        control_plane.write(record)
        return record

    def _fall_back(self, error: CseError) -> None:
        """Go back after a failure, and raise what it was."""
        control_plane = self._control_plane
        record = control_plane.record
        assert record is not None  # noqa: S101  (there is one before anything can fail)
        record = replace(record, why=plain(error.clause, _LONGEST))
        vm = control_plane.vm()
        kept = upgrade_backup.restoring(self._cluster)
        if not record.snapshot and later.task_of(control_plane.vcd.customization_script(vm.href)):
            error.message = f"The upgrade of cluster '{self._cluster.name}' failed: {error.clause}."
            error.hint = (
                "There is no snapshot to go back to (--no-rollback). " + suggest.RESUME + kept
            )
            raise error
        control_plane.warn(f"The upgrade has failed, and {record.node} goes back: {error.clause}.")
        try:
            with time_to_return():
                go_back(control_plane, record)
            self._unchanged = True
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


def _is_final(error: CseError) -> bool:
    """Return whether an error means that going on does not help, rather than that VCD is away."""
    if isinstance(error, VcdFault) and not isinstance(error, TaskFailed):
        return not (error.unanswered or error.outcome_unknown or error.repeatable)
    return True
