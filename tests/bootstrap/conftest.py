from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cse_client.simulator.guest import GuestSettings, Image, sandbox_mode
from tests.bootstrap.cluster import IMAGES, SPEED, Cluster


@pytest.fixture(params=list(IMAGES))
def image(request: pytest.FixtureRequest) -> Image:
    return IMAGES[request.param]


@pytest.fixture
def settings() -> GuestSettings:
    return GuestSettings(speed=SPEED)


@pytest.fixture
def cluster(tmp_path: Path, image: Image, settings: GuestSettings) -> Iterator[Cluster]:
    if sandbox_mode() != "unshare":
        pytest.skip(f"guests cannot run here: {sandbox_mode()}")
    made = Cluster(tmp_path, image, settings)
    yield made
    for node in made.nodes:
        node.guest.destroy()
