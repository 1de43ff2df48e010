"""The gateway against a whole VCD: a session, a life of a vApp, faults, budgets."""

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
from cse_client.vcd.client import Gateway
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
        gateway = Gateway.open(session)
        found = gateway.vdc(vdc)
        gateway.close()
        return replace(session, vdc=found.name, vdc_href=found.href)

    def gateway(self, user: str = "admin", **options: str) -> Gateway:
        return Gateway.open(self.session(user, **options), clock=QuickClock())

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
def gateway(cloud: Cloud) -> Iterator[Gateway]:
    gateway = cloud.gateway()
    yield gateway
    gateway.close()


def soon(gateway: Gateway, seconds: float = 20) -> float:
    return gateway.clock.monotonic() + seconds


def done(gateway: Gateway, task: tasks.Task) -> tasks.Task:
    return tasks.wait(gateway, task, deadline=soon(gateway))


def template(gateway: Gateway) -> Template:
    return next(one for one in gateway.templates() if one.item == CSE_ITEM)


def source(gateway: Gateway) -> TemplateVm:
    return gateway.template_vm(template(gateway))


def a_vapp(gateway: Gateway, name: str = "demo") -> str:
    vdc = gateway.vdc()
    network = next(one for one in gateway.networks(vdc) if one.name == "net1")
    href, task = gateway.compose(vdc, name, f"cluster '{name}' id 1", network)
    done(gateway, task)
    return href


def a_node(gateway: Gateway, vapp: str, name: str = "mstr-ab12", *, power_on: bool = False) -> str:
    new = NewVm(name, source(gateway), "net1", SCRIPT)
    done(gateway, gateway.recompose(vapp, add=[new], power_on=power_on))
    return next(vm.href for vm in gateway.vapp(vapp).vms if vm.name == name)


def test_the_surroundings(cloud: Cloud, gateway: Gateway) -> None:
    assert (gateway.session_user, gateway.org_name) == ("admin", "acme")
    assert gateway.org_href.startswith(f"https://{cloud.simulator.host}/api/org/")
    assert gateway.vcd_version().startswith("10.3 (API up to 36.")
    assert gateway.probe_cse_server() == ("absent", "VCD has no CSE server registered")
    assert [vdc.name for vdc in gateway.vdcs()] == ["vdc1", "vdc2"]
    vdc = gateway.vdc()
    known = {network.name: network for network in gateway.networks(vdc)}
    assert {name: network.fence for name, network in known.items()} == {
        "net1": Fence.ROUTED,
        "net2": Fence.ROUTED,
        "net3": Fence.DIRECT,
        "net4": Fence.ISOLATED,
    }
    net1 = gateway.network_details(known["net1"])
    assert (net1.fence, net1.gateway, net1.free_addresses) == (Fence.ROUTED, "127.20.0.1", 241)
    assert gateway.egress(net1).egress is True
    assert gateway.egress(gateway.network_details(known["net2"])).egress is False
    assert gateway.egress(known["net2"]).egress is False, "without the details as well"
    assert gateway.egress(known["net3"]).egress is None
    profiles = gateway.storage_profiles(vdc)
    assert [one.name for one in profiles if one.is_default] == ["gold"]


def test_an_nsx_v_edge_tells_the_same(cloud: Cloud, gateway: Gateway) -> None:
    for name in ("net1", "net2"):
        cloud.control("POST", f"networks/{name}", {"backing": "NSXV"})
    known = {network.name: network for network in gateway.networks(gateway.vdc())}
    assert gateway.egress(gateway.network_details(known["net1"])).egress is True
    assert gateway.egress(gateway.network_details(known["net2"])).egress is False


def test_an_author_may_not_look_at_gateways(cloud: Cloud) -> None:
    gateway = cloud.gateway("author")
    known = {network.name: network for network in gateway.networks(gateway.vdc())}
    seen = gateway.egress(gateway.network_details(known["net2"]))
    assert seen.fence is Fence.ROUTED
    assert seen.egress is None
    assert seen.egress_reason


