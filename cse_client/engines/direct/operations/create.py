"""Creating a cluster in a constant number of VCD tasks, whatever the number of nodes.

On the critical path: compose the vApp with all its VMs, and when they are Ready the final record.
The workers' scripts need the control plane's address, so it is chosen beforehand from the free ones
of the network's pool. The vApp is tagged, and its lease changed, while the VMs boot.

Where the free addresses cannot be read, VCD chooses as part of a recompose: compose the vApp, tag
it, one recompose with the control plane VM, and one with all workers, which are cloned while the
control plane initializes. When sizes differ from the template's, these VMs are made powered
off in one recompose, changed in a second and started together. An interrupted creation is finished
in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.engines.direct.deletion import DeletedMeanwhile, noticing_deletion
from cse_client.engines.direct.describe import describe_cluster
from cse_client.engines.direct.evidence import Verdict
from cse_client.engines.direct.lock import ClusterLock
from cse_client.engines.direct.machines import Machines
from cse_client.engines.direct.metadata import initial_metadata, options_digest
from cse_client.engines.direct.operations.composition import (
    AddressesRefused,
    compose,
    compose_with_vms,
    withdraw,
)
from cse_client.engines.direct.operations.delete import delete_vapp
from cse_client.engines.direct.operations.failure import (
    CLAIM_WITHOUT_WAITING,
    ROLLBACK_SECONDS,
    after_failure,
    remove_made,
)
from cse_client.engines.direct.operations.lease import LeaseChange
from cse_client.engines.direct.operations.plan import Step, carry_out
from cse_client.engines.direct.operations.seal import seal_cluster
from cse_client.engines.direct.operations.vm_steps import (
    remaining_steps,
    virtual_sentence,
    whole_sentence,
    whole_title,
)
from cse_client.engines.direct.quiet import quiet_vapp
from cse_client.engines.direct.resolved import Resolved
from cse_client.engines.direct.seen_machines import BROKEN
from cse_client.engines.direct.separation import drop_separation, keep_separate
from cse_client.engines.direct.waiting import await_ready
from cse_client.errors import (
    Conflict,
    CseError,
    NotFinished,
    SessionInvalid,
)
from cse_client.model import (
    Cluster,
    Event,
    EventKind,
    Progress,
    RunOptions,
    Session,
    footprint,
    silent,
)
from cse_client.model.footprint import describe
from cse_client.plurals import counted, noun
from cse_client.vcd.reservations import address_record

if TYPE_CHECKING:
    from cse_client.engines.direct.operations.incoming import Incoming
    from cse_client.vcd.client import VcdClient

__all__ = ["Creation"]

_DOING = "creating it"


class Creation:
    """One run of `cluster create`, new or resumed."""

    def __init__(
        self,
        vcd: VcdClient,
        resolved: Resolved,
        options: RunOptions,
        session: Session,
        *,
        clock: Clock,
        progress: Progress = silent,
        incoming: Incoming | None = None,
    ) -> None:
        self._vcd = vcd
        self._incoming = incoming
        self._resolved = resolved
        self._options = options
        self._clock = clock
        self._progress = progress
        self._deadline = clock.monotonic() + bounds.share(options.timeout)
        self._metadata: dict[str, str] = dict(resolved.metadata)
        self._machines = Machines(
            vcd,
            session,
            resolved,
            cluster_id=resolved.cluster_id or str(uuid4()),
            clock=clock,
            deadline=self._deadline,
            vapp=resolved.vapp,
            stands=resolved.vapp is not None,
            snapshot=incoming.backup.awaited if incoming is not None else None,
        )
        self._lock = ClusterLock(
            vcd, session, name=resolved.spec.name, vdc_href=resolved.vdc.href, clock=clock
        )
        self._lease = LeaseChange(vcd, deadline=self._deadline, progress=progress)
        self._verdict: Verdict | None = None
        self._recorded = False
        # with an address of its own the API is where it is, wherever the control planes are
        self._why_in_two = "" if resolved.virtual.address else resolved.pool.why_not
        self.wrote_something = resolved.vapp is not None

    @property
    def resolved(self) -> Resolved:
        """What the cluster is made from."""
        return self._resolved

    def steps(self) -> list[Step]:
        """Return the steps in order; a dry run prints their sentences."""
        tag = Step(
            "Record the cluster",
            "Write the cluster's metadata to the vApp.",
            lambda: footprint.CLUSTER_ID in self._metadata,
            self._tag,
        )
        if self._machines.vapp is None and not self._why_in_two:
            steps = [self._whole_step(), tag]
        else:
            wait, why = self._options.wait, self._why_in_two
            more = remaining_steps(self._machines, wait=wait, why_in_two=why)
            steps = [self._empty_step(), tag, *more]
        if self._incoming is not None:
            steps += self._incoming.steps(self._machines)
        if self._options.wait:
            steps += self._final_steps()
        return steps

    def _whole_step(self) -> Step:
        machines = self._machines
        return Step(
            whole_title(self._resolved.spec),
            whole_sentence(self._resolved),
            lambda: machines.vapp is not None and machines.all_on(),
            self._compose_with_vms,
        )

    def _empty_step(self) -> Step:
        spec = self._resolved.spec
        return Step(
            "Create the vApp",
            f"Create vApp '{spec.name}' in VDC '{self._resolved.vdc.name}' on network"
            f" '{spec.network}'.{virtual_sentence(self._resolved)}",
            lambda: self._machines.vapp is not None,
            self._compose,
        )

    def _final_steps(self) -> list[Step]:
        nodes = self._resolved.spec.nodes
        return [
            Step(
                "Wait until all nodes are Ready",
                f"Wait until {counted(nodes, 'node')} {noun(nodes, 'is', 'are')} Ready in the"
                " cluster's own Kubernetes API.",
                lambda: self._verdict is not None,
                self._await_ready,
            ),
            Step(
                "Record that the cluster is ready",
                "Write the control plane's address and the phase to the metadata.",
                lambda: self._recorded,
                self._record_ready,
            ),
        ]

    def run(self) -> None:
        """Carry the plan out; on failure roll back, unless that is disabled.

        Raises what failed first; what the rollback could not remove is in its notes.
        """
        try:
            with self._noticing_deletion():
                self._claim_earlier()
                self._carry_out()
                if self._resolved.spec.seal and self._options.wait:
                    self._seal()
        except (NotFinished, KeyboardInterrupt):
            self._release()
            raise
        except (SessionInvalid, DeletedMeanwhile):
            raise
        except CseError as error:
            self._after_failure(error)
            raise
        finally:
            self._lock.release_local()

    def _carry_out(self) -> None:
        try:
            carry_out(self.steps(), self._progress, self._refresh)
        except AddressesRefused as refused:
            self._progress(
                Event(EventKind.WARNING, f"{refused.message} VCD chooses the address itself.")
            )
            self._why_in_two = refused.clause
            carry_out(self.steps(), self._progress, self._refresh)

    @property
    def has_vapp(self) -> bool:
        """Whether there is a vApp of this cluster, of this run or an earlier one."""
        return self._machines.vapp is not None

    def finished(self) -> bool:
        """Return whether the cluster is recorded as ready, also where no answer reported it."""
        if self._recorded or self._verdict is None:
            return self._recorded
        try:
            metadata = self._vcd.vapp_metadata(self._machines.href)
        except CseError:
            return False
        return metadata.get(footprint.PHASE) == footprint.PHASE_READY

    def _noticing_deletion(self) -> AbstractContextManager[None]:
        return noticing_deletion(
            self._vcd,
            self._resolved.spec.name,
            lambda: self._machines.href if self._machines.stands else "",
        )

    def _claim_earlier(self) -> None:
        """Keep everybody else off the name; claim the vApp of an earlier run before touching it."""
        self._lock.acquire_local()
        if self._machines.vapp is None:
            return
        self._lock.refuse_if_held(self._metadata, break_lock=self._options.break_lock)
        if footprint.CLUSTER_ID not in self._metadata and self._was_not_made():
            withdraw(self._vcd, self._machines)
            self._resolved = self._machines.resolved = replace(
                self._resolved, vapp=None, metadata={}
            )
            self._metadata = {}
            return
        self._claim()
        values = self._lock.ending_broken()
        if values:
            self._write(values)

    def _was_not_made(self) -> bool:
        """Wait until VCD has ended what an earlier run began; return whether it failed."""
        machines = self._machines
        machines.refresh_when_quiet()
        vapp = machines.vapp
        return vapp is not None and not vapp.running_tasks and vapp.status in BROKEN

    def _claim(self, first: Mapping[str, str] | None = None) -> None:
        """Claim the vApp: since it was read or made, nobody else may have changed it."""
        self._metadata = self._lock.claim(
            self._machines.href,
            self._resolved.metadata,
            doing=_DOING,
            deadline=self._deadline,
            seconds=None if self._options.wait else CLAIM_WITHOUT_WAITING,
            first=first,
            break_lock=self._options.break_lock,
        )

    def _release(self) -> None:
        if self._machines.vapp is not None:
            self._lock.release(self._machines.href, ended=True)

    def _refresh(self) -> None:
        """Read the vApp again, once nothing is changing it any more."""
        machines = self._machines
        if machines.vapp is not None:
            href = machines.vapp.href
        else:
            record = self._vcd.find_vapp(self._resolved.vdc, self._resolved.spec.name)
            if record is None:
                return
            href = record.href
        vapp = quiet_vapp(self._vcd, href, deadline=self._deadline)
        if machines.cluster_id in vapp.description:
            machines.vapp = vapp
            machines.stands = True
            self._metadata = self._vcd.vapp_metadata(href)

    def _compose(self) -> None:
        self.wrote_something = True
        compose(self._vcd, self._machines, self._description())

    def _compose_with_vms(self) -> None:
        self.wrote_something = True
        compose_with_vms(self._vcd, self._machines, self._description(), self._progress)

    def _description(self) -> str:
        resolved = self._resolved
        options = options_digest(resolved.spec, resolved.template)
        return describe(
            resolved.spec.name,
            self._machines.cluster_id,
            self._lock.owner,
            options,
            resolved.virtual.address,
        )

    def _tag(self) -> None:
        virtual = self._resolved.virtual
        values = initial_metadata(
            replace(self._resolved.spec, vip=virtual.address),
            self._resolved.template,
            self._machines.cluster_id,
            reservation=address_record(virtual.network_id, virtual.address),
        )
        if self._incoming is not None:
            values[footprint.RESTORE] = self._incoming.mark
        if self._lock.held:
            self._write(values)
        else:
            # a vApp without these is left alone by everybody else for a while, see `resolve`
            self._claim(values)

    def _write(self, values: dict[str, str]) -> None:
        self._machines.change(lambda: self._vcd.write_metadata(self._machines.href, values))
        self._metadata.update(values)

    def _await_ready(self) -> None:
        # the guests boot meanwhile, so nobody waits for it
        self._lease.ask(self._machines.href)
        if self._resolved.spec.control_planes > 1:
            self._machines.refresh()
            if self._machines.vapp is not None:
                keep_separate(self._vcd, self._resolved.vdc, self._machines.vapp, self._progress)
        self._verdict = await_ready(self._vcd, self._machines, progress=self._progress)

    def _record_ready(self) -> None:
        self._lease.wait()
        values = {footprint.PHASE: footprint.PHASE_READY}
        head = self._machines.head
        if head is not None and head.ip:
            values[footprint.CONTROL_PLANE_IP] = self._machines.api_address()
        seen = {node.name: node for node in self._verdict.nodes} if self._verdict else {}
        if head is not None and head.name in seen and seen[head.name].kubelet_version:
            values[footprint.KUBERNETES_VERSION] = seen[head.name].kubelet_version.lstrip("v")
        self._lock.end(self._machines.href, lambda ended: self._write({**values, **ended}))
        self._recorded = True

    def _seal(self) -> None:
        if self._machines.vapp is not None:
            seal_cluster(
                self._machines.existing(self._metadata),
                deadline=self._deadline,
                progress=self._progress,
            )

    # Failure

    def _after_failure(self, error: CseError) -> None:
        remove = suggest.cse("cluster delete", self._resolved.spec.name)
        if not self.wrote_something or isinstance(error, Conflict):
            # what somebody else is at work on is not ours to remove
            return
        after_failure(
            error,
            all_ready=self._verdict is not None,
            rollback=self._options.rollback,
            resume=f"Run the same command again to resume, or delete it: {remove}",
            kept=f"Kept for inspection as requested; remove it with `{remove}`",
            keep=self._release,
            roll_back=lambda: self._roll_back(error, advice=f"Try `{remove}`."),
        )

    def _roll_back(self, error: CseError, *, advice: str) -> None:
        if remove_made(self._remove_vapp, error, self._progress, advice=advice):
            error.notes.append("Everything that this command had made was removed.")

    def _remove_vapp(self) -> None:
        if self._machines.vapp is None:
            self._refresh()
        if self._machines.vapp is not None:
            deadline = self._clock.monotonic() + ROLLBACK_SECONDS
            drop_separation(self._vcd, self._resolved.vdc, self._machines.vapp, self._progress)
            delete_vapp(self._vcd, self._machines.href, deadline=deadline)

    def outcome(self) -> Cluster:
        """Return the cluster as it is known at the end of `run`."""
        verdict = self._verdict
        if verdict is not None:
            with self._noticing_deletion():
                self._machines.refresh()
        return describe_cluster(
            self._machines.existing(self._metadata),
            kube={n.name: n for n in verdict.nodes} if verdict and verdict.by_api else None,
            sources=verdict.sources if verdict else (),
        )
