"""Preflight: every problem at once, nothing written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cse_client.errors import NotFound, Refused, SessionInvalid
from cse_client.model import ClusterSpec, Template
from cse_client.model.hardware import NodeOptions
from cse_client.vcd.client import VcdClient
from cse_client.vcd.findings import Findings
from cse_client.vcd.preflight import check_create
from tests.support.clock import FakeClock
from tests.support.scripted_vcd import Answer, ScriptedVcd
from tests.support.vcd_documents import DOCUMENT, NS, NSXT, page, rules

SPEC = ClusterSpec("demo", "net1", workers=2)
OVF = 'xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"'
RASD = (
    'xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/'
    'CIM_ResourceAllocationSettingData"'
)
VDC = f"""<Vdc {NS} name="vdc1" href="{{base}}/api/vdc/1">
  <Link rel="add" type="application/vnd.vmware.vcloud.composeVAppParams+xml" href="c"/>
  <ComputeCapacity><Cpu><Limit>10000</Limit><Used>0</Used></Cpu>
  <Memory><Limit>10000</Limit><Used>0</Used></Memory></ComputeCapacity>
  <AvailableNetworks><Network name="net1" href="{{base}}/api/network/1"/>
  <Network name="lonely" href="{{base}}/api/network/2"/></AvailableNetworks>
  <VmQuota>10</VmQuota><IsEnabled>true</IsEnabled><VCpuInMhz2>1000</VCpuInMhz2></Vdc>"""
TEMPLATE = f"""<VAppTemplate {NS} {OVF} {RASD} name="t" status="8"><Children>
  <Vm name="tpl" href="h" id="i">
  <ovf:VirtualHardwareSection><ovf:Info/>
  <ovf:Item><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></ovf:Item>
  <ovf:Item><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>2048</rasd:VirtualQuantity></ovf:Item>
  <ovf:Item><rasd:ResourceType>17</rasd:ResourceType><rasd:VirtualQuantity>10485760000</rasd:VirtualQuantity></ovf:Item>
  </ovf:VirtualHardwareSection>
  <NetworkConnectionSection><ovf:Info/>
  <PrimaryNetworkConnectionIndex>0</PrimaryNetworkConnectionIndex>
  <NetworkConnection><NetworkConnectionIndex>0</NetworkConnectionIndex></NetworkConnection>
  </NetworkConnectionSection></Vm></Children></VAppTemplate>"""
NETWORKS = (
    '<OrgVdcNetworkRecord name="net1" href="{base}/api/admin/network/1" linkType="1" '
    'connectedTo="edge" usedIpCount="3" totalIpCount="10"/>'
    '<OrgVdcNetworkRecord name="lonely" href="{base}/api/admin/network/2" linkType="2"/>'
)
STORAGE = (
    '<OrgVdcStorageProfileRecord name="gold" href="g" isEnabled="true" '
    'isDefaultStorageProfile="true" storageLimitMB="100000" storageUsedMB="0"/>'
    '<OrgVdcStorageProfileRecord name="tin" href="t" isEnabled="false" '
    'isDefaultStorageProfile="false" storageLimitMB="100" storageUsedMB="0"/>'
)
SNAT = rules({"type": "SNAT", "enabled": True, "internalAddresses": "127.20.0.0/24"})


@pytest.fixture
def vcd(scripted: ScriptedVcd, clock: FakeClock) -> VcdClient:
    """A cloud in which everything is well."""
    scripted.answer("GET /api/vdc/1", VDC)
    scripted.answer("GET /api/t/1", TEMPLATE)
    scripted.answer("GET /api/network/1", DOCUMENT)
    scripted.answer("GET /api/network/2", DOCUMENT.replace("natRouted", "isolated"))
    scripted.answer("GET /api/query?type=vApp&*", page(""))
    scripted.answer("GET /api/query?type=vm&*", page("", total=1))
    scripted.answer("GET /api/query?type=orgVdcNetwork*", page(NETWORKS))
    scripted.answer("GET /api/query?type=orgVdcStorageProfile*", page(STORAGE))
    scripted.answer("GET /api/query?type=edgeGateway*", page(NSXT))
    scripted.answer("GET /cloudapi/1.0.0/edgeGateways/*", SNAT)
    return VcdClient.open(scripted.session(), clock=clock)


def check(vcd: VcdClient, spec: ClusterSpec = SPEC, **options: object) -> Findings:
    template = Template(
        "t", 1, "cat", "t_rev1", f"{vcd.session.org_href[: -len('/api/org/1')]}/api/t/1"
    )
    return check_create(vcd, spec, vcd.surroundings.vdc(), template, **options)  # type: ignore[arg-type]


def messages(findings: Findings) -> list[str]:
    return [problem.message for problem in findings.problems]


def test_all_is_well_costs_few_reads_and_no_write(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    findings = check(vcd)
    assert messages(findings) == []
    assert findings.warnings == []
    assert findings.network is not None
    assert findings.network.egress is True
    assert findings.network.href == f"{scripted.base}/api/network/1"
    assert findings.template_vm is not None
    assert findings.template_vm.disk_mb == 10000
    assert findings.storage_profile is None
    assert {one.method for one in scripted.requests} == {"GET"}
    assert vcd.requests_sent <= 10


def test_many_problems_are_told_at_once(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    no_link = VDC.replace('rel="add"', 'rel="none"').replace(">10</VmQuota>", ">2</VmQuota>")
    scripted.answer("GET /api/vdc/1", no_link)
    spec = replace(SPEC, network="nowhere", storage_profile="platinum", cpus=8, memory_mb=9000)
    assert messages(check(vcd, spec)) == [
        "You may not create vApps in VDC 'vdc1'.",
        "VDC 'vdc1' has no network 'nowhere'; available: net1.",
        "VDC 'vdc1' has no storage profile 'platinum'; available: gold, tin.",
        "VDC 'vdc1' has room for 1 more VM, and 3 are required.",
        "VDC 'vdc1' has 10000 MB of memory left, but the nodes need 27000 MB.",
        "VDC 'vdc1' has 10000 MHz of CPU left, but the nodes need 24000 MHz.",
    ]


def test_an_isolated_network_is_refused(vcd: VcdClient) -> None:
    findings = check(vcd, replace(SPEC, network="lonely"))
    assert messages(findings) == [
        "The network 'lonely' is isolated: machines on it cannot reach the Internet."
    ]
    assert findings.problems[0].exit_code == Refused.exit_code


def test_a_pool_too_small_names_both_numbers(vcd: VcdClient) -> None:
    assert messages(check(vcd, replace(SPEC, workers=7))) == [
        "The network 'net1' has 7 free addresses in its static pool, and 8 nodes need an address.",
        "VDC 'vdc1' has 10000 MB of memory left, but the nodes need 16384 MB.",
        "VDC 'vdc1' has 10000 MHz of CPU left, but the nodes need 16000 MHz.",
    ]


def test_a_reservation_pool_may_be_overcommitted(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    pool = "<AllocationModel>ReservationPool</AllocationModel><ComputeCapacity>"
    scripted.answer("GET /api/vdc/1", VDC.replace("<ComputeCapacity>", pool))
    findings = check(vcd, replace(SPEC, memory_mb=9000))
    assert messages(findings) == []
    assert findings.warnings == [
        "VDC 'vdc1' has 10000 MB of memory left, but the nodes need 27000 MB."
    ]


def test_only_the_missing_nodes_count_each_with_its_own_size(vcd: VcdClient) -> None:
    large = NodeOptions(control_plane_memory_mb=9000)
    spec = replace(SPEC, memory_mb=2000, control_planes=3, node_options=large)
    assert messages(check(vcd, spec, heads_present=1, workers_present=2)) == [
        "VDC 'vdc1' has 10000 MB of memory left, but the nodes need 18000 MB."
    ]
    assert messages(check(vcd, spec, heads_present=3)) == []


def test_no_way_out_warns_or_with_strict_refuses(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    scripted.answer("GET /cloudapi/1.0.0/edgeGateways/*", rules())
    text = (
        "The network 'net1' has no visible access to the Internet: no SNAT rule of gateway "
        "'edge' covers it"
    )
    findings = check(vcd)
    assert messages(findings) == []
    assert [one.split(";")[0] for one in findings.warnings] == [text]
    assert messages(check(vcd, replace(SPEC, strict=True))) == [f"{text}."]


def test_hidden_nat_rules_and_missing_dns_are_warnings(
    vcd: VcdClient, scripted: ScriptedVcd
) -> None:
    scripted.answer("GET /api/network/1", DOCUMENT.replace("<Dns1>127.20.0.2</Dns1>", ""))
    scripted.answer("GET /cloudapi/1.0.0/edgeGateways/*", Answer("", 403, ""))
    findings = check(vcd, replace(SPEC, strict=True))
    assert messages(findings) == []
    dns, egress = findings.warnings
    assert "has no DNS server" in dns
    assert egress.startswith("It is unknown whether the network 'net1' has access to the Internet")


def test_a_licence_must_be_accepted(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    eula = (
        "<ovf:EulaSection><ovf:Info/><ovf:License>Pay us.\nOr else.</ovf:License></ovf:EulaSection>"
    )
    scripted.answer("GET /api/t/1", TEMPLATE.replace('id="i">', f'id="i">{eula}'))
    (text,) = messages(check(vcd))
    assert '"Pay us."' in text
    assert messages(check(vcd, replace(SPEC, accept_eulas=True))) == []


def test_a_template_without_a_nic_or_not_there(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    bare = TEMPLATE.replace("NetworkConnectionSection", "OtherSection")
    scripted.answer("GET /api/t/1", bare)
    assert messages(check(vcd)) == ["The VM of the template 't_rev1' has no network adapter."]
    scripted.answer("GET /api/t/1", Answer("", 403, ""))
    (problem,) = check(vcd).problems
    assert isinstance(problem, NotFound)
    assert "t_rev1" in problem.message


def test_a_storage_profile_disabled_and_too_full(vcd: VcdClient) -> None:
    findings = check(vcd, replace(SPEC, storage_profile="tin"))
    assert messages(findings) == [
        "The storage profile 'tin' is disabled.",
        "The storage profile 'tin' has 100 MB left, and 3 nodes need 30000 MB.",
    ]


def test_an_expired_session_ends_the_checks(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    scripted.answer("GET /api/query?type=orgVdcNetwork*", Answer("", 401, ""))
    with pytest.raises(SessionInvalid):
        check(vcd)
