"""The metadata of a cluster's vApp: what is written when it is created, and how it is read back.

`model.footprint` names the keys.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cse_client import __version__
from cse_client.engines.direct import claims
from cse_client.engines.direct.pools import parse_pools, pool_documents
from cse_client.model import ClusterSpec, Template, footprint
from cse_client.model.cluster import CONTROL_PLANES
from cse_client.model.endpoints import NO_ADDRESS, is_address, is_endpoint
from cse_client.model.hardware import NODE_OPTIONS, NodeOptions
from cse_client.model.pools import Pool
from cse_client.model.settings import OPTIONS, ClusterSettings, setting_problem
from cse_client.model.ssh_keys import InvalidPublicKey, parse_public_key

__all__ = [
    "RELEASES",
    "RecordedSpec",
    "TemplateRelease",
    "initial_metadata",
    "is_protected",
    "missing_keys",
    "options_digest",
    "recorded_cluster_id",
    "recorded_control_plane_ip",
    "recorded_spec",
    "recorded_ssh_key",
    "recorded_template_revision",
    "unusable_metadata",
    "with_template",
]

# A text value of VCD metadata ends at about a thousand characters; an RSA key may be longer.
_CHUNK = 900
#: CSE writes a UUID, or an entity's URN; what is not of this form fits into no script.
_ID = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)


#: Certificates.
_LONGEST_SETTING = 8192
_NUMBERS = {
    "workers": (0, claims.MOST_WORKERS),
    "control_planes": (1, max(CONTROL_PLANES)),
    "revision": (0, 10**9),
    "cpus": (1, claims.MOST_CPUS),
    "memory_mb": (1, claims.MOST_MEMORY_MB),
}
_TEXTS = ("network", "template", "catalog", "template_id", "storage_profile", "endpoint", "vip")
#: The other numbers of `NodeOptions`; the rest of it are names.
_OPTION_NUMBERS = {
    "disk_mb": (1, claims.MOST_DISK_MB),
    "control_plane_cpus": (1, claims.MOST_CPUS),
    "control_plane_memory_mb": (1, claims.MOST_MEMORY_MB),
}


#: A field without meaning that keeps a shorter record as long as the one before.
_FILLER = "filler"
#: Everything that is recorded of a cluster's options.
_FIELDS = (*_NUMBERS, *_TEXTS, *NODE_OPTIONS, *OPTIONS, "pools")


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


def initial_metadata(
    spec: ClusterSpec, template: Template, cluster_id: str, reservation: str = ""
) -> dict[str, str]:
    """Return everything that is written right after the vApp exists, in one request.

    `spec` has the virtual address that the cluster gets, `reservation` is its record.
    """
    facts = template.facts
    release = RELEASES.get((template.name, template.revision))
    values = {
        footprint.CLUSTER_ID: cluster_id,
        footprint.VERSION: footprint.CSE_RELEASE,
        footprint.TEMPLATE_NAME: template.name,
        footprint.TEMPLATE_REVISION: str(template.revision),
        footprint.OS: facts.os,
        footprint.DOCKER_VERSION: release.docker if release else "",
        footprint.KUBERNETES: "upstream",
        footprint.KUBERNETES_VERSION: release.kubernetes if release else facts.kubernetes,
        footprint.CNI: facts.cni,
        footprint.CNI_VERSION: facts.cni_version,
        footprint.SCHEMA: footprint.SCHEMA_VERSION,
        footprint.CLIENT_VERSION: __version__,
        footprint.PHASE: footprint.PHASE_CREATING,
        footprint.VIRTUAL_ADDRESS: reservation,
        **_parts(footprint.SPEC, _spec_text(spec, template)),
        **_parts(footprint.SSH_KEY, spec.ssh_key),
    }
    # VCD refuses an empty text value; an unknown fact is a missing key.
    return {key: value for key, value in values.items() if value}


def _parts(key: str, text: str) -> dict[str, str]:
    """Return a text as values of `key`, `key.1` and so on that are short enough for VCD."""
    starts = range(0, len(text), _CHUNK)
    return {
        f"{key}.{number}" if number else key: text[start : start + _CHUNK]
        for number, start in enumerate(starts)
    }


def _whole(metadata: Mapping[str, str], key: str) -> str:
    parts = [metadata.get(key, "")]
    while (more := f"{key}.{len(parts)}") in metadata:
        parts.append(metadata[more])
    return "".join(parts)


def options_digest(spec: ClusterSpec, template: Template) -> str:
    """Return what tells the options of two creations apart: 8 hexadecimal digits."""
    text = f"{_spec_text(spec, template)} {spec.ssh_key}"
    if spec.vip == NO_ADDRESS:
        text += f" {spec.vip}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]


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
        "control_planes": spec.control_planes if spec.control_planes > 1 else None,
        "cpus": spec.cpus,
        "memory_mb": spec.memory_mb,
        "storage_profile": spec.storage_profile,
        "endpoint": spec.endpoint,
        **spec.node_options.given(),
        "vip": spec.vip if is_address(spec.vip) else "",
        **spec.settings.given(),
        "pools": pool_documents(spec.pools),
    }
    asked.update({key: value for key, value in optional.items() if value})
    return json.dumps(asked, separators=(",", ":"), sort_keys=True)


def with_template(metadata: Mapping[str, str], template: Template) -> dict[str, str]:
    """Return the record of a cluster's options with another template; nothing without a record."""
    raw = claims.json_object(_whole(metadata, footprint.SPEC))
    if raw is None:
        return {}
    raw.update(
        template=template.name,
        revision=template.revision,
        catalog=template.catalog,
        template_id=template.id,
    )
    raw.pop(_FILLER, None)
    text = json.dumps(raw, separators=(",", ":"), sort_keys=True)
    # a part of the longer record before, left in the metadata, would be read with the new one
    before = 1
    while f"{footprint.SPEC}.{before}" in metadata:
        before += 1
    least = (before - 1) * _CHUNK + 1
    if len(text) < least:
        raw[_FILLER] = "x" * (least - len(text))
        text = json.dumps(raw, separators=(",", ":"), sort_keys=True)
    return _parts(footprint.SPEC, text)


