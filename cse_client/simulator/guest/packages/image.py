"""The disk of an image that is made of packages: real folders for programs, dpkg's database, apt.

Sources: the sources.list of Ubuntu 22.04 and the ubuntu.sources of 24.04 as their installers write
them; 20auto-upgrades as the package unattended-upgrades does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from cse_client.simulator.guest.disk import Disk
from cse_client.simulator.guest.model import Image
from cse_client.simulator.guest.packages import database
from cse_client.simulator.guest.packages.archive import CODENAMES, UBUNTU_KEYRING, ubuntu_packages

__all__ = [
    "CLOUD_FOLDER",
    "IDENTIFY",
    "USUAL_DATASOURCES",
    "install_packages",
    "own_folders",
]

CLOUD_FOLDER = "/etc/cloud/cloud.cfg.d"
#: Where the datasource can be pinned.
IDENTIFY = "/etc/cloud/ds-identify.cfg"
#: The list of Debian's package.
USUAL_DATASOURCES = (
    "NoCloud", "ConfigDrive", "OpenNebula", "DigitalOcean", "Azure", "AltCloud", "OVF", "MAAS",
    "GCE", "OpenStack", "CloudSigma", "SmartOS", "Bigstep", "Scaleway", "AliYun", "Ec2",
    "CloudStack", "Hetzner", "IBMCloud", "Oracle", "Exoscale", "RbxCloud", "UpCloud", "VMware",
    "Vultr", "LXD", "NWCS", "Akamai", "WSL", "None",
)  # fmt: skip


def own_folders(disk: Disk, commands: Iterable[str]) -> None:
    """Give a disk folders for programs and libraries that packages can put something into.

    `commands` are "bin/NAME" and "sbin/NAME" of what is shared with other guests.
    """
    for folder in ("bin", "sbin", "lib"):
        (disk.root / "usr" / folder).mkdir(parents=True, exist_ok=True)
    for path in commands:
        (disk.root / "usr" / path).symlink_to(f"/.sim/{path}")
    for entry in os.scandir("/usr/lib"):
        if entry.name != "systemd":
            (disk.root / "usr/lib" / entry.name).symlink_to(f"/.host/usr/lib/{entry.name}")
    (disk.root / "usr/lib/systemd/system").mkdir(parents=True)


def install_packages(disk: Disk, image: Image) -> None:
    """Write dpkg's database, the files of the image's packages, and apt's configuration."""
    known = {one.name: one for one in ubuntu_packages(image.os_version_id)}
    packages = [known[name] for name in image.packages]
    for package in packages:
        database.unpack(disk, package)
    database.record(disk, packages)
    for folder in ("/etc/apt/keyrings", "/etc/apt/trusted.gpg.d", "/var/lib/apt/lists"):
        disk.make_folder(folder)
    disk.make_folder("/var/cache/apt/archives")
    _configure_cloud_init(disk, image)
    disk.write(
        "/etc/apt/apt.conf.d/20auto-upgrades",
        'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n',
    )
    codename = CODENAMES[image.os_version_id]
    if image.os_version_id == "22.04":
        lines = (
            f"deb http://{host}.ubuntu.com/ubuntu {codename}{pocket} main restricted universe\n"
            for host, pocket in (
                ("archive", ""),
                ("archive", "-updates"),
                ("security", "-security"),
            )
        )
        disk.write("/etc/apt/sources.list", "".join(lines))
        return
    paragraphs = (
        f"Types: deb\nURIs: http://{host}.ubuntu.com/ubuntu/\nSuites: {suites}\n"
        f"Components: main restricted universe\nSigned-By: {UBUNTU_KEYRING}\n"
        for host, suites in (
            ("archive", f"{codename} {codename}-updates"),
            ("security", f"{codename}-security"),
        )
    )
    disk.write("/etc/apt/sources.list.d/ubuntu.sources", "\n".join(paragraphs))
    disk.write("/etc/apt/sources.list", "# Ubuntu sources have moved to ubuntu.sources\n")


def _configure_cloud_init(disk: Disk, image: Image) -> None:
    """Write the configuration that an image's installation left."""
    flag = (
        "" if image.customization_engine == "classic" else "disable_vmware_customization: false\n"
    )
    disk.write("/etc/cloud/cloud.cfg", f"users:\n- default\ndisable_root: true\n{flag}")
    listed = f"datasource_list: [ {', '.join(USUAL_DATASOURCES)} ]\n"
    disk.write(
        f"{CLOUD_FOLDER}/90_dpkg.cfg", f"# to update this file, run dpkg-reconfigure\n{listed}"
    )
    if image.datasource == "list":
        disk.write(f"{CLOUD_FOLDER}/99-datasource.cfg", "datasource_list: [ VMware, None ]\n")
    elif image.datasource == "ds-identify":
        disk.write(IDENTIFY, "datasource: VMware\n")
