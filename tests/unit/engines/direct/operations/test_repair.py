"""What is done about each thing that can be wrong with a node, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cse_client.engines.direct.operations.repair import Action, remedies
from cse_client.model import CONTROL_PLANE, WORKER, Node, Vm, node_kind
from cse_client.model.pools import Pool

ON, OFF = "POWERED_ON", "POWERED_OFF"
FORGET, DELETE, START = Action.FORGET, Action.DELETE, Action.START
RESTART, BOOTSTRAP, GROW = Action.RESTART, Action.BOOTSTRAP, Action.GROW
#: A VM's name, its state in VCD ("" where there is no VM) and its state in Kubernetes.
Row = tuple[str, str, str]
MASTER, WORKER_B = ("mstr-a", ON, "Ready"), ("node-b", ON, "Ready")


def planned(rows: list[Row], wanted: int | None) -> list[tuple[Action, str]]:
    vms = [Vm(name, f"href-{name}", vm) for name, vm, _ in rows if vm]
    nodes = [
        Node(name, node_kind(name), vm_status=vm, kubernetes_status=kubernetes)
        for name, vm, kubernetes in rows
    ]
    pools = [Pool("default", wanted)] if wanted is not None else []
    return [(one.action, one.node) for one in remedies(vms, nodes, pools)]


@pytest.mark.parametrize(
    ("rows", "wanted", "expected"),
    [
        ([MASTER, WORKER_B], 1, []),
        ([MASTER, WORKER_B], None, []),
        # more workers than were asked for are not too many to repair
        ([MASTER, WORKER_B], 0, []),
        ([MASTER, ("node-b", ON, "Ready,SchedulingDisabled")], 1, []),
        # nothing is known of the nodes, and nothing is done about them
        ([("mstr-a", ON, ""), ("node-b", ON, "")], 1, []),
        ([MASTER, WORKER_B, ("node-x", "", "NotReady")], 1, [(FORGET, "node-x")]),
        # of a control plane that has no VM, nothing is taken away
        ([("mstr-a", "", "NotReady"), WORKER_B], 1, []),
        ([MASTER, ("node-b", OFF, "NotReady")], 1, [(START, "node-b")]),
        ([MASTER, ("node-b", "SUSPENDED", "")], 1, [(START, "node-b")]),
        ([("mstr-a", OFF, ""), WORKER_B], 1, [(START, "mstr-a")]),
        ([MASTER, ("node-b", ON, "NotReady")], 1, [(RESTART, "node-b")]),
        ([MASTER, ("node-b", ON, "NotReady,SchedulingDisabled")], 1, [(RESTART, "node-b")]),
        ([("mstr-a", ON, "Unknown"), WORKER_B], 1, [(RESTART, "mstr-a")]),
        ([MASTER, ("node-b", ON, "not in the cluster")], 1, [(BOOTSTRAP, "node-b")]),
        # a control plane is not made again, since that would be another cluster
        ([("mstr-a", ON, "not in the cluster"), WORKER_B], 1, []),
        ([("mstr-a", "FAILED_CREATION", ""), WORKER_B], 1, []),
        *(
            ([MASTER, ("node-b", vm, "")], 1, [(DELETE, "node-b"), (GROW, "")])
            for vm in ("FAILED_CREATION", "UNRESOLVED", "INCONSISTENT_STATE")
        ),
        ([MASTER, ("node-b", "UNRESOLVED", "")], None, [(DELETE, "node-b")]),
        ([MASTER], 2, [(GROW, "")]),
        ([MASTER, ("node-x", "", "NotReady")], 1, [(FORGET, "node-x"), (GROW, "")]),
        # nodes of NFS servers are not in Kubernetes
        ([MASTER, WORKER_B, ("nfsd-c", OFF, "")], 1, []),
        # the control plane first, whatever VCD's order is
        (
            [("node-b", OFF, ""), ("node-x", "", ""), ("mstr-a", OFF, "")],
            2,
            [(START, "mstr-a"), (START, "node-b"), (FORGET, "node-x"), (GROW, "")],
        ),
    ],
)
def test_plan(rows: list[Row], wanted: int | None, expected: list[tuple[Action, str]]) -> None:
    assert planned(rows, wanted) == expected


@pytest.mark.parametrize(
    ("workers", "sentence"),
    [(1, "Replace a worker that is missing."), (3, "Replace 3 workers that are missing.")],
)
def test_missing_workers_are_counted(workers: int, sentence: str) -> None:
    (one,) = remedies([], [], [Pool("default", workers)])
    assert (one.sentence, one.is_awaited) == (sentence, False)


def test_missing_workers_are_replaced_in_their_pools() -> None:
    vms = [
        Vm("node-a", "a", ON),
        Vm("node-b", "b", ON, description="[operation 12] [pool gpu]"),
        Vm("node-c", "c", "UNRESOLVED", description="[pool web]"),
    ]
    found = remedies(vms, [], [Pool("default", 1), Pool("gpu", 3), Pool("web", 1)])
    assert [(one.pool, one.size, one.sentence) for one in found] == [
        ("gpu", 3, "Replace 2 workers of pool 'gpu' that are missing."),
        ("web", 1, "Replace a worker of pool 'web' that is missing."),
    ]


_NAMES = st.sampled_from(["mstr-a", "node-b", "node-c", "node-d", "nfsd-e", "other"])
_STATES = st.sampled_from([ON, OFF, "SUSPENDED", "UNRESOLVED", "INCONSISTENT_STATE", "odd", ""])
_KUBERNETES = st.sampled_from(["Ready", "NotReady", "Unknown", "not in the cluster", "", "odd"])
_ROWS = st.lists(st.tuples(_NAMES, _STATES, _KUBERNETES), max_size=6, unique_by=lambda row: row[0])


@given(rows=_ROWS, wanted=st.none() | st.integers(0, 5))
def test_whatever_is_there(rows: list[Row], wanted: int | None) -> None:
    found = planned(rows, wanted)
    named = [node for _, node in found if node]
    assert len(named) == len(set(named)), "one remedy for a node"
    kinds = {name: node_kind(name) for name, _, _ in rows}
    vms = {name: vm for name, vm, _ in rows}
    for action, node in found:
        if action in (FORGET, DELETE, BOOTSTRAP):
            assert kinds[node] == WORKER, "a control plane is not taken away"
        if action in (START, RESTART, BOOTSTRAP, DELETE):
            assert vms[node], "it has a VM"
        if node:
            assert kinds[node] in (CONTROL_PLANE, WORKER)
    if (GROW, "") in found:
        assert found[-1] == (GROW, ""), "what is broken is out before anything is made"
