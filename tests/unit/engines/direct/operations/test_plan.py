"""Plans: what is done already is skipped, unknown outcomes are looked up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cse_client.engines.direct.operations.plan import Step, carry_out
from cse_client.errors import CseError, VcdFault
from cse_client.model import Event, EventKind


def lost_answer() -> VcdFault:
    """The request went out; whether it took effect is unknown."""
    return VcdFault("the connection was lost", outcome_unknown=True)


class World:
    """Remembers what was done; `lose` answers are lost, before or after the effect."""

    def __init__(self, lose: int = 0, *, acted: bool = True) -> None:
        self.things: list[str] = []
        self.seen: list[str] = []
        self.lose = lose
        self.acted = acted
        self.events: list[Event] = []

    def step(self, name: str) -> Step:
        return Step(name, f"Do {name}.", lambda: name in self.seen, self.doing(name))

    def doing(self, name: str) -> Callable[[], None]:
        def run() -> None:
            if self.lose:
                self.lose -= 1
                if self.acted:
                    self.things.append(name)
                raise lost_answer()
            self.things.append(name)
            self.seen.append(name)

        return run

    def observe(self) -> None:
        self.seen = list(self.things)

    def run(self, *names: str) -> None:
        carry_out([self.step(name) for name in names], self.events.append, self.observe)


def test_steps_run_in_order_and_report() -> None:
    world = World()
    world.run("one", "two")
    assert world.things == ["one", "two"]
    assert [(e.kind, e.text, e.step, e.total) for e in world.events] == [
        (EventKind.STARTED, "one", 1, 2),
        (EventKind.DONE, "one", 1, 2),
        (EventKind.STARTED, "two", 2, 2),
        (EventKind.DONE, "two", 2, 2),
    ]


def test_what_is_there_is_not_done_again() -> None:
    world = World()
    world.things = ["one"]
    world.observe()
    world.run("one", "two")
    assert world.things == ["one", "two"]
    assert world.events[0].text == "one (already done)"


def test_a_lost_answer_after_the_effect_is_not_repeated() -> None:
    world = World(lose=1, acted=True)
    world.run("one")
    assert world.things == ["one"]


def test_a_lost_request_is_repeated() -> None:
    world = World(lose=2, acted=False)
    world.run("one")
    assert world.things == ["one"]


def test_answers_lost_for_ever_end_in_the_fault() -> None:
    world = World(lose=99, acted=False)
    with pytest.raises(VcdFault, match="lost"):
        world.run("one")
    assert world.events[-1].kind is EventKind.FAILED


def test_other_errors_are_not_retried() -> None:
    calls: list[str] = []

    def fail() -> None:
        calls.append("x")
        raise CseError("no")

    with pytest.raises(CseError, match="no"):
        carry_out([Step("s", "S.", lambda: False, fail)], lambda _e: None, lambda: None)
    assert calls == ["x"]
