"""What the server reads of clusters that are entities, with VCD's rights and texts."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from cse_client.simulator.cse.entities.forms import Form
from cse_client.simulator.cse.entities.steps import EntitySteps, vapp_of
from cse_client.simulator.cse.errors import failed
from cse_client.simulator.cse.legacy import Caller
from cse_client.simulator.cse.lifecycle import StepFailed
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.defined import READ_ONLY, RESOLVED, DefinedEntity, EntityType
from cse_client.simulator.vcd.documents.defined import entity_document
from cse_client.simulator.vcd.errors import VcdError
from cse_client.simulator.vcd.openapi import flatten

__all__ = ["EntityReader"]


class EntityReader:
    """Reads the entities of one type for the server's requests."""

    def __init__(self, cloud: Cloud, form: Form, kind: EntityType, steps: EntitySteps) -> None:
        self._cloud = cloud
        self._form = form
        self._kind = kind
        self._steps = steps

    def find(self, caller: Caller, identifier: str, level: str = READ_ONLY) -> DefinedEntity:
        """Return an entity.

        Raises:
            Refusal: 500 with VCD's text.
        """
        try:
            with self._cloud.lock:
                return self._cloud.defined.find(identifier, caller.user, level)
        except VcdError as error:
            raise failed(error.message) from error

    def document(self, entity: DefinedEntity, task_href: str | None = None) -> dict[str, Any]:
        """Return an entity as the server shows it, with a task that it may not know itself yet."""
        with self._cloud.lock:
            shown = copy.deepcopy(entity_document(entity))
        shown.pop("message", None)
        if task_href is not None:
            self._form.mark(shown["entity"], self._form.phase(shown["entity"]), task_href)
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
        with self._cloud.lock:
            seen = [
                one for one in self._cloud.defined.visible(caller.user) if one.type is self._kind
            ]
        shown = [self.document(one) for one in seen]
        found = [
            one for one in shown if all(_value(one, name) == filters[name] for name in filters)
        ]
        return sorted(found, key=lambda one: str(one["name"]))

    def info(self, caller: Caller, identifier: str) -> dict[str, Any]:
        """Return an entity after its nodes have been read again."""
        entity = self.find(caller, identifier)
        if vapp_of(self._cloud, entity) is None:
            raise failed("VApp initialization failed as arguments are either invalid or None")
        self._steps.sync(entity)
        return self.document(entity)

    def config(self, caller: Caller, identifier: str) -> dict[str, str]:
        """Return the kubeconfig."""
        entity = self.find(caller, identifier)
        vapp = vapp_of(self._cloud, entity)
        if entity.state != RESOLVED or vapp is None:
            raise failed(
                f"Cluster {entity.name} with id {entity.id} is not in a valid state for this"
                " operation. Please contact the administrator"
            )
        try:
            return {"message": self._steps.lifecycle.kubeconfig(vapp)}
        except StepFailed as error:
            raise failed(str(error)) from error


def _value(document: Mapping[str, Any], name: str) -> str | None:
    return dict(flatten(document)).get(name)
