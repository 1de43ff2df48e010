"""Replacing the control planes of a cluster with a virtual address, one after the other.

A new one joins before an old one leaves, also when there is only one: etcd keeps its quorum, and
the API is served at every moment. As long as none of the old ones has left, the way back is to
remove the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from cse_client import bounds, suggest
from cse_client.clock import Clock, polling
from cse_client.engines.direct import kubeadm_config
from cse_client.engines.direct.api_servers import ask_api_servers
from cse_client.engines.direct.credentials import API_TIMEOUT, admin_credentials, open_etcd
from cse_client.engines.direct.deletion import out_of_reach
from cse_client.engines.direct.departure import hand_over, remove_control_plane
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.machines import Machines
from cse_client.engines.direct.members import remove_member, see_members
from cse_client.engines.direct.operation import Operation
from cse_client.engines.direct.operations.failure import ROLLBACK_SECONDS, remove_made
from cse_client.engines.direct.operations.plan import Step
from cse_client.engines.direct.quorum import Members
from cse_client.engines.direct.resolved import Resolved
from cse_client.engines.direct.seen_machines import BROKEN
from cse_client.engines.direct.separation import keep_separate
from cse_client.engines.direct.waiting import await_ready
from cse_client.errors import CseError, GuestFailed, TimedOut
from cse_client.guest import stored_scripts
from cse_client.guest.pki import ClusterPKI
from cse_client.kube.api import ClusterAPI
from cse_client.kube.drain import cordon, delete_node, uncordon
from cse_client.model import CONTROL_PLANE, Event, EventKind, Progress, Vm, footprint, node_kind

__all__ = ["ControlPlaneReplacement", "failed_heads", "have_left"]

#: How long a control plane may take to vote after its node is Ready, and kubeadm's last work after
#: the old control planes are gone.
_VOTES_WITHIN = 300.0
_UPLOADS_WITHIN = 600.0
_DONE = "done"


def have_left(names: Sequence[str], members: Members) -> bool:
    """Return whether any of these control planes is not a voting member of etcd."""
    return not {one.name for one in members.voters} >= {*names}


def failed_heads(new: Sequence[Vm], members: Members, failed: str, *, past: bool) -> list[Vm]:
    """Return which new control planes are removed after a failure; `failed` is one that failed.

    `past`: an old one has left for good, so those that serve stay.
    """
    serving = {one.name for one in members.voters} & {*members.answering} - {failed}
    return [vm for vm in new if not past or vm.name not in serving]


class ControlPlaneReplacement:
    """Replaces the control planes `names`, in this order, by ones made as `resolved` says.

    The operation is an upgrade: its `release` is the new ones'. The cluster is claimed already.
    """

    def __init__(
        self,
        cluster: ExistingCluster,
        resolved: Resolved,
        operation: Operation,
        *,
        names: Sequence[str],
        force: bool,
        rollback: bool,
        pki: ClusterPKI,
        deadline: float,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._cluster = cluster
        self._operation = operation
        self._resolved = resolved
        self._names = tuple(names)
        self._force = force
        self._rollback = rollback
        self._pki = pki
        self._clock = clock
        self._progress = progress
        self._machines = Machines.of(
            cluster, resolved, mark=operation.mark(), pki=pki, clock=clock, deadline=deadline
        )
        self._raised = self._finished = False
        #: How many seconds each replacement of this run took.
        self.took: list[float] = []

    @property
    def is_final(self) -> bool:
        """Whether the VM of an old control plane is gone, after which there is no way back."""
        return len(self._left()) < len(self._names)

    def is_past_return(self) -> bool:
        """Whether an old control plane has left etcd, with or without its VM; asks etcd.

        Raises:
            Refused, ClusterUnreachable: etcd cannot be asked.
        """
        return self.is_final or self._has_left(see_members(self._now(), self._pki))

    def _has_left(self, members: Members) -> bool:
        """Return whether an old control plane has left etcd: its VM may still be there."""
        return self.is_final or have_left(self._names, members)

    def is_done(self) -> bool:
        """Whether all old control planes are gone, and all of them replaced."""
        return not self._left() and len(self._made()) >= len(self._names)

    def check(self) -> None:
        """Refuse what cannot be finished, before anything is changed.

        Raises:
            CseError: the script of the last new control plane, the longest, would be too long.
        """
        self._machines.new_successor(self._names)

    def steps(self) -> list[Step]:
        """Return the steps in order."""
        release, item = self._operation.release, self._resolved.template.item
        steps = [
            Step(
                f"Let nodes join with Kubernetes {release}",
                f"Set the Kubernetes version in kubeadm's configuration to {release}.",
                lambda: self._raised or not self._left(),
                self._raise,
            )
        ]
        for number, name in enumerate(self._names, start=1):
            title = f"Replace the control plane {name}"
            sentence = (
                f"{title}: create one from '{item}', wait until it is Ready and a voting member of"
                f" etcd, then drain {name}, remove it from etcd, and delete its VM and its node."
            )
            steps.append(self._step(title, sentence, name, number))
        steps.append(
            Step(
                "Upgrade CoreDNS and kube-proxy",
                f"Wait until kubeadm has upgraded CoreDNS and kube-proxy to those of {release}.",
                lambda: self._finished,
                self._finish,
            )
        )
        return steps

    def look(self) -> None:
        """Read the vApp again, once nothing is changing it any more."""
        self._machines.refresh_when_quiet()

    # The steps

    def _step(self, title: str, sentence: str, name: str, number: int) -> Step:
        return Step(
            title,
            sentence,
            lambda: name not in self._left() and len(self._made()) >= number,
            lambda: self._replace(name, number),
        )

    def _raise(self) -> None:
        with self._api() as api:
            kubeadm_config.write_release(api, self._operation.release)
        self._raised = True

    def _replace(self, name: str, number: int) -> None:
        began = self._clock.monotonic()
        machines = self._machines
        machines.refresh_when_quiet()
        if len(self._made()) < number:
            self._clear_etcd()
            last = number == len(self._names)
            machines.make_successor(self._names if last else ())
        stopped = [vm for vm in self._made() if not vm.is_on]
        if stopped:
            machines.start(stopped)
        made = [vm.name for vm in self._made()]
        await_ready(self._cluster.vcd, machines, progress=self._progress, names=made)
        self._await_votes(made)
        self._seal()
        if name in self._left():
            self._leave(name)
        machines.refresh()
        self.took.append(self._clock.monotonic() - began)

    def _clear_etcd(self) -> None:
        """Remove members that an earlier join left behind: no other could join."""
        cluster = self._now()
        members = see_members(cluster, self._pki)
        strays = members.strays(cluster.control_planes)
        if strays:
            with open_etcd(cluster, self._pki, node=members.asked, host=members.host) as etcd:
                for stray in strays:
                    etcd.remove(stray.id)

    def _await_votes(self, names: Sequence[str]) -> None:
        """Wait until these control planes are voting members of etcd whose API servers answer."""
        limit = min(self._machines.deadline, self._clock.monotonic() + _VOTES_WITHIN)
        for pause in polling(self._clock):
            members = see_members(self._now(), self._pki)
            voting = {one.name for one in members.voters} & {*members.answering}
            absent = [name for name in names if name not in voting]
            if not absent:
                return
            if self._clock.monotonic() >= limit:
                raise TimedOut(
                    f"{', '.join(absent)} is Ready, but is not a voting member of etcd whose API"
                    " server answers."
                )
            self._clock.sleep(pause)

    def _seal(self) -> None:
        """Take the CA key out of VCD again where the cluster is sealed: it was in the scripts."""
        if not self._cluster.metadata.get(footprint.SEALED):
            return
        for vm in self._made():
            write = partial(
                self._cluster.vcd.write_customization_script,
                vm.href,
                stored_scripts.sealed_script(),
            )
            self._machines.change(write)

    def _leave(self, name: str) -> None:
        remove_control_plane(
            self._cluster,
            self._pki,
            name,
            leaving=(name,),
            force=self._force,
            deadline=self._machines.deadline,
            clock=self._clock,
            progress=self._progress,
        )

    def _finish(self) -> None:
        """Delete Nodes that an earlier run has left, and wait for kubeadm's last work."""
        made = {vm.name for vm in self._made()}
        limit = min(self._machines.deadline, self._clock.monotonic() + _UPLOADS_WITHIN)
        with self._api() as api:
            present = {node.name for node in api.nodes()}
            for name in self._names:
                if name in present:
                    delete_node(api, name)
            for pause in polling(self._clock):
                reports = [one for one in api.bootstrap_reports().values() if one.node in made]
                for report in reports:
                    if report.status == "failed":
                        raise GuestFailed(
                            f"Node '{report.node}' could not upgrade CoreDNS and kube-proxy.",
                            node=report.node,
                            phase=report.phase,
                            log=report.log,
                        )
                if len(reports) == len(made) and all(one.status == "ready" for one in reports):
                    break
                if self._clock.monotonic() >= limit:
                    waiting = sorted(made - {r.node for r in reports if r.status == "ready"})
                    raise TimedOut(
                        f"{', '.join(waiting)} has not upgraded CoreDNS and kube-proxy in time."
                    )
                self._clock.sleep(pause)
        cluster = self._now()
        keep_separate(cluster.vcd, cluster.vdc, cluster.vapp, self._progress)
        self._finished = True

    # What is there

    def _now(self) -> ExistingCluster:
        return self._cluster.reread()

    def _made(self) -> list[Vm]:
        return [
            vm
            for vm in self._machines.marked()
            if node_kind(vm.name) == CONTROL_PLANE and vm.status not in BROKEN
        ]

    def _left(self) -> list[str]:
        present = set(self._machines.names())
        return [name for name in self._names if name in present]

    def _api(self, without: Sequence[str] = ()) -> ClusterAPI:
        """Return the API of a control plane that answers, at its own address."""
        members = see_members(self._now(), self._pki, without=without)
        access = admin_credentials(self._pki, members.host, self._cluster.session)
        return ClusterAPI(access, timeout=API_TIMEOUT)

    # The way back

    def withdraw(self, error: CseError) -> bool:
        """Remove new control planes that do not serve; return whether it is all as before.

        What was done, or not, is in notes under `error`.
        """
        if out_of_reach(error) or not self._rollback:
            return False
        removed: list[str] = []
        past: list[bool] = []

        def remove() -> None:
            self._machines.deadline = self._clock.monotonic() + ROLLBACK_SECONDS
            self._machines.refresh_when_quiet()
            failed = error.node if isinstance(error, GuestFailed) else ""
            members = see_members(self._now(), self._pki)
            past.append(self._has_left(members))
            doomed = failed_heads(self._new(), members, failed, past=past[0])
            removed.extend(vm.name for vm in doomed)
            self._remove(doomed, members, past=past[0])

        with bounds.afterwards(ROLLBACK_SECONDS):
            if not remove_made(remove, error, self._progress, advice=suggest.RESUME):
                return False
        if removed:
            error.notes.append(f"Removed the new control plane {', '.join(removed)}.")
        return not past[0] and not self._new()

    def plan_roll_back(self) -> list[str]:
        """Return what `roll_back` would do."""
        return [f"Remove the new control plane {vm.name}." for vm in self._new()]

    def roll_back(self) -> None:
        """Remove the new control plane, and let the old ones be as they were.

        Raises:
            CseError: that failed; it can be repeated.
        """
        self._machines.refresh_when_quiet()

        def remove() -> None:
            members = see_members(self._now(), self._pki)
            self._remove(self._new(), members, past=self._has_left(members))

        self._note("Remove the new control plane", remove)

    def _note(self, title: str, work: Callable[[], None]) -> None:
        self._progress(Event(EventKind.STARTED, title))
        try:
            work()
        except BaseException:
            self._progress(Event(EventKind.FAILED, title))
            raise
        self._progress(Event(EventKind.DONE, title))

    def _new(self) -> list[Vm]:
        return [vm for vm in self._machines.marked() if node_kind(vm.name) == CONTROL_PLANE]

    def _give_up_address(self, name: str, doomed: Sequence[str]) -> None:
        """Move the virtual address to an old control plane, if this one holds it."""
        cluster = self._now()
        if ask_api_servers(cluster, self._pki).holder != name:
            return
        with self._api(without=doomed) as api:
            for old in self._left():
                uncordon(api, old)
            cordon(api, name)
        hand_over(cluster, self._pki, name, clock=self._clock, progress=self._progress)

    def _remove(self, doomed: Sequence[Vm], members: Members, *, past: bool) -> None:
        """Take new control planes out of etcd, VCD and Kubernetes; the old ones take over.

        `past`: an old one has left for good, so new nodes keep joining with the new release. One
        that is not a member of etcd any more stays cordoned.
        """
        names = [vm.name for vm in doomed]
        for vm in doomed:
            self._give_up_address(vm.name, names)
            remove_member(self._now(), self._pki, vm.name, vm.ip)
        self._machines.remove(doomed)
        left = {*self._left()} & {one.name for one in members.voters}
        with self._api(without=names) as api:
            for name in names:
                delete_node(api, name)
            for node in api.nodes():
                if node.name in left and node.unschedulable:
                    uncordon(api, node.name)
            if not past:
                kubeadm_config.write_release(api, self._operation.before_release)
