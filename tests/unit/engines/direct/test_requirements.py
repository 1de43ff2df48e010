"""What kubeadm and the pod network require, judged before anything is made."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cse_client.engines.direct import requirements
from cse_client.errors import Refused, WrongUsage
from cse_client.model import (
    ClusterSpec,
    Fence,
    Network,
    Template,
    TemplateFacts,
    TemplateVm,
    VmPolicy,
)
from cse_client.model.hardware import Hardware
from cse_client.model.ranges import (
    SERVICES,
    internal_ranges,
    most_nodes,
    pod_cidr_problem,
    service_cidr_problem,
)
from cse_client.model.settings import ClusterSettings
from cse_client.vcd.catalogs import read_facts

SMALL = VmPolicy("small", "urn", "h", is_sizing=True, cpus=1)
LARGE = VmPolicy("large", "urn", "h", is_sizing=True, cpus=4, memory_mb=8192)
WEAVE = TemplateFacts(kubernetes="1.18", cni="weave")
ANTREA = TemplateFacts(kubernetes="1.33", cni="antrea")
CALICO = TemplateFacts(kubernetes="1.33", cni="Calico")
OWN = TemplateFacts(kubernetes="1.33.1", cni="antrea", pod_cidr="172.30.0.0/20")


def network(*subnets: str, dns: tuple[str, ...] = ()) -> Network:
    return Network("net1", "h", Fence.ROUTED, subnets=subnets, dns=dns)


def spec(**values: object) -> ClusterSpec:
    return ClusterSpec("demo", "net1", **values)  # type: ignore[arg-type]


def template(facts: TemplateFacts) -> Template:
    return Template("t", 1, "cat", "t_rev1", "h", facts=facts)


@pytest.mark.parametrize(
    ("subnet", "facts", "what", "range_"),
    [
        ("10.96.7.1/255.255.255.0", WEAVE, "Services", "10.96.0.0/12"),
        ("10.111.255.1/24", ANTREA, "Services", "10.96.0.0/12"),
        ("10.40.0.1/255.255.0.0", WEAVE, "pods", "10.32.0.0/12"),
        ("10.244.8.1/24", ANTREA, "pods", "10.244.0.0/16"),
        ("192.168.4.1/22", CALICO, "pods", "192.168.0.0/16"),
        ("172.30.15.1/24", OWN, "pods", "172.30.0.0/20"),
        ("10.0.0.1/8", TemplateFacts(), "Services", "10.96.0.0/12"),
    ],
)
def test_a_network_inside_or_around_a_range_is_refused_with_both(
    subnet: str, facts: TemplateFacts, what: str, range_: str
) -> None:
    # the second subnet of a direct network counts as much as the first
    for subnets in ((subnet,), ("203.0.113.1/24", subnet)):
        problems = list(requirements.network_problems(spec(), network(*subnets), facts))
        assert problems
        whole = ipaddress.IPv4Network(subnet, strict=False)
        assert problems[0].exit_code == Refused.exit_code
        assert str(whole) in problems[0].message
        assert any(f"cluster's {what} ({range_})" in one.message for one in problems)
        assert "--network" in problems[0].hint


@pytest.mark.parametrize(
    ("subnet", "facts"),
    [
        ("10.244.0.1/24", WEAVE),
        ("10.32.0.1/24", ANTREA),
        ("192.168.1.1/24", ANTREA),
        ("10.112.0.1/24", ANTREA),
        ("10.95.255.1/24", WEAVE),
        ("fd00::1/64", ANTREA),
        ("rubbish", ANTREA),
    ],
)
def test_other_networks_pass(subnet: str, facts: TemplateFacts) -> None:
    assert list(requirements.network_problems(spec(), network(subnet), facts)) == []


def test_an_endpoint_or_name_server_inside_a_range() -> None:
    (problem,) = requirements.network_problems(
        spec(endpoint="10.96.0.9:443"), network("203.0.113.1/24"), ANTREA
    )
    assert problem.exit_code == WrongUsage.exit_code
    assert problem.message == (
        "the endpoint 10.96.0.9 is one of the addresses of the cluster's Services (10.96.0.0/12)"
    )
    fine = spec(endpoint="k8s.example.com")
    assert list(requirements.network_problems(fine, network(), ANTREA)) == []
    dns = network(dns=("10.244.0.53", "203.0.113.53", "ns.example"))
    (warning,) = requirements.network_warnings(spec(), dns, ANTREA)
    assert "10.244.0.53" in warning


@pytest.mark.parametrize(
    ("cidr", "why"),
    [
        ("10.244.0.0/25", "too small"),
        ("10.0.0.0/7", "Services"),
        ("64.0.0.0/7", "too large"),
        ("fd00:10::/64", "IPv6"),
        ("10.96.0.0/16", "Services"),
        ("10.96.0.0/12", "Services"),
        ("10.0.0.0/8", "Services"),
        ("127.20.0.0/16", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("239.0.0.0/16", "multicast"),
        ("0.0.0.0/0", "this host"),
        ("10.244.0.1/16", "host bits"),
        ("10.244.0.0/16 ", "not a network"),
        ("١٠.244.0.0/16", "not a network"),
        ("10.244.0.0/16,fd00::/64", "not a network"),
        ("", "not a network"),
    ],
)
def test_pod_networks_that_cannot_be(cidr: str, why: str) -> None:
    assert why in pod_cidr_problem(cidr)
    if not cidr:
        return
    facts = TemplateFacts(kubernetes="1.33", cni="antrea", pod_cidr=cidr)
    (problem,) = requirements.template_problems(template(facts))
    assert why in problem.message


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_what_passes_is_what_kubeadm_takes(number: int, prefix: int) -> None:
    pods = ipaddress.IPv4Network((number, prefix), strict=False)
    if pod_cidr_problem(str(pods)) == "":
        assert 8 <= prefix <= 24
        assert not pods.overlaps(SERVICES)
        assert pods.is_loopback is pods.is_multicast is pods.is_link_local is False


@pytest.mark.parametrize(
    ("facts", "nodes", "room"),
    [
        (TemplateFacts(cni="antrea", pod_cidr="10.244.0.0/23"), 3, 2),
        (TemplateFacts(cni="flannel", pod_cidr="10.244.0.0/24"), 2, 1),
        (ANTREA, 257, 256),
        (WEAVE, 501, None),
        (CALICO, 501, None),
        (TemplateFacts(), 501, None),
    ],
)
def test_each_node_needs_a_part_of_the_pod_network(
    facts: TemplateFacts, nodes: int, room: int | None
) -> None:
    assert most_nodes(facts) == room
    problems = list(requirements.room_problems(spec(workers=nodes - 1), template(facts)))
    assert [f"room for {room} node" in one.message for one in problems] == [True] * bool(room)
    fitting = spec(workers=(room or nodes) - 1)
    assert list(requirements.room_problems(fitting, template(facts))) == []


def chosen(pods: str = "", services: str = "", **values: object) -> ClusterSpec:
    return spec(settings=ClusterSettings(pod_cidr=pods, service_cidr=services), **values)


@pytest.mark.parametrize(
    ("cidr", "why"),
    [
        ("172.29.0.0/29", "too small"),
        ("172.0.0.0/11", "too large"),
        ("fd00:10::/112", "IPv6"),
        ("127.0.0.0/16", "loopback"),
        ("172.29.0.1/16", "host bits"),
        ("services", "not a network"),
    ],
)
def test_service_networks_that_cannot_be(cidr: str, why: str) -> None:
    assert why in service_cidr_problem(cidr)


@pytest.mark.parametrize("cidr", ["172.29.0.0/28", "172.16.0.0/12", "10.244.0.0/16"])
def test_service_networks_that_can_be(cidr: str) -> None:
    assert service_cidr_problem(cidr) == ""


@pytest.mark.parametrize(
    ("asked", "facts", "message"),
    [
        (chosen("10.244.0.0/16", "10.244.0.0/20"), ANTREA, "overlaps"),
        (chosen("10.100.0.0/16"), ANTREA, "overlaps"),
        (chosen("", "10.244.4.0/24"), ANTREA, "overlaps"),
        (chosen("10.100.0.0/16", "172.29.0.0/16"), ANTREA, ""),
        (chosen("172.30.0.0/16"), WEAVE, "its CNI plugin, weave, always uses 10.32.0.0/12"),
        (chosen("", "172.29.0.0/16"), WEAVE, ""),
        (chosen("172.16.0.0/16"), OWN, ""),
        (
            chosen("172.30.0.0/16"),
            TemplateFacts(pod_cidr="10.50.0.0/16"),
            "it is registered with the pod network 10.50.0.0/16 and an unknown CNI plugin",
        ),
    ],
)
def test_ranges_that_were_chosen(asked: ClusterSpec, facts: TemplateFacts, message: str) -> None:
    problems = list(requirements.range_problems(asked, template(facts)))
    assert [message in one.message for one in problems] == [True] * bool(message)


def test_chosen_ranges_replace_the_defaults_everywhere() -> None:
    asked = chosen("172.30.0.0/23", "172.29.0.0/16", workers=2, endpoint="172.29.0.9")
    nodes = network("172.30.1.1/24", "172.29.8.1/24", "10.244.0.1/24", dns=("172.30.0.2",))
    messages = [one.message for one in requirements.network_problems(asked, nodes, ANTREA)]
    assert len(messages) == 3
    assert "(172.30.1.0/24) overlaps the addresses of the cluster's pods" in messages[0]
    assert "(172.29.8.0/24) overlaps the addresses of the cluster's Services" in messages[1]
    assert "the endpoint 172.29.0.9" in messages[2]
    assert len(list(requirements.network_warnings(asked, nodes, ANTREA))) == 1
    (shortage,) = requirements.room_problems(asked, template(ANTREA))
    assert "the pod network 172.30.0.0/23 of the cluster has room for 2 nodes" in shortage.message


def test_weave_keeps_its_own_range_whatever_is_registered() -> None:
    facts = TemplateFacts(cni="weave", pod_cidr="172.30.0.0/16")
    assert str(internal_ranges(facts)["pods"]) == "10.32.0.0/12"


@pytest.mark.parametrize(
    ("asked", "cpus", "memory", "kubernetes", "messages"),
    [
        ({}, 2, 1800, "1.33", []),
        ({}, 0, 0, "1.33", []),
        ({"cpus": 2, "memory_mb": 4096}, 1, 512, "1.33", []),
        ({"cpus": 1}, 4, 4096, "1.18", ["the control plane's VM would have 1 CPU"]),
        ({}, 1, 4096, "1.33", ["the template's VM would have 1 CPU"]),
        ({"memory_mb": 1024}, 2, 4096, "1.20", ["the control plane's VM would have 1024 MB"]),
        ({"memory_mb": 1750}, 2, 4096, "", ["the control plane's VM would have 1750 MB"]),
        ({"memory_mb": 1024}, 2, 4096, "1.19.3", []),
        ({}, 1, 1024, "1.36", ["the template's VM would have 1 CPU", "the template's VM would"]),
        ({"sizing_policy": LARGE}, 1, 1024, "1.36", []),
        ({"sizing_policy": SMALL}, 4, 4096, "1.36", ["the control plane's VM would have 1 CPU"]),
    ],
)
def test_the_control_planes_machine(
    asked: dict[str, Any], cpus: int, memory: int, kubernetes: str, messages: list[str]
) -> None:
    source = TemplateVm("h", "vm", cpus=cpus, memory_mb=memory)
    problems = list(requirements.machine_problems(Hardware(**asked), source, kubernetes))
    assert len(problems) == len(messages)
    for problem, start in zip(problems, messages):
        assert problem.message.startswith(start)
        assert problem.exit_code == (WrongUsage if asked else Refused).exit_code


@pytest.mark.parametrize("name", ["os", "kubernetes", "cni", "cni_version", "cni_manifest"])
def test_registered_facts_that_no_script_can_hold(name: str) -> None:
    facts = read_facts(json.dumps({name: "a\nb"}))
    (problem,) = requirements.template_problems(template(facts))
    assert name in problem.message
    assert "\n" not in problem.message
