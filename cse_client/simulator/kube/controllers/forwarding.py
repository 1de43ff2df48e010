"""What kube-proxy does with a load balancer's address: hand a connection on to an endpoint.

Only where all of it is real here: an announced address and an endpoint of the loopback range, as
that of the API server. Pods have no network, so that an address of theirs is not served.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from datetime import datetime

from cse_client.simulator.kube.controllers.balancers import is_announced
from cse_client.simulator.kube.objects import Obj, dig, key_of
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = ["Forwarding"]

_SERVICES, _ENDPOINTS, _NODES = ("", "services"), ("", "endpoints"), ("", "nodes")
_WATCHED = (
    _SERVICES,
    _ENDPOINTS,
    _NODES,
    ("apps", "daemonsets"),
    ("metallb.io", "l2advertisements"),
)
_SECONDS = 10.0

Place = tuple[str, int]


class Forwarding:
    """Listens at the addresses of Services of type LoadBalancer."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._open: dict[Place, tuple[Place, socket.socket]] = {}

    def changed(self, change: Change) -> None:
        """React to what decides who is reached at which address."""
        if change.key in _WATCHED:
            self.look()

    def tick(self, now: datetime) -> datetime | None:
        """Nothing here depends on time."""

    def look(self) -> None:
        """Bring the listening sockets in line with the cluster."""
        wanted: dict[Place, Place] = {}
        for service in self._cluster.store.each(_SERVICES):
            if dig(service, "spec", "type") == "LoadBalancer":
                wanted.update(self._ways(service))
        for place, (target, listener) in list(self._open.items()):
            if wanted.get(place) != target:
                _close(listener)
                del self._open[place]
        for place, target in wanted.items():
            if place not in self._open:
                self._listen(place, target)

    def close(self) -> None:
        """Stop listening: the cluster's machines are off."""
        for _target, listener in self._open.values():
            _close(listener)
        self._open.clear()

    def _ways(self, service: Obj) -> dict[Place, Place]:
        address = (dig(service, "status", "loadBalancer", "ingress") or [{}])[0].get("ip", "")
        if not _is_loopback(address) or not is_announced(self._cluster, service):
            return {}
        endpoints = self._cluster.store.get(_ENDPOINTS, *key_of(service)) or {}
        for subset in endpoints.get("subsets") or ():
            for one in subset.get("addresses") or ():
                if _is_loopback(one["ip"]):
                    ports = zip(service["spec"]["ports"], subset.get("ports") or (), strict=False)
                    return {(address, a["port"]): (one["ip"], b["port"]) for a, b in ports}
        return {}

    def _listen(self, place: Place, target: Place) -> None:
        with contextlib.suppress(OSError):
            listener = socket.create_server(place)
            self._open[place] = (target, listener)
            threading.Thread(target=_accept, args=(listener, target), daemon=True).start()


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _close(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def _accept(listener: socket.socket, target: Place) -> None:
    while True:
        try:
            client = listener.accept()[0]
        except OSError:
            return
        threading.Thread(target=_forward, args=(client, target), daemon=True).start()


def _forward(client: socket.socket, target: Place) -> None:
    with (
        client,
        contextlib.suppress(OSError),
        socket.create_connection(target, timeout=_SECONDS) as server,
    ):
        client.settimeout(_SECONDS)
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join(_SECONDS)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
