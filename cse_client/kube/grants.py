"""RoleBindings and ClusterRoleBindings of a cluster, as grants to users and groups.

One binding for each grant, labelled as ours, with a name made from what it says: granting twice
finds the first. Bindings that others made are read, never changed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from cse_client.errors import Conflict
from cse_client.kube.nodes import ClusterAPI
from cse_client.model.access import Grant, Subject

__all__ = ["LABELS", "GrantBook", "binding_name"]

LABELS = {
    "app.kubernetes.io/managed-by": "cse-client",
    "app.kubernetes.io/component": "access",
}
_GROUP = "rbac.authorization.k8s.io"
_NOT_FOUND = 404
_CONFLICT = 409
_PAGE = 500
_LONGEST_NAME = 30


def binding_name(grant: Grant) -> str:
    """Return the name of a grant's binding; no two grants in one namespace share it."""
    subject = grant.subject
    slug = re.sub(r"[^a-z0-9]+", "-", subject.name.lower()).strip("-")[:_LONGEST_NAME]
    said = f"{subject.kind}\n{subject.name}\n{grant.role}".encode()
    parts = ("cse", subject.kind.lower(), slug, grant.role, hashlib.sha256(said).hexdigest()[:8])
    return "-".join(part for part in parts if part)


class GrantBook:
    """The grants of one cluster. Every method raises ClusterUnreachable."""

    def __init__(self, api: ClusterAPI) -> None:
        self._api = api

    def has_namespace(self, name: str) -> bool:
        """Tell whether there is such a namespace, and it is not on its way out."""
        from lightkube.core.exceptions import ApiError
        from lightkube.resources.core_v1 import Namespace

        with self._api.talking() as client:
            try:
                found = client.get(Namespace, name)
            except ApiError as error:
                if error.status.code == _NOT_FOUND:
                    return False
                raise
            return getattr(found.status, "phase", None) != "Terminating"

    def all(self) -> list[Grant]:
        """Return every grant to a user or a group, whoever made it."""
        from lightkube.resources.rbac_authorization_v1 import ClusterRoleBinding, RoleBinding

        with self._api.talking() as client:
            cluster_wide = list(client.list(ClusterRoleBinding, chunk_size=_PAGE))
            inside = list(client.list(RoleBinding, namespace="*", chunk_size=_PAGE))
        return [grant for binding in (*cluster_wide, *inside) for grant in _grants(binding)]

    def add(self, grant: Grant) -> bool:
        """Make a grant's binding; return False when it is there.

        Raises:
            Conflict: something else has the binding's name.
        """
        from lightkube.core.exceptions import ApiError

        binding = _binding(grant)
        with self._api.talking() as client:
            try:
                client.create(binding)
                return True
            except ApiError as error:
                if error.status.code != _CONFLICT:
                    raise
            found = client.get(
                type(binding),
                binding.metadata.name,
                **_where(grant),
            )
        theirs = [(one.subject, one.role, one.ours) for one in _grants(found)]
        if theirs != [(grant.subject, grant.role, True)]:
            raise Conflict(
                f"The binding {binding.metadata.name} is there and says something else.",
                hint="Somebody changed it: look at it with kubectl and delete it.",
            )
        return False

    def remove(self, grant: Grant) -> None:
        """Delete a grant's binding; one that is gone already is no error."""
        from lightkube.core.exceptions import ApiError

        with self._api.talking() as client:
            try:
                client.delete(_kind(grant), grant.binding, **_where(grant))
            except ApiError as error:
                if error.status.code != _NOT_FOUND:
                    raise


def _kind(grant: Grant) -> Any:
    from lightkube.resources.rbac_authorization_v1 import ClusterRoleBinding, RoleBinding

    return RoleBinding if grant.namespace else ClusterRoleBinding


def _where(grant: Grant) -> dict[str, Any]:
    return {"namespace": grant.namespace} if grant.namespace else {}


def _binding(grant: Grant) -> Any:
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.models.rbac_v1 import RoleRef
    from lightkube.models.rbac_v1 import Subject as Bound

    subject = grant.subject
    return _kind(grant)(
        metadata=ObjectMeta(name=binding_name(grant), labels=dict(LABELS), **_where(grant)),
        roleRef=RoleRef(apiGroup=_GROUP, kind="ClusterRole", name=grant.role),
        subjects=[Bound(apiGroup=_GROUP, kind=subject.kind, name=subject.name)],
    )


def _grants(binding: Any) -> Iterator[Grant]:
    metadata = binding.metadata
    labels = metadata.labels or {}
    subjects = list(binding.subjects or ())
    # One that somebody added people to is theirs as well: it is shown, not deleted.
    ours = len(subjects) == 1 and all(labels.get(key) == value for key, value in LABELS.items())
    for subject in subjects:
        if subject.kind in ("User", "Group"):
            yield Grant(
                subject=Subject(subject.kind, subject.name),
                role=binding.roleRef.name,
                namespace=metadata.namespace or "",
                binding=metadata.name,
                created=metadata.creationTimestamp,
                ours=ours,
            )
