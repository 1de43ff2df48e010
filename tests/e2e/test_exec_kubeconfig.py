"""Kubeconfigs that renew themselves: the real kubectl runs this program for a short certificate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest
import yaml

from tests.support.programs import CSE, Workstation, clean_environment
from tests.support.simulator import Cloud, Control, Login

NAME = "renewed"


@pytest.fixture(scope="module")
def place(
    cloud: Cloud, login: Login, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workstation]:
    home = tmp_path_factory.mktemp("renewed")
    (home / ".vcd-cli").mkdir()
    login.put_into(home)
    place = Workstation(home, {**clean_environment(home), **cloud.environment()})
    # not waited for by the command that creates it
    create = ("cluster", "create", NAME, "-n", "net1", "-N", "1")
    place.run(CSE, "-n", *create).checked()
    waited = place.run(CSE, "cluster", "wait", NAME, "--for", "ready", "--timeout", "60s")
    assert waited.checked() == f"Cluster {NAME} is ready.\n"
    assert "run the same `cluster create` command again, without -n.\n" in waited.err
    place.run(CSE, *create).checked()
    assert place.run(CSE, "cluster", "wait", NAME, "--for", "node=1").err == ""
    yield place
    place.run(CSE, "cluster", "delete", NAME, "--yes")


def test_an_administrator(place: Workstation, control: Control) -> None:
    place.run(CSE, "cluster", "config", NAME, "--save", "--exec", "--ttl", "30m").checked()
    (user,) = yaml.safe_load((place.home / ".kube/config").read_text())["users"]
    assert set(user["user"]) == {"exec", "extensions"}
    assert place.kubectl("get", "nodes", "-o", "name").checked().startswith("node/mstr-")
    assert control.requests()
    # the credential is kept, so VCD is not asked again
    place.kubectl("auth", "can-i", "*", "*").checked()
    assert control.requests() == []
    (kept,) = (place.home / ".local/state/cse-client/credentials").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    document = json.loads(kept.read_text())
    assert document["apiVersion"] == "client.authentication.k8s.io/v1"

    # one that is about to expire is replaced
    document["status"]["expirationTimestamp"] = "2020-01-01T00:00:00Z"
    kept.write_text(json.dumps(document))
    place.kubectl("get", "nodes").checked()
    assert json.loads(kept.read_text())["status"]["expirationTimestamp"] > "2026"


def test_a_limited_user(place: Workstation) -> None:
    place.run(CSE, "cluster", "grant", NAME, "--user", "ann", "--role", "view").checked()
    words = ("--save", "--exec", "--user", "ann", "--context", "ann", "--set-current")
    place.run(CSE, "cluster", "config", NAME, *words).checked()
    place.kubectl("get", "pods", "-n", "default").checked()
    refused = place.kubectl("get", "nodes")
    assert refused.code == 1
    assert 'User "ann" cannot list resource "nodes"' in refused.err


def test_nobody_is_asked_who_is_not_logged_in(place: Workstation) -> None:
    shutil.rmtree(place.home / ".local/state/cse-client/credentials")
    profiles = place.home / ".vcd-cli/profiles.yaml"
    text = profiles.read_text()
    profiles.write_text("extensions: [cse_client.cse]\n")
    try:
        failed = place.kubectl("get", "nodes")
    finally:
        profiles.write_text(text)
    assert failed.code == 1
    assert "Error: You are not logged in." in failed.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["config", NAME, "--exec"], "Error: --exec requires --save."),
        (["credential", NAME, "--ca", "0" * 64], "has another CA than the one in your kubeconfig."),
        (["credential", NAME, "--ttl", "5s"], "The lifetime is too short"),
        (["credential", NAME, "--user", "system:x"], "system:"),
    ],
)
def test_refusals(place: Workstation, words: list[str], message: str) -> None:
    done = place.run(CSE, "cluster", *words)
    assert done.code in (2, 4)
    assert done.out == ""
    assert message in done.err
