"""A cluster's own API: its nodes, its version, and what its nodes report of their bootstrap.

lightkube does the talking: a fraction of the official client's size and start time. Two lines of it
are supported, 0.17 up to 0.22 on httpx and 1.x on httpx2; nothing here names either.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cse_client.errors import CseError
from cse_client.kube.proxy import proxy_for
from cse_client.kube.unreachable import explain
from cse_client.model import KubeNode, NodeReport
from cse_client.reports import NAMESPACE, SELECTOR, parse_configmap

if TYPE_CHECKING:
    from types import TracebackType

    from lightkube import Client

_ROLE = "node-role.kubernetes.io/"
_PAGE = 500
_NOT_FOUND = 404
_CONFLICT = 409
_TURNED_AWAY = (401, 403)


class ClusterAPI:
    """One cluster's Kubernetes API, seen with one kubeconfig; close it, or use it with `with`.

    `timeout` (seconds) bounds connecting, and each wait for an answer. Python's TLS takes keys from
    files only, so an inline key passes through one of mode 0600 that is gone when the constructor
    returns or raises. Proxies are kubectl's (see `cse_client.kube.proxy`); pass `environ` to take
    them from elsewhere than this process.

    Every method raises ClusterUnreachable, whose `reason` tells the cases apart.
    """

    def __init__(
        self, kubeconfig: str, timeout: float = 10.0, *, environ: Mapping[str, str] | None = None
    ) -> None:
        with _private_files() as folder:
            config = _load(kubeconfig, folder)
            self.server: str = config.cluster.server
            self._proxy = proxy_for(self.server, os.environ if environ is None else environ)
            self._client = _connect(config, timeout, self._proxy)
        self._minor: tuple[int, int] | None = None

    def __enter__(self) -> ClusterAPI:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; harmless when done twice."""
        # Client.close came with lightkube 0.19.
        self._http().close()

    def version(self) -> str:
        """Return the API server's version as it says it, for example `v1.33.1`."""
        with self._explained():
            response = self._http().get("/version")
            response.raise_for_status()
            answer = response.json()
            return str(answer["gitVersion"])

    def minor(self) -> tuple[int, int]:
        """Return the version as (1, 33); asked for once."""
        if self._minor is None:
            major, minor = self.version().lstrip("v").split(".")[:2]
            self._minor = (int(major), int(minor))
        return self._minor

    def now(self) -> datetime:
        """Return the time by the API server's own clock, to the second."""
        with self._explained():
            response = self._http().get("/version")
            response.raise_for_status()
            return parsedate_to_datetime(response.headers["date"])

    def nodes(self) -> tuple[KubeNode, ...]:
        """Return every Node, in the API's order."""
        from lightkube.resources.core_v1 import Node

        with self._explained():
            return tuple(_node(item) for item in self._client.list(Node, chunk_size=_PAGE))

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, Any]:
        """Send one request with JSON and return status and body, good or bad.

        For what has no model in every version that is supported: evictions, disruption budgets.

        Raises:
            ClusterUnreachable: there was no answer, or none of a Kubernetes API's.
        """
        with self._explained():
            response = self._http().request(
                method,
                path,
                params=dict(query or {}),
                content=None if body is None else json.dumps(body).encode(),
                headers={"Content-Type": content_type, "Accept": "application/json"},
            )
            if response.status_code in _TURNED_AWAY:
                response.raise_for_status()
            return response.status_code, response.json()

    def bootstrap_reports(self) -> dict[str, NodeReport]:
        """Return what nodes reported into the namespace `cse-system`, by node name."""
        from lightkube.resources.core_v1 import ConfigMap

        labels: dict[str, Any] = dict(pair.split("=", 1) for pair in SELECTOR.split(","))
        with self._explained():
            found = self._client.list(
                ConfigMap, namespace=NAMESPACE, labels=labels, chunk_size=_PAGE
            )
            reports = (parse_configmap(item) for item in found)
            return {report.node: report for report in reports if report is not None}

    def read_secret(self, namespace: str, name: str) -> dict[str, bytes] | None:
        """Return a Secret's data, decoded, or None when there is no such Secret."""
        import base64

        from lightkube.core.exceptions import ApiError
        from lightkube.resources.core_v1 import Secret

        with self._explained():
            try:
                secret = self._client.get(Secret, name, namespace=namespace)
            except ApiError as error:
                if error.status.code == _NOT_FOUND:
                    return None
                raise
            data = secret.data or {}
            return {key: base64.b64decode(value) for key, value in data.items()}

    def write_secret(self, namespace: str, name: str, data: Mapping[str, bytes]) -> None:
        """Create an Opaque Secret, or replace the one of that name."""
        import base64

        from lightkube.core.exceptions import ApiError
        from lightkube.models.meta_v1 import ObjectMeta
        from lightkube.resources.core_v1 import Secret

        secret = Secret(
            metadata=ObjectMeta(
                name=name,
                namespace=namespace,
                labels={"app.kubernetes.io/managed-by": "cse-client"},
            ),
            type="Opaque",
            data={key: base64.b64encode(value).decode() for key, value in data.items()},
        )
        with self._explained():
            try:
                self._client.create(secret)
            except ApiError as error:
                if error.status.code != _CONFLICT:
                    raise
                self._client.replace(secret)

    @contextmanager
    def talking(self) -> Iterator[Client]:
        """Give lightkube's client for what has no method here, with errors explained as ever."""
        with self._explained():
            yield self._client

    def _http(self) -> Any:
        # lightkube has no call for what is no resource; both lines keep their HTTP client here.
        return self._client._client._client

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except _failures() as error:
            raise explain(error, self.server, self._proxy) from None


