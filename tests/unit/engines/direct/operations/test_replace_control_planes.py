"""Which new control planes are removed after a failure, by what etcd shows of the old ones."""

from __future__ import annotations

import pytest

from cse_client.engines.direct.operations.replace_control_planes import failed_heads, have_left
from cse_client.engines.direct.quorum import Members
from cse_client.kube.etcd import EtcdMember
from cse_client.model import Vm

OLD = ("mstr-a", "mstr-b", "mstr-c")
NEW = ("mstr-x", "mstr-y")


@pytest.mark.parametrize(
    ("voters", "answering", "failed", "left", "removed"),
    [
        # nobody has left: all of them go
        ((*OLD, "mstr-x"), (*OLD, "mstr-x"), "", False, ["mstr-x", "mstr-y"]),
        (OLD, OLD, "mstr-x", False, ["mstr-x", "mstr-y"]),
        # an old one has left etcd, whether or not its VM is still there: what serves stays
        (("mstr-b", "mstr-c", *NEW), (*OLD, *NEW), "", True, []),
        (("mstr-b", "mstr-c", *NEW), ("mstr-b", "mstr-c", *NEW), "mstr-y", True, ["mstr-y"]),
        (("mstr-b", "mstr-c", "mstr-x"), ("mstr-b", *NEW), "", True, ["mstr-y"]),
        (("mstr-b", *NEW), ("mstr-b", "mstr-x"), "", True, ["mstr-y"]),
    ],
)
def test_what_serves_stays_once_an_old_one_has_left(
    voters: tuple[str, ...],
    answering: tuple[str, ...],
    failed: str,
    left: bool,
    removed: list[str],
) -> None:
    everyone = [EtcdMember(number, name) for number, name in enumerate(voters)]
    members = Members("demo", everyone, answering)
    new = [Vm(name, f"href-{name}", "POWERED_ON") for name in NEW]
    assert have_left(OLD, members) is left
    assert [vm.name for vm in failed_heads(new, members, failed, past=left)] == removed
