"""MetalLB's controller: addresses for Services of type LoadBalancer.

It works while the Deployment metallb-system/controller has a running pod, as its real pods would.
metallb/metallb:controller/service.go (v0.9.6 and v0.16.1) and internal/allocator/allocator.go:
a controller started with `--config=NAME` reads that ConfigMap (up to 0.12), a newer one reads
IPAddressPools. An address is assigned whether or not a speaker announces it; speakers say
`nodeAssigned` once one of them does: while the Service has an endpoint, from a node with a speaker,
and since 0.14 from none with the label node.kubernetes.io/exclude-from-external-load-balancers
unless they run with --ignore-exclude-lb (speaker/layer2_controller.go; metallb/metallb#2073 and
#2280). Only IPv4.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import yaml

from cse_client.simulator.kube.objects import Obj, dig, key_of
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = ["Balancers", "announcing_nodes", "is_announced"]

_NAMESPACE = "metallb-system"
_SERVICES = ("", "services")
_MAPS = ("", "configmaps")
_POOLS = ("metallb.io", "ipaddresspools")
_ADVERTISEMENTS = ("metallb.io", "l2advertisements")
_DEPLOYMENTS, _DAEMONS = ("apps", "deployments"), ("apps", "daemonsets")
_ENDPOINTS, _NODES, _PODS = ("", "endpoints"), ("", "nodes"), ("", "pods")
_OURS = (_MAPS, _POOLS, _ADVERTISEMENTS, _DEPLOYMENTS, _DAEMONS)
_WATCHED = (_SERVICES, _ENDPOINTS, _NODES, *_OURS)
_EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
_EXCLUDES_SINCE = (0, 14)
_PREFIXES = ("metallb.io", "metallb.universe.tf")
_FROM_POOL = "metallb.io/ip-allocated-from-pool"


@dataclass(frozen=True)
class _Pool:
    name: str
    ranges: tuple[tuple[int, int], ...]
    auto: bool = True

    def __contains__(self, number: int) -> bool:
        return any(first <= number <= last for first, last in self.ranges)

    def __iter__(self) -> Iterator[int]:
        for first, last in self.ranges:
            yield from range(first, last + 1)


class Balancers:
    """Gives Services of type LoadBalancer addresses, as far as MetalLB runs and is configured."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._failures: dict[tuple[str, str], str] = {}
        self._announcers: dict[str, str] = {}

    def changed(self, change: Change) -> None:
        """React to Services, to MetalLB's configuration and to its pods' coming and going."""
        if change.key not in _WATCHED:
            return
        obj = change.new or change.old
        if obj is None:
            return
        if change.key in _OURS and obj["metadata"].get("namespace") != _NAMESPACE:
            return
        if change.key == _NODES and _labels(change.new) == _labels(change.old):
            return
        controller = self._cluster.store.get(_DEPLOYMENTS, _NAMESPACE, "controller")
        if controller is None or not dig(controller, "status", "availableReplicas"):
            return
        pools = self._pools(controller)
        if pools is None:
            return
        for service in list(self._cluster.store.each(_SERVICES)):
            self._converge(service, pools)
        self._announce()

    def tick(self, now: datetime) -> datetime | None:
        """Nothing here depends on time."""

    # Configuration

    def _pools(self, controller: Obj) -> list[_Pool] | None:
        """Return the pools; None while there is no configuration that can be read."""
        args = [
            str(word)
            for container in dig(controller, "spec", "template", "spec", "containers", default=[])
            for word in container.get("args") or ()
        ]
        named = [word.partition("=")[2] for word in args if word.startswith("--config=")]
        if named:
            found = self._cluster.store.get(_MAPS, _NAMESPACE, named[0])
            return _old_pools(dig(found or {}, "data", "config", default=""))
        pools = []
        for one in self._cluster.store.each(_POOLS, _NAMESPACE):
            ranges = [_range(text) for text in dig(one, "spec", "addresses", default=[])]
            auto = dig(one, "spec", "autoAssign", default=True) is not False
            good = tuple(item for item in ranges if item is not None)
            pools.append(_Pool(one["metadata"]["name"], good, auto))
        return pools or None

    # One Service

    def _converge(self, service: Obj, pools: list[_Pool]) -> None:
        given = [one.get("ip") for one in dig(service, "status", "loadBalancer", "ingress") or ()]
        if dig(service, "spec", "type") != "LoadBalancer":
            if given:
                self._store(service, "", "")
            return
        wanted = _wanted(service)
        pool_name = _annotation(service, "address-pool")
        others = self._others(service)
        if given and given[0]:
            number = int(ipaddress.IPv4Address(given[0]))
            holder = next((one for one in pools if number in one), None)
            fits = holder is not None and pool_name in ("", holder.name)
            if fits and wanted in ("", given[0]) and not _clash(service, number, others):
                return
        try:
            number, pool = _allocate(service, pools, wanted, pool_name, others)
        except ValueError as error:
            if given:
                self._store(service, "", "")
            self._fail(service, str(error))
            return
        self._failures.pop(key_of(service), None)
        address = str(ipaddress.IPv4Address(number))
        self._store(service, address, pool)
        new = self._cluster.table.find(*_POOLS) is not None
        text = f'Assigned IP ["{address}"]' if new else f'Assigned IP "{address}"'
        self._event(service, "Normal", "IPAllocated", text, "controller")

    def _others(self, service: Obj) -> dict[int, list[Obj]]:
        found: dict[int, list[Obj]] = {}
        for one in self._cluster.store.each(_SERVICES):
            if key_of(one) == key_of(service) or dig(one, "spec", "type") != "LoadBalancer":
                continue
            for item in dig(one, "status", "loadBalancer", "ingress") or ():
                if item.get("ip"):
                    found.setdefault(int(ipaddress.IPv4Address(item["ip"])), []).append(one)
        return found

    def _store(self, service: Obj, address: str, pool: str) -> None:
        current = self._cluster.store.get(_SERVICES, *key_of(service))
        if current is None:
            return
        metadata = dict(current["metadata"])
        annotations = dict(metadata.get("annotations") or {})
        annotations.pop(_FROM_POOL, None)
        if pool and self._cluster.table.find(*_POOLS) is not None:
            annotations[_FROM_POOL] = pool
        if annotations:
            metadata["annotations"] = annotations
        else:
            metadata.pop("annotations", None)
        ingress: Obj = {"ip": address}
        if self._cluster.minor >= 30:  # noqa: PLR2004 - LoadBalancerIPMode
            ingress["ipMode"] = "VIP"
        balancer = {"ingress": [ingress]} if address else {}
        self._cluster.put(_SERVICES, current, metadata=metadata, status={"loadBalancer": balancer})

    def _announce(self) -> None:
        nodes = announcing_nodes(self._cluster)
        for service in list(self._cluster.store.each(_SERVICES)):
            uid = service["metadata"]["uid"]
            node = nodes[0] if nodes and is_announced(self._cluster, service) else ""
            if node and self._announcers.get(uid) != node:
                text = f'announcing from node "{node}" with protocol "layer2"'
                self._event(service, "Normal", "nodeAssigned", text, "speaker")
            self._announcers[uid] = node

    def _fail(self, service: Obj, why: str) -> None:
        key = key_of(service)
        if self._failures.get(key) == why:
            return
        self._failures[key] = why
        text = f'Failed to allocate IP for "{"/".join(key)}": {why}'
        self._event(service, "Warning", "AllocationFailed", text, "controller")

    def _event(self, service: Obj, kind: str, reason: str, text: str, source: str) -> None:
        metadata, now = service["metadata"], self._cluster.now()
        self._cluster.add(
            ("", "events"),
            {
                "metadata": {
                    "name": f"{metadata['name']}.{uuid.uuid4().hex[:16]}",
                    "namespace": metadata["namespace"],
                },
                "involvedObject": {
                    "kind": "Service",
                    "apiVersion": "v1",
                    "namespace": metadata["namespace"],
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                },
                "type": kind,
                "reason": reason,
                "message": text,
                "source": {"component": f"metallb-{source}"},
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
            },
        )


