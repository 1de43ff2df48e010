"""Waiting in several threads that end together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from cse_client.clock import SYSTEM_CLOCK, StoppableClock, Stopped
from tests.support.clock import FakeClock


def test_a_stopped_clock_ends_a_long_sleep() -> None:
    clock = StoppableClock(SYSTEM_CLOCK)
    before = clock.monotonic()
    with ThreadPoolExecutor(2) as pool:
        sleeps = [pool.submit(clock.sleep, 60) for _ in range(2)]
        clock.stop()
        for sleep in sleeps:
            with pytest.raises(Stopped):
                sleep.result(30)
    assert clock.monotonic() - before < 30


def test_without_a_stop_it_sleeps_as_long_as_it_should() -> None:
    fake = FakeClock()
    StoppableClock(fake).sleep(5.0)
    assert fake.now == pytest.approx(5.0)
