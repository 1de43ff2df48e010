"""A cluster's own API: its nodes, its version, and what its nodes report of their bootstrap.

lightkube makes the connection from a kubeconfig: a fraction of the official client's size and start
time. Two lines of it are supported, 0.17 up to 0.22 on httpx and 1.x on httpx2; nothing here names
either. Requests and answers are plain JSON: its models fail in their own ways at what they do not
expect, and take an error that is not JSON for no answer at all.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cse_client import suggest
from cse_client.bounds import OutOfBounds, Pages
from cse_client.clock import SYSTEM_CLOCK, Clock
from cse_client.errors import ClusterUnreachable, CseError
from cse_client.kube.answers import Json, Malformed, pause_asked, problem, read
from cse_client.kube.credentials import Credentials, credentials_in
from cse_client.kube.exchange import ASKED, exchange
from cse_client.kube.proxy import proxy_for
from cse_client.kube.serving import EXPIRED, read_end, show_end
from cse_client.kube.shapes import checked, items_of, moment
from cse_client.kube.unreachable import explain, explain_content, explain_redirect, explain_status
from cse_client.model import KubeNode, NodeReport
from cse_client.reports import LEASE_NAMESPACE, OLD_NAMESPACE, parse_configmap, parse_lease

if TYPE_CHECKING:
    from types import TracebackType

    from lightkube import Client

__all__ = ["ClusterAPI"]

_ROLE = "node-role.kubernetes.io/"
_PAGE = "100"
_BAD = 400
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT = 401, 403, 404, 409
_TOO_MANY, _FAULT = 429, 500
_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})(\D|$)")
#: A whole answer may take so many times the time-out, which is for each wait in it.
_TOTAL = 2
#: An API server that asks to be left alone is waited for, in all, so many times the time-out.
_PATIENCE = 3
_SHORTEST_PAUSE = 0.1


class ClusterAPI:
    """One cluster's Kubernetes API, with the credentials given or those in a kubeconfig's text.

    Close it, or use it with `with`.

    `timeout` (seconds) bounds connecting, and each wait for an answer; a whole answer has twice
    that time. Python's TLS takes keys from files only, so the key passes through one of mode
    0600 that is gone when the constructor returns or raises. Proxies are kubectl's (see
    `cse_client.kube.proxy`); pass `environ` to take them from elsewhere than this process.

    Every method raises ClusterUnreachable, and its `reason` names the case.
    """

    def __init__(
        self,
        access: Credentials | str,
        timeout: float = 10.0,
        *,
        environ: Mapping[str, str] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        with _private_files() as folder:
            config = _load(credentials_in(access) if isinstance(access, str) else access, folder)
            self.server: str = config.cluster.server
            self._proxy = proxy_for(self.server, os.environ if environ is None else environ)
            self._client = _connect(config, timeout, self._proxy)
        self._timeout = timeout
        self._clock = clock
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

    # Asking

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        timeout: float | None = None,
        forbidden: bool = False,
    ) -> tuple[int, Json]:
        """Send one request with JSON and return status and JSON object, good or bad.

        A bad answer that is not JSON comes as a Status with its text. An overloaded API server is
        asked again when it says when. `timeout` (seconds) replaces the one of this object for the
        answer; with `forbidden` a 403 is returned as well.

        Raises:
            ClusterUnreachable: there was no answer, none of a Kubernetes API's, or it does not
                accept us.
        """
        status, answer, _headers = self._send(
            method, path, body, query=query, content_type=content_type, timeout=timeout
        )
        if status == _UNAUTHORIZED or (status == _FORBIDDEN and not forbidden):
            raise explain_status(status, self.server, self._proxy)
        return status, answer

    def read(self, path: str, kind: str, doing: str) -> Json | None:
        """Return one object, whole; None when there is none."""
        status, answer = self.ask("GET", path)
        if status == _NOT_FOUND:
            return None
        self._good(status, answer, doing)
        return self.whole(answer, kind)

    def whole(self, answer: Json, kind: str) -> Json:
        """Return an object as answered.

        Raises:
            ClusterUnreachable: the answer is malformed.
        """
        with self._sensible():
            return checked(answer, kind)

    def listing(
        self,
        path: str,
        kind: str,
        doing: str,
        query: Mapping[str, str] | None = None,
        *,
        certain: bool = True,
    ) -> Iterator[Json]:
        """Yield the objects of a list, page by page.

        Not `certain`: the kind may be unknown to the cluster, which is an empty list, or forbidden,
        which is Refused.
        """
        asked = {"limit": _PAGE, **(query or {})}
        pages = Pages()
        while True:
            status, answer = self.ask("GET", path, query=asked, forbidden=not certain)
            if not certain and status == _NOT_FOUND:
                return
            if not certain and status >= _BAD:
                raise problem(status, answer, doing, self.server)
            self._good(status, answer, doing)
            with self._sensible():
                items, more = items_of(answer, kind)
            yield from items
            if not more:
                return
            try:
                pages.visit(more)
            except OutOfBounds as error:
                raise explain_content(f"a list of {kind} objects {error}", self.server) from None
            asked["continue"] = more

    # What is asked

    def version(self) -> str:
        """Return the API server's version as it reports it, for example `v1.33.1`."""
        found = self._version()[0].get("gitVersion")
        if not isinstance(found, str) or not _VERSION.match(found):
            raise explain_content("no version", self.server)
        return found

    def minor(self) -> tuple[int, int]:
        """Return the version as (1, 33); asked once."""
        if self._minor is None:
            found = _VERSION.match(self.version())
            self._minor = (int(found[1]), int(found[2])) if found else (1, 0)
        return self._minor

    def now(self) -> datetime:
        """Return the time by the API server's own clock, to the second."""
        date = self._version()[1]
        with self._sensible():
            return parsedate_to_datetime(date)

    def nodes(self) -> tuple[KubeNode, ...]:
        """Return every Node, in the API's order."""
        return tuple(_node(item) for item in self.listing("/api/v1/nodes", "Node", "list nodes"))

    def certificate_end(self) -> datetime | None:
        """Return when the API server's certificate ends, None where it cannot be read."""
        return read_end(self.server, self._proxy, self._timeout)

    def bootstrap_reports(self) -> dict[str, NodeReport]:
        """Return what nodes reported of their bootstrap, by node name."""
        doing = "read the nodes' reports"
        leases = self.listing(
            f"/apis/coordination.k8s.io/v1/namespaces/{LEASE_NAMESPACE}/leases", "Lease", doing
        )
        maps = self.listing(f"/api/v1/namespaces/{OLD_NAMESPACE}/configmaps", "ConfigMap", doing)
        # A node's own Lease counts more than what any node may write.
        found = (*(parse_configmap(one) for one in maps), *(parse_lease(one) for one in leases))
        return {report.node: report for report in found if report is not None}

    def read_secret(self, namespace: str, name: str) -> dict[str, bytes] | None:
        """Return a Secret's data, decoded, or None when there is no such Secret."""
        import base64

        path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
        secret = self.read(path, "Secret", f"read the Secret {namespace}/{name}")
        if secret is None:
            return None
        with self._sensible():
            return {key: base64.b64decode(text) for key, text in secret.get("data", {}).items()}

    def write_secret(self, namespace: str, name: str, data: Mapping[str, bytes]) -> None:
        """Create an Opaque Secret, or replace the one of that name."""
        import base64

        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {"app.kubernetes.io/managed-by": "cse-client"},
            },
            "type": "Opaque",
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        }
        path = f"/api/v1/namespaces/{namespace}/secrets"
        status, answer = self.ask("POST", path, secret)
        if status == _CONFLICT:
            status, answer = self.ask("PUT", f"{path}/{name}", secret)
        self._good(status, answer, f"write the Secret {namespace}/{name}")

    # Private

    def _version(self) -> tuple[Json, str]:
        status, answer, date = self._send("GET", "/version")
        if status >= _BAD:
            raise explain_status(status, self.server, self._proxy)
        return answer, date

    def _good(self, status: int, answer: Json, doing: str) -> None:
        if status in (_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY) or status >= _FAULT:
            raise explain_status(status, self.server, self._proxy)
        if status >= _BAD:
            raise problem(status, answer, doing, self.server)

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        timeout: float | None = None,
    ) -> tuple[int, Json, str]:
        """Return status, JSON object and Date; waits while the API server asks for it."""
        more = {} if timeout is None else {"timeout": (self._timeout, timeout, timeout, timeout)}
        patience = _PATIENCE * self._timeout
        while True:
            with self._explained():
                received = exchange(
                    self._http(),
                    self._http().build_request(
                        method,
                        path,
                        params=dict(query or {}),
                        content=None if body is None else json.dumps(body).encode(),
                        headers={"Content-Type": content_type, **ASKED},
                        **more,
                    ),
                    seconds=_TOTAL * max(self._timeout, timeout or 0.0),
                    whom=f"the Kubernetes API at {self.server}",
                )
            status, headers = received.status, received.headers
            if received.target is not None:
                raise explain_redirect(received.target, self.server, self._proxy)
            with self._sensible():
                answer = read(status, received.content)
            pause = pause_asked(status, answer, headers.get("retry-after", ""))
            if pause is None or pause > patience:
                return status, answer, headers.get("date", "")
            patience -= max(pause, _SHORTEST_PAUSE)
            self._clock.sleep(max(pause, _SHORTEST_PAUSE))

    def _http(self) -> Any:
        # Both lines of lightkube keep their HTTP client here.
        return self._client._client._client

    @contextmanager
    def _sensible(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError) as error:
            what = str(error) if isinstance(error, Malformed) else type(error).__name__
            raise explain_content(what, self.server) from None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except _failures() as error:
            raise self._dated(explain(error, self.server, self._proxy)) from None

    def _dated(self, silence: ClusterUnreachable) -> ClusterUnreachable:
        """Add when the API server's certificate has expired where that is the reason."""
        end = self.certificate_end() if silence.reason == EXPIRED else None
        if end is not None:
            silence.message += f" ({show_end(end)})"
        return silence


