"""Addresses that a cluster uses inside itself: for its Services and for its pods.

A network of nodes that overlaps one of them makes a cluster in which packets for a node, a gateway
or a name server end up at a pod or nowhere, so it has to be known before anything is made.
"""

from __future__ import annotations

import contextlib
import ipaddress

from cse_client.model.cloud import TemplateFacts

__all__ = [
    "SERVICES",
    "fixed_pods",
    "internal_ranges",
    "most_nodes",
    "pod_cidr_for_kubeadm",
    "pod_cidr_problem",
    "service_cidr_problem",
]

#: kubeadm's default for Services (kubernetes/kubernetes:cmd/kubeadm/app/apis/kubeadm/v1beta4).
SERVICES = ipaddress.IPv4Network("10.96.0.0/12")

#: Pod networks of pod network plugins that take theirs from kubeadm.
_FROM_KUBEADM = {
    "antrea": "10.244.0.0/16",
    "calico": "192.168.0.0/16",
    "cilium": "10.244.0.0/16",
    "flannel": "10.244.0.0/16",
}
#: Weave Net takes its own, whatever kubeadm says (weaveworks/weave: IPALLOC_RANGE).
_OWN = {"weave": "10.32.0.0/12"}
#: These give pods addresses of their own accord, not from the part that a Node object names.
_OWN_ADDRESSES = ("calico", "weave")

# The controller manager gives each node a /24 of the pod network; kubeadm refuses a pod network
# that holds none, or more than 2^16 (kubernetes/kubernetes:cmd/kubeadm/app/apis/kubeadm/validation,
# ValidatePodSubnetNodeMask).
_NODE_PREFIX = 24
_SHORTEST_PREFIX = _NODE_PREFIX - 16
# The tenth address is the DNS server's; kubeadm refuses fewer addresses, and more than 20 bits
# (kubernetes/kubernetes:cmd/kubeadm/app/constants: MinimumAddressesInServiceSubnet,
# MaximumBitsForServiceSubnet).
_LONGEST_SERVICES = 28
_SHORTEST_SERVICES = 12

_UNUSABLE = {
    ipaddress.IPv4Network("0.0.0.0/8"): "addresses of this host",
    ipaddress.IPv4Network("127.0.0.0/8"): "loopback addresses",
    ipaddress.IPv4Network("169.254.0.0/16"): "link-local addresses",
    ipaddress.IPv4Network("224.0.0.0/3"): "multicast and reserved addresses",
}


def pod_cidr_for_kubeadm(facts: TemplateFacts, pod_cidr: str = "") -> str:
    """Return the pod network that `kubeadm init` is given; empty where it is given none.

    `pod_cidr` is the one that was chosen for the cluster, if any.
    """
    return pod_cidr or facts.pod_cidr or _FROM_KUBEADM.get(facts.cni.lower(), "")


def fixed_pods(facts: TemplateFacts) -> str:
    """Return why the pod network of such a template cannot be chosen, a clause; empty if it can."""
    cni = facts.cni.lower()
    if cni in _OWN:
        return f"its CNI plugin, {facts.cni}, always uses {_OWN[cni]}"
    if facts.pod_cidr and cni not in _FROM_KUBEADM:
        plugin = f"the CNI plugin {facts.cni}" if cni else "an unknown CNI plugin"
        return f"it is registered with the pod network {facts.pod_cidr} and {plugin}"
    return ""


def internal_ranges(
    facts: TemplateFacts, *, pod_cidr: str = "", service_cidr: str = ""
) -> dict[str, ipaddress.IPv4Network]:
    """Return the ranges of a cluster made from such a template, by what uses them.

    `pod_cidr` and `service_cidr` are those that were chosen for the cluster, if any. A pod network
    that is not known, or not a network, is left out.
    """
    found = {"Services": ipaddress.IPv4Network(service_cidr) if service_cidr else SERVICES}
    text = _OWN.get(facts.cni.lower(), "") or pod_cidr_for_kubeadm(facts, pod_cidr)
    with contextlib.suppress(ValueError):
        found["pods"] = ipaddress.IPv4Network(text)
    return found


def most_nodes(facts: TemplateFacts, pod_cidr: str = "") -> int | None:
    """Return how many nodes the pod network has room for; None where nothing limits them."""
    pods = internal_ranges(facts, pod_cidr=pod_cidr).get("pods")
    if pods is None or facts.cni.lower() in _OWN_ADDRESSES:
        return None
    return 1 << max(0, _NODE_PREFIX - pods.prefixlen)


def pod_cidr_problem(text: str, *, services: ipaddress.IPv4Network | None = SERVICES) -> str:
    """Return why `text` cannot be the pod network of a cluster; empty when it can be.

    Without `services` it may overlap them.
    """
    pods = _network(text)
    if isinstance(pods, str):
        return pods
    if services is not None and pods.overlaps(services):
        return f"it contains addresses of the cluster's Services ({services})"
    if pods.prefixlen > _NODE_PREFIX:
        return f"it is too small: each node takes a /{_NODE_PREFIX} of it"
    if pods.prefixlen < _SHORTEST_PREFIX:
        return f"it is too large: kubeadm accepts a /{_SHORTEST_PREFIX} at most"
    return ""


def service_cidr_problem(text: str) -> str:
    """Return why `text` cannot be the network of a cluster's Services; empty when it can be."""
    services = _network(text)
    if isinstance(services, str):
        return services
    if services.prefixlen > _LONGEST_SERVICES:
        return f"it is too small: kubeadm requires a /{_LONGEST_SERVICES} at least"
    if services.prefixlen < _SHORTEST_SERVICES:
        return f"it is too large: kubeadm accepts a /{_SHORTEST_SERVICES} at most"
    return ""


def _network(text: str) -> ipaddress.IPv4Network | str:
    """Return the network that `text` is, or why no cluster can use it."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        return f"it is not a network in CIDR notation ({error})"
    if not isinstance(network, ipaddress.IPv4Network):
        return "it is an IPv6 network; the nodes and Services of these clusters use IPv4"
    for range_, what in _UNUSABLE.items():
        if network.overlaps(range_):
            return f"it contains {what} ({range_})"
    return network
