"""Kubeconfigs as CSE servers hand them out: root on a control plane wrote them."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.server.entity_answers import Generation
from tests.server.served import KUBECONFIG, Served, answer
from tests.support.programs import Result, Workstation

Run = Callable[..., Result]


class Handed:
    """A server that hands out a kubeconfig of the cluster `blue`; `changed` is what it says."""

    def __init__(self, served: Served, release: str) -> None:
        self._served = served
        if release == "2.6.1":
            self._call = "GET /api/cse/cluster/blue/config?org_name=acme"
        else:
            self._call = f"GET {Generation(served, release).url('/config')}"

    def text(self, text: object) -> None:
        self._served.set(self._call, answer({"message": text}))

    def user(self, **fields: object) -> None:
        """Hand out kubeadm's kubeconfig with other credentials for its user."""
        document = yaml.safe_load(KUBECONFIG)
        document["users"][0]["user"].update(fields)
        self.text(yaml.safe_dump(document))


RELEASES = ("2.6.1", "3.0", "3.1")


@pytest.fixture(params=RELEASES)
def handed(request: pytest.FixtureRequest, served: Served) -> Handed:
    return Handed(served, request.param)


def command(proof: Path) -> dict[str, Any]:
    """Return an `exec` that leaves a file behind when it runs."""
    return {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "touch",
        "args": [str(proof)],
        "interactiveMode": "Never",
    }


USES: list[tuple[str, ...]] = [
    ("cluster", "config", "blue"),
    ("cluster", "config", "blue", "-o", "FILE"),
    ("cluster", "config", "blue", "--save", "--kubeconfig", "FILE"),
    ("cluster", "config", "blue", "--save", "--endpoint", "1.2.3.4", "--kubeconfig", "FILE"),
    ("cluster", "grants", "blue"),
    ("cluster", "grant", "blue", "--user", "alice", "--role", "view"),
    ("cluster", "revoke", "blue", "--user", "alice"),
    ("addon", "status", "blue"),
    ("addon", "install", "blue", "metallb", "--addresses", "10.0.0.100-10.0.0.110"),
    ("addon", "remove", "blue", "metallb", "--yes"),
]


@pytest.mark.parametrize(
    ("handed", "words"),
    # every use, every release, and no product of the two
    [(RELEASES[number % 3], words) for number, words in enumerate(USES)],
    indirect=["handed"],
    ids=[" ".join(words) for words in USES],
)
def test_a_command_in_it_is_never_run(
    cse: Run, handed: Handed, tmp_path: Path, words: tuple[str, ...]
) -> None:
    proof, file = tmp_path / "proof", tmp_path / "saved"
    handed.user(exec=command(proof))
    result = cse(*(str(file) if word == "FILE" else word for word in words))
    assert not proof.exists()
    assert not file.exists()
    assert result.out == ""
    assert (
        "The kubeconfig that the CSE server gives for cluster 'blue' is not used: it contains what"
        " is not accepted in a kubeconfig from elsewhere: users[0].user.exec.\n"
    ) in result.err
    assert "cp /etc/kubernetes/admin.conf /root/.kube/config" in result.err
    assert result.code == 4


@pytest.mark.parametrize("handed", ["3.1"], indirect=True)
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tokenFile": "/etc/passwd"}, "users[0].user.tokenFile"),
        ({"client-key": "/etc/shadow"}, "users[0].user.client-key"),
    ],
)
def test_files_of_this_machine_are_not_read(
    cse: Run, handed: Handed, fields: dict[str, object], named: str
) -> None:
    handed.user(**fields)
    result = cse("cluster", "grants", "blue")
    assert (result.out, result.code) == ("", 4)
    assert named in result.err


@pytest.mark.parametrize("text", [5, "a: [", "<html>"])
def test_garbage_is_told(cse: Run, handed: Handed, text: object) -> None:
    handed.text(text)
    result = cse("cluster", "config", "blue")
    assert (result.out, result.code) == ("", 1)
    assert "kubeconfig" in result.err
    assert "bug" not in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("handed", ["2.6.1"], indirect=True)
