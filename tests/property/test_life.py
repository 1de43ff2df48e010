"""A cluster's whole life at random: whatever happens, model and cloud agree and nothing is left."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.sweeps.faults import FAULTS
from tests.sweeps.kills import FULL
from tests.sweeps.stage import NAME, Stage, one_sentence

WORKERS = st.integers(0, 2)
PLACES = st.integers(1, 20)
SECRETS = ("PRIVATE KEY", "client-key-data", "Bearer ")


class Life(RuleBasedStateMachine):
    """One cloud and one cluster; `workers` is the model: None is no cluster."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="life.")
        self.stage = Stage(Path(self.folder.name))
        self.workers: int | None = None
        self.free = self._networks()

    def teardown(self) -> None:
        """Delete what is there: the cloud is as it was before."""
        try:
            if self.workers is not None:
                ended = self.stage.run(("cluster", "delete", NAME, "--yes"))
                assert ended.code == 0, ended.err
            assert self._networks() == self.free
            assert NAME not in self.stage.control.get("state")["vapps"]
        finally:
            self.stage.close()
            self.folder.cleanup()

    @precondition(lambda self: self.workers is None)
    @rule(workers=WORKERS)
    def create(self, workers: int) -> None:
        self._run(*self._creation(workers))
        self.workers = workers

    @precondition(lambda self: self.workers is None)
    @rule(workers=WORKERS, place=PLACES)
    def create_and_crash(self, workers: int, place: int) -> None:
        self._crash(place, *self._creation(workers), also=(0, 1))
        self.workers = workers

    @precondition(lambda self: self.workers is not None)
    @rule(workers=WORKERS)
    def resize(self, workers: int) -> None:
        self._run("cluster", "resize", NAME, "--nodes", str(workers))
        self.workers = workers

    @precondition(lambda self: self.workers is not None)
    @rule(workers=WORKERS, place=PLACES)
    def resize_and_crash(self, workers: int, place: int) -> None:
        self._crash(place, "cluster", "resize", NAME, "--nodes", str(workers))
        self.workers = workers

    @precondition(lambda self: self.workers is not None)
    @rule(workers=WORKERS, place=PLACES, kind=st.sampled_from(sorted(FAULTS)))
    def resize_with_a_fault(self, workers: int, place: int, kind: str) -> None:
        words = ("cluster", "resize", NAME, "--nodes", str(workers))
        self.stage.control.set("faults", **{**FAULTS[kind], "at": place})
        ended = self.stage.run(words)
        self.stage.control.ask("DELETE", "faults")
        if FAULTS[kind]["kind"] == "expire_session":
            self.stage.log_in()
        if ended.code:
            assert one_sentence(ended.err), ended.err
            self._run(*words)
        self.workers = workers

    @precondition(lambda self: self.workers)
    @rule()
    def delete_a_node(self) -> None:
        assert self.workers is not None
        self._run("node", "delete", NAME, self.stage.workers()[0], "--yes")
        self.workers -= 1

    @precondition(lambda self: self.workers)
    @rule()
    def lose_a_node_and_repair(self) -> None:
        self.stage.control.set(f"guests/{self.stage.workers()[0]}", crash=True)
        self._run("cluster", "repair", NAME, "--yes")

    @precondition(lambda self: self.workers is not None)
    @rule()
    def delete(self) -> None:
        self._run("cluster", "delete", NAME, "--yes")
        self.workers = None

    @invariant()
    def model_and_cloud_agree(self) -> None:
        world = self.stage.world()
        assert world["running tasks"] == []
        if self.workers is None:
            assert NAME not in world["vapps"]
            assert self._networks() == self.free
            return
        vapp = world["vapps"][NAME]
        kinds = sorted(vm[0] for vm in vapp["vms"])
        assert kinds == ["mstr-"] + ["node-"] * self.workers
        assert {vm[1] for vm in vapp["vms"]} == {"POWERED_ON"}
        assert [node[2] for node in world["nodes"]] == ["Ready"] * (1 + self.workers)
        assert self._networks()["net1"] == self.free["net1"] - 1 - self.workers
        claims = [key for key in vapp["metadata"] if "lock" in key or "operation" in key]
        assert claims == []

    @invariant()
    def no_secret_is_out_of_its_place(self) -> None:
        state = self.stage.control.get("state")
        for vapp in state["vapps"].values():
            shown = str(vapp["metadata"]) + vapp["description"]
            assert not any(secret in shown for secret in SECRETS)
        for path in self.stage.home.rglob("*"):
            if path.is_file() and "cse-client" in str(path):
                text = path.read_text(errors="replace")
                assert not any(secret in text for secret in SECRETS), path

    # Private

    def _creation(self, workers: int) -> tuple[str, ...]:
        return ("cluster", "create", NAME, "-n", "net1", "-N", str(workers))

    def _run(self, *words: str) -> None:
        ended = self.stage.run(words)
        assert ended.code == 0, (words, ended.err)

    def _crash(self, place: int, *words: str, also: tuple[int, ...] = (0,)) -> None:
        crashed = self.stage.killed_after(words, place)
        if not crashed.killed:
            assert crashed.code == 0, crashed.err
            return
        again = self.stage.run(words)
        assert again.code in also, (words, again.err)

    def _networks(self) -> Any:
        networks = self.stage.control.get("state")["networks"]
        return {name: network["free"] for name, network in networks.items()}


Life.TestCase.settings = settings(
    max_examples=30 if FULL else 2,
    stateful_step_count=12 if FULL else 4,
    # the same sequences each time, unless the whole sweep is asked for
    derandomize=not FULL,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestLife = pytest.mark.timeout(3600 if FULL else 400)(Life.TestCase)
