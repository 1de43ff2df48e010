"""Credentials for a cluster: minting kubeconfigs, and where its API is.

By default the CA key stays in the control plane VM's customization script, where any administrator
with the tenant's credentials finds it. A sealed cluster keeps it in a file of the administrator
who sealed it, and in the cluster itself: see `custody`. docs/security.md says more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cse_client import suggest
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.kubeconfigs import check_spec, lifetime_of
from cse_client.errors import NotFound
from cse_client.guest.pki import ADMIN_GROUP, ClusterPKI, fitting_name, issue_client
from cse_client.kube.credentials import Credentials
from cse_client.kube.kubeconfig.document import render_kubeconfig, server_url, user_name
from cse_client.kube.kubeconfig.mark import Mark
from cse_client.model import Session
from cse_client.model.grants import KubeconfigSpec

if TYPE_CHECKING:
    from cse_client.kube.api import ClusterAPI
    from cse_client.kube.etcd import Etcd

__all__ = [
    "API_TIMEOUT",
    "PROBE_TIMEOUT",
    "admin_credentials",
    "administrator_name",
    "mint_kubeconfig",
    "open_api",
    "open_etcd",
]

#: How long the certificate of an administrator lasts that this client makes for itself.
_OWN_LIFETIME = timedelta(minutes=30)
#: Seconds to wait for each answer of a cluster's API: when the command can do without one or asks
#: again and again, and when it needs the answer.
PROBE_TIMEOUT = 3.0
API_TIMEOUT = 10.0


def administrator_name(user: str, org: str) -> str:
    """Return the name of an administrator in Kubernetes: who it is in VCD, as far as it fits.

    VCD allows names that are too long for a certificate, or that Kubernetes reserves; neither may
    make a cluster impossible. docs/access.md describes the rule.
    """
    name = f"{user}@{org}"
    return fitting_name(f"vcd:{name}" if name.startswith("system:") else name)


def open_api(cluster: ExistingCluster, pki: ClusterPKI, *, timeout: float) -> ClusterAPI:
    """Return the cluster's own API, seen as an administrator; close it afterwards.

    Raises:
        NotFound: no address of it is known.
    """
    from cse_client.kube.api import ClusterAPI

    access = admin_credentials(pki, _known_endpoint(cluster), cluster.session)
    return ClusterAPI(access, timeout=timeout)


@contextmanager
def open_etcd(
    cluster: ExistingCluster, pki: ClusterPKI, *, node: str, host: str = ""
) -> Iterator[Etcd]:
    """Give the etcd member on the control plane `node`.

    `host` is the API server to go through, by default the one at the cluster's endpoint.

    Raises:
        NotFound: no address of the cluster's API is known.
        ClusterUnreachable: the API or etcd does not answer.
    """
    from cse_client.kube import etcd

    client = issue_client(
        (pki.etcd_cert, pki.etcd_key),
        common_name="cse-client",
        organizations=[],
        lifetime=_OWN_LIFETIME,
    )
    with etcd.open_etcd(
        admin_credentials(pki, host or _known_endpoint(cluster), cluster.session),
        f"etcd-{node}",
        ca=pki.etcd_cert,
        certificate=client.cert,
        key=client.key,
        timeout=API_TIMEOUT,
    ) as found:
        yield found


def _known_endpoint(cluster: ExistingCluster) -> str:
    host = cluster.endpoint
    if not host:
        raise NotFound(
            f"Cluster '{cluster.name}' has no known API address.",
            hint=f"Show the cluster: {suggest.cse('cluster info', cluster.name)}",
        )
    return host


def admin_credentials(pki: ClusterPKI, host: str, session: Session) -> Credentials:
    """Return credentials with a fresh certificate in the group that is bound to cluster-admin.

    `host` is HOST or HOST:PORT. The certificate names the VCD user, so that the cluster's audit
    log can distinguish administrators.
    """
    certificate = issue_client(
        pki,
        common_name=administrator_name(session.user, session.org),
        organizations=[ADMIN_GROUP],
        lifetime=_OWN_LIFETIME,
    )
    return Credentials(server_url(host), pki.ca_cert, certificate.cert, certificate.key)


def mint_kubeconfig(
    pki: ClusterPKI, spec: KubeconfigSpec, *, mark: Mark, host: str, administrator: str
) -> str:
    """Mint the requested kubeconfig.

    `mark` says which cluster it is, `host` (HOST or HOST:PORT) is the address that the API
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
        cluster=mark.name,
        context=spec.context or mark.name,
        user=user_name(person, mark.name),
        server=server_url(spec.endpoint or host),
        server_name=_host_of(host) if elsewhere else "",
        ca=pki.ca_cert,
        cert=certificate.cert,
        key=certificate.key,
        mark=mark.document(),
    )


def _host_of(endpoint: str) -> str:
    return urlsplit(server_url(endpoint)).hostname or ""
