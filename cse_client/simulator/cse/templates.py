"""The templates that the server knows, and what it runs in the VMs made from them.

A genuine server learns them from a cookbook when it is set up and keeps their scripts at home. The
scripts here are our own, with the effect of the published ones: the control plane is initialized,
its administrator's kubeconfig copied to /root/.kube/config, the pod network applied; a worker
joins with a token and no pin of the CA (docs of the cookbook: mstr.sh, node.sh).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cse_client.simulator.cse.errors import failed
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.entities import Template

__all__ = ["KnownTemplate", "cluster_tags", "known_templates", "template_of"]

_DOCKER = {"ubuntu-16.04": "19.03.12"}
_NONE = "none"

_HOST = """#!/bin/bash
set -e
until systemctl is-active --quiet {runtime}; do sleep 1; done
modprobe br_netfilter
sysctl -q -w net.bridge.bridge-nf-call-iptables=1 net.ipv4.ip_forward=1
"""

_INIT = """\
kubeadm init --kubernetes-version=v{version} >/root/kubeadm-init.out
mkdir -p /root/.kube
cp -f /etc/kubernetes/admin.conf /root/.kube/config
export KUBECONFIG=/root/.kube/config
kubectl apply -f {manifest}
"""

_JOIN = """\
kubeadm join --token {token} {address}:6443 --discovery-token-unsafe-skip-ca-verification
"""


@dataclass(frozen=True)
class KnownTemplate:
    """A template with the facts that the cookbook gives; versions are text."""

    template: Template
    catalog: str
    catalog_item: str
    name: str
    revision: int
    description: str
    os: str
    docker_version: str
    kubernetes_version: str
    cni: str
    cni_version: str
    runtime: str
    manifest: str
    upgrade_from: tuple[str, ...]
    kubernetes: str = "upstream"

    @property
    def cpu(self) -> int:
        """CPUs of a VM unless asked for otherwise."""
        return self.template.cpus

    @property
    def memory(self) -> int:
        """Memory of a VM in MB unless asked for otherwise."""
        return self.template.memory_mb

    @property
    def init_script(self) -> str:
        """What makes a control plane."""
        return (_HOST + _INIT).format(
            runtime=self.runtime, version=self.kubernetes_version, manifest=self.manifest
        )

    def join_script(self, token: str, address: str) -> str:
        """Return what makes a worker."""
        return (_HOST + _JOIN).format(runtime=self.runtime, token=token, address=address)

    def document(self) -> dict[str, object]:
        """Return all that the server keeps of it: the catalog item's metadata (4.7)."""
        return {
            "catalog_item_name": self.catalog_item,
            "name": self.name,
            "revision": str(self.revision),
            "description": self.description,
            "compute_policy": "",
            "cpu": str(self.cpu),
            "mem": str(self.memory),
            "deprecated": "False",
            "os": self.os,
            "docker_version": self.docker_version,
            "kubernetes": self.kubernetes,
            "kubernetes_version": self.kubernetes_version,
            "cni": self.cni,
            "cni_version": self.cni_version,
            "upgrade_from": list(self.upgrade_from) or [""],
        }


def known_templates(cloud: Cloud) -> list[KnownTemplate]:
    """Return the templates of every catalog whose items are named `{name}_rev{n}`.

    A template can be upgraded to from the others of its operating system and pod network with an
    older Kubernetes, as the cookbook has it. The first in the catalog is the server's default.
    """
    known = []
    for catalog, item in cloud.items():
        template = item.template
        name, _, revision = item.name.rpartition("_rev")
        if template is None or not name or not revision.isdigit():
            continue
        image = template.image
        system = str(image.get("os", ""))
        known.append(
            KnownTemplate(
                template=template,
                catalog=catalog.name,
                catalog_item=item.name,
                name=name,
                revision=int(revision),
                description=item.description,
                os=system,
                docker_version=_DOCKER.get(system, _NONE),
                kubernetes_version=str(image.get("kubernetes", "")),
                cni=str(image.get("cni", "")),
                cni_version=str(image.get("cni_version", "")),
                runtime=str(image.get("runtime", "docker")),
                manifest=str(image.get("cni_manifest", "")),
                upgrade_from=(),
            )
        )
    return [_with_origins(one, known) for one in known]


def _with_origins(one: KnownTemplate, known: list[KnownTemplate]) -> KnownTemplate:
    from dataclasses import replace

    def number(template: KnownTemplate) -> tuple[int, ...]:
        return tuple(int(part) for part in template.kubernetes_version.split("."))

    origins = [
        other.name
        for other in known
        if (other.os, other.cni) == (one.os, one.cni) and number(other) <= number(one)
    ]
    return replace(one, upgrade_from=tuple(dict.fromkeys(origins)))


def template_of(cloud: Cloud, name: object = None, revision: object = None) -> KnownTemplate:
    """Return the named template, or the default one.

    Raises:
        Refusal: there is no such template, or only one of the two was named.
    """
    if (name is None) != (revision is None):
        raise failed(
            "If template revision is specified, then template name must also be specified (and "
            "vice versa)."
        )
    known = known_templates(cloud)
    if name is None and known:
        return known[0]
    for one in known:
        if one.name == name and str(one.revision) == str(revision):
            return one
    raise failed(f"Template '{name}' at revision {revision} not found.")


def cluster_tags(template: KnownTemplate, cluster_id: str, version: str) -> Mapping[str, str]:
    """Return the ten keys that make a vApp a cluster."""
    return {
        "cse.cluster.id": cluster_id,
        "cse.version": version,
        "cse.template.name": template.name,
        "cse.template.revision": str(template.revision),
        "cse.os": template.os,
        "cse.docker.version": template.docker_version,
        "cse.kubernetes": template.kubernetes,
        "cse.kubernetes.version": template.kubernetes_version,
        "cse.cni": template.cni,
        "cse.cni.version": template.cni_version,
    }
