"""The two forms of a native cluster as an entity: RDE 1.0.0 (API 35) and 2.1.0 (API 36).

Source: container-service-extension 3.0.5:container_service_extension/def_/models.py and
cse_def_schema/api_v35/schema.json; 3.1.4:container_service_extension/rde/models/rde_2_1_0.py and
cse_def_schema/schema_2_1_0.json. A request is filled up with the model's defaults before anything
else happens; keys that 1.0.0 does not know are errors, those that 2.1.0 does not know are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cse_client.simulator.cse.errors import Refusal
from cse_client.simulator.cse.templates import KnownTemplate

__all__ = ["Form", "FormOne", "FormTwo", "Group", "Node", "Wish"]

_BAD_REQUEST = 400
_REQUIRED: Any = object()
Entity = dict[str, Any]


@dataclass(frozen=True)
class Group:
    """Nodes of a kind: how many, and what they are made with. Memory in MB."""

    count: int
    sizing_class: str | None = None
    storage_profile: str | None = None
    cpu: int | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Wish:
    """What an entity's spec asks for, whatever its form."""

    name: str
    org: str
    vdc: str
    network: str
    template_name: str | None
    template_revision: int | str | None
    ssh_key: str | None
    rollback: bool
    control_plane: Group
    workers: Group
    nfs: Group


@dataclass(frozen=True)
class Node:
    """A node as the status shows it. `exports` only for NFS."""

    name: str
    ip: str | None
    sizing_class: str | None = None
    exports: tuple[str, ...] = ()
    storage_profile: str | None = None
    cpu: int | None = None
    memory: int | None = None


class Form(Protocol):
    """How one version writes a cluster down."""

    version: str
    api: str

    def read(self, given: Mapping[str, Any]) -> Entity:
        """Fill a request up.

        Raises:
            Refusal: 400.
        """

    def wish(self, entity: Entity) -> Wish:
        """Return what the spec asks for."""

    def phase(self, entity: Entity) -> str:
        """Return the phase, empty when none has been written."""

    def mark(self, entity: Entity, phase: str, task_href: str | None = None) -> None:
        """Write the phase, and the task when there is a new one."""

    def show_software(self, entity: Entity, template: KnownTemplate) -> None:
        """Write which template the nodes have, into spec and status."""

    def show_nodes(self, entity: Entity, nodes: Mapping[str, list[Node]]) -> None:
        """Write the nodes, by kind of name (`mstr`, `node`, `nfsd`)."""

    def counts(self, entity: Entity) -> tuple[int, int]:
        """Return how many workers and NFS nodes the server takes the cluster to have."""

    def template(self, entity: Entity) -> tuple[str, str]:
        """Return name and revision of the template that the cluster has."""


_GROUP_1 = {"sizing_class": None, "storage_profile": None}
_SHAPE_1: Mapping[str, Any] = {
    "metadata": {"cluster_name": _REQUIRED, "org_name": _REQUIRED, "ovdc_name": _REQUIRED},
    "spec": {
        "settings": {"network": _REQUIRED, "ssh_key": None, "rollback_on_failure": True},
        "control_plane": {**_GROUP_1, "count": 1},
        "workers": {**_GROUP_1, "count": 1},
        "nfs": {**_GROUP_1, "count": 0},
        "k8_distribution": {"template_name": _REQUIRED, "template_revision": _REQUIRED},
        "expose": False,
    },
    "status": {
        "phase": None,
        "cni": None,
        "task_href": None,
        "kubernetes": None,
        "docker_version": None,
        "os": None,
        "nodes": None,
        "exposed": False,
    },
    "kind": "k8s",
    "api_version": "",
}
_SIZE_2 = {"sizingClass": None, "storageProfile": None, "cpu": None, "memory": None}
_SHAPE_2: Mapping[str, Any] = {
    "apiVersion": _REQUIRED,
    "kind": "native",
    "metadata": {
        "name": _REQUIRED,
        "orgName": _REQUIRED,
        "virtualDataCenterName": _REQUIRED,
        "site": _REQUIRED,
    },
    "spec": {
        "settings": {
            "ovdcNetwork": _REQUIRED,
            "sshKey": None,
            "rollbackOnFailure": True,
            "network": {"expose": False, "cni": None, "pods": None, "services": None},
            "csi": None,
            "cni": {"name": None, "version": None},
            "cpi": {"name": None, "version": None},
        },
        "topology": {
            "controlPlane": {**_SIZE_2, "count": 1},
            "workers": {**_SIZE_2, "count": 0},
            "nfs": {"sizingClass": None, "storageProfile": None, "count": 0},
        },
        "distribution": {"templateName": "", "templateRevision": 0},
    },
    "status": {
        "phase": None,
        "cni": None,
        "taskHref": None,
        "kubernetes": None,
        "dockerVersion": None,
        "os": None,
        "externalIp": None,
        "nodes": None,
        "uid": None,
        "cloudProperties": {
            "site": None,
            "orgName": None,
            "virtualDataCenterName": None,
            "ovdcNetworkName": None,
            "distribution": {"templateName": "", "templateRevision": 0},
            "sshKey": None,
            "rollbackOnFailure": True,
            "exposed": False,
        },
        "persistentVolumes": None,
        "virtualIPs": None,
        "private": None,
        "csi": None,
        "cpi": {"name": None, "version": None},
        "tkgCorePackages": {"kappController": None, "metricsServer": None},
    },
}


