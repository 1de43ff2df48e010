"""Which cluster a command means: by name, or by id where a CSE server 3.x keeps it as an entity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from cse_client import suggest

__all__ = ["ENTITY_PREFIX", "cluster_reference", "id_option", "tkg_sentence"]

F = TypeVar("F", bound=Callable[..., Any])

ENTITY_PREFIX = "urn:vcloud:entity:"
_TKG = f"{ENTITY_PREFIX}vmware:tkgcluster:"


def id_option(function: F) -> F:
    """Add --id, as `cluster_id`."""
    return click.option(
        "--id",
        "cluster_id",
        default="",
        metavar="URN",
        help="Cluster id, instead of its name (CSE 3).",
    )(function)


def cluster_reference(name: str | None, cluster_id: str, *, option: str = "argument 'NAME'") -> str:
    """Return the reference to a cluster: its id if there is one, else its name.

    Raises:
        WrongUsage: there is neither, or it is not valid.
    """
    from cse_client.cli.validation import check_existing_name
    from cse_client.errors import WrongUsage

    if cluster_id:
        if cluster_id.startswith(_TKG):
            raise WrongUsage(tkg_sentence("This is the id of a vSphere with Tanzu cluster"))
        if not cluster_id.startswith(ENTITY_PREFIX):
            raise WrongUsage(
                f"'{cluster_id}' is not a cluster id.",
                hint=f"A cluster id begins with `{ENTITY_PREFIX}cse:nativeCluster:`. With -j after"
                f" `vcd`, `{suggest.cse('cluster list')}` shows the ids.",
            )
        return cluster_id
    if name is None:
        raise WrongUsage(f"Missing {option}.", hint="Specify the cluster's name, or --id URN.")
    check_existing_name(name)
    return name


def tkg_sentence(what: str) -> str:
    """Return why something about Tanzu is refused."""
    return f"{what}; this client manages native clusters only."
