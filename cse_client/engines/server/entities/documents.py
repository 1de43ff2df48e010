"""Entities of native clusters, as VCD and a CSE server 3.x show them, as model types.

What surrounds the entity (`id`, `entityType`, `name`, `owner`, `org`, `state`) is VCD's; what is in
it is described in `entity_dialects`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cse_client.engines.server.documents import mapping, mappings, text
from cse_client.engines.server.entities.dialects import DIALECTS, FIRST, LATEST, Dialect, part
from cse_client.model import CONTROL_PLANE, NFS, WORKER, ClusterSummary
from cse_client.model.server import EntityCluster, ServedNode

__all__ = ["Found", "cluster", "found", "summary"]

IN_PROGRESS, SUCCEEDED, FAILED = "IN_PROGRESS", "SUCCEEDED", "FAILED"


@dataclass(frozen=True)
class Found:
    """One defined entity: VCD's data about it, and the cluster's own object in `entity`.

    `phase` is `OPERATION:STATE`; `task` the href of the last task that the server wrote down.
    """

    id: str
    name: str
    dialect: Dialect
    entity: Mapping[str, Any] = field(repr=False)
    org: str = ""
    owner: str = ""
    state: str = ""
    external_id: str = ""

    @property
    def phase(self) -> str:
        """Return what the server is doing with the cluster, or has done last."""
        return text(part(self.entity, "status"), "phase")

    @property
    def task(self) -> str:
        """Return the href of the last task; empty where none is written down."""
        return text(part(self.entity, "status"), self.dialect.task)

    @property
    def busy(self) -> bool:
        """Whether the server is at work on the cluster."""
        return self.phase.endswith(IN_PROGRESS)

    @property
    def failed(self) -> bool:
        """Whether what the server did last has failed."""
        return self.phase.endswith(FAILED)

    @property
    def vdc(self) -> str:
        """Return the org VDC that it is in."""
        return text(part(self.entity, "metadata"), self.dialect.vdc)

    @property
    def scope(self) -> str:
        """Return organization and VDC, for people."""
        return f"{self.org or '?'}/{self.vdc or '?'}"

    def names(self, group: str) -> list[str]:
        """Return the names of the nodes that the status lists under `workers` or `nfs`."""
        listed = self.dialect.nodes(self.entity).get(group) or []
        return [text(one, "name") for one in listed if isinstance(one, dict)]


def found(document: Any, what: str) -> Found:
    """Read a defined entity.

    Raises:
        VcdFault: it is not an entity.
    """
    outer = mapping(document, what)
    entity = mapping(outer.get("entity"), what)
    dialect = _dialect(outer, entity)
    metadata = part(entity, "metadata")
    return Found(
        id=text(outer, "id"),
        name=text(outer, "name") or text(metadata, dialect.name),
        dialect=dialect,
        entity=entity,
        org=text(part(outer, "org"), "name") or text(metadata, dialect.org),
        owner=text(part(outer, "owner"), "name"),
        state=text(outer, "state"),
        external_id=text(outer, "externalId"),
    )


def summary(one: Found) -> ClusterSummary:
    """Return one row of `cluster list`."""
    template, revision = one.dialect.template_of(one.entity)
    return ClusterSummary(
        name=one.name,
        vdc=one.vdc,
        org=one.org,
        owner=one.owner,
        kubernetes_version=text(part(one.entity, "status"), "kubernetes"),
        status=one.phase,
        cluster_id=one.id,
        template=template,
        template_revision=revision,
        runtime=text(one.entity, "kind"),
        provider="native",
    )


def cluster(one: Found, *, server: str = "", task_href: str = "") -> EntityCluster:
    """Return everything that an entity holds of a cluster."""
    status = part(one.entity, "status")
    nodes = _nodes(one)
    cni, _, cni_version = text(status, "cni").partition(" ")
    leading = next((node.ip for node in nodes if node.kind == CONTROL_PLANE), "")
    return EntityCluster(
        summary=summary(one),
        network=text(part(one.entity, "spec", "settings"), one.dialect.network),
        endpoint=text(status, "externalIp") or leading,
        os=text(status, "os"),
        cni=cni,
        cni_version=cni_version,
        docker_version=text(status, one.dialect.docker),
        created_by="CSE",
        nodes=nodes,
        sources=(server,) if server else (),
        document=public(one.entity),
        task_href=task_href,
        vapp=one.external_id,
    )


def public(entity: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entity without its secrets: 2.x has a kubeconfig and tokens in it."""
    status = {key: value for key, value in part(entity, "status").items() if key != "private"}
    return {**entity, "status": status} if "status" in entity else dict(entity)


def _nodes(one: Found) -> tuple[ServedNode, ...]:
    said = one.dialect.nodes(one.entity)
    control_plane = said.get(one.dialect.control_plane)
    nodes = [_node(control_plane, CONTROL_PLANE)] if isinstance(control_plane, dict) else []
    for key, kind in (("workers", WORKER), ("nfs", NFS)):
        listed = mappings(said.get(key) or [], f"the {key} of the cluster")
        nodes += [_node(node, kind) for node in listed]
    return tuple(nodes)


def _node(document: Mapping[str, Any], kind: str) -> ServedNode:
    exports = document.get("exports")
    cpus, memory = document.get("cpu"), document.get("memory")
    return ServedNode(
        name=text(document, "name"),
        kind=kind,
        ip=text(document, "ip"),
        cpus=cpus if isinstance(cpus, int) else None,
        memory_mb=memory if isinstance(memory, int) else None,
        exports=_exports(exports),
    )


def _exports(said: Any) -> tuple[str, ...]:
    """Return an NFS node's folders. CSE 3.0's model calls them text, and prints a list into it."""
    if isinstance(said, list):
        return tuple(str(one) for one in said)
    if isinstance(said, str):
        parts = said.strip("[]").split(",")
        return tuple(one.strip(" '\"") for one in parts if one.strip(" '\""))
    return ()


def _dialect(outer: Mapping[str, Any], entity: Mapping[str, Any]) -> Dialect:
    """Return the dialect by the entity's type, or by its keys where VCD names an unknown one."""
    version = text(outer, "entityType").rpartition(":")[2]
    if version in DIALECTS:
        return DIALECTS[version]
    return LATEST if "apiVersion" in entity else FIRST
