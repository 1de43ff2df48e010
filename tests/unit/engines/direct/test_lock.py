"""Two administrators and one cluster: who gets it, and what becomes of a claim."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cse_client import sent
from cse_client.engines.direct.holders import damaged_claims, holders
from cse_client.engines.direct.journal import read_journal
from cse_client.engines.direct.lock import ClusterLock
from cse_client.engines.direct.operation import GROW, Operation
from cse_client.errors import Conflict, InterruptedBefore, VcdFault
from cse_client.model import Session
from cse_client.vcd.tasks import Task
from tests.support.clock import FakeClock
from tests.support.direct import desired_workers

HREF = "https://vcd.example/api/vApp/vapp-1"


class Metadata:
    """A vApp's metadata: a write merges, a read shows everything; no compare-and-swap."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.clock = FakeClock()

    def vapp_metadata(self, _href: str) -> dict[str, str]:
        return dict(self.values)

    def write_metadata(self, href: str, values: Mapping[str, str]) -> Task:
        self.values.update(values)
        return Task(href=href, status="success")

    def task(self, href: str) -> Task:
        return Task(href=href, status="success")

    def task_href(self, task_id: str) -> str:
        return task_id


Maker = Callable[..., ClusterLock]


@pytest.fixture
def cloud() -> Metadata:
    return Metadata()


@pytest.fixture
def lock(cloud: Metadata, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Maker:
    """Make the lock of a user's run."""

    def make(user: str, metadata: object = cloud) -> ClusterLock:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / user))
        session = Session("vcd.example", "acme", user, "36.0", "token")
        return ClusterLock(
            metadata,  # type: ignore[arg-type]
            session,
            name="demo",
            vdc_href="https://vcd.example/api/vdc/1",
            clock=metadata.clock,  # type: ignore[attr-defined]
        )

    return make


def claim(one: ClusterLock, seen: Mapping[str, str], *, break_lock: bool = False) -> dict[str, str]:
    return one.claim(HREF, dict(seen), doing="growing", deadline=100.0, break_lock=break_lock)


def test_a_claim_is_written_alone_seen_and_given_back(cloud: Metadata, lock: Maker) -> None:
    ann, bob = lock("ann"), lock("bob")
    cloud.values["k"] = "v"
    assert claim(ann, cloud.values)["k"] == "v"
    assert set(cloud.values) == {"k", ann.key}
    (held,) = holders(cloud.values).values()
    assert (held.who, held.doing) == ("ann@acme", "growing")
    assert 399 <= (held.until - held.since).total_seconds() <= 401
    with pytest.raises(Conflict, match=r"'demo' is being changed by ann@acme on \S+ since") as hit:
        bob.refuse_if_held(cloud.values)
    assert "--break-lock" in hit.value.hint
    ann.refuse_if_held(cloud.values)
    ann.release(HREF)
    assert holders(cloud.values) == {}
    bob.refuse_if_held(cloud.values)


@pytest.mark.parametrize("until", ["2020-01-01T00:00:00+00:00", "0001-01-01T00:00:00+00:00"])
def test_a_claim_ends_by_itself(cloud: Metadata, lock: Maker, until: str) -> None:
    ann, bob = lock("ann"), lock("bob")
    claim(ann, {})
    entry = json.loads(cloud.values[ann.key])
    cloud.values[ann.key] = json.dumps({**entry, "until": until})
    assert holders(cloud.values) == {}
    claim(bob, cloud.values)
    assert bob.turn > ann.turn


CLAIM = {
    "who": "w",
    "host": "h",
    "doing": "d",
    "since": "2026-01-01T00:00:00+00:00",
    "until": "9000-01-01T00:00:00+00:00",
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"who": 1}',
        '{"until": "soon"}',
        "free soon",
        json.dumps({**CLAIM, "since": "0001-01-01T00:00:00+14:00"}),
        json.dumps({**CLAIM, "until": "9999-12-31T23:59:59-14:00"}),
        json.dumps({**CLAIM, "who": "w" * 1000}),
    ],
)
def test_a_damaged_claim_holds_nobody_back(text: str) -> None:
    metadata = {"cse.client.lock.0123456789ab": text}
    assert holders(metadata) == {}
    assert damaged_claims(metadata) == tuple(metadata)


