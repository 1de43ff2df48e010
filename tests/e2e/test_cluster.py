"""One cluster, looked at from all sides."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.programs import VCD, Result, Workstation, clean_environment
from tests.support.simulator import Cloud, Login

NAME = "shared"


Place = Callable[..., Result]


@pytest.fixture(scope="module")
def home_of(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home that this file's tests share."""
    home = tmp_path_factory.mktemp("cluster")
    (home / ".vcd-cli").mkdir()
    return home


@pytest.fixture(scope="module")
def place(cloud: Cloud, login: Login, home_of: Path) -> Iterator[Place]:
    """A logged-in home and a cluster; run programs there with the function."""
    home = home_of
    login.put_into(home)
    env = {**clean_environment(home), **cloud.environment()}

    start = Workstation(home, env).run

    made = start(VCD, "-j", "cse", "cluster", "create", NAME, "-n", "net1", "-N", "1")
    assert made.code == 0, made.err
    (home / "created.json").write_text(made.out)
    (home / "kubeconfig").write_text(start(VCD, "cse", "cluster", "config", NAME).out)
    yield start
    start(VCD, "cse", "cluster", "delete", NAME, "--yes")


def shown(done: Result) -> str:
    """Return stdout of a program that must have succeeded in silence."""
    assert (done.code, done.err) == (0, ""), done.err
    return done.out


def test_the_created_cluster_as_one_document(place: Place, home_of: Path) -> None:
    created = json.loads((home_of / "created.json").read_text())
    assert created["name"] == NAME
    assert created["phase"] == "ready"
    assert sorted(node["kind"] for node in created["nodes"]) == ["control plane", "worker"]
    assert {node["kubernetes_status"] for node in created["nodes"]} == {"Ready"}
    info = json.loads(shown(place(VCD, "-j", "cse", "cluster", "info", NAME)))
    assert info.keys() == created.keys()
    assert info["nodes"] == created["nodes"]
    assert info["endpoint"] == created["endpoint"]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["version"], dict),
        (["system", "info"], dict),
        (["template", "list"], list),
        (["cluster", "list"], list),
        (["cluster", "info", NAME], dict),
        (["cluster", "config", NAME], dict),
        (["cluster", "create", "other", "-n", "net1", "--dry-run"], dict),
    ],
)
def test_json_is_one_document(place: Place, words: list[str], kind: type) -> None:
    done = place(VCD, "-j", "cse", *words)
    assert done.code == 0, done.err
    assert isinstance(json.loads(done.out), kind)
    assert "\x1b" not in done.out
    assert "\r" not in done.out


def test_an_error_is_one_document_too(place: Place) -> None:
    done = place(VCD, "-j", "cse", "cluster", "info", "nope")
    assert done.code == 3
    assert json.loads(done.out) == {
        "error": "Cluster 'nope' was not found in VDC 'vdc1'.",
        "exit_code": 3,
        "hint": "List the clusters: vcd cse cluster list",
    }


def test_a_redirected_kubeconfig_is_clean(place: Place) -> None:
    place("sh", "-c", f"{VCD} cse cluster config {NAME} > redirected 2> errors")
    text = shown(place("cat", "redirected"))
    assert shown(place("cat", "errors")) == ""
    assert text.startswith("apiVersion: v1\n")
    assert text.endswith("\n")
    assert all(character.isprintable() or character == "\n" for character in text)
    assert yaml.safe_load(text)["kind"] == "Config"


def test_a_kubeconfig_on_a_terminal_is_clean(place: Place) -> None:
    """What `script` records must be as good as a file."""
    code = f"import os; os.execv({VCD!r}, [{VCD!r}, 'cse', 'cluster', 'config', {NAME!r}])"
    recorder = (
        "import os, pty, sys; data = b''\n"
        "pid, fd = pty.fork()\n"
        f"if pid == 0:\n    {code}\n"
        "while True:\n"
        "    try:\n        part = os.read(fd, 65536)\n"
        "    except OSError:\n        break\n"
        "    if not part:\n        break\n"
        "    data += part\n"
        "os.waitpid(pid, 0)\n"
        "sys.stdout.buffer.write(data)\n"
    )
    text = shown(place(sys.executable, "-c", recorder)).replace("\r\n", "\n")
    assert text.startswith("apiVersion: v1\n")
    assert all(character.isprintable() or character == "\n" for character in text)
    assert yaml.safe_load(text)["kind"] == "Config"


