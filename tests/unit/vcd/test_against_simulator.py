"""The client against a whole VCD: a session, a life of a vApp, faults, budgets."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from cse_client.errors import (
    Conflict,
    NotFound,
    Refused,
    SessionInvalid,
    TaskFailed,
    VcdFault,
)
from cse_client.model import (
    ClusterSpec,
    Fence,
    NewVm,
    Session,
    Template,
    TemplateFacts,
    TemplateVm,
    VmChange,
)
from cse_client.simulator import Simulator
from cse_client.vcd import tasks
from cse_client.vcd.client import VcdClient
from cse_client.vcd.errors import EntityBusy
from cse_client.vcd.preflight import check_create
from tests.support.clock import QuickClock

CSE_ITEM = "ubuntu-16.04_k8-1.18_weave-2.6.5_rev2"
SCRIPT = "#!/bin/sh\n# secret: s3cr3t & <more>\nexit 0\n"


class Cloud:
    """A simulator and the ways to it."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    def session(self, user: str = "admin", api_version: str = "36.0", vdc: str = "vdc1") -> Session:
        """Log in as `vcd login` does and return what it stores."""
        sim = self.simulator
        pair = base64.b64encode(f"{user}@{sim.org}:{sim.password(user)}".encode()).decode()
        answer = requests.post(
            f"https://{sim.host}/cloudapi/1.0.0/sessions",
            headers={
                "Accept": f"application/json;version={api_version}",
                "Authorization": f"Basic {pair}",
            },
            verify=str(sim.ca),
            timeout=10,
        )
        answer.raise_for_status()
        session = Session(
            host=sim.host,
            org=sim.org,
            user=user,
            api_version=api_version,
            token=answer.headers["X-VMWARE-VCLOUD-ACCESS-TOKEN"],
        )
        if not vdc:
            return session
        vcd = VcdClient.open(session)
        found = vcd.surroundings.vdc(vdc)
        vcd.close()
        return replace(session, vdc=found.name, vdc_href=found.href)

    def vcd(self, user: str = "admin", **options: str) -> VcdClient:
        return VcdClient.open(self.session(user, **options), clock=QuickClock())

    def control(self, method: str, path: str, values: dict[str, Any] | None = None) -> Any:
        """Pull a string behind the curtain."""
        answer = requests.request(
            method,
            f"https://{self.simulator.host}/simulator/{path}",
            json=values,
            verify=str(self.simulator.ca),
            timeout=10,
        )
        answer.raise_for_status()
        return answer.json()

    def fault(self, kind: str, **values: Any) -> None:
        self.control("POST", "faults", {"kind": kind, **values})


@pytest.fixture(autouse=True)
def _trust(monkeypatch: pytest.MonkeyPatch, cloud: Cloud) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cloud.simulator.ca))


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Simulator(guests=False) as simulator:
        yield Cloud(simulator)


@pytest.fixture
def vcd(cloud: Cloud) -> Iterator[VcdClient]:
    vcd = cloud.vcd()
    yield vcd
    vcd.close()


def soon(vcd: VcdClient, seconds: float = 20) -> float:
    return vcd.clock.monotonic() + seconds


def done(vcd: VcdClient, task: tasks.Task) -> tasks.Task:
    return tasks.wait(vcd, task, deadline=soon(vcd))


def template(vcd: VcdClient) -> Template:
    return next(one for one in vcd.surroundings.templates() if one.item == CSE_ITEM)


def source(vcd: VcdClient) -> TemplateVm:
    return vcd.surroundings.template_vm(template(vcd))


def a_vapp(vcd: VcdClient, name: str = "demo") -> str:
    vdc = vcd.surroundings.vdc()
    network = next(one for one in vcd.surroundings.networks(vdc) if one.name == "net1")
    href, task = vcd.compose(vdc, name, f"cluster '{name}' id 1", network)
    done(vcd, task)
    return href


def a_node(vcd: VcdClient, vapp: str, name: str = "mstr-ab12", *, power_on: bool = False) -> str:
    new = NewVm(name, source(vcd), "net1", SCRIPT)
    done(vcd, vcd.recompose(vapp, add=[new], power_on=power_on))
    return next(vm.href for vm in vcd.vapp(vapp).vms if vm.name == name)


