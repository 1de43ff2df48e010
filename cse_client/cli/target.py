"""Which cluster a command means: by name, or by id where a CSE server 3.x keeps it as an entity."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cse_client import suggest
from cse_client.cli.run import Run

if TYPE_CHECKING:
    from cse_client.engines.base import Engine

__all__ = ["chosen", "engine_of", "id_option", "tkg_sentence"]

F = TypeVar("F", bound=Callable[..., Any])

_ENTITY = "urn:vcloud:entity:"
_TKG = f"{_ENTITY}vmware:tkgcluster:"


def id_option(function: F) -> F:
    """Add --id, as `cluster_id`."""
    return click.option(
        "--id",
        "cluster_id",
        default="",
        metavar="URN",
        help="The cluster's id instead of its name (CSE 3).",
    )(function)


def chosen(name: str | None, cluster_id: str, *, option: str = "argument 'NAME'") -> str:
    """Return the cluster that is meant: the id, where one is said, else the name.

    Raises:
        WrongUsage: neither is said, or what is said is none.
    """
    from cse_client.cli.validation import check_existing_name
    from cse_client.errors import WrongUsage

    if cluster_id:
        if cluster_id.startswith(_TKG):
            raise WrongUsage(tkg_sentence("The id is that of a cluster of vSphere with Tanzu"))
        if not cluster_id.startswith(_ENTITY):
            raise WrongUsage(
                f"'{cluster_id}' is no cluster's id.",
                hint=f"It begins with {_ENTITY}cse:nativeCluster: ; with -j after vcd,"
                f" `{suggest.cse('cluster list')}` shows it as Cluster Id.",
            )
        return cluster_id
    if name is None:
        raise WrongUsage(f"Missing {option}.", hint="Say which cluster: its name, or --id URN.")
    check_existing_name(name)
    return name


def engine_of(run: Run, reference: str, *, needs_server: bool = False) -> Engine:
    """Open the engine; refuse an id where clusters have none. `needs_server`: see `Run.engine`.

    Raises:
        WrongUsage: an id was said, and there is no CSE server 3.x that keeps entities.
    """
    from cse_client.engines.base import Entities
    from cse_client.errors import WrongUsage

    by_id = reference.startswith(_ENTITY)
    engine = run.engine(needs_server=needs_server or by_id)
    if by_id and not isinstance(engine, Entities):
        raise WrongUsage(
            "--id names clusters that a CSE server 3 keeps as entities, and there is none here.",
            hint="Say the cluster's name instead.",
        )
    return engine


def tkg_sentence(what: str) -> str:
    """Return why something about Tanzu is refused."""
    return f"{what}, and this client makes and manages native clusters only."
