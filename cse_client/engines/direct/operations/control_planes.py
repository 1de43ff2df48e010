"""Adding and removing control planes of a cluster with a virtual address.

A control plane leaves etcd before its VM is deleted, and each step ends with a look at the list of
members. Those that join do so by themselves, one after the other, as learners of etcd.
"""

from __future__ import annotations

from functools import partial

from cse_client import suggest
from cse_client.clock import Clock
from cse_client.engines.direct.credentials import (
    API_TIMEOUT,
    admin_credentials,
    open_etcd,
)
from cse_client.engines.direct.departure import other_api, remove_control_plane
from cse_client.engines.direct.locked import LockedCluster
from cse_client.engines.direct.machines import Machines
from cse_client.engines.direct.members import remove_member, see_members
from cse_client.engines.direct.operation import Operation
from cse_client.engines.direct.operations.claimed import ClaimedRun
from cse_client.engines.direct.operations.failure import (
    ROLLBACK_SECONDS,
    after_failure,
    remove_made,
)
from cse_client.engines.direct.operations.leaving import refuse_stuck_pods
from cse_client.engines.direct.operations.plan import Step
from cse_client.engines.direct.quorum import (
    growth_problems,
    removal_problems,
)
from cse_client.engines.direct.resolved import Resolved
from cse_client.engines.direct.separation import keep_separate
from cse_client.engines.direct.waiting import await_ready
from cse_client.errors import (
    CseError,
)
from cse_client.guest import stored_scripts
from cse_client.guest.pki import ClusterPKI
from cse_client.kube.api import ClusterAPI
from cse_client.kube.drain import delete_node
from cse_client.model import Progress, RunOptions, Vm, footprint
from cse_client.plurals import counted

__all__ = ["ControlPlaneAddition", "ControlPlaneRemoval"]


class _ControlPlaneChange(ClaimedRun):
    """What both directions share: the claim, the record, and the end of a run."""

    def __init__(
        self,
        locked: LockedCluster,
        operation: Operation,
        options: RunOptions,
        *,
        pki: ClusterPKI,
        clock: Clock,
        progress: Progress,
    ) -> None:
        super().__init__(
            locked,
            operation,
            options,
            doing=f"changing to {counted(operation.heads, 'control plane')}",
            clock=clock,
            progress=progress,
            interrupted=lambda: (
                f"the control planes of cluster '{locked.existing.name}' are only partly changed"
            ),
        )
        self._pki = pki

    def record_step(self, gone: tuple[str, ...] = ()) -> Step:
        def record() -> None:
            if gone:
                self.separate()
            self.end(None, nodes=gone, heads=self._operation.heads)
            self._ended = True

        return Step(
            "Record the new size",
            "Write the new size to the metadata and release the cluster's lock.",
            lambda: self._ended,
            record,
        )

    def separate(self) -> None:
        """Keep the control planes that there are now on different hosts."""
        cluster = self._cluster.reread()
        keep_separate(cluster.vcd, cluster.vdc, cluster.vapp, self._progress)

    def delete_node(self, name: str, host: str) -> None:
        """Delete a Node, asked at the API server of another control plane."""
        access = admin_credentials(self._pki, host, self._cluster.session)
        with ClusterAPI(access, timeout=API_TIMEOUT) as api:
            delete_node(api, name)


