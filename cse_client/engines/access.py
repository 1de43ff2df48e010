"""Giving people rights in a cluster, and taking them back; whichever engine made the cluster.

Rights are Kubernetes' own: RoleBindings and ClusterRoleBindings to its ClusterRoles `view`, `edit`
and `admin`. What is needed of an engine is an administrator's kubeconfig.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.errors import CseError, NotFound, Refused, WrongUsage
from cse_client.kube.api import ClusterAPI
from cse_client.kube.grants import GrantBook
from cse_client.kube.kubeconfig.document import adopt, server_url
from cse_client.kube.kubeconfig.mark import Mark
from cse_client.model.access import Grant, KubeconfigSpec, Subject
from cse_client.model.identity import ClusterIdentity

if TYPE_CHECKING:
    from cse_client.engines.base import Engine

__all__ = [
    "Place",
    "check_grant",
    "check_spec",
    "foreign_sentence",
    "give",
    "lifetime_of",
    "list_grants",
    "refuse_signing",
    "take",
    "with_our_names",
]

#: Groups that are administrators' already: ours, and kubeadm's since 1.29
#: (kubernetes:cmd/kubeadm/app/constants/constants.go, ClusterAdminsGroupAndClusterRoleBinding).
_RESERVED = ("system:", "cse:", "kubeadm:")
#: What one command of this client needs for its own questions: half an hour.
_PROBE = KubeconfigSpec(ttl=1800.0)
ADMIN_LIFETIME = timedelta(days=365)
#: A working day; what cannot be revoked should not outlive its use.
USER_LIFETIME = timedelta(hours=8)
LONGEST_USER_LIFETIME = timedelta(days=30)
#: Clocks differ by more than less.
SHORTEST_LIFETIME = timedelta(minutes=1)
#: Bytes that a name in a certificate may have, see `cse_client.guest.pki`.
_LONGEST = 64


def check_spec(spec: KubeconfigSpec) -> list[CseError]:
    """Return what is wrong with a wanted kubeconfig, whichever engine is to make it."""
    found: list[CseError] = []
    if spec.groups and not spec.user:
        found.append(
            WrongUsage(
                "--group needs --user: a certificate is one person's.",
                hint="For example --user alice --group devs",
            )
        )
    if spec.user:
        found += check_subject(Subject("User", spec.user))
    for group in spec.groups:
        found += check_subject(Subject("Group", group))
    longest = LONGEST_USER_LIFETIME if spec.limited else ADMIN_LIFETIME
    if spec.ttl is not None and spec.ttl > longest.total_seconds():
        whose = "a user's" if spec.limited else "an administrator's"
        found.append(
            WrongUsage(
                f"The lifetime is too long: {longest.days} days is the longest for {whose}"
                " kubeconfig.",
                hint="A certificate cannot be revoked, so let it be short and make it anew.",
            )
        )
    if spec.ttl is not None and spec.ttl < SHORTEST_LIFETIME.total_seconds():
        found.append(WrongUsage("The lifetime is too short: one minute is the shortest."))
    return found


def lifetime_of(spec: KubeconfigSpec) -> timedelta:
    """Return how long a kubeconfig is to be good for."""
    if spec.ttl is not None:
        return timedelta(seconds=spec.ttl)
    return USER_LIFETIME if spec.limited else ADMIN_LIFETIME


def refuse_signing(cluster: str, spec: KubeconfigSpec) -> None:
    """Refuse what needs the cluster's CA key, for engines that do not have it.

    Such an engine hands out the one kubeconfig that it is given, an administrator's.

    Raises:
        Refused: a user, or a lifetime, was asked for.
    """
    if spec.limited or (spec.ttl is not None and spec != _PROBE):
        raise Refused(
            f"The CA key of cluster '{cluster}' is with the CSE server, so no certificate can be"
            " signed here.",
            hint="Make a ServiceAccount and a token for it instead: "
            + suggest.kubectl("create token", help=True),
        )


def with_our_names(kubeconfig: str, identity: ClusterIdentity, spec: KubeconfigSpec) -> str:
    """Return a kubeconfig of a server's that can stand among others in one file.

    The names in there are those that kubeadm gave, which are the same for every cluster. Marks that
    it holds already are replaced: whoever made it could have copied another cluster's. Raises
    CseError when the text is no kubeconfig.
    """
    server = server_url(spec.endpoint) if spec.endpoint else ""
    return adopt(kubeconfig, Mark.of(identity), context=spec.context, server=server)


def check_subject(subject: Subject) -> list[CseError]:
    """Return what is wrong with a name that is to be a person's, or a group's of people.

    Refused where it is reserved: Kubernetes' own, or one of the administrators' groups. WrongUsage
    where it is empty, too long for a certificate, or not printable.
    """
    name = subject.name
    kind = subject.kind.lower()
    if not name or name != name.strip():
        return [WrongUsage(f"The name of the {kind} '{name}' is empty or has blanks around it.")]
    if not name.isprintable():
        return [WrongUsage(f"The name of the {kind} holds characters that cannot be printed.")]
    size = len(name.encode())
    if size > _LONGEST:
        return [
            WrongUsage(
                f"The name of the {kind} is too long: a certificate allows {_LONGEST} bytes, and it"
                f" has {size}."
            )
        ]
    reserved = next((prefix for prefix in _RESERVED if name.startswith(prefix)), "")
    if not reserved:
        return []
    owner = "Kubernetes" if reserved == "system:" else "administrators"
    return [
        Refused(
            f"The {kind} '{name}' is not given out: names in '{reserved}' belong to {owner}.",
            hint="Use a name of your own and grant it rights: "
            + suggest.cse("cluster grant", help=True),
        )
    ]


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


class Place:
    """Where a cluster is: its name, its VDC and its organisation, empty for those in use."""

    def __init__(self, cluster: str, vdc: str = "", org: str = "") -> None:
        self.cluster = cluster
        self.vdc = vdc
        self.org = org


def give(engine: Engine, place: Place, grant: Grant) -> bool:
    """Give a right; return False when it was given already.

    Raises:
        Refused: the name is reserved. NotFound: there is no such namespace.
    """
    for problem in check_grant(grant):
        raise problem
    with _book(engine, place) as book:
        if grant.namespace and not book.has_namespace(grant.namespace):
            raise NotFound(
                f"Cluster '{place.cluster}' has no namespace '{grant.namespace}'.",
                hint=suggest.kubectl("create namespace", grant.namespace, in_cluster=True),
            )
        return book.add(grant)


def take(
    engine: Engine, place: Place, subject: Subject, *, role: str = "", namespace: str = ""
) -> tuple[Sequence[Grant], Sequence[Grant]]:
    """Take rights back: all of the subject's that this client gave, or those of a role, namespace.

    Returns what was removed, and what the subject has besides through bindings that others made.

    Raises:
        NotFound: this client gave no such right.
    """
    with _book(engine, place) as book:
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
            raise _nothing(place, subject, role, namespace, foreign)
        for one in ours:
            book.remove(one)
        return ours, foreign


def list_grants(engine: Engine, place: Place) -> list[Grant]:
    """Return the rights that this client gave, by subject."""
    with _book(engine, place) as book:
        found = [one for one in book.all() if one.ours]
    return sorted(
        found, key=lambda one: (one.subject.kind, one.subject.name, one.namespace, one.role)
    )


@contextmanager
def _book(engine: Engine, place: Place) -> Iterator[GrantBook]:
    kubeconfig = engine.kubeconfig(place.cluster, vdc=place.vdc, org=place.org, spec=_PROBE)
    with ClusterAPI(kubeconfig) as api:
        yield GrantBook(api)


def _nothing(
    place: Place, subject: Subject, role: str, namespace: str, foreign: Sequence[Grant]
) -> NotFound:
    what = f" the role {role}" if role else " anything"
    where = f" in namespace '{namespace}'" if namespace else ""
    hint = f"See what was granted: {suggest.cse('cluster grants', place.cluster)}"
    error = NotFound(
        f"This client granted {subject} not{what}{where} in cluster '{place.cluster}'."
        if role
        else f"This client granted {subject} nothing{where} in cluster '{place.cluster}'.",
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
