"""Restoring a cluster from a backup: a new control plane at the old one's address.

The new VM has the old one's name, address and keys, so that workers, kubeconfigs and certificates
know it. Its script waits for etcd's snapshot on the API server's port (`kube.upload`), restores it
and initializes the control plane on it. Of several control planes all are removed and the first is
made so; the others join it as new ones.

Killed in between, the same command resumes: the VMs that a restore made carry its mark, which is
in the metadata until it has ended.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.engines.direct.credentials import API_TIMEOUT, PROBE_TIMEOUT, admin_credentials
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.in_place_record import no_record
from cse_client.engines.direct.machines import Machines
from cse_client.engines.direct.members import see_members
from cse_client.engines.direct.operations.plan import Step, carry_out
from cse_client.engines.direct.operations.power import heard_since
from cse_client.engines.direct.operations.seal import seal_cluster
from cse_client.engines.direct.removal import remove_vms
from cse_client.engines.direct.resolve import resolve_growth
from cse_client.engines.direct.resolved import Resolved
from cse_client.engines.direct.restorable import (
    Restorable,
    read_restorable,
    refuse_other,
    refuse_release,
)
from cse_client.engines.direct.sending import SnapshotSender, has_failed
from cse_client.engines.direct.upgrade_record import new_template
from cse_client.engines.direct.waiting import await_nodes
from cse_client.errors import CseError, Interrupted, NotFinished, Refused
from cse_client.kube.api import ClusterAPI
from cse_client.kube.drain import delete_node, delete_pods
from cse_client.model import (
    KubeNode,
    Progress,
    RunOptions,
    Template,
    Vm,
    footprint,
    node_kind,
    silent,
)
from cse_client.model.backups import RestorePlan
from cse_client.model.nodes import NodesSpec
from cse_client.plurals import counted, noun
from cse_client.reports import parse_guestinfo
from cse_client.vcd import tasks

if TYPE_CHECKING:
    from pathlib import Path

    from cse_client.model.backups import BackupKey, RestoredSpec
    from cse_client.vcd.tasks import Task

__all__ = ["Restoration", "prepare_restoration"]


class Restoration:
    """One run of `cluster restore` of an existing cluster, new or resumed.

    Afterwards it has as many control planes as `resolved` says, but at least one. A template that
    `is_chosen` becomes the cluster's.
    """

    def __init__(
        self,
        cluster: ExistingCluster,
        backup: Restorable,
        resolved: Resolved,
        options: RunOptions,
        *,
        clock: Clock,
        progress: Progress,
        is_chosen: bool = False,
    ) -> None:
        self._cluster = cluster
        self._is_chosen = is_chosen
        self._backup = backup
        self._resolved = resolved
        self._clock = clock
        self._progress = progress
        self._deadline = clock.monotonic() + bounds.share(options.timeout)
        self._began = clock.monotonic()
        self._done: set[str] = set()
        self._bootstrapped = False
        begun = cluster.metadata.get(footprint.RESTORE, "")
        if not begun.startswith(backup.mark) or has_failed(self._marked(begun)):
            begun = f"{backup.mark} {secrets.token_hex(4)}]"
        self.mark = begun

    def check(self) -> None:
        """Refuse what cannot be restored; nothing was changed.

        Raises:
            Refused: the template does not fit, or there is no virtual address for several control
                planes.
        """
        backup = self._backup
        refuse_release(backup, self._resolved.template)
        if backup.heads > 1 and not self._resolved.virtual.address:
            raise Refused(
                f"The backup {backup.path} is of a cluster with {backup.heads} control planes, and"
                f" no virtual address of cluster '{self._cluster.name}' is recorded; nothing was"
                " changed."
            )

    def run(self) -> None:
        """Carry it out, and wait until every node is Ready again."""
        name = self._cluster.name
        try:
            carry_out(self._steps(), self._progress, self._look)
        except KeyboardInterrupt:
            raise Interrupted(
                f"Interrupted; cluster '{name}' is not restored yet.", hint=suggest.RESUME
            ) from None
        except NotFinished:
            raise
        except CseError as error:
            error.notes.append(f"Cluster '{name}' is not restored yet. {suggest.RESUME}")
            raise

    def plan(self) -> RestorePlan:
        """Return what is to be done, and what it does not bring back."""
        return RestorePlan(
            tuple(step.sentence for step in self._steps() if not step.done()),
            (
                f"what was changed in the cluster since {self._backup.created}",
                "the data of persistent volumes",
                "files on control plane VMs",
            ),
        )

    def ending(self) -> dict[str, str]:
        """Return the metadata to write once the cluster is restored."""
        metadata = self._cluster.metadata
        upgrade = no_record() if footprint.IN_PLACE in metadata else {}
        new = new_template(metadata, self._resolved.template) if self._is_chosen else {}
        return {footprint.RESTORE: "-", **upgrade, **new}

    def _steps(self) -> list[Step]:
        several = self.heads > 1
        others = counted(self.heads - 1, "more control plane")
        steps = [
            Step(
                f"Remove the old control plane {noun(len(self._old()), 'VM')}",
                f"Delete {', '.join(vm.name for vm in self._old())}, whatever runs there.",
                lambda: not self._old(),
                self._remove,
            ),
            Step(
                f"Create the control plane VM {self._backup.node}",
                f"Create the control plane VM {self._backup.node} from the template"
                f" '{self._resolved.template.item}', at {self._where()}.",
                lambda: (new := self._new()) is not None and new.is_on,
                self._create,
            ),
            self._step("Send etcd's snapshot to the new control plane", self._send),
            self._step(f"Wait until {self._backup.node} is Ready", self._await_head),
            self._step(
                "Bring the workers to the restored control plane",
                self._tidy,
                "Delete Kubernetes nodes without a VM, and restart workers that the backup does not"
                " know.",
            ),
        ]
        if several:
            steps.append(
                Step(
                    f"Create {others}",
                    f"Create {others}, one after the other.",
                    lambda: self._machines().missing_heads() == 0,
                    self._create_others,
                )
            )
        steps.append(self._step("Wait until all nodes are Ready", self._await_ready))
        if several:
            steps.append(self._step("Check the members of etcd", self._check_members))
        if self._cluster.metadata.get(footprint.SEALED):
            steps.append(self._step("Seal the cluster again", self._seal))
        return steps

    def _step(self, title: str, run: Callable[[], None], sentence: str = "") -> Step:
        """Return a step that each run takes once: what it does may be repeated."""

        def once() -> None:
            run()
            self._done.add(title)

        return Step(title, sentence or f"{title}.", lambda: title in self._done, once)

    def _where(self) -> str:
        virtual = self._resolved.virtual.address
        return (
            f"the virtual address {virtual}" if virtual else f"the address {self._backup.address}"
        )

    @property
    def heads(self) -> int:
        """How many control planes there are afterwards."""
        return max(1, self._resolved.spec.control_planes)

    def _look(self) -> None:
        self._cluster = self._cluster.reread()

    def _marked(self, mark: str) -> Vm | None:
        planes = (vm for vm in self._cluster.control_planes if mark and mark in vm.description)
        return next((vm for vm in planes if vm.name == self._backup.node), None)

    def _new(self) -> Vm | None:
        return self._marked(self.mark)

    def _old(self) -> list[Vm]:
        return [vm for vm in self._cluster.control_planes if self.mark not in vm.description]

    # The control planes

    def _remove(self) -> None:
        vcd, href = self._cluster.vcd, self._cluster.vapp.href
        remove_vms(vcd, href, self._old(), deadline=self._deadline)
        self._look()

    def _machines(self) -> Machines:
        return Machines.of(
            self._cluster,
            self._resolved,
            mark=self.mark,
            pki=self._backup.pki,
            clock=self._clock,
            deadline=self._deadline,
        )

    def _create(self) -> None:
        backup, machines, made = self._backup, self._machines(), self._new()
        if made is None:
            # a virtual address is where the cluster is known to be, and the old one may be taken
            address = "" if self._resolved.virtual.address else backup.address
            machines.make_restored_head(backup.node, address, backup.awaited)
        else:
            machines.start([made])
        self._look()

    def _create_others(self) -> None:
        self._machines().make_further_heads()
        self._look()

    def _send(self) -> None:
        SnapshotSender(
            self._backup,
            self._backup.pki,
            self._host,
            self._cluster.session,
            self._see_new,
            self._clock,
            self._deadline,
            self._progress,
        ).send()

    def _see_new(self) -> Vm | None:
        self._look()
        return self._new()

    @property
    def _host(self) -> str:
        spec, virtual = self._resolved.spec, self._resolved.virtual.address
        return spec.endpoint or virtual or self._backup.address

    def _check_members(self) -> None:
        voters = {one.name for one in see_members(self._cluster, self._backup.pki).voters}
        absent = [vm.name for vm in self._cluster.control_planes if vm.name not in voters]
        if absent:
            raise CseError(
                f"{', '.join(absent)} joined cluster '{self._cluster.name}', but is not a voting"
                " member of its etcd."
            )

    def _seal(self) -> None:
        self._look()
        seal_cluster(self._cluster, deadline=self._deadline, progress=silent, pki=self._backup.pki)

    # The nodes

    def _tidy(self) -> None:
        """Delete Nodes without a VM, and restart workers that the restored state does not know.

        A kubelet registers its Node only when it starts (kubernetes: pkg/kubelet,
        registerWithAPIServer). Pods that static manifests of vanished control planes left would
        lead those that join to members of etcd that do not exist any more.
        """
        vms = {vm.name: vm for vm in self._cluster.vapp.vms}
        with self._api(API_TIMEOUT) as api:
            names = {node.name for node in api.nodes()}
            for name in sorted(names - {*vms}):
                if node_kind(name):
                    delete_node(api, name)
                    delete_pods(api, name)
        self._restart([vm for vm in self._cluster.workers if vm.name not in names or not vm.is_on])

    def _restart(self, vms: Sequence[Vm]) -> None:
        vcd = self._cluster.vcd
        self._all([partial(vcd.undeploy, vm.href) for vm in vms if vm.deployed])
        self._all([partial(vcd.deploy, vm.href) for vm in vms])
        self._look()

    def _all(self, calls: Sequence[Callable[[], Task]]) -> None:
        vcd = self._cluster.vcd
        begun = [tasks.change(vcd, call, deadline=self._deadline) for call in calls]
        tasks.wait_all(vcd, begun, deadline=self._deadline)

    def _api(self, timeout: float = PROBE_TIMEOUT) -> ClusterAPI:
        access = admin_credentials(self._backup.pki, self._host, self._cluster.session)
        return ClusterAPI(access, timeout=timeout)

    def _heard(self, api: ClusterAPI) -> Callable[[], Sequence[KubeNode]]:
        """Return a reader of Nodes that believes only what was heard since the restore began.

        In the backup, every node is Ready. The control plane is a new machine, which reports at
        once; the workers were not restarted, and show by their Leases that they found it.
        """
        since_start = heard_since(api, self._began, self._clock)

        def read() -> Sequence[KubeNode]:
            nodes = {node.name: node for node in since_start()}
            start = api.now() - timedelta(seconds=self._clock.monotonic() - self._began)
            renewed = api.renewals()
            return [
                node
                if node.name != self._backup.node and _alive(node, renewed.get(node.name), start)
                else self._unless_at_work(nodes.get(node.name, node))
                for node in api.nodes()
            ]

        return read

    def _unless_at_work(self, node: KubeNode) -> KubeNode:
        """Return a Node, which is not Ready while the script of a new control plane is at work.

        Its kubelet finds the restored Node, and reports that it is Ready before kubeadm has ended.
        """
        if node.name != self._backup.node or self._bootstrapped:
            return node
        new = self._see_new()
        report = parse_guestinfo(new.name, new.guestinfo) if new and new.guestinfo else None
        if report is not None and report.status == "running":
            return replace(node, ready=None, reason="its bootstrap has not ended")
        self._bootstrapped = True
        return node

    def _await_head(self) -> None:
        self._await([self._backup.node])

    def _await_ready(self) -> None:
        self._await([vm.name for vm in self._cluster.vapp.vms if node_kind(vm.name)])

    def _await(self, names: Sequence[str]) -> None:
        with self._api() as api:
            await_nodes(
                self._cluster.vcd,
                self._cluster.vapp.href,
                names,
                api=api,
                kube_nodes=self._heard(api),
                clock=self._clock,
                deadline=self._deadline,
                progress=self._progress,
                restarted=True,
            )


def _alive(node: KubeNode, renewed: datetime | None, start: datetime) -> bool:
    """Return whether a node has shown since `start` that it runs."""
    seen = [when for when in (node.heard, renewed) if when is not None]
    return bool(seen) and max(seen) >= start


def prepare_restoration(
    cluster: ExistingCluster,
    wanted: RestoredSpec,
    path: Path,
    key: BackupKey,
    templates: Callable[[], Sequence[Template]],
    options: RunOptions,
    *,
    clock: Clock,
    progress: Progress,
) -> Restoration:
    """Read a backup to its end, and compare it with the cluster; nothing is changed.

    Raises:
        CseError: it cannot be opened, or is damaged.
        Refused: it is of another cluster, or no template fits.
    """
    backup = read_restorable(path, key)
    refuse_other(cluster, backup)
    workers = len(cluster.workers)
    heads = cluster.desired_heads if cluster.virtual_address else 1
    found = resolve_growth(
        cluster.vcd,
        cluster,
        NodesSpec(
            cluster.name,
            workers,
            cluster.vdc.name,
            cluster.vdc.org,
            template=wanted.template,
            template_revision=wanted.template_revision,
            accept_eulas=wanted.accept_eulas,
        ),
        workers,
        templates,
        progress,
        heads=heads if heads > 1 else 0,
        moving=f"Cluster '{cluster.name}' was created from it; to restore it with another one:"
        f" {suggest.again(template='NAME')}",
    )
    restoration = Restoration(
        *(cluster, backup, found, options),
        clock=clock,
        progress=progress,
        is_chosen=bool(wanted.template) or wanted.template_revision is not None,
    )
    restoration.check()
    return restoration
