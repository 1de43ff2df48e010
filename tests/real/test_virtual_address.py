"""Control planes behind a virtual address: kubeadm, etcd and keepalived are the judges."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.real.asking import Asked
from tests.real.build.components import KUBERNETES
from tests.real.site import Site, eventually

# The older release has the tests of an upgrade instead.
pytestmark = pytest.mark.parametrize("kit", [KUBERNETES[-1]], indirect=True, scope="session")

NAME = "steady"
#: Outside of the pool of net1 and away from what MetalLB's tests take.
ADDRESS = "10.77.0.9"
FOREIGN = "10.77.0.7"
#: Seconds in which another control plane has to answer at the address after its holder's death.
FAIL_OVER = 15.0


@pytest.fixture(scope="module")
def steady(site: Site) -> Iterator[dict[str, Any]]:
    """A cluster of three control planes and a worker: what `cluster info` shows."""
    if not site.kit.image()["keepalived"]:
        pytest.skip("A virtual address needs keepalived, which is not installed.")
    made = site.vcd(
        *("cse", "cluster", "create", NAME, "-n", "net1", "-N", "1", "-t", site.kit.template),
        *("--control-planes", "3", "--vip", ADDRESS),
    )
    if made.code:
        logs = "\n".join(f"== {name}\n{log}" for name, log in site.bootstrap_logs().items())
        pytest.fail(f"{made.err}\n{logs}")
    config = site.vcd("cse", "cluster", "config", NAME).checked()
    site.kubeconfig_of(NAME).write_text(config, encoding="utf-8")
    yield info(site)
    site.vcd("cse", "cluster", "delete", NAME, "--yes").checked()


def info(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(site.vcd("-j", "cse", "cluster", "info", NAME).checked())
    return found


def heads_of(shown: dict[str, Any]) -> dict[str, str]:
    """Return the control planes and their own addresses."""
    return {one["name"]: one["ip"] for one in shown["nodes"] if one["kind"] == "control plane"}


def holders(site: Site, names: set[str]) -> set[str]:
    """Return the machines that have the address on a network card."""
    return {
        name for name in names if f" {ADDRESS}/" in site.inside(name, "ip", "-4", "-o", "addr").out
    }


def test_every_api_server_answers_and_one_holds_the_address(
    site: Site, steady: dict[str, Any]
) -> None:
    heads = heads_of(steady)
    assert len(heads) == 3
    assert steady["problems"] == []
    assert holders(site, set(heads)) == {steady["holder"]}
    for name, ip in heads.items():
        assert f"API server of {name} ({ip}): answered" in steady["sources"]
    nodes = json.loads(site.kubectl("get", "nodes", "-o", "json", of=NAME).checked())["items"]
    roles = [one for one in nodes if "node-role.kubernetes.io/control-plane" in
             one["metadata"]["labels"]]  # fmt: skip
    assert len(roles) == 3


def test_the_address_moves_when_its_holder_dies(
    site: Site, steady: dict[str, Any], measured: Callable[[str, object], None]
) -> None:
    heads = heads_of(steady)
    holder = info(site)["holder"]
    site.control.ask("POST", f"guests/{holder}", {"crash": True})
    began = time.monotonic()
    eventually(lambda: site.kubectl("get", "--raw", "/readyz", of=NAME).code == 0, "a new holder")
    took = time.monotonic() - began
    measured("the address moves after its holder's death", f"{took:.1f} s")
    site.kubectl("create", "configmap", f"after-{holder}", of=NAME).checked()
    left = set(heads) - {holder}
    (new,) = holders(site, left)
    shown = info(site)
    assert shown["holder"] == new
    assert took < FAIL_OVER, took
    site.vcd("cse", "cluster", "start", NAME).checked()
    eventually(lambda: info(site)["problems"] == [], "all control planes are back")
    # the one that returned disturbs nothing
    assert holders(site, set(heads)) == {new}


def test_a_lost_control_plane_is_replaced(site: Site, steady: dict[str, Any]) -> None:
    heads = heads_of(steady)
    lost = next(name for name in heads if name != info(site)["holder"])
    site.control.ask("POST", f"guests/{lost}", {"crash": True})
    healthy = next(name for name in heads if name != lost)
    refused = site.vcd("cse", "node", "delete", NAME, healthy, "--yes")
    assert f"Without {healthy}, 1 of 2 members of etcd would answer" in refused.err
    with site.asking(NAME) as client:
        site.vcd("cse", "node", "delete", NAME, lost, "--yes").checked()
        site.vcd("cse", "cluster", "repair", NAME, "--yes").checked()
    unnoticed(client.end())
    shown = info(site)
    assert shown["problems"] == []
    assert len(heads_of(shown)) == 3
    assert lost not in heads_of(shown)


def test_from_three_to_one_everything_stays(site: Site, steady: dict[str, Any]) -> None:
    """It is the holder of the address that leaves each time, and the leader of etcd with it."""
    site.kubectl("create", "configmap", "kept", of=NAME).checked()
    with site.asking(NAME) as client:
        for _ in range(2):
            holder = info(site)["holder"]
            site.vcd("cse", "node", "delete", NAME, holder, "--yes").checked()
            assert info(site)["holder"] not in ("", holder)
        site.vcd("cse", "cluster", "resize", NAME, "--control-planes", "1").checked()
    unnoticed(client.end())
    assert len(heads_of(info(site))) == 1
    assert info(site)["problems"] == []
    site.kubectl("get", "configmap", "kept", of=NAME).checked()
    site.kubectl("create", "configmap", "written", of=NAME).checked()


def test_an_address_that_another_machine_has_is_refused(site: Site) -> None:
    """VCD does not know it; this network's gateway answers ARP for it."""
    if not site.kit.image()["keepalived"]:
        pytest.skip("A virtual address needs keepalived, which is not installed.")
    site.run("ip", "addr", "add", f"{FOREIGN}/32", "dev", "lo").checked()
    failed = site.vcd(
        *("cse", "cluster", "create", "second", "-n", "net1", "-N", "0", "-t", site.kit.template),
        *("--vip", FOREIGN),
    )
    site.run("ip", "addr", "del", f"{FOREIGN}/32", "dev", "lo").checked()
    assert failed.code == 1
    assert f"the virtual address {FOREIGN} is in use" in failed.err
    assert "second" not in site.control.possessions()["vapps"]


def unnoticed(asked: Asked) -> None:
    """Fail if a client that asked once a second had noticed anything."""
    assert asked.asked > 0
    assert not asked.noticed(), str(asked)
