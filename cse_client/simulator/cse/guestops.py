"""Guest operations: running a script, and fetching a file, in a VM whose tools run.

The genuine server does this through vCenter as root (vsphere-guest-run): it uploads the script to
/tmp, runs it with its outputs in files, downloads those, and removes everything again.
"""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from uuid import uuid4

from cse_client.simulator.guest.life import PowerLoss
from cse_client.simulator.guest.system import System
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.vapps import Vm

__all__ = ["GuestOperationFailed", "Outcome", "fetch", "run_script"]

_LOOK_SECONDS = 0.05
#: Real seconds; the genuine server waits without limit, which no test should.
_PATIENCE = 300.0
_NOT_READY = "VM is not ready to execute scripts"
_DONE = ("GC_COMPLETE", "GC_FAILED")


class GuestOperationFailed(Exception):
    """The guest cannot be reached by guest operations."""


@dataclass(frozen=True)
class Outcome:
    """How a script ended."""

    code: int
    out: str
    err: str


def run_script(cloud: Cloud, vm: Vm, script: str) -> Outcome:
    """Run a bash script as root and wait for its end.

    Where the simulator runs no guests nothing happens and nothing fails.

    Raises:
        GuestOperationFailed: the VM is off, or goes off, or never gets ready.
    """
    if not cloud.guest_options.enabled:
        return Outcome(0, "", "")
    system = _ready(cloud, vm)
    place = f"/tmp/{uuid4()}"  # noqa: S108  (inside the guest, where the genuine server puts it)
    files = {end: f"{place}.{end}" for end in ("sh", "out", "err")}
    try:
        with system.life.guard():
            system.disk.write(files["sh"], script, 0o700)
        job = system.spawn(
            "cd /root || exit 200\nexport HOME=/root\n"
            f"exec </dev/null >{shlex.quote(files['out'])} 2>{shlex.quote(files['err'])}\n"
            f"exec bash {shlex.quote(files['sh'])}\n"
        )
        code = system.jobs.wait(job)
        outcome = Outcome(
            255 if code is None else code,
            system.disk.text(files["out"]),
            system.disk.text(files["err"]),
        )
        with system.life.guard():
            for path in files.values():
                system.disk.remove(path)
    except PowerLoss as error:
        raise GuestOperationFailed(_NOT_READY) from error
    return outcome


def fetch(cloud: Cloud, vm: Vm, path: str) -> bytes:
    """Return a file of the guest.

    Raises:
        GuestOperationFailed: the VM is off, or there is no such file.
    """
    system = _ready(cloud, vm) if cloud.guest_options.enabled else None
    if system is None:
        raise GuestOperationFailed(_NOT_READY)
    try:
        return system.disk.read(path)
    except OSError as error:
        raise GuestOperationFailed(f"File {path} was not found") from error


def _ready(cloud: Cloud, vm: Vm) -> System:
    """Wait until the tools of a VM run and its customization is over."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with cloud.lock:
            guest = vm.guest
            up = vm.on and vm.tools_running
            customized = vm.gc_status in _DONE or not vm.customization.enabled
        system = guest.system if guest is not None else None
        if up and customized and system is not None and system.jobs.ready.is_set():
            return system  # type: ignore[no-any-return]  # Vm.guest is Any
        if not vm.on:
            break
        time.sleep(_LOOK_SECONDS)
    raise GuestOperationFailed(_NOT_READY)