def _fill(given: Any, shape: Mapping[str, Any], place: str, *, strict: bool) -> Entity:
    if not isinstance(given, Mapping):
        raise Refusal(_BAD_REQUEST, f"{place} must be a mapping, not {type(given).__name__}")
    if strict:
        for key in given:
            if key not in shape:
                text = f"__init__() got an unexpected keyword argument '{key}'"
                raise Refusal(_BAD_REQUEST, text)
    filled: Entity = {}
    for key, default in shape.items():
        value = given.get(key)
        if isinstance(default, Mapping):
            if value is None and strict and _REQUIRED in default.values():
                raise _missing(key, strict=strict)
            filled[key] = _fill(value or {}, default, key, strict=strict)
        elif key in given:
            filled[key] = value
        elif default is _REQUIRED:
            raise _missing(key, strict=strict)
        else:
            filled[key] = default
    return filled


def _missing(key: str, *, strict: bool) -> Refusal:
    if strict:
        text = f"__init__() missing 1 required positional argument: '{key}'"
    else:
        text = f"Failed to parse request body: '{key}'"
    return Refusal(_BAD_REQUEST, text)


class FormOne:
    """RDE 1.0.0."""

    version, api = "1.0.0", "35.0"

    def read(self, given: Mapping[str, Any]) -> Entity:
        """Fill a request up."""
        return _fill(given, _SHAPE_1, "entity", strict=True)

    def wish(self, entity: Entity) -> Wish:
        """Return what the spec asks for."""
        metadata, spec = entity["metadata"], entity["spec"]
        distribution, settings = spec["k8_distribution"], spec["settings"]
        return Wish(
            name=metadata["cluster_name"],
            org=metadata["org_name"],
            vdc=metadata["ovdc_name"],
            network=settings["network"],
            template_name=distribution["template_name"],
            template_revision=distribution["template_revision"],
            ssh_key=settings["ssh_key"],
            rollback=settings["rollback_on_failure"],
            control_plane=Group(**spec["control_plane"]),
            workers=Group(**spec["workers"]),
            nfs=Group(**spec["nfs"]),
        )

    def phase(self, entity: Entity) -> str:
        """Return the phase."""
        return entity["status"]["phase"] or ""

    def mark(self, entity: Entity, phase: str, task_href: str | None = None) -> None:
        """Write phase and task."""
        entity["status"]["phase"] = phase
        if task_href is not None:
            entity["status"]["task_href"] = task_href

    def show_software(self, entity: Entity, template: KnownTemplate) -> None:
        """Write the template's facts."""
        entity["spec"]["k8_distribution"] = {
            "template_name": template.name,
            "template_revision": template.revision,
        }
        entity["status"] |= {
            "kubernetes": f"{template.kubernetes} {template.kubernetes_version}",
            "cni": f"{template.cni} {template.cni_version}",
            "docker_version": template.docker_version,
            "os": template.os,
        }

    def show_nodes(self, entity: Entity, nodes: Mapping[str, list[Node]]) -> None:
        """Write the nodes, and their numbers into the spec."""

        def plain(one: Node) -> Entity:
            return {"name": one.name, "ip": one.ip, "sizing_class": one.sizing_class}

        spec = entity["spec"]
        spec["workers"]["count"], spec["nfs"]["count"] = len(nodes["node"]), len(nodes["nfsd"])
        heads = nodes["mstr"]
        entity["status"]["nodes"] = {
            "control_plane": plain(heads[0]) if heads else None,
            "workers": [plain(one) for one in nodes["node"]],
            # The list as Python prints it: `_get_nodes_details` of 3.0.5 calls str().
            "nfs": [{**plain(one), "exports": str(list(one.exports))} for one in nodes["nfsd"]],
        }

    def counts(self, entity: Entity) -> tuple[int, int]:
        """Return the numbers of the stored spec."""
        return entity["spec"]["workers"]["count"], entity["spec"]["nfs"]["count"]

    def template(self, entity: Entity) -> tuple[str, str]:
        """Return the stored spec's template."""
        one = entity["spec"]["k8_distribution"]
        return one["template_name"], str(one["template_revision"])


