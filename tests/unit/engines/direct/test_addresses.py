"""Which address a new control plane gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cse_client.engines.direct.addresses import AddressPool, is_about, read_pool
from cse_client.errors import TaskFailed
from cse_client.model import Fence, Network
from cse_client.vcd.client import VcdClient

NETWORK = Network(
    "net1",
    "https://h/api/network/1",
    Fence.ROUTED,
    gateway="10.0.0.1",
    dns=("10.0.0.6",),
    pools=(("10.0.0.1", "10.0.0.4"), ("damaged", ""), ("10.0.0.6", "10.0.0.8")),
)


class _Vcd:
    """A VCD that shows, or hides, the addresses in use."""

    def __init__(self, in_use: Sequence[tuple[str, str]] | None) -> None:
        self.surroundings = self
        self._in_use = in_use

    def addresses_in_use(self, _network: Network) -> Sequence[tuple[str, str]] | None:
        return self._in_use


def pool(in_use: Sequence[tuple[str, str]] | None, network: Network = NETWORK) -> AddressPool:
    return read_pool(cast(VcdClient, _Vcd(in_use)), network)


def test_neither_used_addresses_nor_the_gateway_and_the_name_servers_are_free() -> None:
    found = pool([("10.0.0.3", "vm"), ("10.0.0.7", ""), ("10.0.0.200", "vm")])
    assert found.free == ("10.0.0.2", "10.0.0.4", "10.0.0.8")
    assert found.why_not == ""


@pytest.mark.parametrize(
    ("in_use", "network", "reason"),
    [
        (None, NETWORK, "VCD does not show which addresses are in use in network 'net1'"),
        ([], replace(NETWORK, fence=Fence.DIRECT), "network 'net1' is direct"),
        ([], replace(NETWORK, pools=()), "the static pool of network 'net1' has no free address"),
    ],
)
def test_without_a_pool_the_reason_is_given(
    in_use: Sequence[tuple[str, str]] | None, network: Network, reason: str
) -> None:
    found = pool(in_use, network)
    assert found.free == ()
    assert found.why_not.startswith(reason)
    assert found.choose(1) == ""


def test_a_pool_without_an_end_is_not_read_to_its_end() -> None:
    wide = replace(NETWORK, pools=(("10.0.0.0", "10.255.255.255"),))
    assert 0 < len(pool([], wide).free) <= 65536


@given(
    st.lists(st.ip_addresses(v=4).map(str), unique=True, min_size=1, max_size=20),
    st.integers(1, 25),
    st.data(),
)
def test_the_lowest_are_left_to_vcd_as_long_as_there_are_others(
    free: list[str], nodes: int, data: st.DataObject
) -> None:
    refused = data.draw(st.lists(st.sampled_from(free), unique=True))
    chosen = AddressPool(tuple(free)).choose(nodes, refused=refused)
    left = [one for one in free if one not in refused]
    assert chosen in (left or [""])
    if len(left) > nodes:
        assert chosen not in left[:nodes]


def test_two_administrators_rarely_choose_the_same() -> None:
    many = AddressPool(tuple(f"10.0.0.{number}" for number in range(10, 250)))
    assert len({many.choose(3) for _ in range(20)}) > 1


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("IP addresses: 10.0.0.5 Use the Fence vApp option", True),
        ('Specified IP address "10.0.0.5" is invalid.', True),
        ("The IP address 10.0.0.5.", True),
        ("IP addresses: 10.0.0.50", False),
        ("IP addresses: 110.0.0.5", False),
        ("10.0.0.5.1", False),
        ("10x0y0z5", False),
        ("", False),
    ],
)
def test_a_refusal_of_an_address_names_it(text: str, about: bool) -> None:
    assert is_about(TaskFailed(text), "10.0.0.5") is about
    assert not is_about(TaskFailed(text), "")
