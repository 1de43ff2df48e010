"""Simulators with guests side by side do not share addresses."""

from __future__ import annotations

import pytest

from cse_client.simulator import Simulator


def cidrs(simulator: Simulator) -> set[str]:
    return {network.cidr for network in simulator.cloud.networks.values()}


def test_each_takes_a_range_of_its_own_and_gives_it_back() -> None:
    with Simulator() as first, Simulator() as second:
        assert not cidrs(first) & cidrs(second)
        prefix = min(cidrs(first)).rpartition(".0.0")[0]
        with pytest.raises(OSError, match="in use"):
            Simulator(addresses=prefix)
    with Simulator(addresses=prefix) as again:
        assert cidrs(again) == {f"{prefix}.{number}.0/24" for number in range(5)}


def test_without_guests_the_range_is_always_the_same() -> None:
    with Simulator(guests=False) as first, Simulator(guests=False) as second:
        assert cidrs(first) == cidrs(second)


@pytest.mark.parametrize("prefix", ["10.1", "127", "127.x", "127.999"])
def test_other_addresses_than_loopback_are_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        Simulator(addresses=prefix)
