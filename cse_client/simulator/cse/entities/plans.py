"""The checks before each operation, and what it then does, for both forms of entities."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from cse_client.simulator.cse import upgrades
from cse_client.simulator.cse.entities.forms import Form, Wish
from cse_client.simulator.cse.entities.steps import EntitySteps, Job
from cse_client.simulator.cse.errors import failed
from cse_client.simulator.cse.legacy import Caller
from cse_client.simulator.cse.templates import KnownTemplate, template_of
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.defined import RESOLVED, DefinedEntity

__all__ = ["Operation", "Plans"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,24}")


@dataclass(frozen=True)
class Operation:
    """A checked operation that can begin. `kind` is the first half of the phase."""

    kind: str
    text: str
    run: Callable[[Job], str]


class Plans:
    """Checks what is requested of a cluster and returns the operation for it."""

    def __init__(self, cloud: Cloud, form: Form, steps: EntitySteps) -> None:
        self._cloud = cloud
        self._form = form
        self._steps = steps

    def template_for(self, wish: Wish) -> KnownTemplate:
        """Return the wanted template; raises Refusal."""
        return template_of(self._cloud, wish.template_name, wish.template_revision)

    def creation(
        self, caller: Caller, wish: Wish, template: Callable[[], KnownTemplate]
    ) -> Operation:
        """Check a creation; raises Refusal."""
        if not isinstance(wish.name, str) or not _NAME.fullmatch(wish.name):
            raise failed(f"Invalid cluster name '{wish.name}'")
        with self._cloud.lock:
            for vapp in self._cloud.vapps.values():
                if (vapp.name, vapp.vdc.name) == (wish.name, wish.vdc) and self._cloud.visible(
                    vapp, caller.user
                ):
                    raise failed(f"Cluster '{wish.name}' already exists.")
        found = template()
        text = (
            f"Creating cluster '{wish.name}' from template '{found.name}' (revision"
            f" {found.revision})"
        )
        return Operation("CREATE", text, lambda job: self._steps.create(job, wish, found))

    def resize(self, entity: DefinedEntity, wish: Wish) -> Operation:
        """Check a resize; raises Refusal."""
        workers, nfs = self._form.counts(entity.entity)
        wanted, wanted_nfs = wish.workers.count, wish.nfs.count
        if wanted < 0:
            raise failed(f"Worker count must be >= 0 (received {wanted})")
        if wanted_nfs < nfs:
            raise failed("Scaling down nfs nodes is not supported")
        if (wanted, wanted_nfs) == (workers, nfs):
            raise failed(
                f"Cluster '{entity.name}' already has {wanted} workers and {wanted_nfs} nfs nodes."
            )
        self._refuse_busy(entity, "resized. Please contact the administrator")
        text = (
            f"Resizing the cluster '{entity.name}' ({entity.id}) to the desired worker count"
            f" {wanted} and nfs count {wanted_nfs}"
        )
        return Operation("UPDATE", text, lambda job: self._steps.resize(job, wish))

    def upgrade(self, entity: DefinedEntity, wish: Wish) -> Operation:
        """Check an upgrade; raises Refusal."""
        self._refuse_busy(entity, "upgraded. Please contact administrator.")
        name, revision = wish.template_name, str(wish.template_revision)
        for target in self.targets(entity):
            if (target.name, str(target.revision)) == (name, revision):
                break
        else:
            raise failed(
                f"Specified template/revision ({name} revision {revision}) is not a valid upgrade"
                f" target for cluster '{entity.name}'."
            )
        text = (
            f"Upgrading cluster '{entity.name}' software to match template {name} (revision"
            f" {revision}): Kubernetes: -> {target.kubernetes_version}, Docker-CE: ->"
            f" {target.docker_version}, CNI: -> {target.cni_version}"
        )
        return Operation("UPGRADE", text, lambda job: self._steps.upgrade(job, target))

    def deletion(self, entity: DefinedEntity) -> Operation:
        """Check a deletion; raises Refusal."""
        if self.is_busy(entity):
            raise failed(
                f"Cluster {entity.name} with id {entity.id} is not in a valid state to be"
                " deleted. Please contact administrator."
            )
        wish = self._form.wish(entity.entity)
        text = f"Deleting cluster '{entity.name}' ({entity.id})"
        return Operation("DELETE", text, lambda job: self._steps.delete(job, wish))

    def nfs_deletion(self, entity: DefinedEntity, name: str) -> Operation:
        """Nothing is checked before."""
        text = f"Deleting {name} node(s) from cluster '{entity.name}' ({entity.id})"
        return Operation("UPDATE", text, lambda job: self._steps.delete_nfs(job, name))

    def is_busy(self, entity: DefinedEntity) -> bool:
        """Return whether an operation goes on."""
        return self._form.phase(entity.entity).endswith(":IN_PROGRESS")

    def _refuse_busy(self, entity: DefinedEntity, text: str) -> None:
        if entity.state != RESOLVED or self.is_busy(entity):
            raise failed(
                f"Cluster {entity.name} with id {entity.id} is not in a valid state to be {text}"
            )

    def targets(self, entity: DefinedEntity) -> list[KnownTemplate]:
        """Return the templates that a cluster can be upgraded to."""
        name, revision = self._form.template(entity.entity)
        facts = {"template_name": name, "template_revision": revision}
        return upgrades.targets(self._cloud, facts)