def test_templates_come_from_one_query_and_registration_is_seen_by_others(
    cloud: Cloud, gateway: Gateway
) -> None:
    before = gateway.requests_sent
    found = {one.item: one for one in gateway.templates()}
    assert gateway.requests_sent == before + 1
    assert found[CSE_ITEM].revision == 2
    assert found[CSE_ITEM].facts == TemplateFacts("ubuntu-16.04", "1.18", "weave", "2.6.5")
    item = gateway.find_item("cse", CSE_ITEM)
    gateway.register_template(item.href, TemplateFacts(kubernetes="1.18.6"))
    seen = next(one for one in cloud.gateway("author").templates() if one.item == CSE_ITEM)
    assert seen.registered
    assert (seen.facts.kubernetes, seen.facts.cni) == ("1.18.6", "weave")
    with pytest.raises(NotFound):
        gateway.find_item("cse", "nothing")
    with pytest.raises(Refused):
        cloud.gateway("viewer").register_template(item.href, TemplateFacts(kubernetes="1"))


@pytest.mark.parametrize(
    ("release", "api_version"), [("10.1", "34.0"), ("10.3", "36.0"), ("10.6", "39.0")]
)
def test_the_life_of_a_vapp(
    release: str, api_version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulator(guests=False, release=release) as simulator:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(simulator.ca))
        live(Cloud(simulator).gateway(api_version=api_version))


def live(gateway: Gateway) -> None:
    vdc = gateway.vdc()
    assert gateway.find_vapp(vdc, "demo") is None
    vapp = a_vapp(gateway)
    done(gateway, gateway.write_metadata(vapp, {"cse.cluster.id": "1", "cse.version": "x"}))
    record = gateway.find_vapp(vdc, "demo")
    assert record is not None
    assert (record.href, record.metadata) == (vapp, {"cse.cluster.id": "1", "cse.version": "x"})
    assert gateway.vapp_metadata(vapp) == record.metadata

    vm = a_node(gateway, vapp, power_on=True)
    seen = gateway.vapp_in_motion(vapp)
    assert (seen.status, seen.description) == ("POWERED_ON", "cluster 'demo' id 1")
    assert (seen.networks, seen.owner, seen.vdc_href) == (("net1",), "admin", vdc.href)
    (node,) = seen.vms
    assert (node.ip, node.network, node.customization) == ("127.20.0.10", "net1", "GC_COMPLETE")
    assert gateway.vm_records(vapp)[0].ip == "127.20.0.10"
    assert gateway.customization_script(vm) == SCRIPT

    done(gateway, gateway.undeploy(vapp))
    change = VmChange(vm, "mstr-ab12", cpus=4, memory_mb=8192, script="#!/bin/sh\n# new\n")
    done(gateway, gateway.recompose(vapp, change=[change]))
    changed = gateway.vm(vm)
    assert (changed.cpus, changed.memory_mb, changed.ip) == (4, 8192, "127.20.0.10")
    assert gateway.customization_script(vm) == "#!/bin/sh\n# new\n"
    done(gateway, gateway.write_customization_script(vm, SCRIPT))
    assert gateway.customization_script(vm) == SCRIPT

    done(gateway, gateway.deploy(vapp, force_customization=True))
    assert gateway.vapp(vapp).status == "POWERED_ON"
    done(gateway, gateway.delete_vapp(vapp))
    assert gateway.gone(vapp)
    assert gateway.vm_records(vapp) == []
    with pytest.raises(NotFound):
        gateway.vapp(vapp)
    # VCD forbids what is not there
    with pytest.raises(Refused):
        gateway.delete_vapp(vapp)


def test_nodes_come_and_go_in_one_task_each(gateway: Gateway) -> None:
    vapp = a_vapp(gateway)
    start = source(gateway)
    names = [f"node-{index:04d}" for index in range(5)]
    new = [NewVm(name, start, "net1", SCRIPT) for name in names]
    done(gateway, gateway.recompose(vapp, add=new))
    vms = {vm.name: vm for vm in gateway.vapp(vapp).vms}
    assert sorted(vms) == names
    assert len({vm.ip for vm in vms.values()}) == 5
    assert {vm.status for vm in vms.values()} == {"POWERED_OFF"}
    done(gateway, gateway.recompose(vapp, delete=[vms[name].href for name in names[:4]]))
    assert [vm.name for vm in gateway.vapp(vapp).vms] == names[4:]
    done(gateway, gateway.power_on_vapp(vapp))
    done(gateway, gateway.power_off(vapp))
    assert gateway.vapp(vapp).vms[0].deployed, "powered off is not undeployed"


