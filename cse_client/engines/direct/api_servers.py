"""Asking each API server of a cluster with a virtual address, and who answers at that address."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

from cse_client import suggest
from cse_client.engines.direct.credentials import PROBE_TIMEOUT, admin_credentials
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.errors import ClusterUnreachable, CseError
from cse_client.guest.pki import ClusterPKI
from cse_client.kube.api import ClusterAPI
from cse_client.kube.credentials import Credentials
from cse_client.kube.kubeconfig.document import server_url
from cse_client.kube.serving import ends_soon, show_end

__all__ = ["ApiServers", "ask_api_servers"]

_MOST = 8


@dataclass(frozen=True)
class ApiServers:
    """Who answered: `holder` is the control plane at the virtual address; sentences and clauses.

    `answering` are the control planes whose API servers answer at their own addresses.
    """

    holder: str = ""
    answering: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def ask_api_servers(cluster: ExistingCluster, pki: ClusterPKI) -> ApiServers:
    """Ask every API server at its own address, and look whose certificate the virtual one shows.

    They are asked side by side; each has `PROBE_TIMEOUT` seconds.
    """
    address = cluster.virtual_address
    heads = {vm.name: vm.ip for vm in cluster.control_planes if vm.ip and vm.is_on}
    access = admin_credentials(pki, address, cluster.session)
    with ThreadPoolExecutor(_MOST) as pool:
        asked = {
            name: pool.submit(_answer, replace(access, server=server_url(host)))
            for name, host in heads.items()
        }
        at_address = pool.submit(_answer, access)
        answers = {name: one.result() for name, one in asked.items()}
        why, names, _end = at_address.result()
    holder = next((name for name in heads if name in names), "") if not why else ""
    sources, problems = [], []
    renew = suggest.cse("cluster renew", cluster.name)
    for name, (silence, _names, end) in answers.items():
        state = f"did not answer ({silence})" if silence else "answered"
        sources.append(f"API server of {name} ({heads[name]}): {state}")
        if silence:
            problems.append(f"the API server of {name} does not answer ({silence})")
        elif end is not None and ends_soon(end):
            problems.append(
                f"the API server's certificate of {name} ends on {show_end(end)}; renew it with"
                f" `{renew}`"
            )
    answering = tuple(name for name, (silence, *_) in answers.items() if not silence)
    if why:
        problems.append(f"nothing answers at the virtual address {address} ({why})")
        if answering:
            problems[-1] += (
                f", but {', '.join(answering)} at its own: keepalived does not run there, or the"
                " network blocks the address (SpoofGuard)"
            )
    return ApiServers(holder, answering, tuple(sources), tuple(problems))


def _answer(access: Credentials) -> tuple[str, tuple[str, ...], datetime | None]:
    """Return why an API server does not answer, and its certificate's names and end."""
    try:
        with ClusterAPI(access, timeout=PROBE_TIMEOUT) as api:
            api.version()
            return "", api.certificate_names(), api.certificate_end()
    except ClusterUnreachable as silence:
        return silence.reason, (), None
    except CseError as error:
        return error.clause, (), None
