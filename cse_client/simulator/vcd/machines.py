"""Bringing a VM to life: the guest behind it, and what the guest reports to VCD.

Guests live in `cse_client.simulator.guest`; where they are switched off, a stand-in reports what
VMware Tools would report and runs nothing.
"""

from __future__ import annotations

import base64
import re
from typing import Any
from xml.sax.saxutils import quoteattr

from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.vapps import Status, VApp, Vm

__all__ = ["environment_properties", "machine_for", "start_machine"]

#: Real seconds from power-on to the moment that a customization script begins, less than a real
#: worker took: in the log of CSE 3.1 in vmware/container-service-extension#1351 the recompose ends
#: at 19:02:40, two small tasks (cloud-init data, power-on) follow, and the script's first mark
#: shows at 19:04:17.
_BOOT_SECONDS = 60.0


class _Hooks:
    """What a guest reports about its VM. Called from the guest's threads, without the lock.

    Each report is one assignment, and a guest that was replaced is no longer heard.
    """

    def __init__(self, vm: Vm) -> None:
        self._vm = vm

    def tools_running(self, running: bool) -> None:
        self._vm.tools_running = running

    def customization_status(self, status: str) -> None:
        self._vm.gc_status = status

    def guestinfo_changed(self, key: str, value: str) -> None:
        values = dict(self._vm.extra_config)
        values[key] = value
        self._vm.extra_config = values

    def powered_off(self) -> None:
        self._vm.tools_running = False
        self._vm.status = Status.OFF


class _NoGuest:
    """Stands for a guest that is not run: it has Tools, and customizes itself in no time."""

    def __init__(self, hooks: _Hooks, *, tools: bool, custom_scripts: bool) -> None:
        self._hooks = hooks
        self._tools = tools
        self._custom_scripts = custom_scripts
        self.running = False

    def power_on(self, *, customization: Any, **_rest: Any) -> None:
        self.running = True
        self._hooks.tools_running(self._tools)
        if self._tools and customization.needed:
            refused = customization.script and not self._custom_scripts
            self._hooks.customization_status("GC_FAILED" if refused else "GC_COMPLETE")

    def power_off(self) -> None:
        self.running = False
        self._hooks.tools_running(False)

    def shutdown(self) -> None:
        if self._tools:
            self.power_off()
            self._hooks.powered_off()

    def suspend(self) -> None:
        self.running = False

    def resume(self) -> None:
        self.running = True

    def destroy(self) -> None:
        self.power_off()

    def take_snapshot(self) -> None:
        pass

    revert_to_snapshot = remove_snapshot = take_snapshot


class _Wish:
    """What `_NoGuest` needs of a customization."""

    def __init__(self, script: str, needed: bool) -> None:
        self.script = script
        self.needed = needed


def machine_for(cloud: Cloud, vm: Vm) -> Any:
    """Return the VM's guest, made at its first power-on."""
    if vm.guest is None:
        vm.guest = _new_machine(cloud, vm)
    return vm.guest


def _new_machine(cloud: Cloud, vm: Vm) -> Any:
    image = vm.template.image
    options = cloud.guest_options
    if not options.enabled:
        return _NoGuest(
            _Hooks(vm),
            tools=image.get("tools", True),
            custom_scripts=image.get("custom_scripts", True),
        )
    from cse_client.simulator import guest

    folder = cloud.folder / "guests" / vm.id
    folder.mkdir(parents=True, mode=0o700)
    machine = guest.Guest(
        directory=folder,
        image=guest.Image.read(image),
        hooks=_Hooks(vm),
        clock=cloud.clock,
        settings=guest.GuestSettings(
            speed=options.speed,
            customization_timeout=options.customization_timeout,
            boot_delay=_boot_delay(cloud),
        ),
        platform=options.platform or guest.IMITATION,
        source=vm.template.disk,
        outside=cloud.outside,
    )
    for rule in cloud.guest_faults:
        pattern, faults, times = rule
        if times == 0 or not re.fullmatch(pattern, vm.name):
            continue
        if times is not None:
            rule[2] = times - 1
        for key, value in faults.items():
            setattr(machine.faults, key, value)
    return machine


