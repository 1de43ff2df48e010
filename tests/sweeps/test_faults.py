"""Spoil each request in every way; the command succeeds, or says why and can be typed again."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import pytest

from tests.sweeps.stage import FULL, OPERATIONS, Operation, Stage, one_sentence

FAULTS: Mapping[str, Mapping[str, object]] = {
    "connection cut before": {"kind": "reset_before"},
    "connection cut after": {"kind": "reset_after"},
    # a client waits a minute for an answer; a server that gives up sooner looks the same
    "no answer": {"kind": "hang", "seconds": 2},
    "500": {"kind": "status", "status": 500},
    "502": {"kind": "status", "status": 502, "html": True},
    "503 with Retry-After": {"kind": "status", "status": 503, "retry_after": 1},
    "429": {"kind": "status", "status": 429, "retry_after": 1},
    "busy": {"kind": "busy", "method": "POST|PUT|DELETE"},
    "session expired": {"kind": "expire_session"},
}

TASKS = {
    "cluster create": ("vdcComposeVapp", "metadataUpdate", "vdcRecomposeVapp"),
    "cluster resize up": ("metadataUpdate", "vdcRecomposeVapp"),
    "cluster resize down": ("metadataUpdate", "vappUndeployPowerOff", "vdcRecomposeVapp"),
    "node delete": ("metadataUpdate", "vappUndeployPowerOff", "vdcRecomposeVapp"),
    "cluster delete": ("vdcDeleteVapp",),
}


@pytest.mark.timeout(7200 if FULL else 400)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_fault_is_borne_or_told(
    stage: Stage, operation: Operation, capsys: pytest.CaptureFixture[str]
) -> None:
    ended, requests = stage.counted(stage.prepare(operation))
    assert ended.code == 0, ended.err
    wanted = stage.world()
    # thin: every kind once, each at another operation and somewhere else in it
    place = OPERATIONS.index(operation)
    kinds = list(FAULTS) if FULL else list(FAULTS)[place :: len(OPERATIONS)]
    outcomes = {kind: [0, 0] for kind in kinds}
    for turn, kind in enumerate(kinds, 1):
        rule = FAULTS[kind]
        some = [requests * turn // (len(kinds) + 1) or 1]
        for number in range(1, requests + 1) if FULL else some:
            where = f"{kind} at request {number} of {requests}"
            told = _spoil(stage, operation, {**rule, "at": number}, wanted, where)
            outcomes[kind][told] += 1
    if FULL:
        _print(capsys, operation.name, outcomes)


@pytest.mark.timeout(3600 if FULL else 400)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_failing_task_is_told(
    stage: Stage, operation: Operation, capsys: pytest.CaptureFixture[str]
) -> None:
    ended, _requests = stage.counted(stage.prepare(operation))
    assert ended.code == 0, ended.err
    wanted = stage.world()
    outcomes = {}
    for task in TASKS[operation.name] if FULL else TASKS[operation.name][-1:]:
        for status in ("error", "aborted") if FULL else ("error",):
            rule = {"kind": "task", "operation": task, "owner": "swept.*", "status": status}
            told = _spoil(stage, operation, rule, wanted, f"{task} ends as {status}")
            outcomes[f"{task}: {status}"] = [1 - told, told]
    if FULL:
        _print(capsys, operation.name, outcomes)


def _spoil(
    stage: Stage, operation: Operation, rule: Mapping[str, object], wanted: object, place: str
) -> int:
    """Run with one fault; return 0 when the command bore it, 1 when it said why it failed."""
    words = stage.prepare(operation)
    stage.control.set("faults", **rule)
    ended = stage.run(words)
    stage.control.ask("DELETE", "faults")
    if rule["kind"] == "expire_session":
        stage.log_in()
    if ended.code == 0:
        assert stage.world() == wanted, place
        return 0
    assert ended.code in (1, 4, 5), (place, ended)
    assert one_sentence(ended.err), (place, ended.err)
    again = stage.run(words)
    assert again.code in operation.repeated, (place, ended.err, again.err)
    assert stage.world() == wanted, (place, ended.err)
    return 1


def _print(
    capsys: pytest.CaptureFixture[str], name: str, outcomes: Mapping[str, list[int]]
) -> None:
    with capsys.disabled():
        for kind, (borne, told) in outcomes.items():
            sys.stdout.write(f"{name} | {kind} | {borne} | {told}\n")
