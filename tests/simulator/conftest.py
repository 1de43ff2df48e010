"""A running simulator for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cse_client.simulator import Simulator
from tests.simulator.client import Tenant, pyvcloud_client


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A fresh simulator without guests."""
    with Simulator(guests=False) as running:
        yield running


@pytest.fixture
def tenant(simulator: Simulator) -> Iterator[Tenant]:
    """The organization's administrator, logged in."""
    one = Tenant(simulator).login()
    yield one
    one.close()


@pytest.fixture
def pyvcloud(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Any]:
    """pyvcloud's own client, logged in as the administrator."""
    with pyvcloud_client(simulator, monkeypatch, tmp_path) as client:
        yield client
