"""Which network a new cluster is connected to, where somebody can be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.plurals import counted

if TYPE_CHECKING:
    from cse_client.cli.run import Run
    from cse_client.model import ClusterRef, Network

__all__ = ["ask_for_network"]


def ask_for_network(run: Run, ref: ClusterRef) -> str:
    """Let somebody at a terminal choose one of the VDC's networks; empty if nobody can be asked.

    Isolated networks are left out: nodes on them cannot reach the Internet. A cluster that already
    exists has its network, and its unfinished creation is resumed on that.

    Raises:
        NotFound: the VDC does not exist, or has no network that can be used.
        Conflict: the name is that of a vApp which is not a cluster.
        KeyboardInterrupt: Ctrl-C.
    """
    from cse_client.cli.profile import read_session
    from cse_client.engines.base import Declaring
    from cse_client.errors import NotFound
    from cse_client.model import Fence
    from cse_client.vcd.client import VcdClient

    if not (run.console.can_ask() and run.console.shows_tables):
        return ""
    engine = run.engine()
    existing = engine.declared(ref) if isinstance(engine, Declaring) else None
    if existing is not None and existing.spec.network:
        return existing.spec.network
    surroundings = VcdClient.open(read_session()[0]).surroundings
    place = surroundings.vdc(ref.vdc, ref.org)
    usable = [one for one in surroundings.networks(place) if one.fence is not Fence.ISOLATED]
    if not usable:
        raise NotFound(
            f"VDC '{place.name}' has no routed or direct network.",
            hint=f"To show its networks: {suggest.vcd('network list')}",
        )
    chosen = run.console.choose(
        f"Networks of VDC {place.name}:",
        "Network for the nodes",
        [(one.name, _about(one)) for one in sorted(usable, key=lambda one: one.name)],
    )
    run.console.hint(f"To skip this question: --network {suggest.quote(chosen)}")
    return chosen


def _about(network: Network) -> str:
    free = network.free_addresses
    addresses = "" if free is None else f", {counted(free, 'free address', 'free addresses')}"
    return f"{network.fence.name.lower()}{addresses}"
