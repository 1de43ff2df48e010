"""What clusters and templates leave in VCD: their metadata keys, and a cluster's description.

The `cse.*` keys and their values are those of CSE 2.6 (container-service-extension 2.6.1, written
by its create operation), so that a CSE server in legacy mode lists and manages our clusters.
`cse.client.*` keys are ours. Nothing here is secret: whoever may see the vApp may read them.
"""

from __future__ import annotations

import re

__all__ = [
    "ADDRESSES",
    "CLIENT_VERSION",
    "CLUSTER_ID",
    "CNI",
    "CNI_VERSION",
    "CONTROL_PLANE_IP",
    "CSE_RELEASE",
    "DOCKER_VERSION",
    "DONE",
    "IN_PLACE",
    "KUBERNETES",
    "KUBERNETES_VERSION",
    "LISTED",
    "LOCK",
    "OPERATION",
    "OS",
    "PACE",
    "PHASE",
    "PHASE_CREATING",
    "PHASE_READY",
    "PROTECTED",
    "RESTORE",
    "SCHEMA",
    "SCHEMA_VERSION",
    "SEALED",
    "SPEC",
    "SSH_KEY",
    "TEMPLATE",
    "TEMPLATE_NAME",
    "TEMPLATE_REVISION",
    "VERSION",
    "VIRTUAL_ADDRESS",
    "address_in_description",
    "build_in_description",
    "describe",
    "id_in_description",
    "options_in_description",
    "owner_in_description",
    "without_build",
]

CLUSTER_ID = "cse.cluster.id"
VERSION = "cse.version"
TEMPLATE_NAME = "cse.template.name"
TEMPLATE_REVISION = "cse.template.revision"
OS = "cse.os"
DOCKER_VERSION = "cse.docker.version"
KUBERNETES = "cse.kubernetes"
KUBERNETES_VERSION = "cse.kubernetes.version"
CNI = "cse.cni"
CNI_VERSION = "cse.cni.version"
CONTROL_PLANE_IP = "cse.master.ip"

SCHEMA = "cse.client.schema"
CLIENT_VERSION = "cse.client.version"
PHASE = "cse.client.phase"
SPEC = "cse.client.spec"
SSH_KEY = "cse.client.ssh_key"
SEALED = "cse.client.sealed"
#: `true` as long as `cluster delete` refuses to delete the cluster.
PROTECTED = "cse.client.protected"
#: How long each node took in the last upgrade.
PACE = "cse.client.pace"
#: The mark of a restore that was begun and has not ended; `-` without one.
RESTORE = "cse.client.restore"
#: An upgrade of the control plane in place that was begun and has not ended; `-` without one.
IN_PLACE = "cse.client.in_place"
#: The addresses that a cluster has reserved: for its load balancer, and for its API.
ADDRESSES = "cse.client.addresses"
VIRTUAL_ADDRESS = "cse.client.virtual_address"
#: Followed by a dot and the owner: who is changing the cluster, an operation that was begun, and
#: the last one that has ended (`engines.direct.lock` and `journal`).
LOCK = "cse.client.lock"
OPERATION = "cse.client.operation"
DONE = "cse.client.done"
#: On a vApp template: the facts that `template register` writes.
TEMPLATE = "cse.client.template"

#: The CSE release whose keys we write; CSE shows it and converts clusters by it.
CSE_RELEASE = "2.6.1"
#: Version of the `cse.client.*` keys.
SCHEMA_VERSION = "1"

PHASE_CREATING = "creating"
PHASE_READY = "ready"

#: The keys that are read with a list of clusters; VCD's query returns at most 8 metadata fields.
LISTED = (
    CLUSTER_ID,
    VERSION,
    TEMPLATE_NAME,
    TEMPLATE_REVISION,
    PROTECTED,
    KUBERNETES_VERSION,
    CONTROL_PLANE_IP,
    PHASE,
)

_OWNER_IN_DESCRIPTION = re.compile(r"\[by ([0-9a-f]{12})\]")
_OPTIONS_IN_DESCRIPTION = re.compile(r"\[options ([0-9a-f]{8})\]")
_ADDRESS_IN_DESCRIPTION = re.compile(r"\[virtual address ([0-9.]{7,15})\]")
_BUILD_IN_DESCRIPTION = re.compile(r" ?\[template build ([0-9a-f-]{36})\]")
_ID_IN_DESCRIPTION = re.compile(r"\[cluster id ([0-9a-f-]{36})\]")


def describe(
    cluster: str, cluster_id: str, owner: str, options: str, virtual_address: str = ""
) -> str:
    """Return the vApp's description: CSE's text, and for a vApp not yet tagged what it is.

    `owner` is the creator's, see `lock.ClusterLock.owner`; `options` tells what the cluster was
    requested with, see `metadata.options_digest`.
    """
    address = f" [virtual address {virtual_address}]" if virtual_address else ""
    return (
        f"cluster '{cluster}' [cluster id {cluster_id}] [by {owner}] [options {options}]{address}"
    )


def address_in_description(description: str) -> str:
    """Return the virtual address that `describe` wrote, or an empty string."""
    return _in_description(_ADDRESS_IN_DESCRIPTION, description)


def options_in_description(description: str) -> str:
    """Return the options that `describe` wrote, or an empty string."""
    return _in_description(_OPTIONS_IN_DESCRIPTION, description)


def owner_in_description(description: str) -> str:
    """Return the owner that `describe` wrote, or an empty string."""
    return _in_description(_OWNER_IN_DESCRIPTION, description)


def id_in_description(description: str) -> str:
    """Return the cluster id that `describe` wrote, or an empty string."""
    return _in_description(_ID_IN_DESCRIPTION, description)


def build_in_description(description: str) -> str:
    """Return the id of the template build that a description names, or an empty string."""
    return _in_description(_BUILD_IN_DESCRIPTION, description)


def without_build(description: str) -> str:
    """Return the description of a template that was built, for people: without its build's id."""
    return _BUILD_IN_DESCRIPTION.sub("", description)


def _in_description(pattern: re.Pattern[str], description: str) -> str:
    found = pattern.search(description)
    return found.group(1) if found else ""
