"""The Kubernetes API of one simulated cluster, real enough for kubectl 1.20 to 1.37.

`KubeAPI` is the API server with its controllers and the state behind them. It is not the nodes:
those register and report by themselves, as kubelets do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cse_client.simulator.clock import Clock
from cse_client.simulator.kube.api import Api
from cse_client.simulator.kube.bootstrap import fill_cluster, publish_address
from cse_client.simulator.kube.port_forward import Stream
from cse_client.simulator.kube.rbac import User
from cse_client.simulator.kube.requests import Call
from cse_client.simulator.kube.server import Server, tls_context
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.outside import Outside

__all__ = ["KubeAPI", "serving_at"]

_serving: dict[tuple[str, int], KubeAPI] = {}


def serving_at(host: str, port: int) -> KubeAPI | None:
    """Return the API of the cluster that answers at an address."""
    return _serving.get((host, port))


_EVERYBODY = "system:authenticated"


class KubeAPI:
    """A cluster's API: its state lives in the object and survives `stop` and `start`.

    Several API servers may serve it, each at an address and with a certificate of its own, and each
    at further addresses that its machine has for a while.

    `version` is Kubernetes' (`1.18.6`, no leading v) and decides which API versions are served. Of
    several API servers with versions of their own, all answer as the oldest does.
    `anonymous_auth` is the API server's flag of that name, which kubeadm leaves on: a request
    without credentials is then `system:anonymous`, who may read /version and /healthz, what
    bindings give it, and is refused with 403 else; without it, with 401 (but /version and health
    stay readable, other than in a real server). `outside` is where requests of others pass.
    """

    def __init__(
        self,
        *,
        version: str,
        clock: Clock,
        anonymous_auth: bool = True,
        outside: Outside | None = None,
    ) -> None:
        self.outside = outside or Outside()
        self._cluster = Cluster(version, clock)
        self._cluster.anonymous = anonymous_auth
        self._api = Api(self._cluster)
        self._servers: dict[str, Server] = {}
        self._versions: dict[str, str] = {}
        #: The members of the etcd under it; whoever plays them keeps them here.
        self.members: list[object] = []
        self._filled = False

    @property
    def running(self) -> bool:
        """Whether the API is served over the network."""
        return bool(self._servers)

    def serves(self, host: str) -> bool:
        """Whether an API server runs at this address."""
        return host in self._servers

    @property
    def address(self) -> tuple[str, int]:
        """Where it is served, or was served last: host and port."""
        return self._cluster.address

    def start(
        self,
        *,
        host: str,
        port: int,
        server_cert: bytes,
        server_key: bytes,
        client_ca: bytes,
        signing_key: bytes | None,
        service_cidr: str = "",
        pod_cidr: str = "",
        version: str = "",
    ) -> None:
        """Serve on an address until `stop`; port 0 takes a free one.

        All bytes are PEM. Clients are known by certificates of `client_ca`; with its key, the
        cluster signs certificate signing requests. The ranges are those of the API server's flag
        --service-cluster-ip-range and the controller manager's --cluster-cidr; Services get
        addresses of the first, the API's own its first one
        (kubernetes:pkg/controlplane, ServiceIPRange). `version` is this API server's
        own, by default the cluster's. Raises OSError when the address is taken, ValueError when
        certificate, key and CA cannot be used, RuntimeError when it runs already.
        """
        if host in self._servers:
            raise RuntimeError("the API server runs already")
        context = tls_context(server_cert, server_key, client_ca)
        server = Server(self._api, host, port, context, self.outside)
        with self._cluster.store.lock:
            self._versions[host] = version or self._cluster.version
            self._be_oldest()
            self._cluster.ca, self._cluster.ca_key = client_ca, signing_key
            self._cluster.address = server.address
            self._cluster.set_ranges(service_cidr, pod_cidr)
            self._fill()
            publish_address(self._cluster)
            self._api.controllers.wake()
        self._add(host, server)

    def _be_oldest(self) -> None:
        versions = list(self._versions.values())
        if versions:
            self._cluster.set_version(
                min(versions, key=lambda one: [int(n) for n in one.split("+")[0].split(".")])
            )

    def _add(self, host: str, server: Server) -> None:
        self._servers[host] = server
        _serving[host, server.address[1]] = self

    def serve_also(self, host: str, address: str) -> None:
        """Have the API server at `host` answer at another address, too, until `leave`.

        Raises:
            OSError: that address is taken.
        """
        own = self._servers[host]
        self._add(address, own.beside(address))

    def open_port(self, pod: str, port: int, stream: Stream) -> None:
        """Let a port of a pod in kube-system be forwarded; `stream` serves one connection."""
        self._cluster.ports[pod, port] = stream

    def leave(self, address: str) -> None:
        """Answer no longer at an address; harmless when nobody does."""
        server = self._servers.pop(address, None)
        if server is not None:
            _serving.pop((address, server.address[1]), None)
            server.close()
            if self._versions.pop(address, None):
                self._be_oldest()

    def replace_certificate(self, host: str, certificate: bytes, key: bytes) -> None:
        """Serve new connections at `host` with another certificate; PEM."""
        if host in self._servers:
            self._servers[host].replace_certificate(certificate, key)

    def stop(self, host: str = "") -> None:
        """Close the socket and all connections at once; harmless when it does not run.

        With `host` only those of the API server there.
        """
        own = self._servers.get(host)
        # keepalived takes its address away meanwhile
        for address, server in list(self._servers.items()):
            if not host or (own is not None and server.shares(own)):
                self.leave(address)
        if not self._servers:
            self._api.controllers.rest()

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: str = "system:apiserver",
        groups: Sequence[str] = ("system:masters",),
        content_type: str = "application/json",
    ) -> tuple[int, dict[str, Any]]:
        """Make a request in this process, with RBAC but without TLS; returns (status, object).

        `path` may hold a query; `body` is a JSON value, and `content_type` says which kind of
        patch it is. A watch is not possible this way.
        """
        with self._cluster.store.lock:
            self._fill()
        everybody = () if _EVERYBODY in groups else (_EVERYBODY,)
        who = User(user, (*groups, *everybody))
        call = Call.of(method, path, who, body=body, content_type=content_type)
        answer = self._api.answer(call)
        if answer.stream is not None:
            raise ValueError("a watch needs a connection")
        if answer.raw is not None:
            return answer.code, {"raw": answer.raw.decode()}
        return answer.code, answer.value

    def dump(self) -> dict[str, Any]:
        """Return the state as a JSON value, for `load`."""
        with self._cluster.store.lock:
            return self._cluster.store.dump()

    def load(self, dumped: dict[str, Any], bump: int) -> None:
        """Take over the state of another cluster, before this one is started for the first time."""
        with self._cluster.store.lock:
            self._filled = True
            self._cluster.store.load(dumped, bump)

    def _fill(self) -> None:
        if not self._filled:
            self._filled = True
            fill_cluster(self._cluster)
            self._api.controllers.settle()
