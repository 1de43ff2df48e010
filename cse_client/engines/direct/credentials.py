"""Credentials for a cluster: minting kubeconfigs, and where its API is.

By default the CA key stays in the control plane VM's customization script, where any administrator
with the tenant's credentials finds it. A sealed cluster keeps it in a file of the administrator
who sealed it, and in the cluster itself: see `custody`. docs/security.md says who can do what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from cse_client.engines.direct.metadata import recorded_control_plane_ip, recorded_spec
from cse_client.engines.kubeconfigs import check_spec, lifetime_of
from cse_client.guest.pki import ADMIN_GROUP, ClusterPKI, fitting_name, issue_client
from cse_client.kube.kubeconfig.document import (
    context_name,
    render_kubeconfig,
    server_url,
    user_name,
)
from cse_client.kube.kubeconfig.mark import Mark
from cse_client.model import CONTROL_PLANE, VApp, Vm, node_kind
from cse_client.model.grants import KubeconfigSpec

PROBE_LIFETIME = timedelta(minutes=30)


def control_plane_vm(vapp: VApp) -> Vm | None:
    """Return the first control plane VM of a cluster, or None."""
    return next((vm for vm in vapp.vms if node_kind(vm.name) == CONTROL_PLANE), None)


def endpoint_host(vapp: VApp, metadata: Mapping[str, str]) -> str:
    """Return the host part of the API's address, or an empty string when none is known."""
    chosen = recorded_spec(metadata).endpoint
    if chosen:
        return chosen
    vm = control_plane_vm(vapp)
    return (vm.ip if vm is not None else "") or recorded_control_plane_ip(metadata)


def administrator_name(user: str, org: str) -> str:
    """Return the name of an administrator in Kubernetes: who it is in VCD, as far as it fits.

    VCD allows names that are too long for a certificate, or that Kubernetes reserves; neither may
    make a cluster impossible. docs/access.md describes the rule.
    """
    name = f"{user}@{org}"
    return fitting_name(f"vcd:{name}" if name.startswith("system:") else name)


def admin_kubeconfig(
    pki: ClusterPKI, *, cluster: str, host: str, user: str, org: str, vdc: str, lifetime: timedelta
) -> str:
    """Mint an administrator's kubeconfig: a fresh certificate in the group bound to cluster-admin.

    `user` is the VCD user, so that the cluster's audit log tells administrators apart.
    """
    return mint_kubeconfig(
        pki,
        KubeconfigSpec(ttl=lifetime.total_seconds()),
        place=Mark("", context_name(cluster, org, vdc)),
        host=host,
        administrator=administrator_name(user, org),
    )


def mint_kubeconfig(
    pki: ClusterPKI, spec: KubeconfigSpec, *, place: Mark, host: str, administrator: str
) -> str:
    """Mint the kubeconfig that is asked for.

    `place` says which cluster it is, `host` (HOST or HOST:PORT) is the address that the API
    server's certificate is good for, `administrator` the certificate's user when the spec names
    none. Raises Refused for names that would be administrators', WrongUsage for a bad lifetime.
    """
    for problem in check_spec(spec):
        raise problem
    groups: Sequence[str] = spec.groups if spec.limited else [ADMIN_GROUP]
    person = spec.user if spec.limited else administrator
    certificate = issue_client(
        pki, common_name=person, organizations=groups, lifetime=lifetime_of(spec)
    )
    elsewhere = spec.endpoint and _host_of(spec.endpoint) != _host_of(host)
    return render_kubeconfig(
        cluster=place.name,
        context=spec.context or place.name,
        user=user_name(person, place.name),
        server=server_url(spec.endpoint or host),
        server_name=_host_of(host) if elsewhere else "",
        ca=pki.ca_cert,
        cert=certificate.cert,
        key=certificate.key,
        mark=place.document(),
    )


def _host_of(endpoint: str) -> str:
    return urlsplit(server_url(endpoint)).hostname or ""
