"""Words that cannot be meant: one clear sentence each, before anything is asked of VCD."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.programs import Result
from tests.support.simulator import Control
from tests.support.ssh_keys import public_key

Run = Callable[..., Result]

PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n"
RULE = (
    "Hint: A name has 1 to 25 letters, digits and dashes, begins with a letter and does not end "
    "with a dash.\n"
)


@pytest.fixture
def nothing_asked(control: Control) -> Iterator[None]:
    """Check that VCD heard nothing of a test."""
    yield
    assert control.requests() == []


@pytest.mark.parametrize(
    "words",
    [
        ["system", "info"],
        ["template", "list"],
        ["cluster", "list"],
        ["cluster", "info", "x"],
        ["cluster", "config", "x"],
        ["cluster", "create", "x", "-n", "net1"],
        ["cluster", "delete", "x", "--yes"],
        ["cluster", "seal", "x"],
    ],
)
def test_not_logged_in(vcd: Run, nothing_asked: None, words: list[str]) -> None:
    result = vcd("cse", *words)
    assert (result.code, result.out) == (4, "")
    assert result.err == (
        "Error: You are not logged in.\nHint: Log in: cse login HOST ORGANIZATION USER\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a" * 26], f"The cluster name '{'a' * 26}' is not allowed: it has 26 characters."),
        (["my_cluster"], "The cluster name 'my_cluster' is not allowed: it contains '_'."),
        (["--", "-demo"], "The cluster name '-demo' is not allowed: it begins with '-'."),
        (["a.b"], "The cluster name 'a.b' is not allowed: it contains '.'."),
        (["démo"], "The cluster name 'démo' is not allowed: it contains 'é'."),
    ],
)
def test_bad_names(cse: Run, nothing_asked: None, words: list[str], message: str) -> None:
    result = cse("cluster", "create", "-n", "net1", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err == f"Error: {message}\n{RULE}"


@pytest.mark.parametrize(
    "words", [["cluster", "create", "demo", "-n", "net1"], ["node", "create", "demo"]]
)
def test_nfs_needs_a_server(cse: Run, words: list[str]) -> None:
    result = cse(*words, "--enable-nfs")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "Error: --enable-nfs is not supported without a CSE server: this client makes no NFS "
        "nodes.\n"
        "Hint: Leave it out and use an NFS server of your own, or a CSI driver.\n"
    )


def test_an_empty_name(cse: Run) -> None:
    result = cse("cluster", "create", "", "-n", "net1")
    assert (result.code, result.err) == (
        2,
        "Error: The value of NAME is empty.\nHint: Specify a value. A shell variable may not be"
        " set.\n",
    )


def test_a_name_that_looks_like_an_option(cse: Run) -> None:
    result = cse("cluster", "create", "-demo", "-n", "net1")
    assert result.code == 2
    assert "A cluster name begins with a letter, not with a dash." in result.err


@pytest.mark.parametrize(
    "words",
    [
        ["demo", "--netwrk", "net1"],
        ["--netwrk", "net1", "demo"],
        ["--demo", "-n", "net1"],
        ["demo", "-x", "-n", "net1"],
        ["-x", "demo", "-n", "net1"],
    ],
)
def test_a_word_that_is_no_name_is_not_taken_for_one(vcd: Run, words: list[str]) -> None:
    result = vcd("cse", "cluster", "create", *words)
    assert result.code == 2
    assert "name" not in result.err.splitlines()[-1]
    if "--netwrk" in words:
        assert "--network" in result.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cluster", "creat"], "No such command 'creat'. Did you mean 'create'?"),
        (["cluster", "Delete", "demo"], "No such command 'Delete'. Did you mean 'delete'?"),
        (["clster", "list"], "No such command 'clster'. Did you mean 'cluster'?"),
        (["node", "crate", "demo"], "No such command 'crate'. Did you mean 'create'?"),
        (["ovdc", "compute-policies"], "Did you mean 'compute-policy'?"),
        (["ovdc", "compute-policy", "lst"], "No such command 'lst'. Did you mean 'list'?"),
        (
            ["create", "demo"],
            "Did you mean one of: 'cluster create', 'node create', 'pool create'?",
        ),
        (
            ["resize", "demo"],
            "No such command 'resize'. Did you mean one of: 'cluster resize', 'pool resize'?",
        ),
        (["protect", "x"], "No such command 'protect'. Did you mean 'cluster protect'?"),
        (["cluster", "zzz"], "No such command 'zzz'."),
        (["cluster", "a\nb\x1b[2J"], r"No such command 'a\nb\x1b[2J'."),
    ],
)
def test_the_nearest_command_is_named(vcd: Run, words: list[str], said: str) -> None:
    result = vcd("cse", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[-1].endswith(said)


@pytest.mark.parametrize(
    ("words", "err"),
    [
        (
            ["-N", "-1"],
            "Error: The number of nodes cannot be -1.\n"
            "Hint: Specify 0 for a cluster with a control plane only.\n",
        ),
        (["-N", "501"], "Error: 501 nodes are too many; the maximum is 500.\n"),
        (
            ["--cpu", "0"],
            "Error: A node cannot have 0 CPUs.\nHint: A control plane requires at least 2.\n",
        ),
        (
            ["--memory", "0"],
            "Error: A node cannot have 0 MB of memory.\n"
            "Hint: --memory is in MB, for example --memory 4096.\n",
        ),
        (
            ["-t", "x_rev1", "-r", "2"],
            "Error: 'x_rev1' is revision 1, but --template-revision is 2.\n",
        ),
        (
            ["--ssh-key", "nothing.pub"],
            "Error: The SSH key file 'nothing.pub' does not exist.\n"
            "Hint: To create a key: ssh-keygen -t ed25519\n",
        ),
        (
            ["--ssh-key", "private"],
            "Error: The SSH key file 'private' is a private key; it must stay on its machine.\n"
            "Hint: Specify the public key, usually private.pub.\n",
        ),
        (
            ["--ssh-key", ".vcd-cli/profiles.yaml"],
            "Error: The SSH key file '.vcd-cli/profiles.yaml' is not an OpenSSH public key: a"
            " public key begins with ssh-ed25519, ssh-rsa or the like.\n"
            "Hint: Specify a file with one public key, for example ~/.ssh/id_ed25519.pub.\n",
        ),
        (
            ["--ssh-key", "two.pub"],
            "Error: The SSH key file 'two.pub' holds 2 keys; exactly one is expected.\n"
            "Hint: Specify a file with one public key, for example ~/.ssh/id_ed25519.pub.\n",
        ),
    ],
)
def test_bad_words(cse: Run, home: Path, nothing_asked: None, words: list[str], err: str) -> None:
    (home / "private").write_text(PRIVATE)
    (home / "two.pub").write_text(f"{public_key()}\n{public_key('ssh-rsa')}\n")
    for dry in ((), ("--dry-run",)):
        result = cse("cluster", "create", "bad", "-n", "net1", *words, *dry)
        assert (result.code, result.out, result.err) == (2, "", err)


def test_no_network_and_a_bad_name_are_both_reported(cse: Run) -> None:
    result = cse("cluster", "create", "a_b")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "Error: 2 problems were found; nothing was changed.\n"
        "  - The cluster name 'a_b' is not allowed: it contains '_'.\n"
        f"    {RULE}"
        "  - Missing option '-n' / '--network'.\n"
        "    Hint: `vcd network list` shows the networks of the VDC.\n"
    )


@pytest.mark.parametrize("words", [["-N", "two"], ["--timeout", "soon"], ["--bogus"], ["x", "y"]])
def test_clicks_own_complaints(cse: Run, words: list[str]) -> None:
    result = cse("cluster", "create", "bad", "-n", "net1", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("Usage: cse cluster create [OPTIONS] NAME\n")


@pytest.mark.parametrize("words", [("node", "create"), ("cluster", "resize")])
def test_every_problem_of_a_change_is_reported_at_once(
    cse: Run, nothing_asked: None, words: tuple[str, ...]
) -> None:
    bad = ("-N", "-1", "-c", "0", "-t", "x_rev1", "-r", "2", "-k", "nothing.pub")
    result = cse(*words, "demo", *bad)
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") < 20
    for problem in (
        "nodes cannot be -1",
        "A node cannot have 0 CPUs.",
        "'x_rev1' is revision 1, but --template-revision is 2.",
        "The SSH key file 'nothing.pub' does not exist.",
    ):
        assert problem in result.err
