"""Booting, and the guest customization that VCD asks for at power-on.

The order and the details follow the in-guest tools: VMware's perl scripts (Customization.pm of
deployPkg, "classic") and cloud-init (cloudinit/sources/helpers/vmware/imc). Both remove carriage
returns from the script, put it at /root/.customization/customize.sh and execute that file itself,
so that its first line decides the interpreter; both leave it there.
"""

from __future__ import annotations

import time

from cse_client.simulator.guest.cloud_init import (
    begin_instance,
    datasource,
    is_enabled,
    takes_customization,
)
from cse_client.simulator.guest.jobs import Job
from cse_client.simulator.guest.model import Customization
from cse_client.simulator.guest.resolver import write_name_servers
from cse_client.simulator.guest.system import System, hashed_password

__all__ = ["boot"]

_SCRIPT = "/root/.customization/customize.sh"
_WRAPPER = "/root/.customization/post-customize-guest.sh"
_LOG = "/var/log/vmware-imc/toolsDeployPkg.log"
_FIRST_PROCESS_SECONDS = 30


class _Failed(Exception):
    """The customization failed."""


def boot(system: System, customization: Customization | None) -> None:
    """Boot the guest, customizing it unless `customization` is None; raises PowerLoss."""
    guest = system.guest
    if not system.jobs.ready.wait(_FIRST_PROCESS_SECONDS):
        system.life.check()
        system.say(f"simulator: the guest did not start: {system.sandbox.trouble()}")
        if customization is not None:
            guest.hooks.customization_status("GC_FAILED")
        return
    system.life.check()
    system.platform.begin(system)
    if system.image.packages:
        begin_instance(system)
    if system.image.tools:
        guest.hooks.tools_running(True)
    if customization is None or not system.image.tools:
        # Without tools nobody applies the customization: it stays pending for ever.
        _network_from_disk(system)
        system.systemd.boot()
        system.cloud_init_done.set()
        return
    guest.hooks.customization_status("GC_PENDING")
    if _is_swallowed(system):
        system.systemd.boot()
        system.cloud_init_done.set()
        return
    try:
        _customize(system, customization)
    except _Failed as error:
        system.say(f"customization failed: {error}")
        _log(system, f"Customization failed: {error}")
        if not system.network_up:
            system.systemd.boot()
        guest.hooks.customization_status("GC_FAILED")
    else:
        guest.hooks.customization_status("GC_COMPLETE")
    system.cloud_init_done.set()


def _is_swallowed(system: System) -> bool:
    """Return whether the tools leave the customization to a cloud-init that does not look for it.

    Then nobody carries it out or reports on it: no script, no address, and VCD waits for ever.
    """
    if not takes_customization(system):
        return False
    found = datasource(system) if is_enabled(system) else ""
    _log(system, "Executing cloud-init workflow.")
    if found == "VMware":
        return False
    text = (
        f"loaded from DataSource{found}" if found else "disabled by /etc/cloud/cloud-init.disabled"
    )
    with system.life.guard():
        system.disk.append("/var/log/cloud-init.log", f"Cloud-init was {text}\n")
    return True


def _log(system: System, text: str) -> None:
    with system.life.guard():
        system.disk.append(_LOG, text + "\n")


def _customize(system: System, customization: Customization) -> None:
    hooks = system.guest.hooks
    cloud_init = takes_customization(system)
    script = customization.script.replace("\r", "")
    deadline = time.monotonic() + system.guest.settings.customization_timeout
    if script and not system.image.custom_scripts:
        raise _Failed(
            "custom script is disabled by VM administrator (tools.conf enable-custom-scripts)"
        )
    if not cloud_init and "perl" not in system.toolbox.all_commands:
        raise _Failed("perl: command not found")
    if script:
        with system.life.guard():
            system.disk.make_folder("/root/.customization", 0o700)
            # cloud-init 0544; perl's chmod u+x on a file made with umask 077.
            system.disk.write(_SCRIPT, script, 0o544 if cloud_init else 0o700)
        _pre(system, cloud_init=cloud_init, deadline=deadline)
    _apply(system, customization)
    hooks.customization_status("REBOOT_PENDING")
    system.systemd.boot()
    hooks.customization_status("POST_GC_PENDING")
    if script:
        _post(system, cloud_init=cloud_init, deadline=deadline)


