"""Delete the cluster from elsewhere while an operation waits for its k-th answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sweeps.kills import FULL
from tests.sweeps.stage import NAME, OPERATIONS, Operation, Stage, places

_NOT_FOUND = 3
_CHANGES = [one for one in OPERATIONS if one.after is not None]


@pytest.mark.timeout(3600 if FULL else 400)
@pytest.mark.parametrize("operation", _CHANGES, ids=lambda one: one.name)
def test_a_deletion_from_elsewhere_is_told(
    stage: Stage, operation: Operation, record_property: Callable[[str, object], None]
) -> None:
    stage.reach(None)
    empty = stage.world()
    undisturbed = stage.undisturbed(operation)
    requests, wanted = undisturbed.requests, undisturbed.world
    told = finished = 0
    for number in places(requests):
        words = stage.prepare(operation)
        ended, deleted = stage.deleted_meanwhile(words, number)
        place = f"deleted at request {number} of {requests}: {ended.err}"
        if not deleted:
            # nothing was there yet, or fewer looks at a task were needed this time
            assert (ended.code, stage.world()) == (0, wanted), place
            continue
        assert stage.world() == empty, place
        if ended.code == 0:
            finished += 1
            continue
        assert ended.code == _NOT_FOUND, place
        (error,) = (line for line in ended.err.splitlines() if line.startswith("Error: "))
        assert f"Cluster '{NAME}' was " in error, place
        assert "Traceback" not in ended.err, place
        assert "Removing what was made" not in ended.err, place
        told += 1
    assert told
    record_property("sweep", (operation.name, "deleted from elsewhere", finished, told, 0))
