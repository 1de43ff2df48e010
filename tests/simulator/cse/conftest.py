"""A simulator with a CSE server 2.6.1, and clients of two users."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cse_client.simulator import Simulator
from tests.simulator.client import Tenant, basic
from tests.simulator.cse.client import Client


@pytest.fixture
def served() -> Iterator[Simulator]:
    """A simulator without guests, with a CSE server."""
    with Simulator(guests=False, cse="2.6.1") as running:
        yield running


@pytest.fixture
def client(served: Simulator) -> Iterator[Client]:
    """The organization's administrator."""
    one = Tenant(served).login()
    yield Client(one)
    one.close()


@pytest.fixture
def provider(served: Simulator) -> Iterator[Client]:
    """The System administrator."""
    one = Tenant(served)
    password = served.cloud.providers["administrator"].password
    answer = one.send(
        "POST",
        "/cloudapi/1.0.0/sessions/provider",
        accept="application/json",
        headers={"Authorization": basic("administrator@System", password)},
    )
    one.token = answer.headers["X-VMWARE-VCLOUD-ACCESS-TOKEN"]
    yield Client(one)
    one.close()
