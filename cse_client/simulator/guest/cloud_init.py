"""cloud-init in guests: who carries out a customization, and from where cloud-init has its data.

Sources: open-vm-tools (libDeployPkg/linuxDeployment.c, `UseCloudInitWorkflow`, and
`IsCloudInitCustomizationEnabled` of linuxDeploymentUtilities.c): where the flag says so, the tools
hand the customization over and report nothing more about it. cloud-init (tools/ds-identify,
DataSourceVMware.py, DataSourceOVF.py): what is found first in the list is taken, and only the
VMware datasource knows of customizations. Debian's package lists OVF before VMware.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from cse_client.simulator.guest.packages.image import (
    CLOUD_FOLDER,
    IDENTIFY,
    USUAL_DATASOURCES,
)

if TYPE_CHECKING:
    from cse_client.simulator.guest.disk import Disk
    from cse_client.simulator.guest.system import System

__all__ = ["begin_instance", "datasource", "is_enabled", "takes_customization"]

_DISABLED = "/etc/cloud/cloud-init.disabled"


def _value(disk: Disk, key: str) -> str:
    """Return a key's value on one line of the configuration; the last file that has it wins."""
    names = [name for name in disk.names(CLOUD_FOLDER) if name.endswith(".cfg")]
    found = ""
    for path in ("/etc/cloud/cloud.cfg", *(f"{CLOUD_FOLDER}/{name}" for name in names)):
        for line in re.findall(rf"(?m)^\s*{key}\s*:\s*(.*?)\s*$", disk.text(path)):
            found = line
    return found


def _is_installed(system: System) -> bool:
    return system.disk.path("/usr/bin/cloud-init", follow=False).is_symlink()


def takes_customization(system: System) -> bool:
    """Return whether the tools leave customizations to cloud-init."""
    if not system.image.packages:
        return system.image.customization_engine == "cloud-init"
    flag = _value(system.disk, "disable_vmware_customization").lower()
    return _is_installed(system) and flag == "false"


def is_enabled(system: System) -> bool:
    """Return whether cloud-init runs at boot."""
    return not system.disk.exists(_DISABLED)


def datasource(system: System) -> str:
    """Return the datasource that cloud-init takes: VMware, OVF or None."""
    if not system.image.packages:
        usual = "VMware" if system.image.customization_engine == "cloud-init" else "None"
        return system.image.datasource or usual
    pinned = re.search(r"(?m)^\s*datasource\s*:\s*(\w+)", system.disk.text(IDENTIFY))
    listed = re.findall(r"\w+", _value(system.disk, "datasource_list"))
    for name in [pinned[1]] if pinned else listed or USUAL_DATASOURCES:
        if name == "VMware" and takes_customization(system):
            return name
        if name == "OVF" and system.guestinfo.get("guestinfo.ovfEnv", "").startswith("<?xml"):
            return name
    return "None"


def begin_instance(system: System) -> None:
    """Do what cloud-init does once for each instance, which it knows by the BIOS UUID.

    New SSH host keys are made then (cc_ssh, `ssh_deletekeys`).
    """
    disk, uuid = system.disk, system.hardware.uuid
    if not is_enabled(system) or disk.text("/var/lib/cloud/data/instance-id").strip() == uuid:
        return
    with system.life.guard():
        for name in disk.names("/etc/ssh"):
            if re.fullmatch(r"ssh_host_.*key(\.pub)?", name):
                disk.remove(f"/etc/ssh/{name}")
        disk.write("/etc/ssh/ssh_host_ed25519_key", secrets.token_hex(32) + "\n", 0o600)
        public = f"ssh-ed25519 {secrets.token_urlsafe(40)} root@{system.hostname()}\n"
        disk.write("/etc/ssh/ssh_host_ed25519_key.pub", public)
        disk.remove("/var/lib/cloud/instance")
        disk.make_folder(f"/var/lib/cloud/instances/{uuid}")
        disk.link("/var/lib/cloud/instance", f"/var/lib/cloud/instances/{uuid}")
        disk.write("/var/lib/cloud/data/instance-id", uuid + "\n")
        disk.append("/var/log/cloud-init.log", f"New instance {uuid}\n")
