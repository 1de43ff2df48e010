"""Operations on clusters that are entities: what is checked, what is begun, what is answered.

With RDE 1.0.0 (CSE 3.0) the server checks before it answers, and tells of the work by a task of
its own. With 2.x (CSE 3.1) VCD runs the behaviors that hang on the entity's life, whether the
change came through the server or through VCD's own API; all but the payload is checked inside the
task.

Source: container-service-extension 3.0.5:container_service_extension/def_/cluster_service.py,
request_handlers/v35/def_cluster_handler.py; 3.1.4:container_service_extension/server/
behavior_handler.py, server/request_handlers/cluster_handler.py, rde/backend/cluster_service_2_x.py.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cse_client.simulator.cse import upgrades
from cse_client.simulator.cse.calls import VcdCalls
from cse_client.simulator.cse.entities.forms import Form, Wish
from cse_client.simulator.cse.entities.steps import EntitySteps, Job, vapp_of
from cse_client.simulator.cse.errors import Refusal, failed
from cse_client.simulator.cse.legacy import Caller
from cse_client.simulator.cse.lifecycle import StepFailed
from cse_client.simulator.cse.templates import KnownTemplate, template_of
from cse_client.simulator.cse.work import Work
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.defined import (
    FULL_CONTROL,
    READ_ONLY,
    READ_WRITE,
    RESOLVED,
    DefinedEntity,
    EntityType,
)
from cse_client.simulator.vcd.documents.defined import entity_document
from cse_client.simulator.vcd.errors import VcdError
from cse_client.simulator.vcd.openapi import flatten

__all__ = ["EntityClusters", "Operation", "differences"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,24}")
_BAD_REQUEST = 400


@dataclass(frozen=True)
class Operation:
    """Something checked and ready to be begun. `kind` is the first half of the phase."""

    kind: str
    text: str
    run: Callable[[Job], str]


class EntityClusters:
    """The checks of both forms, and the operations of RDE 1.0.0."""

    def __init__(self, cloud: Cloud, form: Form, kind: EntityType, version: str) -> None:
        self.cloud = cloud
        self.form = form
        self.kind = kind
        self.version = version
        self.steps = EntitySteps(cloud, form, version)

    # ---- reading ------------------------------------------------------------------------------

    def find(self, caller: Caller, identifier: str, level: str = READ_ONLY) -> DefinedEntity:
        """Return an entity; raises Refusal 500 with VCD's text."""
        try:
            with self.cloud.lock:
                return self.cloud.defined.find(identifier, caller.user, level)
        except VcdError as error:
            raise failed(error.message) from error

    def document(self, entity: DefinedEntity, task_href: str | None = None) -> dict[str, Any]:
        """Return an entity as the server shows it, with a task that it may not know itself yet."""
        with self.cloud.lock:
            shown = copy.deepcopy(entity_document(entity))
        shown.pop("message", None)
        if task_href is not None:
            self.form.mark(shown["entity"], self.form.phase(shown["entity"]), task_href)
        return shown

    def listed(self, caller: Caller, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the entities that pass the filters, by name.

        Raises:
            Refusal: a filter that VCD does not know.
        """
        known = ("id", "name", "externalId", "entityType", "entity", "state")
        for name in filters:
            if name.partition(".")[0] not in known:
                raise failed(f"Invalid filter property: {name}.")
        with self.cloud.lock:
            seen = [one for one in self.cloud.defined.visible(caller.user) if one.type is self.kind]
        shown = [self.document(one) for one in seen]
        found = [
            one for one in shown if all(_value(one, name) == filters[name] for name in filters)
        ]
        return sorted(found, key=lambda one: str(one["name"]))

    def info(self, caller: Caller, identifier: str) -> dict[str, Any]:
        """Return an entity after its nodes have been read anew."""
        entity = self.find(caller, identifier)
        if vapp_of(self.cloud, entity) is None:
            raise failed("VApp initialization failed as arguments are either invalid or None")
        self.steps.sync(entity)
        return self.document(entity)

    def config(self, caller: Caller, identifier: str) -> dict[str, str]:
        """Return the kubeconfig."""
        entity = self.find(caller, identifier)
        vapp = vapp_of(self.cloud, entity)
        if entity.state != RESOLVED or vapp is None:
            raise failed(
                f"Cluster {entity.name} with id {entity.id} is not in a valid state for this"
                " operation. Please contact the administrator"
            )
        try:
            return {"message": self.steps.lifecycle.kubeconfig(vapp)}
        except StepFailed as error:
            raise failed(str(error)) from error

    def upgrade_plan(self, caller: Caller, identifier: str) -> list[dict[str, object]]:
        """Return the templates that a cluster can be upgraded to."""
        return [one.document() for one in self._targets(self.find(caller, identifier))]

    # ---- checks -------------------------------------------------------------------------------

    def template_for(self, wish: Wish) -> KnownTemplate:
        """Return the wanted template; raises Refusal."""
        return template_of(self.cloud, wish.template_name, wish.template_revision)

    def planned_creation(
        self, caller: Caller, wish: Wish, template: Callable[[], KnownTemplate]
    ) -> Operation:
        """Check a creation; raises Refusal."""
        if not isinstance(wish.name, str) or not _NAME.fullmatch(wish.name):
            raise failed(f"Invalid cluster name '{wish.name}'")
        with self.cloud.lock:
            for vapp in self.cloud.vapps.values():
                if (vapp.name, vapp.vdc.name) == (wish.name, wish.vdc) and self.cloud.visible(
                    vapp, caller.user
                ):
                    raise failed(f"Cluster '{wish.name}' already exists.")
        found = template()
        text = (
            f"Creating cluster '{wish.name}' from template '{found.name}' (revision"
            f" {found.revision})"
        )
        return Operation("CREATE", text, lambda job: self.steps.create(job, wish, found))

    def planned_resize(self, entity: DefinedEntity, wish: Wish) -> Operation:
        """Check a resize; raises Refusal."""
        workers, nfs = self.form.counts(entity.entity)
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
        return Operation("UPDATE", text, lambda job: self.steps.resize(job, wish))

    def planned_upgrade(self, entity: DefinedEntity, wish: Wish) -> Operation:
        """Check an upgrade; raises Refusal."""
        self._refuse_busy(entity, "upgraded. Please contact administrator.")
        name, revision = wish.template_name, str(wish.template_revision)
        for target in self._targets(entity):
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
        return Operation("UPGRADE", text, lambda job: self.steps.upgrade(job, target))

    def planned_deletion(self, entity: DefinedEntity) -> Operation:
        """Check a deletion; raises Refusal."""
        if self.is_busy(entity):
            raise failed(
                f"Cluster {entity.name} with id {entity.id} is not in a valid state to be"
                " deleted. Please contact administrator."
            )
        wish = self.form.wish(entity.entity)
        text = f"Deleting cluster '{entity.name}' ({entity.id})"
        return Operation("DELETE", text, lambda job: self.steps.delete(job, wish))

    def planned_nfs_deletion(self, entity: DefinedEntity, name: str) -> Operation:
        """Nothing is checked before."""
        text = f"Deleting {name} node(s) from cluster '{entity.name}' ({entity.id})"
        return Operation("UPDATE", text, lambda job: self.steps.delete_nfs(job, name))

    def is_busy(self, entity: DefinedEntity) -> bool:
        """Say whether an operation goes on."""
        return self.form.phase(entity.entity).endswith(":IN_PROGRESS")

    def _refuse_busy(self, entity: DefinedEntity, text: str) -> None:
        if entity.state != RESOLVED or self.is_busy(entity):
            raise failed(
                f"Cluster {entity.name} with id {entity.id} is not in a valid state to be {text}"
            )

    def _targets(self, entity: DefinedEntity) -> list[KnownTemplate]:
        name, revision = self.form.template(entity.entity)
        facts = {"template_name": name, "template_revision": revision}
        return upgrades.targets(self.cloud, facts)

    # ---- operations of RDE 1.0.0 --------------------------------------------------------------

    def create(self, caller: Caller, given: Mapping[str, Any]) -> dict[str, Any]:
        """POST /clusters."""
        content = self.form.read(given)
        wish = self.form.wish(content)
        operation = self.planned_creation(caller, wish, lambda: self.template_for(wish))
        self.form.show_software(content, self.template_for(wish))
        try:
            with self.cloud.lock:
                entity = self.cloud.defined.make(self.kind, caller.user, wish.name, content)
        except VcdError as error:
            raise failed(error.message) from error
        return self._begin(caller, entity, operation)

    def resize(self, caller: Caller, identifier: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """PUT /cluster/{id}: only numbers of nodes may differ from the stored spec."""
        content = self.form.read(given)
        entity = self.find(caller, identifier, READ_WRITE)
        _refuse_changes(entity, content, ("workers.count", "nfs.count", "expose"))
        operation = self.planned_resize(entity, self.form.wish(content))
        return self._begin(caller, entity, operation, late=True)

    def upgrade(self, caller: Caller, identifier: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """POST /cluster/{id}/action/upgrade: only the template may differ."""
        content = self.form.read(given)
        entity = self.find(caller, identifier, READ_WRITE)
        free = ("k8_distribution.template_name", "k8_distribution.template_revision")
        _refuse_changes(entity, content, free)
        return self._begin(caller, entity, self.planned_upgrade(entity, self.form.wish(content)))

    def delete(self, caller: Caller, identifier: str) -> dict[str, Any]:
        """DELETE /cluster/{id}: the entity goes at once, the vApp afterwards."""
        entity = self.find(caller, identifier, FULL_CONTROL)
        operation = self.planned_deletion(entity)
        try:
            with self.cloud.lock:
                self.cloud.defined.remove(entity)
        except VcdError as error:
            raise failed(error.message) from error
        return self._begin(caller, entity, operation)

    def delete_nfs(self, caller: Caller, identifier: str, name: str) -> dict[str, Any]:
        """DELETE /cluster/{id}/nfs/{node}."""
        entity = self.find(caller, identifier, READ_WRITE)
        operation = self.planned_nfs_deletion(entity, name)
        return self._begin(caller, entity, operation, late=True)

    def _begin(
        self, caller: Caller, entity: DefinedEntity, operation: Operation, *, late: bool = False
    ) -> dict[str, Any]:
        work = Work(self.cloud, caller.user, operation.text, stuck=caller.stuck)
        self.steps.mark(entity, f"{operation.kind}:IN_PROGRESS", task_href(caller.vcd, work))
        answer = self.document(entity)
        job = Job(entity, caller.vcd, work)
        kind = operation.kind

        def run() -> str:
            text = operation.run(job)
            if kind in ("UPDATE", "UPGRADE") and not late:
                self.steps.settle(job, kind)
            return text

        def after(error: str | None) -> None:
            if error is not None:
                self.steps.fail(job, kind)
            elif late:
                self.steps.settle(job, kind, late=True)

        work.begin(run, after)
        return answer


def task_href(vcd: VcdCalls, work: Work) -> str:
    """Return the address of a work's task."""
    return f"{vcd.api}/task/{work.task.id}"


def differences(
    given: Mapping[str, Any], known: Mapping[str, Any], *, nulls: bool
) -> dict[str, tuple[object, object]]:
    """Return where a spec differs from the known one: place to (given, known), as text.

    `nulls`: whether what is null in the given one counts as a difference.
    """
    stated, there = dict(flatten(given)), dict(flatten(known))
    places = set(stated) | (set(there) if nulls else set())
    return {
        place: (stated.get(place), there.get(place))
        for place in places
        if stated.get(place) != there.get(place)
    }


def _refuse_changes(
    entity: DefinedEntity, content: Mapping[str, Any], free: tuple[str, ...]
) -> None:
    """Raise the 400 for a change that this request cannot make."""
    changed = differences(content["spec"], entity.entity["spec"], nulls=True)
    wrong = sorted(place for place in changed if place not in free)
    if wrong:
        raise Refusal(_BAD_REQUEST, f"Invalid input values found in {wrong}")


def _value(document: Mapping[str, Any], name: str) -> str | None:
    return dict(flatten(document)).get(name)