@contextmanager
def _private_files() -> Iterator[Path]:
    """Give a folder that only this user can enter, and that is gone afterwards."""
    import tempfile

    # mkdtemp makes it 0700 whatever the umask says.
    with tempfile.TemporaryDirectory(prefix="cse-client-") as name:
        yield Path(name)


def _load(access: Credentials, folder: Path) -> Any:
    """Return lightkube's configuration, made of the credentials alone.

    lightkube itself would run what a kubeconfig names. Inline data goes through files here, since
    those of lightkube outlive an error in them.
    """
    try:
        from lightkube import KubeConfig

        parts = {
            "certificate-authority": access.ca,
            "client-certificate": access.certificate,
            "client-key": access.key,
        }
        files = {name: _private_file(folder / name, pem) for name, pem in parts.items() if pem}
    except OSError as error:
        raise CseError(
            f"Cannot write a temporary file for the client key: {error.strerror}."
        ) from None
    authority = {"certificate-authority": files.pop("certificate-authority")}
    token = {"token": access.token} if access.token else {}
    return KubeConfig.from_dict(
        {
            "clusters": [{"name": "it", "cluster": {"server": access.server, **authority}}],
            "users": [{"name": "it", "user": {**files, **token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "current-context": "it",
        }
    ).get()


def _private_file(path: Path, content: bytes) -> str:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return str(path)


def _connect(config: Any, timeout: float, proxy: str | None) -> Client:
    from lightkube import Client

    try:
        # trust_env would bring back Python's idea of proxies, and foreign CA bundles.
        return Client(config=config, timeout=timeout, trust_env=False, proxy=proxy)  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError):
        raise CseError(
            "The certificate, key or proxy for the Kubernetes API cannot be used."
        ) from None
    except ImportError:
        raise CseError(
            "The proxy for the Kubernetes API is a SOCKS proxy, and the Python package for SOCKS"
            " proxies is missing.",
            hint=f"{suggest.program('pip install', 'socksio')}, or put the cluster's address into"
            " NO_PROXY.",
        ) from None


def _failures() -> tuple[type[Exception], ...]:
    """Return what a request may raise; the HTTP library's base error comes from lightkube."""
    from lightkube.core.exceptions import ApiError

    http = [kind for kind in ApiError.__mro__ if kind.__name__ == "HTTPError"]
    # ValueError: a URL or header that cannot be sent.
    return (ApiError, *http, OSError, ValueError)


def _node(item: Json) -> KubeNode:
    ready: bool | None = None
    heard = None
    reason, message = "no Ready condition", ""
    status = item.get("status", {})
    for condition in status.get("conditions", ()):
        if condition["type"] == "Ready":
            ready = {"True": True, "False": False}.get(condition["status"])
            reason = "" if ready else condition.get("reason", "")
            message = "" if ready else condition.get("message", "")
            heard = moment(condition.get("lastHeartbeatTime", ""))
    metadata = item["metadata"]
    roles = sorted(key[len(_ROLE) :] for key in metadata.get("labels", {}) if key.startswith(_ROLE))
    return KubeNode(
        name=metadata["name"],
        ready=ready,
        reason=reason,
        message=message,
        kubelet_version=status.get("nodeInfo", {}).get("kubeletVersion", ""),
        roles=tuple(roles),
        unschedulable=item.get("spec", {}).get("unschedulable", False),
        created=moment(metadata.get("creationTimestamp", "")),
        heard=heard,
    )
