"""The entities protocol: CSE servers 3.0.x at API 35, 3.1.x at API 35 and 36.

A cluster is a runtime defined entity of VCD; the server carries out what its `spec` wishes.
Addresses and bodies: container-service-extension 3.0.5 and 3.1.4,
container_service_extension/client/cse_client/api_35/native_cluster_api.py and
server/request_handlers/.
"""

from __future__ import annotations

from cse_client.engines.server.entity_reading import EntityReading

__all__ = ["EntityEngine"]


class EntityEngine(EntityReading):
    """Implements `Engine`, `NodeDetails` and `Upgrading` of `engines.base`."""
