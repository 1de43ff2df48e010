"""Which moments a sweep takes from the requests of an undisturbed run."""

from __future__ import annotations

import pytest

from tests.sweeps.kills import Kill, Kills, Tried, differences


def vcd(*words: str) -> dict[str, str]:
    method, path = words
    return {"method": method, "path": path}


JOURNAL = {
    "total": 6,
    "requests": [
        vcd("GET", "/api/session"),
        vcd("POST", "/api/vApp/vapp-1/metadata"),
        vcd("GET", "/api/task/1"),
        vcd("GET", "/api/task/1"),
        vcd("DELETE", "/api/vApp/vapp-1"),
        vcd("GET", "/api/task/2"),
    ],
    "kubernetes": [
        {**vcd("GET", "/api/v1/nodes"), "after": 2},
        {**vcd("DELETE", "/api/v1/nodes/a"), "after": 4},
        {**vcd("DELETE", "/api/v1/nodes/b"), "after": 4},
        {**vcd("POST", "/v3/cluster/member/list"), "after": 4},
        {**vcd("POST", "/v3/cluster/member/remove"), "after": 5},
    ],
}


def test_only_changes_make_moments_and_one_that_follows_at_once_makes_one() -> None:
    kills = Kills.of(JOURNAL)
    assert (kills.requests, kills.changes) == (6, 5)
    assert [(one.api, one.number, one.done) for one in kills.moments] == [
        ("vcd", 1, False),
        ("vcd", 1, True),
        ("kubernetes", 1, False),
        ("kubernetes", 1, True),
        ("kubernetes", 2, True),
        ("vcd", 2, False),
        ("vcd", 2, True),
        ("kubernetes", 3, True),
    ]


def test_a_failure_is_reported_and_the_other_moments_are_tried() -> None:
    tried = Tried("it", Kills.of(JOURNAL))
    mended = []

    def attempt(kill: Kill) -> bool:
        assert kill.done, "as it was"
        return True

    for kill in tried.kills.moments:
        tried.one(kill, attempt, lambda: mended.append(1))
    assert (tried.killed, len(tried.broken), len(mended)) == (8, 3, 3)
    with pytest.raises(AssertionError, match=r"it, killed before change 1 to vcd .*: as it was"):
        tried.judge(lambda _name, _value: None)


def test_differences_are_named_by_their_place() -> None:
    found, wanted = {"a": [1, {"b": 2}], "c": 3}, {"a": [1, {"b": 4}], "d": 3}
    assert differences(found, wanted) == [
        "/a/1/b: 2 instead of 4",
        "/c: 3 instead of None",
        "/d: None instead of 3",
    ]
    assert differences(wanted, wanted) == []
