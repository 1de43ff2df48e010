"""Templates of Tanzu Kubernetes Grid: what their property VERSION means.

Source of the tags: vmware/go-vcloud-director, govcd/cse/tkg_versions.json; they are used only where
a node's own runtime does not tell which images it has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cse_client.model.cloud import TemplateFacts

__all__ = ["PROPERTY", "REPOSITORY", "Tags", "tags_of", "tkg_facts"]

#: The property of the product section that proves what a template is.
PROPERTY = "VERSION"
REPOSITORY = "projects.registry.vmware.com/tkg"

_VERSION = re.compile(
    r"v(1\.\d{1,2}\.\d{1,2}\+vmware\.\d{1,2})-tkg\.\d{1,2}-[0-9a-f]{8,40}", re.ASCII
)
_OS = re.compile(r"[a-z0-9.]{1,20}", re.ASCII)


@dataclass(frozen=True)
class Tags:
    """Tags of the images that kubeadm does not derive from the version; empty: not known."""

    etcd: str = ""
    coredns: str = ""


#: By VERSION up to eight digits of its hash.
_TAGS: Mapping[str, Tags] = {
    "v1.30.2+vmware.1-tkg.1-00b38062": Tags("v3.5.12_vmware.5", "v1.11.1_vmware.10"),
    "v1.29.6+vmware.1-tkg.3-c6934e3c": Tags("v3.5.12_vmware.5", "v1.10.1_vmware.23"),
    "v1.28.11+vmware.2-tkg.2-7820f470": Tags("v3.5.12_vmware.5", "v1.10.1_vmware.21"),
    "v1.27.15+vmware.1-tkg.2-138e363d": Tags("v3.5.12_vmware.5", "v1.10.1_vmware.20"),
    "v1.26.14+vmware.1-tkg.2-6378700f": Tags("v3.5.12_vmware.5", "v1.9.3_vmware.22"),
    "v1.28.4+vmware.1-tkg.1-1e7baa84": Tags("v3.5.10_vmware.1", "v1.10.1_vmware.13"),
    "v1.27.8+vmware.1-tkg.1-e77cdad8": Tags("v3.5.10_vmware.1", "v1.10.1_vmware.12"),
    "v1.26.11+vmware.1-tkg.1-6d29b7d8": Tags("v3.5.10_vmware.1", "v1.9.3_vmware.19"),
    "v1.27.5+vmware.1-tkg.1-0eb96d2f": Tags("v3.5.7_vmware.6", "v1.10.1_vmware.7"),
    "v1.26.8+vmware.1-tkg.1-b8c57a6c": Tags("v3.5.6_vmware.20", "v1.9.3_vmware.16"),
    "v1.26.8+vmware.1-tkg.1-0edd4daf": Tags("v3.5.6_vmware.20", "v1.9.3_vmware.16"),
    "v1.25.13+vmware.1-tkg.1-00316699": Tags("v3.5.6_vmware.20", "v1.9.3_vmware.16"),
    "v1.25.13+vmware.1-tkg.1-6f765043": Tags("v3.5.6_vmware.20", "v1.9.3_vmware.11"),
    "v1.25.7+vmware.2-tkg.1-8a74b9f1": Tags("v3.5.6_vmware.9", "v1.9.3_vmware.8"),
    "v1.24.17+vmware.1-tkg.1-9f70d901": Tags("v3.5.6_vmware.19", "v1.8.6_vmware.26"),
    "v1.24.11+vmware.1-tkg.1-2ccb2a00": Tags("v3.5.6_vmware.10", "v1.8.6_vmware.18"),
}


def tkg_facts(properties: Mapping[str, str]) -> TemplateFacts | None:
    """Return what the properties of a template say of it; None: it is not one of TKG's.

    `source` is the whole VERSION.
    """
    version = properties.get(PROPERTY, "")
    found = _VERSION.fullmatch(version)
    if found is None:
        return None
    parts = [properties.get(key, "").lower() for key in ("DISTRO_NAME", "DISTRO_VERSION")]
    return TemplateFacts(
        os="-".join(part for part in parts if _OS.fullmatch(part)),
        kubernetes=found[1],
        cni="antrea",
        origin="tkg",
        source=version,
    )


def tags_of(version: str) -> Tags:
    """Return the tags that belong to a VERSION, empty ones where it is not known."""
    head, _dash, digest = version.rpartition("-")
    return _TAGS.get(f"{head}-{digest[:8]}", Tags())
