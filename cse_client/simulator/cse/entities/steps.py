"""What a CSE server 3.x does behind its answers, for both forms of entity.

Source: container-service-extension 3.0.5:container_service_extension/def_/cluster_service.py and
3.1.4:container_service_extension/rde/backend/cluster_service_2_x.py: order of the steps, texts of
the task, what a failure leaves. Errors of making nodes and of scripts are rolled back; any other
leaves what there is, whatever the spec says.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from cse_client.simulator.cse import upgrades
from cse_client.simulator.cse.calls import VcdCalls, VcdRefused
from cse_client.simulator.cse.clusters import CONTROL_PLANE, NFS, WORKER, address_of, vms_of
from cse_client.simulator.cse.entities.forms import Form, Group, Node, Wish
from cse_client.simulator.cse.lifecycle import Lifecycle, NodesNotMade, NodesWanted, StepFailed
from cse_client.simulator.cse.templates import KnownTemplate, cluster_tags
from cse_client.simulator.cse.work import Work
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.defined import DefinedEntity
from cse_client.simulator.vcd.vapps import VApp, Vm

__all__ = ["EntitySteps", "Job", "vapp_of"]

#: Between the end of a 3.0 task and the entity that shows it the server makes some requests.
_LATE_SECONDS = 0.2


@dataclass(frozen=True)
class Job:
    """Work on one entity with the rights of a caller."""

    entity: DefinedEntity
    vcd: VcdCalls
    work: Work

    @property
    def tag(self) -> str:
        """The cluster as the task's texts name it."""
        return f"'{self.entity.name}' ({self.entity.id})"


def vapp_of(cloud: Cloud, entity: DefinedEntity) -> VApp | None:
    """Return the vApp that an entity points at."""
    return cloud.vapps.get((entity.external_id or "").rpartition("vapp-")[2])


