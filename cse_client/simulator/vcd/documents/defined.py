"""Runtime defined entities as JSON."""

from __future__ import annotations

from typing import Any

from cse_client.simulator.vcd.defined import DefinedEntity

__all__ = ["entity_document"]


def entity_document(entity: DefinedEntity) -> dict[str, Any]:
    """Return an entity as VCD shows it (go-vcloud-director, types/v56/openapi.go).

    There is a message only where there is something to say: the model of
    container-service-extension 3.0.5 (def_/models.py, `DefEntity`) fails over any other key.
    """
    document: dict[str, Any] = {
        "id": entity.id,
        "entityType": entity.type.id,
        "name": entity.name,
        "externalId": entity.external_id,
        "entity": entity.entity,
        "state": entity.state,
        "owner": {"name": entity.owner.name, "id": f"urn:vcloud:user:{entity.owner.id}"},
        "org": {"name": entity.org_name, "id": f"urn:vcloud:org:{entity.org_id}"},
    }
    if entity.message is not None:
        document["message"] = entity.message
    return document
