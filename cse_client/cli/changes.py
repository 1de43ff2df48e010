"""Which commands change a cluster."""

from __future__ import annotations

import click

__all__ = ["CHANGES", "ON_YES", "changed_cluster"]

#: Commands that change a cluster.
CHANGES = frozenset(
    (
        *(f"addon {one}" for one in ("install", "remove")),
        *("cluster apply", "cluster create", "cluster delete", "cluster delete-nfs"),
        *("cluster grant", "cluster protect", "cluster renew", "cluster repair", "cluster resize"),
        *("cluster restore", "cluster revoke", "cluster seal", "cluster share", "cluster start"),
        *("cluster stop", "cluster unprotect", "cluster unshare", "cluster upgrade"),
        *("node create", "node delete"),
        *(f"pool {one}" for one in ("create", "delete", "resize", "update", "upgrade")),
    )
)

#: Those of them that change nothing without --yes.
ON_YES = frozenset({"cluster repair"})


def changed_cluster(ctx: click.Context) -> str:
    """Return the name of the cluster that a command changes; empty if it changes none."""
    command = " ".join(ctx.command_path.split()[-2:])
    if command not in CHANGES or ctx.params.get("dry_run"):
        return ""
    if command in ON_YES and not ctx.params.get("yes"):
        return ""
    return str(ctx.params.get("cluster") or ctx.params.get("name") or "")
