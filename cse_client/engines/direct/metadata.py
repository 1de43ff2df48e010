"""What a cluster's vApp says of itself, and how that is read back.

The `cse.*` keys and their values are those of CSE 2.6 (container-service-extension 2.6.1, written
by its create operation), so that a CSE server in legacy mode lists and manages our clusters.
`cse.client.*` keys are ours: what was asked for, and how far it has come. Nothing here is secret:
whoever may see the vApp may read its metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from cse_client import __version__
from cse_client.model import ClusterSpec, Template

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
ADDRESSES = "cse.client.addresses"

#: The release whose footprint we write; CSE shows it and converts clusters by it.
FOOTPRINT = "2.6.1"
#: Version of the `cse.client.*` keys.
SCHEMA_VERSION = "1"

PHASE_CREATING = "creating"
PHASE_READY = "ready"

# A text value of VCD metadata ends at about a thousand characters; an RSA key may be longer.
_CHUNK = 900


@dataclass(frozen=True)
class TemplateRelease:
    """Full versions inside one published CSE template."""

    kubernetes: str
    docker: str


#: Published CSE templates by (name, revision): a tenant cannot read the template's own metadata.
#: Source: container-service-extension:docs/cse3_1/TEMPLATE_ANNOUNCEMENTS.md and its elders.
RELEASES: Mapping[tuple[str, int], TemplateRelease] = {
    ("ubuntu-16.04_k8-1.15_weave-2.5.2", 4): TemplateRelease("1.15.12", "18.09.7"),
    ("ubuntu-16.04_k8-1.16_weave-2.6.0", 1): TemplateRelease("1.16.6", "18.09.7"),
    ("ubuntu-16.04_k8-1.16_weave-2.6.0", 2): TemplateRelease("1.16.13", "18.09.7"),
    ("ubuntu-16.04_k8-1.17_weave-2.6.0", 1): TemplateRelease("1.17.2", "18.09.7"),
    ("ubuntu-16.04_k8-1.17_weave-2.6.0", 2): TemplateRelease("1.17.9", "19.03.5"),
    ("ubuntu-16.04_k8-1.18_weave-2.6.5", 1): TemplateRelease("1.18.6", "19.03.12"),
    ("ubuntu-16.04_k8-1.18_weave-2.6.5", 2): TemplateRelease("1.18.6", "19.03.12"),
    ("ubuntu-16.04_k8-1.18_weave-2.6.5", 3): TemplateRelease("1.18.6", "19.03.12"),
    ("ubuntu-16.04_k8-1.19_weave-2.6.5", 1): TemplateRelease("1.19.3", "19.03.12"),
    ("ubuntu-16.04_k8-1.19_weave-2.6.5", 2): TemplateRelease("1.19.3", "19.03.12"),
    ("ubuntu-16.04_k8-1.19_weave-2.6.5", 3): TemplateRelease("1.19.3", "19.03.12"),
    ("ubuntu-16.04_k8-1.20_weave-2.6.5", 1): TemplateRelease("1.20.6", "19.03.15"),
    ("ubuntu-16.04_k8-1.20_weave-2.6.5", 2): TemplateRelease("1.20.6", "19.03.15"),
    ("ubuntu-16.04_k8-1.20_weave-2.6.5", 3): TemplateRelease("1.20.6", "19.03.15"),
    ("ubuntu-16.04_k8-1.21_weave-2.8.1", 1): TemplateRelease("1.21.2", "20.10.7"),
    ("ubuntu-20.04_k8-1.23_weave-2.8.1", 1): TemplateRelease("1.23.3", "20.10.12"),
}


def initial(spec: ClusterSpec, template: Template, cluster_id: str) -> dict[str, str]:
    """Return everything that is written right after the vApp exists, in one request."""
    facts = template.facts
    release = RELEASES.get((template.name, template.revision))
    values = {
        CLUSTER_ID: cluster_id,
        VERSION: FOOTPRINT,
        TEMPLATE_NAME: template.name,
        TEMPLATE_REVISION: str(template.revision),
        OS: facts.os,
        DOCKER_VERSION: release.docker if release else "",
        KUBERNETES: "upstream",
        KUBERNETES_VERSION: release.kubernetes if release else facts.kubernetes,
        CNI: facts.cni,
        CNI_VERSION: facts.cni_version,
        SCHEMA: SCHEMA_VERSION,
        CLIENT_VERSION: __version__,
        PHASE: PHASE_CREATING,
        SPEC: _spec_text(spec, template),
    }
    for index in range(0, len(spec.ssh_key), _CHUNK):
        suffix = f".{index // _CHUNK}" if index else ""
        values[SSH_KEY + suffix] = spec.ssh_key[index : index + _CHUNK]
    # VCD refuses an empty text value; an unknown fact is a missing key.
    return {key: value for key, value in values.items() if value}


def _spec_text(spec: ClusterSpec, template: Template) -> str:
    asked: dict[str, object] = {
        "workers": spec.workers,
        "network": spec.network,
        "template": template.name,
        "revision": template.revision,
        "catalog": template.catalog,
        "template_id": template.id,
    }
    optional = {
        "cpus": spec.cpus,
        "memory_mb": spec.memory_mb,
        "storage_profile": spec.storage_profile,
        "endpoint": spec.endpoint,
    }
    asked.update({key: value for key, value in optional.items() if value})
    return json.dumps(asked, separators=(",", ":"), sort_keys=True)


@dataclass(frozen=True)
class RecordedSpec:
    """What `cse.client.spec` holds. Fields are empty where the record is missing or damaged."""

    workers: int | None = None
    network: str = ""
    template: str = ""
    revision: int | None = None
    catalog: str = ""
    template_id: str = ""
    cpus: int | None = None
    memory_mb: int | None = None
    storage_profile: str = ""
    endpoint: str = ""
    damaged: bool = False


def recorded_spec(metadata: Mapping[str, str]) -> RecordedSpec:
    """Read back what `initial` wrote; never raises: a damaged record says so."""
    text = metadata.get(SPEC)
    if not text:
        return RecordedSpec()
    try:
        raw = json.loads(text)
    except ValueError:
        return RecordedSpec(damaged=True)
    if not isinstance(raw, dict):
        return RecordedSpec(damaged=True)
    return RecordedSpec(
        workers=_integer(raw.get("workers")),
        network=_words(raw.get("network")),
        template=_words(raw.get("template")),
        revision=_integer(raw.get("revision")),
        catalog=_words(raw.get("catalog")),
        template_id=_words(raw.get("template_id")),
        cpus=_integer(raw.get("cpus")),
        memory_mb=_integer(raw.get("memory_mb")),
        storage_profile=_words(raw.get("storage_profile")),
        endpoint=_words(raw.get("endpoint")),
    )


def recorded_ssh_key(metadata: Mapping[str, str]) -> str:
    """Return what is recorded as root's ssh key: any text, whoever wrote it."""
    parts = [metadata.get(SSH_KEY, "")]
    while (key := f"{SSH_KEY}.{len(parts)}") in metadata:
        parts.append(metadata[key])
    return "".join(parts)


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _words(value: object) -> str:
    return value if isinstance(value, str) else ""


def missing_keys(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Name the CSE keys that a whole cluster has and this one lacks."""
    wanted = (VERSION, TEMPLATE_NAME, TEMPLATE_REVISION, KUBERNETES_VERSION)
    return tuple(key for key in wanted if not metadata.get(key))
