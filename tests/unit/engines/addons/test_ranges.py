from __future__ import annotations

from dataclasses import replace

import pytest

from cse_client.engines.addons.ranges import parse_auto, parse_ranges
from cse_client.engines.reserving import NetworkAddresses, check, propose
from cse_client.errors import PreflightFailed, Refused, WrongUsage
from cse_client.model.addons import AddressPlan, AddressRange, RecordedAddresses, ranges_text
from cse_client.vcd.reservations import parse_record, record_text

PLAN = AddressPlan(
    network="net1",
    network_id="n",
    gateway="10.0.0.1",
    netmask="255.255.255.0",
    pools=(AddressRange.of("10.0.0.10", "10.0.0.99"),),
    dhcp=(AddressRange.of("10.0.0.100", "10.0.0.149"),),
    allocated={"10.0.0.10": "mstr-1", "10.0.0.201": "", "10.0.0.202": "db"},
    dns=("10.0.0.2", "192.0.2.53"),
)
OTHER = RecordedAddresses("shop", "/vapp-2", "n", (AddressRange.of("10.0.0.220", "10.0.0.229"),))
AROUND = NetworkAddresses(PLAN, {"10.0.0.10": "mstr-1", "10.0.0.240": "node-1"}, (OTHER,))


def test_ranges_as_typed() -> None:
    assert ranges_text(parse_ranges("10.0.0.9-10.0.0.10, 10.0.0.4")) == (
        "10.0.0.4-10.0.0.4,10.0.0.9-10.0.0.10"
    )
    assert parse_auto("auto:3") == 3
    assert parse_auto("10.0.0.1") == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10.0.0.9-10.0.0.4", r"The range 10\.0\.0\.9-10\.0\.0\.4 is reversed\."),
        ("10.0.0.4-10.0.0.9,10.0.0.9", "overlap"),
        ("10.0.0.4-", "is not an address range"),
        ("10.0.0", "is not an address range"),
        ("", "is not an address range"),
        ("fd00::1-fd00::2", "is not an address range"),
    ],
)
def test_what_is_no_range(text: str, said: str) -> None:
    with pytest.raises(WrongUsage, match=said):
        parse_ranges(text)


@pytest.mark.parametrize("text", ["auto", "auto:", "auto:0", "auto:-1", "auto:99999", "auto:x"])
def test_what_is_no_number_of_addresses(text: str) -> None:
    with pytest.raises(WrongUsage, match="is not between 1 and"):
        parse_auto(text)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("10.0.0.200", []),
        ("10.0.0.3-10.0.0.9,10.0.0.150-10.0.0.200", []),
        ("10.0.0.2-10.0.0.3", ["holds 10.0.0.2, a DNS server"]),
        ("10.0.1.5-10.0.1.6", ["is not in the network's subnet 10.0.0.0/24"]),
        ("10.0.0.250-10.0.1.6", ["is not in the network's subnet 10.0.0.0/24"]),
        ("10.0.0.0-10.0.0.1", ["10.0.0.0, the network's own", "10.0.0.1, the network's gateway"]),
        ("10.0.0.254-10.0.0.255", ["10.0.0.255, the network's broadcast"]),
        ("10.0.0.99", ["10.0.0.99 is in the network's static pool 10.0.0.10-10.0.0.99"]),
        ("10.0.0.149-10.0.0.150", ["overlaps the network's DHCP pool 10.0.0.100-10.0.0.149"]),
        ("10.0.0.201", ["10.0.0.201 is assigned by VCD"]),
        ("10.0.0.202", ["10.0.0.202 is the address of db"]),
        ("10.0.0.240", ["10.0.0.240 is the address of node node-1"]),
        (
            "10.0.0.229-10.0.0.230",
            ["overlaps 10.0.0.220-10.0.0.229, which belongs to the load balancer of cluster 'sh"],
        ),
        ("10.0.0.9-10.0.0.10", ["overlaps the network's static", "address of node mstr-1"]),
    ],
)
def test_ranges_against_the_network(text: str, problems: list[str]) -> None:
    found: list[str] = []
    try:
        check(parse_ranges(text), AROUND)
    except PreflightFailed as failure:
        found = [one.message for one in failure.problems]
    assert len(found) == len(problems), found
    for said, wanted in zip(found, problems):
        assert wanted in said


def test_proposals_pass_the_check() -> None:
    assert ranges_text(propose(3, AROUND)) == "10.0.0.252-10.0.0.254"
    many = propose(70, AROUND)
    assert sum(len(one) for one in many) == 70
    check(many, AROUND)
    with pytest.raises(Refused, match="has 99 free addresses outside its pools, not 100"):
        propose(100, AROUND)
    assert sum(len(one) for one in propose(99, AROUND)) == 99


def test_a_network_without_pools() -> None:
    bare = NetworkAddresses(replace(PLAN, pools=(), dhcp=(), allocated={}, dns=()))
    assert sum(len(one) for one in propose(253, bare)) == 253


def test_reservations_in_metadata() -> None:
    ranges = parse_ranges("10.0.0.4-10.0.0.9,10.0.0.12")
    text = record_text("n", ranges)
    assert text == '{"network":"n","ranges":["10.0.0.4-10.0.0.9","10.0.0.12-10.0.0.12"]}'
    assert parse_record(text) == ("n", ranges)
    for damaged in ("", "[]", "{", '{"network": "n", "ranges": ["x"]}', '{"ranges": 1}'):
        assert parse_record(damaged) == ("", ())
