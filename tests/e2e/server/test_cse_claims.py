"""What a CSE server's cluster says of itself is a claim of whoever may edit its entity."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.server.story import Stage
from tests.support.editor import Editor

_TEMPLATE = ("-t", "ubuntu-16.04_k8-1.18_weave-2.6.5")
_ENTITIES = "/cloudapi/1.0.0/entities"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    accept = "application/json;version=36.0"
    folder = tmp_path_factory.mktemp("claims")
    stage = Stage(folder, "--cse", "3.1.4", "--guest-speed", "20", accept=accept)
    for words in (
        ("--engine", "direct", "cluster", "create", "vault", "-n", "net1", "-N", "0", *_TEMPLATE),
        ("--engine", "direct", "cluster", "config", "vault", "--save"),
        ("cluster", "create", "mal", "-n", "net1", "-N", "0", *_TEMPLATE),
        ("cluster", "create", "good", "-n", "net1", "-N", "0", *_TEMPLATE),
        ("cluster", "config", "good", "--save"),
    ):
        done = stage.run("cse", *words)
        assert done.code == 0, done.err
    yield stage
    stage.close()


class EntityEditor(Editor):
    """Somebody who may edit the entities of clusters."""

    def claim(self, cluster: str, vapp: str) -> None:
        """Let a cluster's entity name another vApp as its own."""
        listed = self._json("GET", f"{_ENTITIES}/types/cse/nativeCluster/2.1.0")["values"]
        (identity,) = (one["id"] for one in listed if one["name"] == cluster)
        entity = self._json("GET", f"{_ENTITIES}/{identity}")
        entity["externalId"] = f"{entity['externalId'].rpartition('vapp-')[0]}vapp-{vapp}"
        self._json("PUT", f"{_ENTITIES}/{identity}", entity)

    def _json(self, method: str, path: str, body: object = None) -> Any:
        headers = {
            **self._headers(),
            "Accept": "application/json;version=36.0",
            "Content-Type": "application/json",
        }
        sent = "" if body is None else json.dumps(body)
        return json.loads(self._send(method, path, headers, sent).read())


def test_a_deleted_cluster_takes_no_others_context_along(stage: Stage) -> None:
    config = stage.home / ".kube" / "config"
    vault = stage.control.get("state")["vapps"]["vault"]["id"]
    EntityEditor(stage.cloud).claim("mal", vault)
    before = config.read_bytes()
    deleted = stage.run("cse", "cluster", "delete", "mal", "--yes")
    assert deleted.code == 0, deleted.err
    assert f"the vApp {vault}, which cluster mal claimed as its own, still exists" in deleted.err
    assert config.read_bytes() == before
    assert "vault" in stage.control.get("state")["vapps"]


def test_the_context_of_the_deleted_goes(stage: Stage) -> None:
    config = stage.home / ".kube" / "config"
    assert "good" in config.read_text()
    deleted = stage.run("cse", "cluster", "delete", "good", "--yes")
    assert deleted.code == 0, deleted.err
    assert deleted.err.endswith(f"The cluster was removed from {config}.\n")
    assert "good" not in config.read_text()
