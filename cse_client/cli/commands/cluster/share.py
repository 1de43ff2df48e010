"""`vcd cse cluster share|share-list|unshare`: for CSE servers 3.1, whose clusters are entities."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cse_client.cli.options import org_option, runtime_option, vdc_option
from cse_client.cli.output import shows
from cse_client.cli.run import Run, command
from cse_client.cli.target import cluster_reference, id_option
from cse_client.model import ClusterRef
from cse_client.model.server import ACCESS_LEVELS

if TYPE_CHECKING:
    from cse_client.model.server import Share

__all__ = ["share_command", "share_list_command", "unshare_command"]

F = TypeVar("F", bound=Callable[..., Any])

_COLUMNS = ("accessLevelId", "memberId", "username")


def _cluster_options(function: F) -> F:
    """Add which cluster is meant."""
    name = click.option("-n", "--name", default="", metavar="NAME", help="Cluster name.")
    return name(id_option(vdc_option(org_option(runtime_option(function)))))


@click.command("share")
@click.argument("users", nargs=-1, required=True)
@click.option(
    "--acl",
    type=click.Choice(ACCESS_LEVELS, case_sensitive=False),
    required=True,
    help="Access level for the users.",
)
@_cluster_options
@command
def share_command(
    run: Run, users: tuple[str, ...], acl: str, name: str, cluster_id: str, vdc: str, org: str
) -> None:
    """Share a cluster with users of its organization.

    Requires a CSE server 3.1. Gives the users access to the cluster in VCD and with `vcd cse`; for
    roles within Kubernetes, use `cluster grant`. Existing access levels are never lowered; use
    `cluster unshare` first.

    \b
    Example
        vcd cse cluster share alice bob --name demo --acl ReadOnly
    """
    from cse_client.engines.servers import Entities

    cluster = _cluster(name, cluster_id)
    level = next(one for one in ACCESS_LEVELS if one.lower() == acl.lower())
    engine = run.require(Entities, "cluster share")
    shares = engine.share(ClusterRef(cluster, vdc, org), users, level)
    run.console.sentence(
        f"Cluster {cluster} is shared with {', '.join(users)}: {level}.",
        {"cluster": cluster, "shared_with": [_row(one) for one in shares]},
    )


@shows("share-list", "share", many=True)
@click.option("-A", "--all", "_everything", is_flag=True, hidden=True)
@_cluster_options
@command
def share_list_command(
    run: Run, _everything: bool, name: str, cluster_id: str, vdc: str, org: str
) -> None:
    """List the users a cluster is shared with.

    Requires a CSE server 3.1.
    """
    from cse_client.cli.records import share_record
    from cse_client.engines.servers import Entities

    cluster = _cluster(name, cluster_id)
    engine = run.require(Entities, "cluster share-list")
    shares = engine.shares(ClusterRef(cluster, vdc, org))
    run.console.table(
        [_row(share) for share in shares],
        _COLUMNS,
        empty=f"Cluster {cluster} is not shared with any users.",
        records=[share_record(share) for share in shares],
    )


@click.command("unshare")
@click.argument("users", nargs=-1, required=True)
@_cluster_options
@command
def unshare_command(
    run: Run, users: tuple[str, ...], name: str, cluster_id: str, vdc: str, org: str
) -> None:
    """Stop sharing a cluster with users.

    Requires a CSE server 3.1.
    """
    from cse_client.engines.servers import Entities

    cluster = _cluster(name, cluster_id)
    engine = run.require(Entities, "cluster unshare")
    shares = engine.unshare(ClusterRef(cluster, vdc, org), users)
    run.console.sentence(
        f"Cluster {cluster} is no longer shared with {', '.join(users)}.",
        {"cluster": cluster, "shared_with": [_row(one) for one in shares]},
    )


def _cluster(name: str, cluster_id: str) -> str:
    return cluster_reference(name or None, cluster_id, option="option '-n' / '--name'")


def _row(share: Share) -> dict[str, str]:
    return {
        "accessLevelId": f"urn:vcloud:accessLevel:{share.level}",
        "memberId": share.member_id,
        "username": share.username,
    }
