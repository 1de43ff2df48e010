"""A CSE server that is down, late, stuck, or answers with what is no answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.server.story import Stage

ACCEPT = "application/json;version=36.0"
DIRECT = "Hint: Without the server: cse --engine direct cluster list\n"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("cse")
    stage = Stage(folder, "--cse", "2.6.1", "--no-guests", accept=ACCEPT)
    yield stage
    stage.close()


@pytest.fixture
def stage(shared: Stage) -> Iterator[Stage]:
    """A server that behaves, before and after."""
    yield shared
    shared.control.ask("DELETE", "cse")


def made(stage: Stage) -> list[str]:
    return sorted(stage.control.get("state")["vapps"])


def test_a_change_that_vcd_cuts_off_is_followed_and_not_repeated(stage: Stage) -> None:
    stage.control.set("cse", late=1.0, patience=0.3, changes_only=True)
    stage.control.ask("DELETE", "journal")
    created = stage.run("cse", "cluster", "create", "late", "-n", "net1", "-N", "1")
    assert (created.code, created.out.splitlines()[0].split(",")[0]) == (
        0,
        "Cluster late is ready: 1 control plane and 1 worker",
    ), created.err
    changes = [line for line in stage.wire() if not line.startswith("GET")]
    assert [line.partition(" [")[0] for line in changes] == ["POST /api/cse/clusters"]
    stage.control.ask("DELETE", "cse")
    assert stage.run("cse", "cluster", "delete", "late", "--yes").code == 0
    assert made(stage) == []


def test_a_task_that_never_ends(stage: Stage) -> None:
    stage.control.set("cse", stuck=True)
    created = stage.run(
        "cse", "cluster", "create", "slow", "-n", "net1", "-N", "0", "--timeout", "6s"
    )
    assert (created.code, created.out) == (5, "")
    assert "was still running when the timeout expired." in created.err
    assert created.err.count("Error:") == 1
    assert "vcd task wait " in created.err
    stage.control.ask("DELETE", "cse")
    assert stage.run("cse", "cluster", "delete", "slow", "--yes").code == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("html", "got an HTML page without a title where the CSE server answers JSON.\n"),
        ("empty", "the CSE server gave an empty answer.\n"),
        ("broken", "got HTTP 500 and text/plain, which is not a VCD answer.\n"),
        ("silent", "a CSE server is registered with VCD at {host} but does not answer.\n"),
    ],
)
def test_a_read_that_is_not_answered(stage: Stage, wrong: str, said: str) -> None:
    stage.control.set("cse", **{wrong: True})
    result = stage.run("cse", "cluster", "list")
    assert (result.code, result.out) == (1, "")
    said = said.format(host=stage.cloud.host)
    assert result.err.startswith(f"Error: Cannot list the clusters: {said}")


def test_a_change_that_a_proxy_answers(stage: Stage) -> None:
    stage.control.set("cse", html=True)
    result = stage.run("cse", "cluster", "create", "new", "-n", "net1")
    assert (result.code, result.out) == (1, "")
    assert "got an HTML page without a title where the CSE server answers JSON.\n" in result.err
    assert result.err.count("Error:") == 1
    assert made(stage) == []


@pytest.mark.parametrize("wrong", ["empty", "broken", "silent"])
def test_a_change_without_an_answer_that_has_no_effect(stage: Stage, wrong: str) -> None:
    """Nobody knows whether the server acts, so the command waits for the effect till the end."""
    stage.control.set("cse", changes_only=True, **{wrong: True})
    result = stage.run("cse", "cluster", "create", "new", "-n", "net1", "--timeout", "6s")
    assert (result.code, result.out) == (5, "")
    assert "The creation of cluster 'new' showed no effect before the timeout expired" in result.err
    assert result.err.endswith("Hint: cse cluster info new\n")
    assert made(stage) == []


def test_a_probe_that_somebody_else_answers(stage: Stage) -> None:
    stage.control.set("cse", probe=True, html=True)
    result = stage.run("cse", "cluster", "list")
    assert (result.code, result.out) == (1, "")
    assert "does not answer like VMware Cloud Director (an HTML page without a title)" in result.err


@pytest.mark.parametrize("wrong", [{"empty": True}, {"broken": True}])
def test_a_probe_that_is_no_answer(stage: Stage, wrong: dict[str, bool]) -> None:
    stage.control.set("cse", probe=True, **wrong)
    result = stage.run("cse", "cluster", "list")
    assert (result.code, result.out) == (1, "")
    assert f"A CSE server is registered with VCD at {stage.cloud.host} but does not answer (" in (
        result.err
    )
    assert result.err.endswith(DIRECT)
    assert stage.run("cse", "--engine", "direct", "cluster", "list").code == 0


def test_a_session_that_has_expired(stage: Stage) -> None:
    stage.control.set("sessions", expire=True)
    result = stage.run("cse", "cluster", "list")
    assert (result.code, result.out) == (4, "")
    assert result.err.startswith("Error: ")
    assert "cse login" in result.err
    stage.log_in(stage.cloud)
    assert stage.run("cse", "cluster", "list").code == 0


def test_a_server_that_is_down(tmp_path_factory: pytest.TempPathFactory) -> None:
    stage = Stage(tmp_path_factory.mktemp("down"), "--cse", "down", "--no-guests", accept=ACCEPT)
    try:
        result = stage.run("cse", "cluster", "list")
        assert (result.code, result.out) == (1, "")
        assert result.err == (
            f"Error: A CSE server is registered with VCD at {stage.cloud.host} but does not "
            f"answer (HTTP 504).\n{DIRECT}"
        )
        assert stage.wire() == ["GET /api/cse/system"]
        assert stage.run("cse", "--engine", "direct", "cluster", "list").code == 0
    finally:
        stage.close()
