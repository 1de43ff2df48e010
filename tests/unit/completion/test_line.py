"""Command lines up to the cursor: how they are read, and what can stand there."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cse_client.commands import cse
from cse_client.completion.line import candidates, quoted, split
from cse_client.completion.tree import describe


@pytest.mark.parametrize(
    ("text", "words", "current", "quote"),
    [
        ("vcd cse ", ["vcd", "cse"], "", ""),
        ("vcd  cs", ["vcd"], "cs", ""),
        ("vcd 'a b' c", ["vcd", "a b"], "c", ""),
        ("vcd 'a b", ["vcd"], "a b", "'"),
        ('vcd "a \\" b', ["vcd"], 'a " b', '"'),
        ("vcd a\\ b", ["vcd"], "a b", ""),
        ("vcd ''", ["vcd"], "", ""),
        ("vcd '' ", ["vcd", ""], "", ""),
        ("vcd a\\", ["vcd"], "a", ""),
        ("", [], "", ""),
    ],
)
def test_reading(text: str, words: Sequence[str], current: str, quote: str) -> None:
    line = split(text)
    assert (line.words, line.current, line.quote) == (words, current, quote)


NAME = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1)


@given(NAME)
def test_what_is_typed_is_read_again(name: str) -> None:
    for quote in ("", '"', "'"):
        typed = quoted(name, quote)
        if typed is None:
            assert quote in name
            continue
        assert split(f"vcd {quote}{typed}").current == name
        if quote != '"':  # where shlex, unlike POSIX, keeps the backslash before $ and `
            assert shlex.split(f"vcd {quote}{typed}{quote}") == ["vcd", name]


TREE = describe(cse, ("cse",))


def names(kind: str, typed: Mapping[str, str]) -> Sequence[str]:
    """Return names that tell what was asked for."""
    place = "".join(typed.get(one, "") for one in ("org", "vdc", "cluster"))
    return [f"{kind}.{place}"]


def offered(text: str) -> Any:
    found = candidates(TREE, split(text), names)
    return None if found is None else [one for one, _about in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clu", ["cluster"]),
        ("--engine ", ["auto", "direct", "server"]),
        ("--engine direct clu", ["cluster"]),
        ("cluster info ", ["clusters."]),
        ("cluster info -v east ", ["clusters.east"]),
        ("cluster info -veast ", ["clusters.east"]),
        ("cluster info --vdc=east --org acme ", ["clusters.acmeeast"]),
        ("cluster info demo ", []),
        ("cluster info --vdc ", ["vdcs."]),
        ("cluster info --vdc=", ["--vdc=vdcs."]),
        ("cluster info --output=y", ["--output=yaml"]),
        ("cluster info --quer", ["--query"]),
        ("cluster info --vdc=a --vd", []),
        ("cluster info -o", ["-o"]),
        ("cluster info -- ", ["clusters."]),
        ("cluster info -- -", []),
        ("cluster create --nodes ", []),
        ("cluster create --dry-run=", []),
        ("cluster wait demo --for ", ["deleted", "ready"]),
        ("cluster upgrade demo ", ["templates."]),
        ("cluster apply ", None),
        ("cluster config --kubeconfig ", None),
        ("cluster config --kubeconfig=a", None),
        ("node info demo ", ["nodes.demo"]),
        ("node delete demo node-1 node-2 ", ["nodes.demo"]),
        ("node create demo --nodes ", []),
        ("addon install demo ", ["contour", "metallb"]),
        ("ovdc compute-policy l", ["list"]),
        ("nix ", []),
        ("nix info --o", []),
        ("cluster info --nix ", ["clusters."]),
    ],
)
def test_what_can_stand_there(text: str, expected: Sequence[str] | None) -> None:
    found = offered(text)
    assert (None if found is None else [one for one in found if one]) == expected
