"""Which unfinished operation a command resumes, ignores or must not touch."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from cse_client.engines.direct import journal
from cse_client.engines.direct.in_place_record import UpgradeRecord, no_record
from cse_client.engines.direct.operation import (
    GROW,
    REPLACE,
    SHRINK,
    UPGRADE,
    Operation,
)
from cse_client.engines.direct.pending import (
    pending_operation,
    refuse_during_upgrade,
    refuse_to_start,
)
from cse_client.errors import Conflict
from cse_client.model import footprint
from tests.support.direct import existing, vapp

OWNER = "0123456789ab"
GROWING = Operation.begin(GROW, workers=3, before=1, asked=2)
RESIZING = Operation.begin(GROW, workers=3, before=1)
NODES = ("node-b", "node-c")
REPLACING = Operation.begin(REPLACE, workers=2, before=2, nodes=NODES, template="t", pool="fast")
UPGRADING = Operation.begin(
    UPGRADE,
    workers=2,
    before=2,
    nodes=("mstr-a", *NODES),
    heads=1,
    template="t",
    release="1.37.2",
    before_release="1.36.3",
)
SHRINKING = Operation.begin(SHRINK, workers=1, before=3, nodes=NODES)


@pytest.mark.parametrize(
    ("unfinished", "workers", "fits", "expected"),
    [
        (None, 1, False, None),
        (None, 1, True, None),
        (GROWING, 1, True, GROWING),
        (GROWING, 2, True, GROWING),
        # all its VMs are there and only the waiting was cut off: it is in nobody's way
        (GROWING, 3, False, None),
        (GROWING, 4, False, None),
        (GROWING, 3, True, GROWING),
        (SHRINKING, 3, True, SHRINKING),
        (SHRINKING, 1, True, SHRINKING),
    ],
)
def test_what_is_resumed(
    unfinished: Operation | None, workers: int, fits: bool, expected: Operation | None
) -> None:
    metadata = journal.begun(OWNER, 1, unfinished) if unfinished is not None else {}
    found = existing(vapp("mstr-a", *(f"node-{n}" for n in range(workers))), metadata)
    assert pending_operation(found, lambda _one: fits) == expected


@pytest.mark.parametrize(
    ("unfinished", "workers", "what", "hint"),
    [
        (GROWING, 0, "adding 2 nodes", "vcd cse node create demo --nodes 2"),
        (GROWING, 2, "adding 2 nodes", "vcd cse node create demo --nodes 2"),
        (RESIZING, 2, "growing to 3 workers", "vcd cse cluster resize demo --nodes 3"),
        # a removal is not over before its end is recorded: nodes may be drained, and VMs there
        (SHRINKING, 3, "node-b, node-c", "vcd cse node delete demo node-b node-c"),
        (SHRINKING, 1, "node-b, node-c", "vcd cse node delete demo node-b node-c"),
        (REPLACING, 3, "replacing node-b, node-c", "vcd cse pool upgrade demo fast"),
        (UPGRADING, 2, "upgrading to Kubernetes 1.37.2", "vcd cse cluster upgrade demo"),
    ],
)
def test_another_one_must_be_finished_first(
    unfinished: Operation, workers: int, what: str, hint: str
) -> None:
    metadata = journal.begun(OWNER, 1, unfinished)
    found = existing(vapp("mstr-a", *(f"node-{n}" for n in range(workers))), metadata)
    with pytest.raises(Conflict) as refused:
        pending_operation(found, lambda _one: False)
    assert what in str(refused.value)
    assert hint in (refused.value.hint or "")


def test_one_that_has_ended_is_not_pending() -> None:
    metadata = journal.begun(OWNER, 1, GROWING)
    metadata.update(journal.ended(OWNER, 1, 3))
    found = existing(vapp("mstr-a"), metadata)
    assert pending_operation(found, lambda _one: True) is None


@pytest.mark.parametrize("unfinished", [None, GROWING, SHRINKING, REPLACING, UPGRADING])
def test_an_upgrade_is_finished_before_a_control_plane_is_touched(
    unfinished: Operation | None,
) -> None:
    metadata = journal.begun(OWNER, 1, unfinished) if unfinished is not None else {}
    found = existing(vapp("mstr-a", "node-a"), metadata)
    if unfinished is not UPGRADING:
        refuse_during_upgrade(found)
        return
    with pytest.raises(Conflict, match=r"upgrading to Kubernetes 1\.37\.2") as refused:
        refuse_during_upgrade(found)
    assert "cluster upgrade" in refused.value.hint


@pytest.mark.parametrize(("recorded", "refused"), [(True, True), (False, False)])
def test_vms_are_not_started_while_their_upgrade_in_place_goes_on(
    recorded: bool, refused: bool
) -> None:
    """Without its record the upgrade can only be resumed once the cluster is started."""
    record = UpgradeRecord("mstr-a", "1.36.3", "1.37.2", "https://pkgs.k8s.io/x", "upgrade-1")
    metadata = journal.begun(OWNER, 1, UPGRADING)
    metadata.update(record.metadata() if recorded else no_record())
    with pytest.raises(Conflict) if refused else nullcontext():
        refuse_to_start(existing(vapp("mstr-a", "node-a"), metadata))


@pytest.mark.parametrize(
    ("mark", "refused"),
    [
        ("", False),
        ("-", False),
        ("[restore 0123456789abcdef]", False),  # of a new cluster, which its own command changes
        ("[restore 0123456789abcdef 01234567]", True),
    ],
)
def test_a_restore_is_finished_before_anything_is_changed(mark: str, refused: bool) -> None:
    found = existing(vapp("mstr-a", "node-a"), {footprint.RESTORE: mark} if mark else {})
    if not refused:
        assert pending_operation(found, lambda _one: True) is None
        return
    with pytest.raises(Conflict, match="restoring it from a backup") as error:
        pending_operation(found, lambda _one: True)
    assert "cluster restore demo FILE" in error.value.hint
