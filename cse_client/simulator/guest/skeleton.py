"""A new guest's disk: what the image's installation left there."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable

from cse_client.simulator.guest.cni import manifest_text
from cse_client.simulator.guest.disk import Disk
from cse_client.simulator.guest.model import Image
from cse_client.simulator.guest.packages.image import install_packages, own_folders
from cse_client.simulator.guest.toolbox import host_links
from cse_client.simulator.guest.units import KUBELET_DROP_IN

__all__ = ["install_disk", "prepare_boot"]

_FOLDERS = (
    ".guest/jobs", ".host/usr", ".sim", "boot", "dev", "etc/apt/sources.list.d",
    "etc/default", "etc/modules-load.d", "etc/ssh", "etc/ssl/certs",
    "etc/sysctl.d", "etc/systemd/system/multi-user.target.wants", "etc/cron.d", "etc/profile.d",
    "etc/vmware-tools", "home", "media", "mnt",
    "proc", "root", "run", "srv", "sys/class/net", "sys/class/dmi/id", "sys/fs/cgroup", "tmp",
    "usr/local/bin", "usr/local/sbin", "usr/local/lib", "usr/local/share/ca-certificates",
    "usr/src",
    "var/cache/apt", "var/lib/cloud/instance", "var/log/journal",
    "var/log/vmware-imc", "var/spool/cron", "var/tmp", "var/lib/dbus",
)  # fmt: skip
_OF_KUBERNETES = (
    "etc/cni", "etc/kubernetes/manifests", "etc/systemd/system/kubelet.service.d", "opt/cni/bin",
    "var/lib/kubelet",
)  # fmt: skip

_PASSWD = """root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
_GROUP = """root:x:0:
daemon:x:1:
adm:x:4:
tty:x:5:
disk:x:6:
sudo:x:27:
nogroup:x:65534:
"""

_SYSCTL = {
    "kernel/osrelease": "4.4.0-186-generic",
    "kernel/ostype": "Linux",
    "kernel/pid_max": "32768",
    "kernel/panic": "0",
    "kernel/panic_on_oops": "0",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
    "vm/swappiness": "60",
    "vm/overcommit_memory": "0",
    "vm/panic_on_oom": "0",
    "vm/max_map_count": "65530",
    "fs/file-max": "786432",
    "fs/may_detach_mounts": "0",
    "fs/inotify/max_user_watches": "8192",
    "fs/inotify/max_user_instances": "128",
    "net/core/somaxconn": "128",
    "net/ipv4/ip_forward": "0",
    "net/ipv4/conf/all/forwarding": "0",
    "net/ipv4/conf/all/rp_filter": "1",
    "net/ipv4/conf/default/rp_filter": "1",
    "net/ipv4/conf/all/route_localnet": "0",
    "net/ipv6/conf/all/forwarding": "0",
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/default/disable_ipv6": "0",
    "net/ipv6/conf/lo/disable_ipv6": "0",
}

_KERNELS = {"ubuntu-22.04": "5.15.0-160-generic", "ubuntu-24.04": "6.8.0-60-generic"}

_SWAPS_HEAD = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
SWAP_LINE = "/dev/sda5                               partition\t998396\t\t0\t\t-2\n"


def interface_of(image: Image) -> str:
    """Return the name of the first network card as this image's kernel calls it."""
    return "ens160" if image.os in _KERNELS else "eth0"


def install_disk(disk: Disk, image: Image, commands: Iterable[str] = ()) -> None:
    """Write a new disk.

    `commands` are "bin/NAME" and "sbin/NAME" of the programs that guests with this image share.
    """
    for folder in (*_FOLDERS, *(() if image.packages else _OF_KUBERNETES)):
        (disk.root / folder).mkdir(parents=True, exist_ok=True)
    disk.root.chmod(0o755)
    for folder, mode in (("tmp", 0o1777), ("var/tmp", 0o1777), ("root", 0o700)):
        (disk.root / folder).chmod(mode)
    _link_programs(disk, own=bool(image.packages))
    if image.packages:
        own_folders(disk, commands)
    files = {
        "/etc/passwd": _PASSWD,
        "/etc/group": _GROUP,
        "/etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\tubuntu\n",
        "/etc/hostname": "ubuntu\n",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
        "/etc/os-release": _os_release(image),
        "/etc/lsb-release": f"DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE={image.os_version_id}\n",
        "/etc/machine-id": "",
        "/etc/resolv.conf": "",
        "/etc/fstab": "/dev/sda1 / ext4 errors=remount-ro 0 1\n"
        + ("/dev/sda5 none swap sw 0 0\n" if image.swap else ""),
        "/etc/sysctl.conf": "",
        "/etc/modules": "",
        "/etc/ssh/sshd_config": "PermitRootLogin prohibit-password\n",
        "/etc/bash.bashrc": "",
        "/etc/profile": "",
        "/etc/shells": "/bin/sh\n/bin/bash\n",
        "/etc/timezone": "Etc/UTC\n",
        "/etc/vmware-tools/tools.conf": "[deployPkg]\nenable-custom-scripts="
        + ("true\n" if image.custom_scripts else "false\n"),
        "/sys/class/dmi/id/product_name": "VMware7,1\n",
        "/sys/class/dmi/id/sys_vendor": "VMware, Inc.\n",
    }
    if image.kubernetes:
        files["/etc/default/kubelet"] = "KUBELET_EXTRA_ARGS=\n"
        files["/etc/systemd/system/kubelet.service.d/10-kubeadm.conf"] = KUBELET_DROP_IN
    if image.runtime == "containerd":
        files["/etc/containerd/config.toml"] = (
            'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n'
            '  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]\n'
            "    SystemdCgroup = true\n"
        )
    for path, text in files.items():
        disk.write(path, text)
    disk.write("/etc/shadow", "root:*:18000:0:99999:7:::\ndaemon:*:18000:0:99999:7:::\n", 0o600)
    if image.cni_manifest:
        disk.write(image.cni_manifest, manifest_text(image.cni, image.cni_version, image.cni_image))
    if image.os != "ubuntu-16.04":
        disk.link("/etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf")
    _enable_services(disk, image)
    if image.packages:
        install_packages(disk, image)


