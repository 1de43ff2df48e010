"""The lease of a cluster's vApp: where VCD fails to change it, the cluster is made all the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.programs import Result
from tests.support.simulator import Control

Run = Callable[..., Result]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "task", "operation": "vappUpdateLease"}, id="the task fails"),
        pytest.param(
            # as from a proxy; a 500 is repeated for half a minute before it is a warning
            {"kind": "status", "status": 405, "method": "PUT", "path": "lease", "times": 0},
            id="the request fails",
        ),
    ],
)
def test_a_lease_that_stays_is_a_warning(cse: Run, control: Control, fault: dict[str, Any]) -> None:
    control.set("faults", **{"message": "Out of order.", **fault})
    made = cse("cluster", "create", "leased", "-n", "net1", "-N", "0", options=("-j",))
    try:
        assert made.code == 0, made.err
        assert "The vApp's lease could not be set to never: " in made.err
        assert json.loads(made.out)["phase"] == "ready"
    finally:
        control.ask("DELETE", "faults")
        cse("cluster", "delete", "leased", "--yes").checked()


def test_a_lease_is_asked_for_again_when_the_nodes_are_ready(cse: Run, control: Control) -> None:
    rule = {"kind": "redirect", "method": "PUT", "path": "lease", "status": 307}
    control.set("faults", **rule, location="https://127.0.0.1:1/")
    made = cse("cluster", "create", "leased", "-n", "net1", "-N", "0")
    try:
        assert (made.code, "lease could not" in made.err) == (0, False), made.err
        vapp = control.get("state")["vapps"]["leased"]
        assert (vapp["deployment_lease"], vapp["storage_lease"]) == (0, 0)
    finally:
        control.ask("DELETE", "faults")
        cse("cluster", "delete", "leased", "--yes").checked()
