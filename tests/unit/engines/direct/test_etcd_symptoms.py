"""What etcd's own status and members say, as causes for `cluster diagnose`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from cse_client.engines.direct.etcd_symptoms import EtcdSymptoms
from cse_client.kube.etcd import EtcdMember, EtcdStatus

FIRST, SECOND, THIRD = 9372538179322589801, 10501334649042878790, 77
MEMBERS = (
    EtcdMember(FIRST, "mstr-1", ("https://10.0.0.1:2380",)),
    EtcdMember(SECOND, "mstr-2", ("https://10.0.0.2:2380",)),
)
UNSTARTED = EtcdMember(THIRD, "", ("https://10.0.0.3:2380",))
NO_SPACE = f"memberID:{SECOND} alarm:NOSPACE "
FULL = "etcd on mstr-2 has raised the alarm NOSPACE: its database is full (2,048 MiB), and nothing"


def status(member: int, *problems: str, size: int = 4 * 1024**2) -> EtcdStatus:
    return EtcdStatus("3.6.16", size, member, FIRST, tuple(problems))


def both(*problems: str) -> dict[str, EtcdStatus]:
    """Both members know every alarm."""
    return {
        "mstr-1": status(FIRST, *problems),
        "mstr-2": status(SECOND, *problems, size=2 * 1024**3),
    }


CASES: dict[str, tuple[Mapping[str, EtcdStatus], Sequence[EtcdMember], list[str]]] = {
    "healthy": (both(), MEMBERS, []),
    "full": (both(NO_SPACE), MEMBERS, [FULL]),
    "full and silent": (
        {"mstr-1": both(NO_SPACE)["mstr-1"]},
        MEMBERS,
        ["etcd on mstr-2 has raised"],
    ),
    "corrupt": (
        both(f"memberID:{FIRST} alarm:CORRUPT "),
        MEMBERS,
        ["etcd on mstr-1 has raised the alarm CORRUPT: its data differ"],
    ),
    "an alarm of nobody": (
        both(f"memberID:{THIRD} alarm:NOSPACE"),
        MEMBERS,
        ["etcd on member 4d has raised the alarm NOSPACE"],
    ),
    "two alarms": (
        both(NO_SPACE, f"memberID:{FIRST} alarm:NOSPACE"),
        MEMBERS,
        [FULL, "etcd on mstr-1"],
    ),
    "no leader": (
        {"mstr-1": status(FIRST, "etcdserver: no leader")},
        MEMBERS,
        ["etcd on mstr-1 reports: etcdserver: no leader."],
    ),
    "an alarm to come": (
        {"mstr-1": status(FIRST, f"memberID:{FIRST} alarm:NEWER")},
        MEMBERS,
        [f"etcd on mstr-1 reports: memberID:{FIRST} alarm:NEWER."],
    ),
    "never started": (
        both(),
        (*MEMBERS, UNSTARTED),
        ["etcd has a member that has never started (https://10.0.0.3:2380)"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_causes(case: str) -> None:
    statuses, members, expected = CASES[case]
    causes = list(EtcdSymptoms("demo", members, statuses).causes())
    assert len(causes) == len(expected), causes
    for cause, begin in zip(causes, expected):
        assert cause.sentence.startswith(begin)
        assert cause.cure