@pytest.mark.parametrize("text", ["free", "free 0", "free 12"])
def test_a_claim_that_was_given_up_is_not_damaged(text: str) -> None:
    metadata = {"cse.client.lock.0123456789ab": text}
    assert (holders(metadata), damaged_claims(metadata)) == ({}, ())


def test_a_claim_without_a_turn_holds_others_back(cloud: Metadata, lock: Maker) -> None:
    cloud.values["cse.client.lock.x"] = json.dumps(CLAIM)
    with pytest.raises(Conflict, match="is being changed by w on h"):
        lock("ann").refuse_if_held(cloud.values)


def test_a_broken_claim_is_ended_by_the_first_record(cloud: Metadata, lock: Maker) -> None:
    ann, bob, eve = lock("ann"), lock("bob"), lock("eve")
    claim(ann, {})
    bob.refuse_if_held(cloud.values, break_lock=True)
    claim(bob, cloud.values, break_lock=True)
    # until then nothing of ann's was touched
    assert {held.who for held in holders(cloud.values).values()} == {"ann@acme", "bob@acme"}
    cloud.values.update(bob.ending_broken())
    assert [held.who for held in holders(cloud.values).values()] == ["bob@acme"]
    bob.end(HREF, cloud.values.update, 2)
    assert holders(cloud.values) == {}
    claim(eve, cloud.values)


def test_a_damaged_record_of_ones_own_gives_way_to_a_new_one(cloud: Metadata, lock: Maker) -> None:
    ann = lock("ann")
    cloud.values[f"cse.client.operation.{ann.owner}"] = "damaged"
    assert read_journal(cloud.values).unclear
    operation = Operation.begin(GROW, workers=3, before=1)
    seen = dict(cloud.values)
    ann.claim(HREF, seen, doing="growing", deadline=100.0, operation=operation, break_lock=True)
    cloud.values.update(ann.ending_broken())
    assert read_journal(cloud.values).operation == operation


@pytest.mark.parametrize("changed", [False, True])
def test_an_interrupted_claim_is_withdrawn(
    cloud: Metadata, lock: Maker, monkeypatch: pytest.MonkeyPatch, changed: bool
) -> None:
    def press_ctrl_c(_href: str) -> dict[str, str]:
        sent.note("POST")
        raise KeyboardInterrupt

    ann = lock("ann")
    sent.begin()
    if changed:
        # an operation before this one, of the same command
        sent.note("POST")
    monkeypatch.setattr(cloud, "vapp_metadata", press_ctrl_c)
    with pytest.raises(KeyboardInterrupt) as stopped:
        claim(ann, {})
    assert isinstance(stopped.value, InterruptedBefore) is not changed
    assert holders(cloud.values) == {}


def test_only_the_claims_that_were_seen_are_broken(cloud: Metadata, lock: Maker) -> None:
    ann, bob = lock("ann"), lock("bob")
    claim(ann, {})
    seen = dict(cloud.values)
    ann.release(HREF)
    claim(ann, cloud.values)
    with pytest.raises(Conflict, match="ann@acme"):
        claim(bob, seen, break_lock=True)
    assert [held.who for held in holders(cloud.values).values()] == ["ann@acme"]


