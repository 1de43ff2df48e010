"""Contour and its Envoy: Ingresses get Envoy's address, and something answers HTTP there.

Works while Deployment and DaemonSet of the namespace `projectcontour` run and the Service `envoy`
has an address that MetalLB's speakers announce. As with the real ones (projectcontour/contour:
examples/render/contour.yaml, internal/xdscache), port 80 is open only while there is an Ingress to
serve; an unknown host gets 404, a backend without ready pods 503. Nothing is forwarded: what a
backend would say is a line of text. Only loopback addresses are served, and only where this
process may open port 80.
"""

from __future__ import annotations

import contextlib
import ipaddress
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cse_client.simulator.kube.controllers.balancers import is_announced
from cse_client.simulator.kube.objects import Obj, dig
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = ["Ingresses"]

_NAMESPACE = "projectcontour"
_INGRESSES = ("networking.k8s.io", "ingresses")
_SERVICES, _ENDPOINTS = ("", "services"), ("", "endpoints")
_DEPLOYMENTS, _DAEMONS = ("apps", "deployments"), ("apps", "daemonsets")
_ADVERTISEMENTS = ("metallb.io", "l2advertisements")
_WATCHED = (_INGRESSES, _SERVICES, _ENDPOINTS, _DEPLOYMENTS, _DAEMONS, _ADVERTISEMENTS)
_CLASS = "kubernetes.io/ingress.class"
_PORT = 80


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    cluster: Cluster


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "envoy", ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        host = (self.headers.get("Host") or "").partition(":")[0]
        with self.server.cluster.store.lock:
            code, text = _answer(self.server.cluster, host, self.path)
        self.send_response(code)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    do_HEAD = do_POST = do_GET  # noqa: N815

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


class Ingresses:
    """Gives Ingresses Envoy's address, and serves it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._servers: dict[str, _Server] = {}

    def changed(self, change: Change) -> None:
        """React to Ingresses, to Envoy's Service and to what has to run."""
        if change.key in _WATCHED:
            self.look()

    def tick(self, now: datetime) -> datetime | None:
        """Nothing here depends on time."""

    def look(self) -> None:
        """Bring addresses and servers in line with the cluster."""
        address = _envoy(self._cluster)
        mine = _served(self._cluster)
        status = {"loadBalancer": {"ingress": [{"ip": address}]}}
        for one in mine:
            if address and one.get("status") != status:
                self._cluster.put(_INGRESSES, one, status=status)
        wanted = {address} if address and mine and _announced(self._cluster) else set()
        for old in set(self._servers) - wanted:
            self._stop(old)
        for new in wanted - set(self._servers):
            self._start(new)

    def close(self) -> None:
        """Stop serving: the cluster's machines are off."""
        for address in list(self._servers):
            self._stop(address)

    def _start(self, address: str) -> None:
        if not ipaddress.ip_address(address).is_loopback:
            return
        with contextlib.suppress(OSError):
            server = _Server((address, _PORT), _Handler)
            server.cluster = self._cluster
            self._servers[address] = server
            threading.Thread(
                target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
            ).start()

    def _stop(self, address: str) -> None:
        server = self._servers.pop(address)
        server.shutdown()
        server.server_close()


def _runs(cluster: Cluster, key: tuple[str, str], namespace: str, name: str) -> bool:
    found = cluster.store.get(key, namespace, name) or {}
    number = "numberAvailable" if key == _DAEMONS else "availableReplicas"
    return bool(dig(found, "status", number))


def _envoy(cluster: Cluster) -> str:
    """Return the address of a running Envoy, or an empty text."""
    service = cluster.store.get(_SERVICES, _NAMESPACE, "envoy") or {}
    ingress = dig(service, "status", "loadBalancer", "ingress") or [{}]
    running = _runs(cluster, _DEPLOYMENTS, _NAMESPACE, "contour") and _runs(
        cluster, _DAEMONS, _NAMESPACE, "envoy"
    )
    return str(ingress[0].get("ip") or "") if running else ""


def _announced(cluster: Cluster) -> bool:
    service = cluster.store.get(_SERVICES, _NAMESPACE, "envoy")
    return service is not None and is_announced(cluster, service)


def _served(cluster: Cluster) -> list[Obj]:
    """Return the Ingresses without a class, or of Contour's."""
    found = []
    for one in cluster.store.each(_INGRESSES):
        annotation = (one["metadata"].get("annotations") or {}).get(_CLASS)
        if (dig(one, "spec", "ingressClassName") or annotation or "contour") == "contour":
            found.append(one)
    return found


def _answer(cluster: Cluster, host: str, path: str) -> tuple[int, str]:
    for ingress in _served(cluster):
        for rule in dig(ingress, "spec", "rules", default=[]):
            if rule.get("host") not in (None, host):
                continue
            for one in dig(rule, "http", "paths", default=[]):
                if path.startswith(one.get("path") or "/"):
                    backend = one["backend"]
                    name = dig(backend, "service", "name") or backend.get("serviceName")
                    namespace = ingress["metadata"]["namespace"]
                    ready = cluster.store.get(_ENDPOINTS, namespace, str(name)) or {}
                    if not ready.get("subsets"):
                        return 503, "no healthy upstream"
                    return 200, f"simulated answer of Service {namespace}/{name}\n"
    return 404, ""