def test_many_changes_read_their_sections_with_one_request(gateway: Gateway) -> None:
    vapp = a_vapp(gateway)
    start = source(gateway)
    new = [NewVm(f"node-{index:04d}", start, "net1", SCRIPT) for index in range(4)]
    done(gateway, gateway.recompose(vapp, add=new))
    changes = [
        VmChange(vm.href, vm.name, cpus=3, script=f"#!/bin/sh\n# {vm.name}\n")
        for vm in gateway.vapp(vapp).vms
    ]
    before = gateway.requests_sent
    task = gateway.recompose(vapp, change=changes, power_on=True)
    assert gateway.requests_sent - before == 2
    done(gateway, task)
    for vm in gateway.vapp(vapp).vms:
        assert (vm.cpus, vm.status) == (3, "POWERED_ON")
        assert gateway.customization_script(vm.href) == f"#!/bin/sh\n# {vm.name}\n"
    with pytest.raises(NotFound, match="the vApp holds no VM 'gone'"):
        gateway.recompose(vapp, change=[VmChange(f"{vapp}x", "gone", cpus=1)])


def test_the_lease(cloud: Cloud, gateway: Gateway) -> None:
    vapp = a_vapp(gateway)
    task = gateway.keep_for_ever(vapp)
    assert task is not None
    done(gateway, task)
    seen = gateway.vapp(vapp)
    assert (seen.deployment_lease_seconds, seen.lease_ends) == (0, None)


def test_a_name_is_taken_only_once(gateway: Gateway) -> None:
    a_vapp(gateway)
    with pytest.raises(Conflict, match="cannot create vApp 'demo': The VCD entity demo already"):
        a_vapp(gateway)


def test_what_a_viewer_may_not_do(cloud: Cloud, gateway: Gateway) -> None:
    vapp = a_vapp(gateway)
    viewer = cloud.gateway("viewer")
    with pytest.raises(Refused, match="you may not create vApps in VDC 'vdc1'") as caught:
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
        gateway = slow.gateway()
        vapp = a_vapp(gateway)
        first = gateway.write_metadata(vapp, {"a": "1"})
        with pytest.raises(EntityBusy) as caught:
            gateway.write_metadata(vapp, {"b": "2"})
        assert caught.value.task_id == first.id
        second = tasks.change(
            gateway, lambda: gateway.write_metadata(vapp, {"b": "2"}), soon(gateway)
        )
        done(gateway, second)
        assert gateway.vapp_metadata(vapp) == {"a": "1", "b": "2"}


def test_a_failing_task_speaks_for_itself(cloud: Cloud, gateway: Gateway) -> None:
    vapp = a_vapp(gateway)
    cloud.fault("task", operation="vdcRecomposeVapp", message="The datastore is on fire.")
    with pytest.raises(TaskFailed, match=r"failed: The datastore is on fire") as caught:
        a_node(gateway, vapp)
    assert caught.value.code == "INTERNAL_SERVER_ERROR"


def test_an_exhausted_pool_is_a_task_error(cloud: Cloud, gateway: Gateway) -> None:
    vapp = a_vapp(gateway)
    cloud.control("POST", "networks/net1", {"pool": ["127.20.0.10", "127.20.0.11"]})
    start = source(gateway)
    new = [NewVm(f"node-{index:04d}", start, "net1", SCRIPT) for index in range(3)]
    with pytest.raises((TaskFailed, Refused), match="insufficient IP addresses"):
        done(gateway, gateway.recompose(vapp, add=new))


def test_a_connection_cut_after_the_change_is_an_unknown_outcome(
    cloud: Cloud, gateway: Gateway
) -> None:
    gateway.vdc_document(gateway.vdc())
    network = gateway.networks(gateway.vdc())[0]
    cloud.fault("reset_after", method="POST", path="composeVApp")
    with pytest.raises(VcdFault) as caught:
        gateway.compose(gateway.vdc(), "demo", "d", network)
    assert caught.value.outcome_unknown
    assert gateway.find_vapp(gateway.vdc(), "demo") is not None


def test_a_proxys_page_after_the_change_is_an_unknown_outcome(
    cloud: Cloud, gateway: Gateway
) -> None:
    vapp = a_vapp(gateway)
    cloud.fault("status", method="POST", path="metadata", status=502, html=True, act=True)
    with pytest.raises(VcdFault, match="text/html, which is not a VCD answer") as caught:
        gateway.write_metadata(vapp, {"a": "1"})
    assert caught.value.outcome_unknown
    assert gateway.vapp_metadata(vapp) == {"a": "1"}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset_before"},
        {"kind": "reset_after"},
        {"kind": "status", "status": 503, "html": True},
        {"kind": "status", "status": 429},
    ],
)
def test_reads_get_over_a_fault(cloud: Cloud, gateway: Gateway, fault: dict[str, Any]) -> None:
    vapp = a_vapp(gateway)
    cloud.fault(**fault, method="GET", path="/api/vApp/")
    assert gateway.vapp(vapp).name == "demo"