def test_a_kubeconfig_as_json_is_read_by_kubectl(place: Place) -> None:
    place("sh", "-c", f"{VCD} -j cse cluster config {NAME} > config.json")
    nodes = shown(place("kubectl", "--kubeconfig", "config.json", "get", "nodes", "-o", "name"))
    assert "node/mstr-" in nodes


def test_a_reader_that_leaves_early(place: Place) -> None:
    done = place("sh", "-c", f"{VCD} cse cluster config {NAME} | true")
    assert done.err == ""


def test_a_full_disk_is_an_error(place: Place) -> None:
    done = place("sh", "-c", f"{VCD} cse cluster config {NAME} > /dev/full")
    assert done.code == 1
    assert done.err == (
        "Error: The output could not be written: No space left on device.\n"
        "Hint: Nothing is wrong with the cluster; run the command again with room for its "
        "output.\n"
    )


def test_an_administrator_may_do_anything(place: Place) -> None:
    words = ("kubectl", "--kubeconfig", "kubeconfig", "auth", "can-i", "*", "*")
    assert shown(place(*words)) == "yes\n"


def test_nodes_are_ready(place: Place) -> None:
    words = ("kubectl", "--kubeconfig", "kubeconfig", "wait", "--for=condition=Ready", "node")
    done = place(*words, "--all", "--timeout=10s")
    assert done.code == 0, done.err
    assert done.out.count("condition met") == 2


def test_the_kubeconfig_of_another_cluster_is_refused(place: Place, home_of: Path) -> None:
    made = place(VCD, "cse", "cluster", "create", "stranger", "-n", "net1", "-N", "0")
    assert made.code == 0, made.err
    try:
        ours = yaml.safe_load((home_of / "kubeconfig").read_text())
        theirs = yaml.safe_load(shown(place(VCD, "cse", "cluster", "config", "stranger")))
        server = ours["clusters"][0]["cluster"]
        assert server["server"] != theirs["clusters"][0]["cluster"]["server"]
        # our server and its CA, their user
        theirs["clusters"][0]["cluster"] = server
        (home_of / "mixed").write_text(yaml.safe_dump(theirs))
        mixed = place("kubectl", "--kubeconfig", "mixed", "get", "nodes")
        # their user and server, our CA
        theirs = yaml.safe_load(shown(place(VCD, "cse", "cluster", "config", "stranger")))
        theirs["clusters"][0]["cluster"]["certificate-authority-data"] = server[
            "certificate-authority-data"
        ]
        (home_of / "mistrust").write_text(yaml.safe_dump(theirs))
        mistrust = place("kubectl", "--kubeconfig", "mistrust", "get", "nodes")
    finally:
        place(VCD, "cse", "cluster", "delete", "stranger", "--yes")
    assert (mixed.code, mixed.out) == (1, "")
    assert "certificate" in mixed.err or "Unauthorized" in mixed.err
    assert (mistrust.code, mistrust.out) == (1, "")
    assert "certificate signed by unknown authority" in mistrust.err


def test_a_taken_name(place: Place) -> None:
    done = place(VCD, "cse", "cluster", "create", NAME, "-n", "net1", "-N", "1")
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith(
        f"Error: Cluster '{NAME}' already exists in VDC 'vdc1'.\n"
        f"Hint: Show it: vcd cse cluster info {NAME}\n"
    )


def test_a_declined_deletion(place: Place) -> None:
    typist = (
        "import os, pty, sys\n"
        "pid, fd = pty.fork()\n"
        f"if pid == 0:\n    os.execv({VCD!r}, [{VCD!r}, 'cse', 'cluster', 'delete', {NAME!r}])\n"
        "data = b''\n"
        "while b']: ' not in data:\n    data += os.read(fd, 65536)\n"
        "os.write(fd, b'n\\n')\n"
        "try:\n    while True:\n        data += os.read(fd, 65536)\n"
        "except OSError:\n    pass\n"
        "sys.stdout.buffer.write(data)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    done = place(sys.executable, "-c", typist)
    assert done.code == 1
    assert re.search(r"Delete cluster shared and its \d VMs\? \[y/N\]: ", done.out), done.out
    assert "Nothing was deleted." in done.out
    assert shown(place(VCD, "cse", "cluster", "info", NAME)) != ""
