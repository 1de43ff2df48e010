"""Waiting until a cluster is as somebody needs it, whoever is changing it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.clock import SYSTEM_CLOCK, Clock, polling
from cse_client.errors import (
    CseError,
    NotFound,
    Refused,
    SessionInvalid,
    TimedOut,
    VcdFault,
)
from cse_client.model import (
    WORKER,
    Cluster,
    ClusterSummary,
    Event,
    EventKind,
    Node,
    Progress,
    footprint,
)
from cse_client.model.server import ServedCluster

if TYPE_CHECKING:
    from cse_client.engines.base import Engine
    from cse_client.model import ClusterRef

__all__ = ["DELETED", "READY", "Condition", "wait_for"]

READY, DELETED = "ready", "deleted"
#: What CSE 3 calls the outcome of an operation, after the operation and a colon
#: (container-service-extension 3.1: def_/constants.py, `DefEntityOperationStatus`).
_SUCCEEDED, _FAILED = "SUCCEEDED", "FAILED"
#: CSE 2's status of a cluster whose VMs run.
_POWERED_ON = "POWERED_ON"
#: What a guest reports once it has done its part (`Node.bootstrap_phase`).
_BOOTSTRAPPED = "ready"


@dataclass(frozen=True)
class Condition:
    """What is waited for: a `state` (`ready` or `deleted`), a node or a number of workers.

    With `node`, that node is Ready. With `workers`, the cluster has exactly so many workers, and
    all of its nodes are Ready.
    """

    state: str = ""
    node: str = ""
    workers: int | None = None


def wait_for(
    engine: Engine,
    ref: ClusterRef,
    condition: Condition,
    *,
    timeout: float,
    progress: Progress,
    clock: Clock = SYSTEM_CLOCK,
) -> Cluster | None:
    """Wait until a condition is met; return the cluster, None if it is deleted.

    `timeout` is in seconds.

    Raises:
        NotFound: the cluster does not exist, and its deletion is not what is waited for.
        TimedOut: the condition is not met in time.
        CseError: it cannot be met any more.
    """
    deadline = clock.monotonic() + timeout
    if condition.state == DELETED and not engine.has_server:
        engine.location(ref)  # a VDC that does not exist is not a cluster that is deleted
    missing, warned = "nothing is known of it yet", False
    for pause in polling(clock):
        try:
            cluster = _look(engine, ref, condition)
            found = "" if cluster is None else _missing(cluster, condition)
        except VcdFault as fault:
            if fault.lasting:
                raise
            if not warned:
                progress(Event(EventKind.WARNING, f"{fault.clause}. Still waiting."))
            warned = True
        except TimedOut:
            break
        else:
            if not found:
                return cluster
            if found != missing:
                progress(Event(EventKind.RUNNING, found))
            missing, warned = found, False
        left = deadline - clock.monotonic()
        if left <= 0:
            break
        clock.sleep(min(pause, left))
    raise TimedOut(
        f"The condition for cluster {ref.name} was not met in time: {missing}.",
        hint=f"To show the cluster: {suggest.cse('cluster info', ref.name)}",
    )


def _look(engine: Engine, ref: ClusterRef, condition: Condition) -> Cluster | None:
    """Return the cluster, None if it is deleted and that is waited for."""
    try:
        return engine.cluster(ref)
    except NotFound:
        if condition.state == DELETED:
            return None
        raise
    except Refused as refused:
        # VCD's answer about a vApp that is being deleted, for a moment
        if condition.state == DELETED and not isinstance(refused, SessionInvalid):
            return Cluster(ClusterSummary(ref.name))
        raise


def _missing(cluster: Cluster, condition: Condition) -> str:
    """Return what is missing for a condition; empty if it is met."""
    if condition.state == DELETED:
        return "the cluster still exists"
    if isinstance(cluster, ServedCluster):
        return _missing_in_served(cluster, condition)
    found = _missing_of(cluster.nodes, condition, [one for one in cluster.nodes if _is_ready(one)])
    if found or condition.node or cluster.summary.phase != footprint.PHASE_CREATING:
        return found
    # without an address it is not even recorded; with problems, nodes are still to come
    if cluster.endpoint and not cluster.problems:
        return ""
    return "; ".join(
        (f"the creation is not complete, {_ready_of(cluster.nodes)}", *cluster.problems)
    )


def _missing_in_served(cluster: ServedCluster, condition: Condition) -> str:
    """Judge by the server's status of the cluster: it shows no node's."""
    status = cluster.summary.status
    if status.endswith(_FAILED):
        raise CseError(
            f"Cluster {cluster.summary.name} is in the status {status}.",
            hint=f"To show the cluster: {suggest.cse('cluster info', cluster.summary.name)}",
        )
    if not status.endswith(_SUCCEEDED) and status != _POWERED_ON:
        return f"the status is {status or 'unknown'}"
    return _missing_of(cluster.nodes, condition, cluster.nodes)


def _missing_of(nodes: Sequence[Node], condition: Condition, ready: Sequence[Node]) -> str:
    names = {one.name for one in ready}
    if condition.node:
        return "" if condition.node in names else _state_of(condition.node, nodes)
    workers = sum(one.kind == WORKER for one in nodes)
    if condition.workers is not None and workers != condition.workers:
        return f"{workers} of {condition.workers} workers exist, {_ready_of(nodes)}"
    if not nodes:
        return "there are no nodes"
    return "" if len(ready) == len(nodes) else _ready_of(nodes)


def _state_of(name: str, nodes: Iterable[Node]) -> str:
    found = next((one for one in nodes if one.name == name), None)
    if found is None:
        return f"node {name} does not exist"
    state = found.kubernetes_status or found.bootstrap_phase or found.vm_status or "unknown"
    return f"node {name} is not Ready ({state})"


def _ready_of(nodes: Sequence[Node]) -> str:
    return f"{sum(map(_is_ready, nodes))} of {len(nodes)} nodes Ready"


def _is_ready(node: Node) -> bool:
    """Return whether a node is Ready, by its own report where Kubernetes could not be asked.

    A cordoned node is Ready.
    """
    if node.kubernetes_status:
        return node.kubernetes_status.split(",")[0] == "Ready"
    return node.bootstrap_phase.split(":")[0] == _BOOTSTRAPPED
