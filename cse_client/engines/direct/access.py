"""Who may act on a cluster: reading the CA key back, minting credentials, sealing.

By default the CA key stays in the control plane VM's customization script, where any administrator
with the tenant's credentials finds it. A sealed cluster keeps it in a file of the administrator
who sealed it, and in the cluster itself. docs/security.md says who can do what.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cse_client.engines.access import check_spec, lifetime_of
from cse_client.engines.direct import metadata as keys
from cse_client.errors import CseError, NotFound, Refused
from cse_client.guest import render
from cse_client.guest.pki import ADMIN_GROUP, ClusterPKI, issue_client
from cse_client.kube.kubeconfig.document import (
    context_name,
    render_kubeconfig,
    server_url,
    user_name,
)
from cse_client.kube.kubeconfig.mark import Mark
from cse_client.model import CONTROL_PLANE, VApp, Vm, node_kind
from cse_client.model.access import KubeconfigSpec
from cse_client.state import state_folder

if TYPE_CHECKING:
    from cse_client.vcd.gateway import Gateway

PROBE_LIFETIME = timedelta(minutes=30)


def ca_file(cluster_id: str) -> Path:
    """Return where the CA of a sealed cluster is kept on this machine.

    The id comes from metadata that others may write, so it must not be able to name another file.
    """
    safe = re.sub(r"[^0-9A-Za-z-]", "_", cluster_id)[:64] or "unknown"
    return state_folder() / "ca" / f"{safe}.json"


def control_plane_vm(vapp: VApp) -> Vm | None:
    """Return the first control plane VM of a cluster, or None."""
    return next((vm for vm in vapp.vms if node_kind(vm.name) == CONTROL_PLANE), None)


def endpoint_host(vapp: VApp, metadata: Mapping[str, str]) -> str:
    """Return the host part of the API's address, or an empty string when none is known."""
    chosen = keys.recorded_spec(metadata).endpoint
    if chosen:
        return chosen
    vm = control_plane_vm(vapp)
    return (vm.ip if vm is not None else "") or metadata.get(keys.CONTROL_PLANE_IP, "")


def find_pki(gateway: Gateway, vapp: VApp, metadata: Mapping[str, str]) -> ClusterPKI:
    """Return the cluster's CA keys from wherever this user may find them.

    Raises Refused for a sealed cluster whose key is not on this machine, NotFound for a cluster
    that has no control plane VM, or whose CA was never ours (CSE made it).
    """
    name = vapp.name
    vm = control_plane_vm(vapp)
    if vm is None:
        raise NotFound(
            f"Cluster '{name}' has no control plane VM.",
            hint=f"Delete what is left: vcd cse cluster delete {name}",
        )
    script = gateway.customization_script(vm.href)
    found = render.recover_pki(script)
    if found is not None:
        return found
    cluster_id = metadata.get(keys.CLUSTER_ID, "")
    if render.is_sealed(script) or metadata.get(keys.SEALED):
        return load_ca_file(name, cluster_id)
    raise NotFound(
        f"Cluster '{name}' was not made by this client, so its CA key is not at hand.",
        hint=f"Its kubeconfig lies on the VM {vm.name}, in /root/.kube/config"
        f" (root's password: vcd vm info {name} {vm.name}).",
    )


def load_ca_file(name: str, cluster_id: str) -> ClusterPKI:
    """Read the CA of a sealed cluster from the state folder. Raises Refused when it is not there.

    The file is JSON, one base64 text a PEM file, mode 0600.
    """
    path = ca_file(cluster_id)
    try:
        raw = json.loads(path.read_text(encoding="ascii"))
        return ClusterPKI(**{part: base64.b64decode(text) for part, text in raw.items()})
    except FileNotFoundError:
        raise Refused(
            f"Cluster '{name}' is sealed and its CA key is not on this machine.",
            hint=f"Use the machine that sealed it (file {path}), or an administrator's kubeconfig:"
            " kubectl -n kube-system get secret cse-cluster-ca",
        ) from None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CseError(
            f"The CA file {path} of sealed cluster '{name}' cannot be read"
            f" ({type(error).__name__})."
        ) from None


def save_ca_file(cluster_id: str, pki: ClusterPKI) -> Path:
    """Keep the CA of a cluster in the state folder, mode 0600, and return the file's path."""
    path = ca_file(cluster_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = json.dumps({part: base64.b64encode(pem).decode() for part, pem in vars(pki).items()})
    partial = path.with_suffix(".part")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
    return path


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
        administrator=f"{user}@{org}",
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