def test_the_surroundings(cloud: Cloud, vcd: VcdClient) -> None:
    assert vcd.session.org_name == "acme"
    assert vcd.session.org_href.startswith(f"https://{cloud.simulator.host}/api/org/")
    assert vcd.session.vcd_version().startswith("10.3 (API up to 36.")
    assert [vdc.name for vdc in vcd.surroundings.vdcs()] == ["vdc1", "vdc2"]
    vdc = vcd.surroundings.vdc()
    known = {network.name: network for network in vcd.surroundings.networks(vdc)}
    assert {name: network.fence for name, network in known.items()} == {
        "net1": Fence.ROUTED,
        "net2": Fence.ROUTED,
        "net3": Fence.DIRECT,
        "net4": Fence.ISOLATED,
    }
    net1 = vcd.surroundings.network_details(known["net1"])
    assert (net1.fence, net1.gateway, net1.free_addresses) == (Fence.ROUTED, "127.20.0.1", 241)
    assert vcd.surroundings.egress(net1).egress is True
    assert vcd.surroundings.egress(vcd.surroundings.network_details(known["net2"])).egress is False
    assert vcd.surroundings.egress(known["net2"]).egress is False, "without the details as well"
    assert vcd.surroundings.egress(known["net3"]).egress is None
    profiles = vcd.surroundings.storage_profiles(vdc)
    assert [one.name for one in profiles if one.is_default] == ["gold"]


def test_an_nsx_v_edge_tells_the_same(cloud: Cloud, vcd: VcdClient) -> None:
    for name in ("net1", "net2"):
        cloud.control("POST", f"networks/{name}", {"backing": "NSXV"})
    known = {network.name: network for network in vcd.surroundings.networks(vcd.surroundings.vdc())}
    assert vcd.surroundings.egress(vcd.surroundings.network_details(known["net1"])).egress is True
    assert vcd.surroundings.egress(vcd.surroundings.network_details(known["net2"])).egress is False


def test_an_author_may_not_look_at_gateways(cloud: Cloud) -> None:
    vcd = cloud.vcd("author")
    known = {network.name: network for network in vcd.surroundings.networks(vcd.surroundings.vdc())}
    seen = vcd.surroundings.egress(vcd.surroundings.network_details(known["net2"]))
    assert seen.fence is Fence.ROUTED
    assert seen.egress is None
    assert seen.egress_reason


def test_templates_come_from_one_query_and_registration_is_seen_by_others(
    cloud: Cloud, vcd: VcdClient
) -> None:
    before = vcd.requests_sent
    found = {one.item: one for one in vcd.surroundings.templates()}
    assert vcd.requests_sent == before + 1
    assert found[CSE_ITEM].revision == 2
    assert found[CSE_ITEM].facts == TemplateFacts("ubuntu-16.04", "1.18", "weave", "2.6.5")
    item = vcd.surroundings.find_item("cse", CSE_ITEM)
    vcd.register_template(item.href, TemplateFacts(kubernetes="1.18.6"))
    seen = next(one for one in cloud.vcd("author").surroundings.templates() if one.item == CSE_ITEM)
    assert seen.registered
    assert (seen.facts.kubernetes, seen.facts.cni) == ("1.18.6", "weave")
    with pytest.raises(NotFound):
        vcd.surroundings.find_item("cse", "nothing")
    with pytest.raises(Refused):
        cloud.vcd("viewer").register_template(item.href, TemplateFacts(kubernetes="1"))


@pytest.mark.parametrize(
    ("release", "api_version"), [("10.1", "34.0"), ("10.3", "36.0"), ("10.6", "39.0")]
)
def test_the_life_of_a_vapp(
    release: str, api_version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulator(guests=False, release=release) as simulator:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(simulator.ca))
        live(Cloud(simulator).vcd(api_version=api_version))


