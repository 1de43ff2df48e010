"""Finding and showing clusters, by the metadata of their vApps.

Source: container-service-extension 2.6.1:container_service_extension/vcdbroker.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cse_client.simulator.cse.errors import failed
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.entities import Vdc
from cse_client.simulator.vcd.people import User
from cse_client.simulator.vcd.vapps import STATUS_NAMES, VApp, Vm

__all__ = [
    "CONTROL_PLANE",
    "NFS",
    "WORKER",
    "Place",
    "address_of",
    "cluster_document",
    "clusters",
    "metadata_of",
    "row",
    "the_cluster",
    "the_vdc",
    "vm_status",
    "vms_of",
]

CONTROL_PLANE, WORKER, NFS = "mstr", "node", "nfsd"
_KEYS: Mapping[str, str] = {
    "cse.cluster.id": "cluster_id",
    "cse.version": "cse_version",
    "cse.master.ip": "leader_endpoint",
    "cse.template.name": "template_name",
    "cse.template.revision": "template_revision",
    "cse.os": "os",
    "cse.docker.version": "docker_version",
    "cse.kubernetes": "kubernetes",
    "cse.kubernetes.version": "kubernetes_version",
    "cse.cni": "cni",
    "cse.cni.version": "cni_version",
}
#: pyvcloud's words for a VM's status (client.py, VCLOUD_STATUS_MAP).
_VM_STATUS = {
    -1: "Could not be created",
    0: "Unresolved",
    1: "Resolved",
    3: "Suspended",
    4: "Powered on",
    8: "Powered off",
    10: "Children do not all have the same status",
}


@dataclass(frozen=True)
class Place:
    """Where to look: names of an organization and an org VDC, None for anywhere."""

    org: str | None = None
    vdc: str | None = None


def metadata_of(vapp: VApp) -> dict[str, str]:
    """Return a vApp's CSE metadata under the server's own names, empty text where it lacks."""
    found = {name: "" for name in _KEYS.values()}
    for key, name in _KEYS.items():
        if ("GENERAL", key) in vapp.metadata:
            found[name] = vapp.metadata[("GENERAL", key)][1]
    if not found["template_name"] and ("GENERAL", "cse.template") in vapp.metadata:
        found["template_name"] = vapp.metadata[("GENERAL", "cse.template")][1]
    return found


def clusters(cloud: Cloud, user: User, place: Place, name: str | None = None) -> list[VApp]:
    """Return the cluster vApps that a user sees. An organization counts for administrators only."""
    with cloud.lock:
        known = (None, "system", cloud.org.name.lower())
        if user.is_provider and (place.org and place.org.lower()) not in known:
            raise failed(f"org '{place.org}' not found")
        return [
            vapp
            for vapp in cloud.vapps.values()
            if ("GENERAL", "cse.cluster.id") in vapp.metadata
            and cloud.visible(vapp, user)
            and (name is None or vapp.name == name)
            and (place.vdc is None or vapp.vdc.name == place.vdc)
        ]


def the_vdc(cloud: Cloud, org: str, name: str) -> Vdc:
    """Return an org VDC as the server's administrator finds it (pyvcloud_utils.py, `get_vdc`).

    Raises:
        Refusal: there is no such organization, or no such VDC in it.
    """
    with cloud.lock:
        # VCD finds an organization by its name in any case.
        if org.lower() != cloud.org.name.lower():
            raise failed(f"org '{org}' not found")
        for vdc in cloud.vdcs.values():
            if vdc.name == name:
                return vdc
    raise failed(f"VDC '{name}' not found in ORG '{cloud.org.name}'")


def the_cluster(cloud: Cloud, user: User, place: Place, name: str) -> VApp:
    """Return the one cluster of a name, after a look at the org VDC where that is said wholly.

    Raises:
        Refusal: there is none, or more than one, or no such organization or VDC.
    """
    if place.org is not None and place.vdc is not None:
        the_vdc(cloud, place.org, place.vdc)
    found = clusters(cloud, user, place, name)
    if len(found) > 1:
        raise failed(f"Found multiple clusters named '{name}'.")
    if not found:
        raise failed(f"Cluster '{name}' not found.")
    return found[0]


def vms_of(vapp: VApp, kind: str) -> list[Vm]:
    """Return a cluster's VMs of a kind, which only the prefix of their names shows."""
    return [vm for vm in vapp.vms if vm.name.startswith(kind)]


def address_of(vm: Vm) -> str:
    """Return a VM's first address, empty while it has none."""
    return vm.primary.address if vm.primary is not None else ""


def vm_status(vm: Vm) -> str:
    """Return a VM's status in words."""
    return _VM_STATUS.get(vm.status, "Unknown state")


def row(cloud: Cloud, vapp: VApp) -> dict[str, object]:
    """Return a cluster as `GET /clusters` lists it."""
    facts = metadata_of(vapp)
    return {
        "name": vapp.name,
        "vdc": vapp.vdc.name,
        "status": STATUS_NAMES.get(vapp.status, "UNKNOWN"),
        "org_name": cloud.org.name,
        "k8s_type": facts["kubernetes"],
        "k8s_version": _kubernetes_version(facts),
        "k8s_provider": "native",
    }


def cluster_document(cloud: Cloud, vapp: VApp, api: str) -> dict[str, object]:
    """Return a cluster as `GET /cluster/{name}` shows it."""

    def nodes(kind: str) -> list[dict[str, str]]:
        return [{"name": vm.name, "ipAddress": address_of(vm)} for vm in vms_of(vapp, kind)]

    facts = metadata_of(vapp)
    return {
        "name": vapp.name,
        "vapp_id": vapp.id,
        "vapp_href": f"{api}/vApp/vapp-{vapp.id}",
        "vdc_name": vapp.vdc.name,
        "vdc_href": f"{api}/vdc/{vapp.vdc.id}",
        "vdc_id": vapp.vdc.id,
        "master_nodes": nodes(CONTROL_PLANE),
        "nodes": nodes(WORKER),
        "nfs_nodes": nodes(NFS),
        "number_of_vms": str(len(vapp.vms)),
        **facts,
        "kubernetes_version": _kubernetes_version(facts),
        "status": STATUS_NAMES.get(vapp.status, "UNKNOWN"),
        "k8s_provider": "native",
    }


def _kubernetes_version(facts: Mapping[str, str]) -> str:
    """Return the version, for clusters older than 2.6 that in the template's name.

    Source: container-service-extension 2.6.1:container_service_extension/
    local_template_manager.py, which says "Unknown" for a name without one.
    """
    if facts["kubernetes_version"]:
        return facts["kubernetes_version"]
    parts = facts["template_name"].split("_")
    words = parts[1].split("-") if len(parts) == 3 else []  # noqa: PLR2004  (os, Kubernetes, CNI)
    return words[1] if len(words) == 2 and words[0] in ("k8", "tkg") else "Unknown"  # noqa: PLR2004
