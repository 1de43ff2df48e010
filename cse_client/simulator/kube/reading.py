"""The verbs that read: get and list, with selectors, limits and continue tokens.

Every method runs under the store's lock, held by the dispatcher. Semantics:
kubernetes.io/docs/reference/using-api/api-concepts.
"""

from __future__ import annotations

import base64
import binascii
import json

from cse_client.simulator.kube.errors import (
    ApiError,
    bad_request,
    expired,
    invalid_option,
    not_found,
)
from cse_client.simulator.kube.objects import Obj
from cse_client.simulator.kube.requests import Call, Target
from cse_client.simulator.kube.selectors import Match, field_selector, label_selector
from cse_client.simulator.kube.state import Cluster

__all__ = ["Reader"]


class Reader:
    """Reads a cluster's store for requests."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._store = cluster.store

    def existing(self, target: Target) -> Obj:
        """Return the stored object that a request names.

        Raises:
            ApiError: 404.
        """
        namespace = target.namespace if self._cluster.resource(*target.key).namespaced else ""
        found = self._store.get(target.key, namespace, target.name)
        if found is None:
            raise not_found(target.group or "", target.plural, target.name)
        return found

    def selection(self, call: Call, target: Target) -> Match | None:
        """Return the test that the request's selectors make, None when there are none."""
        labels = label_selector(call.option("labelSelector"))
        fields = field_selector(call.option("fieldSelector"), *target.key)
        if labels is None or fields is None:
            return labels or fields
        both = (labels, fields)
        return lambda obj: all(match(obj) for match in both)

    def listing(self, call: Call, target: Target) -> tuple[list[Obj], Obj]:
        """Return the selected objects, and the list's metadata."""
        match = self.selection(call, target)
        _check_options(call)
        wanted = call.option("resourceVersion")
        exact = call.option("resourceVersionMatch") == "Exact"
        if wanted.isdigit() and int(wanted) > self._store.revision:
            raise ApiError(
                504,
                "Timeout",
                f"Timeout: Too large resource version: {wanted}, current: {self._store.revision}",
                {
                    "causes": [
                        {
                            "reason": "ResourceVersionTooLarge",
                            "message": "Too large resource version",
                        }
                    ],
                    "retryAfterSeconds": 1,
                },
            )
        if exact and wanted != str(self._store.revision):
            raise expired("The resourceVersion for the provided list is too old.")
        items = [
            obj for obj in self._store.each(target.key, target.namespace) if not match or match(obj)
        ]
        metadata: Obj = {"resourceVersion": str(self._store.revision)}
        start = call.option("continue")
        if start:
            after = _continue_after(start)
            items = [
                obj
                for obj in items
                if (obj["metadata"].get("namespace", ""), obj["metadata"]["name"]) > after
            ]
        limit = call.option("limit")
        if limit.isdigit() and 0 < int(limit) < len(items):
            rest = len(items) - int(limit)
            items = items[: int(limit)]
            last = items[-1]["metadata"]
            token = json.dumps([self._store.revision, last.get("namespace", ""), last["name"]])
            metadata["continue"] = base64.urlsafe_b64encode(token.encode()).decode()
            if match is None:
                metadata["remainingItemCount"] = rest
        return items, metadata


def _check_options(call: Call) -> None:
    """Raise ApiError 400 or 422 for options of a list that make no sense."""
    limit = call.option("limit")
    try:
        int(limit or "0")
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{limit}": invalid syntax') from None
    if call.option("resourceVersionMatch") and not call.option("resourceVersion"):
        raise invalid_option(
            "ListOptions",
            "resourceVersionMatch",
            "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        )


def _continue_after(token: str) -> tuple[str, str]:
    try:
        _revision, namespace, name = json.loads(base64.urlsafe_b64decode(token))
        return str(namespace), str(name)
    except (ValueError, TypeError, binascii.Error):
        raise bad_request("invalid continue token: continue key is not valid") from None
