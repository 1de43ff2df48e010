"""Names of users and groups that a cluster may know."""

from __future__ import annotations

from cse_client import suggest
from cse_client.errors import CseError, Refused, WrongUsage
from cse_client.model.grants import Subject

__all__ = ["check_subject"]


#: Groups that are administrators' already: ours, and kubeadm's since 1.29
#: (kubernetes:cmd/kubeadm/app/constants/constants.go, ClusterAdminsGroupAndClusterRoleBinding).
_RESERVED = ("system:", "cse:", "kubeadm:")


#: Bytes that a name in a certificate may have, see `cse_client.guest.pki`.
_LONGEST = 64


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
            f"The {kind} '{name}' is reserved: names in '{reserved}' belong to {owner}.",
            hint="Use a name of your own and grant it rights: "
            + suggest.cse("cluster grant", help=True),
        )
    ]
