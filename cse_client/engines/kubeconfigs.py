"""Rules for kubeconfigs, whichever engine mints them: lifetimes, subjects, names of entries."""

from __future__ import annotations

from datetime import timedelta

from cse_client import suggest
from cse_client.engines.subjects import check_subject
from cse_client.errors import CseError, Refused, WrongUsage
from cse_client.kube.kubeconfig.document import import_kubeconfig, server_url
from cse_client.kube.kubeconfig.mark import Mark
from cse_client.model.grants import KubeconfigSpec, Subject
from cse_client.model.identity import ClusterIdentity

__all__ = ["PROBE", "check_spec", "lifetime_of", "refuse_signing", "with_our_names"]


#: What one command of this client needs for its own questions: half an hour.
PROBE = KubeconfigSpec(ttl=1800.0)
ADMIN_LIFETIME = timedelta(days=365)


#: A working day; what cannot be revoked should not outlive its use.
USER_LIFETIME = timedelta(hours=8)


LONGEST_USER_LIFETIME = timedelta(days=30)


#: Clocks differ by more than less.
SHORTEST_LIFETIME = timedelta(minutes=1)


def check_spec(spec: KubeconfigSpec) -> list[CseError]:
    """Return what is wrong with a wanted kubeconfig, whichever engine is to make it."""
    found: list[CseError] = []
    if spec.groups and not spec.user:
        found.append(
            WrongUsage(
                "--group needs --user: a certificate is one person's.",
                hint="For example: --user alice --group devs",
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
                hint="Certificates cannot be revoked. Issue short-lived ones, and renew them.",
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
    if spec.limited or (spec.ttl is not None and spec != PROBE):
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
    return import_kubeconfig(kubeconfig, Mark.of(identity), context=spec.context, server=server)
