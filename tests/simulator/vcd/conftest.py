"""A vApp with one VM, and what surrounds it."""

from __future__ import annotations

import pytest

from tests.simulator.client import Tenant
from tests.simulator.vcd.place import Place, make_place


@pytest.fixture
def place(tenant: Tenant) -> Place:
    """The vApp `demo` with the VM `one`, powered off."""
    return make_place(tenant)
