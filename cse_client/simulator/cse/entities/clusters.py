"""Operations on clusters that are entities of RDE 1.0.0, as CSE 3.0 carries them out.

The server checks before it answers, and reports the work by a task of its own.

Source: container-service-extension 3.0.5:container_service_extension/def_/cluster_service.py,
request_handlers/v35/def_cluster_handler.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cse_client.simulator.cse.entities.changes import differences, task_href
from cse_client.simulator.cse.entities.forms import Form
from cse_client.simulator.cse.entities.plans import Operation, Plans
from cse_client.simulator.cse.entities.reading import EntityReader
from cse_client.simulator.cse.entities.steps import EntitySteps, Job
from cse_client.simulator.cse.errors import Refusal, failed
from cse_client.simulator.cse.legacy import Caller
from cse_client.simulator.cse.work import Work
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.defined import (
    FULL_CONTROL,
    READ_WRITE,
    DefinedEntity,
    EntityType,
)
from cse_client.simulator.vcd.errors import VcdError

__all__ = ["EntityClusters"]

_BAD_REQUEST = 400


class EntityClusters:
    """The operations of RDE 1.0.0."""

    def __init__(
        self,
        cloud: Cloud,
        form: Form,
        kind: EntityType,
        reader: EntityReader,
        plans: Plans,
        steps: EntitySteps,
    ) -> None:
        self._cloud = cloud
        self._form = form
        self._kind = kind
        self._reader = reader
        self._plans = plans
        self._steps = steps

    def create(self, caller: Caller, given: Mapping[str, Any]) -> dict[str, Any]:
        """POST /clusters."""
        content = self._form.read(given)
        wish = self._form.wish(content)
        operation = self._plans.creation(caller, wish, lambda: self._plans.template_for(wish))
        self._form.show_software(content, self._plans.template_for(wish))
        try:
            with self._cloud.lock:
                entity = self._cloud.defined.make(self._kind, caller.user, wish.name, content)
        except VcdError as error:
            raise failed(error.message) from error
        return self._begin(caller, entity, operation)

    def resize(self, caller: Caller, identifier: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """PUT /cluster/{id}: only numbers of nodes may differ from the stored spec."""
        content = self._form.read(given)
        entity = self._reader.find(caller, identifier, READ_WRITE)
        _refuse_changes(entity, content, ("workers.count", "nfs.count", "expose"))
        operation = self._plans.resize(entity, self._form.wish(content))
        return self._begin(caller, entity, operation, late=True)

    def upgrade(self, caller: Caller, identifier: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """POST /cluster/{id}/action/upgrade: only the template may differ."""
        content = self._form.read(given)
        entity = self._reader.find(caller, identifier, READ_WRITE)
        free = ("k8_distribution.template_name", "k8_distribution.template_revision")
        _refuse_changes(entity, content, free)
        return self._begin(caller, entity, self._plans.upgrade(entity, self._form.wish(content)))

    def delete(self, caller: Caller, identifier: str) -> dict[str, Any]:
        """DELETE /cluster/{id}: the entity goes at once, the vApp afterwards."""
        entity = self._reader.find(caller, identifier, FULL_CONTROL)
        operation = self._plans.deletion(entity)
        try:
            with self._cloud.lock:
                self._cloud.defined.remove(entity)
        except VcdError as error:
            raise failed(error.message) from error
        return self._begin(caller, entity, operation)

    def delete_nfs(self, caller: Caller, identifier: str, name: str) -> dict[str, Any]:
        """DELETE /cluster/{id}/nfs/{node}."""
        entity = self._reader.find(caller, identifier, READ_WRITE)
        operation = self._plans.nfs_deletion(entity, name)
        return self._begin(caller, entity, operation, late=True)

    def _begin(
        self, caller: Caller, entity: DefinedEntity, operation: Operation, *, late: bool = False
    ) -> dict[str, Any]:
        work = Work(self._cloud, caller.user, operation.text, stuck=caller.stuck)
        self._steps.mark(entity, f"{operation.kind}:IN_PROGRESS", task_href(caller.vcd, work))
        answer = self._reader.document(entity)
        job = Job(entity, caller.vcd, work)
        kind = operation.kind

        def run() -> str:
            text = operation.run(job)
            if kind in ("UPDATE", "UPGRADE") and not late:
                self._steps.settle(job, kind)
            return text

        def after(error: str | None) -> None:
            if error is not None:
                self._steps.fail(job, kind)
            elif late:
                self._steps.settle(job, kind, late=True)

        work.begin(run, after)
        return answer


def _refuse_changes(
    entity: DefinedEntity, content: Mapping[str, Any], free: tuple[str, ...]
) -> None:
    """Raise the 400 for a change that this request cannot make."""
    changed = differences(content["spec"], entity.entity["spec"], nulls=True)
    wrong = sorted(place for place in changed if place not in free)
    if wrong:
        raise Refusal(_BAD_REQUEST, f"Invalid input values found in {wrong}")
