"""A cluster's own API: its nodes, its version, and what its nodes report of their bootstrap.

Requests and answers are plain JSON, read within bounds and checked for their shape before use;
`connection` makes the connection.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from cse_client.bounds import OutOfBounds, Pages
from cse_client.clock import SYSTEM_CLOCK, Clock
from cse_client.errors import ClusterUnreachable
from cse_client.kube.answers import Json, Malformed, pause_asked, problem, read
from cse_client.kube.connection import connect, request_errors
from cse_client.kube.credentials import Credentials, credentials_in
from cse_client.kube.exchange import ASKED, Received, exchange
from cse_client.kube.proxy import proxy_for
from cse_client.kube.serving import EXPIRED, read_end, read_names, show_end
from cse_client.kube.shapes import checked, items_of, moment, node
from cse_client.kube.unreachable import (
    broke_off,
    explain,
    explain_content,
    explain_redirect,
    explain_status,
)
from cse_client.model import KubeNode, NodeReport
from cse_client.reports import (
    LEASE_NAMESPACE,
    OLD_NAMESPACE,
    parse_configmap,
    parse_lease,
    parse_task,
)

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["ClusterAPI"]

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
#: An API server that ends, or a virtual address that moves, breaks connections. client-go repeats a
#: GET then (rest/with_retry.go); these have the same effect when they are carried out twice.
_REPEATABLE = ("GET", "PATCH", "DELETE")
_AFTER_BREAKS = (0.2, 1.0)


class ClusterAPI:
    """One cluster's Kubernetes API, with the credentials given or those in a kubeconfig's text.

    Close it, or use it with `with`.

    `timeout` (seconds) bounds connecting, and each wait for an answer; a whole answer has twice
    that time. Proxies are kubectl's (see `cse_client.kube.proxy`); pass `environ` to take them from
    elsewhere than this process.

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
        credentials = credentials_in(access) if isinstance(access, str) else access
        self.server: str = credentials.server
        self._proxy = proxy_for(self.server, os.environ if environ is None else environ)
        self._http = connect(credentials, timeout, self._proxy)
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
        self._http.close()

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
        repeatable: bool = False,
    ) -> tuple[int, Json]:
        """Send one request with JSON and return status and JSON object, good or bad.

        A bad answer that is not JSON comes as a Status with its text. An overloaded API server is
        asked again when it says when. `timeout` (seconds) replaces the one of this object for the
        answer; with `forbidden` a 403 is returned as well. `repeatable`: carrying out a POST or
        PUT twice does no harm, so it is sent again where the connection breaks, as others are.

        Raises:
            ClusterUnreachable: there was no answer, none of a Kubernetes API's, or it does not
                accept us.
        """
        status, answer, _headers = self._send(
            *(method, path, body),
            query=query,
            content_type=content_type,
            timeout=timeout,
            repeatable=repeatable,
        )
        if status == _UNAUTHORIZED or (status == _FORBIDDEN and not forbidden):
            raise explain_status(status, self.server, self._proxy)
        return status, answer

    def text(self, path: str) -> str | None:
        """Return an answer that is not JSON as text; None where it is not given.

        Raises:
            ClusterUnreachable: there was no answer.
        """
        with self._explained():
            received = exchange(
                self._http,
                self._http.build_request("GET", path, headers={**ASKED, "Accept": "text/plain"}),
                seconds=_TOTAL * self._timeout,
                peer=f"the Kubernetes API at {self.server}",
            )
        ok = 200
        return received.content.decode("utf-8", "replace") if received.status == ok else None

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
        return tuple(node(item) for item in self.listing("/api/v1/nodes", "Node", "list nodes"))

    def certificate_end(self) -> datetime | None:
        """Return when the API server's certificate ends, None where it cannot be read."""
        return read_end(self.server, self._proxy, self._timeout)

    def certificate_names(self) -> tuple[str, ...]:
        """Return the host names in the API server's certificate; its node's is one of them."""
        return read_names(self.server, self._proxy, self._timeout)

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

    def task_report(self, node: str, task: str) -> NodeReport | None:
        """Return what a node reported of a task in its Lease; None where it did not."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{LEASE_NAMESPACE}/leases/{node}"
        lease = self.read(path, "Lease", f"read the report of {node}")
        annotations = lease["metadata"].get("annotations") if lease is not None else None
        return parse_task(node, task, annotations or {})

    def renewals(self) -> dict[str, datetime]:
        """Return when each node renewed its Lease last: a kubelet does that every ten seconds.

        The heartbeats of a Node that does not change are five minutes apart.
        """
        path = f"/apis/coordination.k8s.io/v1/namespaces/{LEASE_NAMESPACE}/leases"
        found = {}
        for lease in self.listing(path, "Lease", "read the nodes' leases"):
            when = moment(lease.get("spec", {}).get("renewTime", ""))
            if when is not None:
                found[lease["metadata"]["name"]] = when
        return found

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
        repeatable: bool = False,
    ) -> tuple[int, Json, str]:
        """Return status, JSON object and Date; waits while the API server asks for it."""
        more = {} if timeout is None else {"timeout": (self._timeout, timeout, timeout, timeout)}
        patience = _PATIENCE * self._timeout
        while True:
            request = self._http.build_request(
                method,
                path,
                params=dict(query or {}),
                content=None if body is None else json.dumps(body).encode(),
                headers={"Content-Type": content_type, **ASKED},
                **more,
            )
            seconds = _TOTAL * max(self._timeout, timeout or 0.0)
            received = self._received(request, seconds, repeatable=repeatable)
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

    def _received(self, request: Any, seconds: float, *, repeatable: bool) -> Received:
        """Send a request, again if the connection breaks and repeating it does no harm."""
        again = repeatable or request.method in _REPEATABLE
        pauses = iter(_AFTER_BREAKS if again else ())
        peer = f"the Kubernetes API at {self.server}"
        with self._explained():
            while True:
                try:
                    return exchange(self._http, request, seconds=seconds, peer=peer)
                except request_errors() as error:
                    pause = next(pauses, None)
                    if pause is None or not broke_off(error):
                        raise
                self._clock.sleep(pause)

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
        except request_errors() as error:
            raise self._dated(explain(error, self.server, self._proxy)) from None

    def _dated(self, silence: ClusterUnreachable) -> ClusterUnreachable:
        """Add when the API server's certificate has expired where that is the reason."""
        end = self.certificate_end() if silence.reason == EXPIRED else None
        if end is not None:
            silence.message += f" ({show_end(end)})"
        return silence
