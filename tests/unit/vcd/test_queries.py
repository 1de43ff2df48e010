"""The query service: filters, pages, metadata fields."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cse_client.errors import NotFound, Refused
from cse_client.model import Session, Vdc, footprint
from cse_client.simulator.vcd import query
from cse_client.vcd import queries
from cse_client.vcd.client import VcdClient
from cse_client.vcd.transport import Transport
from tests.support.clock import FakeClock
from tests.support.scripted_vcd import SESSION, ScriptedVcd
from tests.support.vcd_documents import NS, page


def vapp(name: str, vdc: str = "1", **metadata: str) -> str:
    entries = "".join(
        f"<MetadataEntry><Key>{key.replace('_', '.')}</Key><TypedValue xsi:type="
        f'"MetadataStringValue"><Value>{value}</Value></TypedValue></MetadataEntry>'
        for key, value in metadata.items()
    )
    return (
        f'<VAppRecord name="{name}" href="{{base}}/api/vApp/{name}" status="POWERED_ON" '
        f'vdc="{{base}}/api/vdc/{vdc}" vdcName="vdc{vdc}" ownerName="bob" isBusy="true">'
        f"<Metadata>{entries}</Metadata></VAppRecord>"
    )


@pytest.fixture
def vcd(scripted: ScriptedVcd, clock: FakeClock) -> VcdClient:
    return VcdClient.open(scripted.session(), clock=clock)


def last_query(scripted: ScriptedVcd) -> dict[str, str]:
    path = scripted.requests[-1].path
    return {key: values[0] for key, values in parse_qs(urlsplit(path).query).items()}


def test_clusters_are_found_by_metadata_page_by_page(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    scripted.answer(
        "GET /api/query?type=vApp*", page(vapp("a", cse_cluster_id="1"), "{base}/api/p2")
    )
    scripted.answer("GET /api/p2", page(vapp("b", cse_cluster_id="2")))
    records = vcd.cluster_records()
    first = next(records)
    assert len(scripted.asked("query")) == 1
    assert len(scripted.asked("p2")) == 0, "a page is read when it is needed"
    assert (first.name, first.status, first.vdc, first.owner) == ("a", "POWERED_ON", "vdc1", "bob")
    assert first.busy
    assert first.metadata == {"cse.cluster.id": "1"}
    query = last_query(scripted)
    assert query["pageSize"] == "128"
    assert query["filter"] == "metadata:cse.cluster.id==STRING:*"
    fields = query["fields"].split(",")
    assert [one for one in fields if one.startswith("metadata:")] == [
        f"metadata:{key}" for key in footprint.LISTED
    ]
    assert len(footprint.LISTED) == 8
    assert [one.name for one in records] == ["b"]


def test_special_characters_are_escaped_for_newer_and_older_servers(
    scripted: ScriptedVcd, clock: FakeClock
) -> None:
    scripted.answer("GET /api/query?type=vApp*", page(""))
    vdc = Vdc("vdc1", f"{scripted.base}/api/vdc/1", "acme")
    newer = VcdClient.open(scripted.session(api_version="36.0"), clock=clock)
    assert newer.find_vapp(vdc, "a(b),c;d e") is None
    assert "filter=name==a%5C%28b%5C%29%5C%2Cc%5C%3Bd%20e;vdc==http" in scripted.requests[-1].path
    older = VcdClient.open(scripted.session(api_version="34.0"), clock=clock)
    older.find_vapp(vdc, "a(b)")
    path = scripted.requests[-1].path
    assert "&filterEncoded=true&filter=name%3D%3Da%2528b%2529%3Bvdc%3D%3Dhttp" in path


def test_a_vapp_of_a_like_name_is_not_the_one(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    scripted.answer("GET /api/query?type=vApp*", page(vapp("Demo") + vapp("demo")))
    vdc = Vdc("vdc1", f"{scripted.base}/api/vdc/1", "acme")
    found = vcd.find_vapp(vdc, "demo")
    assert found is not None
    assert found.name == "demo"
    assert found.metadata == {}


def test_vm_records_for_polling(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    scripted.answer(
        "GET /api/query?type=vm&*",
        page(
            '<VMRecord name="mstr-ab12" href="h" status="POWERED_ON" isDeployed="true" '
            'ipAddress="127.20.0.10" networkName="net1" gcStatus="GC_PENDING" '
            'numberOfCpus="2" memoryMB="2048" isBusy="false"/>'
        ),
    )
    (vm,) = vcd.vm_records(f"{scripted.base}/api/vApp/vapp-1")
    assert (vm.name, vm.status, vm.ip, vm.customization) == (
        "mstr-ab12",
        "POWERED_ON",
        "127.20.0.10",
        "GC_PENDING",
    )
    assert (vm.deployed, vm.busy, vm.guestinfo) == (True, False, None)
    assert last_query(scripted)["filter"] == (
        f"container=={scripted.base}/api/vApp/vapp-1;isVAppTemplate==false"
    )


def test_the_sessions_vdc_costs_no_request(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    assert vcd.surroundings.vdc() == Vdc("vdc1", f"{scripted.base}/api/vdc/1", "acme")
    assert vcd.surroundings.vdc("vdc1") == vcd.surroundings.vdc()
    assert scripted.asked() == ["GET /api/session"]


def test_another_vdc_is_looked_up_and_an_unknown_one_lists_what_there_is(
    vcd: VcdClient, scripted: ScriptedVcd
) -> None:
    scripted.answer(
        "GET /api/query?type=orgVdc&*",
        page('<OrgVdcRecord name="vdc2" href="v2"/><OrgVdcRecord name="vdc1" href="v1"/>'),
    )
    assert vcd.surroundings.vdc("vdc2") == Vdc("vdc2", "v2", "acme")
    with pytest.raises(NotFound, match="has no VDC 'vdc3'; available: vdc1, vdc2"):
        vcd.surroundings.vdc("vdc3")


def test_no_vdc_chosen_says_how_to_choose(scripted: ScriptedVcd, clock: FakeClock) -> None:
    vcd = VcdClient.open(scripted.session(vdc="", vdc_href=""), clock=clock)
    scripted.answer("GET /api/query?type=orgVdc&*", page('<OrgVdcRecord name="vdc1" href="v"/>'))
    with pytest.raises(NotFound, match="No VDC is in use; available: vdc1") as caught:
        vcd.surroundings.vdc()
    assert "vcd vdc use" in caught.value.hint


def test_another_organization_is_for_system_administrators(
    vcd: VcdClient, scripted: ScriptedVcd, clock: FakeClock
) -> None:
    with pytest.raises(Refused, match="You are logged in to 'acme' and cannot access 'other'"):
        vcd.surroundings.vdc("vdc1", org="other")
    with pytest.raises(Refused):
        list(vcd.cluster_records(org="other"))
    session = SESSION.replace('org="acme"', 'org="System"').format(base=scripted.base)
    scripted.answer("GET /api/session", session)
    scripted.answer(
        "GET /api/query?type=adminOrgVdc*",
        page('<AdminVdcRecord name="vdc9" href="{base}/api/vdc/9" orgName="other"/>'),
    )
    scripted.answer(
        "GET /api/query?type=adminVApp*",
        page(vapp("a", vdc="9", cse_cluster_id="1") + vapp("b", vdc="1", cse_cluster_id="2")),
    )
    system = VcdClient.open(scripted.session(org="System"), clock=clock)
    assert system.surroundings.vdc("vdc9", org="other").org == "other"
    assert [one.name for one in system.cluster_records(org="other")] == ["a"]


def test_the_vm_quota_is_counted_only_where_there_is_one(
    vcd: VcdClient, scripted: ScriptedVcd
) -> None:
    scripted.answer("GET /api/vdc/1", f'<Vdc {NS} name="vdc1"><VmQuota>0</VmQuota></Vdc>')
    assert vcd.surroundings.capacity(vcd.surroundings.vdc()).vms_left is None
    assert len(scripted.asked()) == 2
    scripted.answer("GET /api/vdc/2", f'<Vdc {NS} name="vdc2"><VmQuota>10</VmQuota></Vdc>')
    scripted.answer("GET /api/query?type=vm&*", page("", total=7))
    other = Vdc("vdc2", f"{scripted.base}/api/vdc/2", "acme")
    assert vcd.surroundings.capacity(other).vms_left == 3


def test_storage_profiles(vcd: VcdClient, scripted: ScriptedVcd) -> None:
    scripted.answer(
        "GET /api/query?type=orgVdcStorageProfile*",
        page(
            '<OrgVdcStorageProfileRecord name="gold" href="g" isEnabled="false" '
            'isDefaultStorageProfile="true" storageLimitMB="100" storageUsedMB="40"/>'
        ),
    )
    (gold,) = vcd.surroundings.storage_profiles(vcd.surroundings.vdc())
    assert (gold.name, gold.enabled, gold.is_default) == ("gold", False, True)
    assert (gold.limit_mb, gold.used_mb) == (100, 40)


@given(
    st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="*"), min_size=1),
    st.sampled_from(["34.0", "35.0", "36.0", "39.1"]),
)
def test_a_filter_finds_exactly_the_value_whatever_its_characters(
    value: str, api_version: str
) -> None:
    transport = Transport(Session("127.0.0.1", "acme", "bob", api_version, "t"), FakeClock())
    url = queries.address(transport, "vApp", conditions=[("name", value), ("status", "ON")])
    transport.close()
    wishes = query.Query(query.parameters(urlsplit(url).query))
    this = query.Row({"name": value, "status": "ON"})
    assert wishes.select([query.Row({"name": f"{value}x", "status": "ON"}), this]) == [this]
