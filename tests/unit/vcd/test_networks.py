"""Networks: kind, free addresses, ways out."""

from __future__ import annotations

import pytest

from cse_client.errors import SessionInvalid
from cse_client.model import Fence, Network
from cse_client.vcd.client import VcdClient
from tests.support.clock import FakeClock
from tests.support.scripted_vcd import Answer, ScriptedVcd
from tests.support.vcd_documents import DOCUMENT, NS, NSXT, NSXV, page, rules

VDC = (
    f'<Vdc {NS} name="vdc1" href="{{base}}/api/vdc/1"><AvailableNetworks>'
    + "".join(f'<Network name="{name}" href="{{base}}/api/network/{name}"/>' for name in "cab")
    + "</AvailableNetworks></Vdc>"
)
USED = f"""<AllocatedIpAddresses {NS}>
  <IpAddress allocationType="vmAllocated"><IpAddress>127.20.0.10</IpAddress></IpAddress>
  <IpAddress allocationType="vmAllocated"><IpAddress>127.20.0.30</IpAddress></IpAddress>
  <IpAddress allocationType="vsmAllocated"><IpAddress>127.20.0.1</IpAddress></IpAddress>
  </AllocatedIpAddresses>"""


@pytest.fixture
def vcd(scripted: ScriptedVcd, clock: FakeClock) -> VcdClient:
    return VcdClient.open(scripted.session(), clock=clock)


@pytest.fixture
def routed(scripted: ScriptedVcd) -> Network:
    return Network(
        "net1",
        f"{scripted.base}/api/network/n1",
        Fence.ROUTED,
        gateway="127.20.0.1",
        netmask="255.255.255.0",
        edge_href=f"{scripted.base}/api/admin/edgeGateway/e1",
    )


def test_the_vdcs_own_list_decides_and_the_query_tells_the_rest(
    vcd: VcdClient, scripted: ScriptedVcd
) -> None:
    scripted.answer("GET /api/vdc/1", VDC)
    base = scripted.base
    scripted.answer(
        "GET /api/query?type=orgVdcNetwork*",
        page(
            f'<OrgVdcNetworkRecord name="a" href="{base}/api/admin/network/a" linkType="0" '
            'connectedTo="outside" dns1="127.0.0.53" defaultGateway="127.20.0.1"/>'
            f'<OrgVdcNetworkRecord name="b" href="{base}/api/admin/network/b" linkType="1" '
            'connectedTo="edge" usedIpCount="3" totalIpCount="10"/>'
            f'<OrgVdcNetworkRecord name="c" href="{base}/api/admin/network/c" linkType="2"/>'
            f'<OrgVdcNetworkRecord name="elsewhere" href="{base}/api/admin/network/x"/>'
        ),
    )
    first, second, third = vcd.surroundings.networks(vcd.surroundings.vdc())
    assert [first.fence, second.fence, third.fence] == [Fence.DIRECT, Fence.ROUTED, Fence.ISOLATED]
    assert first.href == f"{base}/api/network/a"
    assert (first.dns, first.free_addresses) == (("127.0.0.53",), None)
    assert (second.free_addresses, second.total_addresses) == (7, 10)
    assert len(scripted.asked()) == 3


def test_a_network_that_the_query_hides_is_read_itself(
    vcd: VcdClient, scripted: ScriptedVcd
) -> None:
    scripted.answer("GET /api/vdc/1", VDC)
    scripted.answer("GET /api/query?type=orgVdcNetwork*", page(""))
    scripted.answer("GET /api/network/a", DOCUMENT)
    scripted.answer("GET /api/network/b", Answer("", 403, ""))
    scripted.answer("GET /api/network/c", DOCUMENT.replace("natRouted", "isolated"))
    found = {one.name: one for one in vcd.surroundings.networks(vcd.surroundings.vdc())}
    assert found["a"].total_addresses == 11
    assert found["b"].fence is Fence.ROUTED
    assert found["b"].total_addresses is None
    assert found["c"].fence is Fence.ISOLATED


def test_free_addresses_are_the_ranges_less_what_is_used_in_them(
    vcd: VcdClient, scripted: ScriptedVcd
) -> None:
    scripted.answer("GET /api/network/1", DOCUMENT)
    scripted.answer("GET /api/network/1/allocatedAddresses/", USED)
    bare = Network("net1", f"{scripted.base}/api/network/1", Fence.ISOLATED)
    told = vcd.surroundings.network_details(bare)
    assert (told.total_addresses, told.free_addresses) == (11, 9)
    assert (told.fence, told.dns, told.gateway) == (Fence.ROUTED, ("127.20.0.2",), "127.20.0.1")
    assert told.edge_href.endswith("/edgeGateway/e1")


