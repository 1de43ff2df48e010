"""A cluster of the simulated CSE server 3.1.4 whose machines run: real scripts, real kubectl."""

from __future__ import annotations

import json
from pathlib import Path

from cse_client.simulator import Simulator
from tests.simulator.cse.entities import Caller, spec_2
from tests.support.programs import Workstation


def test_the_kubeconfig_opens_the_cluster(tmp_path: Path) -> None:
    with (
        Simulator(guest_speed=20, cse="3.1.4") as running,
        Caller.of(running, "36.0") as caller,
    ):
        made = caller.cse("POST", "clusters", spec_2(workers=2), 202)
        assert caller.wait(made)[0] == "success"
        config = tmp_path / "config"
        config.write_text(caller.cse("GET", f"cluster/{made['id']}/config")["message"])

        def nodes() -> set[str]:
            words = ("--kubeconfig", str(config), "get", "nodes", "-o", "json")
            shown = Workstation(tmp_path).kubectl(*words).checked()
            return {one["metadata"]["name"] for one in json.loads(shown)["items"]}

        shown = caller.settled(made["id"])["entity"]
        known = shown["status"]["nodes"]
        workers = [one["name"] for one in known["workers"]]
        assert nodes() == {known["controlPlane"]["name"], *workers}
        shown["spec"]["topology"]["workers"]["count"] = 1
        assert caller.wait(caller.cse("PUT", f"cluster/{made['id']}", shown, 202))[0] == "success"
        assert nodes() == {known["controlPlane"]["name"], workers[0]}
