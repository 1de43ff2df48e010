"""A cluster is compared with its file once what a killed command has written can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import pytest

from cse_client.engines.direct.declared import find_settled
from cse_client.model import VApp, VAppRecord, Vdc
from cse_client.model.footprint import CLUSTER_ID
from tests.support.clock import FakeClock
from tests.support.direct import HREF, existing, vapp

_T = TypeVar("_T")
OLD, NEW = {CLUSTER_ID: "1"}, {CLUSTER_ID: "1", "cse.client.op": "begun"}


@dataclass
class Cloud:
    """Shows `busy` and then the metadata, each time the next of them, the last one for ever."""

    busy: list[bool]
    metadata: list[dict[str, str]]
    clock: FakeClock = field(default_factory=FakeClock)

    def find_vapp(self, _vdc: Vdc, name: str) -> VAppRecord:
        return VAppRecord(name, HREF, "POWERED_ON", metadata=OLD)

    def vapp(self, _href: str) -> VApp:
        return replace(vapp("mstr-a"), running_tasks=("task",) if _next(self.busy) else ())

    def vapp_metadata(self, _href: str) -> dict[str, str]:
        return _next(self.metadata)


def _next(values: list[_T]) -> _T:
    return values.pop(0) if len(values) > 1 else values[0]


@pytest.mark.parametrize(
    ("busy", "metadata", "slept"),
    [
        ([False], [OLD], 0),
        # it can be read only once the task has ended
        ([True, True, False], [OLD, NEW], 1),
        # the task ended between the two reads
        ([False], [OLD, NEW], 0),
    ],
)
def test_a_late_record_is_waited_for(
    busy: Sequence[bool], metadata: Sequence[dict[str, str]], slept: int
) -> None:
    cloud = Cloud([*busy], [*metadata])
    some = existing(vapp())
    found = find_settled(cast(Any, cloud), some.session, some.vdc, "demo")
    assert found.metadata == metadata[-1]
    assert len(cloud.clock.slept) == slept


def test_a_task_that_does_not_end_is_not_waited_for_long() -> None:
    cloud = Cloud([True], [OLD])
    some = existing(vapp())
    assert find_settled(cast(Any, cloud), some.session, some.vdc, "demo").vapp.running_tasks
    assert cloud.clock.now == pytest.approx(15, abs=1)
