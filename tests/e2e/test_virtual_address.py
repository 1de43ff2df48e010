"""A cluster whose API has an address of its own, which keepalived holds on the control plane."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import Result, Workstation
from tests.support.simulator import Control
from tests.support.waiting import until

Run = Callable[..., Result]

NAME = "steady"
BARE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev1"
TEMPLATE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev7"
CREATE = ("cluster", "create", NAME, "-n", "net1", "-N", "1", "-t")
REFUSED, FAILED, WRONG_USAGE = 4, 1, 2
AFFINITY = "Organization vDC: VM-VM Affinity Edit"


@pytest.fixture(autouse=True)
def _template(cse: Run, control: Control) -> Iterator[None]:
    """Offer a template with keepalived; remove what a test left behind."""
    control.set(f"templates/{TEMPLATE}", like=BARE, image={"keepalived": True})
    register = ("template", "register", "cse", TEMPLATE, "--kubernetes-version", "1.33.1")
    assert cse(*register, "--keepalived").code == 0
    yield
    control.set("networks/net1", dhcp=[])
    for name in {NAME} & set(control.get("state")["vapps"]):
        cse("cluster", "delete", name, "--yes")
    control.set(f"templates/{TEMPLATE}", remove=True)


@pytest.fixture
def kubectl(home: Path, environment: dict[str, str]) -> Callable[..., Result]:
    """Run kubectl with what `cluster config --save` saved."""
    return Workstation(home, environment).kubectl


def subnet(control: Control) -> str:
    """Return the beginning of the network's addresses, with the last dot."""
    first: str = control.get("state")["networks"]["net1"]["pool"][0]
    return first.rpartition(".")[0] + "."


def info(cse: Run) -> Any:
    return json.loads(cse("cluster", "info", NAME, options=("-j",)).checked())


def made(control: Control) -> Any:
    return control.get("state")["vapps"][NAME]


def test_which_addresses_can_be_virtual_ones(cse: Run, control: Control) -> None:
    net = subnet(control)
    control.set("networks/net1", dhcp=[[f"{net}6", f"{net}7"]])
    for address, code, text in (
        ("192.168.7.4", REFUSED, "is not in the network's subnet"),
        (f"{net}10", REFUSED, "is in the network's static pool"),
        (f"{net}1", REFUSED, "the network's gateway"),
        (f"{net}255", REFUSED, "the network's broadcast address"),
        (f"{net}6", REFUSED, "is in the network's DHCP pool"),
        ("10.0.0", WRONG_USAGE, "is not a valid virtual address; use an IPv4 address, auto or"),
        (f"{net}251", 0, f"The API gets the virtual address {net}251, held by keepalived."),
    ):
        result = cse(*CREATE, TEMPLATE, "--vip", address, "--dry-run")
        assert (result.code, text in result.out + result.err) == (code, True), result
        if code == REFUSED:
            assert "Hint: Choose another address for --vip, or auto.\n" in result.err


def test_a_plan_says_whether_there_is_one(cse: Run, control: Control) -> None:
    net = re.escape(subnet(control))
    with_it = cse(*CREATE, TEMPLATE, "--dry-run").checked()
    assert cse(*CREATE, TEMPLATE, "--dry-run").out == with_it, "the address is another one"
    assert re.search(rf"The API gets the virtual address {net}(25[1-4]|[2-9]),", with_it)
    without = cse(*CREATE, BARE, "--dry-run").checked()
    assert (
        f"The API has no virtual address: the template '{BARE}' is not known to contain keepalived."
    ) in without
    refused = cse(*CREATE, TEMPLATE, "--vip", "none", "--dry-run").checked()
    assert "virtual address" not in refused