def _link_programs(disk: Disk, *, own: bool) -> None:
    merged = {name: target for name, target in host_links() if target}
    for name in ("bin", "sbin"):
        disk.link(f"/{name}", "usr/" + name)
    for name in () if own else ("bin", "sbin", "lib"):
        disk.link(f"/usr/{name}", f"/.sim/{name}")
    for name, target in host_links():
        if name.startswith("lib"):
            disk.link(f"/{name}", f".host/{target}" if target else f".host/{name}")
    if "lib" in merged:
        disk.link("/lib", "usr/lib")
    for name in ("lib32", "lib64", "libx32", "share", "libexec", "include"):
        if os.path.isdir(f"/usr/{name}"):  # noqa: PTH112
            disk.link(f"/usr/{name}", f"/.host/usr/{name}")
    disk.link("/etc/mtab", "/proc/self/mounts")
    disk.link("/var/run", "/run")
    disk.link("/var/lock", "/run/lock")
    disk.link("/etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
    if os.path.exists("/etc/ld.so.cache"):  # noqa: PTH110
        disk.link("/etc/ld.so.cache", "/.sim/ld.so.cache")


def _os_release(image: Image) -> str:
    names = {"16.04": ("16.04.7 LTS (Xenial Xerus)", "Ubuntu 16.04.7 LTS", "xenial")}
    names["22.04"] = ("22.04.5 LTS (Jammy Jellyfish)", "Ubuntu 22.04.5 LTS", "jammy")
    names["24.04"] = ("24.04.2 LTS (Noble Numbat)", "Ubuntu 24.04.2 LTS", "noble")
    version, pretty, code = names.get(
        image.os_version_id, (image.os_version_id, f"Ubuntu {image.os_version_id}", "ubuntu")
    )
    return (
        f'NAME="Ubuntu"\nVERSION="{version}"\nID=ubuntu\nID_LIKE=debian\n'
        f'PRETTY_NAME="{pretty}"\nVERSION_ID="{image.os_version_id}"\n'
        f"VERSION_CODENAME={code}\nUBUNTU_CODENAME={code}\n"
    )


def _enable_services(disk: Disk, image: Image) -> None:
    names = ["ssh", "systemd-timesyncd"]
    if image.packages:
        _enable_updates(disk)
    else:
        names += ["kubelet", "containerd"]
    if image.runtime == "docker":
        names.append("docker")
    names += ["networking"] if image.os == "ubuntu-16.04" else ["systemd-networkd"]
    if image.tools:
        names.append("open-vm-tools")
    for name in names:
        disk.link(
            f"/etc/systemd/system/multi-user.target.wants/{name}.service",
            f"/lib/systemd/system/{name}.service",
        )


def _enable_updates(disk: Disk) -> None:
    for target, names in (
        ("multi-user.target", ("unattended-upgrades.service",)),
        ("timers.target", ("apt-daily.timer", "apt-daily-upgrade.timer")),
    ):
        for name in names:
            disk.link(f"/etc/systemd/system/{target}.wants/{name}", f"/lib/systemd/system/{name}")


def prepare_boot(disk: Disk, image: Image, *, conf: str) -> None:
    """Do what the kernel and early userspace do at every boot: fresh /run, /tmp, /dev, /proc."""
    for folder in ("run", "tmp", "dev", ".guest/sysctl", ".guest/jobs"):
        shutil.rmtree(disk.root / folder, ignore_errors=True)
        (disk.root / folder).mkdir(parents=True)
    (disk.root / "tmp").chmod(0o1777)
    for folder in ("run/lock", "run/systemd/system", "run/sshd", "dev/shm", "dev/pts"):
        (disk.root / folder).mkdir(parents=True)
    disk.write("/.guest/conf", conf, 0o600)
    # machine-id(5): empty, or "uninitialized", for a system that is to boot for the first time
    if disk.text("/etc/machine-id").strip() in ("", "uninitialized"):
        disk.write("/etc/machine-id", secrets.token_hex(16) + "\n", 0o444)
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        (disk.root / "dev" / name).touch()
    for name, target in (
        ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ):  # fmt: skip
        (disk.root / "dev" / name).symlink_to(target)
    os.mkfifo(disk.root / "dev" / "console", 0o600)
    for name in ("tty0", "tty1", "ttyS0", "kmsg"):
        (disk.root / "dev" / name).symlink_to("console")
    swap_on = any(
        line.split()[2:3] == ["swap"]
        for line in disk.text("/etc/fstab").splitlines()
        if not line.lstrip().startswith("#")
    )
    disk.write("/.guest/swaps", _SWAPS_HEAD + (SWAP_LINE if swap_on else ""))
    settings = dict(_SYSCTL)
    settings["kernel/random/boot_id"] = secrets.token_hex(16)
    settings["kernel/random/uuid"] = secrets.token_hex(16)
    settings["kernel/hostname"] = disk.text("/etc/hostname").strip()
    if image.os in _KERNELS:
        settings["kernel/osrelease"] = _KERNELS[image.os]
    for key, value in settings.items():
        path = disk.root / ".guest" / "sysctl" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value + "\n", encoding="utf-8")