class EntitySteps:
    """The steps of each operation; they return the task's last text, or raise."""

    def __init__(self, cloud: Cloud, form: Form, version: str) -> None:
        self.cloud = cloud
        self.form = form
        self.version = version
        self.lifecycle = Lifecycle(cloud)

    # The entity

    def mark(self, entity: DefinedEntity, phase: str, href: str | None = None) -> None:
        """Write the phase."""
        with self.cloud.lock:
            self.form.mark(entity.entity, phase, href)
            entity.revision += 1

    def sync(self, entity: DefinedEntity) -> None:
        """Write the nodes that the vApp really has; without a vApp nothing changes."""
        with self.cloud.lock:
            vapp = vapp_of(self.cloud, entity)
            if vapp is None:
                return
            kinds = (CONTROL_PLANE, WORKER, NFS)
            found = {kind: vms_of(vapp, kind) for kind in kinds}
        # NFS nodes are asked inside, which must not happen under the lock.
        nodes = {kind: [self._node(vapp, vm) for vm in found[kind]] for kind in kinds}
        with self.cloud.lock:
            self.form.show_nodes(entity.entity, nodes)
            entity.revision += 1

    def _node(self, vapp: VApp, vm: Vm) -> Node:
        policies = {one.id: one.name for one in vapp.vdc.policies}
        return Node(
            name=vm.name,
            ip=address_of(vm) or None,
            sizing_class=policies.get(vm.sizing_policy_id),
            exports=tuple(self.lifecycle.exports(vm)) if vm.name.startswith(NFS) else (),
            storage_profile=self.cloud.profile_of(vm, vapp.vdc),
            cpu=vm.cpus,
            memory=vm.memory_mb,
        )

    # Create

    def create(self, job: Job, wish: Wish, template: KnownTemplate) -> str:
        """Make the cluster that an entity asks for."""
        vdc = next((one for one in self.cloud.vdcs.values() if one.name == wish.vdc), None)
        if vdc is None:
            raise VcdRefused(f"VDC '{wish.vdc}' not found")
        job.work.report(f"Creating cluster vApp {wish.name} ({job.entity.id})")
        try:
            self._build(job, wish, template)
        except StepFailed:
            if wish.rollback:
                self._roll_back(job, wish)
            raise
        with self.cloud.lock:
            self.form.mark(job.entity.entity, "CREATE:SUCCEEDED")
            job.entity.resolve()
            if job.entity.creation is not None:
                self.cloud.tasks.end_foreign(job.entity.creation)
        return f"Created cluster {job.tag}"

    def _build(self, job: Job, wish: Wish, template: KnownTemplate) -> None:
        vcd, report = job.vcd, job.work.report
        (vdc,) = (one for one in self.cloud.vdcs.values() if one.name == wish.vdc)
        try:
            vapp = self.lifecycle.compose(vcd, vdc, wish.name, wish.network)
        except VcdRefused as error:
            raise StepFailed(f"Error while creating vApp: {error}") from error
        self.lifecycle.tag(vcd, vapp, cluster_tags(template, job.entity.id, self.version))
        report(f"Creating control plane node for cluster {job.tag}")
        head = _wanted(CONTROL_PLANE, wish.control_plane, template, wish)
        self._nodes(job, vapp, head, "adding control plane")
        report(f"Initializing cluster {job.tag}")
        address = self.lifecycle.initialize(vapp, template)
        self.lifecycle.tag(vcd, vapp, {"cse.master.ip": address})
        count = wish.workers.count
        report(f"Creating {count} node(s) for cluster {job.tag}")
        workers = _wanted(WORKER, wish.workers, template, wish)
        self._nodes(job, vapp, workers, "creating worker")
        report(f"Adding {count} node(s) to cluster {job.tag}")
        self.lifecycle.join(vapp, template)
        if wish.nfs.count:
            report(f"Creating {wish.nfs.count} NFS nodes for cluster {job.tag}")
            self._nodes(job, vapp, _wanted(NFS, wish.nfs, template, wish), "creating NFS")
        report(f"Updating cluster `{wish.name}` ({job.entity.id}) defined entity")
        with self.cloud.lock:
            job.entity.external_id = f"{vcd.api}/vApp/vapp-{vapp.id}"
        self.sync(job.entity)

    def _nodes(self, job: Job, vapp: VApp, wanted: NodesWanted, doing: str) -> None:
        try:
            self.lifecycle.add_nodes(job.vcd, vapp, wanted)
        except NodesNotMade as error:
            raise StepFailed(f"Error {doing} node: {error}") from error

    def _roll_back(self, job: Job, wish: Wish) -> None:
        job.work.report(f"Error creating cluster '{wish.name}'. Deleting cluster (rollback=True)")
        vapp = self._by_name(wish)
        if vapp is not None:
            self.lifecycle.remove_vapp(job.vcd, vapp)
        with self.cloud.lock:
            job.entity.resolve()
            self.cloud.defined.remove(job.entity)

    def _by_name(self, wish: Wish) -> VApp | None:
        """Find a vApp as the server does before it deletes one: by name and VDC alone."""
        with self.cloud.lock:
            return next(
                (
                    one
                    for one in self.cloud.vapps.values()
                    if one.name == wish.name and one.vdc.name == wish.vdc
                ),
                None,
            )

    # Resize

    def resize(self, job: Job, wish: Wish) -> str:
        """Add workers and NFS nodes first, then take the last workers away."""
        vapp = self._vapp(job)
        workers, nfs = self.form.counts(job.entity.entity)
        more, more_nfs = wish.workers.count - workers, wish.nfs.count - nfs
        if more > 0 or more_nfs > 0:
            template = self._template(job)
            if more > 0:
                wanted = _wanted(WORKER, _of(wish.workers, more), template, wish)
                self._add(job, vapp, wanted, wish)
            if more_nfs > 0:
                wanted = _wanted(NFS, _of(wish.nfs, more_nfs), template, wish)
                self._add(job, vapp, wanted, wish)
        if more < 0:
            names = [vm.name for vm in vms_of(vapp, WORKER)][more:]
            job.work.report(f"Draining {len(names)} node(s) from cluster {job.tag}: {names}")
            self.lifecycle.drain(vapp, names)
            job.work.report(f"Deleting {len(names)} node(s) from cluster {job.tag}: {names}")
            self.lifecycle.remove_nodes(job.vcd, vapp, names)
        return (
            f"Resized the cluster {job.tag} to the desired worker count {wish.workers.count} and"
            f" nfs count {wish.nfs.count}"
        )

    def _add(self, job: Job, vapp: VApp, wanted: NodesWanted, wish: Wish) -> None:
        what = "nfs node(s)" if wanted.kind == NFS else "workers"
        job.work.report(
            f"Creating {wanted.count} {what} from template '{wanted.template.name}' (revision"
            f" {wanted.template.revision}); adding to cluster {job.tag}"
        )
        try:
            names = self.lifecycle.add_nodes(job.vcd, vapp, wanted)
            if wanted.kind == WORKER:
                job.work.report(f"Adding {wanted.count} node(s) to cluster {job.tag}")
                self.lifecycle.join(vapp, wanted.template, names)
        except NodesNotMade as error:
            there = [name for name in error.names if vapp.vm_named(name) is not None]
            if wish.rollback and there:
                self.lifecycle.remove_nodes(job.vcd, vapp, there)
            raise

    def _template(self, job: Job) -> KnownTemplate:
        from cse_client.simulator.cse.templates import template_of

        return template_of(self.cloud, *self.form.template(job.entity.entity))

    # The rest

    def delete(self, job: Job, wish: Wish) -> str:
        """Delete the vApp, found by name in its VDC; nothing is drained."""
        job.work.report(f"Deleting cluster '{wish.name}'")
        vapp = self._by_name(wish) if job.entity.external_id else None
        if vapp is None:
            return f"VApp for cluster {wish.name} ({job.entity.id}) not present"
        self.lifecycle.remove_vapp(job.vcd, vapp)
        return f"Deleted cluster '{wish.name}'"

    def delete_nfs(self, job: Job, name: str) -> str:
        """Delete one node; nothing looks whether it is an NFS node."""
        job.work.report(f"Deleting 1 node(s) from cluster {job.tag}: ['{name}']")
        self.lifecycle.remove_nodes(job.vcd, self._vapp(job), [name])
        return f"Deleted the ['{name}'] nodes  from cluster {job.tag}"

    def upgrade(self, job: Job, target: KnownTemplate) -> str:
        """Exchange the software of every node."""
        vapp = self._vapp(job)
        text = upgrades.carry_out(self.lifecycle, job.vcd, vapp, target, job.work.report)
        with self.cloud.lock:
            self.form.show_software(job.entity.entity, target)
        return text

    def settle(self, job: Job, operation: str, *, late: bool = False) -> None:
        """Write the outcome of a change: the nodes there are, the phase.

        `late`: the task has been ended already, as 3.0 does with a resize.
        """
        if late:
            time.sleep(_LATE_SECONDS)
        self.sync(job.entity)
        self.mark(job.entity, f"{operation}:SUCCEEDED")

    def fail(self, job: Job, operation: str) -> None:
        """Write that an operation failed, unless its entity is gone."""
        if job.entity.id not in self.cloud.defined.entities:
            return
        self.sync(job.entity)
        self.mark(job.entity, f"{operation}:FAILED")
        with self.cloud.lock:
            if operation == "CREATE":
                job.entity.resolve()

    def _vapp(self, job: Job) -> VApp:
        vapp = vapp_of(self.cloud, job.entity)
        if vapp is None:
            raise StepFailed("VApp initialization failed as arguments are either invalid or None")
        return vapp


def _of(group: Group, count: int) -> Group:
    return Group(count, group.sizing_class, group.storage_profile, group.cpu, group.memory)


def _wanted(kind: str, group: Group, template: KnownTemplate, wish: Wish) -> NodesWanted:
    return NodesWanted(
        kind=kind,
        count=group.count,
        template=template,
        network=wish.network,
        cpu=group.cpu,
        memory=group.memory,
        storage_profile=group.storage_profile,
        sizing_policy=group.sizing_class,
        ssh_key=wish.ssh_key,
    )
