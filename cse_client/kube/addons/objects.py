"""Any object of a cluster's API, by its apiVersion and kind: apply, read, list, delete.

Typed models would drop what they do not know of a manifest; here objects are plain mappings.
Semantics: kubernetes.io/docs/reference/using-api/server-side-apply and api-concepts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cse_client.errors import Conflict, CseError
from cse_client.kube.answers import message_of, problem
from cse_client.kube.api import ClusterAPI

__all__ = ["FIELD_MANAGER", "Object", "Objects", "Ref", "Unserved"]

#: Owns the fields that we apply.
FIELD_MANAGER = "cse-client"

Object = dict[str, Any]
_APPLY = "application/apply-patch+yaml"
_NOT_FOUND, _GONE, _CONFLICT = 404, 410, 409
_FAILED = 400
#: A webhook may take up to 30 s (timeoutSeconds), and only then is the answer a refusal that says
#: so; two may be asked one after the other, so that the deadline has to be the judge in the end.
_WRITE_TIMEOUT = 70.0
#: Where below its spec a kind holds a pod's.
_TEMPLATE = ("template", "spec")
_PODS: Mapping[str, tuple[str, ...]] = {
    "Pod": (),
    **dict.fromkeys(
        ("Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ReplicationController", "Job"),
        _TEMPLATE,
    ),
    "CronJob": ("jobTemplate", "spec", *_TEMPLATE),
}
_SHORTEST_TIMEOUT = 5.0


@dataclass(frozen=True)
class Ref:
    """What names an object; `namespace` is empty for cluster-wide ones."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Ref:
        """Name an object of a manifest."""
        metadata = obj["metadata"]
        namespace = str(metadata.get("namespace") or "")
        return cls(str(obj["apiVersion"]), str(obj["kind"]), namespace, str(metadata["name"]))

    @property
    def group(self) -> str:
        """The API group; empty for the core's."""
        return self.api_version.rpartition("/")[0]

    @property
    def same(self) -> tuple[str, str, str, str]:
        """What makes two references the same object, in whatever version of its API."""
        return self.group, self.kind, self.namespace, self.name

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}"


class Unserved(CseError):
    """The cluster's API does not know the kind of an object."""


