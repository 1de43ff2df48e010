"""The platform of guests whose Kubernetes is imitated: quick, and possible without root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cse_client.simulator.guest.commands.kernel import apply_sysctl_files, load_module
from cse_client.simulator.guest.disk import Disk, copy_disk
from cse_client.simulator.guest.model import Image
from cse_client.simulator.guest.sandbox import Sandbox
from cse_client.simulator.guest.services import install_services, look_at_packages
from cse_client.simulator.guest.skeleton import install_disk
from cse_client.simulator.guest.stand_ins import COMMANDS
from cse_client.simulator.guest.toolbox import (
    ABSENT,
    PACKAGED_PROGRAMS,
    Toolbox,
    stand_ins,
    toolbox_for,
)
from cse_client.simulator.guest.units import builtin_unit_files

if TYPE_CHECKING:
    from cse_client.simulator.guest.system import Command, System

__all__ = ["IMITATION", "Imitation"]


class Imitation:
    """Guests with stand-ins for kubeadm, the kubelet, the container runtime and systemd."""

    commands: Mapping[str, Command] = COMMANDS

    def install_disk(self, disk: Disk, image: Image) -> None:
        """Write a new VM's disk."""
        shared = self.toolbox(image).shared_commands() if image.packages else ()
        install_disk(disk, image, shared)

    def copy_disk(self, source: Path, target: Path) -> None:
        """Copy a disk, of which no guest runs."""
        copy_disk(source, target)

    def toolbox(self, image: Image) -> Toolbox:
        """Return the programs that guests with this image share."""
        return toolbox_for(image, _make_toolbox)

    def unit_files(self, image: Image) -> dict[str, str]:
        """Return the image's own unit files: their services are played outside of the guest."""
        return builtin_unit_files(image)

    def sandbox(
        self, root: Path, toolbox: Path, binds: Sequence[tuple[str, str]], image: Image
    ) -> Sandbox:
        """Start a guest's first process; raises SandboxUnavailable."""
        return Sandbox(root, toolbox, binds)

    def begin(self, system: System) -> None:
        """Load modules, apply kernel settings, install the runtime and the kubelet."""
        lines = system.disk.text("/etc/modules").split("\n")
        for name in system.disk.names("/etc/modules-load.d"):
            lines += system.disk.text(f"/etc/modules-load.d/{name}").split("\n")
        for line in lines:
            if line.strip() and line.strip()[0] not in "#;":
                load_module(system, line.strip())
        apply_sysctl_files(system)
        install_services(system)

    def packages_changed(self, system: System) -> None:
        """Give the guest the services that it has by now."""
        look_at_packages(system)

    def connect(self, system: System) -> None:
        """Do nothing: a guest's addresses are loopback addresses of this machine."""


def _make_toolbox(folder: Path, image: Image) -> Toolbox:
    missing = frozenset(image.missing_commands)
    if image.packages:
        missing |= frozenset(PACKAGED_PROGRAMS)
    own = {name: script for name, script in stand_ins(image).items() if name not in missing}
    return Toolbox(
        folder, own=own, links={}, absent=ABSENT | missing, units=builtin_unit_files(image)
    )


IMITATION = Imitation()
