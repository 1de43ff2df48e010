"""Spoil each request in every way; the command succeeds, or says why and can be typed again."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import pytest

from tests.sweeps.faults import FAULTS
from tests.sweeps.kills import FULL, part
from tests.sweeps.stage import OPERATIONS, Operation, Stage, one_sentence

#: Seconds that a command gets whose answers trickle.
_TIMEOUT = 10
# the cluster's vApp and its VMs
_OWNERS = "swept|mstr-.*|node-.*"
_LOG = logging.getLogger(__name__)

TASKS = {
    "cluster create": ("metadataUpdate", "vdcComposeVapp"),
    "cluster resize up": ("metadataUpdate", "vdcRecomposeVapp"),
    "cluster resize down": ("metadataUpdate", "vappUndeployPowerOff", "vdcRecomposeVapp"),
    "node delete": ("metadataUpdate", "vappUndeployPowerOff", "vdcRecomposeVapp"),
    "cluster delete": ("vdcDeleteVapp",),
}

# In a full sweep an operation and its reverse take turns: each ends where the other begins.
ROUNDS = (
    [
        ("cluster create", "cluster delete"),
        ("cluster resize up", "cluster resize down"),
        ("node delete",),
    ]
    if FULL
    else [(operation.name,) for operation in OPERATIONS]
)
_BY_NAME = {operation.name: operation for operation in OPERATIONS}
# a full sweep takes hours of one processor, so several share it
_SHARES = [tuple(FAULTS)[first::4] for first in range(4)] if FULL else [tuple(FAULTS)]


@dataclass
class Swept:
    """An operation under faults: what an undisturbed run left, and what came of the others."""

    stage: Stage
    operation: Operation
    requests: int
    wanted: object
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    @classmethod
    def measured(cls, stage: Stage, operation: Operation) -> Swept:
        """Begin with what the operation does undisturbed."""
        undisturbed = stage.undisturbed(operation)
        return cls(stage, operation, undisturbed.requests, undisturbed.world)

    def spoil(self, kind: str, rule: Mapping[str, object], place: str) -> None:
        """Run the operation once with a fault, and judge what came of it."""
        outcome = ""
        try:
            outcome = self._outcome(rule)
        except AssertionError as error:
            outcome = "broken"
            self.broken.append(f"{self.operation.name}, {kind} {place}: {error}")
            _LOG.exception("%s", self.broken[-1])
        _LOG.info("%s, %s %s: %s", self.operation.name, kind, place, outcome)
        self.outcomes.setdefault(kind, Counter())[outcome] += 1

    def _outcome(self, rule: Mapping[str, object]) -> str:
        stage = self.stage
        words = stage.prepare(self.operation)
        ended, struck = stage.spoiled(words, rule)
        if ended.code == 0:
            assert stage.world() == self.wanted, f"another state than undisturbed: {ended.err}"
            return "borne" if struck else "not reached"
        assert ended.code in (1, 4, 5), f"exit code {ended.code}: {ended.err}"
        assert one_sentence(ended.err), ended.err
        again = stage.run(words)
        assert again.code in self.operation.repeated, f"{ended.err}then {again.code}: {again.err}"
        assert stage.world() == self.wanted, f"another state after the repetition: {ended.err}"
        return "told"


@pytest.mark.timeout(0 if FULL else 400)
@pytest.mark.parametrize("names", ROUNDS, ids=" and ".join)
@pytest.mark.parametrize("kinds", _SHARES, ids=", ".join)
def test_every_fault_is_borne_or_told(
    stage: Stage,
    names: Sequence[str],
    kinds: Sequence[str],
    record_property: Callable[[str, object], None],
) -> None:
    swept = [Swept.measured(stage, _BY_NAME[name]) for name in names]
    for turn in zip_longest(*(_cases(one, kinds) for one in swept)):
        for one, case in zip(swept, turn):
            if case is not None:
                kind, number = case
                place = f"at request {number} of {one.requests}"
                one.spoil(kind, {**FAULTS[kind], "at": number}, place)
    _judge(swept, record_property)


def _cases(swept: Swept, kinds: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield the faults and where they strike: everywhere, or each kind somewhere else."""
    if FULL:
        for number in part(range(1, swept.requests + 1)):
            for kind in kinds:
                yield kind, number
        return
    some = kinds[OPERATIONS.index(swept.operation) :: len(OPERATIONS)]
    for turn, kind in enumerate(some, 1):
        yield kind, swept.requests * turn // (len(some) + 1) or 1


