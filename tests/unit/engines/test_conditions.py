"""When a cluster is what somebody waits for, and what is said while it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Union, cast

import pytest

from cse_client.engines.base import Engine
from cse_client.engines.conditions import DELETED, READY, Condition, wait_for
from cse_client.errors import (
    CseError,
    NotFound,
    Refused,
    SessionInvalid,
    TimedOut,
    VcdFault,
)
from cse_client.model import Cluster, ClusterRef, ClusterSummary, Event, Node
from cse_client.model.server import EntityCluster
from tests.support.clock import FakeClock

HEAD = Node("mstr-1", "control plane", kubernetes_status="Ready")
WORKER = Node("node-1", "worker", kubernetes_status="Ready")
CORDONED = replace(WORKER, kubernetes_status="Ready,SchedulingDisabled")
LATE = Node("node-2", "worker", kubernetes_status="NotReady")
REPORTED = Node("node-3", "worker", bootstrap_phase="ready: done")
WORKING = Node("node-3", "worker", bootstrap_phase="running: images")

Seen = Union[Cluster, CseError]


def cluster(*nodes: Node, phase: str = "ready") -> Cluster:
    return Cluster(ClusterSummary("demo", status="POWERED_ON", phase=phase), nodes=nodes)


def served(status: str, *nodes: Node) -> EntityCluster:
    return EntityCluster(ClusterSummary("demo", status=status), nodes=nodes)


class Looked:
    """An engine that shows a cluster in one state after another; the last one stays."""

    has_server = False

    def __init__(self, seen: Sequence[Seen], place: CseError | None = None) -> None:
        self._seen = list(seen)
        self._place = place

    def location(self, _ref: ClusterRef) -> None:
        if self._place is not None:
            raise self._place

    def cluster(self, _ref: ClusterRef) -> Cluster:
        found = self._seen.pop(0) if len(self._seen) > 1 else self._seen[0]
        if isinstance(found, CseError):
            raise found
        return found


def wait(*seen: Seen, condition: Condition, place: CseError | None = None) -> list[str]:
    """Wait; return what was said meanwhile."""
    said: list[Event] = []
    wait_for(
        cast(Engine, cast(Any, Looked(seen, place))),
        ClusterRef("demo"),
        condition,
        timeout=60,
        progress=said.append,
        clock=FakeClock(),
    )
    return [event.text for event in said]


GONE = NotFound("Cluster 'demo' was not found.")
READY_NOW = Condition(READY)


@pytest.mark.parametrize(
    ("condition", "seen", "said"),
    [
        (READY_NOW, [cluster(HEAD, WORKER)], []),
        (READY_NOW, [cluster(HEAD, CORDONED, REPORTED)], []),
        (READY_NOW, [cluster(HEAD, LATE), cluster(HEAD, WORKER)], ["1 of 2 nodes Ready"]),
        (
            READY_NOW,
            [cluster(HEAD, phase="creating"), cluster(HEAD, phase="")],
            ["the creation is not complete, 1 of 1 nodes Ready"],
        ),
        (READY_NOW, [replace(cluster(HEAD, WORKER, phase="creating"), endpoint="e")], []),
        (
            Condition(workers=1),
            [replace(cluster(HEAD, WORKER, phase="creating"), endpoint="e")],
            [],
        ),
        (Condition(node="node-1"), [cluster(HEAD, WORKER, phase="creating")], []),
        (
            READY_NOW,
            [
                replace(
                    cluster(HEAD, phase="creating"), endpoint="e", problems=("0 of 1 workers",)
                ),
                replace(cluster(HEAD, LATE, phase="creating"), endpoint="e"),
                replace(cluster(HEAD, WORKER, phase="creating"), endpoint="e"),
            ],
            [
                "the creation is not complete, 1 of 1 nodes Ready; 0 of 1 workers",
                "1 of 2 nodes Ready",
            ],
        ),
        (
            READY_NOW,
            [served("CREATE:IN_PROGRESS"), served("CREATE:SUCCEEDED", HEAD)],
            ["the status is CREATE:IN_PROGRESS"],
        ),
        (READY_NOW, [served("POWERED_ON", replace(HEAD, kubernetes_status=""))], []),
        (Condition(workers=1), [cluster(HEAD, WORKER)], []),
        (Condition(workers=0), [cluster(HEAD)], []),
        (
            Condition(workers=2),
            [
                cluster(HEAD, WORKER),
                cluster(HEAD, WORKER, WORKING),
                cluster(HEAD, WORKER, REPORTED),
            ],
            ["1 of 2 workers exist, 2 of 2 nodes Ready", "2 of 3 nodes Ready"],
        ),
        (
            Condition(workers=1),
            [cluster(HEAD, WORKER, REPORTED), cluster(HEAD, WORKER)],
            ["2 of 1 workers exist, 3 of 3 nodes Ready"],
        ),
        (
            Condition(node="node-2"),
            [
                cluster(HEAD),
                cluster(HEAD, LATE),
                cluster(HEAD, replace(LATE, kubernetes_status="Ready")),
            ],
            ["node node-2 does not exist", "node node-2 is not Ready (NotReady)"],
        ),
        (Condition(DELETED), [GONE], []),
        (
            Condition(DELETED),
            [cluster(HEAD), Refused("Access is denied."), GONE],
            ["the cluster still exists"],
        ),
        (
            READY_NOW,
            [VcdFault("VCD is down."), VcdFault("VCD is down."), cluster(HEAD)],
            ["VCD is down. Still waiting."],
        ),
    ],
)
def test_waiting(condition: Condition, seen: Sequence[Seen], said: Sequence[str]) -> None:
    assert wait(*seen, condition=condition) == said


@pytest.mark.parametrize(
    ("condition", "seen", "error"),
    [
        (READY_NOW, GONE, NotFound),
        (READY_NOW, served("CREATE:FAILED"), CseError),
        (READY_NOW, VcdFault("Somebody else answers.", lasting=True), VcdFault),
        (Condition(DELETED), SessionInvalid("The session has expired."), SessionInvalid),
        (READY_NOW, cluster(HEAD, LATE), TimedOut),
        (READY_NOW, cluster(), TimedOut),
        (Condition(DELETED), cluster(HEAD), TimedOut),
    ],
)
def test_what_ends_the_wait(condition: Condition, seen: Seen, error: type[CseError]) -> None:
    with pytest.raises(error) as raised:
        wait(seen, condition=condition)
    assert type(raised.value) is error


def test_a_vdc_that_does_not_exist_is_not_a_cluster_that_is_deleted() -> None:
    with pytest.raises(NotFound, match="VDC"):
        wait(GONE, condition=Condition(DELETED), place=NotFound("VDC 'nix' was not found."))


def test_what_was_missing_in_the_end() -> None:
    with pytest.raises(TimedOut, match=r"not met in time: 1 of 2 nodes Ready\.$") as raised:
        wait(cluster(HEAD, LATE), condition=READY_NOW)
    assert raised.value.hint == "To show the cluster: vcd cse cluster info demo"