def live(vcd: VcdClient) -> None:
    vdc = vcd.surroundings.vdc()
    assert vcd.find_vapp(vdc, "demo") is None
    vapp = a_vapp(vcd)
    done(vcd, vcd.write_metadata(vapp, {"cse.cluster.id": "1", "cse.version": "x"}))
    record = vcd.find_vapp(vdc, "demo")
    assert record is not None
    assert (record.href, record.metadata) == (vapp, {"cse.cluster.id": "1", "cse.version": "x"})
    assert vcd.vapp_metadata(vapp) == record.metadata

    vm = a_node(vcd, vapp, power_on=True)
    seen = vcd.vapp_in_motion(vapp)
    assert (seen.status, seen.description) == ("POWERED_ON", "cluster 'demo' id 1")
    assert (seen.networks, seen.owner, seen.vdc_href) == (("net1",), "admin", vdc.href)
    (node,) = seen.vms
    assert (node.ip, node.network, node.customization) == ("127.20.0.10", "net1", "GC_COMPLETE")
    assert vcd.vm_records(vapp)[0].ip == "127.20.0.10"
    assert vcd.customization_script(vm) == SCRIPT

    done(vcd, vcd.undeploy(vapp))
    change = VmChange(vm, "mstr-ab12", cpus=4, memory_mb=8192, script="#!/bin/sh\n# new\n")
    done(vcd, vcd.recompose(vapp, change=[change]))
    changed = vcd.vm(vm)
    assert (changed.cpus, changed.memory_mb, changed.ip) == (4, 8192, "127.20.0.10")
    assert vcd.customization_script(vm) == "#!/bin/sh\n# new\n"
    done(vcd, vcd.write_customization_script(vm, SCRIPT))
    assert vcd.customization_script(vm) == SCRIPT

    done(vcd, vcd.deploy(vapp, force_customization=True))
    assert vcd.vapp(vapp).status == "POWERED_ON"
    done(vcd, vcd.delete_vapp(vapp))
    assert vcd.gone(vapp)
    assert vcd.vm_records(vapp) == []
    with pytest.raises(NotFound):
        vcd.vapp(vapp)
    # VCD forbids what is not there
    with pytest.raises(Refused):
        vcd.delete_vapp(vapp)


def test_nodes_come_and_go_in_one_task_each(vcd: VcdClient) -> None:
    vapp = a_vapp(vcd)
    start = source(vcd)
    names = [f"node-{index:04d}" for index in range(5)]
    new = [NewVm(name, start, "net1", SCRIPT) for name in names]
    done(vcd, vcd.recompose(vapp, add=new))
    vms = {vm.name: vm for vm in vcd.vapp(vapp).vms}
    assert sorted(vms) == names
    assert len({vm.ip for vm in vms.values()}) == 5
    assert {vm.status for vm in vms.values()} == {"POWERED_OFF"}
    done(vcd, vcd.recompose(vapp, delete=[vms[name].href for name in names[:4]]))
    assert [vm.name for vm in vcd.vapp(vapp).vms] == names[4:]
    done(vcd, vcd.power_on_vapp(vapp))
    assert vcd.vapp(vapp).vms[0].deployed


def test_many_changes_read_their_sections_with_one_request(vcd: VcdClient) -> None:
    vapp = a_vapp(vcd)
    start = source(vcd)
    new = [NewVm(f"node-{index:04d}", start, "net1", SCRIPT) for index in range(4)]
    done(vcd, vcd.recompose(vapp, add=new))
    changes = [
        VmChange(vm.href, vm.name, cpus=3, script=f"#!/bin/sh\n# {vm.name}\n")
        for vm in vcd.vapp(vapp).vms
    ]
    before = vcd.requests_sent
    task = vcd.recompose(vapp, change=changes, power_on=True)
    assert vcd.requests_sent - before == 2
    done(vcd, task)
    for vm in vcd.vapp(vapp).vms:
        assert (vm.cpus, vm.status) == (3, "POWERED_ON")
        assert vcd.customization_script(vm.href) == f"#!/bin/sh\n# {vm.name}\n"
    with pytest.raises(NotFound, match="The vApp has no VM 'gone'"):
        vcd.recompose(vapp, change=[VmChange(f"{vapp}x", "gone", cpus=1)])


def test_the_lease(cloud: Cloud, vcd: VcdClient) -> None:
    vapp = a_vapp(vcd)
    task = vcd.keep_for_ever(vapp)
    assert task is not None
    done(vcd, task)
    seen = vcd.vapp(vapp)
    assert (seen.deployment_lease_seconds, seen.lease_ends) == (0, None)


def test_a_name_is_taken_only_once(vcd: VcdClient) -> None:
    a_vapp(vcd)
    with pytest.raises(Conflict, match="Cannot create vApp 'demo': The VCD entity demo already"):
        a_vapp(vcd)


