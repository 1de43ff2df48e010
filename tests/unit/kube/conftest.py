from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cse_client.guest.pki import ClusterPKI, mint_pki
from tests.support.kube_stub import StubAPI, serving


@pytest.fixture(scope="session")
def cluster_pki() -> ClusterPKI:
    return mint_pki("demo")


@pytest.fixture(scope="session")
def other_pki() -> ClusterPKI:
    return mint_pki("other")


@pytest.fixture
def api(cluster_pki: ClusterPKI, tmp_path: Path) -> Iterator[StubAPI]:
    with serving(cluster_pki, tmp_path) as stub:
        yield stub
