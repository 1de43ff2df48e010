"""A server's cluster that another one has replaced under its name while a command asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.entity_answers import Generation, defined, page
from tests.server.served import CLUSTER, Served, answer, write_profile
from tests.support.programs import CSE, Result, clean_environment
from tests.support.terminal import on_terminal

OTHER = "0d0c7a35-0000-4000-8000-00000000000c"
REFUSED = (
    "Error: Cluster 'blue' was replaced by another one of the same name after this command looked"
    " at it; nothing was changed.\n"
)


def confirmed(home: Path, served: Served, *words: str) -> Result:
    """Answer yes to a command."""
    write_profile(home, served.base)
    environment = {**clean_environment(home), "NO_COLOR": "1"}
    return on_terminal(home, [CSE, *words], ("[y/N]: ", "y"), environment=environment)


@pytest.mark.parametrize(
    "words", [("cluster", "delete", "blue"), ("node", "delete", "blue", "node-c3d4")]
)
def test_with_cse_261(home: Path, served: Served, words: tuple[str, ...]) -> None:
    other = answer({**CLUSTER, "cluster_id": OTHER})
    served.set("GET /api/cse/cluster/blue*", answer(CLUSTER), other)
    shown = confirmed(home, served, *words)
    assert REFUSED in shown.out
    assert shown.code == 1
    assert not [call for call in served.asked() if call.startswith("DELETE")]


@pytest.mark.parametrize("release", ["3.0", "3.1"])
def test_with_cse_3(home: Path, served: Served, release: str) -> None:
    generation = Generation(served, release)
    other = generation.id[: -len(OTHER)] + OTHER
    pages = [page(defined(generation.entity, one)) for one in (generation.id, other)]
    served.set(generation.find, *(answer(one) for one in pages))
    shown = confirmed(home, served, "cluster", "delete", "blue")
    assert REFUSED in shown.out
    assert shown.code == 1
    assert not [call for call in served.asked() if call.startswith("DELETE")]
