"""Two administrators and one cluster: who gets it, and what becomes of a claim."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest

from cse_client.engines.direct.lock import ClusterLock, holders
from cse_client.errors import Conflict
from cse_client.model import Session
from cse_client.vcd.tasks import Task

HREF = "https://vcd.example/api/vApp/vapp-1"


class Metadata:
    """A vApp's metadata: a write merges, a read shows everything; no compare-and-swap."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.clock = Seconds()

    def vapp_metadata(self, _href: str) -> dict[str, str]:
        return dict(self.values)

    def write_metadata(self, href: str, values: Mapping[str, str]) -> Task:
        self.values.update(values)
        return Task(href=href, status="success")

    def task(self, href: str) -> Task:
        return Task(href=href, status="success")

    def task_href(self, task_id: str) -> str:
        return task_id


class Seconds:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def lock(
    metadata: Metadata, user: str, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> ClusterLock:
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / user))
    session = Session("vcd.example", "acme", user, "36.0", "token")
    return ClusterLock(
        metadata,  # type: ignore[arg-type]
        session,
        name="demo",
        vdc_href="https://vcd.example/api/vdc/1",
        clock=metadata.clock,
    )


@pytest.fixture
def cloud() -> Metadata:
    return Metadata()


def test_a_claim_is_written_seen_and_given_back(
    cloud: Metadata, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ann = lock(cloud, "ann", monkeypatch, tmp_path)
    bob = lock(cloud, "bob", monkeypatch, tmp_path)
    values = ann.claim(HREF, {"k": "v"}, doing="growing", deadline=100.0)
    assert values["k"] == "v"
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


def test_a_claim_ends_by_itself(
    cloud: Metadata, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ann = lock(cloud, "ann", monkeypatch, tmp_path)
    cloud.values.update(ann.entry("growing", -301.0))
    assert holders(cloud.values) == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"who": 1}', '{"until": "soon"}', "free"])
def test_a_damaged_claim_is_none(text: str) -> None:
    assert holders({"cse.client.lock.0123456789ab": text}) == {}


def test_a_broken_claim_is_overwritten(
    cloud: Metadata, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ann = lock(cloud, "ann", monkeypatch, tmp_path)
    bob = lock(cloud, "bob", monkeypatch, tmp_path)
    ann.claim(HREF, {}, doing="growing", deadline=100.0)
    bob.refuse_if_held(cloud.values, break_lock=True)
    bob.claim(HREF, bob.broken(cloud.values), doing="shrinking", deadline=100.0)
    assert [held.who for held in holders(cloud.values).values()] == ["bob@acme"]


@pytest.mark.parametrize("order", sorted(set(itertools.permutations("aabb"))))
def test_never_do_both_hold_it(
    order: tuple[str, ...], cloud: Metadata, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each writes, then reads; in every order of these four steps at most one goes on."""
    locks = {name: lock(cloud, name, monkeypatch, tmp_path) for name in "ab"}
    written: set[str] = set()
    won = []
    for name in order:
        if name not in written:
            cloud.values.update(locks[name].entry("growing", 100.0))
            written.add(name)
            continue
        try:
            locks[name].confirm(HREF)
        except Conflict:
            continue
        won.append(name)
    assert len(won) <= 1
    # whoever stepped back left nothing behind
    assert {held.who[0] for held in holders(cloud.values).values()} == set(won)


def test_one_command_of_a_user_at_a_time(
    cloud: Metadata, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = lock(cloud, "ann", monkeypatch, tmp_path)
    second = lock(cloud, "ann", monkeypatch, tmp_path)
    first.take_here()
    first.take_here()
    with pytest.raises(Conflict, match=r"on this machine is changing cluster 'demo' \(process \d+"):
        second.take_here()
    first.leave_here()
    second.take_here()
    second.leave_here()


def test_a_state_folder_that_cannot_be_written_stops_nobody(
    cloud: Metadata, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ann").write_text("a file where a folder is wanted")
    lock(cloud, "ann", monkeypatch, tmp_path).take_here()