def test_what_a_viewer_may_not_do(cloud: Cloud, vcd: VcdClient) -> None:
    vapp = a_vapp(vcd)
    viewer = cloud.vcd("viewer")
    with pytest.raises(Refused, match="You may not create vApps in VDC 'vdc1'") as caught:
        a_vapp(viewer, "other")
    assert "vApp: Create / Reconfigure" in caught.value.hint
    with pytest.raises(Refused, match="VCD forbids you to change the vApp's VMs: ") as caught:
        viewer.recompose(vapp)
    assert '"vApp: Create / Reconfigure"' in caught.value.hint
    assert viewer.keep_for_ever(vapp) is None


def test_a_second_change_waits_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulator(guests=False, time="polls:3") as simulator:
        slow = Cloud(simulator)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(simulator.ca))
        vcd = slow.vcd()
        vapp = a_vapp(vcd)
        first = vcd.write_metadata(vapp, {"a": "1"})
        with pytest.raises(EntityBusy) as caught:
            vcd.write_metadata(vapp, {"b": "2"})
        assert caught.value.task_id == first.id
        second = tasks.change(vcd, lambda: vcd.write_metadata(vapp, {"b": "2"}), soon(vcd))
        done(vcd, second)
        assert vcd.vapp_metadata(vapp) == {"a": "1", "b": "2"}


def test_a_failing_task_speaks_for_itself(cloud: Cloud, vcd: VcdClient) -> None:
    vapp = a_vapp(vcd)
    cloud.fault("task", operation="vdcRecomposeVapp", message="The datastore is on fire.")
    with pytest.raises(TaskFailed, match=r"failed: The datastore is on fire") as caught:
        a_node(vcd, vapp)
    assert caught.value.code == "INTERNAL_SERVER_ERROR"


def test_an_exhausted_pool_is_a_task_error(cloud: Cloud, vcd: VcdClient) -> None:
    vapp = a_vapp(vcd)
    cloud.control("POST", "networks/net1", {"pool": ["127.20.0.10", "127.20.0.11"]})
    start = source(vcd)
    new = [NewVm(f"node-{index:04d}", start, "net1", SCRIPT) for index in range(3)]
    with pytest.raises((TaskFailed, Refused), match="insufficient IP addresses"):
        done(vcd, vcd.recompose(vapp, add=new))


def test_a_connection_cut_after_the_change_is_an_unknown_outcome(
    cloud: Cloud, vcd: VcdClient
) -> None:
    vcd.surroundings.vdc_document(vcd.surroundings.vdc())
    network = vcd.surroundings.networks(vcd.surroundings.vdc())[0]
    cloud.fault("reset_after", method="POST", path="composeVApp")
    with pytest.raises(VcdFault) as caught:
        vcd.compose(vcd.surroundings.vdc(), "demo", "d", network)
    assert caught.value.outcome_unknown
    assert vcd.find_vapp(vcd.surroundings.vdc(), "demo") is not None


def test_a_proxys_page_after_the_change_is_an_unknown_outcome(cloud: Cloud, vcd: VcdClient) -> None:
    vapp = a_vapp(vcd)
    cloud.fault("status", method="POST", path="metadata", status=502, html=True, act=True)
    with pytest.raises(VcdFault, match="text/html, which is not a VCD answer") as caught:
        vcd.write_metadata(vapp, {"a": "1"})
    assert caught.value.outcome_unknown
    assert vcd.vapp_metadata(vapp) == {"a": "1"}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset_before"},
        {"kind": "reset_after"},
        {"kind": "status", "status": 503, "html": True},
        {"kind": "status", "status": 429},
    ],
)
def test_reads_get_over_a_fault(cloud: Cloud, vcd: VcdClient, fault: dict[str, Any]) -> None:
    vapp = a_vapp(vcd)
    cloud.fault(**fault, method="GET", path="/api/vApp/")
    assert vcd.vapp(vapp).name == "demo"


def test_a_session_that_ends_in_the_middle(cloud: Cloud, vcd: VcdClient) -> None:
    vapp = a_vapp(vcd)
    cloud.control("POST", "sessions", {"expire": True})
    with pytest.raises(SessionInvalid) as caught:
        vcd.vapp(vapp)
    assert caught.value.hint == f"Log in again: vcd cse login {cloud.simulator.host} acme admin"


