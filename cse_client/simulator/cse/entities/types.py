"""What a CSE server 3.x registers with VCD: its entity type, the rights to it, behaviors.

Source: container-service-extension 3.0.5:cse_def_schema/api_v35/schema.json,
3.1.4:cse_def_schema/schema_2_1_0.json and container_service_extension/rde/constants.py. The schemas
here say what must be there and how large numbers may be; what may be null has no type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.defined import EntityType

__all__ = ["BEHAVIORS", "NFS_DELETION", "entity_type"]

_KUBERNETES = "urn:vcloud:interface:vmware:k8s:1.0.0"
_PREFIX = "urn:vcloud:behavior-interface:"
NFS_DELETION = f"{_PREFIX}deleteNfsNode:cse:k8s:1.0.0"
#: Events of an entity's life, and the behaviors that VCD has run for them (API 36).
BEHAVIORS = {
    "PostCreate": f"{_PREFIX}createCluster:cse:k8s:1.0.0",
    "PostUpdate": f"{_PREFIX}updateCluster:cse:k8s:1.0.0",
    "PreDelete": f"{_PREFIX}deleteCluster:cse:k8s:1.0.0",
}
_KINDS = ["native", "TanzuKubernetesCluster", "TKG+", "TKGm"]


def _texts(*names: str) -> Mapping[str, Any]:
    properties = {name: {"type": "string"} for name in names}
    return {"type": "object", "required": list(names), "properties": properties}


def _count(least: int, most: int) -> Mapping[str, Any]:
    count = {"type": "integer", "minimum": least, "maximum": most}
    return {"type": "object", "properties": {"count": count}}


_ONE: Mapping[str, Any] = {
    "type": "object",
    "required": ["kind", "spec", "metadata"],
    "properties": {
        "kind": {"type": "string", "enum": _KINDS},
        "metadata": _texts("cluster_name", "org_name", "ovdc_name"),
        "spec": {
            "type": "object",
            "required": ["settings"],
            "properties": {
                "settings": _texts("network"),
                "control_plane": _count(1, 1),
                "workers": _count(0, 100),
                "nfs": _count(0, 100),
            },
        },
    },
}
_TWO: Mapping[str, Any] = {
    "type": "object",
    "required": ["kind", "spec", "metadata", "apiVersion"],
    "properties": {
        "kind": {"type": "string", "enum": _KINDS},
        "apiVersion": {"type": "string"},
        "metadata": _texts("orgName", "virtualDataCenterName", "name", "site"),
        "spec": {
            "type": "object",
            "required": ["settings"],
            "properties": {
                "settings": _texts("ovdcNetwork"),
                "topology": {
                    "type": "object",
                    "properties": {
                        "controlPlane": _count(1, 1),
                        "workers": _count(0, 200),
                        "nfs": _count(0, 200),
                    },
                },
            },
        },
    },
}
_SCHEMAS = {"1.0.0": _ONE, "2.1.0": _TWO}


def entity_type(cloud: Cloud, version: str) -> EntityType:
    """Register the type of a version, and return it."""
    made = EntityType(
        vendor="cse",
        nss="nativeCluster",
        version=version,
        name="nativeClusterEntityType",
        description="",
        schema=_SCHEMAS[version],
        interfaces=[_KUBERNETES],
        hooks=dict(BEHAVIORS) if version != "1.0.0" else {},
    )
    cloud.defined.register(made)
    return made