def announcing_nodes(cluster: Cluster) -> list[str]:
    """Return the nodes whose speakers may announce addresses."""
    speaker = cluster.store.get(_DAEMONS, _NAMESPACE, "speaker")
    if speaker is None or not dig(speaker, "status", "numberAvailable"):
        return []
    uid = speaker["metadata"]["uid"]
    (container,) = dig(speaker, "spec", "template", "spec", "containers", default=[{}])[:1]
    found = re.search(r":v(\d+)\.(\d+)\.", str(container.get("image")))
    version = (int(found[1]), int(found[2])) if found else _EXCLUDES_SINCE
    honors = version >= _EXCLUDES_SINCE and "--ignore-exclude-lb" not in container.get("args", ())
    there = {
        dig(pod, "spec", "nodeName")
        for pod in cluster.store.each(_PODS, _NAMESPACE)
        if any(one["uid"] == uid for one in dig(pod, "metadata", "ownerReferences", default=[]))
    }
    return sorted(
        node["metadata"]["name"]
        for node in cluster.store.each(_NODES)
        if node["metadata"]["name"] in there and not (honors and _EXCLUDED in _labels(node))
    )


def is_announced(cluster: Cluster, service: Obj) -> bool:
    """Whether speakers announce a Service's address, and so whether anybody finds it."""
    if not dig(service, "status", "loadBalancer", "ingress") or not announcing_nodes(cluster):
        return False
    new = cluster.table.find(*_POOLS) is not None
    endpoints = cluster.store.get(_ENDPOINTS, *key_of(service)) or {}
    active = any(one.get("addresses") for one in endpoints.get("subsets") or ())
    return active and (not new or cluster.store.count(_ADVERTISEMENTS) > 0)