class Yielding(FakeClock):
    """A clock whose sleeper lets the other thread run."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        time.sleep(0.01)


class Scheduler(Metadata):
    """Metadata that serves two threads in a given order; afterwards whoever comes."""

    def __init__(self, order: str) -> None:
        super().__init__()
        self.clock = Yielding()
        self._order = list(order)
        self._ended: set[str] = set()
        self._turn = threading.Condition()

    def step(self) -> None:
        me = threading.current_thread().name
        with self._turn:
            self._turn.wait_for(
                lambda: not self._order or self._order[0] == me or self._order[0] in self._ended,
                timeout=20,
            )
            while self._order and self._order[0] in self._ended:
                self._order.pop(0)
            if self._order:
                self._order.pop(0)
            self._turn.notify_all()

    def end(self) -> None:
        with self._turn:
            self._ended.add(threading.current_thread().name)
            self._turn.notify_all()

    def vapp_metadata(self, href: str) -> dict[str, str]:
        self.step()
        return super().vapp_metadata(href)

    def write_metadata(self, href: str, values: Mapping[str, str]) -> Task:
        self.step()
        return super().write_metadata(href, values)


def change(cloud: Scheduler, one: ClusterLock, begun: list[str], workers: int) -> None:
    """Look, claim, record the beginning, do something, record the end: a whole operation."""
    me = threading.current_thread().name
    try:
        seen = cloud.vapp_metadata(HREF)
        one.refuse_if_held(seen)
        operation = Operation.begin(GROW, workers=workers, before=1)
        one.claim(HREF, seen, doing="growing", deadline=100.0, operation=operation)
        assert "at work" not in begun, "two at once"
        begun.append("at work")
        cloud.step()
        cloud.step()
        begun.remove("at work")
        one.end(HREF, lambda ended: cloud.write_metadata(HREF, ended), workers)
        begun.append(f"{me} ended")
    except Conflict:
        pass
    finally:
        cloud.end()


@pytest.mark.parametrize("order", ["".join(one) for one in itertools.product("ab", repeat=7)])
def test_in_every_order_one_wins_and_the_other_leaves_no_mark(order: str, lock: Maker) -> None:
    cloud = Scheduler(order)
    locks = {name: lock(name, cloud) for name in "ab"}
    log: list[str] = []
    threads = [
        threading.Thread(target=change, name=name, args=(cloud, locks[name], log, number))
        for number, name in enumerate("ab", 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert log, "nobody won"
    assert holders(cloud.values) == {}
    journal = read_journal(cloud.values)
    assert (journal.operation, journal.damaged) == (None, ())
    assert desired_workers(cloud.values) == {"a": 2, "b": 3}[log[-1][0]]
    # a third one finds nothing in the way
    lock("c", cloud).claim(HREF, cloud.values, doing="growing", deadline=100.0)


@pytest.mark.parametrize("late", range(4))
def test_whatever_arrives_late_says_nothing_any_more(
    late: int, cloud: Metadata, lock: Maker
) -> None:
    """One of the writes is made twice, the second time after everything has ended."""
    ann, bob = lock("ann"), lock("bob")
    written: list[dict[str, str]] = []
    keep = cloud.write_metadata
    cloud.write_metadata = lambda href, values: (  # type: ignore[method-assign]
        written.append(dict(values)) or keep(href, values)  # type: ignore[func-returns-value]
    )
    for one, workers in ((ann, 2), (bob, 5)):
        operation = Operation.begin(GROW, workers=workers, before=1)
        one.claim(HREF, dict(cloud.values), doing="growing", deadline=100.0, operation=operation)
        one.end(HREF, lambda ended: cloud.write_metadata(HREF, ended), workers)
    cloud.values.update(written[late])
    assert holders(cloud.values) == {}
    assert read_journal(cloud.values).operation is None
    assert desired_workers(cloud.values) == 5


@pytest.mark.parametrize("read_fails", [False, True])
def test_a_turn_that_leaves_the_size_alone_keeps_the_last_one(
    read_fails: bool, cloud: Metadata, lock: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ann's later record replaces the one with her size; Bob's older size must not show again."""
    ann, bob = lock("ann"), lock("bob")
    for one, workers in ((bob, 3), (ann, 2)):
        claim(one, cloud.values)
        one.end(HREF, cloud.values.update, workers)
    claim(ann, cloud.values)
    with monkeypatch.context() as patched:
        if read_fails:
            patched.setattr(cloud, "vapp_metadata", _unanswered)
        ann.release(HREF, ended=True)
    assert desired_workers(cloud.values) == 2


