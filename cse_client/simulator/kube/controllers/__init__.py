"""The cluster's controllers: they react to writes, and look at the clock when they are asked to.

There is no thread: whoever wrote something carries the consequences out before the answer goes,
and whoever asks for something first sees that what has fallen due is done. A controller is a
class with `changed(change)` and `tick(now) -> when it wants to be asked next`.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Protocol

from cse_client.simulator.kube.controllers.balancers import Balancers
from cse_client.simulator.kube.controllers.budgets import Budgets
from cse_client.simulator.kube.controllers.certificates import Certificates
from cse_client.simulator.kube.controllers.custom import CustomResources
from cse_client.simulator.kube.controllers.daemons import Daemons
from cse_client.simulator.kube.controllers.forwarding import Forwarding
from cse_client.simulator.kube.controllers.ingresses import Ingresses
from cse_client.simulator.kube.controllers.kubelets import Kubelets
from cse_client.simulator.kube.controllers.namespaces import Namespaces
from cse_client.simulator.kube.controllers.nodes import NodeLifecycle
from cse_client.simulator.kube.controllers.pods import PodIndex
from cse_client.simulator.kube.controllers.roles import RoleAggregation
from cse_client.simulator.kube.controllers.scheduler import Scheduler
from cse_client.simulator.kube.controllers.services import Endpoints
from cse_client.simulator.kube.controllers.tokens import TokenCleaner
from cse_client.simulator.kube.controllers.workloads import Workloads
from cse_client.simulator.kube.deletion import Deletion
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = ["Controllers"]

# More consequences of one request than this are a loop, not work.
_TOO_MANY = 200_000
# A heartbeat must not make every request look at everything.
_AT_MOST_EVERY = timedelta(seconds=0.5)

_ON_START = (("", "namespaces"), ("certificates.k8s.io", "certificatesigningrequests"))


class Controller(Protocol):
    """What the loop below drives."""

    def changed(self, change: Change) -> None:
        """React to a write."""

    def tick(self, now: datetime) -> datetime | None:
        """Do what is due; return when to ask next, None for never unless something changes."""


class Controllers:
    """All controllers of one cluster."""

    def __init__(self, cluster: Cluster, deletion: Deletion) -> None:
        self._cluster = cluster
        self._queue: deque[Change] = deque()
        self._due: datetime | None = None
        self._looked = cluster.clock.now() - _AT_MOST_EVERY
        self._settling = False
        pods = PodIndex(cluster)
        self._ingresses = Ingresses(cluster)
        self._forwarding = Forwarding(cluster)
        self._all: tuple[Controller, ...] = (
            RoleAggregation(cluster),
            CustomResources(cluster, deletion),
            Namespaces(cluster, deletion),
            Certificates(cluster, deletion),
            NodeLifecycle(cluster, deletion, pods),
            Workloads(cluster, deletion, pods),
            Daemons(cluster, deletion, pods),
            Scheduler(cluster, pods),
            Kubelets(cluster, deletion, pods),
            Endpoints(cluster, deletion),
            Balancers(cluster),
            self._ingresses,
            self._forwarding,
            Budgets(cluster),
            TokenCleaner(cluster, deletion),
        )
        cluster.store.listeners.append(self._queue.append)

    def settle(self) -> None:
        """Carry out the consequences of what was written, and theirs, until nothing is left."""
        with self._cluster.store.lock:
            if self._settling or not self._queue:
                return
            self._settling = True
            try:
                for _ in range(_TOO_MANY):
                    if not self._queue:
                        break
                    change = self._queue.popleft()
                    for controller in self._all:
                        controller.changed(change)
                else:
                    self._queue.clear()
                    raise RuntimeError("the cluster's controllers do not come to rest")
            finally:
                self._settling = False
            # What was written may fall due earlier than what was known.
            soon = max(self._cluster.clock.now(), self._looked + _AT_MOST_EVERY)
            self._due = soon if self._due is None else min(self._due, soon)

    def tick(self) -> None:
        """Do what the clock makes due."""
        if self._due is None or self._cluster.clock.now() < self._due:
            return
        with self._cluster.store.lock:
            now = self._cluster.clock.now()
            if self._due is None or now < self._due or self._settling:
                return
            wanted = [controller.tick(now) for controller in self._all]
            self.settle()
            known = [moment for moment in wanted if moment is not None]
            self._looked = now
            self._due = max(min(known), now + _AT_MOST_EVERY) if known else None

    def wake(self) -> None:
        """Look at everything: the cluster has been started, with keys that it may not have had."""
        with self._cluster.store.lock:
            for key in _ON_START:
                for obj in list(self._cluster.store.each(key)):
                    self._queue.append(Change(self._cluster.store.revision, key, obj, obj))
            self.settle()
            self._ingresses.look()
            self._forwarding.look()

    def rest(self) -> None:
        """Let go of what is open to the network: the cluster has been stopped."""
        with self._cluster.store.lock:
            self._ingresses.close()
            self._forwarding.close()
