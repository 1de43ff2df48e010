"""The platform of guests with a real Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cse_client.simulator.guest.disk import Disk
from cse_client.simulator.guest.model import Image
from cse_client.simulator.guest.real.cgroups import remove_stale_groups
from cse_client.simulator.guest.real.kits import Kit, read_kits, read_plains
from cse_client.simulator.guest.real.network import connect
from cse_client.simulator.guest.real.sandbox import CNI_PLUGINS, RealSandbox, what_is_missing
from cse_client.simulator.guest.real.template import install_template, write_pod_network
from cse_client.simulator.guest.real.tree import (
    PROGRAMS,
    copy_tree,
    make_tree_toolbox,
    mounts,
    tree_units,
)
from cse_client.simulator.guest.sandbox import Sandbox, SandboxUnavailable
from cse_client.simulator.guest.stand_ins import COMMANDS
from cse_client.simulator.guest.toolbox import ABSENT, Toolbox, stand_ins, toolbox_for
from cse_client.simulator.guest.units import builtin_unit_files

if TYPE_CHECKING:
    from cse_client.simulator.guest.system import Command, System

__all__ = ["RealPlatform"]

#: What no namespace can offer: the service manager, VMware Tools, modules, swap, the clock.
_STAND_INS = frozenset(
    [
        "apt",
        "apt-get",
        "apt-mark",
        "cloud-init",
        "date",
        "halt",
        "hostnamectl",
        "journalctl",
        "logger",
        "lsmod",
        "modprobe",
        "poweroff",
        "reboot",
        "resolvconf",
        "resolvectl",
        "runlevel",
        "shutdown",
        "sudo",
        "swapoff",
        "swapon",
        "systemctl",
        "systemd-detect-virt",
        "timedatectl",
        "update-grub",
        "vmtoolsd",
        "vmware-rpctool",
        "vmware-toolbox-cmd",
    ]
)
_REAL_UNITS = ("containerd.service", "keepalived.service", "kubelet.service")

# kubeadm refuses cgroup v1 whatever the kubelet's configuration allows, and only looks at what is
# mounted: it is shown a hierarchy of version 2 with the controllers that it wants.
_KUBEADM = f"""#!/usr/bin/bash
exec unshare --mount --propagation private bash -c '
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo cpuset cpu io memory hugetlb pids >/run/cgroup.controllers
mount --bind /run/cgroup.controllers /sys/fs/cgroup/cgroup.controllers
exec {PROGRAMS}/kubeadm "$@"' kubeadm "$@"
"""


class RealPlatform:
    """Machines with kubeadm, kubelet, containerd and runc, and networks of their own.

    Args:
        folder: the kits.

    Raises:
        ValueError: the folder holds no complete kit.
        SandboxUnavailable: this machine lacks something.
    """

    def __init__(self, folder: Path) -> None:
        self.kits = read_kits(folder)
        self.plains = read_plains(folder)
        self.commands: Mapping[str, Command] = {
            name: command for name, command in COMMANDS.items() if name in _STAND_INS
        }
        missing = what_is_missing()
        if missing:
            raise SandboxUnavailable(missing)
        remove_stale_groups()

    def _kit(self, image: Image) -> Kit:
        return next(kit for kit in self.kits if kit.version == image.kubernetes)

    def install_disk(self, disk: Disk, image: Image) -> None:
        """Write a new VM's disk."""
        if image.tree:
            copy_tree(Path(image.tree), disk.root)
        else:
            install_template(disk, image, self._kit(image))

    def copy_disk(self, source: Path, target: Path) -> None:
        """Copy a disk, of which no guest runs."""
        copy_tree(source, target)

    def toolbox(self, image: Image) -> Toolbox:
        """Return the programs that guests with this image share."""
        return toolbox_for(image, self._make_toolbox)

    def _make_toolbox(self, folder: Path, image: Image) -> Toolbox:
        own = {name: text for name, text in stand_ins(image).items() if name in _STAND_INS}
        own["kubeadm"] = _KUBEADM
        if image.tree:
            return make_tree_toolbox(folder, own)
        programs = [path.name for path in self._kit(image).programs.iterdir()]
        links = {name: f"{PROGRAMS}/{name}" for name in programs if name not in own}
        toolbox = Toolbox(
            folder,
            own=own,
            links=links,
            absent=ABSENT - {"keepalived", "runc", "socat"},
            units=self.unit_files(image),
        )
        # kube-proxy mounts it, and it lies in what is read-only in the guest.
        (folder / "lib" / "modules").mkdir(exist_ok=True)
        return toolbox

    def unit_files(self, image: Image) -> dict[str, str]:
        """Return the unit files of services that no process runs for."""
        if image.tree:
            return tree_units(image)
        files = builtin_unit_files(image)
        return {name: text for name, text in files.items() if name not in _REAL_UNITS}

    def sandbox(
        self, root: Path, toolbox: Path, binds: Sequence[tuple[str, str]], image: Image
    ) -> Sandbox:
        """Start a machine's first process; raises SandboxUnavailable."""
        if image.tree:
            disk = Disk(root)
            node = disk.exists("/usr/bin/kubelet")
            return RealSandbox(root, toolbox, mounts(disk, toolbox), unified=not node)
        programs = (str(self._kit(image).programs), PROGRAMS)
        return RealSandbox(root, toolbox, [*binds, programs, (str(CNI_PLUGINS), "/opt/cni/bin")])

    def begin(self, system: System) -> None:
        """Apply the kernel settings of the machine's own network."""
        system.run(["sysctl", "-q", "--system"])

    def packages_changed(self, system: System) -> None:
        """Do nothing: real packages bring real programs."""

    def connect(self, system: System) -> None:
        """Give the machine its network cards, and its part of the pod network."""
        assert isinstance(system.sandbox, RealSandbox)  # noqa: S101  # `sandbox` made it
        names = (
            system.interface if index == 0 else f"{system.interface}-{index}"
            for index in range(len(system.nics))
        )
        connect(system.sandbox, list(zip(names, system.nics)))
        if system.nics:
            write_pod_network(system.disk, system.nics[0].address)
