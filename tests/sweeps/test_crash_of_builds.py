"""Kill the client right after each request of `template build`; the same command must finish it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.sweeps.kills import FULL
from tests.sweeps.stage import Stage, places

NAME = "built"
BUILD = (
    *("template", "build", NAME, "--from", "images/ubuntu-24.04-server", "-n", "net1"),
    *("--kubernetes", "1.37"),
)
DELETE = ("template", "delete", NAME, "--yes")


def world(stage: Stage) -> Any:
    """Return what a build may leave: the template, and nothing else."""
    state = stage.control.get("state")
    items = state["catalogs"]["images"]["items"]
    made = items.get(NAME)
    if made is not None:
        kept = ("status", "customize_on_instantiate", "computer_name", "script_bytes", "password")
        made = {**{key: made[key] for key in kept}, "metadata": made["template"]}
    return {
        "vapps": sorted(state["vapps"]),
        "items": sorted(items),
        "template": made,
        "free addresses": {name: one["free"] for name, one in state["networks"].items()},
        "running tasks": state["tasks"]["running"],
    }


@pytest.mark.timeout(3600 if FULL else 300)
def test_every_crash_of_a_build_converges(
    stage: Stage, record_property: Callable[[str, object], None]
) -> None:
    nothing = world(stage)
    undisturbed, requests = stage.counted(BUILD)
    assert undisturbed.code == 0, undisturbed.err
    wanted = world(stage)
    assert wanted["vapps"] == nothing["vapps"]
    assert wanted["template"]["script_bytes"] == 0
    tried = 0
    for number in places(requests):
        assert stage.run(DELETE).code == 0
        assert world(stage) == nothing, f"deleted before {number}"
        crashed = stage.killed_after(BUILD, number)
        if not crashed.killed:
            # fewer looks at a task or at the VM were needed this time
            assert crashed.code == 0, (number, crashed.err)
            continue
        again = stage.run(BUILD)
        # killed after its last request, it had nothing more to do, and the name is taken
        assert again.code == 0 or "already has a template" in again.err, (number, again.err)
        assert world(stage) == wanted, f"killed after request {number} of {requests}: {again.err}"
        tried += 1
    assert tried
    record_property("sweep", ("template build", "killed", tried, 0, 0))
