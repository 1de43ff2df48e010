"""A running simulator for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cse_client.simulator import Simulator
from tests.simulator.client import Tenant


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A fresh simulator without guests."""
    with Simulator(guests=False) as running:
        yield running


@pytest.fixture
def tenant(simulator: Simulator) -> Iterator[Tenant]:
    """The organisation's administrator, logged in."""
    one = Tenant(simulator).login()
    yield one
    one.close()


@pytest.fixture
def pyvcloud(simulator: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """pyvcloud's own client, logged in as the administrator."""
    from pyvcloud.vcd.client import BasicLoginCredentials, Client

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(simulator.ca))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    client = Client(simulator.host, log_file=str(tmp_path / "pyvcloud.log"))
    client.set_credentials(BasicLoginCredentials("admin", "acme", simulator.password()))
    yield client
    client._session.close()
    for handler in client._logger.handlers:
        handler.close()
