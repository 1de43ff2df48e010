"""RoleBindings and ClusterRoleBindings of a cluster, as grants to users and groups.

One binding for each grant, labelled as ours, with a name made from its content: granting twice
finds the first. Bindings that others made are read, never changed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from urllib.parse import quote

from cse_client import suggest
from cse_client.errors import Conflict, NotFound
from cse_client.kube.answers import Json, message_of, problem
from cse_client.kube.api import ClusterAPI
from cse_client.kube.shapes import moment
from cse_client.model.grants import Grant, Subject

__all__ = ["LABELS", "GrantBook", "binding_name"]

LABELS = {
    "app.kubernetes.io/managed-by": "cse-client",
    "app.kubernetes.io/component": "access",
}
_GROUP = "rbac.authorization.k8s.io"
_BASE = f"/apis/{_GROUP}/v1"
_PLURALS = {"ClusterRoleBinding": "clusterrolebindings", "RoleBinding": "rolebindings"}
_BAD, _NOT_FOUND, _CONFLICT = 400, 404, 409
_LONGEST_NAME = 30


def binding_name(grant: Grant) -> str:
    """Return the name of a grant's binding; no two grants in one namespace share it."""
    subject = grant.subject
    slug = re.sub(r"[^a-z0-9]+", "-", subject.name.lower()).strip("-")[:_LONGEST_NAME]
    basis = f"{subject.kind}\n{subject.name}\n{grant.role}".encode()
    parts = ("cse", subject.kind.lower(), slug, grant.role, hashlib.sha256(basis).hexdigest()[:8])
    return "-".join(part for part in parts if part)


class GrantBook:
    """The grants of one cluster. Every method raises ClusterUnreachable."""

    def __init__(self, api: ClusterAPI) -> None:
        self._api = api

    def has_namespace(self, name: str) -> bool:
        """Return whether the namespace exists and is not being deleted."""
        path = f"/api/v1/namespaces/{quote(name)}"
        found = self._api.read(path, "Namespace", f"read namespace '{name}'")
        return found is not None and found.get("status", {}).get("phase") != "Terminating"

    def all(self) -> list[Grant]:
        """Return every grant to a user or a group, whoever made it."""
        bindings = [
            one
            for kind, plural in _PLURALS.items()
            for one in self._api.listing(f"{_BASE}/{plural}", kind, f"list {plural}")
        ]
        return [grant for binding in bindings for grant in _grants(binding)]

    def add(self, grant: Grant) -> bool:
        """Make a grant's binding; return False when it is there.

        Raises:
            Conflict: something else has the binding's name.
            NotFound: its namespace is gone, or on its way out.
        """
        binding = _binding(grant)
        kind, collection = binding["kind"], _collection(grant)
        doing = f"grant {grant.role} to {grant.subject}"
        status, answer = self._api.ask("POST", collection, binding, forbidden=True)
        if status < _BAD:
            return True
        if grant.namespace and (status == _NOT_FOUND or _is_ending(answer)):
            raise NotFound(
                f"Cannot {doing}: namespace '{grant.namespace}' was deleted meanwhile.",
                hint=suggest.kubectl("create namespace", grant.namespace, in_cluster=True),
            )
        if status != _CONFLICT:
            raise problem(status, answer, doing, self._api.server)
        name = binding["metadata"]["name"]
        found = self._api.read(f"{collection}/{name}", kind, f"read the binding {name}")
        theirs = [(one.subject, one.role, one.ours) for one in _grants(found)] if found else []
        if theirs != [(grant.subject, grant.role, True)]:
            raise Conflict(
                f"The binding {name} exists with other content.",
                hint="It was changed. Check it with kubectl, and delete it.",
            )
        return False

    def remove(self, grant: Grant) -> None:
        """Delete a grant's binding; one that is already gone is not an error."""
        path = f"{_collection(grant)}/{quote(grant.binding)}"
        status, answer = self._api.ask("DELETE", path, forbidden=True)
        if status >= _BAD and status != _NOT_FOUND:
            doing = f"take {grant.role} from {grant.subject}"
            raise problem(status, answer, doing, self._api.server)


def _is_ending(answer: Json) -> bool:
    """Return whether a refusal is that of a namespace that is being deleted.

    Its cause since Kubernetes 1.17: kubernetes:staging/src/k8s.io/api/core/v1/types.go,
    NamespaceTerminatingCause; the words before that.
    """
    cause = "NamespaceTerminating" in str(answer.get("details"))
    return cause or "being terminated" in message_of(answer)


def _collection(grant: Grant) -> str:
    if grant.namespace:
        return f"{_BASE}/namespaces/{quote(grant.namespace)}/{_PLURALS['RoleBinding']}"
    return f"{_BASE}/{_PLURALS['ClusterRoleBinding']}"


def _binding(grant: Grant) -> Json:
    subject = grant.subject
    where = {"namespace": grant.namespace} if grant.namespace else {}
    return {
        "apiVersion": f"{_GROUP}/v1",
        "kind": "RoleBinding" if grant.namespace else "ClusterRoleBinding",
        "metadata": {"name": binding_name(grant), "labels": dict(LABELS), **where},
        "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": grant.role},
        "subjects": [{"apiGroup": _GROUP, "kind": subject.kind, "name": subject.name}],
    }


def _grants(binding: Json) -> Iterator[Grant]:
    metadata = binding["metadata"]
    labels = metadata.get("labels", {})
    subjects = binding.get("subjects", [])
    # One that somebody added people to is theirs as well: it is shown, not deleted.
    ours = len(subjects) == 1 and all(labels.get(key) == value for key, value in LABELS.items())
    for subject in subjects:
        if subject["kind"] in ("User", "Group"):
            yield Grant(
                subject=Subject(subject["kind"], subject["name"]),
                role=binding["roleRef"]["name"],
                namespace=metadata.get("namespace", ""),
                binding=metadata["name"],
                created=moment(metadata.get("creationTimestamp", "")),
                ours=ours,
            )
