"""Which change of a worker pool is begun, resumed or refused."""

from __future__ import annotations

from typing import Any, cast

import pytest

from cse_client.clock import SYSTEM_CLOCK
from cse_client.engines.direct import journal
from cse_client.engines.direct.locked import LockedCluster
from cse_client.engines.direct.operation import GROW, Operation
from cse_client.engines.direct.pool_changes import PoolChanges
from cse_client.errors import Conflict
from cse_client.model import RunOptions, silent
from cse_client.model.pools import Pool, PoolSpec
from tests.support.direct import existing, vapp


def test_an_unfinished_pool_with_other_options_names_the_command_that_finishes_it() -> None:
    pools = (Pool("default", 1), Pool("gpu", 3))
    growth = Operation.begin(GROW, workers=4, before=1, pool="gpu", pools=pools)
    cluster = existing(vapp("mstr-a", "node-a"), journal.begun("0123456789ab", 1, growth))
    nobody = cast(Any, None)
    changes = PoolChanges(nobody, SYSTEM_CLOCK, lambda: [], nobody)
    other = PoolSpec("demo", Pool("gpu", 3, labels={"tier": "front"}))
    with pytest.raises(Conflict, match="was started with different options") as refused:
        changes.create(LockedCluster(cluster, nobody), other, RunOptions(), silent)
    command = "vcd cse cluster resize demo --nodes 3 --pool gpu"
    assert refused.value.hint == f"Finish it first: {command}"