def test_a_cluster_is_reached_at_its_virtual_address(
    cse: Run, control: Control, kubectl: Callable[..., Result]
) -> None:
    net = subnet(control)
    address = f"{net}253"
    cse(*CREATE, TEMPLATE, "--vip", address).checked()
    shown = info(cse)
    (head,) = (node for node in shown["nodes"] if node["name"].startswith("mstr-"))
    assert shown["endpoint"] == f"https://{address}:6443"
    assert (shown["virtual_address"], shown["holder"]) == (address, head["name"])
    assert f"API server of {head['name']} ({head['ip']}): answered" in shown["sources"]
    assert shown["problems"] == []
    cse("cluster", "config", NAME, "--save").checked()
    assert kubectl("get", "nodes", "-o", "name").checked().count("node/") == 2
    metadata = made(control)["metadata"]
    assert metadata["GENERAL:cse.master.ip"] == address
    assert f'"ranges":["{address}-{address}"]' in metadata["GENERAL:cse.client.virtual_address"]
    # everybody else keeps off it
    other = cse("cluster", "create", "other", "-n", "net1", "--vip", address, "--dry-run")
    assert other.code == FAILED
    assert f"{address} is the virtual address of cluster '{NAME}'." in other.err
    # a worker that joins later knows it, too
    cse("cluster", "resize", NAME, "--nodes", "2").checked()
    assert kubectl("get", "nodes", "-o", "name").checked().count("node/") == 3
    taken = cse("addon", "install", NAME, "metallb", "--addresses", f"{net}252-{address}")
    assert f"belongs to the virtual address of cluster '{NAME}'" in taken.err


def test_a_template_without_keepalived_fails_with_one_reason(cse: Run, control: Control) -> None:
    address = f"{subnet(control)}252"
    failed = cse(*CREATE, BARE, "--vip", address)
    assert failed.code == FAILED
    reason = (
        f"there is no keepalived in this template, which the virtual address {address} requires"
    )
    assert reason in failed.err
    assert "Hint: Use a template that contains it. If this one is registered with" in failed.err
    assert NAME not in control.get("state")["vapps"]


def names(shown: Any, kind: str) -> list[str]:
    return sorted(one["name"] for one in shown["nodes"] if one["kind"] == kind)


def separated(control: Control) -> list[str]:
    """Return the VMs that the cluster's rule keeps on different hosts; none without a rule."""
    rules = control.get("state")["affinity_rules"]
    if not rules:
        return []
    assert list(rules) == [f"cse-{NAME}-control-planes"]
    (rule,) = rules.values()
    assert (rule["polarity"], rule["mandatory"]) == ("Anti-Affinity", False)
    return list(rule["vms"])


def test_control_planes_without_the_right_to_separate_them(cse: Run, control: Control) -> None:
    address = f"{subnet(control)}251"
    control.set("users/admin", rights={AFFINITY: False})
    try:
        created = cse(*CREATE, TEMPLATE, "--vip", address, "--control-planes", "3")
        deleted = cse("cluster", "delete", NAME, "--yes")
    finally:
        control.set("users/admin", rights={AFFINITY: True})
    assert created.code == 0
    assert f"Control planes of cluster '{NAME}' may run on the same host." in created.err
    assert f"the right '{AFFINITY}' is missing." in created.err
    assert (deleted.code, "host" in deleted.err) == (0, False)


def test_a_network_that_blocks_the_address(cse: Run, control: Control) -> None:
    address = f"{subnet(control)}254"
    control.set("guests", faults={"address_blocked": True}, times=2)
    failed = cse(*CREATE, TEMPLATE, "--vip", address)
    assert failed.code == FAILED
    own = r"answers at the control plane's own address \S+, but not at the virtual address "
    assert re.search(own + re.escape(address), failed.err), failed.err
    assert "the network blocks it (SpoofGuard), or another machine has it" in failed.err
    assert NAME not in control.get("state")["vapps"]


def handed_over(cse: Run, kubectl: Callable[..., Result], holder: str) -> str:
    """Return who has the address once its holder was cordoned, as each one is before it leaves."""
    kubectl("cordon", holder).checked()
    assert until(lambda: info(cse)["holder"] not in ("", holder))
    kubectl("uncordon", holder).checked()
    found: str = info(cse)["holder"]
    assert found != holder, "the one that returned took it back"
    return found


def _power_fails_during_the_join(cse: Run, control: Control) -> None:
    """A new control plane is a member of etcd, and its etcd never starts.

    As long as it is one, kubeadm can add no other.
    """
    fault = {"kill_at_step": "control-plane-join/etcd added"}
    control.set("guests", vm="mstr-.*", faults=fault, times=1)
    failed = cse("cluster", "repair", NAME, "--yes")
    control.ask("DELETE", "guests")
    assert (failed.code, "was powered off" in failed.err) == (FAILED, True), failed.err
    assert "never started" not in cse("cluster", "diagnose", NAME).out