@pytest.mark.timeout(0)
@pytest.mark.skipif(not FULL, reason="part of `make sweep`")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_broken_connection_to_kubernetes_is_borne_or_told(
    stage: Stage, operation: Operation, record_property: Callable[[str, object], None]
) -> None:
    swept = Swept.measured(stage, operation)
    ended, kills = stage.kills(stage.prepare(operation))
    assert ended.code == 0, ended.err
    for kill in kills.of_api("kubernetes").moments:
        if kill.done:
            for kind in ("reset_before", "reset_after"):
                rule = {**kill.rule(), "kind": kind, "act": False}
                swept.spoil(f"kubernetes: {kind}", rule, kill.change)
    _judge([swept], record_property)


@pytest.mark.timeout(0 if FULL else 400)
@pytest.mark.parametrize(
    "operation", OPERATIONS if FULL else OPERATIONS[:2], ids=lambda one: one.name
)
def test_an_answer_byte_by_byte_does_not_outlive_the_timeout(
    stage: Stage, operation: Operation
) -> None:
    swept = Swept.measured(stage, operation)
    places = range(1, swept.requests + 1) if FULL else [swept.requests // 2]
    for number in places:
        words = (*stage.prepare(operation), "--timeout", f"{_TIMEOUT}s")
        rule = {"kind": "trickle", "seconds": 1.0, "at": number}
        began = time.monotonic()
        ended, _struck = stage.spoiled(words, rule)
        late = time.monotonic() - began - _TIMEOUT
        assert late < 2 + _seconds_to_start(stage), f"request {number}, {late:.1f} s late: {ended}"
        if ended.code == 0:
            # what was asked for is done, and only a lock that nobody holds any more was not removed
            assert stage.world() == swept.wanted, f"request {number}: {ended.err}"
            continue
        assert ended.code == 5 and one_sentence(ended.err), f"request {number}: {ended}"
        again = stage.run(words[:-2])
        assert again.code in operation.repeated, f"request {number}: {ended.err}{again.err}"
        assert stage.world() == swept.wanted, f"request {number}: {ended.err}"


def _seconds_to_start(stage: Stage) -> float:
    """Return how long Python takes at present to start `vcd` and end; seconds on a busy machine."""
    began = time.monotonic()
    assert stage.run(("cluster", "list")).code == 0
    return time.monotonic() - began


@pytest.mark.timeout(0 if FULL else 400)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_failing_task_is_told(
    stage: Stage, operation: Operation, record_property: Callable[[str, object], None]
) -> None:
    swept = Swept.measured(stage, operation)
    tasks = TASKS[operation.name]
    for task in tasks if FULL else tasks[-1:]:
        for status in ("error", "aborted") if FULL else ("error",):
            rule = {"kind": "task", "operation": task, "owner": _OWNERS, "status": status}
            swept.spoil(f"{task}: {status}", rule, "")
    assert not any(outcome["not reached"] for outcome in swept.outcomes.values()), swept.outcomes
    _judge([swept], record_property)


def _judge(swept: Sequence[Swept], record_property: Callable[[str, object], None]) -> None:
    for one in swept:
        for kind, outcome in one.outcomes.items():
            row = (
                one.operation.name,
                kind,
                *(outcome[word] for word in ("borne", "told", "not reached")),
            )
            record_property("sweep", row)
    broken = [line for one in swept for line in one.broken]
    assert not broken, "\n\n".join(broken)