def _unanswered(_href: str) -> dict[str, str]:
    raise VcdFault("VCD does not answer.")


def test_who_decided_on_an_older_state_steps_back(cloud: Metadata, lock: Maker) -> None:
    ann, bob = lock("ann"), lock("bob")
    seen = dict(cloud.values)
    claim(bob, {})
    bob.end(HREF, cloud.values.update, 5)
    with pytest.raises(
        Conflict, match="was changed by another command while this one was reading it"
    ):
        claim(ann, seen)
    assert holders(cloud.values) == {}
    assert desired_workers(cloud.values) == 5
    claim(ann, cloud.values)


def test_one_command_of_a_user_at_a_time(lock: Maker) -> None:
    first, second = lock("ann"), lock("ann")
    first.acquire_local()
    first.acquire_local()
    with pytest.raises(Conflict, match=r"on this machine is changing cluster 'demo' \(process \d+"):
        second.acquire_local()
    first.release_local()
    second.acquire_local()
    second.release_local()


def test_a_state_folder_that_cannot_be_written_stops_nobody(lock: Maker, tmp_path: Path) -> None:
    (tmp_path / "ann").write_text("a file where a folder is wanted")
    lock("ann").acquire_local()


def test_who_steps_back_keeps_its_own_unfinished_operation(cloud: Metadata, lock: Maker) -> None:
    ann, bob = lock("ann"), lock("bob")
    left = Operation.begin(GROW, workers=5, before=1)
    ann.claim(HREF, {}, doing="growing", deadline=100.0, operation=left)
    ann.release(HREF)
    seen = dict(cloud.values)
    assert read_journal(seen).operation == left
    claim(bob, seen)
    with pytest.raises(Conflict, match="bob@acme"):
        other = Operation.begin(GROW, workers=9, before=1)
        ann.claim(HREF, seen, doing="growing", deadline=0.0, operation=other)
    assert read_journal(cloud.values).operation == left


def test_who_steps_back_does_not_record_again_what_has_ended(cloud: Metadata, lock: Maker) -> None:
    """The last write of a killed run takes effect after the next run has read the metadata."""
    operation = Operation.begin(GROW, workers=3, before=1)
    killed = lock("ann")
    killed.claim(HREF, {}, doing="growing", deadline=100.0, operation=operation)
    seen = dict(cloud.values)
    killed.end(HREF, cloud.values.update, 3)
    ended = dict(cloud.values)
    again = lock("ann")
    with pytest.raises(Conflict, match="was changed by another command"):
        again.claim(HREF, seen, doing="growing", deadline=100.0, operation=operation)
    assert {**cloud.values, again.key: ""} == {**ended, again.key: ""}


def test_a_late_claim_of_a_loser_is_ended_with_the_winners_turn(
    cloud: Metadata, lock: Maker
) -> None:
    """Ann's turn is higher than Bob's, who wins: an earlier loser had raised the count between."""
    ann, bob, eve = lock("ann"), lock("bob"), lock("eve")
    seen = dict(cloud.values)
    cloud.values[eve.key] = "free 6"
    later = dict(cloud.values)
    claim(bob, seen)
    written: list[dict[str, str]] = []
    keep = cloud.write_metadata
    cloud.write_metadata = lambda href, values: (  # type: ignore[method-assign]
        written.append(dict(values)) or keep(href, values)  # type: ignore[func-returns-value]
    )
    with pytest.raises(Conflict):
        operation = Operation.begin(GROW, workers=9, before=1)
        ann.claim(HREF, later, doing="growing", deadline=0.0, operation=operation)
    assert ann.turn > bob.turn
    bob.end(HREF, lambda ended: keep(HREF, ended), 2)
    cloud.values.update(written[0])
    assert holders(cloud.values) == {}
    assert (read_journal(cloud.values).operation, desired_workers(cloud.values)) == (None, 2)
