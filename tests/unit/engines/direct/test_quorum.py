"""Which control planes may join or leave, by what etcd and the API servers answer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cse_client.engines.direct.quorum import Members, growth_problems, quorum, removal_problems
from cse_client.kube.etcd import EtcdMember
from cse_client.model import Vm


def members(
    names: str, answering: str | None = None, learners: str = "", unstarted: Sequence[str] = ()
) -> Members:
    """Members named by letters; those in `unstarted` are addresses."""
    everyone = [
        EtcdMember(number, name, (f"https://10.0.0.{number}:2380",), learner=name in learners)
        for number, name in enumerate(names, 1)
    ]
    everyone += [
        EtcdMember(100 + number, "", (f"https://{address}:2380",), learner=True)
        for number, address in enumerate(unstarted)
    ]
    return Members("demo", everyone, tuple(names if answering is None else answering))


def test_majorities() -> None:
    assert [quorum(n) for n in range(1, 6)] == [1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("found", "leaving", "problem"),
    [
        (members("abc"), "c", ""),
        (members("abc"), "cb", ""),
        (members("abc"), "abc", "would have no control plane left"),
        (members("a"), "a", "would have no control plane left"),
        (members("abcde"), "edcb", ""),
        # the dead one may go, and after it another one
        (members("abc", "ab"), "c", ""),
        (members("abc", "ab"), "cb", ""),
        # a healthy one may not
        (members("abc", "ab"), "b", "Without b, 1 of 2 members of etcd would answer, and 2 have"),
        (members("abc", "ab"), "bc", "Without b, 1 of 2 members"),
        (members("abcde", "abc"), "c", "Without c, 2 of 4 members"),
        (members("abcde", "abc"), "d", ""),
        # without a majority nothing can be decided
        (members("abc", "a"), "c", "has lost its quorum: 1 of 3 members answer, and 2 have to"),
        (members("ab", "a"), "b", "has lost its quorum: 1 of 2 members answer, and 2 have to"),
        # who does not vote does not count
        (members("abc", "ab", learners="c"), "b", ""),
    ],
)
def test_who_may_leave(found: Members, leaving: str, problem: str) -> None:
    problems = [one.message for one in removal_problems(found, tuple(leaving))]
    assert len(problems) == (1 if problem else 0), problems
    assert not problem or problem in problems[0]


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (members("a"), ""),
        (members("abc"), ""),
        (members("ab", learners="b"), ""),
        (members("abc", "ab"), "c of cluster 'demo' does not answer, so no control plane is added"),
        (members("abc", "a"), "has lost its quorum"),
    ],
)
def test_when_another_one_may_join(found: Members, problem: str) -> None:
    problems = [one.message for one in growth_problems(found)]
    assert len(problems) == (1 if problem else 0), problems
    assert not problem or problem in problems[0]


def test_members_that_failed_joins_left_behind() -> None:
    found = members("a", unstarted=["10.0.0.8", "10.0.0.9"])
    joining = Vm("mstr-new1", "h", "POWERED_ON", ip="10.0.0.9")
    assert [one.id for one in found.strays([joining])] == [100]
    own = found.of("mstr-new1", "10.0.0.9")
    assert own is not None
    assert own.id == 101
    assert found.of("mstr-new2") is None
