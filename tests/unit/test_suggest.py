"""Suggested commands: they say where they act, and no name can make something else of them."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cse_client import suggest
from cse_client.cli.text import capital
from cse_client.suggest import Target
from tests.support.bash import NASTY, read_by_bash


def test_a_suggestion_says_where_it_acts() -> None:
    suggest.aim(Target(vdc="vdc2", org="acme", engine="direct", kubeconfig="/tmp/k"))
    assert suggest.cse("cluster delete", "demo", yes=True) == (
        "vcd cse --engine direct cluster delete demo --yes --vdc vdc2 --org acme"
        " --kubeconfig /tmp/k"
    )
    assert suggest.cse("cluster resize", "demo", nodes=0) == (
        "vcd cse --engine direct cluster resize demo --nodes 0 --vdc vdc2 --org acme"
    )
    assert suggest.cse("system info") == "vcd cse --engine direct system info"
    assert suggest.cse("ovdc compute-policy list", vdc="v", org="o") == (
        "vcd cse --engine direct ovdc compute-policy list --vdc v --org o"
    )
    assert suggest.vcd("vapp info", "demo") == (
        "vcd org use acme && vcd vdc use vdc2 && vcd vapp info demo"
    )
    assert suggest.vcd("task wait", "1-2") == "vcd task wait 1-2"
    assert suggest.kubectl("config use-context", "a@b c") == (
        "kubectl --kubeconfig /tmp/k config use-context 'a@b c'"
    )


def test_nothing_said_adds_nothing() -> None:
    assert suggest.cse("cluster info", "demo") == "vcd cse cluster info demo"
    assert suggest.cse("addon list") == "vcd cse addon list"
    assert suggest.vcd("vdc info", "vdc1") == "vcd vdc info vdc1"
    assert suggest.kubectl("get namespaces") == "kubectl get namespaces"


def test_a_cluster_may_be_named_by_its_id() -> None:
    urn = "urn:vcloud:entity:cse:nativeCluster:1"
    assert suggest.cse("cluster info", urn) == f"vcd cse cluster info --id {urn}"
    assert suggest.cse("cluster unshare", "bob", name=urn) == (
        f"vcd cse cluster unshare bob --id {urn}"
    )
    assert suggest.cse("cluster unshare", "bob", name="demo") == (
        "vcd cse cluster unshare bob --name demo"
    )


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["cluster", "info", "a b"], "vcd -j cse --engine direct cluster info 'a b'"),
        (["--engine", "server", "version"], "vcd -j cse --engine direct version"),
        (["--engine=server", "version"], "vcd -j cse --engine direct version"),
    ],
)
def test_the_same_command_again(typed: list[str], expected: str) -> None:
    suggest.aim(Target(root=("-j",), typed=tuple(typed)))
    assert suggest.again(engine="direct") == expected


def test_the_same_command_with_yes() -> None:
    suggest.aim(Target(typed=("cluster", "delete", "--vdc", "v", "--", "-demo")))
    assert suggest.again(yes=True) == "vcd cse cluster delete --vdc v --yes -- -demo"


@pytest.mark.parametrize("name", [*NASTY, "a\nb", "a\tb", "\x1b[2J'", "\u202egnp", "a\udc80b"])
def test_a_shell_reads_what_was_meant(name: str) -> None:
    suggest.aim(Target(vdc=name))
    line = suggest.cse("cluster delete", name)
    assert line.isprintable()
    words = read_by_bash(line)
    where = [] if not name else [f"--vdc={name}"] if name.startswith("-") else ["--vdc", name]
    if name.startswith("-"):
        assert words == ["vcd", "cse", "cluster", "delete", *where, "--", name]
    else:
        assert words == ["vcd", "cse", "cluster", "delete", name, *where]


@given(st.lists(st.text(st.characters(exclude_characters="\0")), max_size=3))
def test_printable_words_are_quoted_as_python_quotes_them(words: list[str]) -> None:
    line = suggest.shell_line(words)
    assert line.isprintable()
    if all(word.isprintable() for word in words):
        assert shlex.split(line) == words


@pytest.mark.parametrize("program", [("vcd", "cse"), ("cse",), ("python", "-m", "cse_client")])
def test_a_hint_that_is_a_command_stays_as_it_is_typed(program: tuple[str, ...]) -> None:
    suggest.called_as(program)
    try:
        for line in (
            suggest.cse("cluster list"),
            suggest.again(yes=True),
            suggest.vcd("task list"),
            suggest.kubectl("get pods"),
            suggest.program("rmdir", "/tmp/x"),
            suggest.program("unset", "KUBECONFIG"),
        ):
            assert capital(line) == line
            assert capital(f"{line}, or another") == f"{line}, or another"
        assert capital("try it later") == "Try it later"
    finally:
        suggest.called_as(("vcd", "cse"))
