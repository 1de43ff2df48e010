"""A plan of an upgrade, and what refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from cse_client.engines.upgrade_plans import checked_plan
from cse_client.errors import CseError, PreflightFailed, Refused
from cse_client.model.upgrades import UpgradePlan, UpgradeSpec

OFF, FULL = "VM mstr-ab12 is not powered on.", "The VDC is full."


class Planner:
    def __init__(self, obstacles: Sequence[str], cures: Sequence[str]) -> None:
        self._plan = UpgradePlan(
            *("demo", "1.36.3", "1.37.2", "k8s", 1),
            obstacles=tuple(obstacles),
            cures=tuple(cures),
        )

    def plan_upgrade(self, _spec: UpgradeSpec) -> UpgradePlan:
        return self._plan


@pytest.mark.parametrize(
    ("obstacles", "cures", "hints"),
    [
        ([OFF], [], [""]),
        ([OFF, FULL], ["Repair it."], ["Repair it.", ""]),
        ([OFF, FULL], ["", "Wait."], ["", "Wait."]),
    ],
)
def test_every_obstacle_refuses(
    obstacles: Sequence[str], cures: Sequence[str], hints: Sequence[str]
) -> None:
    with pytest.raises(CseError) as refused:
        checked_plan(cast(Any, Planner(obstacles, cures)), UpgradeSpec("demo"))
    error = refused.value
    found = error.problems if isinstance(error, PreflightFailed) else [error]
    assert [type(one) for one in found] == [Refused] * len(obstacles)
    assert [(one.message, one.hint) for one in found] == list(zip(obstacles, hints))
