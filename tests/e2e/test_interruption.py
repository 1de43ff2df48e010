"""Stopped in the middle: said so, resumable by the same command, removable by delete."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.programs import VCD, Result, command_line
from tests.support.simulator import Control, Login
from tests.support.waiting import until

Run = Callable[..., Result]

CREATE = ("cluster", "create", "halfway", "-n", "net1", "-N", "1")
HINT = "cse cluster delete halfway"


@pytest.fixture(autouse=True)
def _removed(cse: Run, control: Control, login: Login) -> Iterator[None]:
    """Remove what a test left behind."""
    yield
    control.ask("DELETE", "faults")
    if "halfway" in control.get("state")["vapps"]:
        cse("cluster", "delete", "halfway", "--yes")


@pytest.fixture
def stop(
    home: Path, environment: dict[str, str], logged_in: Path, control: Control
) -> Callable[..., Result]:
    """Start a command, send it a signal once its stderr holds some text, and faults were met.

    With `at_fault` also once the simulator has acted on a request that it does not answer.
    """

    def is_time(text: str) -> bool:
        shown = (home / "err").read_text()
        return text in shown and all(rule["hit"] for rule in control.get("faults"))

    def start(number: signal.Signals, text: str, *words: str, at_fault: bool = False) -> Result:
        with (home / "out").open("wb") as out, (home / "err").open("wb") as err:
            process = subprocess.Popen(
                command_line(VCD, "cse", *words), cwd=home, env=environment, stdout=out, stderr=err
            )
        deadline = time.monotonic() + 60
        while not is_time(text):
            assert process.poll() is None, (home / "err").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        while at_fault and not any(rule["acted"] for rule in control.get("faults")):
            assert process.poll() is None, (home / "err").read_text()
            time.sleep(0.02)
        process.send_signal(number)
        code = process.wait(60)
        return Result(code, (home / "out").read_text(), (home / "err").read_text())

    return start


def vms(control: Control) -> list[str]:
    """Return the kinds of the VMs of the cluster, sorted."""
    vapp = control.get("state")["vapps"]["halfway"]
    return sorted(name.partition("-")[0] for name in vapp["vms"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("step", ["• [1/4]", "• [2/4]", "• [3/4]"])
def test_a_signal_then_the_same_command(
    cse: Run, stop: Run, control: Control, number: signal.Signals, step: str
) -> None:
    if number is not signal.SIGINT and step != "• [2/4]":
        pytest.skip("one step is enough for the other signals")
    control.set("faults", kind="slow", method="POST", path="vApp", seconds=1, times=0)
    stopped = stop(number, step, *CREATE)
    control.ask("DELETE", "faults")
    assert (stopped.code, stopped.out) == (5, "")
    assert HINT in stopped.err
    assert "Traceback" not in stopped.err

    resumed = cse(*CREATE)
    assert resumed.code == 0, resumed.err
    assert resumed.out.startswith("Cluster halfway is ready: 1 control plane and 1 worker, ")
    assert vms(control) == ["mstr", "node"]


@pytest.fixture
def stop_at_the_end(
    home: Path, environment: dict[str, str], logged_in: Path, control: Control
) -> Callable[..., Result]:
    """Interrupt a command when its last record is written and no answer has come yet."""

    def start(*words: str) -> Result:
        # the claim with the beginning, and the end
        control.set("faults", kind="hang", method="POST", path="/metadata$", at=2, act=True)
        with (home / "out").open("wb") as out, (home / "err").open("wb") as err:
            process = subprocess.Popen(
                command_line(VCD, "cse", *words), cwd=home, env=environment, stdout=out, stderr=err
            )
        while not any(rule["acted"] for rule in control.get("faults")):
            assert process.poll() is None, (home / "err").read_text()
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        code = process.wait(60)
        control.ask("DELETE", "faults")
        return Result(code, (home / "out").read_text(), (home / "err").read_text())

    return start


def test_interrupted_after_the_very_last_change(
    cse: Run, stop_at_the_end: Run, control: Control
) -> None:
    created = stop_at_the_end(*CREATE)
    assert created.code == 5
    assert "Error: Interrupted; cluster 'halfway' is ready.\n" in created.err
    assert "cse cluster info halfway" in created.err

    grown = stop_at_the_end("node", "create", "halfway")
    assert grown.code == 5
    assert "Error: Interrupted; cluster 'halfway' has all its new nodes.\n" in grown.err
    hint = "cse cluster resize halfway --nodes 2"
    assert hint in grown.err
    assert cse(*hint.split()[1:]).code == 0
    assert vms(control) == ["mstr", "node", "node"]

    words = ("node", "delete", "halfway", _worker(control), "--yes")
    removed = stop_at_the_end(*words)
    assert (removed.code, "Run the same command again to resume." in removed.err) == (5, True)
    again = cse(*words)
    assert (again.code, again.out) == (0, f"Already deleted: {words[3]}.\n"), again.err
    assert vms(control) == ["mstr", "node"]
    assert cse("node", "delete", "halfway", "node-typo", "--yes").code == 3
    damaged = cse("cluster", "info", "halfway")
    assert "Problems" not in damaged.out


def _worker(control: Control) -> str:
    names: list[str] = list(control.get("state")["vapps"]["halfway"]["vms"])
    return next(name for name in names if name.startswith("node-"))


def test_a_signal_then_delete(cse: Run, stop: Run, control: Control) -> None:
    before = control.possessions()
    control.set("faults", kind="slow", method="POST", path="/metadata$", seconds=1, times=0)
    assert stop(signal.SIGINT, "• [2/4]", *CREATE).code == 5
    control.ask("DELETE", "faults")
    deleted = cse("cluster", "delete", "halfway", "--yes")
    assert deleted.code == 0, deleted.err
    assert control.possessions() == before


def test_what_is_unfinished_outlives_other_commands(cse: Run, stop: Run, control: Control) -> None:
    cse(*CREATE).checked()
    grow = ("cluster", "resize", "halfway", "--nodes", "2")
    control.set("faults", kind="hang", method="POST", path="recomposeVApp")
    assert stop(signal.SIGINT, "• [2/5]", *grow).code == 5
    control.ask("DELETE", "faults")
    cse("cluster", "stop", "halfway", "--yes").checked()
    cse("cluster", "start", "halfway").checked()
    (worker, *_others) = [
        name for name in control.get("state")["vapps"]["halfway"]["vms"] if name.startswith("node-")
    ]
    refused = cse("node", "delete", "halfway", worker, "--yes")
    assert refused.code == 1
    assert "Cluster 'halfway' has an unfinished operation" in refused.err
    assert " ".join(grow) in refused.err
    cse(*grow).checked()
    assert vms(control) == ["mstr", "node", "node"]


@pytest.mark.parametrize(
    "words",
    [
        ("cluster", "resize", "halfway", "--nodes", "2"),
        ("cluster", "stop", "halfway", "--yes"),
    ],
    ids=["resize", "stop"],
)
def test_interrupted_while_the_cluster_is_claimed(
    cse: Run, stop: Run, control: Control, words: tuple[str, ...]
) -> None:
    cse(*CREATE).checked()
    control.set("faults", kind="hang", method="POST", path="/metadata$", at=1, act=True)
    text = "[1/" if "resize" in words else ""
    stopped = stop(signal.SIGINT, text, *words, at_fault=True)
    assert (stopped.code, stopped.out) == (5, "")
    assert stopped.err.endswith("Error: Interrupted; nothing was changed.\n"), stopped.err
    info = cse("cluster", "info", "halfway")
    assert "Problems" not in info.out
    control.ask("DELETE", "faults")
    assert vms(control) == ["mstr", "node"]
    cse("cluster", "stop", "halfway", "--yes").checked()


def test_a_session_that_expires_in_the_middle(
    cse: Run, control: Control, login: Login, home: Path
) -> None:
    login.forget()
    control.set("faults", kind="expire_session", method="POST", path="composeVApp", times=1)
    stopped = cse(*CREATE)
    assert (stopped.code, stopped.out) == (4, "")
    assert "has expired or is not valid" in stopped.err
    assert "Log in again: cse login" in stopped.err
    login.put_into(home)
    resumed = cse(*CREATE)
    assert resumed.code == 0, resumed.err
    assert vms(control) == ["mstr", "node"]


def test_a_time_that_runs_out(cse: Run, control: Control) -> None:
    control.set("faults", kind="slow", method="POST", path="composeVApp", seconds=2, times=0)
    stopped = cse(*CREATE, "--timeout", "1s")
    control.ask("DELETE", "faults")
    assert (stopped.code, stopped.out) == (5, "")
    assert HINT in stopped.err
    resumed = cse(*CREATE)
    assert resumed.code == 0, resumed.err


# with two of them slow, the earlier one arrives between the second run's check and its own
@pytest.mark.parametrize(("seconds", "slow"), [(4.5, 1), (8, 1), (6, 2)])
def test_a_request_that_was_cut_off_and_arrives_late_makes_nothing_twice(
    cse: Run, control: Control, seconds: float, slow: int
) -> None:
    rule = {"kind": "slow", "method": "POST", "path": "composeVApp", "seconds": seconds}
    control.set("faults", **rule, times=slow)
    stopped = cse(*CREATE, "--timeout", "3s")
    assert stopped.code == 5, stopped.err
    resumed = cse(*CREATE)
    control.ask("DELETE", "faults")
    assert resumed.code == 0, resumed.err
    time.sleep(max(0.0, seconds - 4))
    assert vms(control) == ["mstr", "node"]


def test_no_waiting(cse: Run, control: Control) -> None:
    left = cse(*CREATE, options=("-n",))
    assert left.code == 0, left.err
    assert left.out == "Cluster halfway is being created; the rest completes in the background.\n"
    assert "run the same command without -n to complete the creation;" in left.err
    assert left.err.endswith(" Next: cse cluster info halfway\n")
    assert vms(control) == ["mstr", "node"]
    until(
        lambda: re.search(r"\bReady\b", cse("cluster", "info", "halfway").out) is not None,
        "no node is Ready",
        60,
    )