def _labels(node: Obj | None) -> Obj:
    return dict(dig(node, "metadata", "labels", default={})) if node else {}


def _old_pools(text: str) -> list[_Pool] | None:
    try:
        raw = yaml.safe_load(text) or {}
        pools = []
        for one in raw["address-pools"]:
            ranges = tuple(_range(item) for item in one["addresses"])
            if None in ranges or one["protocol"] not in ("layer2", "bgp"):
                return None
            good = tuple(item for item in ranges if item is not None)
            pools.append(_Pool(str(one["name"]), good, one.get("auto-assign", True) is not False))
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        return None
    return pools or None


def _range(text: object) -> tuple[int, int] | None:
    try:
        if "-" in str(text):
            first, last = (int(ipaddress.IPv4Address(p.strip())) for p in str(text).split("-"))
            return (first, last) if first <= last else None
        network = ipaddress.IPv4Network(str(text), strict=False)
    except ValueError:
        return None
    return int(network.network_address), int(network.broadcast_address)


def _annotation(service: Obj, name: str) -> str:
    annotations = service["metadata"].get("annotations") or {}
    return next((str(annotations[k]) for p in _PREFIXES if (k := f"{p}/{name}") in annotations), "")


def _wanted(service: Obj) -> str:
    return _annotation(service, "loadBalancerIPs") or dig(
        service, "spec", "loadBalancerIP", default=""
    )


def _ports(service: Obj) -> set[tuple[str, int]]:
    return {(one.get("protocol", "TCP"), one["port"]) for one in service["spec"].get("ports") or ()}


def _clash(service: Obj, number: int, others: dict[int, list[Obj]]) -> str:
    """Return why a Service cannot have an address beside those that have it."""
    name = str(ipaddress.IPv4Address(number))
    for other in others.get(number, ()):
        key = _annotation(service, "allow-shared-ip")
        place = "/".join(key_of(other))
        if not key or key != _annotation(other, "allow-shared-ip"):
            mine = "/".join(key_of(service))
            return f'can\'t change sharing key for "{mine}", address also in use by {place}'
        if _ports(service) & _ports(other):
            return f'port {sorted(_ports(service))[0][1]} of "{name}" is in use by {place}'
    return ""


def _allocate(
    service: Obj,
    pools: list[_Pool],
    wanted: str,
    pool_name: str,
    others: dict[int, list[Obj]],
) -> tuple[int, str]:
    """Return an address and its pool.

    Raises:
        ValueError: the text is MetalLB's.
    """
    if wanted:
        try:
            number = int(ipaddress.IPv4Address(wanted))
        except ValueError:
            raise ValueError(f'invalid spec.loadBalancerIP "{wanted}"') from None
        for pool in pools:
            if number in pool:
                clash = _clash(service, number, others)
                if clash:
                    raise ValueError(clash)
                return number, pool.name
        raise ValueError(f'["{wanted}"] is not allowed in config')
    candidates = [one for one in pools if one.auto]
    if pool_name:
        candidates = [one for one in pools if one.name == pool_name]
        if not candidates:
            raise ValueError(f'unknown pool "{pool_name}"')
    for pool in candidates:
        for number in pool:
            if not _clash(service, number, others):
                return number, pool.name
    where = f'in pool "{pool_name}"' if pool_name else ""
    raise ValueError(f"no available IPs {where}".rstrip())
