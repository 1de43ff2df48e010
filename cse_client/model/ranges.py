"""Addresses that a cluster uses inside itself: for its Services and for its pods.

A network of nodes that overlaps one of them makes a cluster in which packets for a node, a gateway
or a name server end up at a pod or nowhere, so it has to be known before anything is made.
"""

from __future__ import annotations

import contextlib
import ipaddress

from cse_client.model import TemplateFacts

__all__ = [
    "SERVICES",
    "internal_ranges",
    "most_nodes",
    "pod_cidr_for_kubeadm",
    "pod_cidr_problem",
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

_UNUSABLE = {
    ipaddress.IPv4Network("0.0.0.0/8"): "addresses of this host",
    ipaddress.IPv4Network("127.0.0.0/8"): "loopback addresses",
    ipaddress.IPv4Network("169.254.0.0/16"): "link-local addresses",
    ipaddress.IPv4Network("224.0.0.0/3"): "multicast and reserved addresses",
}


def pod_cidr_for_kubeadm(facts: TemplateFacts) -> str:
    """Return the pod network that `kubeadm init` is given; empty where it is given none."""
    return facts.pod_cidr or _FROM_KUBEADM.get(facts.cni.lower(), "")


def internal_ranges(facts: TemplateFacts) -> dict[str, ipaddress.IPv4Network]:
    """Return the ranges of a cluster made from such a template, by what uses them.

    A pod network that is not known, or not a network, is left out.
    """
    found = {"Services": SERVICES}
    text = _OWN.get(facts.cni.lower(), "") or pod_cidr_for_kubeadm(facts)
    with contextlib.suppress(ValueError):
        found["pods"] = ipaddress.IPv4Network(text)
    return found


def most_nodes(facts: TemplateFacts) -> int | None:
    """Return how many nodes the pod network has room for; None where nothing limits them."""
    pods = internal_ranges(facts).get("pods")
    if pods is None or facts.cni.lower() in _OWN_ADDRESSES:
        return None
    return 1 << max(0, _NODE_PREFIX - pods.prefixlen)


def pod_cidr_problem(text: str) -> str:
    """Return why `text` cannot be the pod network of a cluster; empty when it can be."""
    try:
        pods = ipaddress.ip_network(text)
    except ValueError as error:
        return f"it is not a network in CIDR notation ({error})"
    if not isinstance(pods, ipaddress.IPv4Network):
        return "it is an IPv6 network; the nodes and Services of these clusters use IPv4"
    for range_, what in {**_UNUSABLE, SERVICES: "addresses of the cluster's Services"}.items():
        if pods.overlaps(range_):
            return f"it contains {what} ({range_})"
    if pods.prefixlen > _NODE_PREFIX:
        return f"it is too small: each node takes a /{_NODE_PREFIX} of it"
    if pods.prefixlen < _SHORTEST_PREFIX:
        return f"it is too large: kubeadm accepts a /{_SHORTEST_PREFIX} at most"
    return ""