@pytest.mark.parametrize("release", ["10.4", "10.6"])
def test_a_version_that_is_not_served_any_more(release: str, monkeypatch: Any) -> None:
    with Simulator(guests=False, release=release) as simulator:
        cloud = Cloud(simulator)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(simulator.ca))
        served = cloud_versions(simulator)
        session = cloud.session(api_version=served[-1])
        assert VcdClient.open(session).session.vcd_version().startswith(release)
        with pytest.raises(SessionInvalid, match=r"does not serve API version 29\.0") as caught:
            VcdClient.open(replace(session, api_version="29.0"))
        login = f"vcd cse login {simulator.host} acme admin"
        assert caught.value.hint == f"Log in again: {login}"


def cloud_versions(simulator: Simulator) -> list[str]:
    text = requests.get(
        f"https://{simulator.host}/api/versions", verify=str(simulator.ca), timeout=10
    ).text
    import re

    found = re.findall(r"<Version>(\d+\.\d+)</Version>", text)
    return sorted(found, key=lambda one: tuple(int(part) for part in one.split(".")))


@pytest.mark.parametrize("api_version", ["34.0", "35.0", "36.0"])
def test_names_with_special_characters_are_found_at_every_version(
    cloud: Cloud, api_version: str
) -> None:
    vcd = cloud.vcd(api_version=api_version)
    name = "a (b), c; d & 50% e\\f"
    a_vapp(vcd, name)
    record = vcd.find_vapp(vcd.surroundings.vdc(), name)
    assert record is not None
    assert record.name == name


def test_a_thousand_clusters_cost_eight_requests(cloud: Cloud, vcd: VcdClient) -> None:
    cloud.control("POST", "vapps", {"count": 1000, "workers": 2})
    before = vcd.requests_sent
    names = {record.name for record in vcd.cluster_records()}
    assert len(names) == 1000
    assert vcd.requests_sent - before == 8


def preflight(vcd: VcdClient, spec: ClusterSpec) -> tuple[list[str], list[str]]:
    found = check_create(vcd, spec, vcd.surroundings.vdc(), template(vcd))
    return [one.message for one in found.problems], found.warnings


def test_preflight_is_content_and_cheap(vcd: VcdClient) -> None:
    before = vcd.requests_sent
    assert preflight(vcd, ClusterSpec("demo", "net1")) == ([], [])
    assert vcd.requests_sent - before <= 11


def test_preflight_finds_everything_at_once(cloud: Cloud) -> None:
    cloud.control("POST", "vdcs/vdc1", {"vm_quota": 2, "storage": {"gold": {"limit_mb": 1000}}})
    cloud.control("POST", f"templates/{CSE_ITEM}", {"eula": "Pay.", "has_nic": False})
    problems, _warnings = preflight(cloud.vcd(), ClusterSpec("demo", "net4"))
    assert [problem.split("'")[0] for problem in problems] == [
        "The VM of the template ",
        "The template ",
        "The network ",
        "The storage profile ",
        "VDC ",
    ]
    assert "isolated" in problems[2]
    assert "MB left, and 3 nodes need" in problems[3]
    assert "more VMs, and 3 are required" in problems[4]


def test_preflight_of_a_network_without_dns_or_way_out(cloud: Cloud, vcd: VcdClient) -> None:
    cloud.control("POST", "networks/net2", {"dns": []})
    problems, (dns, egress) = preflight(vcd, ClusterSpec("demo", "net2"))
    assert problems == []
    assert "has no DNS server" in dns
    assert "has no visible access to the Internet" in egress
    strict, _warnings = preflight(vcd, ClusterSpec("demo", "net2", strict=True))
    assert len(strict) == 1


@pytest.mark.parametrize(
    ("user", "right", "refused"),
    [("viewer", "", True), ("author", "", False), ("author", "vApp: Create / Reconfigure", True)],
)
def test_preflight_knows_the_rights(cloud: Cloud, user: str, right: str, refused: bool) -> None:
    if right:
        cloud.control("POST", f"users/{user}", {"rights": {right: False}})
    problems, _warnings = preflight(cloud.vcd(user), ClusterSpec("demo", "net1"))
    assert problems == (["You may not create vApps in VDC 'vdc1'."] if refused else [])
