"""The two shapes of a native cluster's entity: type 1.0.0 of CSE 3.0, type 2.x of CSE 3.1.

Keys and versions: container-service-extension 3.0.5, container_service_extension/def_/models.py;
3.1.4, container_service_extension/rde/models/rde_2_1_0.py and rde/constants.py (API 35 goes with
1.0.0, API 36 with 2.0.0 until CSE 3.1.2 and with 2.1.0 from 3.1.3 on).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cse_client.versions import version_key

__all__ = ["DIALECTS", "FIRST", "LATEST", "Dialect", "dialect_of", "part"]

_TYPE = "urn:vcloud:type:cse:nativeCluster"
_PAYLOADS = "cse.vmware.com"


#: The first CSE release whose servers at API 36 keep entities of type 2.1.0.
_SINCE_2_1 = version_key("3.1.3")


@dataclass(frozen=True)
class Dialect:
    """How one version of the entity type calls things.

    `version` is the type's, `payload` what `apiVersion` must say (empty: the key is
    `api_version`, and says nothing). The other fields are keys: a tuple leads down from the
    entity.
    """

    version: str
    payload: str
    version_key: str
    name: str
    org: str
    vdc: str
    site: str
    groups: tuple[str, ...]
    control_plane: str
    distribution: str
    template: str
    revision: str
    network: str
    ssh_key: str
    rollback: str
    sizing: str
    storage: str
    task: str
    docker: str

    @property
    def second_generation(self) -> bool:
        """Whether it is of the second generation (API 36)."""
        return bool(self.payload)

    @property
    def type_path(self) -> str:
        """Return the address of this type's entities in VCD's own API."""
        return f"/entities/types/cse/nativeCluster/{self.version}"

    @property
    def required(self) -> tuple[tuple[str, ...], ...]:
        """Return what an entity must say, as paths of keys."""
        keys = [self.name, self.org, self.vdc, *([self.site] if self.site else [])]
        return (
            ("kind",),
            *((("apiVersion",),) if self.payload else ()),
            *(("metadata", key) for key in keys),
            ("spec", "settings", self.network),
        )

    def filters(self, *, vdc: str = "", org: str = "") -> dict[str, str]:
        """Return conditions on an entity's VDC and organization for VCD's own API."""
        said = {f"entity.metadata.{self.org}": org, f"entity.metadata.{self.vdc}": vdc}
        return {key: value for key, value in said.items() if value}

    def group(self, entity: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        """Return what the spec says of `workers`, `nfs` or the control plane."""
        return part(entity, *self.groups, name)

    def nodes(self, entity: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the nodes that the status lists; empty before there are any."""
        return part(entity, "status", "nodes")

    def template_of(self, entity: Mapping[str, Any]) -> tuple[str, str]:
        """Return name and revision of the template that a cluster is made from, as text.

        The second generation's spec says what was wished for, its status what is there.
        """
        said = part(entity, "spec", self.distribution)
        if self.second_generation:
            said = part(entity, "status", "cloudProperties", "distribution") or said
        name, revision = said.get(self.template), said.get(self.revision)
        return str(name or ""), "" if revision is None else str(revision)


FIRST = Dialect(
    version="1.0.0",
    payload="",
    version_key="api_version",
    name="cluster_name",
    org="org_name",
    vdc="ovdc_name",
    site="",
    groups=("spec",),
    control_plane="control_plane",
    distribution="k8_distribution",
    template="template_name",
    revision="template_revision",
    network="network",
    ssh_key="ssh_key",
    rollback="rollback_on_failure",
    sizing="sizing_class",
    storage="storage_profile",
    task="task_href",
    docker="docker_version",
)


def _second(version: str, payload: str) -> Dialect:
    return Dialect(
        version=version,
        payload=f"{_PAYLOADS}/{payload}",
        version_key="apiVersion",
        name="name",
        org="orgName",
        vdc="virtualDataCenterName",
        site="site",
        groups=("spec", "topology"),
        control_plane="controlPlane",
        distribution="distribution",
        template="templateName",
        revision="templateRevision",
        network="ovdcNetwork",
        ssh_key="sshKey",
        rollback="rollbackOnFailure",
        sizing="sizingClass",
        storage="storageProfile",
        task="taskHref",
        docker="dockerVersion",
    )


LATEST = _second("2.1.0", "v2.1")
#: By the version of the type.
DIALECTS: Mapping[str, Dialect] = {
    one.version: one for one in (FIRST, _second("2.0.0", "v2.0"), LATEST)
}


def dialect_of(server_version: str, api_version: str) -> Dialect:
    """Return the dialect of a server, by its own version and the API version it speaks."""
    if version_key(api_version) < version_key("36.0"):
        return FIRST
    numbers = server_version.partition("-")[0].partition("b")[0]
    return LATEST if version_key(numbers) >= _SINCE_2_1 else DIALECTS["2.0.0"]


def part(document: Any, *path: str) -> Mapping[str, Any]:
    """Return the object at a path of keys; empty where there is none."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}
