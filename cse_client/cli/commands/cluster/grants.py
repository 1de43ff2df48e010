"""`vcd cse cluster grant|grants|revoke`: who may do what in a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cse_client.cli.options import org_option, vdc_option
from cse_client.cli.output import shows
from cse_client.cli.run import Run, command
from cse_client.cli.text import capital
from cse_client.model import ClusterRef
from cse_client.model.grants import ROLES

if TYPE_CHECKING:
    from cse_client.model.grants import Grant, Subject

__all__ = ["grant_command", "grants_command", "revoke_command"]


def _subject(user: str, group: str) -> Subject:
    from cse_client.errors import WrongUsage
    from cse_client.model.grants import Subject

    if bool(user) == bool(group):
        raise WrongUsage(
            "Specify either --user NAME or --group NAME.", hint="For example: --user alice"
        )
    return Subject("User", user) if user else Subject("Group", group)


@click.command("grant")
@click.argument("name")
@click.option("--user", default="", metavar="NAME", help="User to grant the role to.")
@click.option("--group", default="", metavar="NAME", help="Group to grant the role to.")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    required=True,
    help="Role: view (read, except Secrets), edit (read and write) or admin (edit, and grant"
    " roles).",
)
@click.option("--namespace", default="", metavar="NS", help="Namespace. Default: all namespaces.")
@vdc_option
@org_option
@command
def grant_command(
    run: Run, name: str, user: str, group: str, role: str, namespace: str, vdc: str, org: str
) -> None:
    """Grant a user or a group a role in a cluster.

    The roles are the Kubernetes cluster roles view, edit and admin. They do not cover nodes and
    other cluster-scoped resources. Repeating a grant has no effect.

    \b
    Example
        vcd cse cluster grant demo --user alice --role edit --namespace shop
    """
    from cse_client.cli.validation import check_existing_name, raise_all
    from cse_client.engines.grants import check_grant, give
    from cse_client.model.grants import Grant

    check_existing_name(name)
    grant = Grant(_subject(user, group), role, namespace)
    raise_all(check_grant(grant))
    changed = give(run.engine(), ClusterRef(name, vdc, org), grant)
    verb = "has" if changed else "already had"
    run.console.sentence(
        f"{capital(str(grant.subject))} {verb} the role {role} {_where(grant)} of cluster {name}.",
        {"cluster": name, **_grant_object(grant), "changed": changed},
    )


@click.command("revoke")
@click.argument("name")
@click.option("--user", default="", metavar="NAME", help="User to revoke roles from.")
@click.option("--group", default="", metavar="NAME", help="Group to revoke roles from.")
@click.option("--role", type=click.Choice(ROLES), default=None, help="Revoke only this role.")
@click.option("--namespace", default="", metavar="NS", help="Revoke only in this namespace.")
@vdc_option
@org_option
@command
def revoke_command(
    run: Run,
    name: str,
    user: str,
    group: str,
    role: str | None,
    namespace: str,
    vdc: str,
    org: str,
) -> None:
    """Revoke roles granted to a user or a group.

    Without --role and --namespace, revokes every role that this client granted to the user or
    group. This takes effect immediately, for all existing certificates. Roles that were granted by
    other means are reported, but not changed.
    """
    from cse_client.cli.validation import check_existing_name
    from cse_client.engines.grants import foreign_sentence, take

    check_existing_name(name)
    subject = _subject(user, group)
    ref = ClusterRef(name, vdc, org)
    gone, others = take(run.engine(), ref, subject, role=role or "", namespace=namespace)
    revoked = ", ".join(f"{grant.role} {_where(grant)}" for grant in gone)
    run.console.sentence(
        f"Revoked from {subject} in cluster {name}: {revoked}.",
        {"cluster": name, "revoked": [_grant_object(grant) for grant in gone]},
    )
    for grant in others:
        run.console.warning(foreign_sentence(grant))


@shows("grants", "grant", many=True)
@click.argument("name")
@vdc_option
@org_option
@command
def grants_command(run: Run, name: str, vdc: str, org: str) -> None:
    """List the roles granted in a cluster."""
    from cse_client.cli.records import grant_record
    from cse_client.cli.tables import GRANT_COLUMNS, grant_row
    from cse_client.cli.validation import check_existing_name
    from cse_client.engines.grants import list_grants

    check_existing_name(name)
    grants = list_grants(run.engine(), ClusterRef(name, vdc, org))
    run.console.table(
        [grant_row(grant) for grant in grants],
        GRANT_COLUMNS,
        empty=f"No roles are granted in cluster {name}.",
        records=[grant_record(grant) for grant in grants],
    )


def _where(grant: Grant) -> str:
    return f"in namespace {grant.namespace}" if grant.namespace else "in all namespaces"


def _grant_object(grant: Grant) -> dict[str, str]:
    return {
        "kind": grant.subject.kind.lower(),
        "name": grant.subject.name,
        "role": grant.role,
        "namespace": grant.namespace,
    }
