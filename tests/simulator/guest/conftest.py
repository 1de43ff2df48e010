"""Guests that are gone after the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cse_client.simulator.guest import Image, sandbox_mode
from tests.simulator.guest.lab import OLD, SPEED, Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    """Makes guests."""
    if sandbox_mode() != "unshare":
        pytest.skip(f"no guests on this machine: {sandbox_mode()}")
    made: list[Machine] = []

    def make(image: Image = OLD, speed: float = SPEED, timeout: float = 100.0) -> Machine:
        one = Machine(tmp_path / f"vm{len(made)}", image, speed, timeout)
        made.append(one)
        return one

    yield make
    for one in made:
        one.guest.destroy()
        assert one.guest.processes() == []