class ControlPlaneAddition(_ControlPlaneChange):
    """One run of adding control planes, new or resumed."""

    def __init__(
        self,
        locked: LockedCluster,
        resolved: Resolved,
        operation: Operation,
        options: RunOptions,
        *,
        pki: ClusterPKI,
        clock: Clock,
        progress: Progress,
    ) -> None:
        super().__init__(locked, operation, options, pki=pki, clock=clock, progress=progress)
        self._machines = Machines.of(
            locked.existing,
            resolved,
            mark=operation.mark(),
            pki=pki,
            clock=clock,
            deadline=self.deadline,
        )
        self._cleared = self._ready = self._joined = False

    def check(self) -> None:
        """Refuse what etcd would not survive, before anything is made.

        Raises:
            Refused: it has no quorum, or a member does not answer.
        """
        for problem in growth_problems(see_members(self._cluster, self._pki)):
            raise problem

    def run(self) -> None:
        """Carry it out; on failure remove what was made, unless that is disabled."""
        name, heads = self._cluster.name, self._operation.heads
        machines = self._machines
        steps = [
            self.claim_step(
                f"Record that cluster '{name}' gets {counted(heads, 'control plane')}.",
                machines.refresh_when_quiet,
            ),
            Step(
                "Remove members of etcd that never started",
                "Remove the members of etcd that earlier joins left behind.",
                lambda: self._cleared,
                self._clear,
            ),
            Step(
                "Create the control plane VMs",
                f"Create and start the control plane VMs, up to {heads}.",
                lambda: machines.missing_heads() == 0,
                machines.make_further_heads,
            ),
            Step(
                "Wait until the new control planes are Ready",
                "Wait until the new control planes are Ready.",
                lambda: self._ready,
                self._await_ready,
            ),
            Step(
                "Check the members of etcd",
                "Check that every control plane is a member of etcd that votes.",
                lambda: self._joined,
                self._check_members,
            ),
            self.record_step(),
        ]
        self.carry_out(steps, machines.refresh_when_quiet, self._after_failure)

    def _host(self) -> str:
        return see_members(self._cluster, self._pki).host

    def _clear(self) -> None:
        members = see_members(self._cluster, self._pki)
        strays = members.strays(self._machines.vms())
        if strays:
            with open_etcd(self._cluster, self._pki, node=members.asked, host=members.host) as etcd:
                for stray in strays:
                    etcd.remove(stray.id)
        self._cleared = True

    def _await_ready(self) -> None:
        machines = self._machines
        names = [vm.name for vm in machines.marked()]
        await_ready(self._cluster.vcd, machines, progress=self._progress, names=names)
        self._ready = True

    def _check_members(self) -> None:
        members = see_members(self._cluster.reread(), self._pki)
        voters = {one.name for one in members.voters}
        absent = [vm.name for vm in self._machines.marked() if vm.name not in voters]
        if absent:
            raise CseError(
                f"{', '.join(absent)} joined cluster '{self._cluster.name}', but is not a voting"
                " member of its etcd."
            )
        self._seal()
        self.separate()
        self._joined = True

    def _seal(self) -> None:
        """Take the CA key out of VCD again where the cluster is sealed: it was in the scripts."""
        if not self._cluster.metadata.get(footprint.SEALED):
            return
        vcd, sealed = self._cluster.vcd, stored_scripts.sealed_script()
        for vm in self._machines.marked():
            write = partial(vcd.write_customization_script, vm.href, sealed)
            self._machines.change(write)

    def _after_failure(self, error: CseError) -> None:
        name = self._cluster.name
        after_failure(
            error,
            all_ready=self._joined,
            rollback=self._options.rollback,
            resume=suggest.RESUME,
            kept="The new VMs were kept as requested; remove them with"
            f" `{suggest.cse('node delete', name, 'NODE')}`",
            keep=lambda: self._settle(error),
            roll_back=lambda: self._roll_back(error),
        )

    def _roll_back(self, error: CseError) -> None:
        made: list[Vm] = []

        def remove() -> None:
            machines = self._machines
            machines.deadline = self._clock.monotonic() + ROLLBACK_SECONDS
            machines.refresh_when_quiet()
            made.extend(machines.marked())
            cluster = self._cluster.reread()
            for vm in reversed(made):
                remove_member(cluster, self._pki, vm.name, vm.ip)
            machines.remove(made)
            host = self._host() if made else ""
            for vm in made:
                self.delete_node(vm.name, host)

        if remove_made(remove, error, self._progress, advice=suggest.RESUME):
            error.notes.append(f"Removed {len(made)} of the new VMs; the cluster is as it was.")
            self._settle(error)
        else:
            self.release()

    def _settle(self, error: CseError) -> None:
        # those that were missing before are still missing
        wanted = min(self._cluster.recorded_heads, self._operation.heads)
        self.end_after(error, None, heads=max(self._operation.before, wanted))


class ControlPlaneRemoval(_ControlPlaneChange):
    """One run of removing control planes, new or resumed, one after the other."""

    def __init__(
        self,
        locked: LockedCluster,
        operation: Operation,
        options: RunOptions,
        *,
        pki: ClusterPKI,
        force: bool,
        clock: Clock,
        progress: Progress,
    ) -> None:
        super().__init__(locked, operation, options, pki=pki, clock=clock, progress=progress)
        self._force = force
        self._gone: set[str] = set()

    def check(self) -> None:
        """Refuse what etcd, or pods, would not survive, before anything is touched.

        Raises:
            Refused: etcd would lose its quorum, or pods would be lost.
        """
        names = self._operation.nodes
        members = see_members(self._cluster, self._pki)
        for problem in removal_problems(members, names):
            raise problem
        if self._force:
            return
        with other_api(self._cluster, self._pki, names) as api:
            ready = {node.name for node in api.nodes() if node.ready}
            refuse_stuck_pods(api, [name for name in names if name in ready])

    def run(self) -> None:
        """Carry it out; what has begun is resumed by the same command."""
        names = self._operation.nodes
        steps = [
            self.claim_step(
                f"Record that {', '.join(names)} leave cluster '{self._cluster.name}'."
            ),
            *(self._step(name) for name in names),
            self.record_step(names),
        ]
        self.carry_out(steps, lambda: None, self._after_failure)

    def _step(self, name: str) -> Step:
        def remove() -> None:
            self._remove(name)
            self._gone.add(name)

        return Step(
            f"Remove {name}",
            f"Drain {name}, remove it from etcd, and delete its VM and its Kubernetes node.",
            lambda: name in self._gone,
            remove,
        )

    def _remove(self, name: str) -> None:
        remove_control_plane(
            self._cluster,
            self._pki,
            name,
            leaving=self._operation.nodes,
            force=self._force,
            deadline=self.deadline,
            clock=self._clock,
            progress=self._progress,
        )

    def _after_failure(self, error: CseError) -> None:
        error.notes.append(suggest.RESUME)
        self.release()
