"""Clusters of CSE 3.1: behaviors that VCD runs on the events of an entity's life, at API 36.

Source: container-service-extension 3.1.4:container_service_extension/server/behavior_handler.py,
server/behavior_dispatcher.py and rde/backend/cluster_service_2_x.py. VCD makes the task, which
belongs to the entity, and gives the server a token to act as the user; when the behavior of a
creation has ended VCD resolves the entity, when that of a deletion has, VCD removes it. Whether
that comes before or after the end of the task is not documented; here it comes before. Not done:
the behavior createKubeConfig, which the server's own clients do not use for native clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cse_client.simulator.cse.calls import Ask, VcdCalls
from cse_client.simulator.cse.entities.changes import differences, task_href
from cse_client.simulator.cse.entities.forms import Form
from cse_client.simulator.cse.entities.plans import Operation, Plans
from cse_client.simulator.cse.entities.reading import EntityReader
from cse_client.simulator.cse.entities.steps import EntitySteps, Job
from cse_client.simulator.cse.entities.types import BEHAVIORS, NFS_DELETION
from cse_client.simulator.cse.errors import Refusal, failed
from cse_client.simulator.cse.legacy import Caller
from cse_client.simulator.cse.work import Work
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.defined import (
    FULL_CONTROL,
    PRE_CREATED,
    READ_WRITE,
    DefinedEntity,
    EntityType,
    Invocation,
)
from cse_client.simulator.vcd.errors import VcdError
from cse_client.simulator.vcd.tasks import Task

__all__ = ["BehaviorClusters"]

_BAD_REQUEST = 400
_NUMBERS = ("topology.workers.count", "topology.nfs.count")
_TEMPLATE = ("distribution.templateName", "distribution.templateRevision")
_FREE = (*_NUMBERS, *_TEMPLATE, "settings.network.expose")


class BehaviorClusters:
    """The operations of RDE 2.x. `stuck` makes the tasks begun from now on never end."""

    def __init__(
        self,
        cloud: Cloud,
        form: Form,
        kind: EntityType,
        reader: EntityReader,
        plans: Plans,
        steps: EntitySteps,
        ask: Ask,
    ) -> None:
        self._cloud = cloud
        self._form = form
        self._kind = kind
        self._reader = reader
        self._plans = plans
        self._steps = steps
        self.stuck = False
        self._ask = ask
        behaviors: dict[str, Callable[[Invocation, Caller], Operation]] = {
            BEHAVIORS["PostCreate"]: self._creation,
            BEHAVIORS["PostUpdate"]: self._update,
            BEHAVIORS["PreDelete"]: self._deletion,
            NFS_DELETION: self._nfs_deletion,
        }
        for name, plan in behaviors.items():
            cloud.defined.behaviors[name] = self._behavior(plan)

    # Requests

    def create(self, caller: Caller, given: Mapping[str, Any]) -> dict[str, Any]:
        """POST /clusters: makes the entity, and VCD's hook does the rest."""
        content = self._form.read(given)
        name = self._form.wish(content).name
        try:
            with self._cloud.lock:
                entity = self._cloud.defined.make(self._kind, caller.user, name, content)
                task = self._hook(caller, entity, "PostCreate")
        except VcdError as error:
            raise failed(error.message) from error
        return self._reader.document(entity, f"{caller.vcd.api}/task/{task.id}")

    def resize(self, caller: Caller, identifier: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """PUT /cluster/{id}: changes numbers of nodes, or the template."""
        entity = self._reader.find(caller, identifier, READ_WRITE)
        content = self._form.read(given)
        self._refuse_changes(entity, content)
        try:
            with self._cloud.lock:
                changed = {**entity.entity, "spec": content["spec"]}
                entity.change(changed, entity.name, entity.external_id)
                task = self._hook(caller, entity, "PostUpdate")
        except VcdError as error:
            raise failed(error.message) from error
        return self._reader.document(entity, f"{caller.vcd.api}/task/{task.id}")

    def delete(self, caller: Caller, identifier: str) -> dict[str, Any]:
        """DELETE /cluster/{id}."""
        entity = self._reader.find(caller, identifier, FULL_CONTROL)
        try:
            with self._cloud.lock:
                self._cloud.defined.refuse_unresolved(entity)
                shown = self._reader.document(entity)
                task = self._hook(caller, entity, "PreDelete")
        except VcdError as error:
            raise failed(error.message) from error
        self._form.mark(
            shown["entity"], self._form.phase(shown["entity"]), f"{caller.vcd.api}/task/{task.id}"
        )
        return shown

    def force_delete(self, caller: Caller, identifier: str) -> dict[str, Any]:
        """POST /cluster/{id}/action/force-delete: whatever its state; the task is the server's.

        Users without the administrator's right to the type count as those who lack the grant that
        the genuine server looks for.
        """
        entity = self._reader.find(caller, identifier, FULL_CONTROL)
        right = self._kind.right("Administrator Full access")
        text = f"Deleting cluster '{entity.name}' ({entity.id})"
        work = Work(self._cloud, caller.user, text, stuck=caller.stuck)
        shown = self._reader.document(entity, task_href(caller.vcd, work))
        job = Job(entity, caller.vcd, work)

        def run() -> str:
            if not caller.user.may(right):
                raise failed(
                    "Missing role-rights, ACL: To force delete cluster, Full Access ACL for entity"
                    " cse:nativeCluster:2.0.0 must be granted to either the user or the org."
                )
            self._steps.delete(job, self._form.wish(entity.entity))
            with self._cloud.lock:
                entity.resolve()
                self._cloud.defined.remove(entity)
            return f"Completed force deletion of '{entity.name}'"

        work.begin(run)
        return shown

    def delete_nfs(self, caller: Caller, identifier: str, name: str) -> dict[str, Any]:
        """DELETE /cluster/{id}/nfs/{node}."""
        entity = self._reader.find(caller, identifier, READ_WRITE)
        host = _host(caller.vcd)
        behavior = self._cloud.defined.behaviors[NFS_DELETION]
        with self._cloud.lock:
            task = behavior(Invocation(entity, caller.user, host, {"node_name": name}))
        return self._reader.document(entity, f"{caller.vcd.api}/task/{task.id}")

    def _hook(self, caller: Caller, entity: DefinedEntity, event: str) -> Task:
        behavior = self._cloud.defined.behaviors[BEHAVIORS[event]]
        self.stuck = caller.stuck
        return behavior(Invocation(entity, caller.user, _host(caller.vcd)))

    # Behaviors

    def _behavior(
        self, plan: Callable[[Invocation, Caller], Operation]
    ) -> Callable[[Invocation], Task]:
        """Make a behavior of a plan: everything it does, checks included, is its task."""

        def begin(invocation: Invocation) -> Task:
            entity = invocation.entity
            session = self._cloud.sessions.open(invocation.user, jwt=True)
            vcd = VcdCalls(self._ask, session, invocation.host, "36.0")
            caller = Caller(invocation.user, vcd, self.stuck)
            self.stuck = False
            text = f"Invoking behavior on {entity.name}"
            work = Work(self._cloud, invocation.user, text, stuck=caller.stuck, owner=entity)
            job, kind = Job(entity, vcd, work), [""]

            def run() -> str:
                operation = plan(invocation, caller)
                kind[0] = operation.kind
                work.report(operation.text)
                if kind[0]:
                    href = task_href(vcd, work)
                    self._steps.mark(entity, f"{kind[0]}:IN_PROGRESS", href)
                said = operation.run(job)
                if kind[0] in ("UPDATE", "UPGRADE"):
                    self._steps.settle(job, kind[0])
                if kind[0] == "DELETE":
                    with self._cloud.lock:
                        self._cloud.defined.remove(entity)
                return said

            def after(error: str | None) -> None:
                if error is not None and kind[0]:
                    self._steps.fail(job, kind[0])
                elif error is not None and entity.state == PRE_CREATED:
                    # What VCD does with an entity whose hook failed is not documented; nobody
                    # could delete one that stays as it was made.
                    with self._cloud.lock:
                        entity.resolve()
                self._cloud.sessions.close(session.token)

            work.begin(run, after)
            return work.task

        return begin

    def _creation(self, invocation: Invocation, caller: Caller) -> Operation:
        entity = invocation.entity
        try:
            content = self._form.read(entity.entity)
            wish = self._form.wish(content)
            operation = self._plans.creation(caller, wish, lambda: self._plans.template_for(wish))
            template = self._plans.template_for(wish)
        except Refusal:
            self._undo(entity)
            raise
        with self._cloud.lock:
            content["status"]["uid"] = entity.id
            self._form.show_software(content, template)
            entity.entity = content
            entity.revision += 1
        return operation

    def _undo(self, entity: DefinedEntity) -> None:
        """Remove an entity whose creation was refused, unless it says that it shall stay."""
        settings = entity.entity.get("spec", {}).get("settings", {})
        with self._cloud.lock:
            entity.resolve()
            if settings.get("rollbackOnFailure", True):
                self._cloud.defined.remove(entity)
            else:
                self._form.mark(entity.entity, "CREATE:FAILED")

    def _update(self, invocation: Invocation, caller: Caller) -> Operation:
        del caller
        entity = invocation.entity
        content = self._form.read(entity.entity)
        self._refuse_changes(entity, content)
        wish = self._form.wish(content)
        if (wish.workers.count, wish.nfs.count) != self._form.counts(entity.entity):
            return self._plans.resize(entity, wish)
        if (wish.template_name, str(wish.template_revision)) != self._form.template(entity.entity):
            return self._plans.upgrade(entity, wish)
        raise failed("update not supported for the specified input specification")

    def _deletion(self, invocation: Invocation, caller: Caller) -> Operation:
        del caller
        return self._plans.deletion(invocation.entity)

    def _nfs_deletion(self, invocation: Invocation, caller: Caller) -> Operation:
        del caller
        return self._plans.nfs_deletion(
            invocation.entity, str(invocation.arguments.get("node_name"))
        )

    def _refuse_changes(self, entity: DefinedEntity, content: Mapping[str, Any]) -> None:
        """Raise the 400 for what an update cannot change: the status says what there is."""
        changed = differences(content["spec"], self._present(entity), nulls=False)
        wrong = sorted(place for place in changed if place not in _FREE)
        if wrong:
            lines = [
                f"spec.{place} found : {changed[place][0]} expected : {changed[place][1]}, "
                for place in wrong
            ]
            raise Refusal(
                _BAD_REQUEST, f"Change detected in immutable field(s) [{''.join(lines)}]."
            )
        if set(changed) & set(_NUMBERS) and set(changed) & set(_TEMPLATE):
            raise Refusal(_BAD_REQUEST, "Cannot resize and upgrade the cluster at the same time")

    def _present(self, entity: DefinedEntity) -> Mapping[str, Any]:
        """Return the spec that the status amounts to (rde/utils.py)."""
        status = entity.entity["status"]
        cloud, nodes = status["cloudProperties"], status["nodes"] or {}
        workers, nfs = nodes.get("workers") or [], nodes.get("nfs") or []
        head = nodes.get("controlPlane")
        asked = entity.entity["spec"]["topology"]
        return {
            "settings": {
                "ovdcNetwork": cloud["ovdcNetworkName"],
                "sshKey": cloud["sshKey"],
                "rollbackOnFailure": cloud["rollbackOnFailure"],
                "network": {"expose": cloud["exposed"]},
            },
            "topology": {
                "controlPlane": {**_made(head), "count": 1},
                # What no node shows is not compared.
                "workers": {**_made(workers[0] if workers else asked["workers"])}
                | {"count": len(workers)},
                "nfs": {**_made(nfs[0] if nfs else asked["nfs"]), "count": len(nfs)},
            },
            "distribution": dict(cloud["distribution"]),
        }


def _made(node: Mapping[str, Any] | None) -> dict[str, Any]:
    names = ("sizingClass", "storageProfile", "cpu", "memory")
    made = {name: (node or {}).get(name) for name in names}
    if made["sizingClass"]:
        made["cpu"] = made["memory"] = None
    return made


def _host(vcd: VcdCalls) -> str:
    return vcd.api.split("/")[2]