def test_it_is_printed_in_plain_characters(cse: Run, handed: Handed) -> None:
    document = yaml.safe_load(KUBECONFIG)
    context = document["contexts"][0]["context"]
    document["users"][0]["name"] = context["user"] = "évil \U0001f680"
    handed.text("# \u202eremark\n" + yaml.safe_dump(document, allow_unicode=True))
    result = cse("cluster", "config", "blue")
    assert result.code == 0
    assert result.out.isascii()
    assert yaml.safe_load(result.out) == document
    document["users"][0]["name"] = context["user"] = "a\u202eb\x9b2J"
    handed.text(yaml.safe_dump(document))
    result = cse("cluster", "config", "blue")
    assert (result.code, result.out) == (1, "")
    assert "its user has no name that can be shown" in result.err
    assert not set(result.err) & {"\u202e", "\x9b"}


@pytest.mark.parametrize("handed", ["3.1"], indirect=True)
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on PATH")
def test_kubectl_reads_what_is_printed_written_and_saved(
    cse: Run, handed: Handed, tmp_path: Path
) -> None:
    handed.text(KUBECONFIG.replace("secret-user@kubernetes", '"433e40"'))
    printed, written, saved = (tmp_path / name for name in ("printed", "written", "saved"))
    printed.write_text(cse("cluster", "config", "blue").out)
    assert cse("cluster", "config", "blue", "-o", str(written)).code == 0
    words = ("--save", "--kubeconfig", str(saved), "--context", "1e3")
    assert cse("cluster", "config", "blue", *words).code == 0
    names = {printed: "433e40", written: "433e40", saved: "1e3"}
    for file, name in names.items():
        line = ("--kubeconfig", str(file), "config", "view", "-o", "json")
        shown = Workstation(tmp_path).kubectl(*line).checked()
        assert json.loads(shown)["current-context"] == name


# Into the user's own file


@pytest.fixture
def saving(cse: Run, served: Served, home: Path) -> Callable[..., Result]:
    """Save the cluster `blue` into the kubeconfig of a home whose ~/.kube is a link."""
    Handed(served, "3.1").text(KUBECONFIG)
    (home / "real").mkdir()
    (home / ".kube").symlink_to("real")
    return lambda *words: cse("cluster", "config", "blue", "--save", *words)


def test_a_folder_that_is_a_link(saving: Run, home: Path) -> None:
    began = time.monotonic()
    result = saving("--context", "433e40")
    assert time.monotonic() - began < 14
    assert (result.code, result.out) == (
        0,
        f"Cluster blue is saved in {home / '.kube' / 'config'} as context 433e40.\n",
    )
    assert [path.name for path in (home / "real").iterdir()] == ["config"]
    assert contexts_of_kubectl(home / "real" / "config") == ["433e40"]


ONE = "apiVersion: v1\nkind: Config\ncontexts:\n- name: one\n  context: {cluster: c, user: u}\n"
BADLY = [
    (f"{ONE}{ONE.replace('one', 'two')}", "the key 'apiVersion' occurs twice, again in line 6"),
    (f"{ONE}---\n{ONE.replace('one', 'two')}", "it holds several YAML documents, of which kubectl"),
    (f"{ONE}- name: one\n  context: {{}}\n", "contexts hold two entries named 'one'"),
    (ONE.replace("one", "5"), "contexts[0].name is a number for kubectl, not text: it needs quot"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "why"), BADLY)
def test_what_kubectl_does_not_read_whole_is_left(
    saving: Run, home: Path, text: str, why: str
) -> None:
    file = home / "real" / "config"
    file.write_text(text)
    result = saving()
    assert (result.code, result.out) == (1, "")
    assert f"The kubeconfig {home}/.kube/config is damaged and was left as it is: {why}" in (
        result.err
    )
    assert f"kubectl --kubeconfig {home}/.kube/config config view\n" in result.err
    assert file.read_text() == text
    assert [path.name for path in (home / "real").iterdir()] == ["config"]


def test_a_protected_file_is_left(saving: Run, home: Path) -> None:
    file = home / "real" / "config"
    file.write_text(ONE)
    file.chmod(0o400)
    result = saving()
    assert (result.code, result.out) == (1, "")
    assert f"{home}/.kube/config may not be written: its mode is 0400." in result.err
    assert f"chmod u+w {file}\n" in result.err
    assert file.read_text() == ONE
    file.chmod(0o600)
    assert saving().code == 0
    assert contexts_of_kubectl(file) == ["blue@acme-vdc1", "one"]


def contexts_of_kubectl(file: Path) -> list[str]:
    words = ("--kubeconfig", str(file), "config", "get-contexts", "-o", "name")
    return Workstation(file.parent).kubectl(*words).checked().split()