def _resizes_are_shown_first(cse: Run, control: Control) -> None:
    before = control.possessions()
    for words, text in (
        (("--control-planes", "1"), "Remove "),
        (("--control-planes", "5"), "Add control planes up to 5"),
        (("--control-planes", "3"), "Nothing would be changed."),
        (("--nodes", "2"), "1. "),
    ):
        shown = cse("cluster", "resize", NAME, *words, "--dry-run")
        assert (shown.code, text in shown.out) == (0, True), (words, shown)
    assert control.possessions() == before


def _the_last_one_stays(cse: Run, control: Control, last: str) -> None:
    assert (names(info(cse), "control plane"), separated(control)) == ([last], [])
    only = cse("node", "delete", NAME, last, "--yes")
    assert "would have no control plane left" in only.err


def test_three_control_planes(cse: Run, control: Control, kubectl: Callable[..., Result]) -> None:
    address = f"{subnet(control)}251"
    words = (*CREATE, TEMPLATE, "--vip", address, "--control-planes")
    assert "can have 1, 3 or 5 control planes, not 2." in cse(*words, "2").err
    alone = cse(*CREATE, TEMPLATE, "--vip", "none", "--control-planes", "3")
    assert "A cluster with 3 control planes requires a virtual address." in alone.err
    bare = cse(*CREATE, BARE, "--control-planes", "3").err
    assert "Hint: Use a template that contains keepalived, for example one of your own: " in bare
    made_by = cse(*words, "3").checked()
    assert "3 control planes and 1 worker" in made_by
    shown = info(cse)
    heads = {n["name"]: n["ip"] for n in shown["nodes"] if n["name"].startswith("mstr-")}
    assert len(heads) == 3
    assert (shown["problems"], separated(control)) == ([], sorted(heads))
    assert shown["holder"] in heads
    for name, ip in heads.items():
        assert f"API server of {name} ({ip}): answered" in shown["sources"]
    cse("cluster", "config", NAME, "--save").checked()
    listed = kubectl("get", "nodes", "--no-headers").checked().splitlines()
    assert sum("control-plane" in line for line in listed) == 3
    # the holder dies: another one answers at the same address
    holder = handed_over(cse, kubectl, shown["holder"])
    control.ask("POST", f"guests/{holder}", {"crash": True})
    assert until(lambda: kubectl("get", "--raw", "/readyz").code == 0)
    after = info(cse)
    assert after["holder"] in {*heads} - {holder}
    assert f"VM {holder} is powered off" in after["problems"]
    # two of three answer: none of these two may go
    refused = cse("node", "delete", NAME, after["holder"], "--yes")
    assert refused.code == REFUSED
    assert f"Without {after['holder']}, 1 of 2 members of etcd would answer, and 2" in refused.err
    assert f"what does not answer: {holder}." in refused.err
    # the dead one may, and is replaced
    gone = cse("node", "delete", NAME, holder, "--yes")
    assert gone.out == f"{holder} is removed from cluster {NAME}.\n", gone.err
    assert f"Cluster '{NAME}' has 2 of 3 control planes." in gone.err
    assert "2 control plane VMs where 3 were requested" in info(cse)["problems"]
    assert "Replace a control plane that is missing." in cse("cluster", "repair", NAME).out
    cse("cluster", "seal", NAME).checked()
    _power_fails_during_the_join(cse, control)
    cse("cluster", "repair", NAME, "--yes").checked()
    whole = info(cse)
    # no control plane's script in VCD holds the CA key any more, not even the new one's
    vms = made(control)["vms"]
    assert max(vm["script_bytes"] for name, vm in vms.items() if name.startswith("mstr-")) < 1000
    assert whole["problems"] == []
    assert len(names(whole, "control plane")) == 3
    assert separated(control) == names(whole, "control plane")
    for count in ("0", "2", "-1"):
        bad = cse("cluster", "resize", NAME, "--control-planes", count)
        refusal = f"1, 3 or 5 control planes, not {count}."
        assert (bad.code, refusal in bad.err) == (WRONG_USAGE, True)
    _resizes_are_shown_first(cse, control)
    # down to one, which cannot go
    cse("cluster", "resize", NAME, "--control-planes", "1").checked()
    _the_last_one_stays(cse, control, whole["holder"])
    assert kubectl("get", "--raw", "/readyz").code == 0
