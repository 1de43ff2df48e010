"""Waiting with a deadline, and repeating only what may be repeated."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from cse_client.errors import (
    Conflict,
    CseError,
    SessionInvalid,
    TaskFailed,
    TimedOut,
    VcdFault,
)
from cse_client.vcd import tasks
from cse_client.vcd.errors import EntityBusy
from cse_client.vcd.tasks import Task
from tests.support.clock import FakeClock

RUNNING = Task("https://h/api/task/t1", "running", "Creating Virtual Application demo(1)")
DONE = replace(RUNNING, status="success")


class Script:
    """A task source that tells a story: states or errors, the last one for ever."""

    def __init__(self, **stories: Sequence[Task | CseError]) -> None:
        self.clock = FakeClock()
        self.stories = {name: list(story) for name, story in stories.items()}
        self.polls = 0

    def task(self, href: str) -> Task:
        self.polls += 1
        story = self.stories[href.rsplit("/", 1)[-1]]
        state = story.pop(0) if len(story) > 1 else story[0]
        if isinstance(state, CseError):
            raise state
        return state

    def task_href(self, task_id: str) -> str:
        return f"https://h/api/task/{task_id}"


def test_a_task_that_has_ended_is_not_polled() -> None:
    source = Script()
    assert tasks.wait(source, DONE, deadline=-1) is DONE
    assert (source.polls, source.clock.slept) == (0, [])


def test_pauses_follow_the_age_of_a_task() -> None:
    source = Script(t1=[RUNNING] * 900 + [DONE])
    seen: list[str] = []
    tasks.wait(source, RUNNING, deadline=9999, on_progress=lambda task: seen.append(task.status))
    pauses = source.clock.slept
    assert pauses[0] == 0.1
    assert pauses == sorted(pauses)
    ages = list(itertools.accumulate(pauses))
    assert all(pause <= 1 for pause, age in zip(pauses, ages) if age <= 300)
    assert pauses[-1] == 5.0
    assert seen == ["running"] * 901 + ["success"]


class Advancing(Script):
    """A task that takes so many seconds, and whose progress follows its age up to a limit."""

    def __init__(self, seconds: float, most: int = 99) -> None:
        super().__init__()
        self.seconds = seconds
        self.most = most

    def task(self, href: str) -> Task:
        self.polls += 1
        age = self.clock.monotonic()
        if age >= self.seconds:
            return DONE
        return replace(RUNNING, progress=min(self.most, int(100 * age / self.seconds)))


@pytest.mark.parametrize("seconds", [2.0, 5.9, 12.0, 45.2])
def test_the_end_of_a_task_is_seen_when_its_progress_reaches_it(seconds: float) -> None:
    source = Advancing(seconds)
    tasks.wait(source, RUNNING, deadline=9999)
    assert source.clock.monotonic() - seconds <= 0.3


def test_progress_that_stands_still_costs_no_more_looks() -> None:
    stuck, silent = Advancing(60, most=90), Advancing(60, most=0)
    for source in (stuck, silent):
        tasks.wait(source, RUNNING, deadline=9999)
    assert stuck.polls <= silent.polls + 2


@pytest.mark.parametrize("count", [1, 9])
def test_a_minute_of_waiting_costs_seventy_requests(count: int) -> None:
    running = [replace(RUNNING, href=f"https://h/api/task/t{i}") for i in range(count)]
    source = Script(**{f"t{i}": [task] for i, task in enumerate(running)})
    moments: list[float] = []
    look = source.task

    def counted(href: str) -> Task:
        moments.append(source.clock.monotonic())
        return look(href)

    source.task = counted  # type: ignore[method-assign]
    with pytest.raises(TimedOut):
        tasks.wait_all(source, running, deadline=900)
    assert len(moments) > 500
    assert max(sum(begin <= one < begin + 60 for one in moments) for begin in moments) <= 70


def test_tasks_that_end_together_are_seen_together() -> None:
    """One look each, with no pause between them."""
    others = [replace(RUNNING, href=f"https://h/api/task/t{i}") for i in (2, 3)]
    ends = {f"t{i}": [replace(one, status="success")] for i, one in enumerate(others, start=2)}
    source = Script(t1=[RUNNING] * 10 + [DONE], **ends)
    tasks.wait_all(source, [RUNNING, *others], deadline=9999)
    assert (source.polls, len(source.clock.slept)) == (11 + 2, 11)


def test_the_deadline_names_the_task_and_how_to_look_at_it() -> None:
    source = Script(t1=[RUNNING])
    with pytest.raises(TimedOut, match=r"Creating Virtual Application demo\(1\)") as caught:
        tasks.wait(source, RUNNING, deadline=source.clock.monotonic() + 30)
    assert "vcd task wait t1" in caught.value.hint
    assert source.clock.monotonic() == pytest.approx(30)


@pytest.mark.parametrize("status", ["error", "canceled", "aborted"])
def test_a_task_that_did_not_succeed_failed(status: str) -> None:
    failed = replace(RUNNING, status=status, error="no room", code="BAD_REQUEST", request_id="r9")
    with pytest.raises(TaskFailed) as caught:
        tasks.wait(Script(t1=[failed]), RUNNING, deadline=9999)
    assert caught.value.message == (
        'Task "Creating Virtual Application demo(1)" failed: no room (request r9).'
    )
    assert (caught.value.code, caught.value.request_id) == ("BAD_REQUEST", "r9")


def test_a_failed_task_without_a_reason_says_so() -> None:
    with pytest.raises(TaskFailed, match="VCD gives no reason; the task is canceled"):
        tasks.wait(Script(), replace(RUNNING, status="canceled"), deadline=9999)


def test_a_flickering_vcd_is_borne() -> None:
    source = Script(
        t1=[VcdFault("down"), VcdFault("bad", status=502), RUNNING, VcdFault("down"), DONE]
    )
    assert tasks.wait(source, RUNNING, deadline=9999).status == "success"


def test_a_vcd_that_stays_away_is_given_up_with_a_note() -> None:
    source = Script(t1=[VcdFault("cannot be reached")])
    with pytest.raises(VcdFault, match="cannot be reached") as caught:
        tasks.wait(source, RUNNING, deadline=99999)
    assert "vcd task wait t1" in caught.value.notes[0]
    assert 180 <= sum(source.clock.slept) < 200


def test_a_session_that_ends_while_waiting_says_that_the_task_goes_on() -> None:
    with pytest.raises(SessionInvalid) as caught:
        tasks.wait(Script(t1=[SessionInvalid("expired")]), RUNNING, deadline=9999)
    assert "continues in VCD" in caught.value.notes[0]


def test_several_tasks_wait_together_and_the_first_failure_wins() -> None:
    second = replace(RUNNING, href="https://h/api/task/t2")
    third = replace(RUNNING, href="https://h/api/task/t3")
    source = Script(
        t1=[RUNNING, RUNNING, replace(RUNNING, status="error", error="one")],
        t2=[replace(second, status="error", error="two")],
        t3=[replace(third, status="running"), replace(third, status="success")],
    )
    with pytest.raises(TaskFailed, match="one") as caught:
        tasks.wait_all(source, [RUNNING, second, third], deadline=9999)
    assert len(caught.value.notes) == 1
    assert "two" in caught.value.notes[0]
    assert source.polls == 3 + 1 + 2
    # the third is looked at again after a pause
    assert len(source.clock.slept) == 3 + 1


def test_states_come_back_in_order() -> None:
    second = replace(DONE, href="https://h/api/task/t2")
    result = tasks.wait_all(Script(t1=[RUNNING, DONE]), [RUNNING, second], deadline=9999)
    assert [task.id for task in result] == ["t1", "t2"]
    assert all(task.status == "success" for task in result)


def fails(*errors: CseError) -> Callable[[], str]:
    """Return a call that raises these errors in turn and then succeeds."""
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return call


def test_a_busy_entity_waits_for_the_task_that_holds_it() -> None:
    source = Script(t1=[RUNNING, RUNNING, replace(RUNNING, status="error", error="theirs")])
    assert tasks.change(source, fails(EntityBusy("busy", task_id="t1")), 9999) == "done"
    assert source.polls == 3


def test_a_busy_entity_with_an_unknown_holder_backs_off() -> None:
    source = Script()
    busy = [EntityBusy("busy") for _ in range(6)]
    assert tasks.change(source, fails(*busy), 9999) == "done"
    assert len(source.clock.slept) == 6
    assert all(0 < pause <= 15 for pause in source.clock.slept)
    assert source.clock.slept[-1] > source.clock.slept[0]


def test_a_holder_that_cannot_be_read_is_waited_for_blindly() -> None:
    source = Script(t1=[VcdFault("hidden")])
    assert tasks.change(source, fails(EntityBusy("busy", task_id="t1")), 9999) == "done"
    assert len(source.clock.slept) == 1


def test_an_entity_busy_until_the_deadline_times_out() -> None:
    source = Script(t1=[RUNNING])

    def call() -> str:
        raise EntityBusy("the vApp is busy", task_id="t1")

    with pytest.raises(TimedOut, match="the vApp is busy"):
        tasks.change(source, call, source.clock.monotonic() + 60)
    assert source.clock.monotonic() <= 61


def test_a_request_that_never_arrived_is_sent_again() -> None:
    source = Script()
    assert tasks.change(source, fails(VcdFault("refused", repeatable=True)), 9999) == "done"


def test_a_request_with_an_unknown_outcome_is_not() -> None:
    fault = VcdFault("broke off", outcome_unknown=True)
    with pytest.raises(VcdFault) as caught:
        tasks.change(Script(), fails(fault), 9999)
    assert caught.value is fault


def test_repeats_end() -> None:
    source = Script()

    def call() -> str:
        raise VcdFault("refused", repeatable=True)

    with pytest.raises(VcdFault, match="refused"):
        tasks.change(source, call, 9999)
    assert len(source.clock.slept) == 5


def test_any_other_error_passes_through() -> None:
    with pytest.raises(Conflict, match="taken"):
        tasks.change(Script(), fails(Conflict("taken")), 9999)
