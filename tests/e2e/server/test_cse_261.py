"""Every command in front of CSE 2.6.1, behind a VCD that offers API 36: wire and output."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.server.story import Stage, await_versions, chapter, kubectl, offer_an_upgrade

BOOK = "cse-2.6.1"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("cse")
    # the version of the session, whatever the server was configured for
    accept = "application/json;version=36.0"
    stage = Stage(folder, "--cse", "2.6.1", "--guest-speed", "20", accept=accept)
    yield stage
    stage.close()


def test_a_tenants_story(stage: Stage) -> None:
    for step in chapter(BOOK, "tenant"):
        stage.play(step)


def test_an_upgrade(stage: Stage) -> None:
    offer_an_upgrade(stage)
    plan, upgrade, delete = chapter(BOOK, "upgrade")
    made = stage.run("cse", "cluster", "create", "old", "-n", "net1", "-N", "1")
    assert made.code == 0, made.err
    stage.play(plan)
    stage.play(upgrade)
    await_versions(stage, "old", "v1.19.3", "v1.19.3")
    stage.play(delete)


def test_each_side_manages_the_others_clusters(stage: Stage) -> None:
    """The server's clusters and the direct engine's are the same thing to both."""
    direct = ("cse", "--engine", "direct")
    mine = ("cluster", "create", "mine", "-n", "net1", "-N", "0")
    assert stage.run(*direct, *mine).code == 0
    rows = json.loads(stage.run("-j", "cse", "cluster", "list").out)
    assert [row["Name"] for row in rows] == ["mine"]
    grown = stage.run("cse", "cluster", "resize", "mine", "-N", "1")
    assert grown.code == 0, grown.err
    nodes = json.loads(stage.run("-j", *direct, "node", "list", "mine").out)
    assert [(node["Kind"], node["Kubernetes"]) for node in nodes] == [
        ("control plane", "Ready"),
        ("worker", "Ready"),
    ]
    theirs = stage.run("cse", "cluster", "config", "mine").out
    assert kubectl(stage, theirs, "get", "nodes", "-o", "name").count("node/") == len(nodes)
    gone = stage.run("cse", "cluster", "delete", "mine", "--yes")
    assert gone.code == 0, gone.err
    listed = stage.run(*direct, "cluster", "list")
    assert (listed.out, listed.err) == ("", "No clusters in organization acme.\n")


def test_a_providers_story(stage: Stage) -> None:
    stage.log_in_as_provider()
    for step in chapter(BOOK, "provider"):
        stage.play(step)
