"""What does not exist behind a CSE server, and what is so already: exit codes and next steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.server.story import Stage, offer_an_upgrade

_TEMPLATE = ("ubuntu-16.04_k8-1.18_weave-2.6.5", "2")
_NEWER = ("ubuntu-24.04_k8-1.33_antrea-2.3", "1")
_ACCEPTS = {"2.6.1": "36.0", "3.1.4": "36.0"}


@pytest.fixture(scope="module", params=list(_ACCEPTS))
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    version = str(request.param)
    accept = f"application/json;version={_ACCEPTS[version]}"
    folder = tmp_path_factory.mktemp(f"cse-{version}")
    stage = Stage(folder, "--cse", version, "--guest-speed", "20", accept=accept)
    offer_an_upgrade(stage)
    name, revision = _TEMPLATE
    words = ("-n", "net1", "-N", "0", "-t", name, "-r", revision)
    made = stage.run("cse", "cluster", "create", "demo", *words)
    assert made.code == 0, made.err
    yield stage
    stage.close()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("create new -n nope", 3, "VDC 'vdc1' has no network 'nope'; available: "),
        ("create new -n net1 -s nope", 3, "VDC 'vdc1' has no storage profile 'nope'; available: "),
        ("create new -n net1 --vdc nope", 3, "'nope'"),
        ("upgrade demo nope 1", 2, "demo"),
    ],
)
def test_what_does_not_exist(stage: Stage, words: str, code: int, said: str) -> None:
    template = ("-t", _TEMPLATE[0], "-r", _TEMPLATE[1]) if words.startswith("create") else ()
    before = stage.control.get("state")["vapps"]
    result = stage.run("cse", "cluster", *words.split(), *template)
    assert (result.code, result.out) == (code, ""), result.err
    assert said in result.err
    assert stage.control.get("state")["vapps"] == before


def test_an_upgrade_again(stage: Stage) -> None:
    first = stage.run("cse", "cluster", "upgrade", "demo", *_NEWER)
    assert first.code == 0, first.err
    again = stage.run("cse", "cluster", "upgrade", "demo", *_NEWER)
    assert (again.code, again.out) == (0, first.out), again.err


def test_an_upgrade_that_is_under_way_is_followed(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """CSE 2.6.1 itself would begin a second one beside it."""
    stage = Stage(
        tmp_path, "--cse", "2.6.1", "--guest-speed", "20", accept="application/json;version=36.0"
    )
    request.addfinalizer(stage.close)
    offer_an_upgrade(stage)
    words = ("-n", "net1", "-N", "0", "-t", _TEMPLATE[0], "-r", _TEMPLATE[1])
    assert stage.run("cse", "cluster", "create", "demo", *words).code == 0
    stage.control.set("cse", stuck=True)
    begun = stage.run("-n", "cse", "cluster", "upgrade", "demo", *_NEWER)
    assert begun.code == 0, begun.err
    stage.control.set("cse", stuck=False)
    refused = stage.run("-n", "cse", "cluster", "upgrade", "demo", *_NEWER)
    assert (refused.code, refused.out) == (1, ""), refused.err
    assert "Error: The CSE server is already processing cluster 'demo'.\n" in refused.err
    assert "Hint: Wait for it: vcd task wait " in refused.err
    waited = stage.run("cse", "cluster", "upgrade", "demo", *_NEWER, "--timeout", "6s")
    assert (waited.code, waited.out) == (5, ""), waited.err
    posts = [one for one in stage.control.requests() if "/action/upgrade" in str(one)]
    assert len(posts) == 1


def test_a_cluster_of_the_server_is_stopped_and_started(stage: Stage) -> None:
    """Its CA key is not ours, so that nobody can ask Kubernetes whether the nodes are Ready."""
    if "3.1" in stage.run("cse", "system", "info").out:
        pytest.skip("one release is enough: this is the direct engine's")

    def power() -> set[str]:
        (vapp,) = stage.control.get("state")["vapps"].values()
        return {str(vm["status"]) for vm in vapp["vms"].values()}

    running = power()
    stopped = stage.run("cse", "cluster", "stop", "demo", "--yes")
    assert stopped.code == 0, stopped.err
    assert power() != running
    repaired = stage.run("cse", "cluster", "repair", "demo", "--yes")
    assert repaired.code == 0, repaired.err
    assert (
        "Kubernetes cannot be asked: Cluster 'demo' was not created by this client" in repaired.err
    )
    assert power() == running
    healthy = stage.run("cse", "cluster", "repair", "demo")
    assert (healthy.code, healthy.out) == (3, ""), healthy.err
    assert "the nodes' state in Kubernetes is not known" in healthy.err
    assert stage.run("cse", "cluster", "stop", "demo", "--yes").code == 0
    started = stage.run("cse", "cluster", "start", "demo")
    assert (started.code, started.out) == (0, "Cluster demo is running.\n"), started.err
    assert (
        "Kubernetes cannot be asked: Cluster 'demo' was not created by this client" in started.err
    )
    assert power() == running


def test_a_server_that_is_so_already(stage: Stage) -> None:
    stage.log_in_as_provider()
    stopped = stage.run("cse", "system", "stop", "--yes")
    assert (stopped.code, stopped.out) != (0, "")
    assert "cse system enable" not in stopped.err
    assert stage.run("cse", "system", "disable").code == 0
    again = stage.run("cse", "system", "disable")
    assert (again.code, again.out, again.err) == (0, "CSE is already disabled.\n", "")
    assert stage.run("cse", "system", "enable").code == 0
    again = stage.run("cse", "system", "enable")
    assert (again.code, again.out) == (0, "CSE is already enabled and running.\n")
    if "2.6.1" in stage.run("cse", "system", "info").out:
        policy = ("ovdc", "compute-policy", "add", "nope", "-o", "acme", "-v", "vdc1")
        result = stage.run("cse", *policy)
        assert (result.code, result.out) == (3, ""), result.err
        assert "Compute policy 'nope' was not found" in result.err
    stage.log_in(stage.cloud)
