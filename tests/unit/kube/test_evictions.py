"""Whether a pod can be moved: what the product predicts is what an API server does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cse_client.kube.api import ClusterAPI
from tests.support.evictions import CASES, Case, predicted_and_done
from tests.support.running_kube import make


def _before(version: str, name: str) -> Case:
    """A case of the table that older releases judge the other way."""
    found = next(case for case in CASES if case.name == name)
    return replace(found, name=f"{name} {version.replace('.', '-')}", goes=not found.goes)


@pytest.mark.parametrize(
    ("version", "case"),
    [
        *(("1.33.1", case) for case in CASES),
        *(("1.18.6", _before("1.18", name)) for name in ("pending", "not ready")),
        ("1.19.0", _before("1.19", "not ready")),
        ("1.26.0", _before("1.26", "not ready, which may always go")),
    ],
    ids=lambda one: one if isinstance(one, str) else one.name,
)
def test_what_is_predicted_is_what_is_done(tmp_path: Path, version: str, case: Case) -> None:
    cluster = make(version, tmp_path)
    cluster.start()
    try:
        kubeconfig = cluster.kubeconfig().read_text(encoding="utf-8")
        with ClusterAPI(kubeconfig, environ={}) as api:
            assert predicted_and_done(api, case) == (case.goes, case.goes)
    finally:
        cluster.api.stop()
