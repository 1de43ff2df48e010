"""VMs with a guest behind them: what VCD hands in, and what it sees (vcd-api 7.2, point 10)."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cse_client.simulator import Simulator
from tests.simulator.client import NAMESPACES, Tenant, V, recompose_body, sourced_item
from tests.support.programs import ROOT
from tests.support.waiting import until

SCRIPT = """#!/bin/bash
echo "$1" &gt;&gt;/root/runs
vmtoolsd --cmd "info-get guestinfo.ovfEnv" &gt;/root/env
vmtoolsd --cmd "info-set guestinfo.cse.test $1"
"""


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    pytest.importorskip("cse_client.simulator.guest")
    with Simulator(guest_speed=20) as simulator:
        one = Tenant(simulator).login()
        yield one
        one.close()


def gc_status(tenant: Tenant, vm: str) -> Any:
    return tenant.get(f"{vm}/guestcustomizationstatus/").findtext(f"{V}GuestCustStatus")


def guest(tenant: Tenant, vm: str) -> Any:
    return tenant.simulator.cloud.vms[vm[-36:]][1].guest


@pytest.fixture
def vm(tenant: Tenant, request: pytest.FixtureRequest) -> Iterator[str]:
    vapp = tenant.vapp(request.node.name[:60])
    name = f"vm-{abs(hash(request.node.name)) % 10**6}"
    tenant.done(tenant.add_vms(vapp, name, power_on=True, script=SCRIPT))
    yield tenant.one("vm", name)
    tenant.done(tenant.send("DELETE", f"{vapp}?force=true"))


def test_an_image_may_lack_commands(tenant: Tenant) -> None:
    source = "ubuntu-16.04_k8-1.18_weave-2.6.5_rev2"
    image = {"missing_commands": ["docker"]}
    tenant.control("POST", "templates/poor", {"like": source, "image": image})
    vapp = tenant.vapp("poor")
    script = "command -v docker &gt;/root/runs; command -v bash &gt;&gt;/root/runs"
    items = sourced_item(tenant.template_vm("poor"), "poor-vm", script=script)
    body = recompose_body(items, power_on=True)
    tenant.done(tenant.post(f"{vapp}/action/recomposeVApp", body, "recomposeVAppParams"))
    vm = tenant.one("vm", "poor-vm")
    until(lambda: gc_status(tenant, vm) == "GC_COMPLETE", "its script does not run")
    found = guest(tenant, vm).read_file("/root/runs")
    assert b"/bash" in found
    assert b"docker" not in found
    tenant.done(tenant.send("DELETE", f"{vapp}?force=true"))


def test_the_script_runs_before_and_after_the_network_and_once_only(
    tenant: Tenant, vm: str
) -> None:
    until(lambda: gc_status(tenant, vm) == "GC_COMPLETE", "customization does not end")
    machine = guest(tenant, vm)
    assert machine.read_file("/root/runs") == b"precustomization\npostcustomization\n"
    tenant.done(tenant.post(f"{vm}/power/action/powerOff"))
    tenant.done(tenant.post(f"{vm}/power/action/powerOn"))
    until(lambda: tenant.query(f"type=vm&filter=id=={vm[-36:]}")[0].get("vmToolsStatus")
          == "TOOLS_OK", "no tools after the second boot")  # fmt: skip
    assert machine.read_file("/root/runs") == b"precustomization\npostcustomization\n"


def test_forced_customization_runs_it_again(tenant: Tenant, vm: str) -> None:
    until(lambda: gc_status(tenant, vm) == "GC_COMPLETE", "customization does not end")
    undeploy = f"<UndeployVAppParams {NAMESPACES}/>"
    tenant.done(tenant.post(f"{vm}/action/undeploy", undeploy, "undeployVAppParams"))
    deploy = f'<DeployVAppParams {NAMESPACES} powerOn="true" forceCustomization="true"/>'
    tenant.done(tenant.post(f"{vm}/action/deploy", deploy, "deployVAppParams"))
    machine = guest(tenant, vm)
    twice = b"precustomization\npostcustomization\n" * 2
    until(lambda: machine.read_file("/root/runs") == twice, "it did not run again")


def test_the_guest_reads_its_environment_and_reports_by_guestinfo(tenant: Tenant, vm: str) -> None:
    until(lambda: gc_status(tenant, vm) == "GC_COMPLETE", "customization does not end")
    environment = guest(tenant, vm).read_file("/root/env").decode()
    script = SCRIPT.replace("&gt;", ">")
    assert base64.b64encode(script.encode()).decode() in environment
    vmw = "{http://www.vmware.com/schema/ovf}"
    shown = {
        one.get(f"{vmw}key"): one.get(f"{vmw}value")
        for one in tenant.get(vm).iter(f"{vmw}ExtraConfig")
    }
    assert shown["guestinfo.cse.test"] == "postcustomization"


def test_power_off_leaves_no_process(tenant: Tenant, vm: str) -> None:
    until(lambda: gc_status(tenant, vm) == "GC_COMPLETE", "customization does not end")
    machine = guest(tenant, vm)
    processes = machine.processes()
    tenant.done(tenant.post(f"{vm}/power/action/powerOff"))
    assert machine.processes() == []
    assert not any(Path(f"/proc/{one}").exists() for one in processes)


def test_a_crash_is_seen_as_power_off(tenant: Tenant, vm: str) -> None:
    name = tenant.get(vm).get("name")
    tenant.control("POST", f"guests/{name}", {"crash": True})
    assert tenant.get(vm).get("status") == "8"
    tenant.done(tenant.post(f"{vm}/power/action/powerOn"))
    until(lambda: guest(tenant, vm).running, "it does not start again")


def test_the_end_of_the_simulator_is_the_end_of_its_guests(tmp_path: Path) -> None:
    pytest.importorskip("cse_client.simulator.guest")
    ready = tmp_path / "ready"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    words = [sys.executable, "-m", "cse_client.simulator", "--ready-file", str(ready)]
    process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        until(ready.exists, "it does not start")
        client = Remote(json.loads(ready.read_text(encoding="utf-8"))).login()
        client.done(client.add_vms(client.vapp("demo"), "one", power_on=True))
        until(lambda: client.control("GET", "guests/one")["processes"], "no guest")
        guests = client.control("GET", "guests/one")["processes"]
        client.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    until(lambda: not any(Path(f"/proc/{one}").exists() for one in guests), "guests survive", 5)
    assert [one.name for one in tmp_path.iterdir()] == ["ready"]


class _Elsewhere:
    """Looks enough like a `Simulator` for `Tenant`: one that runs in another process."""

    def __init__(self, values: Any) -> None:
        self.host, self.ca = values["host"], values["ca"]
        self._password = values["password"]

    def password(self, _user: str) -> str:
        return str(self._password)


class Remote(Tenant):
    def __init__(self, values: Any) -> None:
        super().__init__(_Elsewhere(values))  # type: ignore[arg-type]


def test_with_the_pace_of_tasks_guests_take_their_time_to_boot() -> None:
    with Simulator(guest_speed=20, time="seconds:0.05") as simulator:
        tenant = Tenant(simulator).login()

        def idle() -> bool:
            return not simulator.cloud.tasks.running

        vapp = tenant.compose("slow").headers["Location"]
        until(idle, "the vApp is not made")
        tenant.add_vms(vapp, "late", power_on=True, script=SCRIPT)
        until(idle, "the VM is not made")
        on = time.monotonic()
        vm = tenant.one("vm", "late")
        until(lambda: gc_status(tenant, vm) == "GC_COMPLETE", "customization does not end")
        # a minute, scaled; the task ends a moment after the VM was powered on
        assert time.monotonic() - on > 60 * 0.05 * 0.9
        tenant.close()
