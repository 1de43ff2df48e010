"""Any object of a cluster's API, by its apiVersion and kind: apply, read, list, delete.

Typed models would drop what they do not know of a manifest; here objects are plain mappings.
Semantics: kubernetes.io/docs/reference/using-api/server-side-apply and api-concepts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cse_client.errors import ClusterUnreachable, Conflict, CseError, Refused
from cse_client.kube.nodes import ClusterAPI

__all__ = ["FIELD_MANAGER", "Object", "Objects", "Ref", "Unserved", "WebhookDown"]

#: Owns the fields that we apply.
FIELD_MANAGER = "cse-client"

Object = dict[str, Any]
_APPLY = "application/apply-patch+yaml"
_FORBIDDEN, _NOT_FOUND, _GONE, _CONFLICT = 403, 404, 410, 409
_FAILED = 400
_FAULT = 500


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


class WebhookDown(CseError):
    """A webhook that has to look at an object first does not answer (yet)."""


class Objects:
    """Reads and writes objects through one cluster's API.

    Every method raises ClusterUnreachable where the API does not answer, Refused where it forbids,
    Unserved for a kind that the cluster does not have.
    """

    def __init__(self, api: ClusterAPI) -> None:
        self._api = api
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
        return self._good(status, body, f"read {ref}")

    def list(
        self, api_version: str, kind: str, *, namespace: str = "", selector: str = ""
    ) -> list[Object]:
        """Return the objects of a kind, in one namespace or in all; none where it is not served."""
        try:
            path = self._collection(api_version, kind, namespace)
        except Unserved:
            return []
        query = {"labelSelector": selector} if selector else {}
        body = self._good(*self._ask("GET", path, query=query), f"list {kind}s")
        items = body.get("items") or []
        return [{"apiVersion": api_version, "kind": kind, **item} for item in items]

    def apply(self, obj: Object, *, force: bool = False) -> Object:
        """Apply an object on the server side; what we applied before and left out now goes.

        Raises:
            Conflict: somebody else set the same fields differently, and not `force`.
            WebhookDown: see there; may be tried again.
        """
        ref = Ref.of(obj)
        query = {"fieldManager": FIELD_MANAGER, "force": "true" if force else "false"}
        status, body = self._ask("PATCH", self._path(ref), obj, query=query, content_type=_APPLY)
        if status == _CONFLICT:
            raise Conflict(f"{ref} was set by somebody else: {_message(body)}.")
        return self._good(status, body, f"apply {ref}")

    def create(self, obj: Object) -> Object:
        """Create an object. Raises Conflict when it is there."""
        ref = Ref.of(obj)
        path = self._collection(ref.api_version, ref.kind, ref.namespace)
        status, body = self._ask("POST", path, obj, query={"fieldManager": FIELD_MANAGER})
        if status == _CONFLICT:
            raise Conflict(f"{ref} exists already.")
        return self._good(status, body, f"create {ref}")

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
        """Say whether the cluster knows a kind."""
        try:
            self._collection(api_version, kind, "")
        except Unserved:
            return False
        return True

    # ---- inner ---------------------------------------------------------------------------------

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
                known = {
                    one["kind"]: (one["name"], bool(one.get("namespaced")))
                    for one in body.get("resources") or ()
                    if "/" not in one["name"]
                }
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
        with self._api._explained():
            response = self._api._http().request(
                method,
                path,
                params=dict(query or {}),
                content=None if body is None else json.dumps(body).encode(),
                headers={"Content-Type": content_type, "Accept": "application/json"},
            )
            if response.status_code == 401:  # noqa: PLR2004
                response.raise_for_status()
            return response.status_code, response.json()

    def _good(self, status: int, body: Any, doing: str) -> Object:
        if status < _FAILED and isinstance(body, dict):
            return body
        said = _message(body)
        if status == _FORBIDDEN:
            raise Refused(f"The cluster does not let you {doing}: {said}.")
        if status == _FAULT and "webhook" in said:
            raise WebhookDown(f"Cannot {doing}: {said}.")
        if status >= _FAULT:
            raise ClusterUnreachable(f"Cannot {doing}: {said}.", reason="not ready")
        raise CseError(f"Cannot {doing}: {said}.")


def _base(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _message(body: Any) -> str:
    text = body.get("message") if isinstance(body, dict) else ""
    return str(text or "no reason given").rstrip(".")