@dataclass(frozen=True)
class RecordedSpec:
    """What `cse.client.spec` holds. Fields are empty where the record is missing or damaged.

    `damaged` names the fields that cannot be used: they are of a wrong type or out of range.
    """

    workers: int | None = None
    control_planes: int | None = None
    network: str = ""
    template: str = ""
    revision: int | None = None
    catalog: str = ""
    template_id: str = ""
    cpus: int | None = None
    memory_mb: int | None = None
    storage_profile: str = ""
    endpoint: str = ""
    vip: str = ""
    settings: ClusterSettings = field(default_factory=ClusterSettings)
    node_options: NodeOptions = field(default_factory=NodeOptions)
    pools: tuple[Pool, ...] = ()
    damaged: tuple[str, ...] = ()


def recorded_spec(metadata: Mapping[str, str]) -> RecordedSpec:
    """Read back what `initial_metadata` wrote; never raises: `damaged` names unusable fields."""
    value = _whole(metadata, footprint.SPEC)
    if not value:
        return RecordedSpec()
    raw = claims.json_object(value)
    if raw is None:
        return RecordedSpec(damaged=_FIELDS)
    values: dict[str, Any] = {
        name: claims.integer(raw.get(name), *_NUMBERS[name]) for name in _NUMBERS
    }
    values.update({name: claims.text(raw.get(name)) for name in _TEXTS})
    if not is_endpoint(values["endpoint"]):
        values["endpoint"] = ""
    if not is_address(values["vip"]):
        values["vip"] = ""
    settings = {name: claims.text(raw.get(name), _LONGEST_SETTING) for name in OPTIONS}
    for name, text in settings.items():
        if text and setting_problem(name, text):
            settings[name] = ""
    chosen: dict[str, Any] = {
        name: claims.integer(raw.get(name), *_OPTION_NUMBERS[name])
        if name in _OPTION_NUMBERS
        else claims.text(raw.get(name))
        for name in NODE_OPTIONS
    }
    given = {**values, **chosen, **settings}
    damaged = [name for name in given if raw.get(name) not in (None, "", given[name])]
    numbers = (*_NUMBERS, *_OPTION_NUMBERS)
    damaged += [name for name in numbers if isinstance(raw.get(name), bool)]
    pools = parse_pools(raw.get("pools", []))
    damaged += ["pools"] if pools is None else []
    return RecordedSpec(
        **values,
        pools=pools or (),
        settings=ClusterSettings(**settings),
        node_options=NodeOptions(**chosen),
        damaged=tuple(dict.fromkeys(damaged)),
    )


def unusable_metadata(metadata: Mapping[str, str]) -> list[str]:
    """Return what of the record and of the cluster's own keys cannot be used, a clause each."""
    damaged = recorded_spec(metadata).damaged
    found = []
    if len(damaged) == len(_FIELDS):
        found.append(f"metadata {footprint.SPEC} cannot be read")
    elif damaged:
        found.append(f"metadata {footprint.SPEC} has no usable {', '.join(damaged)}")
    if metadata.get(footprint.CLUSTER_ID) and not recorded_cluster_id(metadata):
        found.append(f"metadata {footprint.CLUSTER_ID} is not an id")
    revision = metadata.get(footprint.TEMPLATE_REVISION)
    if revision and recorded_template_revision(metadata) is None:
        found.append(f"metadata {footprint.TEMPLATE_REVISION} is not a number")
    address = metadata.get(footprint.CONTROL_PLANE_IP)
    if address and not is_endpoint(address):
        found.append(f"metadata {footprint.CONTROL_PLANE_IP} is not an address")
    if recorded_ssh_key(metadata):
        try:
            parse_public_key(recorded_ssh_key(metadata))
        except InvalidPublicKey as wrong:
            found.append(f"metadata {footprint.SSH_KEY} {wrong}")
    return found


def is_protected(metadata: Mapping[str, str]) -> bool:
    """Return whether the cluster is protected against deletion.

    Anything but `false` counts: what somebody else has written there protects rather than not.
    """
    return metadata.get(footprint.PROTECTED, "false") != "false"


def recorded_cluster_id(metadata: Mapping[str, str]) -> str:
    """Return the cluster's id, empty where there is none or it is not one."""
    value = metadata.get(footprint.CLUSTER_ID, "")
    return value if _ID.fullmatch(value) else ""


def recorded_template_revision(metadata: Mapping[str, str]) -> int | None:
    """Return the revision of the template that the cluster was made from."""
    text = metadata.get(footprint.TEMPLATE_REVISION, "")
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) else None


def recorded_control_plane_ip(metadata: Mapping[str, str]) -> str:
    """Return the recorded address of the control plane, empty where it is not one."""
    address = metadata.get(footprint.CONTROL_PLANE_IP, "")
    return address if is_endpoint(address) else ""


def recorded_ssh_key(metadata: Mapping[str, str]) -> str:
    """Return what is recorded as root's ssh key: any text, whoever wrote it."""
    return _whole(metadata, footprint.SSH_KEY)


def missing_keys(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Name the CSE keys that a whole cluster has and this one lacks."""
    wanted = (
        footprint.VERSION,
        footprint.TEMPLATE_NAME,
        footprint.TEMPLATE_REVISION,
        footprint.KUBERNETES_VERSION,
    )
    return tuple(key for key in wanted if not metadata.get(key))
