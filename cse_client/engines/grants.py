"""Giving people rights in a cluster, and taking them back; whichever engine made the cluster.

Rights are Kubernetes' own: RoleBindings and ClusterRoleBindings to its ClusterRoles `view`, `edit`
and `admin`. What is needed of an engine is an administrator's kubeconfig.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.engines.kubeconfigs import PROBE
from cse_client.engines.subjects import check_subject
from cse_client.errors import CseError, NotFound, WrongUsage
from cse_client.kube.api import ClusterAPI
from cse_client.kube.grants import GrantBook
from cse_client.model.grants import Grant, Subject

if TYPE_CHECKING:
    from cse_client.engines.base import Engine
    from cse_client.model import ClusterRef

__all__ = ["check_grant", "foreign_sentence", "give", "list_grants", "take"]


def check_grant(grant: Grant) -> list[CseError]:
    """Return what is wrong with a grant as it is typed."""
    found = check_subject(grant.subject)
    # RFC 1123 label
    if grant.namespace and not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", grant.namespace):
        found.append(
            WrongUsage(
                f"'{grant.namespace}' cannot be the name of a namespace.",
                hint="Small letters, digits and dashes;"
                f" `{suggest.kubectl('get namespaces', in_cluster=True)}` shows what there is.",
            )
        )
    return found


def give(engine: Engine, ref: ClusterRef, grant: Grant) -> bool:
    """Give a right; return False when it was given already.

    Raises:
        Refused: the name is reserved. NotFound: there is no such namespace.
    """
    for problem in check_grant(grant):
        raise problem
    with _book(engine, ref) as book:
        if grant.namespace and not book.has_namespace(grant.namespace):
            raise NotFound(
                f"Cluster '{ref.name}' has no namespace '{grant.namespace}'.",
                hint=suggest.kubectl("create namespace", grant.namespace, in_cluster=True),
            )
        return book.add(grant)


def take(
    engine: Engine, ref: ClusterRef, subject: Subject, *, role: str = "", namespace: str = ""
) -> tuple[Sequence[Grant], Sequence[Grant]]:
    """Take rights back: all of the subject's that this client gave, or those of a role, namespace.

    Returns what was removed, and what the subject has besides through bindings that others made.

    Raises:
        NotFound: this client gave no such right.
    """
    with _book(engine, ref) as book:
        wanted = [
            one
            for one in book.all()
            if one.subject == subject
            and role in ("", one.role)
            and namespace in ("", one.namespace)
        ]
        ours = [one for one in wanted if one.ours]
        foreign = [one for one in wanted if not one.ours]
        if not ours:
            raise _nothing(ref, subject, role, namespace, foreign)
        for one in ours:
            book.remove(one)
        return ours, foreign


def list_grants(engine: Engine, ref: ClusterRef) -> list[Grant]:
    """Return the rights that this client gave, by subject."""
    with _book(engine, ref) as book:
        found = [one for one in book.all() if one.ours]
    return sorted(
        found, key=lambda one: (one.subject.kind, one.subject.name, one.namespace, one.role)
    )


@contextmanager
def _book(engine: Engine, ref: ClusterRef) -> Iterator[GrantBook]:
    kubeconfig = engine.kubeconfig(ref, spec=PROBE)
    with ClusterAPI(kubeconfig) as api:
        yield GrantBook(api)


def _nothing(
    ref: ClusterRef, subject: Subject, role: str, namespace: str, foreign: Sequence[Grant]
) -> NotFound:
    what = f"the role {role}" if role else "any role"
    where = f" in namespace '{namespace}'" if namespace else ""
    hint = f"List the grants: {suggest.cse('cluster grants', ref.name)}"
    error = NotFound(
        f"This client has not granted {subject} {what}{where} in cluster '{ref.name}'.",
        hint=hint,
    )
    error.notes += [foreign_sentence(one) for one in foreign]
    return error


def foreign_sentence(grant: Grant) -> str:
    """Return what to know of a right that somebody else gave."""
    if grant.namespace:
        remove = suggest.kubectl(
            "delete rolebinding", grant.binding, in_cluster=True, namespace=grant.namespace
        )
    else:
        remove = suggest.kubectl("delete clusterrolebinding", grant.binding, in_cluster=True)
    return (
        f"{grant.subject} has the role {grant.role} through a binding that this client did not"
        f" make; `{remove}` deletes it"
    )