class Objects:
    """Reads and writes objects through one cluster's API.

    `left` returns how many seconds there are until the operation's deadline; a change, which may
    wait for webhooks, takes no longer.

    Every method raises ClusterUnreachable where the API does not answer, Refused where it forbids,
    Unserved for a kind that the cluster does not have.
    """

    def __init__(self, api: ClusterAPI, left: Callable[[], float] = lambda: _WRITE_TIMEOUT) -> None:
        self._api = api
        self._left = left
        self._known: dict[str, dict[str, tuple[str, bool]]] = {}

    def get(self, ref: Ref) -> Object | None:
        """Return an object, or None when there is none (or no such kind)."""
        try:
            path = self._path(ref)
        except Unserved:
            return None
        status, body = self._ask("GET", path)
        if status == _NOT_FOUND:
            return None
        self._good(status, body, f"read {ref}")
        return self._api.whole(body, ref.kind)

    def list(
        self, api_version: str, kind: str, *, namespace: str = "", selector: str = ""
    ) -> list[Object]:
        """Return the objects of a kind, in one namespace or in all; none where it is not served."""
        try:
            path = self._collection(api_version, kind, namespace)
        except Unserved:
            return []
        query = {"labelSelector": selector} if selector else {}
        items = self._api.listing(path, kind, f"list {kind}s", query, certain=False)
        return [{"apiVersion": api_version, "kind": kind, **item} for item in items]

    def apply(self, obj: Object, *, force: bool = False) -> Object:
        """Apply an object on the server side; what we applied before and left out now goes.

        Raises:
            Conflict: somebody else set the same fields differently, and not `force`.
            WebhookDown: see there; may be tried again.
        """
        ref = Ref.of(obj)
        query = {"fieldManager": FIELD_MANAGER, "force": "true" if force else "false"}
        status, body = self._ask(
            "PATCH", self._path(ref), completed(obj), query=query, content_type=_APPLY
        )
        if status == _CONFLICT:
            raise Conflict(
                f"{ref} was set by another client: {message_of(body) or 'no reason given'}."
            )
        self._good(status, body, f"apply {ref}")
        return self._api.whole(body, ref.kind)

    def create(self, obj: Object) -> Object:
        """Create an object.

        Raises:
            Conflict: it exists.
        """
        ref = Ref.of(obj)
        path = self._collection(ref.api_version, ref.kind, ref.namespace)
        status, body = self._ask(
            "POST", path, completed(obj), query={"fieldManager": FIELD_MANAGER}
        )
        if status == _CONFLICT:
            raise Conflict(f"{ref} already exists.")
        self._good(status, body, f"create {ref}")
        return self._api.whole(body, ref.kind)

    def delete(self, ref: Ref) -> bool:
        """Delete an object with what it owns; False when it was not there."""
        try:
            path = self._path(ref)
        except Unserved:
            return False
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        status, answer = self._ask("DELETE", path, body)
        if status in (_NOT_FOUND, _GONE):
            return False
        self._good(status, answer, f"delete {ref}")
        return True

    def serves(self, api_version: str, kind: str) -> bool:
        """Return whether the cluster serves a kind."""
        try:
            self._collection(api_version, kind, "")
        except Unserved:
            return False
        return True

    # Private

    def _path(self, ref: Ref) -> str:
        return f"{self._collection(ref.api_version, ref.kind, ref.namespace)}/{quote(ref.name)}"

    def _collection(self, api_version: str, kind: str, namespace: str) -> str:
        plural, namespaced = self._resource(api_version, kind)
        base = _base(api_version)
        if namespaced and namespace:
            return f"{base}/namespaces/{quote(namespace)}/{plural}"
        return f"{base}/{plural}"

    def _resource(self, api_version: str, kind: str) -> tuple[str, bool]:
        known = self._known.get(api_version, {})
        if kind not in known:
            # asked again each time: a CRD may have been established since
            status, body = self._ask("GET", _base(api_version))
            if status != _NOT_FOUND:
                self._good(status, body, f"read what {api_version} has")
                known = dict(_resources(body.get("resources")))
                self._known[api_version] = known
        if kind not in known:
            raise Unserved(f"This cluster's API has no {kind} in {api_version}.")
        return known[kind]

    def _ask(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, Any]:
        timeout = None
        if method != "GET":
            timeout = max(_SHORTEST_TIMEOUT, min(_WRITE_TIMEOUT, self._left()))
        return self._api.ask(
            method,
            path,
            body,
            query=query,
            content_type=content_type,
            timeout=timeout,
            forbidden=True,
        )

    def _good(self, status: int, body: Object, doing: str) -> None:
        if status >= _FAILED:
            raise problem(status, body, doing, self._api.server)


def _base(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _resources(listed: object) -> Iterable[tuple[str, tuple[str, bool]]]:
    """Yield kind, plural and whether it lives in namespaces, of an APIResourceList's resources."""
    for one in listed if isinstance(listed, list) else ():
        kind, name = (one.get("kind"), one.get("name")) if isinstance(one, dict) else (None, None)
        if isinstance(kind, str) and isinstance(name, str) and "/" not in name:
            yield kind, (name, one.get("namespaced") is True)


def completed(obj: Object) -> Object:
    """Return an object with the protocol of every port of its containers or its Service.

    Server-side apply tells ports apart by number and protocol, and knows no default for the latter
    before Kubernetes 1.20 (containers) and 1.21 (Services).
    """
    kind, spec = obj.get("kind"), obj.get("spec")
    if not isinstance(spec, dict):
        return obj
    if kind == "Service":
        return {**obj, "spec": _with_protocols(spec)}
    path = _PODS.get(str(kind))
    return obj if path is None else {**obj, "spec": _at(spec, path)}


def _at(spec: Object, path: tuple[str, ...]) -> Object:
    if path:
        inner = spec.get(path[0])
        return {**spec, path[0]: _at(inner, path[1:])} if isinstance(inner, dict) else spec
    lists = {
        name: [_with_protocols(one) if isinstance(one, dict) else one for one in spec[name]]
        for name in ("initContainers", "containers")
        if isinstance(spec.get(name), list)
    }
    return {**spec, **lists}


def _with_protocols(holder: Object) -> Object:
    ports = holder.get("ports")
    if not isinstance(ports, list):
        return holder
    return {
        **holder,
        "ports": [{"protocol": "TCP", **one} if isinstance(one, dict) else one for one in ports],
    }
