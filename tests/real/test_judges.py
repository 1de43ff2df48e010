"""Two judges, one story: the simulator's Kubernetes API answers as the real API server does.

Both are asked the same questions (`judges/questions.py`), and the answers are compared: status,
headers, and every part of the body. `judges/accepted.py` says what stays different and why; an
entry that covers no difference fails the test. The real one is an API server alone: see
`apiserver.py`.

Needs the programs that `python -m tests.real.build` builds, but neither root nor namespaces.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import pytest

from cse_client.kube.api import ClusterAPI
from tests.real.apiserver import missing_program, real_api
from tests.real.build.components import KUBERNETES
from tests.real.build.places import cache_folder, official_folder
from tests.real.judges.accepted import ACCEPTED, Accepted, sort_out
from tests.real.judges.asking import Answer, Judge, Question
from tests.real.judges.comparing import Difference, differences
from tests.real.judges.questions import QUESTIONS
from tests.support.evictions import CASES, Case, predicted_and_done
from tests.support.running_kube import make


@dataclass(frozen=True)
class Judges:
    """A release's imitation, its real API server, and an administrator's kubeconfig for that."""

    release: str
    imitation: Judge
    real: Judge
    kubeconfig: str


@pytest.fixture(scope="module", params=KUBERNETES)
def judges(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Judges]:
    release: str = request.param
    programs = official_folder() or cache_folder()
    missing = missing_program(programs, release)
    if missing:
        pytest.skip(f"{missing} does not exist: run `python -m tests.real.build`.")
    folder = tmp_path_factory.mktemp(release)
    imitation = make(release[1:], folder)
    imitation.start()
    try:
        with real_api(programs, release, folder, imitation.authority) as port:
            yield Judges(
                release[1:],
                Judge(imitation.port, imitation.authority, _new(folder / "imitation")),
                Judge(port, imitation.authority, _new(folder / "real")),
                replace(imitation, port=port).kubeconfig().read_text(encoding="utf-8"),
            )
    finally:
        imitation.api.stop()


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_both_judges_answer_alike(judges: Judges) -> None:
    found = [
        difference
        for question in QUESTIONS
        for difference in differences(
            question, judges.imitation.ask(question), judges.real.ask(question)
        )
    ]
    # with -s, or when something is left: all of them, the accepted ones as well
    sys.stdout.write(_report(found))
    left, unused = sort_out(found, ACCEPTED, judges.release)
    assert not left, f"\n{_report(left)}"
    assert not unused, f"no longer different: {unused}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_evictions_are_what_the_product_predicts(judges: Judges, case: Case) -> None:
    with ClusterAPI(judges.kubeconfig, environ={}) as api:
        assert predicted_and_done(api, case) == (case.goes, case.goes)


def _report(found: list[Difference]) -> str:
    parts = []
    for question, ones in groupby(found, key=lambda one: one.question):
        parts.append("\n".join((question, *map(str, ones))))
    return "\n".join(parts)


def test_a_judges_answer_is_compared_in_every_part() -> None:
    """What the comparison itself sees, and what it overlooks on purpose."""

    def said(status: int, body: str, kind: str = "application/json") -> Answer:
        return Answer(status, {"content-type": kind}, body.encode())

    question = Question("q", "GET", "/")
    whole = said(200, '{"kind":"A","metadata":{"uid":"1","labels":{"a":"b"}},"items":[]}')
    for other, paths in (
        (said(200, '{"kind":"A","metadata":{"uid":"2","labels":{"a":"b"}},"items":[]}'), []),
        (replace(whole, status=404), ["status"]),
        (said(200, '{"kind":"A","metadata":{"labels":{"a":"c"}},"items":null}'), [
            "body.items", "body.metadata.labels.a", "body.metadata.uid",
        ]),
        (said(200, '{"kind":"A","items":[]}'), ["body.metadata"]),
        (said(200, "A", "text/plain"), ["body", "header.content-type"]),
    ):  # fmt: skip
        found = differences(question, whole, other)
        assert [one.path for one in found] == paths
    entry, stale = Accepted("q", "body", "r"), Accepted("q", "status", "r", "1.37")
    assert sort_out(found, [entry, stale], "1.36.3") == ([found[1]], [])
    assert sort_out(found, [entry, stale], "1.37.2") == ([found[1]], [stale])