def test_a_session_that_ends_in_the_middle(cloud: Cloud, gateway: Gateway) -> None:
    vapp = a_vapp(gateway)
    cloud.control("POST", "sessions", {"expire": True})
    with pytest.raises(SessionInvalid) as caught:
        gateway.vapp(vapp)
    assert caught.value.hint == f"log in again: vcd login {cloud.simulator.host} acme admin"


@pytest.mark.parametrize("release", ["10.4", "10.6"])
def test_a_version_that_is_not_served_any_more(release: str, monkeypatch: Any) -> None:
    with Simulator(guests=False, release=release) as simulator:
        cloud = Cloud(simulator)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(simulator.ca))
        served = cloud_versions(simulator)
        session = cloud.session(api_version=served[-1])
        assert Gateway.open(session).vcd_version().startswith(release)
        with pytest.raises(SessionInvalid, match=r"does not serve API version 29\.0") as caught:
            Gateway.open(replace(session, api_version="29.0"))
        assert caught.value.hint.endswith(f"--version {served[-1]}")


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
    gateway = cloud.gateway(api_version=api_version)
    name = "a (b), c; d & 50% e\\f"
    a_vapp(gateway, name)
    record = gateway.find_vapp(gateway.vdc(), name)
    assert record is not None
    assert record.name == name


def test_a_thousand_clusters_cost_eight_requests(cloud: Cloud, gateway: Gateway) -> None:
    cloud.control("POST", "vapps", {"count": 1000, "workers": 2})
    before = gateway.requests_sent
    names = {record.name for record in gateway.cluster_records()}
    assert len(names) == 1000
    assert gateway.requests_sent - before == 8


def preflight(gateway: Gateway, spec: ClusterSpec) -> tuple[list[str], list[str]]:
    found = check_create(gateway, spec, gateway.vdc(), template(gateway))
    return [one.message for one in found.problems], found.warnings


def test_preflight_is_content_and_cheap(gateway: Gateway) -> None:
    before = gateway.requests_sent
    assert preflight(gateway, ClusterSpec("demo", "net1")) == ([], [])
    assert gateway.requests_sent - before <= 11


def test_preflight_finds_everything_at_once(cloud: Cloud) -> None:
    cloud.control("POST", "vdcs/vdc1", {"vm_quota": 2, "storage": {"gold": {"limit_mb": 1000}}})
    cloud.control("POST", f"templates/{CSE_ITEM}", {"eula": "Pay.", "has_nic": False})
    problems, _warnings = preflight(cloud.gateway(), ClusterSpec("demo", "net4"))
    assert [problem.split("'")[0] for problem in problems] == [
        "the VM of the template ",
        "the template ",
        "the network ",
        "the storage profile ",
        "VDC ",
    ]
    assert "isolated" in problems[2]
    assert "MB left, and 3 nodes need" in problems[3]
    assert "more VMs, and 3 are needed" in problems[4]


def test_preflight_of_a_network_without_dns_or_way_out(cloud: Cloud, gateway: Gateway) -> None:
    cloud.control("POST", "networks/net2", {"dns": []})
    problems, (dns, egress) = preflight(gateway, ClusterSpec("demo", "net2"))
    assert problems == []
    assert "has no DNS server" in dns
    assert "shows no way to the Internet" in egress
    strict, _warnings = preflight(gateway, ClusterSpec("demo", "net2", strict=True))
    assert len(strict) == 1


@pytest.mark.parametrize(
    ("user", "right", "refused"),
    [("viewer", "", True), ("author", "", False), ("author", "vApp: Create / Reconfigure", True)],
)
def test_preflight_knows_the_rights(cloud: Cloud, user: str, right: str, refused: bool) -> None:
    if right:
        cloud.control("POST", f"users/{user}", {"rights": {right: False}})
    problems, _warnings = preflight(cloud.gateway(user), ClusterSpec("demo", "net1"))
    assert problems == (["you may not create vApps in VDC 'vdc1'"] if refused else [])