class FormTwo:
    """RDE 2.1.0."""

    version, api = "2.1.0", "36.0"

    def read(self, given: Mapping[str, Any]) -> Entity:
        """Fill a request up; payloads of 2.0.0 have the same shape."""
        said = given.get("apiVersion")
        if said not in ("cse.vmware.com/v2.0", "cse.vmware.com/v2.1"):
            raise Refusal(_BAD_REQUEST, f"Unsupported payload version: {said}")
        entity = _fill(given, _SHAPE_2, "entity", strict=False)
        for name, title in (("workers", "Workers"), ("controlPlane", "Control Plane")):
            group = entity["spec"]["topology"][name]
            if group["sizingClass"] and (group["cpu"] or group["memory"]):
                raise Refusal(
                    _BAD_REQUEST,
                    f"Cannot specify both sizing class and cpu/memory for {title} nodes.",
                )
        return entity | {"apiVersion": "cse.vmware.com/v2.1"}

    def wish(self, entity: Entity) -> Wish:
        """Return what the spec asks for."""
        metadata, spec = entity["metadata"], entity["spec"]
        distribution, settings = spec["distribution"], spec["settings"]

        def group(name: str) -> Group:
            one = spec["topology"][name]
            return Group(
                count=one["count"],
                sizing_class=one["sizingClass"],
                storage_profile=one["storageProfile"],
                cpu=one.get("cpu"),
                memory=one.get("memory"),
            )

        return Wish(
            name=metadata["name"],
            org=metadata["orgName"],
            vdc=metadata["virtualDataCenterName"],
            network=settings["ovdcNetwork"],
            template_name=distribution["templateName"],
            template_revision=distribution["templateRevision"],
            ssh_key=settings["sshKey"],
            rollback=settings["rollbackOnFailure"],
            control_plane=group("controlPlane"),
            workers=group("workers"),
            nfs=group("nfs"),
        )

    def phase(self, entity: Entity) -> str:
        """Return the phase."""
        return entity["status"]["phase"] or ""

    def mark(self, entity: Entity, phase: str, task_href: str | None = None) -> None:
        """Write phase and task."""
        entity["status"]["phase"] = phase
        if task_href is not None:
            entity["status"]["taskHref"] = task_href

    def show_software(self, entity: Entity, template: KnownTemplate) -> None:
        """Write the template's facts, and once the other properties that the cluster has."""
        wish, status = self.wish(entity), entity["status"]
        distribution = {"templateName": template.name, "templateRevision": template.revision}
        entity["spec"]["distribution"] = dict(distribution)
        status |= {
            "kubernetes": f"{template.kubernetes} {template.kubernetes_version}",
            "cni": f"{template.cni} {template.cni_version}",
            "dockerVersion": template.docker_version,
            "os": template.os,
        }
        status["cloudProperties"] |= {
            "distribution": distribution,
            "orgName": wish.org,
            "virtualDataCenterName": wish.vdc,
            "ovdcNetworkName": wish.network,
            "rollbackOnFailure": wish.rollback,
            "sshKey": wish.ssh_key,
        }

    def show_nodes(self, entity: Entity, nodes: Mapping[str, list[Node]]) -> None:
        """Write the nodes; the spec stays as the user gave it."""

        def plain(one: Node) -> Entity:
            return {
                "name": one.name,
                "ip": one.ip,
                "sizingClass": one.sizing_class,
                "storageProfile": one.storage_profile,
                "cpu": one.cpu,
                "memory": one.memory,
            }

        heads = nodes["mstr"]
        entity["status"]["nodes"] = {
            "controlPlane": plain(heads[0]) if heads else None,
            "workers": [plain(one) for one in nodes["node"]],
            "nfs": [{**plain(one), "exports": list(one.exports)} for one in nodes["nfsd"]],
        }

    def counts(self, entity: Entity) -> tuple[int, int]:
        """Return the numbers of the status: the spec is what is wanted already."""
        nodes = entity["status"]["nodes"] or {"workers": [], "nfs": []}
        return len(nodes["workers"]), len(nodes["nfs"])

    def template(self, entity: Entity) -> tuple[str, str]:
        """Return the status' template."""
        one = entity["status"]["cloudProperties"]["distribution"]
        return one["templateName"], str(one["templateRevision"])
