"""Who may use a cluster, and with which rights: what is asked for, and what was granted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["ROLES", "Grant", "KubeconfigSpec", "Subject"]

#: Kubernetes' own ClusterRoles for people, from the least to the most
#: (kubernetes:plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go).
ROLES = ("view", "edit", "admin")


@dataclass(frozen=True)
class KubeconfigSpec:
    """What a kubeconfig is to hold; empty or None means: take the default.

    Without `user` it is an administrator's. With one its certificate names that user and those
    `groups` and nothing else, so that it has the rights bound to them and no others.
    `ttl` is in seconds. `endpoint` is HOST or HOST:PORT; `context` the context's name.
    """

    user: str = ""
    groups: tuple[str, ...] = ()
    ttl: float | None = None
    context: str = ""
    endpoint: str = ""

    @property
    def limited(self) -> bool:
        """Whether it is a user's, not an administrator's."""
        return bool(self.user or self.groups)


@dataclass(frozen=True)
class Subject:
    """Somebody who can be given rights: `kind` is `User` or `Group`, as in RBAC."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.lower()} '{self.name}'"


@dataclass(frozen=True)
class Grant:
    """One right that was given: a role, in one namespace or (`namespace` empty) in all of them.

    `binding` is the name of the RoleBinding or ClusterRoleBinding that is behind it. `ours` tells
    whether this client made it.
    """

    subject: Subject
    role: str
    namespace: str = ""
    binding: str = ""
    created: datetime | None = None
    ours: bool = True
