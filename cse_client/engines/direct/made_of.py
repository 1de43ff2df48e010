"""Of which template a node's VM was made.

VCD does not show that. The description of each VM that this client makes names the template, which
the request that makes the VM writes. As whoever may edit the vApp can write there what they like,
it is compared with what the node itself reports. VMs of earlier versions, and of CSE, have no such
description: what they are made of is not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cse_client.engines.direct.credentials import API_TIMEOUT, open_api
from cse_client.engines.direct.upgrade_targets import release_of
from cse_client.model import NewVm, Template, Vm
from cse_client.versions import version_key

if TYPE_CHECKING:
    from cse_client.engines.direct.existing import ExistingCluster
    from cse_client.guest.pki import ClusterPKI

__all__ = ["confirmed", "made_of", "template_mark", "template_named"]

_ID = r"[A-Za-z0-9-]{1,60}"
_MARK = re.compile(rf"\[template ({_ID})\]", re.ASCII)


def template_mark(template: Template) -> str:
    """Return what the description of a VM of this template contains; empty without a usable id."""
    return f"[template {template.id}]" if re.fullmatch(_ID, template.id, re.ASCII) else ""


def template_named(vm: Vm | NewVm) -> str:
    """Return the id of the template that the description of a VM names; empty if it names none."""
    found = _MARK.search(vm.description)
    return found.group(1) if found else ""


def made_of(
    cluster: ExistingCluster, pki: ClusterPKI, vms: Sequence[Vm], template: Template
) -> frozenset[str]:
    """Return which of the VMs, by name, are nodes of this template.

    Raises:
        ClusterUnreachable: the cluster's API does not answer. It is only asked if a VM is said to
            be of the template.
    """
    if all(template_named(vm) != template.id for vm in vms):
        return frozenset()
    with open_api(cluster, pki, timeout=API_TIMEOUT) as api:
        return confirmed(vms, {node.name: node.kubelet_version for node in api.nodes()}, template)


def confirmed(vms: Sequence[Vm], kubelets: Mapping[str, str], template: Template) -> frozenset[str]:
    """Return which of the VMs, by name, are said to be of a template and run its release.

    `kubelets` has the release of each node of the cluster.
    """
    # as exactly as the template's is known
    release = version_key(release_of(template))
    return frozenset(
        vm.name
        for vm in vms
        if template_named(vm) == template.id
        and vm.name in kubelets
        and version_key(kubelets[vm.name])[: len(release)] == release
    )
