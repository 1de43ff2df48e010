"""Kill the client while it changes the number of control planes; the same command finishes it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sweeps.stage import FULL, NAME, Stage

TEMPLATE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev7"

pytestmark = pytest.mark.skipif(not FULL, reason="part of `make sweep`")


@pytest.fixture(scope="module")
def grown(stage: Stage) -> Iterator[Stage]:
    """A cluster with a virtual address and one control plane."""
    stage.reach(None)
    current = "ubuntu-24.04_k8-1.33_antrea-2.3_rev1"
    stage.control.set(f"templates/{TEMPLATE}", like=current, image={"keepalived": True})
    register = ("template", "register", "cse", TEMPLATE, "--kubernetes-version", "1.33.1")
    assert stage.run((*register, "--keepalived")).code == 0
    made = stage.run(("cluster", "create", NAME, "-n", "net1", "-N", "0", "-t", TEMPLATE))
    assert made.code == 0, made.err
    yield stage
    stage.reach(None)
    stage.control.set(f"templates/{TEMPLATE}", remove=True)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
def test_every_crash_converges(grown: Stage, before: int, after: int) -> None:
    begin = ("cluster", "resize", NAME, "--control-planes", str(before))
    words = ("cluster", "resize", NAME, "--control-planes", str(after))
    assert grown.run(begin).code == 0
    ended, requests = grown.counted(words)
    assert ended.code == 0, ended.err
    wanted = grown.world()
    for number in range(1, requests + 1):
        assert grown.run(begin).code == 0
        crashed = grown.killed_after(words, number)
        if crashed.killed:
            again = grown.run(words)
            assert again.code == 0, (number, again.err)
        assert grown.world() == wanted, f"killed after request {number} of {requests}"
