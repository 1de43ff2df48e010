"""What the nodes of a cluster reach without a proxy: each other, their API, pods and Services."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from cse_client.engines.direct.requirements import cluster_ranges
from cse_client.model import ClusterSpec, Network, TemplateFacts

__all__ = ["with_no_proxy"]

_ALWAYS = ("localhost", "127.0.0.1", ".svc", ".cluster.local")


def with_no_proxy(spec: ClusterSpec, network: Network, facts: TemplateFacts) -> ClusterSpec:
    """Return `spec` with a complete `no_proxy`; unchanged where there is no proxy.

    kubelet, containerd and Docker read it as Go does, which knows hosts, domains and networks
    (golang.org/x/net/http/httpproxy).
    """
    chosen = spec.settings
    if not chosen.has_proxy:
        return spec
    names = [*chosen.no_proxy.split(","), *_ALWAYS]
    names += [str(ipaddress.ip_network(subnet, strict=False)) for subnet in network.subnets]
    names += [str(one) for one in cluster_ranges(spec, facts).values()]
    names.append(spec.endpoint.partition(":")[0])
    complete = ",".join(dict.fromkeys(filter(None, names)))
    return replace(spec, settings=replace(chosen, no_proxy=complete))
