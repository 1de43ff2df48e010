"""What one simulated cluster is made of; every part is handed this and takes what it needs."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Callable
from typing import Any

from cse_client.simulator.clock import Clock
from cse_client.simulator.kube.errors import not_found
from cse_client.simulator.kube.node_authorizer import NodeAuthorizer
from cse_client.simulator.kube.objects import Obj, timestamp
from cse_client.simulator.kube.port_forward import Stream
from cse_client.simulator.kube.rbac import Attributes, Rbac, User
from cse_client.simulator.kube.resources import Resource, ResourceTable
from cse_client.simulator.kube.store import Store

__all__ = ["Cluster"]

_SERVICES = "10.96.0.0/12"
_PODS = "10.244.0.0/16"


class Cluster:
    """State that outlives power cycles: the objects, and what is derived from them.

    `ca` and `ca_key` (PEM) are there once the API server was started with them; `address` is
    where it serves.
    """

    def __init__(self, version: str, clock: Clock) -> None:
        self.version = version
        self.minor = int(version.split(".")[1])
        self.clock = clock
        self.store = Store()
        self.table = ResourceTable(self.minor)
        # What /apis lists, which lags behind what is served (see controllers/custom.py).
        self.discovered = ResourceTable(self.minor)
        self.rbac = Rbac(self.store)
        self.nodes = NodeAuthorizer(self.store, self.minor)
        self.ca: bytes = b""
        self.ca_key: bytes | None = None
        self.address: tuple[str, int] = ("127.0.0.1", 6443)
        self.set_ranges("", "")
        # kube-apiserver --anonymous-auth, which kubeadm leaves on.
        self.anonymous = True
        #: Ports of pods in kube-system that can be forwarded, by pod and port.
        self.ports: dict[tuple[str, int], Stream] = {}
        #: The deprecated APIs that clients asked for: group, version, resource and subresource, and
        #: the minor release that removes each.
        self.deprecated: set[tuple[str, str, str, str, int]] = set()
        self.tick: Callable[[], None] = lambda: None

    def set_version(self, version: str) -> None:
        """Be served by API servers of another release."""
        self.version = version
        self.minor = int(version.split(".")[1])
        self.nodes.minor = self.minor
        for table in (self.table, self.discovered):
            table.be(self.minor)

    def set_ranges(self, services: str, pods: str) -> None:
        """Set where Services and pods get their addresses; empty: kubeadm's and Flannel's default.

        Of two ranges (dual stack) the first one counts.
        """
        self.services = ipaddress.IPv4Network(services.partition(",")[0] or _SERVICES)
        self.pods = ipaddress.IPv4Network(pods.partition(",")[0] or _PODS)

    def now(self) -> str:
        """Return the current time as metadata carries it."""
        return timestamp(self.clock.now())

    def allows(self, user: User, asked: Attributes) -> bool:
        """Whether any authorizer lets the user do this (kubeadm's mode: Node,RBAC)."""
        return self.nodes.allows(user, asked) or self.rbac.allows(user, asked)

    def resource(self, group: str, plural: str) -> Resource:
        """Return a resource that this cluster has.

        Raises:
            ApiError: 404, it is unknown.
        """
        found = self.table.find(group, plural)
        if found is None:
            raise not_found(group, plural, "")
        return found

    def add(self, key: tuple[str, str], obj: Obj) -> Obj:
        """Store a new object made here, as controllers do; metadata is completed."""
        resource = self.resource(*key)
        version = self.table.preferred(resource)
        obj = {
            "kind": resource.kind,
            "apiVersion": resource.api_version(version),
            **{name: value for name, value in obj.items() if name not in ("kind", "apiVersion")},
        }
        metadata = dict(obj["metadata"])
        metadata.setdefault("uid", str(uuid.uuid4()))
        metadata.setdefault("creationTimestamp", self.now())
        obj["metadata"] = metadata
        return self.store.put(key, obj)

    def put(self, key: tuple[str, str], obj: Obj, **changes: Any) -> Obj:
        """Store a changed copy of an object: `changes` replace its top-level fields."""
        return self.store.put(key, {**obj, "metadata": dict(obj["metadata"]), **changes})