def test_hidden_addresses_are_unknown_and_not_free(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    scripted.answer("GET /api/network/1", DOCUMENT)
    scripted.answer("GET /api/network/1/allocatedAddresses/", Answer("", 403, ""))
    bare = Network("net1", f"{scripted.base}/api/network/1", Fence.ROUTED)
    assert vcd.surroundings.network_details(bare).free_addresses is None


def test_isolated_is_no_way_out_and_direct_is_unknown(vcd: VcdClient, routed: Network) -> None:
    isolated = Network("n", "h", Fence.ISOLATED)
    direct = Network("n", "h", Fence.DIRECT)
    assert vcd.surroundings.egress(isolated).egress is False
    assert vcd.surroundings.egress(direct).egress is None
    assert "provider" in vcd.surroundings.egress(direct).egress_reason


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ({"type": "SNAT", "enabled": True, "internalAddresses": "127.20.0.0/24"}, True),
        ({"ruleType": "SNAT", "internalAddresses": "0.0.0.0/0"}, True),
        ({"type": "SNAT", "enabled": True, "internalAddresses": "127.20.0.10-127.20.0.99"}, True),
        ({"type": "SNAT", "enabled": True}, True),
        ({"type": "SNAT", "enabled": False, "internalAddresses": "127.20.0.0/24"}, False),
        ({"type": "SNAT", "enabled": True, "internalAddresses": "127.21.0.0/24"}, False),
        ({"type": "SNAT", "enabled": True, "internalAddresses": "127.20.0.7"}, False),
        ({"type": "DNAT", "enabled": True, "internalAddresses": "127.20.0.0/24"}, False),
        (
            {
                "type": "SNAT",
                "internalAddresses": "127.20.0.0/24",
                "snatDestinationAddresses": "10.0.0.0/8",
            },
            False,
        ),
    ],
)
def test_nsx_t_rules(
    vcd: VcdClient,
    scripted: ScriptedVcd,
    routed: Network,
    rule: dict[str, object],
    verdict: bool,
) -> None:
    scripted.answer("GET /api/query?type=edgeGateway*", page(NSXT))
    scripted.answer(
        "GET /cloudapi/1.0.0/edgeGateways/urn:vcloud:gateway:e1/nat/rules*", rules(rule)
    )
    answer = vcd.surroundings.egress(routed)
    assert answer.egress is verdict
    assert "edge" in answer.egress_reason


def test_an_advertised_network_is_the_providers_affair(
    vcd: VcdClient, scripted: ScriptedVcd, routed: Network
) -> None:
    scripted.answer("GET /api/query?type=edgeGateway*", page(NSXT))
    scripted.answer("GET /cloudapi/1.0.0/edgeGateways/*", rules())
    scripted.answer(
        "GET /cloudapi/1.0.0/orgVdcNetworks/*",
        Answer('{"routeAdvertised": true}', 200, "application/json"),
    )
    assert vcd.surroundings.egress(routed).egress is None


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ("<action>snat</action><originalAddress>127.20.0.0/24</originalAddress>", True),
        ("<action>snat</action><originalAddress>any</originalAddress>", True),
        ("<action>dnat</action><originalAddress>127.20.0.0/24</originalAddress>", False),
        (
            "<action>snat</action><originalAddress>127.20.0.0/24</originalAddress>"
            "<enabled>false</enabled>",
            False,
        ),
    ],
)
def test_nsx_v_rules(
    vcd: VcdClient, scripted: ScriptedVcd, routed: Network, rule: str, verdict: bool
) -> None:
    scripted.answer("GET /api/query?type=edgeGateway*", page(NSXV))
    scripted.answer(
        "GET /network/edges/e1/nat/config",
        f"<nat><enabled>true</enabled><natRules><natRule>{rule}</natRule></natRules></nat>",
    )
    assert vcd.surroundings.egress(routed).egress is verdict


def test_a_missing_right_is_a_cannot_tell(
    vcd: VcdClient, scripted: ScriptedVcd, routed: Network
) -> None:
    scripted.answer("GET /api/query?type=edgeGateway*", page(NSXT))
    scripted.answer("GET /cloudapi/1.0.0/edgeGateways/*", Answer("", 403, ""))
    answer = vcd.surroundings.egress(routed)
    assert answer.egress is None
    assert "Organization vDC Gateway: View NAT" in answer.egress_reason
    scripted.answer("GET /api/query?type=edgeGateway*", page(""))
    assert (
        vcd.surroundings.egress(routed).egress_reason == "the network's gateway is hidden from you"
    )


def test_an_expired_session_is_not_a_cannot_tell(
    vcd: VcdClient, scripted: ScriptedVcd, routed: Network
) -> None:
    scripted.answer("GET /api/query?type=edgeGateway*", Answer("", 401, ""))
    with pytest.raises(SessionInvalid):
        vcd.surroundings.egress(routed)