def _boot_delay(cloud: Cloud) -> float:
    wanted = cloud.guest_options.boot_delay
    # only a pace by the clock has a scale
    return cloud.pace.scale * _BOOT_SECONDS if wanted is None else wanted


def start_machine(cloud: Cloud, vapp: VApp, vm: Vm, *, customize: bool) -> None:
    """Power the guest on; it boots by itself from here."""
    machine = machine_for(cloud, vm)
    script = vm.customization.script or ""
    if isinstance(machine, _NoGuest):
        machine.power_on(customization=_Wish(script, customize))
        return
    from cse_client.simulator import guest

    nics = []
    for nic in vm.nics:
        network = vapp.network_named(nic.network)
        if network is None or not nic.connected or not nic.address:
            continue
        nics.append(
            guest.Nic(
                address=nic.address,
                prefix_length=network.network.prefixlen,
                gateway=network.gateway,
                dns=network.dns,
                egress=network.egress,
                proxy=network.proxy,
                registries=tuple(network.registries.items()),
                mac=nic.mac,
            )
        )
    machine.power_on(
        customization=guest.Customization(
            computer_name=vm.customization.computer_name,
            script=script,
            admin_password=vm.customization.password,
            needed=customize,
        ),
        nics=nics,
        ovf_environment=_environment(vapp, vm),
        hardware=guest.Hardware(vm.cpus, vm.memory_mb, vm.disk_mb, vm.bios_uuid),
    )


def environment_properties(vapp: VApp, vm: Vm) -> dict[str, str]:
    """Return the properties of a VM's OVF environment.

    Names as recorded by apache/libcloud and astratto/vcloud-rest: VCD puts the customization
    script and the administrator's password in, readable for whoever reads the VM.
    """
    custom = vm.customization
    values = {
        "vCloud_UseSysPrep": "None",
        "vCloud_bitMask": "1",
        "vCloud_bootproto_0": "static",
        "vCloud_computerName": custom.computer_name,
        "vCloud_markerid": vm.local_id,
        "vCloud_numnics": str(len(vm.nics)),
        "vCloud_reconfigToken": vm.bios_uuid.replace("-", "")[:9],
        "vCloud_resetPassword": "1" if custom.reset_password else "0",
    }
    if custom.script:
        encoded = base64.b64encode(custom.script.encode()).decode()
        values["vCloud_CustomizationInfo"] = encoded
    if custom.password_enabled and custom.password:
        values["vCloud_adminPassword"] = custom.password
    for nic in vm.nics:
        network = vapp.network_named(nic.network)
        if network is None:
            continue
        values[f"vCloud_ip_{nic.index}"] = nic.address
        values[f"vCloud_macaddr_{nic.index}"] = nic.mac
        values[f"vCloud_gateway_{nic.index}"] = network.gateway
        values[f"vCloud_netmask_{nic.index}"] = str(network.network.netmask)
        for position, server in enumerate(network.dns, start=1):
            values[f"vCloud_dns{position}_{nic.index}"] = server
    values.update({key: one.value for key, one in vm.properties.items()})
    return values


def _environment(vapp: VApp, vm: Vm) -> str:
    """Return the OVF environment as the guest reads it in guestinfo.ovfEnv."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' xmlns:oe="http://schemas.dmtf.org/ovf/environment/1"'
        ' xmlns:ve="http://www.vmware.com/schema/ovfenv" oe:id="" ve:vCenterId="vm-1">',
        "  <PlatformSection>",
        "    <Kind>VMware ESXi</Kind>",
        "    <Version>7.0.3</Version>",
        "    <Vendor>VMware, Inc.</Vendor>",
        "    <Locale>en</Locale>",
        "  </PlatformSection>",
        "  <PropertySection>",
    ]
    for key, value in environment_properties(vapp, vm).items():
        lines.append(f"    <Property oe:key={quoteattr(key)} oe:value={quoteattr(value)}/>")
    lines += ["  </PropertySection>", "</Environment>", ""]
    return "\n".join(lines)
