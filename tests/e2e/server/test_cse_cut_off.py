"""Changes whose answer VCD cuts off: accepted, followed by their effect, and never sent twice."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.e2e.server.story import Stage

_ACCEPTS = {
    "2.6.1": "application/json;version=36.0",
    "3.0.5": "application/json;version=35.0",
    "3.1.4": "application/json;version=36.0",
}
#: An HTTP date says whole seconds, so a cluster must be a few of them old to be known as older.
_OLD = 4.0


@pytest.fixture(scope="module", params=list(_ACCEPTS))
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    version = str(request.param)
    folder = tmp_path_factory.mktemp(f"cse-{version}")
    stage = Stage(folder, "--cse", version, "--no-guests", accept=_ACCEPTS[version])
    made = stage.run("cse", "cluster", "create", "demo", "-n", "net1", "-N", "1", *_TEMPLATE)
    assert made.code == 0, made.err
    yield stage
    stage.close()


_TEMPLATE = ("-t", "ubuntu-16.04_k8-1.18_weave-2.6.5", "-r", "2")


@pytest.fixture
def stage(shared: Stage) -> Iterator[Stage]:
    """A server whose answers to changes come too late."""
    shared.control.set("cse", late=1.0, patience=0.3, changes_only=True)
    shared.control.ask("DELETE", "journal")
    yield shared
    shared.control.ask("DELETE", "cse")
    shared.log_in(shared.cloud)


def changes(stage: Stage) -> list[str]:
    """Return methods and paths of what was sent to the server and was no question."""
    lines = [line.partition(" [")[0] for line in stage.wire()]
    return [line for line in lines if not line.startswith("GET") and "/api/cse" in line]


def test_a_creation_of_a_name_that_is_taken(stage: Stage) -> None:
    time.sleep(_OLD)
    result = stage.run("cse", "cluster", "create", "demo", "-n", "net1", "-N", "3", *_TEMPLATE)
    assert (result.code, result.out) == (1, "")
    assert "already" in result.err or "there was a cluster of that name before" in result.err
    assert result.err.endswith("cse cluster info demo\n")
    assert len(changes(stage)) <= 1


def test_a_resize(stage: Stage) -> None:
    result = stage.run("cse", "cluster", "resize", "demo", "-N", "2")
    assert result.code == 0, result.err
    assert result.out == "Cluster demo has 1 control plane and 2 workers.\n"
    assert len(changes(stage)) == 1


def test_what_providers_change(stage: Stage) -> None:
    stage.log_in_as_provider()
    stage.control.ask("DELETE", "journal")
    for words in (
        ("ovdc", "enable", "vdc2", "-o", "acme", "-n"),
        ("ovdc", "disable", "vdc2", "-o", "acme", "-n"),
        ("system", "disable"),
        ("system", "enable"),
    ):
        result = stage.run("cse", *words)
        assert result.code == 0, (words, result.err)
    assert len(changes(stage)) == 4


def test_what_is_shared(stage: Stage) -> None:
    result = stage.run("cse", "cluster", "share", "author", "--name", "demo", "--acl", "ReadOnly")
    if "3.1" not in stage.run("cse", "system", "info").out:
        assert result.code == 2
        return
    assert result.code == 0, result.err
    assert "author" in stage.run("cse", "cluster", "share-list", "--name", "demo").out
    assert len(changes(stage)) == 1


@pytest.mark.parametrize("operation", ["cluster operation", "vdcRecomposeVapp"])
def test_a_creation_that_then_fails(stage: Stage, operation: str) -> None:
    """At once, or halfway with its vApp rolled back: told with the server's own words."""
    stage.control.set("faults", kind="task", operation=operation, message="No address is left.")
    began = time.monotonic()
    result = stage.run("cse", "cluster", "create", "bad", "-n", "net1", "-N", "1", *_TEMPLATE)
    stage.control.ask("DELETE", "faults")
    assert (result.code, result.out) == (1, "")
    assert "Error: The creation of cluster 'bad' failed: " in result.err
    assert "No address is left" in result.err
    assert result.err.count("\nError: ") == 1
    assert len(changes(stage)) == 1
    assert time.monotonic() - began < 30
    stage.run("cse", "cluster", "delete", "bad", "--yes")


@pytest.mark.parametrize(
    "words",
    [
        ("cluster", "resize", "demo", "-N", "3"),
        ("node", "create", "demo", "-n", "net1"),
        ("cluster", "delete", "demo", "--yes"),
    ],
)
def test_another_change_that_then_fails(stage: Stage, words: tuple[str, ...]) -> None:
    if words[0] == "node" and "2.6" not in stage.run("cse", "system", "info").out:
        words = ("cluster", "resize", "demo", "-N", "4")
    stage.control.set("faults", kind="task", operation="cluster operation", message="Out of order.")
    began = time.monotonic()
    result = stage.run("cse", *words)
    stage.control.ask("DELETE", "faults")
    assert (result.code, result.out) == (1, ""), result.err
    assert "failed: Out of order.\n" in result.err
    assert time.monotonic() - began < 30


def test_without_waiting_the_task_is_found(stage: Stage) -> None:
    result = stage.run(
        "-n", "cse", "cluster", "create", "other", "-n", "net1", "-N", "0", *_TEMPLATE
    )
    assert result.code == 0, result.err
    follow = result.out.splitlines()[-1]
    assert follow.startswith("vcd task wait ")
    assert stage.run(*follow.split()[1:]).code == 0
    deleted = stage.run("cse", "cluster", "delete", "other", "--yes")
    assert deleted.code == 0, deleted.err
    assert len(changes(stage)) == 2
