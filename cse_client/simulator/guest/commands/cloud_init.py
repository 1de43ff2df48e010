"""cloud-init status, clean and --version (cloud-init: cmd/status.py, cmd/clean.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cse_client.simulator.guest.cloud_init import datasource, is_enabled
from cse_client.simulator.guest.packages.database import installed

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["cloud_init"]


def cloud_init(system: System, call: Call) -> int:
    """Show the state of this boot's run, or take away what runs left."""
    verb = next((word for word in call.words if not word.startswith("-")), "")
    if verb == "status":
        return _status(system, call)
    if verb == "clean":
        return _clean(system, call)
    if call.words[:1] in (["--version"], ["-v"]):
        package = installed(system.disk).get("cloud-init")
        call.out(f"/usr/bin/cloud-init {package.version if package else '20.3'}")
        return 0
    call.err(f"cloud-init {' '.join(call.words)}: not simulated")
    return 2


def _status(system: System, call: Call) -> int:
    """With --wait it blocks, also for a customization script that waits for its own end."""
    enabled = is_enabled(system)
    while "--wait" in call.words and enabled and not system.cloud_init_done.is_set():
        system.pause_call(call, 0.05)
    state = "disabled"
    if enabled:
        state = "done" if system.cloud_init_done.is_set() else "running"
    call.out(f"status: {state}")
    if "--long" in call.words or "-l" in call.words:
        marker = "disabled-by-marker-file" if not enabled else "enabled-by-generator"
        found = datasource(system)
        seed = {"VMware": " [seed=imc]", "OVF": " [seed=com.vmware.guestInfo]"}.get(found, "")
        call.out(f"extended_status: {state}\nboot_status_code: {marker}")
        detail = f"DataSource{found}{seed}"
        if not enabled:
            detail = "Cloud-init disabled by /etc/cloud/cloud-init.disabled"
        call.out(f"detail: {detail}\nerrors: []\nrecoverable_errors: {{}}")
    return 0


def _clean(system: System, call: Call) -> int:
    with system.life.guard():
        for name in system.disk.names("/var/lib/cloud"):
            if name != "seed" or "--seed" in call.words or "-s" in call.words:
                system.disk.remove(f"/var/lib/cloud/{name}")
        if "--logs" in call.words or "-l" in call.words:
            for name in ("cloud-init.log", "cloud-init-output.log"):
                system.disk.remove(f"/var/log/{name}")
        if "--machine-id" in call.words:
            system.disk.write("/etc/machine-id", "uninitialized\n", 0o444)
    if "--reboot" in call.words or "-r" in call.words:
        system.guest.halt(system, again=True)
    return 0