@contextmanager
def _private_files() -> Iterator[Path]:
    """Give a folder that only this user can enter, and that is gone afterwards."""
    import tempfile

    # mkdtemp makes it 0700 whatever the umask says.
    with tempfile.TemporaryDirectory(prefix="cse-client-") as name:
        yield Path(name)


def _take_out(entry: dict[str, Any], folder: Path) -> None:
    """Replace inline `X-data` by a file; lightkube's own files outlive an error in them."""
    import base64

    for key in ("certificate-authority", "client-certificate", "client-key"):
        inline = entry.pop(f"{key}-data", None)
        if inline is not None:
            path = folder / key
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(base64.b64decode(inline))
            entry[key] = str(path)


def _load(kubeconfig: str, folder: Path) -> Any:
    import yaml
    from lightkube import KubeConfig

    try:
        document = yaml.safe_load(kubeconfig)
        chosen = {context["name"]: context["context"] for context in document["contexts"]}
        context = chosen[document["current-context"]]
        for kind, of in (("clusters", "cluster"), ("users", "user")):
            for item in document[kind]:
                if item["name"] == context[of]:
                    _take_out(item[of], folder)
        config = KubeConfig.from_dict(document).get()
    except OSError as error:
        raise CseError(f"no temporary file for the kubeconfig's key: {error.strerror}") from None
    except Exception:  # noqa: BLE001
        # Each line of lightkube fails in its own way here, and with the text in the message.
        config = None
    if config is None or config.user is None or not config.cluster.server:
        raise CseError("this is not a kubeconfig with a current context")
    return config


def _connect(config: Any, timeout: float, proxy: str | None) -> Client:
    from lightkube import Client

    try:
        # trust_env would bring back Python's idea of proxies, and foreign CA bundles.
        return Client(config=config, timeout=timeout, trust_env=False, proxy=proxy)  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError):
        raise CseError("the kubeconfig's certificate, key or proxy cannot be used") from None
    except ImportError:
        raise CseError(
            "the proxy for the Kubernetes API is a SOCKS proxy, and the package for those is "
            "missing",
            hint="pip install socksio, or put the cluster's address into NO_PROXY",
        ) from None


def _failures() -> tuple[type[Exception], ...]:
    """Return what a request may raise; the HTTP library's base error comes from lightkube."""
    from lightkube.core.exceptions import ApiError

    http = [kind for kind in ApiError.__mro__ if kind.__name__ == "HTTPError"]
    # The latter three: an answer that is no Kubernetes API's.
    return (ApiError, *http, OSError, ValueError, KeyError, TypeError)


def _node(item: Any) -> KubeNode:
    ready: bool | None = None
    heard = None
    reason, message = "no Ready condition", ""
    for condition in getattr(item.status, "conditions", None) or ():
        if condition.type == "Ready":
            ready = {"True": True, "False": False}.get(condition.status)
            reason = "" if ready else (condition.reason or "")
            message = "" if ready else (condition.message or "")
            heard = condition.lastHeartbeatTime
    labels = item.metadata.labels or {}
    roles = sorted(key[len(_ROLE) :] for key in labels if key.startswith(_ROLE))
    info = getattr(item.status, "nodeInfo", None)
    return KubeNode(
        name=item.metadata.name,
        ready=ready,
        reason=reason,
        message=message,
        kubelet_version=getattr(info, "kubeletVersion", "") or "",
        roles=tuple(roles),
        unschedulable=bool(getattr(item.spec, "unschedulable", False)),
        created=item.metadata.creationTimestamp,
        heard=heard,
    )