def _pre(system: System, *, cloud_init: bool, deadline: float) -> None:
    code = _run_script(system, "precustomization", cloud_init=cloud_init, deadline=deadline)
    if code:
        raise _Failed(f"execution of precustomization failed with code {code}")


def _post(system: System, *, cloud_init: bool, deadline: float) -> None:
    code = _run_script(system, "postcustomization", cloud_init=cloud_init, deadline=deadline)
    if not code:
        return
    if cloud_init:
        # A per-instance script: its result stays in cloud-init's own log.
        _log(system, f"WARNING: 'Post-customization' returned with error code {code}")
        return
    raise _Failed(f"execution of postcustomization failed with code {code}")


def _run_script(system: System, phase: str, *, cloud_init: bool, deadline: float) -> int:
    """Run the script as the tools do; returns its exit code.

    The perl scripts go through /bin/sh, which interprets a file without a first line `#!` itself;
    cloud-init executes the file and fails on such a one, before the customization at least.
    """
    if cloud_init and phase == "precustomization" and not _has_interpreter(system):
        return 126
    job = system.spawn(
        f"cd /\nexec </dev/null >>{_LOG} 2>&1\nexec /bin/sh -c '{_SCRIPT} \"{phase}\"; exit $?'\n"
    )
    code = _await(system, job, None if cloud_init else deadline)
    if code is None:
        raise _Failed(f"{phase} was killed after {system.guest.settings.customization_timeout:g} s")
    return code


def _has_interpreter(system: System) -> bool:
    return system.disk.read(_SCRIPT)[:2] == b"#!"


def _await(system: System, job: Job, deadline: float | None) -> int | None:
    if deadline is None:
        return system.jobs.wait(job)
    code = system.jobs.wait(job, max(deadline - time.monotonic(), 0.0))
    if code is None:
        system.jobs.signal(job, "KILL")
        job.ended.wait(5)
    return code


def _apply(system: System, customization: Customization) -> None:
    """Set host name, network, hosts file and password."""
    name = customization.computer_name
    system.set_hostname(name)
    with system.life.guard():
        kept = [
            line
            for line in system.disk.text("/etc/hosts").splitlines()
            if not line.startswith("127.0.1.1")
        ]
        system.disk.write("/etc/hosts", "\n".join([*kept, f"127.0.1.1\t{name}"]) + "\n")
        _write_network(system)
        if customization.admin_password:
            _set_root_password(system, customization.admin_password)
    _network_from_disk(system)


def _network_file(system: System) -> str:
    if system.image.os == "ubuntu-16.04":
        return "/etc/network/interfaces"
    return "/etc/netplan/99-netcfg-vmware.yaml"


def _write_network(system: System) -> None:
    lines = ["# Generated by VMWare customization engine."]
    servers: list[str] = []
    for index, nic in enumerate(system.nics):
        name = system.interface if index == 0 else f"{system.interface}-{index}"
        lines += [
            f"# {name}",
            f"address {nic.address}/{nic.prefix_length}",
            f"gateway {nic.gateway}",
        ]
        servers += nic.dns
    system.disk.write(_network_file(system), "\n".join(lines) + "\n")
    write_name_servers(system.disk, system.interface, servers)
    folder = system.disk.path("/sys/class/net")
    for index, nic in enumerate(system.nics):
        name = system.interface if index == 0 else f"{system.interface}-{index}"
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "address").write_text(nic.mac + "\n", encoding="utf-8")
        (folder / name / "operstate").write_text("up\n", encoding="utf-8")


def _network_from_disk(system: System) -> None:
    """Bring the network up with what an earlier customization wrote."""
    text = system.disk.text(_network_file(system))
    known = [nic for nic in system.nics if f"address {nic.address}/" in text]
    if known and not system.faults.no_address:
        system.connect()


def _set_root_password(system: System, password: str) -> None:
    lines = system.disk.text("/etc/shadow").splitlines()
    fresh = [f"root:{hashed_password(password)}:18000:0:99999:7:::"]
    fresh += [line for line in lines if not line.startswith("root:")]
    system.disk.write("/etc/shadow", "\n".join(fresh) + "\n", 0o600)
